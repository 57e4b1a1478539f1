//! One engine, and a record put through it: JSON in, JSON out.

use std::sync::Arc;
use std::time::SystemTime;

use serde_json::Value;

use crate::filter::{Engine, Refusal, Worker};
use crate::otlp::{Signal, json};
use crate::policy::{Policy, RuleId};
use crate::pseudonym::{Keyring, Pseudonyms};

/// A policy under examination, with keys of its own.
pub struct Bench {
    policy: Arc<Policy>,
    engine: Engine,
    worker: Worker,
}

/// What became of a request.
#[derive(Debug)]
pub struct Outcome {
    /// As it would leave, in protobuf.
    pub bytes: bytes::Bytes,
    /// The same as OTLP/JSON.
    pub json: Value,
    pub records: u64,
    pub dropped: u64,
    /// Rules that acted, and how often.
    pub acted: Vec<(RuleId, u64)>,
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

    /// With one of [`KEYS`] keys.
    pub fn with_key(policy: Arc<Policy>, key: usize) -> Bench {
        let secret = SECRETS[key % KEYS];
        let text = format!("version = 1\n[[epoch]]\nid = 1\nstate = \"active\"\nsecret = \"{secret}\"\n");
        let keyring = Keyring::parse(&text, "keyring".as_ref()).expect("the text is a keyring");
        let pseudonyms = Pseudonyms::new(&keyring, "examination", policy.kinds(), SystemTime::UNIX_EPOCH)
            .expect("the keyring has an epoch, and the policy's kinds are names of kinds");
        let engine = Engine::new(Arc::clone(&policy), Arc::new(pseudonyms));
        Bench { policy, engine, worker: Worker::default() }
    }

    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Filters one request in OTLP/JSON.
    ///
    /// # Errors
    /// If it is no OTLP/JSON, or the filter refuses it.
    pub fn filter(&mut self, signal: Signal, request: &Value) -> Result<Outcome, Unfit> {
        let mut bytes = Vec::new();
        json::decode(signal, request.to_string().as_bytes(), &mut bytes).map_err(Unfit::Json)?;
        self.worker.take_counts();
        let filtered = self.engine.filter(&mut self.worker, signal, bytes.into()).map_err(Unfit::Refused)?;
        let counts = self.worker.take_counts();
        let mut text = Vec::new();
        json::encode(signal, &filtered.bytes, &mut text).map_err(Unfit::Json)?;
        Ok(Outcome {
            bytes: filtered.bytes,
            json: serde_json::from_slice(&text).expect("the encoder writes JSON"),
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
    let (mut bytes, mut text) = (Vec::new(), Vec::new());
    json::decode(signal, request.to_string().as_bytes(), &mut bytes).map_err(Unfit::Json)?;
    json::encode(signal, &bytes, &mut text).map_err(Unfit::Json)?;
    Ok(serde_json::from_slice(&text).expect("the encoder writes JSON"))
}
