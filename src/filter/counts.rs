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
    /// Of a copy: how many acts there were.
    kept: usize,
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
            kept: 0,
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

    #[inline]
    pub(super) fn rule(&mut self, rule: RuleId) {
        self.acts += 1;
        self.last = rule;
        if let Some(acts) = &mut self.by_field {
            acts.push((self.field, rule));
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
        match self.unknown_fields.iter_mut().find(|known| (known.0, known.1) == (message, number)) {
            Some(known) => known.2 += 1,
            None => self.unknown_fields.push((message, number, 1)),
        }
    }

    pub(super) fn fail_closed(&mut self, reason: &'static str) {
        self.acts += 1;
        match self.fail_closed.iter_mut().find(|known| known.0 == reason) {
            Some(known) => known.1 += 1,
            None => self.fail_closed.push((reason, 1)),
        }
    }

    /// Makes `before` a copy that [`Counts::return_to`] leads back to, without allocating where there is room.
    pub(super) fn keep_in(&self, before: &mut Counts) {
        before.copy_from(self);
        before.kept = self.acts_by_field();
    }

    pub(super) fn return_to(&mut self, before: &Counts) {
        self.copy_from(before);
        self.forget_fields_since(before.kept);
    }

    fn copy_from(&mut self, other: &Counts) {
        self.rules.clone_from(&other.rules);
        self.unknown_fields.clone_from(&other.unknown_fields);
        self.fail_closed.clone_from(&other.fail_closed);
        (self.acts, self.last) = (other.acts, other.last);
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
