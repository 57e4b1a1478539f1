//! What is counted. One place for numbers; Prometheus, OTLP and the control API read the same families.
//!
//! The hot path adds to fixed atomics; what is rare (refusals, unknown fields) goes through a lock.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::DestinationMetrics;
use crate::filter::Counts;
use crate::grpc::Code;
use crate::otlp::Signal;

/// Upper bounds of the duration histogram's buckets, in seconds.
const BUCKETS: [f64; 12] = [0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5, 10.0];

/// Unknown fields are told apart up to that many; field numbers come from outside.
const MOST_UNKNOWN_FIELDS: usize = 200;

/// All numbers of a process.
#[derive(Debug, Default)]
pub struct Metrics {
    signals: [PerSignal; 4],
    in_flight: AtomicI64,
    connections: AtomicI64,
    connections_refused: AtomicU64,
    connections_broken: AtomicU64,
    reloads: AtomicU64,
    reloads_failed: AtomicU64,
    last_reload_failed: AtomicU64,
    loaded_at: AtomicU64,
    audit: AuditNumbers,
    rare: Mutex<Rare>,
}

/// Of the audit trail; none are told where there is none.
#[derive(Debug, Default)]
struct AuditNumbers {
    written: AtomicU64,
    failed: AtomicU64,
    last_failed: AtomicU64,
    /// Seconds since the epoch.
    last: AtomicU64,
}

#[derive(Debug, Default)]
struct PerSignal {
    answered: [AtomicU64; Code::ALL.len()],
    duration: [AtomicU64; BUCKETS.len() + 1],
    duration_nanos: AtomicU64,
    filter_nanos: AtomicU64,
    records: AtomicU64,
    dropped: AtomicU64,
    received_bytes: AtomicU64,
    sent_bytes: AtomicU64,
    unchanged: AtomicU64,
}

