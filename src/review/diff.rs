//! Two policies over the same telemetry: what the second lets out that the first did not.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use crate::otlp::Signal;
use crate::policy::{Action, RuleId};

use super::bench::{Bench, Outcome, Unfit};
use super::change::{Change, changes};
use super::explain::{action, rules_of};
use super::leaf::{Leaf, leaves};

/// How a field's values leave otherwise than before; later is worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum How {
    /// Less of it leaves, or nothing.
    Narrower,
    /// As much of it leaves, otherwise: another kind's token.
    Otherwise,
    /// A replacement that says more than the one before: a token in place of nothing, a network in place of a token.
    Looser,
    /// Some of what was written leaves as it was written.
    Readable,
}

impl How {
    pub const fn name(self) -> &'static str {
        match self {
            How::Narrower => "narrower",
            How::Otherwise => "otherwise",
            How::Looser => "looser",
            How::Readable => "readable",
        }
    }

    /// Whether somebody must agree to it.
    pub const fn widens(self) -> bool {
        matches!(self, How::Looser | How::Readable)
    }
}

/// What changes for one field, over all records.
#[derive(Clone, Debug, Default)]
pub struct FieldChange {
    /// In how many values, by how they change.
    pub times: BTreeMap<How, u64>,
    /// Names of rules that acted on one of them before, and that act now.
    pub before: Vec<String>,
    pub after: Vec<String>,
    /// One value, and what became of it before and now; `None`: it did not leave. Not to be shown unasked.
    pub sample: Option<(How, Sample)>,
}

#[derive(Clone, Debug)]
pub struct Sample {
    pub value: String,
    pub before: Option<String>,
    pub after: Option<String>,
}

impl FieldChange {
    pub fn worst(&self) -> How {
        self.times.keys().next_back().copied().unwrap_or(How::Narrower)
    }
}

/// A comparison over many records.
pub struct Diff {
    old: Bench,
    new: Bench,
    pub records: u64,
    /// By field: `logs.attributes.user.name`.
    pub fields: BTreeMap<String, FieldChange>,
}

/// A field's rules are looked up for so many of its values; of the others the change alone is counted.
const EXPLAINED: u64 = 20;

impl Diff {
    pub fn new(old: Bench, new: Bench) -> Diff {
        Diff { old, new, records: 0, fields: BTreeMap::new() }
    }

    pub fn old(&self) -> &Bench {
        &self.old
    }

    pub fn new_bench(&self) -> &Bench {
        &self.new
    }

    /// Compares one record, [normal](super::bench::normal) and as [`singles`](super::single::singles) cuts them.
    ///
    /// # Errors
    /// If it cannot be read, or the filter refuses it, which it does under any policy.
    pub fn add(&mut self, signal: Signal, record: &Value) -> Result<(), Unfit> {
        self.records += 1;
        let old = self.old.filter(signal, record)?;
        let new = self.new.filter(signal, record)?;
        if old.bytes == new.bytes {
            return Ok(());
        }
        let before = leaves(signal, record);
        let old_rows = changes(&before, &leaves(signal, &old.json));
        let new_rows = changes(&before, &leaves(signal, &new.json));
        // What was added stands behind what there was.
        for (old_row, new_row) in old_rows.iter().zip(&new_rows).take(before.len()) {
            self.compare(signal, record, (&old, old_row), (&new, new_row));
        }
        Ok(())
    }

    fn compare(&mut self, signal: Signal, record: &Value, old: (&Outcome, &Change), new: (&Outcome, &Change)) {
        let ((old_outcome, old_row), (new_outcome, new_row)) = (old, new);
        let Some(leaf) = &old_row.before else { return };
        let (was, is) = (old_row.after.as_ref(), new_row.after.as_ref());
        if said(was) == said(is) {
            return;
        }
        let field = format!("{}.{}", signal.name(), leaf.field);
        let entry = self.fields.entry(field).or_default();
        let seen: u64 = entry.times.values().sum();
        let plain = how(leaf, was, is);
        let mut how = plain.unwrap_or(How::Otherwise);
        if plain.is_none() || seen < EXPLAINED {
            let was_rules = rules_of(&mut self.old, signal, record, old_outcome, old_row);
            let is_rules = rules_of(&mut self.new, signal, record, new_outcome, new_row);
            if plain.is_none() {
                how = by_action((&self.old, &was_rules), (&self.new, &is_rules));
            }
            note(&mut entry.before, &self.old, &was_rules);
            note(&mut entry.after, &self.new, &is_rules);
        }
        *entry.times.entry(how).or_default() += 1;
        if entry.sample.as_ref().is_none_or(|(worst, _)| *worst < how) {
            let text = |leaf: Option<&Leaf>| leaf.map(|leaf| leaf.value.clone());
            entry.sample = Some((how, Sample { value: leaf.value.clone(), before: text(was), after: text(is) }));
        }
    }
}

/// The rules that acted on a value under one policy.
type Acted<'a> = (&'a Bench, &'a [(RuleId, u64)]);

/// How a replacement leaves in place of another, by the actions of the rules that made them.
pub(super) fn by_action(was: Acted<'_>, is: Acted<'_>) -> How {
    let strictest =
        |(bench, rules): Acted<'_>| rules.iter().map(|(rule, _)| action(bench, *rule)).max().unwrap_or(Action::Keep);
    match strictest(is).cmp(&strictest(was)) {
        Ordering::Less => How::Looser,
        Ordering::Equal => How::Otherwise,
        Ordering::Greater => How::Narrower,
    }
}

