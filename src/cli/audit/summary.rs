//! The sums of a trail's entries over a time, and what changed in it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::verify;
use crate::observe::audit::entry::{Entry, Exception, InForce, Line, Period, Previous, Rule, Tally};
use crate::observe::audit::read::Reading;

/// What a trail says of a time.
#[derive(Debug, Default, Serialize)]
pub struct Summary {
    /// As it was asked for; from and to the trail's own ends if not.
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
    pub trail: Trail,
    pub destinations: BTreeMap<String, Destination>,
    /// In the order of their times.
    pub changes: Vec<Change>,
    #[serde(skip)]
    last: Option<Timestamp>,
}

/// The state of the trail that all of it comes from.
#[derive(Debug, Default, Serialize)]
pub struct Trail {
    pub whole: bool,
    pub broken: Option<String>,
    /// Its last line is the beginning of an entry.
    pub torn: bool,
    pub entries: u64,
    pub begins: Option<Timestamp>,
    pub ends: Option<Timestamp>,
    pub last_entry: u64,
    pub last_hash: String,
}

#[derive(Debug, Default, Serialize)]
pub struct Destination {
    /// At the end of the time.
    pub in_force: Option<InForce>,
    /// The ends of the first and the last period that are counted.
    pub counted_from: Option<Timestamp>,
    pub counted_to: Option<Timestamp>,
    pub signals: BTreeMap<String, Totals>,
    /// By rule and field.
    pub rules: BTreeMap<String, Acts>,
    /// Fields that the schema does not know, deleted: `message field` and how often.
    pub unknown_fields: BTreeMap<String, u64>,
    /// Values redacted whole because a limit was hit.
    pub fail_closed: BTreeMap<String, u64>,
    pub exceptions: Vec<InForceFor>,
}

/// An exception, and between which periods it was in force.
#[derive(Debug, Serialize)]
pub struct InForceFor {
    #[serde(flatten)]
    pub exception: Exception,
    pub from: Timestamp,
    pub to: Timestamp,
}

/// What became of one signal.
#[derive(Debug, Default, Serialize)]
pub struct Totals {
    pub left: Amount,
    /// Handed over without a word that it arrived.
    pub may_have_left: Amount,
    pub not_sent: Amount,
    /// Records that a rule dropped.
    pub dropped: u64,
    /// Requests, by reason.
    pub refused: BTreeMap<String, u64>,
}

#[derive(Debug, Default, Serialize)]
pub struct Amount {
    pub requests: u64,
    pub records: u64,
    pub bytes: u64,
}

/// What a rule did.
#[derive(Debug, Default, Serialize)]
pub struct Acts {
    pub action: String,
    pub times: u64,
    /// In what left and what may have left.
    pub fields: BTreeMap<String, u64>,
}

#[derive(Debug, Serialize)]
pub struct Change {
    pub time: Timestamp,
    /// None: the process as a whole.
    pub destination: Option<String>,
    pub what: String,
}

impl Totals {
    pub fn seen(&self) -> Amount {
        let each = [&self.left, &self.may_have_left, &self.not_sent];
        let refused: u64 = self.refused.values().sum();
        Amount {
            requests: each.iter().map(|amount| amount.requests).sum::<u64>() + refused,
            records: each.iter().map(|amount| amount.records).sum::<u64>() + self.dropped,
            bytes: 0,
        }
    }
}

impl Destination {
    fn note_exceptions(&mut self, exceptions: &[Exception], from: Timestamp, to: Timestamp) {
        for exception in exceptions {
            match self.exceptions.iter_mut().find(|known| known.exception == *exception) {
                Some(known) => known.to = to,
                None => self.exceptions.push(InForceFor { exception: exception.clone(), from, to }),
            }
        }
    }
}

impl Summary {
    pub fn new(from: Option<Timestamp>, to: Option<Timestamp>) -> Summary {
        Summary { from, to, ..Summary::default() }
    }

    /// Takes in the next entry.
    pub fn add(&mut self, line: &Line) {
        let before = self.last.replace(line.time);
        if self.to.is_some_and(|to| line.time > to) {
            return;
        }
        let is_early = self.from.is_some_and(|from| line.time <= from);
        match &line.entry {
            Entry::InForce(in_force) => self.in_force(line.time, in_force, is_early),
            _ if is_early => {}
            Entry::Period(period) => self.period(period),
            Entry::Start(start) => {
                if start.previous == Previous::Fell
                    && let Some(before) = before
                {
                    self.change(
                        line.time,
                        None,
                        format!(
                            "A process had ended without a last entry; what it let through since {} is not counted",
                            second(before)
                        ),
                    );
                }
                self.change(line.time, None, format!("A process began (version {})", line.version));
            }
            Entry::Stop => self.change(line.time, None, "The process ended".to_owned()),
            Entry::Recovered(_) => {
                self.change(line.time, None, "A torn entry was found and left where it is".to_owned());
            }
            Entry::Removed(removed) => {
                let what = format!("The trail's entries up to {} had had their time and were removed", removed.last);
                self.change(line.time, None, what);
            }
            Entry::Unknown => {}
        }
    }

    /// All entries have been read.
    pub fn end(&mut self, reading: &Reading) {
        self.trail = Trail {
            whole: reading.broken.is_none(),
            broken: reading.broken.as_ref().map(verify::told),
            torn: reading.torn.is_some(),
            entries: reading.entries,
            begins: reading.first.as_ref().map(|line| line.time),
            ends: reading.last.as_ref().map(|(line, _)| line.time),
            last_entry: reading.last.as_ref().map_or(0, |(line, _)| line.seq),
            last_hash: reading.last.as_ref().map(|(_, hash)| hash.clone()).unwrap_or_default(),
        };
    }

