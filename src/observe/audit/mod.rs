//! The audit trail: what left, for whom, by which policy and key, in files that show whether anybody changed them.
//!
//! ```text
//! pipeline ─▶ Ledger (sums, one for each destination and policy) ─▶ Audit (each interval, reload, exit) ─▶ Trail (files)
//!                                                                       entry (what is written) ◀── read (who checks)
//! ```
//!
//! Only counters are kept meanwhile; nothing is written while a request waits. No value from telemetry comes into an entry:
//! fields are named as [`crate::policy::Field`] names them.

pub mod entry;
mod ledger;
pub mod read;
#[cfg(test)]
mod tests;
mod trail;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use super::Metrics;
use entry::{Because, Entry, InForce, Period, Start};
pub use ledger::{Ledger, Left, Of, Sending};
use trail::Trail;
pub use trail::{Head, Settings};

/// The trail of a process, and what is to be written into it next.
pub struct Audit {
    interval: Duration,
    required: bool,
    failing: AtomicBool,
    metrics: Arc<Metrics>,
    inner: Mutex<Inner>,
}

struct Inner {
    trail: Trail,
    /// One for each destination.
    current: Vec<Arc<Ledger>>,
    /// Of policies that are in force no more, as long as requests are on their way that they let through.
    former: Vec<Arc<Ledger>>,
    /// What the file at hand says is in force.
    told: Vec<InForce>,
    due: Timestamp,
    /// The last entry is written.
    ended: bool,
}

/// Why there is no trail.
#[derive(Debug)]
pub struct AuditError {
    pub path: PathBuf,
    pub error: io::Error,
    /// Another process writes there.
    pub in_use: bool,
}

impl Audit {
    /// Finds the end of the trail in its directory, which is made if it is not there. Writes nothing.
    ///
    /// # Errors
    /// If the directory cannot be used.
    pub fn open(settings: &Settings, metrics: Arc<Metrics>) -> Result<Audit, AuditError> {
        let trail = Trail::open(settings)?;
        let (current, former, told) = Default::default();
        let due = Timestamp::MAX;
        Ok(Audit {
            interval: settings.interval,
            required: settings.required,
            failing: AtomicBool::new(false),
            metrics,
            inner: Mutex::new(Inner { trail, current, former, told, due, ended: false }),
        })
    }

    /// The process begins to take requests.
    ///
    /// # Errors
    /// If that cannot be written.
    pub fn start(&self, ledgers: &[Arc<Ledger>], now: Timestamp) -> Result<(), AuditError> {
        let mut inner = self.inner();
        inner.current = ledgers.to_vec();
        inner.due = next(now, self.interval);
        let written = inner.start(now);
        self.note(&written, now);
        written.map_err(|error| AuditError { path: inner.trail.path().to_owned(), error, in_use: false })
    }

    /// Other policies or keys are in force. What the former ones let through is written down.
    pub fn replaced(&self, ledgers: &[Arc<Ledger>], now: Timestamp) {
        let mut inner = self.inner();
        if inner.ended {
            return;
        }
        let former = std::mem::replace(&mut inner.current, ledgers.to_vec());
        inner.former.extend(former);
        let written = inner.write(Because::Reload, now);
        self.note(&written, now);
    }

    /// Writes what is due: the interval's sums, and what could not be written before.
    pub fn look_after(&self, now: Timestamp) {
        let mut inner = self.inner();
        if inner.ended || now < inner.due && !self.failing.load(Relaxed) {
            return;
        }
        let written = inner.write(Because::Interval, now);
        if written.is_ok() {
            inner.due = next(now, self.interval);
        }
        self.note(&written, now);
    }

    /// The process ends.
    pub fn stop(&self, now: Timestamp) {
        let mut inner = self.inner();
        let written = inner.write(Because::Exit, now).and_then(|()| inner.trail.append(Entry::Stop, now));
        inner.ended = true;
        self.note(&written, now);
    }

