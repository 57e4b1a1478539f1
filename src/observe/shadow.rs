//! What is counted of a candidate policy beside the one in force. Bounded: what comes after the first few hundred sorts of
//! disagreement is counted by signal and change alone.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use super::metrics::{Family, Kind, Value, family, sample};
use crate::otlp::Signal;
use crate::review::shadow::{Change, Comparison, Disagreement, OTHER, Place};
use crate::run::Shadow;

/// So many sorts of disagreement are told apart.
const MOST_ROWS: usize = 500;

/// A change is logged no more often.
const LOG_PAUSE: Duration = Duration::from_secs(3600);

/// Why something was not compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Missed {
    /// A request: too much was waiting to be compared.
    Busy,
    /// A record, because of its size.
    TooLarge,
    /// A request that the candidate's filter refuses.
    Refused,
    /// A request, by a defect.
    Failed,
}

impl Missed {
    pub const ALL: [Missed; 4] = [Missed::Busy, Missed::TooLarge, Missed::Refused, Missed::Failed];

    pub const fn name(self) -> &'static str {
        match self {
            Missed::Busy => "busy",
            Missed::TooLarge => "too_large",
            Missed::Refused => "refused",
            Missed::Failed => "failed",
        }
    }
}

/// The numbers of one candidate, for as long as both policies are what they are.
#[derive(Debug)]
pub struct ShadowMetrics {
    pub since: SystemTime,
    records: [AtomicU64; 4],
    missed: [AtomicU64; Missed::ALL.len()],
    rows: Mutex<BTreeMap<Disagreement, u64>>,
    /// What was logged, and when.
    logged: Mutex<(u64, Option<Instant>)>,
}

impl Default for ShadowMetrics {
    fn default() -> ShadowMetrics {
        ShadowMetrics {
            since: SystemTime::now(),
            records: Default::default(),
            missed: Default::default(),
            rows: Mutex::default(),
            logged: Mutex::default(),
        }
    }
}

impl ShadowMetrics {
    /// A request was compared.
    pub fn compared(&self, signal: Signal, found: Comparison) {
        self.records[signal as usize].fetch_add(found.records, Relaxed);
        self.missed[Missed::TooLarge as usize].fetch_add(found.too_large, Relaxed);
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        for (row, times) in found.disagreements {
            let known = rows.contains_key(&row) || rows.len() < MOST_ROWS;
            let row = if known { row } else { elsewhere(&row) };
            *rows.entry(row).or_default() += times;
        }
    }

    pub fn missed(&self, why: Missed) {
        self.missed[why as usize].fetch_add(1, Relaxed);
    }

    pub fn records(&self, signal: Signal) -> u64 {
        self.records[signal as usize].load(Relaxed)
    }

    /// What was not compared, by its reason.
    pub fn not_compared(&self) -> impl Iterator<Item = (Missed, u64)> + '_ {
        Missed::ALL.into_iter().map(|why| (why, self.missed[why as usize].load(Relaxed)))
    }

    /// The disagreements, and in how many values or records.
    pub fn rows(&self) -> Vec<(Disagreement, u64)> {
        let rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        rows.iter().map(|(row, times)| (row.clone(), *times)).collect()
    }

    /// Disagreements, and those of them by which more would leave.
    pub fn totals(&self) -> (u64, u64) {
        let rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let widening = rows.iter().filter(|(row, _)| row.change.widens());
        (rows.values().sum(), widening.map(|(_, times)| times).sum())
    }

    /// Whether there are disagreements that the log has not been told of, and it is time to; the first is told at once.
    pub fn is_news(&self) -> bool {
        let (now, _) = self.totals();
        let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        let due = logged.1.is_none_or(|at| at.elapsed() >= LOG_PAUSE);
        let news = now > logged.0 && due;
        if news {
            *logged = (now, Some(Instant::now()));
        }
        news
    }
}

