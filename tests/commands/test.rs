//! `privet test` as its users meet it.

use std::fs;

use super::run;

const GOOD: &str = "version: 1\nextends: base\nrules:\n  - {name: notes-stay, keys: [secret.note], action: stay, hits: [{secret.note: x}], misses: [{note: x}]}\ntests:\n  - name: notes stay\n    given: {log: {body: x, attributes: {secret.note: falcon}}}\n    hides: [falcon]\n";

#[test]
fn the_exit_code_says_what_came_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    fs::write(path("good.yaml"), GOOD).unwrap();
    let good = run(&["test", &path("good.yaml"), "--mutate"], b"");
    assert_eq!(good.code, 0, "{}{}", good.text(), good.stderr);
    assert!(good.text().contains("1 rules taken away in turn: 1 noticed by a test"), "{}", good.text());

    fs::write(path("fails.yaml"), GOOD.replace("action: stay", "action: keep")).unwrap();
    let fails = run(&["test", &path("fails.yaml")], b"");
    assert_eq!(fails.code, 1, "{}", fails.text());
    assert!(fails.text().contains("`falcon` leaves, in attributes.secret.note"), "{}", fails.text());

    // A folder: all that is in it, and what is wrong with one says nothing of the others.
    fs::write(path("wrong.yaml"), "version: 1\nextends: [bas]\n").unwrap();
    let all = run(&["test", &folder.path().display().to_string(), "--format", "json"], b"");
    assert_eq!(all.code, 65);
    let report: serde_json::Value = serde_json::from_str(all.text()).unwrap();
    let ok: Vec<_> = report["suites"].as_array().unwrap().iter().map(|suite| suite["ok"].as_bool().unwrap()).collect();
    assert_eq!(ok, [false, true, false]);
    assert_eq!(run(&["test", &path("none.yaml")], b"").code, 66);
}

#[test]
fn build_servers_get_a_case_a_test() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("policy.yaml").display().to_string();
    fs::write(&file, GOOD.replace("action: stay", "action: keep")).unwrap();
    let ran = run(&["test", &file, "--format", "junit"], b"");
    assert!(ran.text().contains("tests=\"2\" failures=\"1\""), "{}", ran.text());
    assert!(ran.text().contains("<failure>`falcon` leaves, in attributes.secret.note</failure>"), "{}", ran.text());
}

#[test]
fn every_pack_does_what_it_says() {
    let rules = concat!(env!("CARGO_MANIFEST_DIR"), "/rules");
    let ran = run(&["test", rules, "--mutate"], b"");
    assert_eq!(ran.code, 0, "{}{}", ran.text(), ran.stderr);
}