#[derive(Debug, Default)]
struct Rare {
    refused: BTreeMap<(Option<Signal>, &'static str), u64>,
    unknown_fields: BTreeMap<(&'static str, Option<u32>), u64>,
    fail_closed: BTreeMap<&'static str, u64>,
    rules: BTreeMap<(String, &'static str, Arc<str>), Arc<PerRule>>,
    destinations: Vec<Arc<DestinationMetrics>>,
    policies: Vec<InForce>,
    /// Epoch and check value.
    key: (String, String),
}

type PerRule = [AtomicU64; 4];

/// A policy that a destination has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InForce {
    pub destination: String,
    pub digest: String,
}

/// The counters of a policy's rules, by rule index.
#[derive(Debug, Default)]
pub struct RuleCounters(Vec<Arc<PerRule>>);

/// A family of metrics as it stands now.
#[derive(Clone, Debug)]
pub struct Family {
    /// Without the `_total` and unit that Prometheus appends.
    pub name: &'static str,
    pub unit: Option<&'static str>,
    pub help: &'static str,
    pub kind: Kind,
    pub samples: Vec<Sample>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Counter,
    Gauge,
    Histogram,
}

#[derive(Clone, Debug)]
pub struct Sample {
    pub labels: Vec<(&'static str, String)>,
    pub value: Value,
}

#[derive(Clone, Debug)]
pub enum Value {
    Integer(u64),
    Float(f64),
    /// Sum, count, and by upper bound how many fell into that bucket alone.
    Histogram {
        sum: f64,
        count: u64,
        buckets: Vec<(f64, u64)>,
    },
}

/// A request that is being worked on.
pub struct InFlight<'a>(&'a AtomicI64);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl Family {
    /// With its unit, as Prometheus has it, but without a counter's `_total`.
    pub fn full_name(&self) -> String {
        self.unit.map_or_else(|| self.name.to_owned(), |unit| format!("{}_{unit}", self.name))
    }
}

impl Metrics {
    /// A request came in whole.
    pub fn received(&self, signal: Signal, bytes: usize) {
        self.signals[signal as usize].received_bytes.fetch_add(bytes as u64, Relaxed);
    }

    /// A request was answered, after that long.
    pub fn answered(&self, signal: Signal, code: Code, after: Duration) {
        let per_signal = &self.signals[signal as usize];
        per_signal.answered[code as usize].fetch_add(1, Relaxed);
        let seconds = after.as_secs_f64();
        let bucket = BUCKETS.iter().position(|bound| seconds <= *bound).unwrap_or(BUCKETS.len());
        per_signal.duration[bucket].fetch_add(1, Relaxed);
        per_signal.duration_nanos.fetch_add(after.as_nanos() as u64, Relaxed);
    }

    /// A request was not accepted, for a fixed reason.
    pub fn refused(&self, signal: Option<Signal>, reason: &'static str) {
        *self.rare().refused.entry((signal, reason)).or_default() += 1;
    }

    /// A request was filtered, in that time.
    pub fn filtered(&self, signal: Signal, records: u64, dropped: u64, unchanged: bool, took: Duration) {
        let per_signal = &self.signals[signal as usize];
        per_signal.records.fetch_add(records, Relaxed);
        per_signal.dropped.fetch_add(dropped, Relaxed);
        per_signal.unchanged.fetch_add(u64::from(unchanged), Relaxed);
        per_signal.filter_nanos.fetch_add(took.as_nanos() as u64, Relaxed);
    }

    /// What the filter did to it.
    pub fn count(&self, signal: Signal, counts: &Counts, rules: &RuleCounters) {
        for (counter, count) in rules.0.iter().zip(&counts.rules).filter(|(_, count)| **count > 0) {
            counter[signal as usize].fetch_add(*count, Relaxed);
        }
        if counts.unknown_fields.is_empty() && counts.fail_closed.is_empty() {
            return;
        }
        let mut rare = self.rare();
        for &(message, field, times) in &counts.unknown_fields {
            let known = rare.unknown_fields.contains_key(&(message, Some(field)));
            let field = (known || rare.unknown_fields.len() < MOST_UNKNOWN_FIELDS).then_some(field);
            *rare.unknown_fields.entry((message, field)).or_default() += times;
        }
        for &(reason, times) in &counts.fail_closed {
            *rare.fail_closed.entry(reason).or_default() += times;
        }
    }

    /// A request went out, with that many bytes.
    pub fn sent(&self, signal: Signal, bytes: usize) {
        self.signals[signal as usize].sent_bytes.fetch_add(bytes as u64, Relaxed);
    }

    pub fn in_flight(&self) -> InFlight<'_> {
        self.in_flight.fetch_add(1, Relaxed);
        InFlight(&self.in_flight)
    }

    /// Counts a connection in; the count of those open before.
    pub fn connection_opened(&self) -> i64 {
        self.connections.fetch_add(1, Relaxed)
    }

    pub fn connection_closed(&self) {
        self.connections.fetch_sub(1, Relaxed);
    }

    /// A connection beyond the limit was closed at once.
    pub fn connection_refused(&self) {
        self.connections_refused.fetch_add(1, Relaxed);
    }

    /// A peer broke HTTP/2's rules.
    pub fn broken_connection(&self) {
        self.connections_broken.fetch_add(1, Relaxed);
    }

    /// The numbers of one more destination.
    pub fn destination(&self, name: &str) -> Arc<DestinationMetrics> {
        let destination = Arc::new(DestinationMetrics::new(name));
        self.rare().destinations.push(Arc::clone(&destination));
        destination
    }

    /// Counters for a policy's rules (name and action, by index) on the way to those destinations. Rules of the same name
    /// go on counting.
    pub fn rule_counters(
        &self,
        destinations: &str,
        rules: impl IntoIterator<Item = (String, &'static str)>,
    ) -> RuleCounters {
        let mut rare = self.rare();
        let destinations: Arc<str> = destinations.into();
        let counter =
            |(rule, action)| Arc::clone(rare.rules.entry((rule, action, Arc::clone(&destinations))).or_default());
        RuleCounters(rules.into_iter().map(counter).collect())
    }

    /// Policies and a key took effect.
    pub fn in_force(&self, policies: Vec<InForce>, epoch: u32, check_value: String) {
        self.loaded_at.store(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |age| age.as_secs()), Relaxed);
        let mut rare = self.rare();
        rare.policies = policies;
        rare.key = (epoch.to_string(), check_value);
    }

    /// A reload went through, or left the last good state in place.
    pub fn reloaded(&self, ok: bool) {
        if ok { &self.reloads } else { &self.reloads_failed }.fetch_add(1, Relaxed);
        self.last_reload_failed.store(u64::from(!ok), Relaxed);
    }

    /// What was due for the audit trail was written, or could not be; at that second.
    pub fn audit(&self, ok: bool, now: u64) {
        let AuditNumbers { written, failed, last_failed, last } = &self.audit;
        if ok { written } else { failed }.fetch_add(1, Relaxed);
        last_failed.store(u64::from(!ok), Relaxed);
        if ok {
            last.store(now, Relaxed);
        }
    }

    fn rare(&self) -> std::sync::MutexGuard<'_, Rare> {
        // Counters stay true whatever happened to who held the lock.
        self.rare.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything, as it stands now. `in_flight_bytes` is the receiver's budget in use.
    pub fn families(&self, in_flight_bytes: usize) -> Vec<Family> {
        let mut families = self.per_signal();
        families.extend(self.per_process(in_flight_bytes));
        families.extend(per_destination(&self.rare().destinations));
        families.extend(self.by_reason());
        families.extend(self.of_audit());
        families
    }

    fn per_signal(&self) -> Vec<Family> {
        let counter = |name, unit, help, read: fn(&PerSignal) -> Value| {
            let samples =
                Signal::ALL.map(|signal| sample(&[("signal", signal.name())], read(&self.signals[signal as usize])));
            Family { name, unit, help, kind: Kind::Counter, samples: samples.into() }
        };
        let mut answered = Vec::new();
        let mut durations = Vec::new();
        for signal in Signal::ALL {
            let per_signal = &self.signals[signal as usize];
            for code in Code::ALL {
                let count = per_signal.answered[code as usize].load(Relaxed);
                if count > 0 || code == Code::Ok {
                    answered.push(sample(&[("signal", signal.name()), ("code", code.name())], Value::Integer(count)));
                }
            }
            durations.push(sample(&[("signal", signal.name())], duration(per_signal)));
        }
        vec![
            family("privet_requests", "Export calls answered, by status.", Kind::Counter, answered),
            Family {
                unit: Some("seconds"),
                ..family("privet_request_duration", "From a call's headers to its answer.", Kind::Histogram, durations)
            },
            counter("privet_filter", Some("seconds"), "Time spent filtering.", |per_signal| {
                seconds(&per_signal.filter_nanos)
            }),
            counter("privet_records", None, "Log records, data points, spans and profiles filtered.", |per_signal| {
                Value::Integer(per_signal.records.load(Relaxed))
            }),
            counter("privet_records_dropped", None, "Those of them that a rule dropped.", |per_signal| {
                Value::Integer(per_signal.dropped.load(Relaxed))
            }),
            counter("privet_requests_unchanged", None, "Requests forwarded as the very same bytes.", |per_signal| {
                Value::Integer(per_signal.unchanged.load(Relaxed))
            }),
            counter("privet_received", Some("bytes"), "Messages received, as on the wire.", |per_signal| {
                Value::Integer(per_signal.received_bytes.load(Relaxed))
            }),
            counter("privet_sent", Some("bytes"), "Filtered messages sent, before compression.", |per_signal| {
                Value::Integer(per_signal.sent_bytes.load(Relaxed))
            }),
        ]
    }

    fn per_process(&self, in_flight_bytes: usize) -> Vec<Family> {
        let level = |level: &AtomicI64| Value::Integer(level.load(Relaxed).max(0) as u64);
        let count = |count: &AtomicU64| Value::Integer(count.load(Relaxed));
        let one = |name, help, kind, value| family(name, help, kind, vec![sample(&[], value)]);
        let build = [("version", env!("CARGO_PKG_VERSION"))];
        let (policies, (epoch, check_value)) = {
            let rare = self.rare();
            (rare.policies.clone(), rare.key.clone())
        };
        let policies = policies.iter().map(|InForce { destination, digest }| {
            sample(&[("digest", digest.as_str()), ("destination", destination)], Value::Integer(1))
        });
        let key = [("epoch", epoch.as_str()), ("check_value", &check_value)];
        let reloads = vec![
            sample(&[("result", "success")], count(&self.reloads)),
            sample(&[("result", "failure")], count(&self.reloads_failed)),
        ];
        let current = u64::from(self.last_reload_failed.load(Relaxed) == 0);
        vec![
            family("privet_key_info", "Always 1.", Kind::Gauge, vec![sample(&key, Value::Integer(1))]),
            family("privet_build_info", "Always 1.", Kind::Gauge, vec![sample(&build, Value::Integer(1))]),
            family("privet_policy_info", "Always 1.", Kind::Gauge, policies.collect()),
            one(
                "privet_policy_loaded_timestamp_seconds",
                "When the policy took effect.",
                Kind::Gauge,
                count(&self.loaded_at),
            ),
            family("privet_reloads", "Reloads of policy, keyring and credentials.", Kind::Counter, reloads),
            one(
                "privet_last_reload_successful",
                "0 while the last reload was refused.",
                Kind::Gauge,
                Value::Integer(current),
            ),
            one("privet_requests_in_flight", "Calls being worked on.", Kind::Gauge, level(&self.in_flight)),
            one(
                "privet_in_flight_bytes",
                "Bytes of requests held.",
                Kind::Gauge,
                Value::Integer(in_flight_bytes as u64),
            ),
            one("privet_connections", "Connections from agents.", Kind::Gauge, level(&self.connections)),
            one(
                "privet_connections_refused",
                "Connections beyond the limit.",
                Kind::Counter,
                count(&self.connections_refused),
            ),
            one(
                "privet_connections_broken",
                "Connections that broke HTTP/2's rules.",
                Kind::Counter,
                count(&self.connections_broken),
            ),
        ]
    }

    /// Nothing before anything was to be written.
    fn of_audit(&self) -> Vec<Family> {
        let [written, failed, last_failed, last] =
            [&self.audit.written, &self.audit.failed, &self.audit.last_failed, &self.audit.last]
                .map(|number| number.load(Relaxed));
        if written + failed == 0 {
            return Vec::new();
        }
        let one = |name, help, value| family(name, help, Kind::Gauge, vec![sample(&[], Value::Integer(value))]);
        let results = vec![
            sample(&[("result", "success")], Value::Integer(written)),
            sample(&[("result", "failure")], Value::Integer(failed)),
        ];
        vec![
            family("privet_audit_writes", "Times that the audit trail was written.", Kind::Counter, results),
            one(
                "privet_audit_last_write_successful",
                "0 while the audit trail cannot be written.",
                u64::from(last_failed == 0),
            ),
            one("privet_audit_last_write_timestamp_seconds", "When the audit trail was written last.", last),
        ]
    }

    fn by_reason(&self) -> Vec<Family> {
        let rare = self.rare();
        let refused = rare.refused.iter().map(|((signal, reason), count)| {
            sample(&[("signal", signal.map_or("none", Signal::name)), ("reason", reason)], Value::Integer(*count))
        });
        let unknown = rare.unknown_fields.iter().map(|((message, field), count)| {
            let field = field.map_or_else(|| "other".to_owned(), |field| field.to_string());
            sample(&[("message", message), ("field", &field)], Value::Integer(*count))
        });
        let closed =
            rare.fail_closed.iter().map(|(reason, count)| sample(&[("reason", reason)], Value::Integer(*count)));
        let rules = rare.rules.iter().flat_map(|((rule, action, destinations), counts)| {
            Signal::ALL.into_iter().filter_map(move |signal| {
                let count = counts[signal as usize].load(Relaxed);
                let labels = [
                    ("signal", signal.name()),
                    ("rule", rule.as_str()),
                    ("action", *action),
                    ("destination", destinations),
                ];
                (count > 0).then(|| sample(&labels, Value::Integer(count)))
            })
        });
        vec![
            family("privet_refusals", "Calls not accepted, by reason.", Kind::Counter, refused.collect()),
            family(
                "privet_rule_actions",
                "Values, fields and records that a rule acted on.",
                Kind::Counter,
                rules.collect(),
            ),
            family(
                "privet_unknown_fields",
                "Fields deleted because the schema does not know them.",
                Kind::Counter,
                unknown.collect(),
            ),
            family(
                "privet_fail_closed",
                "Values redacted whole because a limit was hit.",
                Kind::Counter,
                closed.collect(),
            ),
        ]
    }
}

fn per_destination(destinations: &[Arc<DestinationMetrics>]) -> [Family; 4] {
    let each = |name, help, kind, read: fn(&DestinationMetrics) -> u64| {
        let samples = destinations
            .iter()
            .map(|destination| sample(&[("destination", destination.name())], Value::Integer(read(destination))));
        family(name, help, kind, samples.collect())
    };
    let outcomes = destinations.iter().flat_map(|destination| {
        let told = destination.outcomes().filter(|(code, count)| *count > 0 || *code == Code::Ok);
        told.map(|(code, count)| {
            sample(&[("destination", destination.name()), ("code", code.name())], Value::Integer(count))
        })
    });
    [
        family(
            "privet_destination_requests",
            "Requests sent to a destination, by their outcome.",
            Kind::Counter,
            outcomes.collect(),
        ),
        each(
            "privet_destination_given_up",
            "Requests that a destination which is not required did not get.",
            Kind::Counter,
            DestinationMetrics::given_up,
        ),
        each(
            "privet_destination_connections",
            "Connections to a destination that are up.",
            Kind::Gauge,
            DestinationMetrics::connections,
        ),
        each(
            "privet_destination_failures",
            "Times a destination could not be reached or a connection broke.",
            Kind::Counter,
            DestinationMetrics::failures,
        ),
    ]
}

pub(super) fn family(name: &'static str, help: &'static str, kind: Kind, samples: Vec<Sample>) -> Family {
    Family { name, unit: None, help, kind, samples }
}

pub(super) fn sample(labels: &[(&'static str, &str)], value: Value) -> Sample {
    Sample { labels: labels.iter().map(|(name, value)| (*name, (*value).to_owned())).collect(), value }
}

fn seconds(nanos: &AtomicU64) -> Value {
    Value::Float(Duration::from_nanos(nanos.load(Relaxed)).as_secs_f64())
}

fn duration(per_signal: &PerSignal) -> Value {
    let counts = per_signal.duration.each_ref().map(|bucket| bucket.load(Relaxed));
    let bounds = BUCKETS.into_iter().chain([f64::INFINITY]);
    Value::Histogram {
        sum: Duration::from_nanos(per_signal.duration_nanos.load(Relaxed)).as_secs_f64(),
        count: counts.iter().sum(),
        buckets: bounds.zip(counts).collect(),
    }
}
