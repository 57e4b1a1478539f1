//! A candidate policy beside the one in force, over the same requests: where they disagree, told without a value.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::Value;

use crate::filter::Engine;
use crate::otlp::{Part, Signal};
use crate::policy::RuleId;

use super::bench::{Bench, Outcome, Unfit, to_json};
use super::change::{Change as Row, changes};
use super::diff::{How, by_action, how, said};
use super::explain::{dropped_by, rules_of};
use super::leaf::{Leaf, leaves};
use super::single::{cut, singles};

/// What the candidate would do that the policy in force does not; later is worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// What leaves now would not, or no longer as it was written.
    NoLongerLeaves,
    /// A replacement that says less: `[user]` in place of a token.
    Narrower,
    /// Another replacement that says as much: another kind's token.
    Otherwise,
    /// A replacement that says more: a network in place of a token.
    Looser,
    /// What does not leave now would: anything where nothing leaves, or as it was written where a replacement leaves.
    NewlyLeaves,
}

impl Change {
    pub const ALL: [Change; 5] =
        [Change::NoLongerLeaves, Change::Narrower, Change::Otherwise, Change::Looser, Change::NewlyLeaves];

    /// The change of that [`name`](Change::name).
    pub fn named(name: &str) -> Option<Change> {
        Change::ALL.into_iter().find(|change| change.name() == name)
    }

    pub const fn name(self) -> &'static str {
        match self {
            Change::NoLongerLeaves => "no_longer_leaves",
            Change::Narrower => "narrower",
            Change::Otherwise => "otherwise",
            Change::Looser => "looser",
            Change::NewlyLeaves => "newly_leaves",
        }
    }

    /// Whether more would leave than now.
    pub const fn widens(self) -> bool {
        matches!(self, Change::Looser | Change::NewlyLeaves)
    }
}

/// Where two policies disagree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// One of them drops the whole record.
    Record,
    Part(Part),
    /// Somewhere: too many places are told apart already.
    Elsewhere,
}

impl Place {
    pub const fn name(self) -> &'static str {
        match self {
            Place::Record => "record",
            Place::Part(part) => part.name(),
            Place::Elsewhere => "elsewhere",
        }
    }
}

/// One sort of disagreement: what is counted together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Disagreement {
    pub signal: Signal,
    pub place: Place,
    /// The key over the value, as OpenTelemetry's conventions or a rule name it; [`OTHER`] if neither knows it, for a key
    /// can be data; empty where no key stands over it.
    pub key: String,
    pub change: Change,
    /// The strictest rule of the policy in force that acted on the value, if one did.
    pub rule: Option<RuleId>,
    /// The candidate's.
    pub candidate_rule: Option<RuleId>,
}

/// In place of a key that may not be shown.
pub const OTHER: &str = "other";

/// What came of comparing one request.
#[derive(Debug, Default)]
pub struct Comparison {
    pub records: u64,
    /// Records that were not looked into because of their size, though something leaves otherwise.
    pub too_large: u64,
    pub disagreements: BTreeMap<Disagreement, u64>,
}

/// A record beyond that many bytes is not looked into: as JSON it would take many times as much.
const LARGEST: usize = 1 << 20;

/// The rules are looked up for so many of a record's values.
const EXPLAINED: usize = 64;

/// The policy in force and a candidate, with the same keys.
pub struct Pair {
    live: Bench,
    candidate: Bench,
}

impl Pair {
    pub fn new(live: Engine, candidate: Engine) -> Pair {
        Pair { live: Bench::of(live), candidate: Bench::of(candidate) }
    }

    /// Compares what left of a request with what the candidate makes of it.
    ///
    /// # Errors
    /// If the candidate refuses the request.
    pub fn compare(&mut self, signal: Signal, request: Bytes, left: &Bytes) -> Result<Comparison, Unfit> {
        let filtered = self.candidate.filter_bytes(signal, request.clone())?;
        let mut found = Comparison { records: filtered.records, ..Comparison::default() };
        if filtered.bytes != *left {
            cut(signal, &request, |record| self.record(signal, record, &mut found))?;
        }
        Ok(found)
    }

    fn record(&mut self, signal: Signal, record: Bytes, found: &mut Comparison) -> Result<(), Unfit> {
        let live = self.live.filter_bytes(signal, record.clone())?;
        if live.bytes == self.candidate.filter_bytes(signal, record.clone())?.bytes {
            return Ok(());
        }
        if record.len() > LARGEST {
            found.too_large += 1;
            return Ok(());
        }
        let request = to_json(signal, &record)?;
        singles(signal, &request).iter().try_for_each(|record| self.single(signal, record, found))
    }