    fn in_force(&mut self, time: Timestamp, now: &InForce, is_early: bool) {
        let name = &now.of.destination;
        let known = self.destinations.entry(name.clone()).or_default();
        let before = known.in_force.replace(now.clone());
        if !is_early {
            known.note_exceptions(&now.of.exceptions, time, time);
            for what in differences(before.as_ref(), now) {
                self.change(time, Some(name), what);
            }
        }
    }

    fn period(&mut self, period: &Period) {
        let known = self.destinations.entry(period.of.destination.clone()).or_default();
        known.counted_from.get_or_insert(period.from);
        known.counted_to = Some(period.to);
        known.note_exceptions(&period.of.exceptions, period.from, period.to);
        for (signal, sums) in &period.signals {
            let totals = known.signals.entry(signal.clone()).or_default();
            totals.left.add(&sums.left);
            totals.may_have_left.add(&sums.unconfirmed);
            totals.not_sent.add(&sums.not_sent);
            for tally in [&sums.left, &sums.unconfirmed, &sums.not_sent] {
                totals.dropped += tally.dropped;
            }
            for (reason, times) in &sums.refused {
                *totals.refused.entry(reason.clone()).or_default() += times;
            }
            for tally in [&sums.left, &sums.unconfirmed] {
                for act in &tally.acts {
                    let acts = known.rules.entry(act.rule.clone()).or_default();
                    acts.action.clone_from(&act.action);
                    acts.times += act.times;
                    *acts.fields.entry(format!("{signal}: {}", act.field)).or_default() += act.times;
                }
                for field in &tally.unknown_fields {
                    let name = format!("{} {}", field.message, field.field);
                    *known.unknown_fields.entry(name).or_default() += field.times;
                }
                for (reason, times) in &tally.fail_closed {
                    *known.fail_closed.entry(reason.clone()).or_default() += times;
                }
            }
        }
    }

    fn change(&mut self, time: Timestamp, destination: Option<&str>, what: String) {
        self.changes.push(Change { time, destination: destination.map(str::to_owned), what });
    }
}

impl Amount {
    fn add(&mut self, tally: &Tally) {
        self.requests += tally.requests;
        self.records += tally.records;
        self.bytes += tally.bytes;
    }
}

/// A time, to the second.
pub fn second(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// The beginning of a digest, which tells policies apart for people.
pub fn short(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}

pub fn said(exception: &Exception) -> String {
    let Exception { rules, reason, owner, expires } = exception;
    format!("`{}`: {reason} ({owner}, until {expires})", rules.join("`, `"))
}

/// What is in force otherwise than before, in words.
fn differences(before: Option<&InForce>, now: &InForce) -> Vec<String> {
    let policy = |at: &InForce| format!("`{}` ({})", at.policy_name, short(&at.of.policy));
    let key = |at: &InForce| format!("epoch {} (check value {})", at.of.epoch, at.of.key_check_value);
    let Some(before) = before else {
        return vec![format!("In force: policy {}, key {}", policy(now), key(now))];
    };
    let mut found = Vec::new();
    if before.of.policy != now.of.policy {
        found.push(format!("Policy {} in place of {}", policy(now), policy(before)));
    }
    let action =
        |at: &InForce, name: &str| at.rules.iter().find(|rule| rule.name == name).map(|rule| rule.action.clone());
    let told = |rules: &mut dyn Iterator<Item = &Rule>| {
        rules.map(|rule| format!("`{}` ({})", rule.name, rule.action)).collect::<Vec<_>>().join(", ")
    };
    let added = told(&mut now.rules.iter().filter(|rule| action(before, &rule.name).is_none()));
    let taken_out = told(&mut before.rules.iter().filter(|rule| action(now, &rule.name).is_none()));
    let lists = [("Rules added", added), ("Rules taken out", taken_out)];
    found.extend(lists.iter().filter(|(_, rules)| !rules.is_empty()).map(|(what, rules)| format!("{what}: {rules}")));
    for rule in &now.rules {
        if let Some(before) = action(before, &rule.name).filter(|before| *before != rule.action) {
            found.push(format!("Rule `{}` changed from {before} to {}", rule.name, rule.action));
        }
    }
    let others = |at: &InForce, all: &InForce| -> Vec<Exception> {
        at.of.exceptions.iter().filter(|exception| !all.of.exceptions.contains(exception)).cloned().collect()
    };
    found.extend(others(now, before).iter().map(|exception| format!("Exception from {}", said(exception))));
    found.extend(others(before, now).iter().map(|exception| format!("No exception any more from {}", said(exception))));
    if key(before) != key(now) {
        found.push(format!("Key of {} in place of {}", key(now), key(before)));
    }
    let none = "none";
    let region = |at: &InForce| at.region.clone().unwrap_or_else(|| none.to_owned());
    let tls = |at: &InForce| at.tls.clone().unwrap_or_else(|| none.to_owned());
    let days = |at: &InForce| {
        let each: Vec<_> = at.retention.iter().map(|(class, days)| format!("{class} {days} days")).collect();
        if each.is_empty() { none.to_owned() } else { each.join(", ") }
    };
    let regions = |at: &InForce| if at.regions.is_empty() { "any".to_owned() } else { at.regions.join(", ") };
    for (what, before, now) in [
        ("Address", before.address.clone(), now.address.clone()),
        ("Recipient", before.of.recipient.clone(), now.of.recipient.clone()),
        ("Region", region(before), region(now)),
        ("Permitted regions", regions(before), regions(now)),
        ("Least TLS", tls(before), tls(now)),
        ("Retention", days(before), days(now)),
        ("Required", before.required.to_string(), now.required.to_string()),
    ] {
        if before != now {
            found.push(format!("{what}: {now} in place of {before}"));
        }
    }
    found
}
