//! One engine, and a record put through it: JSON in, JSON out.

use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use serde_json::Value;

use crate::filter::{Engine, Filtered, Refusal, Worker};
use crate::otlp::{Signal, json};
use crate::policy::{Policy, RuleId};
use crate::pseudonym::{Keyring, Pseudonyms};
use crate::wire::Malformed;

/// A policy under examination.
pub struct Bench {
    engine: Engine,
    worker: Worker,
}

/// What became of a request.
#[derive(Debug)]
pub struct Outcome {
    /// As it would leave, in protobuf.
    pub bytes: Bytes,
    /// The same as OTLP/JSON.
    pub json: Value,
    pub records: u64,
    pub dropped: u64,
    /// Rules that acted, and how often.
    pub acted: Vec<(RuleId, u64)>,
}

impl Outcome {
    /// Whether nothing of it would leave.
    pub fn is_dropped(&self) -> bool {
        self.records > 0 && self.dropped == self.records
    }
}

/// Why a request could not be examined. Carries no value.
#[derive(Debug)]
pub enum Unfit {
    /// It is no OTLP/JSON of its signal.
    Json(json::Error),
    Refused(Refusal),
}

impl std::fmt::Display for Unfit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Unfit::Json(error) => error.fmt(f),
            Unfit::Refused(refusal) => refusal.fmt(f),
        }
    }
}

impl std::error::Error for Unfit {}

impl From<json::Error> for Unfit {
    fn from(error: json::Error) -> Unfit {
        Unfit::Json(error)
    }
}

impl From<Refusal> for Unfit {
    fn from(refusal: Refusal) -> Unfit {
        Unfit::Refused(refusal)
    }
}

impl From<Malformed> for Unfit {
    fn from(malformed: Malformed) -> Unfit {
        Unfit::Refused(Refusal::Malformed { reason: malformed.reason() })
    }
}

/// Secrets of nobody's: the same in every run, so that tests and comparisons are.
const SECRETS: [&str; 3] = [
    "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
    "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=",
    "QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXWFlaW1xdXl8=",
];
/// How many different keys [`Bench::with_key`] has.
pub const KEYS: usize = SECRETS.len();

impl Bench {
    pub fn new(policy: Policy) -> Bench {
        Bench::with_key(Arc::new(policy), 0)
    }

    /// With one of [`KEYS`] keys of nobody's.
    pub fn with_key(policy: Arc<Policy>, key: usize) -> Bench {
        let secret = SECRETS[key % KEYS];
        let text = format!("version = 1\n[[epoch]]\nid = 1\nstate = \"active\"\nsecret = \"{secret}\"\n");
        let keyring = Keyring::parse(&text, "keyring".as_ref()).expect("the text is a keyring");
        let pseudonyms = Pseudonyms::new(&keyring, "examination", policy.kinds(), SystemTime::UNIX_EPOCH)
            .expect("the keyring has an epoch, and the policy's kinds are names of kinds");
        Bench::of(Engine::new(policy, Arc::new(pseudonyms)))
    }

    /// With an engine's own keys.
    pub fn of(engine: Engine) -> Bench {
        Bench { engine, worker: Worker::default() }
    }

    pub fn policy(&self) -> &Policy {
        self.engine.policy()
    }

    /// Filters one request in protobuf.
    ///
    /// # Errors
    /// If the filter refuses it.
    pub fn filter_bytes(&mut self, signal: Signal, request: Bytes) -> Result<Filtered, Refusal> {
        self.engine.filter(&mut self.worker, signal, request)
    }

    /// Filters one request in OTLP/JSON.
    ///
    /// # Errors
    /// If it is no OTLP/JSON, or the filter refuses it.
    pub fn filter(&mut self, signal: Signal, request: &Value) -> Result<Outcome, Unfit> {
        let mut bytes = Vec::new();
        json::decode(signal, request.to_string().as_bytes(), &mut bytes)?;
        self.worker.take_counts();
        let filtered = self.filter_bytes(signal, bytes.into())?;
        let counts = self.worker.take_counts();
        Ok(Outcome {
            json: to_json(signal, &filtered.bytes)?,
            bytes: filtered.bytes,
            records: filtered.records,
            dropped: filtered.dropped,
            acted: (0..).zip(&counts.rules).filter(|(_, n)| **n > 0).map(|(rule, n)| (RuleId(rule), *n)).collect(),
        })
    }
}

/// A request in OTLP/JSON, written by the encoder: what a comparison with [`Outcome::json`] needs.
///
/// # Errors
/// If it is no OTLP/JSON of the signal.
pub fn normal(signal: Signal, request: &Value) -> Result<Value, Unfit> {
    let mut bytes = Vec::new();
    json::decode(signal, request.to_string().as_bytes(), &mut bytes)?;
    Ok(to_json(signal, &bytes)?)
}

/// A request in protobuf as OTLP/JSON.
///
/// # Errors
/// If it is no request of the signal.
pub fn to_json(signal: Signal, request: &[u8]) -> Result<Value, json::Error> {
    let mut text = Vec::new();
    json::encode(signal, request, &mut text)?;
    Ok(serde_json::from_slice(&text).expect("the encoder writes JSON, less deep than the parser reads"))
}