    fn single(&mut self, signal: Signal, record: &Value, found: &mut Comparison) -> Result<(), Unfit> {
        let live = self.live.filter(signal, record)?;
        let candidate = self.candidate.filter(signal, record)?;
        if live.bytes == candidate.bytes {
            return Ok(());
        }
        if live.is_dropped() != candidate.is_dropped() {
            let change = if live.is_dropped() { Change::NewlyLeaves } else { Change::NoLongerLeaves };
            let disagreement = Disagreement {
                signal,
                place: Place::Record,
                key: String::new(),
                change,
                rule: dropped_by(&self.live, &live),
                candidate_rule: dropped_by(&self.candidate, &candidate),
            };
            *found.disagreements.entry(disagreement).or_default() += 1;
            return Ok(());
        }
        let before = leaves(signal, record);
        let live_rows = changes(&before, &leaves(signal, &live.json));
        let candidate_rows = changes(&before, &leaves(signal, &candidate.json));
        let mut explained = 0;
        // What the filter added stands behind what there was.
        for (row, (was, is)) in before.iter().zip(live_rows.iter().zip(&candidate_rows)) {
            if said(was.after.as_ref()) == said(is.after.as_ref()) {
                continue;
            }
            explained += 1;
            let disagreement = self.field(signal, record, row, (&live, was), (&candidate, is), explained <= EXPLAINED);
            *found.disagreements.entry(disagreement).or_default() += 1;
        }
        Ok(())
    }

    fn field(
        &mut self,
        signal: Signal,
        record: &Value,
        leaf: &Leaf,
        (live, was): (&Outcome, &Row),
        (candidate, is): (&Outcome, &Row),
        explain: bool,
    ) -> Disagreement {
        let (rules, candidate_rules) = if explain {
            let rules = rules_of(&mut self.live, signal, record, live, was);
            (rules, rules_of(&mut self.candidate, signal, record, candidate, is))
        } else {
            Default::default()
        };
        // `how` says no more where both are replacements that show nothing.
        let change = match (&was.after, &is.after, how(leaf, was.after.as_ref(), is.after.as_ref())) {
            (None, Some(_), _) | (_, _, Some(How::Readable)) => Change::NewlyLeaves,
            (_, None, _) | (_, _, Some(How::Narrower)) => Change::NoLongerLeaves,
            // What nobody looked into is taken for the worst.
            _ if !explain => Change::Looser,
            _ => match by_action((&self.live, &rules), (&self.candidate, &candidate_rules)) {
                How::Looser | How::Readable => Change::Looser,
                How::Otherwise => Change::Otherwise,
                How::Narrower => Change::Narrower,
            },
        };
        Disagreement {
            signal,
            place: Place::Part(leaf.part),
            key: leaf.key.as_deref().map_or_else(String::new, |key| self.name_of(key)),
            change,
            rule: rules.first().map(|(rule, _)| *rule),
            candidate_rule: candidate_rules.first().map(|(rule, _)| *rule),
        }
    }

