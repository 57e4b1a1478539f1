//! Where wire, otlp, policy, detect and pseudonym meet: one call, no I/O, no clock.
//!
//! ```text
//! Engine::filter(worker, signal, request bytes) → Filtered { bytes, counts } | Refusal
//! ```

use std::sync::Arc;

use bytes::Bytes;

use crate::otlp::{Part, Signal};
use crate::policy::Policy;
use crate::pseudonym::Pseudonyms;

/// A policy and the pseudonyms of one recipient, joined: immutable, shared by all workers, swapped whole on reload.
pub struct Engine {
    policy: Arc<Policy>,
    pseudonyms: Arc<Pseudonyms>,
}

/// One worker's memory: buffers, interned keys and token cache. Reused from request to request; never shared.
#[derive(Default)]
pub struct Worker {}

/// A request as it may leave.
#[derive(Debug)]
pub struct Filtered {
    /// The very same `Bytes` where nothing had to change.
    pub bytes: Bytes,
    /// Log records, data points, spans or profiles in the request.
    pub records: u64,
    /// Those of them that a rule dropped.
    pub dropped: u64,
}

/// Why a request was refused. Never carries content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The wire format is wrong, or parsers would read it differently.
    Malformed { reason: &'static str },
    /// A limit of the filter's was hit.
    TooLarge { reason: &'static str },
}

impl Refusal {
    /// A short fixed word (`invalid_utf8`, `bad_length`, …): label of a metric, and the error's text.
    pub const fn reason(&self) -> &'static str {
        match self {
            Refusal::Malformed { reason } | Refusal::TooLarge { reason } => reason,
        }
    }
}

impl Engine {
    pub fn new(policy: Arc<Policy>, pseudonyms: Arc<Pseudonyms>) -> Engine {
        Engine { policy, pseudonyms }
    }

    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    pub fn pseudonyms(&self) -> &Pseudonyms {
        &self.pseudonyms
    }

    /// Filters one Export request.
    pub fn filter(&self, worker: &mut Worker, signal: Signal, request: Bytes) -> Result<Filtered, Refusal> {
        let _ = (worker, signal);
        Ok(Filtered { bytes: request, records: 0, dropped: 0 })
    }

    /// Filters a text that is not part of a request: a destination's error message, a line of a file.
    pub fn filter_text(&self, worker: &mut Worker, part: Part, text: &str) -> String {
        let _ = (worker, part);
        text.to_owned()
    }
}

impl Worker {
    /// Hands over and resets what was counted since the last call.
    pub fn take_counts(&mut self) -> Counts {
        Counts::default()
    }
}

/// What the filter did, for the metrics.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// How often each rule acted, by rule index: `policy.rules()[i]` and its action.
    pub rules: Vec<u64>,
    /// Fields that the schema does not know, deleted: (message name, field number, times).
    pub unknown_fields: Vec<(&'static str, u32, u64)>,
    /// Values that were redacted whole because a limit was hit (fail closed), by reason.
    pub fail_closed: Vec<(&'static str, u64)>,
}
