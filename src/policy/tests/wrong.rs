//! Every code once, as people see it. `INSTA_UPDATE=always cargo test` rewrites the snapshots.

use std::collections::BTreeSet;

use super::TODAY;
use crate::policy::{Code, Diagnostics, Policy};

/// The rule that a case is about, or the whole file where it begins with `version:` or `~`.
const CASES: &[(Code, &str)] = &[
    (Code::NotYaml, "version: 1\nrules: [\n  {name: a"),
    (Code::UnknownKey, "name: a\n    detect: ip\n    acton: redact\n    action: redact"),
    (Code::WrongType, "name: a\n    detect: {ip: true}\n    action: redact"),
    (Code::MissingField, "name: a\n    detect: ip"),
    (Code::UnknownSignal, "name: a\n    signals: [logs, metric]\n    detect: ip\n    action: redact"),
    (Code::UnknownPart, "name: a\n    parts: [bodies]\n    detect: ip\n    action: redact"),
    (Code::UnknownAction, "name: a\n    detect: ip\n    action: pseudonymize"),
    (Code::UnknownDetector, "name: a\n    detect: [ip, e-mail]\n    action: redact"),
    (Code::UnknownKind, "name: a\n    keys: [owner]\n    as: usr\n    action: pseudonymise"),
    (Code::UnknownForm, "name: a\n    detect: ip\n    action: pseudonymise\n    form: reversible"),
    (Code::UnknownValidator, "name: a\n    pattern: {regex: '[0-9]{13,19}', validator: lun}\n    action: redact"),
    (Code::BadGlob, "name: a\n    keys: ['host.[ab]']\n    action: stay"),
    (Code::BadRegex, "name: a\n    pattern: 'key-(?P<x>[a-z+'\n    action: redact"),
    (
        Code::DuplicateRule,
        "name: a\n    detect: ip\n    action: redact\n  - name: A\n    detect: host\n    action: redact",
    ),
    (Code::NotOneTarget, "name: a\n    keys: [client.address]\n    action: pseudonymise"),
    (Code::OptionDoesNotFit, "name: a\n    detect: ip\n    action: redact\n    last: 4"),
    (Code::SubnetNotAcknowledged, "name: a\n    detect: ip\n    action: pseudonymise\n    form: subnet"),
    (Code::OutOfRange, "name: a\n    detect: ip\n    action: generalise\n    v4: 40"),
    (
        Code::ExpiredException,
        "version: 1\nextends: base\nexceptions:\n  - rules: users\n    keys: [user.id]\n    reason: support\n    \
         owner: ops\n    expires: 2026-11-20",
    ),
    (
        Code::UnknownRule,
        "version: 1\nextends: base\nexceptions:\n  - rules: userz\n    keys: [user.id]\n    reason: support\n    \
         owner: ops\n    expires: 2027-01-31",
    ),
    (
        Code::BadDate,
        "version: 1\nextends: base\nexceptions:\n  - rules: users\n    keys: [user.id]\n    reason: support\n    \
         owner: ops\n    expires: 31.1.2027",
    ),
    (
        Code::BadCondition,
        "name: a\n    when: {resource: {cloud.region: {equals: x, in: [y]}}}\n    detect: ip\n    action: redact",
    ),
    (
        Code::ConditionOutOfReach,
        "name: a\n    parts: resource.attributes\n    when: {record: {event.kind: alert}}\n    detect: ip\n    action: redact",
    ),
    (Code::BadKeep, "version: 1\nextends: base\nkeep: [localhost, 10.0.0.1/8]"),
    (Code::UnknownPack, "version: 1\nextends: [bass]"),
    (Code::CannotRead, "name: a\n    dictionary: {hosts_file: hosts.txt}\n    action: redact"),
    (Code::UnknownVersion, "version: 2\nextends: base"),
    (
        Code::ExampleFails,
        "name: a\n    detect: ip\n    action: redact\n    hits: [no address]\n    misses: [from 10.0.0.1]",
    ),
    (Code::TooMany, "~conditions"),
    (Code::Empty, "name: a\n    detect: []\n    action: redact"),
    (Code::BadName, "name: what a rule\n    detect: ip\n    action: redact"),
    (Code::DictionaryWrong, "name: a\n    dictionary: {hosts: [db1], keywords: [falcon]}\n    action: redact"),
    (
        Code::BadTest,
        "version: 1\nextends: base\ntests:\n  - name: a\n    given: {log: hello, span: {name: x}}\n    hides: [hello]\n  \
         - name: b\n    given: {log: hello}",
    ),
    (
        Code::NeverActs,
        "name: a\n    keys: [note]\n    as: user\n    action: mask\n    last: 2\n  - name: b\n    keys: [note]\n    \
         action: stay\n  - name: c\n    signals: logs\n    parts: span.name\n    detect: ip\n    action: redact",
    ),
    (Code::CostlyPattern, "name: a\n    pattern: '[a-z]{9}'\n    action: redact"),
    (
        Code::ExpiringException,
        "version: 1\nextends: base\nexceptions:\n  - rules: users\n    keys: [user.id]\n    reason: support\n    \
         owner: ops\n    expires: 2026-12-01",
    ),
    (Code::NoExamples, "name: a\n    detect: ip\n    action: redact\n    hits: [from 10.0.0.1]"),
];