fn note(names: &mut Vec<String>, bench: &Bench, rules: &[(RuleId, u64)]) {
    for (rule, _) in rules {
        let name = &bench.policy().rules()[usize::from(rule.0)].name;
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
}

/// Key and value: an attribute's key is data too.
pub(super) fn said(leaf: Option<&Leaf>) -> Option<(&str, &str)> {
    leaf.map(|leaf| (leaf.path.as_str(), leaf.value.as_str()))
}

/// How a value leaves otherwise than before, if that can be told from the texts: `None` where both are replacements that
/// show nothing of it.
pub(super) fn how(original: &Leaf, was: Option<&Leaf>, is: Option<&Leaf>) -> Option<How> {
    let Some(is) = is else { return Some(How::Narrower) };
    let original = format!("{} {}", original.path, original.value);
    let of = |leaf: &Leaf| format!("{} {}", leaf.path, leaf.value);
    let shown_now = shown(&original, &of(is));
    let shown_before = was.map_or_else(HashMap::new, |was| shown(&original, &of(was)));
    // The key alone does not make a value that did not leave readable.
    if was.is_none() {
        let value_shown = shown(&original, &is.value).values().any(|times| *times > 0);
        return Some(if value_shown || is.value.is_empty() { How::Readable } else { How::Looser });
    }
    let more = |now: &HashMap<&str, usize>, before: &HashMap<&str, usize>| {
        now.iter().any(|(word, times)| *times > before.get(word).copied().unwrap_or(0))
    };
    match (more(&shown_now, &shown_before), more(&shown_before, &shown_now)) {
        (true, _) => Some(How::Readable),
        (false, true) => Some(How::Narrower),
        (false, false) => None,
    }
}

/// The words of a text that are still in what became of it, and how often.
fn shown<'a>(original: &'a str, became: &str) -> HashMap<&'a str, usize> {
    let mut left: HashMap<&str, usize> = HashMap::new();
    for word in words(became) {
        *left.entry(word).or_default() += 1;
    }
    let mut shown: HashMap<&'a str, usize> = HashMap::new();
    for word in words(original) {
        if let Some(times) = left.get_mut(word).filter(|times| **times > 0) {
            *times -= 1;
            *shown.entry(word).or_default() += 1;
        }
    }
    shown
}

/// An underscore is part of a word, so that what a token is made of shows nothing: `ip_1_…` does not show a 1.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use serde_json::json;

    use super::*;
    use crate::policy::Policy;

    fn compare(old: &str, new: &str) -> Vec<(String, How)> {
        let bench = |rules: &str| {
            let text = format!("version: 1\nextends: base\n{rules}");
            Bench::new(
                Policy::parse(&[("p.yaml", &text)], date(2026, 11, 21)).unwrap_or_else(|wrong| panic!("{wrong}")),
            )
        };
        let mut diff = Diff::new(bench(old), bench(new));
        let attribute = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
        let record = json!({"resourceLogs": [{"scopeLogs": [{"logRecords": [{
            "body": {"stringValue": "query by falcon from 10.0.0.1"},
            "attributes": [attribute("note", "falcon nest"), attribute("client.address", "10.0.0.2")],
        }]}]}]});
        diff.add(Signal::Logs, &record).unwrap();
        diff.fields.iter().map(|(field, change)| (field.clone(), change.worst())).collect()
    }

    fn fields(rows: &[(&str, How)]) -> Vec<(String, How)> {
        rows.iter().map(|(field, how)| ((*field).to_owned(), *how)).collect()
    }

    const STAY: &str = "rules: [{name: n, keys: [note], action: stay}]\n";
    const REDACT: &str = "rules: [{name: n, keys: [note], action: redact}]\n";
    const TOKEN: &str = "rules: [{name: n, keys: [note], as: user, action: pseudonymise}]\n";

    #[test]
    fn what_leaves_anew_is_told_by_field_and_by_how_much_of_it() {
        let note = |how| fields(&[("logs.attributes.note", how)]);
        assert_eq!(compare(STAY, ""), note(How::Readable));
        assert_eq!(compare("", STAY), note(How::Narrower));
        assert_eq!(compare(STAY, TOKEN), note(How::Looser));
        assert_eq!(compare(REDACT, TOKEN), note(How::Looser));
        assert_eq!(compare(TOKEN, REDACT), note(How::Narrower));
        assert_eq!(
            compare(TOKEN, "rules: [{name: n, keys: [note], as: host, action: pseudonymise}]\n"),
            note(How::Otherwise)
        );
        assert_eq!(compare(STAY, STAY), []);
    }

    #[test]
    fn a_record_that_is_no_longer_dropped_leaves_anew_in_all_its_fields() {
        let drops = "rules: [{name: d, keys: [note], action: drop_record}]\n";
        let found = compare(drops, "");
        assert!(found.contains(&("logs.body".into(), How::Readable)), "{found:?}");
        assert!(found.contains(&("logs.attributes.client.address".into(), How::Looser)), "{found:?}");
    }

    #[test]
    fn one_word_more_inside_a_text_is_noticed() {
        let hides = "rules: [{name: w, dictionary: {keywords: [falcon]}, action: redact}]\n";
        let found = compare(hides, "");
        assert_eq!(found, fields(&[("logs.attributes.note", How::Readable), ("logs.body", How::Readable)]));
    }
}
