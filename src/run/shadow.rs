//! Candidate policies beside those in force: every request that was delivered is given to them too, on a thread of its own,
//! behind a bounded queue. Nothing that happens here is waited for.
//!
//! ```text
//! pipeline: request, what left ─▶ Queue (bounded; what does not fit is counted) ─▶ thread: Pair::compare ─▶ ShadowMetrics
//! ```

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use super::loaded::Loaded;
use crate::filter::Engine;
use crate::observe::{Missed, ShadowMetrics};
use crate::otlp::Signal;
use crate::policy::{Policy, RuleId};
use crate::receive::{Budget, Held};
use crate::review::bench::Unfit;
use crate::review::shadow::{Change, Comparison, Disagreement, Pair};

/// What waits beside its bytes, about: so many small requests are not free.
const OVERHEAD: usize = 1 << 10;

/// So many requests wait at most.
const MOST_WAITING: usize = 1024;

/// A candidate policy beside the one in force of destinations that get the same.
pub struct Shadow {
    /// Their names, joined by commas.
    pub destinations: String,
    /// Which pass makes what they get.
    pub pass: usize,
    /// The share of requests that are compared.
    pub sample: f64,
    /// Or why there is none.
    pub candidate: Result<Candidate, String>,
}

pub struct Candidate {
    live: Engine,
    engine: Engine,
    pub metrics: Arc<ShadowMetrics>,
    /// Used by one thread; nothing waits for it.
    pair: Mutex<Pair>,
}

/// A sort of disagreement, in words.
pub struct Row {
    pub signal: &'static str,
    pub part: &'static str,
    pub key: String,
    pub change: Change,
    /// Empty if none acted.
    pub rule: String,
    pub candidate_rule: String,
    pub values: u64,
}

impl Candidate {
    pub fn new(live: Engine, engine: Engine) -> Candidate {
        let pair = Mutex::new(Pair::new(live.clone(), engine.clone()));
        Candidate { live, engine, metrics: Arc::default(), pair }
    }

    pub fn policy(&self) -> &Policy {
        self.engine.policy()
    }

    /// The policy it is compared with.
    pub fn live(&self) -> &Policy {
        self.live.policy()
    }

    /// Where the policies disagree.
    pub fn rows(&self) -> Vec<Row> {
        let name = |policy: &Policy, rule: Option<RuleId>| {
            rule.map_or_else(String::new, |rule| policy.rules()[usize::from(rule.0)].name.clone())
        };
        let row = |(row, values): (Disagreement, u64)| Row {
            signal: row.signal.name(),
            part: row.place.name(),
            change: row.change,
            rule: name(self.live(), row.rule),
            candidate_rule: name(self.policy(), row.candidate_rule),
            key: row.key,
            values,
        };
        self.metrics.rows().into_iter().map(row).collect()
    }

    fn compare(&self, signal: Signal, request: Bytes, left: &Bytes) {
        self.count(signal, |pair| pair.compare(signal, request, left));
    }

    /// A panic costs its request and the pair's memory, no more.
    fn count(&self, signal: Signal, compare: impl FnOnce(&mut Pair) -> Result<Comparison, Unfit>) {
        let mut pair = self.pair.lock().unwrap_or_else(PoisonError::into_inner);
        match catch_unwind(AssertUnwindSafe(|| compare(&mut pair))) {
            Ok(Ok(found)) => self.metrics.compared(signal, found),
            Ok(Err(_)) => self.metrics.missed(Missed::Refused),
            Err(_) => {
                *pair = Pair::new(self.live.clone(), self.engine.clone());
                self.metrics.missed(Missed::Failed);
            }
        }
    }
}

impl Shadow {
    /// Goes on counting where one of before compared the same policies for the same destinations.
    pub fn follow(&mut self, before: &[Arc<Shadow>]) {
        let Ok(candidate) = &mut self.candidate else { return };
        for old in before.iter().filter(|old| old.destinations == self.destinations && old.sample == self.sample) {
            let Ok(old) = &old.candidate else { continue };
            if old.policy().digest() == candidate.policy().digest() && old.live().digest() == candidate.live().digest()
            {
                candidate.metrics = Arc::clone(&old.metrics);
            }
        }
    }

    /// Tells the log of disagreements, at most hourly; `last`: it is the last time.
    pub fn tell(&self, last: bool) {
        let Ok(candidate) = &self.candidate else { return };
        if !last && !candidate.metrics.is_news() {
            return;
        }
        let (disagreements, widening) = candidate.metrics.totals();
        let records: u64 = Signal::ALL.into_iter().map(|signal| candidate.metrics.records(signal)).sum();
        let (destination, policy) = (self.destinations.as_str(), candidate.policy().digest());
        tracing::info!(
            destination,
            policy,
            records,
            disagreements,
            widening,
            "shadow: compared with the candidate policy"
        );
    }
}

/// What waits to be compared.
struct Job {
    shadow: Arc<Shadow>,
    signal: Signal,
    request: Bytes,
    left: Bytes,
    _held: Held,
}

/// The way to the thread that compares; it ends when this is dropped.
pub struct Queue {
    jobs: SyncSender<Job>,
    budget: Arc<Budget>,
    drawn: AtomicU64,
    lots: RandomState,
}

impl Queue {
    /// Starts the thread. No more than that many bytes wait for it.
    pub fn start(bytes: usize) -> io::Result<Arc<Queue>> {
        let (jobs, waiting) = sync_channel(MOST_WAITING);
        std::thread::Builder::new().name("shadow".into()).spawn(move || work(&waiting))?;
        Ok(Queue::to(jobs, bytes))
    }

