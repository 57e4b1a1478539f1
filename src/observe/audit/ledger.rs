//! What goes to one destination, added up until it is written down.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use foldhash::fast::RandomState;
use jiff::Timestamp;

use super::entry::{Act, Brief, InForce, PerSignal, Rule, Tally, UnknownField};
use crate::filter::{Counts, Filtered};
use crate::otlp::Signal;
use crate::policy::{FieldId, Policy, RuleId};

/// Pairs of field and rule that are told apart for a signal; what is beyond them counts as other fields.
const MOST_PAIRS: usize = 4_096;

/// The sums of one destination under one policy and key.
pub struct Ledger {
    of: Of,
    sums: Mutex<(Timestamp, Sums)>,
}

/// Whose sums they are, and by what they came about.
pub struct Of {
    pub destination: String,
    pub address: String,
    pub recipient: String,
    pub region: Option<String>,
    pub required: bool,
    pub policy: Arc<Policy>,
    pub epoch: u32,
    pub key_check_value: String,
    /// The key dies with the process.
    pub throw_away: bool,
}

/// What of one request was to leave.
#[derive(Debug)]
pub struct Left {
    signal: Signal,
    records: u64,
    dropped: u64,
    bytes: u64,
    /// Each once, with how often.
    acts: Vec<((FieldId, RuleId), u64)>,
    unknown_fields: Vec<(&'static str, u32, u64)>,
    fail_closed: Vec<(&'static str, u64)>,
}

/// A request that is on its way. Dropped before its end is known, it may have left.
pub struct Sending {
    ledger: Arc<Ledger>,
    left: Arc<Left>,
    fate: Fate,
}

#[derive(Clone, Copy)]
enum Fate {
    Accepted,
    Unconfirmed,
    NotSent,
}

/// Of a time.
#[derive(Default)]
pub struct Sums([SignalSums; Signal::ALL.len()]);

#[derive(Default)]
struct SignalSums {
    /// By [`Fate`].
    fates: [FateSums; 3],
    refused: BTreeMap<&'static str, u64>,
}

#[derive(Default)]
struct FateSums {
    requests: u64,
    records: u64,
    dropped: u64,
    bytes: u64,
    acts: HashMap<(FieldId, RuleId), u64, RandomState>,
    unknown_fields: BTreeMap<(&'static str, u32), u64>,
    fail_closed: BTreeMap<&'static str, u64>,
}

impl Ledger {
    pub fn new(of: Of, now: Timestamp) -> Ledger {
        Ledger { of, sums: Mutex::new((now, Sums::default())) }
    }

    pub fn of(&self) -> &Of {
        &self.of
    }

    /// A filtered request sets out.
    pub fn send(self: &Arc<Ledger>, left: &Arc<Left>) -> Sending {
        Sending { ledger: Arc::clone(self), left: Arc::clone(left), fate: Fate::Unconfirmed }
    }

    /// A request was refused for a fixed reason: nothing of it leaves.
    pub fn refused(&self, signal: Signal, reason: &'static str) {
        *self.sums().1.0[signal as usize].refused.entry(reason).or_default() += 1;
    }

    /// Hands over what was added up, and since when.
    pub(super) fn take(&self, now: Timestamp) -> (Timestamp, Sums) {
        std::mem::replace(&mut *self.sums(), (now, Sums::default()))
    }

    /// Takes back what could not be written.
    pub(super) fn give_back(&self, from: Timestamp, sums: Sums) {
        let mut own = self.sums();
        own.0 = from;
        for (own, sums) in own.1.0.iter_mut().zip(sums.0) {
            own.add(sums);
        }
    }

    fn sums(&self) -> MutexGuard<'_, (Timestamp, Sums)> {
        // Counters stay true whatever happened to who held the lock.
        self.sums.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Left {
    /// Of a filtered request, by what was counted meanwhile.
    pub fn new(signal: Signal, filtered: &Filtered, counts: Counts) -> Left {
        let mut each = counts.by_field.unwrap_or_default();
        each.sort_unstable();
        let acts = each.chunk_by(|a, b| a == b).map(|same| (same[0], same.len() as u64)).collect();
        Left {
            signal,
            records: filtered.records.saturating_sub(filtered.dropped),
            dropped: filtered.dropped,
            bytes: filtered.bytes.len() as u64,
            acts,
            unknown_fields: counts.unknown_fields,
            fail_closed: counts.fail_closed,
        }
    }
}

impl Sending {
    /// The destination said that it has it.
    pub fn accepted(mut self) {
        self.fate = Fate::Accepted;
    }

    /// It stayed here.
    pub fn not_sent(mut self) {
        self.fate = Fate::NotSent;
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        let left = &self.left;
        self.ledger.sums().1.0[left.signal as usize].fates[self.fate as usize].add_one(left);
    }
}

impl Sums {
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|signal| signal.refused.is_empty() && signal.fates.iter().all(|fate| fate.requests == 0))
    }

    /// As they are written, by signal; a signal of which nothing came is left out.
    pub fn signals(&self, policy: &Policy) -> BTreeMap<String, PerSignal> {
        let signals = Signal::ALL.into_iter().zip(&self.0);
        let each = signals.map(|(signal, sums)| (signal.name().to_owned(), sums.written(policy)));
        each.filter(|(_, sums)| *sums != PerSignal::default()).collect()
    }
}

impl SignalSums {
    fn add(&mut self, other: SignalSums) {
        for (own, other) in self.fates.iter_mut().zip(other.fates) {
            own.add(other);
        }
        for (reason, times) in other.refused {
            *self.refused.entry(reason).or_default() += times;
        }
    }

    fn written(&self, policy: &Policy) -> PerSignal {
        let [left, unconfirmed, not_sent] = self.fates.each_ref().map(|fate| fate.written(policy));
        let refused = self.refused.iter().map(|(reason, times)| ((*reason).to_owned(), *times)).collect();
        PerSignal { left, unconfirmed, not_sent, refused }
    }
}

impl FateSums {
    fn add_one(&mut self, left: &Left) {
        self.requests += 1;
        self.records += left.records;
        self.dropped += left.dropped;
        self.bytes += left.bytes;
        left.acts.iter().for_each(|(act, times)| self.act(*act, *times));
        for &(message, field, times) in &left.unknown_fields {
            *self.unknown_fields.entry((message, field)).or_default() += times;
        }
        for &(reason, times) in &left.fail_closed {
            *self.fail_closed.entry(reason).or_default() += times;
        }
    }

    fn act(&mut self, (field, rule): (FieldId, RuleId), times: u64) {
        let known = self.acts.len() < MOST_PAIRS || self.acts.contains_key(&(field, rule));
        *self.acts.entry((if known { field } else { FieldId::OTHERS }, rule)).or_default() += times;
    }

    fn add(&mut self, other: FateSums) {
        self.requests += other.requests;
        self.records += other.records;
        self.dropped += other.dropped;
        self.bytes += other.bytes;
        other.acts.into_iter().for_each(|(act, times)| self.act(act, times));
        for (field, times) in other.unknown_fields {
            *self.unknown_fields.entry(field).or_default() += times;
        }
        for (reason, times) in other.fail_closed {
            *self.fail_closed.entry(reason).or_default() += times;
        }
    }

    fn written(&self, policy: &Policy) -> Tally {
        let mut acts: Vec<Act> = self
            .acts
            .iter()
            .map(|((field, rule), times)| {
                let rule = &policy.rules()[usize::from(rule.0)];
                Act {
                    field: policy.field(*field).to_string(),
                    rule: rule.name.clone(),
                    action: rule.action.name().to_owned(),
                    times: *times,
                }
            })
            .collect();
        acts.sort_by(|a, b| (&a.rule, &a.field).cmp(&(&b.rule, &b.field)));
        let unknown_fields = self.unknown_fields.iter().map(|((message, field), times)| UnknownField {
            message: (*message).to_owned(),
            field: *field,
            times: *times,
        });
        Tally {
            requests: self.requests,
            records: self.records,
            dropped: self.dropped,
            bytes: self.bytes,
            acts,
            unknown_fields: unknown_fields.collect(),
            fail_closed: self.fail_closed.iter().map(|(reason, times)| ((*reason).to_owned(), *times)).collect(),
        }
    }
}

impl Of {
    /// What stands in every entry with sums.
    pub(super) fn brief(&self) -> Brief {
        Brief {
            destination: self.destination.clone(),
            recipient: self.recipient.clone(),
            policy: self.policy.digest().to_owned(),
            epoch: self.epoch,
            key_check_value: self.key_check_value.clone(),
            exceptions: self.policy.exceptions().iter().map(Into::into).collect(),
        }
    }

    /// What is in force, in the policy's own words.
    pub(super) fn in_force(&self) -> InForce {
        let policy = &self.policy;
        let mut promises: Vec<String> = Vec::new();
        for promise in policy.tests().iter().filter_map(|test| test.promise.as_ref()) {
            if !promises.contains(promise) {
                promises.push(promise.clone());
            }
        }
        let rules = policy.rules().iter().map(|rule| Rule {
            name: rule.name.clone(),
            action: rule.action.name().to_owned(),
            description: rule.description.clone(),
        });
        InForce {
            address: self.address.clone(),
            region: self.region.clone(),
            required: self.required,
            throw_away_key: self.throw_away,
            policy_name: policy.name().to_owned(),
            promises,
            rules: rules.collect(),
            retention: policy.retention_classes().map(|(class, days)| (class.to_owned(), days)).collect(),
            regions: policy.regions().into_iter().map(str::to_owned).collect(),
            tls: policy.tls().map(|tls| tls.name().to_owned()),
            of: self.brief(),
        }
    }
}
