//! What identifiers live where: an inventory over many records, and the rules that it suggests.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write;
use std::hash::{BuildHasher, RandomState};

use serde_json::Value;

use crate::otlp::Signal;
use crate::policy::Action;

use super::bench::{Bench, Unfit};
use super::explain::{Became, explain};

/// An inventory as it grows.
pub struct Inventory {
    bench: Bench,
    /// Values are told apart by a hash that differs from run to run, and not kept.
    hasher: RandomState,
    pub records: u64,
    pub dropped: u64,
    /// By field (`logs.attributes.user.name`), then by rule.
    pub fields: BTreeMap<String, Field>,
}

/// What was seen at one place.
#[derive(Default)]
pub struct Field {
    /// The attribute's key, where one stands over it.
    pub key: Option<String>,
    pub values: u64,
    pub rules: BTreeMap<String, Finding>,
}

/// What one rule found there.
pub struct Finding {
    pub kinds: Vec<String>,
    pub action: Action,
    /// Whether the key decides, not what stands in the text.
    pub by_key: bool,
    /// How often it acted, on how many values, and how many different ones these were.
    pub times: u64,
    pub values: u64,
    /// How many of these were one word, which a rule may replace whole. In a URL or a message the search leaves the rest.
    words: u64,
    distinct: HashSet<u64>,
    /// One value. Not to be shown unasked.
    pub sample: String,
}

impl Finding {
    pub fn distinct(&self) -> usize {
        self.distinct.len()
    }
}

impl Inventory {
    pub fn new(bench: Bench) -> Inventory {
        Inventory { bench, hasher: RandomState::new(), records: 0, dropped: 0, fields: BTreeMap::new() }
    }

    pub fn bench(&self) -> &Bench {
        &self.bench
    }

    /// Takes down one record, as [`singles`](super::single::singles) cuts them.
    ///
    /// # Errors
    /// If it cannot be read, or the filter refuses it.
    pub fn add(&mut self, signal: Signal, record: &Value) -> Result<(), Unfit> {
        self.records += 1;
        let explained = explain(&mut self.bench, signal, record)?;
        self.dropped += u64::from(explained.dropped.is_some());
        for field in &explained.fields {
            let Some(leaf) = field.change.before.as_ref().filter(|leaf| leaf.judged) else { continue };
            let name = format!("{}.{}", signal.name(), leaf.field);
            let entry = self.fields.entry(name).or_default();
            entry.values += 1;
            if entry.key.is_none() {
                entry.key.clone_from(&leaf.key);
            }
            if field.change.became() == Became::Same {
                continue;
            }
            let hash = self.hasher.hash_one(&leaf.value);
            for (rule, times) in &field.rules {
                let policy = self.bench.policy();
                let info = &policy.rules()[usize::from(rule.0)];
                let finding = entry.rules.entry(info.name.clone()).or_insert_with(|| Finding {
                    kinds: policy.kinds_of(*rule),
                    action: info.action,
                    by_key: policy.decides_by_key(*rule),
                    times: 0,
                    values: 0,
                    words: 0,
                    distinct: HashSet::new(),
                    sample: leaf.value.clone(),
                });
                finding.times += times;
                finding.values += 1;
                finding.words += u64::from(is_word(&leaf.value));
                finding.distinct.insert(hash);
            }
        }
        Ok(())
    }

    /// Rules for keys under which identifiers were found by search alone: where at least every second value was a word that
    /// held one. YAML to be pasted below `rules:`; empty if there is none.
    pub fn stubs(&self) -> String {
        let mut stubs: BTreeMap<&str, (&str, u64, u64)> = BTreeMap::new();
        for field in self.fields.values() {
            let Some(key) = &field.key else { continue };
            if field.rules.values().any(|finding| finding.by_key) {
                continue;
            }
            let searched = field.rules.values().filter(|finding| finding.words * 2 >= field.values);
            let Some(most) = searched.max_by_key(|finding| finding.words) else { continue };
            let kind = match most.kinds.first().map(String::as_str) {
                Some("ip" | "host") => "address",
                Some(kind) => kind,
                None => continue,
            };
            let stub = stubs.entry(key).or_insert((kind, 0, 0));
            stub.1 += most.words;
            stub.2 += field.values;
        }
        let mut text = String::new();
        for (key, (kind, found, values)) in stubs {
            let action = if kind == "credential" { "redact" } else { "pseudonymise" };
            let name: String = key.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(64).collect();
            let key = Value::from(key);
            write!(
                text,
                "  # {found} of {values} values held one\n  - name: {name}\n    keys: [{key}]\n    as: {kind}\n    action: {action}\n"
            )
            .expect("a String grows");
        }
        text
    }
}

/// Neither a text of several words nor a URL, a path or a document.
fn is_word(value: &str) -> bool {
    !value.contains(|c: char| c.is_whitespace() || matches!(c, '/' | '\\' | '{' | '"'))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::policy::Policy;

    #[test]
    fn identifiers_are_counted_by_field_and_rule_and_suggest_rules() {
        let mut inventory = Inventory::new(Bench::new(Policy::base()));
        for caller in ["10.0.0.1", "10.0.0.1", "10.0.0.2", "nobody"] {
            let record = json!({"resourceLogs": [{"scopeLogs": [{"logRecords": [{
                "body": {"stringValue": "all is well"},
                "attributes": [
                    {"key": "caller", "value": {"stringValue": caller}},
                    {"key": "reason", "value": {"stringValue": format!("no route to {caller}")}},
                    {"key": "link", "value": {"stringValue": format!("http://{caller}/x")}},
                    {"key": "user.name", "value": {"stringValue": "bob"}},
                ],
            }]}]}]});
            inventory.add(Signal::Logs, &record).unwrap();
        }
        let caller = &inventory.fields["logs.attributes.caller"];
        let finding = &caller.rules["addresses-in-text"];
        assert_eq!((caller.values, finding.values, finding.distinct(), finding.by_key), (4, 3, 2, false));
        assert!(inventory.fields["logs.attributes.user.name"].rules["users"].by_key);
        assert!(inventory.fields["logs.body"].rules.is_empty());
        let stubs = inventory.stubs();
        assert!(stubs.contains("keys: [\"caller\"]") && !stubs.contains("user.name"), "{stubs}");
        assert!(!stubs.contains("reason") && !stubs.contains("link"), "a text stays readable: {stubs}");
        let policy = format!("version: 1\nextends: base\nrules:\n{stubs}");
        Policy::parse(&[("p.yaml", &policy)], jiff::civil::Date::MAX).unwrap_or_else(|wrong| panic!("{wrong}"));
    }
}