    /// Whether nothing may leave because it could not be written down that it did.
    pub fn blocks(&self) -> bool {
        self.required && self.failing.load(Relaxed)
    }

    /// Whether the last entry could not be written.
    pub fn is_failing(&self) -> bool {
        self.failing.load(Relaxed)
    }

    /// The last entry, to be kept where whoever writes the files cannot change it.
    pub fn head(&self) -> Head {
        self.inner().trail.head().clone()
    }

    /// Has metrics and log say how writing went; the log only where that changes.
    fn note(&self, written: &io::Result<()>, now: Timestamp) {
        self.metrics.audit(written.is_ok(), now.as_second().cast_unsigned());
        let failed_before = self.failing.swap(written.is_err(), Relaxed);
        match written {
            Err(error) if !failed_before => tracing::error!(
                %error,
                required = self.required,
                "the audit trail cannot be written; the counts are kept and tried again every second"
            ),
            Ok(()) if failed_before => tracing::info!("the audit trail can be written again"),
            _ => {}
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // Between two entries everything is in order.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn start(&mut self, now: Timestamp) -> io::Result<()> {
        self.trail.begin(now)?;
        if self.trail.is_full(now) {
            self.trail.next_file(now)?;
        }
        let previous = self.trail.previous();
        self.trail.append(Entry::Start(Start { previous }), now)?;
        self.tell(now)
    }

    /// Writes all sums, each behind what says by what they came about.
    fn write(&mut self, because: Because, now: Timestamp) -> io::Result<()> {
        if self.trail.is_full(now) {
            self.trail.next_file(now)?;
            self.told.clear();
        }
        for ledger in &self.former {
            write_sums(&mut self.trail, ledger, because, now)?;
        }
        // A request that is on its way holds its ledger.
        self.former.retain(|ledger| Arc::strong_count(ledger) > 1);
        self.tell(now)?;
        for ledger in &self.current {
            write_sums(&mut self.trail, ledger, because, now)?;
        }
        self.trail.remove_old(now)
    }

    /// Writes down what is in force for each destination, where the file at hand does not say so.
    fn tell(&mut self, now: Timestamp) -> io::Result<()> {
        for ledger in &self.current {
            let in_force = ledger.of().in_force();
            let destination = &in_force.of.destination;
            if self.told.contains(&in_force) {
                continue;
            }
            self.trail.append(Entry::InForce(Box::new(in_force.clone())), now)?;
            self.told.retain(|told| told.of.destination != *destination);
            self.told.push(in_force);
        }
        Ok(())
    }
}

/// Writes a ledger's sums, which it keeps if that fails. At an interval's end it is said that nothing left, too.
fn write_sums(trail: &mut Trail, ledger: &Ledger, because: Because, now: Timestamp) -> io::Result<()> {
    let (from, sums) = ledger.take(now);
    if sums.is_empty() && because != Because::Interval {
        ledger.give_back(from, sums);
        return Ok(());
    }
    let [start, end] = [from, now].map(trail::in_milliseconds);
    let (of, signals) = (ledger.of().brief(), sums.signals(&ledger.of().policy));
    let period = Period { from: start, to: end, because, of, signals };
    trail.append(Entry::Period(Box::new(period)), now).inspect_err(|_| ledger.give_back(from, sums))
}

/// The end of the interval that a moment lies in; all processes' intervals end at the same moments.
fn next(now: Timestamp, interval: Duration) -> Timestamp {
    let (now, interval) = (now.as_millisecond(), i64::try_from(interval.as_millis()).unwrap_or(i64::MAX).max(1));
    Timestamp::from_millisecond((now.div_euclid(interval) + 1).saturating_mul(interval)).unwrap_or(Timestamp::MAX)
}

impl fmt::Display for AuditError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the audit trail cannot be written: {}: ", self.path.display())?;
        if self.in_use { f.write_str("another process writes there") } else { self.error.fmt(f) }
    }
}

impl std::error::Error for AuditError {}