/// Every case as a whole file.
pub fn cases() -> Vec<(Code, String)> {
    CASES.iter().map(|(code, case)| (*code, source(case))).collect()
}

fn source(case: &str) -> String {
    if case.starts_with("version:") {
        return case.to_owned();
    }
    if case == "~conditions" {
        let rule = |i| format!("  - {{name: r{i}, when: {{resource: {{k: {i}}}}}, detect: ip, action: redact}}\n");
        return format!("version: 1\nrules:\n{}", (0..65).map(rule).collect::<String>());
    }
    format!("version: 1\nrules:\n  - {case}\n")
}

fn wrong(text: &str) -> Diagnostics {
    match Policy::parse(&[("policy.yaml", text)], TODAY) {
        Err(diagnostics) => diagnostics,
        Ok(policy) => {
            let mut warnings = policy.warnings().clone();
            warnings.items.extend(policy.check_examples().items);
            warnings.items.extend(policy.lints().items);
            warnings
        }
    }
}

#[test]
fn every_mistake_is_told_with_its_place_and_what_was_meant() {
    for (code, case) in CASES {
        let diagnostics = wrong(&source(case));
        assert!(diagnostics.items.iter().any(|item| item.code == *code), "{code:?} in:\n{diagnostics}");
        // Of what is no error the case's own code alone is of interest.
        let own = diagnostics.items.iter().filter(|item| item.code == *code || diagnostics.has_errors());
        let shown = Diagnostics { sources: diagnostics.sources.clone(), items: own.cloned().collect() };
        insta::assert_snapshot!(code.id(), shown.render(false));
    }
}

#[test]
fn every_code_is_explained() {
    for code in Code::ALL {
        let (title, text) = code.explanation();
        assert!(!title.is_empty() && text.len() > 20, "{}: {title}: {text}", code.id());
        assert_eq!(Code::from_id(&code.id().to_lowercase()), Some(code));
    }
}

#[test]
fn every_code_has_a_case() {
    let cases: BTreeSet<Code> = CASES.iter().map(|(code, _)| *code).collect();
    assert_eq!(cases, Code::ALL.into_iter().collect());
}

#[test]
fn all_mistakes_are_told_at_once_with_lines_and_columns() {
    let diagnostics = wrong(
        "version: 1\nrules:\n  - name: a\n    detect: ipp\n    action: redact\n  - name: b\n    keys: [x]\n    action: hide\nkeeps: []\n",
    );
    let json = diagnostics.to_json();
    let places: Vec<_> = json
        .as_array()
        .unwrap()
        .iter()
        .map(|item| (item["code"].as_str().unwrap(), item["line"].as_u64().unwrap(), item["column"].as_u64().unwrap()))
        .collect();
    assert_eq!(places, [("P0002", 9, 1), ("P0008", 4, 13), ("P0007", 8, 13)]);
}

#[test]
fn a_small_file_cannot_become_a_big_tree() {
    let bomb = "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b]\n\
                d: &d [*c,*c,*c,*c,*c,*c,*c,*c]\ne: [*d,*d,*d,*d,*d,*d,*d,*d]\n";
    let deep = format!("version: {}", "[".repeat(5000));
    for text in [bomb, &deep] {
        assert_eq!(wrong(text).items[0].code, Code::NotYaml);
    }
}

#[test]
fn places_are_right_after_characters_of_several_bytes() {
    let json =
        wrong("version: 1\nname: größe — 東京\nrules:\n  - {name: ä, detect: ip, action: redact, x: 1}\n").to_json();
    let columns: Vec<_> = json.as_array().unwrap().iter().map(|item| item["column"].as_u64().unwrap()).collect();
    assert_eq!(columns, [43, 12]);
}
