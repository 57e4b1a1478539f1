//! A policy's own tests, run: each record through the whole filter, and what is left of it held against what was said.

use std::sync::Arc;

use serde_json::Value;

use crate::otlp::Signal;
use crate::policy::diagnostic::line_and_column;
use crate::policy::{Action, Diagnostics, Policy, RuleId, Test, TestGiven, signal_of};

use super::bench::{Bench, KEYS, Outcome, normal};
use super::change::{Change, changes};
use super::leaf::{Leaf, leaves};

/// What the tests of a policy file came to.
pub struct Report {
    /// The file, as it was named.
    pub file: String,
    pub cases: Vec<Case>,
    /// The file's own rules.
    pub rules: Vec<Covered>,
}

/// An example or a test.
pub struct Case {
    pub name: String,
    /// From 1.
    pub line: usize,
    pub promise: Option<String>,
    /// What is wrong; empty if it holds.
    pub failures: Vec<String>,
    /// The whole record before and after, where something is wrong.
    pub record: Vec<Change>,
}

/// What is tested of a rule.
pub struct Covered {
    pub name: String,
    pub line: usize,
    pub action: Action,
    /// Examples that it must act on, and that it must not.
    pub hits: usize,
    pub misses: usize,
    /// In how many tests it acted.
    pub tests: usize,
}

impl Report {
    pub fn failed(&self) -> impl Iterator<Item = &Case> {
        self.cases.iter().filter(|case| !case.failures.is_empty())
    }

    /// Rules that neither an example nor a test is about.
    pub fn untested(&self) -> impl Iterator<Item = &Covered> {
        self.rules.iter().filter(|rule| rule.hits + rule.misses + rule.tests == 0)
    }
}

/// Reads a file that a test names, from where the policy stands.
pub type ReadFile<'a> = &'a (dyn Fn(&str) -> Result<String, String> + Sync);

/// Runs the examples and tests of the first of a policy's files; those of the packs that it extends are theirs to run.
pub fn run(policy: &Arc<Policy>, read: ReadFile<'_>) -> Report {
    let sources = &policy.warnings().sources;
    let file = sources.first().map_or(String::new(), |source| source.name.clone());
    let mut rules: Vec<Covered> = Vec::new();
    let mut ids = Vec::new();
    for (id, info) in (0..).zip(policy.rules()).filter(|(_, info)| info.file == file) {
        let examples = |hit| policy.examples().filter(|(rule, example)| rule.0 == id && example.hit == hit).count();
        let (hits, misses) = (examples(true), examples(false));
        rules.push(Covered { name: info.name.clone(), line: info.line, action: info.action, hits, misses, tests: 0 });
        ids.push(RuleId(id));
    }
    let mut cases = example_cases(policy, &file);
    let mut benches = benches(policy);
    for test in own_tests(policy) {
        let ran = run_test(&mut benches, test, read);
        for (rule, id) in rules.iter_mut().zip(&ids) {
            rule.tests += usize::from(ran.acted.contains(id));
        }
        cases.push(Case {
            name: test.name.value.clone(),
            line: line_and_column(&sources[0].text, test.name.at.start).0,
            promise: test.promise.clone(),
            record: if ran.failures.is_empty() { Vec::new() } else { ran.record },
            failures: ran.failures,
        });
    }
    rules.sort_by_key(|rule| rule.line);
    Report { file, cases, rules }
}

/// A case for each rule's examples.
fn example_cases(policy: &Policy, file: &str) -> Vec<Case> {
    let wrong = policy.check_examples();
    let mut cases: Vec<Case> = Vec::new();
    for (id, example) in policy.examples() {
        let info = &policy.rules()[usize::from(id.0)];
        if info.file != file {
            continue;
        }
        let name = format!("{}: examples", info.name);
        let index = cases.iter().position(|case| case.name == name).unwrap_or_else(|| {
            cases.push(Case { name, line: info.line, promise: None, failures: Vec::new(), record: Vec::new() });
            cases.len() - 1
        });
        let at = &example.given;
        let failed = wrong.items.iter().find(|item| (item.file, &item.at) == (at.file, &at.at));
        if let Some(item) = failed {
            let source = &wrong.sources[item.file].text;
            let (line, _) = line_and_column(source, item.at.start);
            let written = source.get(item.at.clone()).unwrap_or_default();
            cases[index].failures.push(format!("line {line}: {}: {written}", item.message));
        }
    }
    cases.sort_by_key(|case| case.line);
    cases
}