    fn to(jobs: SyncSender<Job>, bytes: usize) -> Arc<Queue> {
        let (drawn, lots) = (AtomicU64::new(0), RandomState::new());
        Arc::new(Queue { jobs, budget: Budget::new(bytes), drawn, lots })
    }

    /// Has a request compared that was delivered, with what left of it by pass. Never waits.
    pub fn offer<'a>(
        &self,
        loaded: &Loaded,
        signal: Signal,
        request: &Bytes,
        left: impl Fn(usize) -> Option<&'a Bytes>,
    ) {
        for shadow in &loaded.shadows {
            let (Ok(candidate), Some(left)) = (&shadow.candidate, left(shadow.pass)) else { continue };
            if !self.draw(shadow.sample) {
                continue;
            }
            let mut held = Held::none(&self.budget);
            let fits = held.grow(request.len() + left.len() + OVERHEAD).is_ok();
            let (shadow, request, left) = (Arc::clone(shadow), request.clone(), left.clone());
            let job = Job { shadow, signal, request, left, _held: held };
            if !fits || self.jobs.try_send(job).is_err() {
                candidate.metrics.missed(Missed::Busy);
            }
        }
    }

    /// Whether this one is among the share. The standard library's hash, for a table's quicker one spreads numbers in a
    /// row too unevenly to draw lots with.
    fn draw(&self, share: f64) -> bool {
        let lot = self.lots.hash_one(self.drawn.fetch_add(1, Relaxed));
        // 53 bits are a float's.
        ((lot >> 11) as f64) < share * (1u64 << 53) as f64
    }
}

fn work(waiting: &Receiver<Job>) {
    // Whoever waits for an answer goes first. Of a thread's own priority on Linux; elsewhere it would be the process's.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::setpriority_process(None, 19);
    while let Ok(job) = waiting.recv() {
        if let Ok(candidate) = &job.shadow.candidate {
            candidate.compare(job.signal, job.request, &job.left);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::pseudonym::{Keyring, Pseudonyms};

    fn shadow(sample: f64) -> Arc<Shadow> {
        let keyring = Keyring::ephemeral().unwrap();
        let policy = Arc::new(Policy::base());
        let pseudonyms = Pseudonyms::new(&keyring, "vendor", policy.kinds(), SystemTime::now()).unwrap();
        let engine = Engine::new(policy, Arc::new(pseudonyms));
        let candidate = Ok(Candidate::new(engine.clone(), engine));
        Arc::new(Shadow { destinations: "vendor".into(), pass: 0, sample, candidate })
    }

    fn missed(shadow: &Shadow, why: Missed) -> u64 {
        let candidate = shadow.candidate.as_ref().unwrap_or_else(|wrong| panic!("{wrong}"));
        candidate.metrics.not_compared().find(|(of, _)| *of == why).map_or(0, |(_, times)| times)
    }

    #[test]
    fn who_cannot_keep_up_is_not_waited_for_and_what_is_dropped_is_counted() {
        let shadow = shadow(1.0);
        let loaded = Loaded { shadows: vec![Arc::clone(&shadow)], ..Loaded::default() };
        let request = Bytes::from(vec![0; 10_000]);
        // Nobody takes anything out.
        let (jobs, waiting) = sync_channel(MOST_WAITING);
        let queue = Queue::to(jobs, 50_000);
        for _ in 0..5 {
            queue.offer(&loaded, Signal::Logs, &request, |_| Some(&request));
        }
        assert_eq!((missed(&shadow, Missed::Busy), queue.budget.used()), (3, 2 * (20_000 + OVERHEAD)));
        drop(waiting.recv());
        queue.offer(&loaded, Signal::Logs, &request, |_| Some(&request));
        assert_eq!(missed(&shadow, Missed::Busy), 3, "there is room again");
        queue.offer(&loaded, Signal::Logs, &request, |_| None);
        assert_eq!(missed(&shadow, Missed::Busy), 3, "nothing left, so nothing is compared");
        drop(waiting);
        queue.offer(&loaded, Signal::Logs, &Bytes::new(), |_| Some(&request));
        assert_eq!(missed(&shadow, Missed::Busy), 4, "nobody is there");
    }

    #[test]
    fn a_share_of_the_requests_is_drawn() {
        // With many seeds: each process draws with another. The bounds are five standard deviations away.
        for _ in 0..50 {
            let (jobs, _waiting) = sync_channel(1);
            let queue = Queue::to(jobs, 0);
            for (share, from, to) in [(1.0, 10_000, 10_000), (0.1, 850, 1_150), (0.5, 4_750, 5_250)] {
                let drawn = (0..10_000).filter(|_| queue.draw(share)).count();
                assert!((from..=to).contains(&drawn), "{drawn} of {share}");
            }
        }
    }

    #[test]
    fn what_cannot_be_compared_is_counted_and_the_next_request_is_compared() {
        let shadow = shadow(1.0);
        let Ok(candidate) = &shadow.candidate else { unreachable!() };
        candidate.compare(Signal::Logs, Bytes::from_static(b"\x0a\x05x"), &Bytes::new());
        assert_eq!(missed(&shadow, Missed::Refused), 1);
        candidate.count(Signal::Logs, |_| panic!("a defect"));
        assert_eq!(missed(&shadow, Missed::Failed), 1);
        // A log record.
        let request = Bytes::from_static(b"\x0a\x04\x12\x02\x12\x00");
        candidate.compare(Signal::Logs, request.clone(), &request);
        assert_eq!(candidate.metrics.records(Signal::Logs), 1);
    }
}
