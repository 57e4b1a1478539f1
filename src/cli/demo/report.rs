//! What the demo saw, in numbers and pairs.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use memchr::memmem;
use serde_json::{Value, json};

use super::records::{Pair, Record, pair, records};
use super::traffic::{IDENTIFIERS, JOINED};
use crate::filter::{Engine, Worker};
use crate::observe::{self, Family};
use crate::otlp::{self, Part, Signal};
use crate::run::Running;

pub(super) struct Report {
    pub sidecar: SocketAddr,
    pub destination: SocketAddr,
    pub policy: String,
    pub records: Vec<(Pair, Vec<Acted>)>,
    /// What the sidecar itself counted, most often first.
    pub rules: Vec<(Acted, u64)>,
    pub joined: Vec<Joined>,
    /// Identifiers that arrived as they were.
    pub leaked: Vec<&'static str>,
    pub identifiers: usize,
    pub sent: Size,
    pub arrived: Size,
    pub took: Duration,
}

/// A rule and what it did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Acted {
    pub rule: String,
    pub action: String,
}

/// One identifier's token, and how often it arrived, by signal.
pub(super) struct Joined {
    pub value: &'static str,
    pub token: String,
    pub times: [usize; Signal::ALL.len()],
}

pub(super) struct Size {
    pub requests: usize,
    pub bytes: usize,
}

type Requests = [(Signal, Bytes)];

impl Report {
    pub fn new(
        sidecar: &Running,
        destination: SocketAddr,
        sent: &Requests,
        arrived: &Requests,
        took: Duration,
    ) -> Result<Report, otlp::json::Error> {
        let loaded = sidecar.state().loaded();
        let engine = loaded.engine(0);
        let pairs = pair(records(sent)?, &records(arrived)?);
        let with_rules = |pair: Pair| {
            let acted = acted_on(engine, &pair.sent);
            (pair, acted)
        };
        let size = |requests: &Requests| Size {
            requests: requests.len(),
            bytes: requests.iter().map(|(_, request)| request.len()).sum(),
        };
        let stands_in = |value: &&str| arrived.iter().any(|(_, request)| times(request, value) > 0);
        Ok(Report {
            sidecar: sidecar.listen,
            destination,
            policy: engine.policy().name().to_owned(),
            records: pairs.into_iter().map(with_rules).collect(),
            rules: counted(sidecar.state().metrics.families(0)),
            joined: JOINED.iter().map(|value| joined(engine, value, arrived)).collect(),
            leaked: IDENTIFIERS.into_iter().filter(stands_in).collect(),
            identifiers: IDENTIFIERS.len(),
            sent: size(sent),
            arrived: size(arrived),
            took,
        })
    }

    pub fn json(&self) -> Value {
        let acted = |acted: &Acted| json!({"rule": acted.rule, "action": acted.action});
        let texts = |pair: &Pair| -> Vec<Value> {
            pair.texts
                .iter()
                .map(|text| json!({"name": text.name, "sent": text.sent, "arrived": text.arrived}))
                .collect()
        };
        let record = |(pair, rules): &(Pair, Vec<Acted>)| {
            json!({
                "signal": pair.sent.signal.name(),
                "resource": pair.sent.is_resource(),
                "arrived": pair.arrived,
                "texts": texts(pair),
                "rules": rules.iter().map(acted).collect::<Vec<_>>(),
            })
        };
        let by_signal = |times: &[usize; 4]| -> Value {
            Signal::ALL.iter().zip(times).map(|(signal, times)| (signal.name().to_owned(), json!(times))).collect()
        };
        json!({
            "sidecar": self.sidecar.to_string(),
            "destination": self.destination.to_string(),
            "policy": self.policy,
            "records": self.records.iter().map(record).collect::<Vec<_>>(),
            "rules": self.rules.iter()
                .map(|(acted, times)| json!({"rule": acted.rule, "action": acted.action, "times": times}))
                .collect::<Vec<_>>(),
            "same_token": self.joined.iter()
                .map(|joined| json!({"value": joined.value, "token": joined.token, "times": by_signal(&joined.times)}))
                .collect::<Vec<_>>(),
            "identifiers": self.identifiers,
            "leaked": self.leaked,
            "sent": {"requests": self.sent.requests, "bytes": self.sent.bytes},
            "arrived": {"requests": self.arrived.requests, "bytes": self.arrived.bytes},
            "seconds": self.took.as_secs_f64(),
        })
    }
}

/// The rules that act on a record itself and not only on its resource.
fn acted_on(engine: &Engine, record: &Record) -> Vec<Acted> {
    let counts = |request: &Value| {
        let mut worker = Worker::default();
        let mut protobuf = Vec::new();
        let decoded = otlp::json::decode(record.signal, request.to_string().as_bytes(), &mut protobuf);
        let filtered = decoded.ok().and_then(|_| engine.filter(&mut worker, record.signal, protobuf.into()).ok());
        filtered.map_or(Vec::new(), |_| worker.take_counts().rules)
    };
    let of_resource = if record.is_resource() { Vec::new() } else { counts(&record.resource_alone) };
    let more = |(index, times): &(usize, u64)| *times > of_resource.get(*index).copied().unwrap_or(0);
    let acted = |(index, _): (usize, u64)| {
        let rule = engine.policy().rules().get(index)?;
        Some(Acted { rule: rule.name.clone(), action: rule.action.name().to_owned() })
    };
    counts(&record.alone).into_iter().enumerate().filter(more).filter_map(acted).collect()
}

/// How often each rule acted, over all signals, as the sidecar's metrics have it.
fn counted(families: Vec<Family>) -> Vec<(Acted, u64)> {
    let mut rules: Vec<(Acted, u64)> = Vec::new();
    let samples = families.into_iter().filter(|family| family.name == "privet_rule_actions").flat_map(|f| f.samples);
    for sample in samples {
        let label = |name| sample.labels.iter().find(|(label, _)| *label == name).map(|(_, value)| value.clone());
        let (Some(rule), Some(action)) = (label("rule"), label("action")) else { continue };
        let observe::Value::Integer(times) = sample.value else { continue };
        let acted = Acted { rule, action };
        match rules.iter_mut().find(|(known, _)| *known == acted) {
            Some((_, sum)) => *sum += times,
            None => rules.push((acted, times)),
        }
    }
    rules.sort_by(|(a, a_times), (b, b_times)| (b_times, &a.rule).cmp(&(a_times, &b.rule)));
    rules
}

fn joined(engine: &Engine, value: &'static str, arrived: &Requests) -> Joined {
    let token = engine.filter_text(&mut Worker::default(), Part::Body, value);
    let times = Signal::ALL
        .map(|signal| arrived.iter().filter(|(of, _)| *of == signal).map(|(_, request)| times(request, &token)).sum());
    Joined { value, token, times }
}

fn times(request: &Bytes, text: &str) -> usize {
    memmem::find_iter(request, text).count()
}