fn own_tests(policy: &Policy) -> impl Iterator<Item = &Test> {
    policy.tests().iter().filter(|test| test.name.file == 0)
}

/// One engine a key: what is found under every one of them is no chance likeness of a token.
fn benches(policy: &Arc<Policy>) -> Vec<Bench> {
    (0..KEYS).map(|key| Bench::with_key(Arc::clone(policy), key)).collect()
}

struct Ran {
    failures: Vec<String>,
    record: Vec<Change>,
    acted: Vec<RuleId>,
}

fn run_test(benches: &mut [Bench], test: &Test, read: ReadFile<'_>) -> Ran {
    let mut ran = Ran { failures: Vec::new(), record: Vec::new(), acted: Vec::new() };
    let requests = match requests(&test.given.value, read) {
        Ok(requests) => requests,
        Err(why) => {
            ran.failures.push(why);
            return ran;
        }
    };
    let mut seen: Vec<Seen> = benches.iter().map(|_| Seen::default()).collect();
    for (signal, request) in &requests {
        let before = match normal(*signal, request) {
            Ok(request) => leaves(*signal, &request),
            Err(unfit) => {
                ran.failures.push(format!("the {} record cannot be read: {unfit}", signal.name()));
                return ran;
            }
        };
        for (bench, seen) in benches.iter_mut().zip(&mut seen) {
            match bench.filter(*signal, request) {
                Ok(outcome) => seen.add(*signal, outcome),
                Err(unfit) => {
                    ran.failures.push(format!("the {} record is refused: {unfit}", signal.name()));
                    return ran;
                }
            }
        }
        ran.record.extend(changes(&before, seen[0].latest()));
    }
    ran.acted = seen[0].acted.clone();
    judge(test, &seen, &mut ran.failures);
    ran
}

fn requests(given: &TestGiven, read: ReadFile<'_>) -> Result<Vec<(Signal, Value)>, String> {
    let path = match given {
        TestGiven::Request { signal, json } => return Ok(vec![(*signal, json.clone())]),
        TestGiven::File(path) => path,
    };
    let text = read(path).map_err(|why| format!("cannot read `{path}`: {why}"))?;
    let mut requests = Vec::new();
    for json in serde_json::Deserializer::from_str(&text).into_iter::<Value>() {
        let json = json.map_err(|wrong| format!("`{path}` is not JSON: {wrong}"))?;
        let signal = signal_of(&json).ok_or_else(|| format!("`{path}` holds no request in OTLP/JSON"))?;
        requests.push((signal, json));
    }
    if requests.is_empty() { Err(format!("`{path}` is empty")) } else { Ok(requests) }
}

/// What left under one key.
#[derive(Default)]
struct Seen {
    leaves: Vec<Leaf>,
    /// Where the last request's begin.
    last: usize,
    /// All bytes that left, in lower case.
    bytes: Vec<u8>,
    records: u64,
    dropped: u64,
    acted: Vec<RuleId>,
}

impl Seen {
    fn add(&mut self, signal: Signal, outcome: Outcome) {
        self.last = self.leaves.len();
        self.leaves.extend(leaves(signal, &outcome.json));
        self.bytes.extend(outcome.bytes.to_ascii_lowercase());
        self.records += outcome.records;
        self.dropped += outcome.dropped;
        self.acted.extend(outcome.acted.iter().map(|(rule, _)| *rule));
    }

    fn latest(&self) -> &[Leaf] {
        &self.leaves[self.last..]
    }

    /// Where a word that must not leave is found.
    fn finds(&self, word: &str) -> Option<String> {
        let word = word.to_lowercase();
        let has = |text: &str| text.to_lowercase().contains(&word);
        if let Some(leaf) = self.leaves.iter().find(|leaf| leaf.judged && (has(&leaf.value) || has(&leaf.path))) {
            return Some(leaf.path.clone());
        }
        memchr::memmem::find(&self.bytes, word.as_bytes()).map(|_| "its bytes".to_owned())
    }

    fn has(&self, word: &str) -> bool {
        self.leaves.iter().any(|leaf| leaf.value.contains(word) || leaf.path.contains(word))
    }
}

