//! Which rule changed which field of a record.

use serde_json::Value;

use crate::otlp::Signal;
use crate::policy::{Action, RuleId};

use super::bench::{Bench, Outcome, Unfit};
use super::change::{Change, changes};
use super::leaf::{leaves, without};

/// One record, explained.
pub struct Explained {
    pub signal: Signal,
    /// Why it was dropped, if it was.
    pub dropped: Option<RuleId>,
    pub fields: Vec<Field>,
}

/// One value of a record, and what became of it.
pub struct Field {
    pub change: Change,
    /// The rules that acted on it, and how often; strictest first.
    pub rules: Vec<(RuleId, u64)>,
}

/// What became of a value, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Became {
    Same,
    Removed,
    Added,
    /// All or some of it was replaced.
    Replaced,
}

impl Became {
    pub const fn name(self) -> &'static str {
        match self {
            Became::Same => "kept",
            Became::Removed => "removed",
            Became::Added => "added",
            Became::Replaced => "replaced",
        }
    }
}

impl Change {
    pub fn became(&self) -> Became {
        match (&self.before, &self.after) {
            _ if self.is_same() => Became::Same,
            (_, None) => Became::Removed,
            (None, _) => Became::Added,
            _ => Became::Replaced,
        }
    }
}

/// Explains one record, [normal](super::bench::normal) and as [`singles`](super::single::singles) cuts them.
///
/// # Errors
/// If the record cannot be read, or the filter refuses it.
pub fn explain(bench: &mut Bench, signal: Signal, record: &Value) -> Result<Explained, Unfit> {
    let outcome = bench.filter(signal, record)?;
    if outcome.is_dropped() {
        return Ok(Explained { signal, dropped: dropped_by(bench, &outcome), fields: Vec::new() });
    }
    let rows = changes(&leaves(signal, record), &leaves(signal, &outcome.json));
    let fields = rows.into_iter().map(|change| {
        let rules = match change.became() {
            Became::Same | Became::Added => Vec::new(),
            Became::Removed | Became::Replaced => rules_of(bench, signal, record, &outcome, &change),
        };
        Field { change, rules }
    });
    Ok(Explained { signal, dropped: None, fields: fields.collect() })
}

/// The rule that dropped a record, if one did.
pub fn dropped_by(bench: &Bench, outcome: &Outcome) -> Option<RuleId> {
    let mut acted = outcome.acted.iter().map(|(rule, _)| *rule).filter(|_| outcome.is_dropped());
    let drops = acted.clone().find(|rule| action(bench, *rule) == Action::DropRecord);
    drops.or_else(|| acted.next())
}

/// The rules that acted on one value: those that act less without it.
pub fn rules_of(
    bench: &mut Bench,
    signal: Signal,
    record: &Value,
    outcome: &Outcome,
    change: &Change,
) -> Vec<(RuleId, u64)> {
    let Some(leaf) = &change.before else { return Vec::new() };
    let rest = without(record, &leaf.pointer);
    let Ok(without_it) = bench.filter(signal, &rest) else { return Vec::new() };
    let times = |rule: RuleId| without_it.acted.iter().find(|(other, _)| *other == rule).map_or(0, |(_, times)| *times);
    let mut rules: Vec<(RuleId, u64)> = outcome
        .acted
        .iter()
        .map(|(rule, all)| (*rule, all.saturating_sub(times(*rule))))
        .filter(|(_, times)| *times > 0)
        .collect();
    rules.sort_by_key(|(rule, times)| std::cmp::Reverse((action(bench, *rule), *times)));
    rules
}

pub fn action(bench: &Bench, rule: RuleId) -> Action {
    bench.policy().rules()[usize::from(rule.0)].action
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use serde_json::json;

    use super::*;
    use crate::policy::Policy;

    #[test]
    fn every_change_is_explained_by_its_rule() {
        let text = "version: 1\nextends: base\nrules:\n  - {name: notes-stay, keys: [note], action: stay, when: {record: {kind: x}}}\n";
        let policy = Policy::parse(&[("p.yaml", text)], date(2026, 11, 21)).unwrap();
        let mut bench = Bench::new(policy);
        let attribute = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
        let record = json!({"resourceLogs": [{
            "resource": {"attributes": [attribute("host.name", "db-1"), attribute("service.name", "pay")]},
            "scopeLogs": [{"logRecords": [{
                "body": {"stringValue": "from 10.0.0.1 and a@example.com on db-1"},
                "attributes": [attribute("kind", "x"), attribute("note", "10.0.0.2"), attribute("user.name", "bob")],
            }]}],
        }]});
        let explained = explain(&mut bench, Signal::Logs, &record).unwrap();
        let names = |field: &Field| {
            let mut names: Vec<_> =
                field.rules.iter().map(|(rule, _)| bench.policy().rules()[usize::from(rule.0)].name.clone()).collect();
            names.sort();
            (field.change.path.clone(), field.change.became(), names)
        };
        let found: Vec<_> = explained.fields.iter().map(names).collect();
        let row = |path: &str, became, rules: &[&str]| {
            (path.to_owned(), became, rules.iter().map(|rule| (*rule).to_owned()).collect::<Vec<_>>())
        };
        assert_eq!(
            found[1..],
            [
                row("resource.attributes.service.name", Became::Same, &[]),
                row("body", Became::Replaced, &["addresses-in-text", "emails-in-text", "hosts-in-text"]),
                row("attributes.kind", Became::Same, &[]),
                row("attributes.note", Became::Removed, &["notes-stay"]),
                row("attributes.user.name", Became::Replaced, &["users"]),
            ]
        );
        assert!(found[0].2.contains(&"sending-host".to_owned()), "{:?}", found[0]);
    }
}
