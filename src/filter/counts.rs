//! What the filter did, for the metrics and the audit trail.

use crate::policy::{FieldId, RuleId};

/// What the filter did since it was last asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counts {
    /// How often each rule acted, by rule index: `policy.rules()[i]` and its action.
    pub rules: Vec<u64>,
    /// Fields that the schema does not know, deleted: (message name, field number, times).
    pub unknown_fields: Vec<(&'static str, u32, u64)>,
    /// Values that were redacted whole because a limit was hit (fail closed), by reason.
    pub fail_closed: Vec<(&'static str, u64)>,
    /// How often rules acted or something failed closed, and the rule that acted last.
    acts: u64,
    last: RuleId,
    /// Each act by itself, if that is asked for: in which field, by which rule.
    pub by_field: Option<Vec<(FieldId, RuleId)>>,
    /// The field at hand.
    field: FieldId,
    /// What was counted since [`Counts::begin`], until [`Counts::end`].
    journal: Vec<(FieldId, RuleId)>,
    rarely: Vec<Rare>,
    is_kept: bool,
    /// How many acts were told field by field before.
    told: usize,
}

/// Something that is seldom counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rare {
    UnknownField(&'static str, u32),
    FailClosed(&'static str),
}

/// So many different unknown fields are told apart; the others are counted under number 0.
const MAX_UNKNOWN: usize = 64;

impl Default for Counts {
    fn default() -> Counts {
        Counts {
            rules: Vec::new(),
            unknown_fields: Vec::new(),
            fail_closed: Vec::new(),
            acts: 0,
            last: RuleId::default(),
            by_field: None,
            field: FieldId::RECORD,
            journal: Vec::new(),
            rarely: Vec::new(),
            is_kept: false,
            told: 0,
        }
    }
}

impl Counts {
    /// From here on it is this field that rules act in.
    #[inline]
    pub(super) fn at(&mut self, field: FieldId) {
        self.field = field;
    }

    /// The field at hand.
    #[inline]
    pub(super) fn field(&self) -> FieldId {
        self.field
    }

    #[inline(always)]
    pub(super) fn rule(&mut self, rule: RuleId) {
        self.acts += 1;
        self.last = rule;
        if let Some(acts) = &mut self.by_field {
            acts.push((self.field, rule));
        }
        if self.is_kept {
            self.journal.push((self.field, rule));
        }
        let index = usize::from(rule.0);
        match self.rules.get_mut(index) {
            Some(count) => *count += 1,
            None => {
                self.rules.resize(index + 1, 0);
                self.rules[index] = 1;
            }
        }
    }

    pub(super) fn unknown_field(&mut self, message: &'static str, number: u32) {
        let number = if self.unknown_fields.len() < MAX_UNKNOWN { number } else { 0 };
        self.note(Rare::UnknownField(message, number));
        match self.unknown_fields.iter_mut().find(|known| (known.0, known.1) == (message, number)) {
            Some(known) => known.2 += 1,
            None => self.unknown_fields.push((message, number, 1)),
        }
    }

    pub(super) fn fail_closed(&mut self, reason: &'static str) {
        self.acts += 1;
        self.note(Rare::FailClosed(reason));
        match self.fail_closed.iter_mut().find(|known| known.0 == reason) {
            Some(known) => known.1 += 1,
            None => self.fail_closed.push((reason, 1)),
        }
    }

    /// Begins something that may be taken back.
    #[inline]
    pub(super) fn begin(&mut self) {
        self.journal.clear();
        self.rarely.clear();
        self.is_kept = true;
        self.told = self.acts_by_field();
    }

    /// What is counted from here on is not to be taken back.
    #[inline]
    pub(super) fn end(&mut self) {
        self.is_kept = false;
    }

    /// What rules did between [`Counts::begin`] and [`Counts::end`], if that is all that was counted.
    pub(super) fn noted(&self) -> Option<&[(FieldId, RuleId)]> {
        self.rarely.is_empty().then_some(&*self.journal)
    }

    fn note(&mut self, entry: Rare) {
        if self.is_kept {
            self.rarely.push(entry);
        }
    }

    /// Takes back what was counted between [`Counts::begin`] and [`Counts::end`].
    pub(super) fn take_back(&mut self) {
        for (_, rule) in self.journal.drain(..) {
            self.acts -= 1;
            self.rules[usize::from(rule.0)] -= 1;
        }
        for entry in self.rarely.drain(..) {
            match entry {
                Rare::UnknownField(message, number) => {
                    let found = self.unknown_fields.iter_mut().find(|known| (known.0, known.1) == (message, number));
                    found.expect("it was counted").2 -= 1;
                }
                Rare::FailClosed(reason) => {
                    self.acts -= 1;
                    self.fail_closed.iter_mut().find(|known| known.0 == reason).expect("it was counted").1 -= 1;
                }
            }
        }
        self.forget_fields_since(self.told);
        self.unknown_fields.retain(|known| known.2 > 0);
        self.fail_closed.retain(|known| known.1 > 0);
    }

    /// How many acts are told field by field.
    #[inline]
    pub(super) fn acts_by_field(&self) -> usize {
        self.by_field.as_ref().map_or(0, Vec::len)
    }

    /// What was done inside something that goes as a whole did not leave.
    pub(super) fn forget_fields_since(&mut self, acts: usize) {
        if let Some(by_field) = &mut self.by_field {
            by_field.truncate(acts);
        }
    }

    /// How often anything acted.
    pub(super) fn acts(&self) -> u64 {
        self.acts
    }

    /// The rule that acted last.
    pub(super) fn last(&self) -> RuleId {
        self.last
    }

    /// The rules that acted.
    pub(super) fn acted(&self) -> impl Iterator<Item = RuleId> + '_ {
        let acted = self.rules.iter().enumerate().filter(|(_, times)| **times > 0);
        acted.map(|(index, _)| RuleId(index as u16))
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.rules.iter().all(|count| *count == 0) && self.unknown_fields.is_empty() && self.fail_closed.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_back_was_never_counted() {
        let mut counts = Counts::default();
        counts.rule(RuleId(2));
        counts.unknown_field("a.Message", 9);
        let mut before = counts.clone();
        before.begin();
        counts.begin();
        for rule in [2, 5, 5] {
            counts.rule(RuleId(rule));
        }
        counts.unknown_field("a.Message", 9);
        counts.unknown_field("a.Message", 10);
        counts.fail_closed("depth");
        counts.fail_closed("depth");
        counts.end();
        counts.take_back();
        assert_eq!(counts.rules, [0, 0, 1, 0, 0, 0]);
        assert_eq!((&counts.unknown_fields, &counts.fail_closed), (&before.unknown_fields, &before.fail_closed));
        assert_eq!(counts.acts(), before.acts());
        counts.take_back();
        assert_eq!(counts.rules, [0, 0, 1, 0, 0, 0], "nothing is taken back twice");
    }

    #[test]
    fn unknown_fields_are_told_apart_up_to_a_bound() {
        let mut counts = Counts::default();
        for number in 1..1000 {
            counts.unknown_field("a.Message", number);
            counts.unknown_field("a.Message", 1);
        }
        assert!(counts.unknown_fields.len() <= MAX_UNKNOWN + 1);
        assert_eq!(counts.unknown_fields.iter().map(|(_, _, times)| times).sum::<u64>(), 2 * 999);
    }
}
