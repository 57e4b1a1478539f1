//! Export requests to measure with: made from a fixed seed, the same on every machine, realistic in text and shape.
//!
//! Four kinds, each in as many variants as asked for (another seed, the same shape), so that neither branch predictors
//! nor caches learn one request by heart. Every planted identifier is listed beside the bytes: whoever measures can
//! prove that the work was done. Included by benches with `#[path]`; see [`Payload::check_shape`] for the shape.
#![allow(dead_code)] // each bench that includes this module uses a part of it

mod identifiers;
mod logs;
mod metrics;
mod prng;
mod traces;

use std::collections::BTreeSet;

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::{
    logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest, trace::v1::ExportTraceServiceRequest,
};
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use privet::otlp::Signal;
use prost::Message;

use identifiers::Identifiers;
use prng::Prng;

/// The kinds of requests, by what makes them cheap or dear to filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// 512 log records of sshd, nginx, audit, firewalls, Kubernetes, JSON events: 4.3 identifiers a record.
    Dense,
    /// 512 log records of the same shape with nothing to replace, full of class names, files, versions and times.
    Clean,
    /// 1,000 data points with six attributes each, 2.7 identifiers a point.
    Metrics,
    /// 256 spans with ten attributes, an event and now and then a link, 7.6 identifiers a span.
    Traces,
}

/// One Export request.
pub struct Payload {
    pub kind: Kind,
    pub bytes: Bytes,
    /// Log records, data points or spans.
    pub records: u64,
    /// How many identifiers stand in it, repetitions included.
    pub planted: usize,
    /// The distinct ones, as they are written.
    pub identifiers: Vec<String>,
}

impl Kind {
    pub const ALL: [Kind; 4] = [Kind::Dense, Kind::Clean, Kind::Metrics, Kind::Traces];

    pub const fn name(self) -> &'static str {
        match self {
            Kind::Dense => "dense",
            Kind::Clean => "clean",
            Kind::Metrics => "metrics",
            Kind::Traces => "traces",
        }
    }

    pub const fn signal(self) -> Signal {
        match self {
            Kind::Dense | Kind::Clean => Signal::Logs,
            Kind::Metrics => Signal::Metrics,
            Kind::Traces => Signal::Traces,
        }
    }

    pub fn from_name(name: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The first so many variants.
    pub fn variants(self, count: usize) -> Vec<Payload> {
        (1..=count as u64).map(|seed| Payload::new(self, seed)).collect()
    }

    /// What a prost service does to the bytes: decode into structs, encode them again.
    pub fn prost_round_trip(self, bytes: &Bytes) -> Vec<u8> {
        fn round_trip<M: Message + Default>(bytes: &Bytes) -> Vec<u8> {
            M::decode(bytes.clone()).expect("a well-formed request").encode_to_vec()
        }
        match self {
            Kind::Dense | Kind::Clean => round_trip::<ExportLogsServiceRequest>(bytes),
            Kind::Metrics => round_trip::<ExportMetricsServiceRequest>(bytes),
            Kind::Traces => round_trip::<ExportTraceServiceRequest>(bytes),
        }
    }
}

impl Payload {
    /// The variant of that kind that `seed` gives.
    pub fn new(kind: Kind, seed: u64) -> Payload {
        let mut prng = Prng::new(seed << 8 | kind as u64);
        let mut ids = Identifiers::new();
        let (bytes, records) = match kind {
            Kind::Dense => (logs::dense(&mut prng, &mut ids).encode_to_vec(), logs::RECORDS),
            Kind::Clean => (logs::clean(&mut prng, &mut ids).encode_to_vec(), logs::RECORDS),
            Kind::Metrics => (metrics::request(&mut prng, &mut ids).encode_to_vec(), metrics::POINTS),
            Kind::Traces => (traces::request(&mut prng, &mut ids).encode_to_vec(), traces::SPANS),
        };
        let (planted, identifiers) = ids.into_planted();
        Payload { kind, bytes: bytes.into(), records: records as u64, planted, identifiers }
    }

    /// Fails where the request is not of the size and density that published figures are about (± 10 %).
    pub fn check_shape(&self) {
        let (size, planted) = match self.kind {
            Kind::Dense => (151_000, 2_190),
            Kind::Clean => (150_000, 0),
            Kind::Metrics => (348_000, 2_707),
            Kind::Traces => (200_000, 1_956),
        };
        let near = |is: usize, goal: usize| is.abs_diff(goal) <= goal / 10;
        assert!(near(self.bytes.len(), size), "{:?}: {} bytes", self.kind, self.bytes.len());
        assert!(near(self.planted, planted), "{:?}: {} identifiers", self.kind, self.planted);
    }

    /// The first planted identifier that stands in `bytes`.
    pub fn leak_in(&self, bytes: &[u8]) -> Option<&str> {
        self.identifiers.iter().map(String::as_str).find(|id| memchr::memmem::find(bytes, id.as_bytes()).is_some())
    }
}

/// How often each distinct identifier is found, whatever payload it was planted in: one pass for many payloads.
pub struct Leaks {
    finder: aho_corasick::AhoCorasick,
}

impl Leaks {
    pub fn of(payloads: &[Payload]) -> Leaks {
        let distinct: BTreeSet<&String> = payloads.iter().flat_map(|payload| &payload.identifiers).collect();
        let finder = aho_corasick::AhoCorasick::new(distinct).expect("some thousand short literals");
        Leaks { finder }
    }

    pub fn count(&self, bytes: &[u8]) -> usize {
        self.finder.find_iter(bytes).count()
    }
}

fn text(value: impl Into<String>) -> AnyValue {
    AnyValue { value: Some(any_value::Value::StringValue(value.into())) }
}

fn attribute(key: &str, value: impl Into<String>) -> KeyValue {
    KeyValue { key: key.into(), value: Some(text(value)), ..KeyValue::default() }
}

fn number(key: &str, value: u64) -> KeyValue {
    let value = AnyValue { value: Some(any_value::Value::IntValue(value as i64)) };
    KeyValue { key: key.into(), value: Some(value), ..KeyValue::default() }
}