fn judge(test: &Test, seen: &[Seen], failures: &mut Vec<String>) {
    let first = &seen[0];
    match test.dropped {
        Some(true) if first.dropped < first.records => {
            failures.push(format!("{} of {} records are not dropped", first.records - first.dropped, first.records));
        }
        Some(false) | None if first.dropped > 0 => {
            failures.push(format!(
                "{} of {} records are dropped, which the test does not say",
                first.dropped, first.records
            ));
        }
        _ => {}
    }
    for word in &test.hides {
        let found: Option<Vec<String>> = seen.iter().map(|seen| seen.finds(&word.value)).collect();
        if let Some(places) = found {
            failures.push(format!("`{}` leaves, in {}", word.value, places[0]));
        }
    }
    for word in &test.keeps {
        if !first.has(&word.value) {
            failures.push(format!("`{}` is gone", word.value));
        }
    }
    for expected in &test.expect {
        let path = &expected.path.value;
        let under = |leaf: &&Leaf| {
            leaf.path.strip_prefix(path.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        let mut found = first.leaves.iter().filter(under).peekable();
        match &expected.value {
            None => failures.extend(found.next().map(|leaf| format!("{path} must be gone, and is `{}`", leaf.value))),
            Some(value) if found.peek().is_none() => failures.push(format!("{path} must be `{value}`, and is gone")),
            Some(value) => failures.extend(
                found
                    .filter(|leaf| !matches(value, &leaf.value))
                    .map(|leaf| format!("{path} must be `{value}`, and is `{}`", leaf.value)),
            ),
        }
    }
}

/// Whether a text is as expected: `*` stands for any run of characters.
fn matches(expected: &str, text: &str) -> bool {
    let mut pieces = expected.split('*');
    let first = pieces.next().expect("splitting gives at least one piece");
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let Some(last) = pieces.next_back() else { return rest.is_empty() };
    for piece in pieces {
        let Some(at) = rest.find(piece) else { return false };
        rest = &rest[at + piece.len()..];
    }
    rest.ends_with(last)
}

/// A rule that is taken away in turn, and who notices.
pub struct Mutant {
    pub name: String,
    pub line: usize,
    /// A test that fails without the rule.
    pub test: Option<String>,
    /// Without the rule one of its own `hits` leaves otherwise than with it.
    pub example: bool,
}

impl Mutant {
    pub fn is_noticed(&self) -> bool {
        self.test.is_some() || self.example
    }
}

/// Takes away each rule of the policy's first file in turn. A rule that keeps changes nothing by itself and is passed over.
///
/// `load` gives the policy, as if one rule did not stand in it where one is named.
///
/// # Errors
/// If the policy cannot be compiled without one of its rules.
pub fn mutate(
    policy: &Arc<Policy>,
    load: &(dyn Fn(Option<&str>) -> Result<Policy, Diagnostics> + Sync),
    read: ReadFile<'_>,
) -> Result<Vec<Mutant>, Diagnostics> {
    let Some(file) = policy.warnings().sources.first().map(|source| &source.name) else { return Ok(Vec::new()) };
    let own = (0..).map(RuleId).zip(policy.rules());
    let own: Vec<_> = own.filter(|(_, info)| info.file == *file && info.action > Action::Keep).collect();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let share = own.len().div_ceil(threads).max(1);
    std::thread::scope(|scope| {
        let one_share = |share| move || mutants(policy, share, load, read);
        let running: Vec<_> = own.chunks(share).map(|share| scope.spawn(one_share(share))).collect();
        let mut all = Vec::new();
        for share in running {
            all.extend(share.join().expect("a thread that tests does not panic")?);
        }
        all.sort_by_key(|mutant: &Mutant| mutant.line);
        Ok(all)
    })
}

fn mutants(
    policy: &Arc<Policy>,
    rules: &[(RuleId, &crate::policy::RuleInfo)],
    load: &dyn Fn(Option<&str>) -> Result<Policy, Diagnostics>,
    read: ReadFile<'_>,
) -> Result<Vec<Mutant>, Diagnostics> {
    let mut with_all = benches(policy);
    // A test that fails anyway notices nothing.
    let holds = |test: &&Test| run_test(&mut with_all, test, read).failures.is_empty();
    let tests: Vec<&Test> = own_tests(policy).filter(holds).collect();
    let whole = &mut with_all[0];
    let mut out = Vec::with_capacity(rules.len());
    let mut spare = load(None)?;
    for (id, info) in rules {
        // Compiling hundreds of patterns anew for each of them would take minutes.
        let (without, silenced) = match spare.silence(*id) {
            Some(silenced) => (Arc::new(spare), Some(silenced)),
            None => (Arc::new(load(Some(&info.name))?), None),
        };
        let mut benches = benches(&without);
        let example = policy.examples().filter(|(rule, example)| rule == id && example.hit).any(|(_, example)| {
            let (signal, request) = example.request();
            let with = whole.filter(signal, &request).map(|outcome| outcome.json).ok();
            with != benches[0].filter(signal, &request).map(|outcome| outcome.json).ok()
        });
        let test = tests.iter().find(|test| !run_test(&mut benches, test, read).failures.is_empty());
        let test = test.map(|test| test.name.value.clone());
        out.push(Mutant { name: info.name.clone(), line: info.line, test, example });
        drop(benches);
        spare = match (silenced, Arc::into_inner(without)) {
            (Some(silenced), Some(mut policy)) => {
                policy.restore(silenced);
                policy
            }
            _ => load(None)?,
        };
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    const POLICY: &str = r#"
version: 1
extends: base
rules:
  - {name: notes-stay, keys: [secret.note], action: stay, hits: [{secret.note: x}], misses: [{note: x}]}
  - {name: says-nothing-new, keys: [db.password], as: credential, action: redact}
  - {name: noise, signals: logs, when: {record: {noise: true}}, action: drop_record}
tests:
  - name: nobody is named
    given:
      resource: {host.name: db-1}
      log: {body: alice signed in from 10.0.0.1, attributes: {user.name: alice, event.outcome: success, secret.note: [1, 2]}}
    hides: [10.0.0.1, DB-1]
    keeps: [signed in, success]
    expect: {attributes.user.name: "user_*", attributes.secret.note: null, resource.attributes.host.name: "h*"}
  - name: numbers stay
    given: {metric: {name: m, type: sum, points: [{attributes: {client.address: 10.0.0.9}, value: 3}]}}
    hides: [10.0.0.9]
    expect: {name: m, as_int: 3}
  - name: noise is dropped
    given: {log: {body: x, attributes: {noise: true}}}
    dropped: true
  - name: all wrong
    given: {span: {name: GET /, attributes: {user.name: bob, note: x}, events: {name: e, attributes: {note: from bob}}}}
    hides: [get /]
    keeps: [bobby]
    expect: {attributes.note: null, attributes.user.name: bob, attributes.gone: y}
"#;

    fn policy(without: Option<&str>) -> Policy {
        let without = without.map(|rule| format!("name: {rule},"));
        let kept = |line: &&str| !without.as_ref().is_some_and(|name| line.contains(name));
        let text: String = POLICY.lines().filter(kept).map(|line| format!("{line}\n")).collect();
        Policy::parse(&[("policy.yaml", &text)], date(2026, 11, 21)).unwrap_or_else(|wrong| panic!("{wrong}"))
    }

    fn nothing(_: &str) -> Result<String, String> {
        Err("no files here".into())
    }

    #[test]
    fn a_test_says_everything_that_is_wrong_and_shows_the_whole_record() {
        let report = run(&Arc::new(policy(None)), &nothing);
        let failed: Vec<&Case> = report.failed().collect();
        let [case] = *failed else { panic!("{:?}", failed.iter().map(|case| &case.failures).collect::<Vec<_>>()) };
        assert_eq!((case.name.as_str(), case.line), ("all wrong", 23));
        assert_eq!(case.failures.len(), 5, "{:?}", case.failures);
        assert_eq!(case.failures[0], "`get /` leaves, in name");
        assert!(case.record.iter().any(|change| change.path == "attributes.user.name" && !change.is_same()));
        let untested: Vec<_> = report.untested().map(|rule| rule.name.as_str()).collect();
        assert_eq!(untested, ["says-nothing-new"]);
    }

    #[test]
    fn a_rule_whose_loss_nothing_notices_is_named() {
        let mutants = mutate(&Arc::new(policy(None)), &|rule| Ok(policy(rule)), &nothing).unwrap();
        let noticed: Vec<_> = mutants.iter().map(|mutant| (mutant.name.as_str(), mutant.is_noticed())).collect();
        assert_eq!(noticed, [("notes-stay", true), ("says-nothing-new", false), ("noise", true)]);
        assert_eq!(mutants[2].test.as_deref(), Some("noise is dropped"));
    }

    #[test]
    fn a_star_stands_for_any_run_of_characters() {
        for (expected, text, holds) in [
            ("a", "a", true),
            ("a", "ab", false),
            ("a*", "ab", true),
            ("*b", "ab", true),
            ("a*c*e", "abcde", true),
            ("a*c*e", "abde", false),
            ("*", "", true),
            ("a*a", "a", false),
        ] {
            assert_eq!(matches(expected, text), holds, "{expected} on {text}");
        }
    }
}
