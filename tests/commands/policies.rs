//! What people who edit policies use, as they meet it: check, explain, diff, scan, init, schema, help.

use std::fs;
use std::path::PathBuf;

use super::run;

const RECORD: &str = r#"{"resourceLogs":[{"resource":{"attributes":[{"key":"host.name","value":{"stringValue":"db-1"}}]},"scopeLogs":[{"logRecords":[{"body":{"stringValue":"accepted from 203.0.113.7"},"attributes":[{"key":"user.name","value":{"stringValue":"alice"}},{"key":"caller","value":{"stringValue":"203.0.113.9"}},{"key":"note","value":{"stringValue":"falcon"}}]}]}]}]}"#;

struct Folder(tempfile::TempDir);

impl Folder {
    fn new(files: &[(&str, &str)]) -> Folder {
        let folder = Folder(tempfile::tempdir().unwrap());
        for (name, text) in files {
            fs::write(folder.path(name), text).unwrap();
        }
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }
}

const STAY: &str = "version: 1\nextends: base\nrules:\n  - {name: notes, keys: [note], action: stay, hits: [{note: x}], misses: [{nota: x}]}\n";
const KEEP: &str = "version: 1\nextends: base\nrules:\n  - {name: notes, keys: [note], action: keep, hits: [{note: x}], misses: [{nota: x}]}\n";

#[test]
fn explain_names_rule_and_line_and_shows_no_value_unasked() {
    let folder = Folder::new(&[("stay.yaml", STAY), ("record.json", RECORD)]);
    let (policy, record) = (folder.text("stay.yaml"), folder.text("record.json"));
    let ran = run(&["explain", "--policy", &policy, &record], b"");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.text().contains(&format!("stay by `notes`, {policy}:4")), "{}", ran.text());
    assert!(ran.text().contains("pseudonymise by `users`, base:"), "{}", ran.text());
    ran.hides(&["alice", "203.0.113", "db-1", "falcon"]);

    let ran = run(&["explain", "--policy", &policy, "--format", "json", "--show-values", "-"], RECORD.as_bytes());
    let said: serde_json::Value = serde_json::from_str(ran.text()).unwrap();
    let note = said["fields"].as_array().unwrap().iter().find(|field| field["path"] == "attributes.note").unwrap();
    assert_eq!((note["became"].as_str(), note["before"].as_str()), (Some("removed"), Some("falcon")));
    assert_eq!(note["rules"][0]["line"], 4);
}

#[test]
fn diff_fails_until_each_field_that_leaves_anew_is_acknowledged() {
    let folder = Folder::new(&[
        ("old.yaml", STAY),
        ("new.yaml", KEEP),
        ("record.json", RECORD),
        ("ok", "logs.attributes.note # agreed\n"),
    ]);
    let (old, new, corpus) = (folder.text("old.yaml"), folder.text("new.yaml"), folder.text("record.json"));
    let ran = run(&["diff", &old, &new, "--corpus", &corpus], b"");
    assert_eq!(ran.code, 1, "{}{}", ran.text(), ran.stderr);
    assert!(ran.text().contains("logs.attributes.note  newly readable"), "{}", ran.text());
    assert!(ran.text().contains("notes → no rule"), "{}", ran.text());
    ran.hides(&["alice", "203.0.113", "falcon"]);
    let acknowledged = ["diff", &old, &new, "--corpus", &corpus, "--acknowledged", &folder.text("ok")];
    assert_eq!(run(&acknowledged, b"").code, 0);
    let one = ["diff", &old, &new, "--corpus", &corpus, "--acknowledge", "logs.attributes.note"];
    assert_eq!(run(&one, b"").code, 0);
    assert_eq!(run(&["diff", &new, &old, "--corpus", &corpus], b"").code, 0, "narrower is no matter");
}

#[test]
fn scan_takes_an_inventory_and_init_writes_a_policy_of_it_that_passes_its_tests() {
    let folder = Folder::new(&[("record.json", RECORD)]);
    let ran = run(&["scan", &folder.text("record.json")], b"");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(
        ran.text().contains("logs.attributes.caller") && ran.text().contains("keys: [\"caller\"]"),
        "{}",
        ran.text()
    );
    ran.hides(&["alice", "203.0.113", "db-1"]);
    for format in ["json", "html"] {
        let ran = run(&["scan", "--format", format, &folder.text("record.json")], b"");
        assert!(ran.text().contains("logs.attributes.caller"), "{}", ran.text());
        ran.hides(&["alice", "203.0.113", "db-1"]);
    }

    let policy = folder.text("policy.yaml");
    let made = run(&["init", "--scan", &folder.text("record.json"), "-o", &policy], b"");
    assert_eq!(made.code, 0, "{}", made.stderr);
    assert!(fs::read_to_string(&policy).unwrap().contains("name: caller"));
    let tested = run(&["test", &policy], b"");
    assert_eq!(tested.code, 0, "{}", tested.text());
    assert_eq!(run(&["init", "-o", &policy], b"").code, 73, "a file that exists stays");
    assert_eq!(run(&["init", "--pack", "bass", "-o", "-"], b"").code, 64);
}

#[test]
fn check_warns_and_speaks_to_machines() {
    let text = "version: 1\nextends: base\nrules:\n  - {name: a, pattern: '[a-z]{3}-[a-z]{2}', action: redact}\n";
    let folder = Folder::new(&[("policy.yaml", text), ("wrong.yaml", "version: 1\nextends: bas\n")]);
    let ran = run(&["check", &folder.text("policy.yaml"), "--format", "sarif"], b"");
    assert_eq!(ran.code, 0, "warnings do not fail: {}", ran.text());
    let log: serde_json::Value = serde_json::from_str(ran.text()).unwrap();
    let rules: Vec<_> = log["runs"][0]["results"].as_array().unwrap().iter().map(|one| one["ruleId"].clone()).collect();
    assert_eq!(rules, ["P0035", "P0037"]);
    assert_eq!(log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["region"]["startLine"], 4);
    let ran = run(&["check", &folder.text("wrong.yaml"), "--format", "sarif"], b"");
    assert_eq!(ran.code, 65);
    assert!(ran.text().contains("P0025"));
}

#[test]
fn help_explains_codes_and_subcommands() {
    assert!(run(&["help", "p0007"], b"").text().starts_with("P0007: An action that does not exist"));
    assert!(run(&["help", "keys", "new"], b"").text().contains("never overwritten"));
    assert_eq!(run(&["help", "P9999"], b"").code, 64);
}

#[test]
fn the_schema_is_json() {
    let schema: serde_json::Value = serde_json::from_str(run(&["schema"], b"").text()).unwrap();
    assert_eq!(schema["required"][0], "version");
}