fn elsewhere(row: &Disagreement) -> Disagreement {
    let (signal, change): (Signal, Change) = (row.signal, row.change);
    Disagreement { signal, place: Place::Elsewhere, key: OTHER.into(), change, rule: None, candidate_rule: None }
}

/// All shadows' numbers as they stand now.
pub fn families<'a>(shadows: impl Iterator<Item = &'a Shadow> + Clone) -> Vec<Family> {
    let (mut loaded, mut info, mut records, mut missed, mut rows) =
        <(Vec<_>, Vec<_>, Vec<_>, Vec<_>, Vec<_>)>::default();
    for shadow in shadows {
        let destination = ("destination", shadow.destinations.as_str());
        loaded.push(sample(&[destination], Value::Integer(u64::from(shadow.candidate.is_ok()))));
        let Ok(candidate) = &shadow.candidate else { continue };
        info.push(sample(&[destination, ("digest", candidate.policy().digest())], Value::Integer(1)));
        for signal in Signal::ALL {
            let compared = candidate.metrics.records(signal);
            records.push(sample(&[destination, ("signal", signal.name())], Value::Integer(compared)));
        }
        for (why, times) in candidate.metrics.not_compared() {
            missed.push(sample(&[destination, ("reason", why.name())], Value::Integer(times)));
        }
        for row in candidate.rows() {
            let labels = [
                destination,
                ("signal", row.signal),
                ("part", row.part),
                ("key", &row.key),
                ("change", row.change.name()),
                ("rule", &row.rule),
                ("candidate_rule", &row.candidate_rule),
            ];
            rows.push(sample(&labels, Value::Integer(row.values)));
        }
    }
    vec![
        family("privet_shadow_loaded", "0 while a candidate policy cannot be loaded.", Kind::Gauge, loaded),
        family("privet_shadow_info", "Always 1.", Kind::Gauge, info),
        family(
            "privet_shadow_records",
            "Records compared with what a candidate policy makes of them.",
            Kind::Counter,
            records,
        ),
        family(
            "privet_shadow_not_compared",
            "Requests, or records too large, that were not compared.",
            Kind::Counter,
            missed,
        ),
        family(
            "privet_shadow_disagreements",
            "Values and records that a candidate policy treats otherwise.",
            Kind::Counter,
            rows,
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::otlp::Part;

    #[test]
    fn sorts_of_disagreement_are_told_apart_up_to_a_bound_and_none_is_lost() {
        let metrics = ShadowMetrics::default();
        for number in 0..2_000 {
            let row = Disagreement {
                signal: Signal::Logs,
                place: Place::Part(Part::Body),
                key: format!("key.{number}"),
                change: if number % 2 == 0 { Change::NewlyLeaves } else { Change::Narrower },
                rule: None,
                candidate_rule: None,
            };
            let disagreements = [(row, 1)].into();
            metrics.compared(Signal::Logs, Comparison { records: 1, disagreements, ..Comparison::default() });
        }
        assert!(metrics.rows().len() <= MOST_ROWS + 2);
        assert_eq!(metrics.totals(), (2_000, 1_000));
        assert_eq!(metrics.records(Signal::Logs), 2_000);
    }

    #[test]
    fn the_first_disagreement_is_news_at_once_and_the_next_after_an_hour() {
        let metrics = ShadowMetrics::default();
        assert!(!metrics.is_news());
        let row = elsewhere(&Disagreement {
            signal: Signal::Traces,
            place: Place::Record,
            key: String::new(),
            change: Change::NewlyLeaves,
            rule: None,
            candidate_rule: None,
        });
        let found = || Comparison { disagreements: [(row.clone(), 1)].into(), ..Comparison::default() };
        metrics.compared(Signal::Traces, found());
        assert!(metrics.is_news() && !metrics.is_news());
        metrics.compared(Signal::Traces, found());
        assert!(!metrics.is_news());
        metrics.logged.lock().unwrap().1 = Instant::now().checked_sub(LOG_PAUSE);
        assert!(metrics.is_news());
    }
}
