//! `retention:`: each record leaves with how long its receiver may keep it.

use crate::otlp::Signal;
use crate::wire::edit::put_field;

use super::compiled::{Active, TreatmentId};

/// The attribute that says it: `14d`.
pub const KEY: &str = "privet.retention";
/// The name of the rule that removes what a sender says under that key itself.
pub const RULE: &str = "retention";

/// The classes of records of a policy.
#[derive(Debug)]
pub struct Retention {
    pub stay: TreatmentId,
    pub classes: Vec<Class>,
}

/// Records that may be kept so long.
#[derive(Debug)]
pub struct Class {
    pub name: String,
    pub days: u16,
    /// One bit a [`Signal`].
    pub signals: u8,
    /// Bits of [`Active`] that must all be set.
    pub when: u64,
    /// The attribute as a `KeyValue` in protobuf.
    pub stamp: Vec<u8>,
}

impl Retention {
    /// The class of a record: of those that it is in, the one that is kept the shortest.
    pub fn of(&self, signal: Signal, active: Active) -> Option<&Class> {
        let fits = |class: &&Class| class.is_for(signal) && active.0 & class.when == class.when;
        self.classes.iter().filter(fits).min_by_key(|class| class.days)
    }
}

impl Class {
    pub fn is_for(&self, signal: Signal) -> bool {
        self.signals & 1 << signal as u8 != 0
    }
}

/// `privet.retention: 14d`, as a `KeyValue` in protobuf.
pub fn stamp(days: u16) -> Vec<u8> {
    let (mut value, mut pair) = (Vec::new(), Vec::new());
    put_field(&mut value, 1, format!("{days}d").as_bytes());
    put_field(&mut pair, 1, KEY.as_bytes());
    put_field(&mut pair, 2, &value);
    pair
}