    /// What a key may be called.
    fn name_of(&self, key: &str) -> String {
        let named = self.live.policy().key_name(key).or_else(|| self.candidate.policy().key_name(key));
        named.unwrap_or_else(|| OTHER.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::SystemTime;

    use jiff::civil::date;
    use serde_json::json;

    use super::*;
    use crate::otlp::json;
    use crate::policy::Policy;
    use crate::pseudonym::{Keyring, Pseudonyms};

    fn pair(live: &str, candidate: &str) -> (Pair, Engine) {
        let keyring = Keyring::ephemeral().unwrap();
        let engine = |rules: &str| {
            let text = format!("version: 1\nextends: base\n{rules}");
            let policy =
                Policy::parse(&[("p.yaml", &text)], date(2026, 11, 21)).unwrap_or_else(|wrong| panic!("{wrong}"));
            let pseudonyms = Pseudonyms::new(&keyring, "vendor", policy.kinds(), SystemTime::now()).unwrap();
            Engine::new(Arc::new(policy), Arc::new(pseudonyms))
        };
        let live = engine(live);
        (Pair::new(live.clone(), engine(candidate)), live)
    }

    fn bytes(signal: Signal, request: &Value) -> Bytes {
        let mut bytes = Vec::new();
        json::decode(signal, request.to_string().as_bytes(), &mut bytes).unwrap();
        bytes.into()
    }

    fn compare(live: &str, candidate: &str, signal: Signal, request: &Value) -> Vec<String> {
        let (mut pair, live) = pair(live, candidate);
        let request = bytes(signal, request);
        let left = live.filter(&mut Default::default(), signal, request.clone()).unwrap().bytes;
        let found = pair.compare(signal, request, &left).unwrap();
        let rule = |bench: &Bench, rule: Option<RuleId>| {
            rule.map_or("-".to_owned(), |rule| bench.policy().rules()[usize::from(rule.0)].name.clone())
        };
        let row = |(row, times): (&Disagreement, &u64)| {
            let rules = (rule(&pair.live, row.rule), rule(&pair.candidate, row.candidate_rule));
            let (place, change) = (row.place.name(), row.change.name());
            format!("{place} {} {change} {}>{} {times}", row.key, rules.0, rules.1)
        };
        found.disagreements.iter().map(row).collect()
    }

    fn log(attributes: &[(&str, &str)]) -> Value {
        let attributes: Vec<Value> =
            attributes.iter().map(|(key, value)| json!({"key": key, "value": {"stringValue": value}})).collect();
        json!({"body": {"stringValue": "falcon from 10.0.0.1"}, "attributes": attributes})
    }

    fn logs(records: &[Value]) -> Value {
        json!({"resourceLogs": [{"scopeLogs": [{"logRecords": records}]}]})
    }

    const USERS: &str = "rules: [{name: n, keys: [note], as: user, action: pseudonymise}]\n";

    #[test]
    fn what_would_leave_otherwise_is_told_by_place_key_and_rule() {
        let request = logs(&[log(&[("note", "alice"), ("app.Note", "bob"), ("size", "3")]), log(&[("note", "carol")])]);
        let rows = |live, candidate| compare(live, candidate, Signal::Logs, &request);
        let both =
            |tail: &str| vec![format!("record.attributes *.note {tail} 1"), format!("record.attributes note {tail} 2")];
        let stay = "rules: [{name: n, keys: [note], action: stay}]\n";
        let redact = "rules: [{name: n, keys: [note], as: user, action: redact}]\n";
        let host = "rules: [{name: n, keys: [note], as: host, action: pseudonymise}]\n";
        assert_eq!(rows(USERS, ""), both("newly_leaves n>-"));
        assert_eq!(rows("", USERS), both("no_longer_leaves ->n"));
        assert_eq!(rows(stay, USERS), both("newly_leaves n>n"));
        assert_eq!(rows(USERS, stay), both("no_longer_leaves n>n"));
        assert_eq!(rows(USERS, host), both("otherwise n>n"));
        assert_eq!(rows(USERS, redact), both("narrower n>n"));
        assert_eq!(rows(redact, USERS), both("looser n>n"));
        assert!(rows(USERS, USERS).is_empty());
    }

    #[test]
    fn a_record_that_one_of_them_drops_is_one_disagreement() {
        let request = logs(&[log(&[("note", "alice")]), log(&[("other.thing", "x")]), log(&[("note", "bob")])]);
        let drops = "rules: [{name: d, keys: [note], action: drop_record}]\n";
        assert_eq!(compare("", drops, Signal::Logs, &request), ["record  no_longer_leaves ->d 2"]);
        assert_eq!(compare(drops, "", Signal::Logs, &request), ["record  newly_leaves d>- 2"]);
    }

    #[test]
    fn a_key_that_nobody_knows_by_name_is_not_shown() {
        let hides = "rules: [{name: w, dictionary: {keywords: [falcon]}, action: redact}, {name: s, keys: ['x_*'], action: stay}]\n";
        let request =
            logs(&[log(&[("alice@example.org", "a falcon"), ("http.request.method", "falcon"), ("x_alice", "1")])]);
        let rows = compare("", hides, Signal::Logs, &request);
        assert_eq!(
            rows,
            [
                "record.attributes http.request.method no_longer_leaves ->w 1",
                "record.attributes other no_longer_leaves emails-in-text>w 1",
                "record.attributes x* no_longer_leaves ->s 1",
                "body  no_longer_leaves addresses-in-text>w 1",
            ]
        );
    }

    #[test]
    fn of_a_record_with_many_fields_those_that_are_not_looked_into_are_taken_for_the_worst() {
        let keys: Vec<String> = (0..EXPLAINED + 6).map(|number| format!("note{number}")).collect();
        let request = logs(&[log(&keys.iter().map(|key| (key.as_str(), "alice")).collect::<Vec<_>>())]);
        let rule = |action: &str| format!("rules: [{{name: n, keys: ['note*'], as: user, action: {action}}}]\n");
        let rows = compare(&rule("pseudonymise"), &rule("redact"), Signal::Logs, &request);
        assert_eq!(rows, ["record.attributes note* narrower n>n 64", "record.attributes note* looser ->- 6"]);
    }

    #[test]
    fn every_data_point_of_a_metric_is_compared() {
        let point = |note: &str| json!({"asInt": "1", "attributes": [{"key": "note", "value": {"stringValue": note}}]});
        let request = json!({"resourceMetrics": [{"scopeMetrics": [{"metrics": [
            {"name": "a", "gauge": {"dataPoints": [point("alice"), point("bob"), {"asInt": "2"}]}},
        ]}]}]});
        assert_eq!(compare(USERS, "", Signal::Metrics, &request), ["point.attributes note newly_leaves n>- 2"]);
    }

    #[test]
    fn a_record_too_large_to_be_looked_into_is_counted() {
        let (mut pair, live) = pair("", USERS);
        let large = "x".repeat(LARGEST);
        let request = bytes(Signal::Logs, &logs(&[log(&[("note", &large)]), log(&[("note", "bob")])]));
        let left = live.filter(&mut Default::default(), Signal::Logs, request.clone()).unwrap().bytes;
        let found = pair.compare(Signal::Logs, request, &left).unwrap();
        assert_eq!((found.records, found.too_large, found.disagreements.values().sum::<u64>()), (2, 1, 1));
    }
}
