//! Where wire, otlp, policy, detect and pseudonym meet: one call, no I/O, no clock.
//!
//! ```text
//! Engine::filter(worker, signal, request bytes) → Filtered { bytes, counts } | Refusal
//!
//! walk ─▶ attribute ─▶ text ─▶ treat ─▶ edits            one pass, during which the output is written
//!   │        └ keys: the policy's answer for each distinct key, interned
//!   ├ lookahead: what a resource or record says of itself, before its parts are judged
//!   ├ learn: names that one place of a record gives away hold for all of it
//!   ├ identity: no two series of a metric become one, but where they are to be added up: aggregate
//!   └ profiles: text that stands elsewhere than where it is used
//! ```
//!
//! Everything fails closed: what the schema does not know is deleted, what parsers would read differently is refused,
//! what cannot be searched is redacted whole.

mod aggregate;
mod attribute;
mod counts;
mod drop;
mod entity_ref;
mod identity;
mod json;
mod key_value;
mod keys;
mod learn;
mod lookahead;
mod memo;
mod opaque;
mod overlap;
mod profiles;
mod recall;
mod role;
mod series;
mod shape;
mod stop;
#[cfg(test)]
mod tests;
mod text;
mod treat;
mod value;
mod walk;
mod whole;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;

use crate::detect::{Found, Known};
use crate::otlp::{Part, Signal};
use crate::policy::Policy;
use crate::pseudonym::{Cache, Pseudonyms};
use crate::wire::Edits;

pub use counts::Counts;
pub use identity::SERIES_KEY;

/// A policy and the pseudonyms of one recipient, joined: immutable, shared by all workers, swapped whole on reload. A clone
/// is the same engine.
#[derive(Clone)]
pub struct Engine {
    policy: Arc<Policy>,
    pseudonyms: Arc<Pseudonyms>,
    /// Tells engines apart, so that a worker notices that its caches belong to another one.
    serial: u64,
    /// Whether what rules do is also counted field by field.
    by_field: bool,
}

/// One worker's memory: buffers, interned keys and token cache. Reused from request to request; never shared.
#[derive(Default)]
pub struct Worker {
    engine: u64,
    edits: Edits,
    keys: keys::Keys,
    cache: Cache,
    memo: memo::Memo,
    series: series::SeriesSeen,
    found: Found,
    decided: Vec<overlap::Decided>,
    json: json::Scratch,
    /// Names that the resource at hand gave away.
    known: Known,
    /// Tells sets of known names apart; 0 is the empty one.
    names: u32,
    /// The last number that was given out, and the sets that have one.
    names_drawn: u32,
    names_numbered: HashMap<Box<[u8]>, u32>,
    scratch: Vec<u8>,
    path: Vec<u8>,
    identity: identity::Pairs,
    /// A point has a mark for [`aggregate`].
    marked: bool,
    /// Names that the record at hand gave away.
    learned: learn::Learned,
    /// What the text at hand turned out to be, so that it can be remembered or not.
    turned_out: recall::TurnedOut,
    /// Whether all that was looked at lately can be remembered.
    memorable: bool,
    counts: Counts,
}

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

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Refusal::Malformed { reason } => write!(f, "the request is not well-formed OTLP ({reason})"),
            Refusal::TooLarge { reason } => write!(f, "the request is beyond a limit ({reason})"),
        }
    }
}

impl std::error::Error for Refusal {}

/// The largest request that can be addressed, in bytes.
const MAX_REQUEST: usize = i32::MAX as usize;

impl Engine {
    pub fn new(policy: Arc<Policy>, pseudonyms: Arc<Pseudonyms>) -> Engine {
        static SERIAL: AtomicU64 = AtomicU64::new(1);
        Engine { policy, pseudonyms, serial: SERIAL.fetch_add(1, Ordering::Relaxed), by_field: false }
    }

    /// The same, with [`Counts::by_field`].
    pub fn counting_fields(self) -> Engine {
        Engine { by_field: true, ..self }
    }

    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    pub fn pseudonyms(&self) -> &Pseudonyms {
        &self.pseudonyms
    }

    /// Filters one Export request.
    ///
    /// # Errors
    /// What cannot be forwarded: see [`Refusal`].
    pub fn filter(&self, worker: &mut Worker, signal: Signal, request: Bytes) -> Result<Filtered, Refusal> {
        if request.len() > MAX_REQUEST {
            return Err(Refusal::TooLarge { reason: "request_size" });
        }
        worker.begin(self);
        let mut walk = walk::Walk::new(self, worker, signal, &request);
        walk.request()?;
        let (records, dropped) = (walk.records, walk.dropped);
        let bytes = match worker.edits.is_empty() {
            true => request,
            false if worker.marked => {
                let marked = worker.edits.finish(&request);
                let added = aggregate::add_up(&self.pseudonyms, &marked);
                Bytes::from(added.map_err(|malformed| Refusal::Malformed { reason: malformed.reason() })?)
            }
            false => Bytes::from(worker.edits.finish(&request)),
        };
        Ok(Filtered { bytes, records, dropped })
    }

    /// Filters a text that is not part of a request: a destination's error message, a line of a file. What a rule would
    /// remove, or drop a record for, becomes the empty text.
    pub fn filter_text(&self, worker: &mut Worker, part: Part, text: &str) -> String {
        worker.begin(self);
        let mut walk = walk::Walk::new(self, worker, Signal::Logs, text.as_bytes());
        let out = walk.lone_text(part).unwrap_or_default();
        // Replacements are ASCII and stand at character boundaries; were it otherwise, nothing may leave.
        String::from_utf8(out).unwrap_or_default()
    }
}

impl Worker {
    /// Hands over and resets what was counted since the last call.
    pub fn take_counts(&mut self) -> Counts {
        std::mem::take(&mut self.counts)
    }

    fn begin(&mut self, engine: &Engine) {
        if self.engine != engine.serial {
            self.engine = engine.serial;
            self.keys.clear();
            self.cache.clear();
            self.memo.clear();
            self.series.clear();
        }
        if engine.by_field != self.counts.by_field.is_some() {
            self.counts.by_field = engine.by_field.then(Vec::new);
        }
        self.edits.clear();
        self.counts.end();
        self.identity.clear();
        self.marked = false;
        self.forget_names();
    }
}
