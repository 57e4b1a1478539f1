//! `privet demo`.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::run;

/// What stands in the agent's traffic and in nothing that a rule leaves alone.
const IDENTIFIERS: &[&str] = &["web-1", "db-1", "corp.example", "192.0.2.", "2001:db8", "198.51.100.", "203.0.113."];

fn demo(more: &[&str]) -> Value {
    let ran = run(&[&["demo", "--format", "json"], more].concat(), b"");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    serde_json::from_slice(&ran.stdout).unwrap()
}

fn texts(report: &Value) -> impl Iterator<Item = &Value> {
    report["records"].as_array().unwrap().iter().flat_map(|record| record["texts"].as_array().unwrap())
}

#[test]
fn every_signal_goes_through_and_no_identifier_does() {
    let report = demo(&[]);
    assert_eq!(report["leaked"], Value::from(Vec::<Value>::new()));
    assert_eq!((&report["sent"]["requests"], &report["arrived"]["requests"]), (&4.into(), &4.into()));
    for signal in ["logs", "metrics", "traces", "profiles"] {
        let records = report["records"].as_array().unwrap().iter().filter(|record| record["signal"] == signal);
        assert!(records.clone().count() > 1 && records.clone().any(|record| record["arrived"] == true), "{signal}");
        assert!(records.clone().any(|record| !record["rules"].as_array().unwrap().is_empty()), "{signal}");
    }
    for identifier in IDENTIFIERS {
        let stands =
            |side: &'static str| texts(&report).any(|text| text[side].as_str().is_some_and(|t| t.contains(identifier)));
        assert!(stands("sent"), "{identifier} was not sent");
        assert!(!stands("arrived"), "{identifier} arrived");
    }
}

#[test]
fn one_host_has_one_token_in_every_signal() {
    let report = demo(&[]);
    let host = &report["same_token"][0];
    assert_eq!(host["value"], "web-1.prod.corp.example");
    for signal in ["logs", "metrics", "traces", "profiles"] {
        assert!(host["times"][signal].as_u64().unwrap() > 0, "{signal}: {host}");
    }
    // It is the one that the resource has, in each of them.
    let names: Vec<_> =
        texts(&report).filter(|text| text["name"] == "host.name").map(|text| &text["arrived"]).collect();
    assert_eq!(names, [&host["token"]; 4]);
}

#[test]
fn what_must_stay_is_gone_and_what_no_rule_is_about_is_untouched() {
    let report = demo(&[]);
    let gone = texts(&report).find(|text| text["name"] == "process.command_line").unwrap();
    assert_eq!(gone["arrived"], Value::Null);
    let records = report["records"].as_array().unwrap();
    let dropped: Vec<_> = records.iter().filter(|record| record["arrived"] == false).collect();
    assert_eq!(dropped.len(), 1);
    assert_eq!(dropped[0]["rules"][0]["rule"], "dns-queries-stay");
    let clean = texts(&report).find(|text| text["sent"].as_str().unwrap().starts_with("cache warmed")).unwrap();
    assert_eq!(clean["sent"], clean["arrived"]);
}

#[test]
fn the_sidecars_own_counters_say_which_rule_did_what() {
    let report = demo(&[]);
    let acted = |rule: &str| report["rules"].as_array().unwrap().iter().find(|acted| acted["rule"] == rule).cloned();
    for (rule, action) in [
        ("addresses-in-text", "pseudonymise"),
        ("credentials-in-text", "redact"),
        ("command-lines-stay", "stay"),
        ("dns-queries-stay", "drop_record"),
    ] {
        let acted = acted(rule).unwrap_or_else(|| panic!("{rule}: {}", report["rules"]));
        assert!(acted["action"] == action && acted["times"].as_u64() > Some(0), "{acted}");
    }
}

#[test]
fn for_people_it_fits_the_page_and_is_quick() {
    let began = Instant::now();
    let ran = run(&["demo"], b"");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    assert!(!ran.text().contains('\u{1b}'), "colours are for terminals");
    for heading in ["LOGS", "METRICS", "TRACES", "PROFILES", "ONE THING, ONE TOKEN", "RULES THAT ACTED"] {
        assert!(ran.text().lines().any(|line| line.starts_with(heading)), "{heading}");
    }
    assert!(ran.text().contains("None of the"), "{}", ran.text());
    for line in ran.text().lines() {
        assert!(line.chars().count() <= 120, "{line}");
    }
}

#[test]
fn a_policy_of_ones_own_takes_the_place_of_the_demos() {
    let directory = tempfile::tempdir().unwrap();
    let policy = directory.path().join("policy.yaml");
    fs::write(&policy, "version: 1\nname: mine\nextends: [base]\n").unwrap();
    let report = demo(&["--policy", policy.to_str().unwrap()]);
    assert_eq!(report["policy"], "mine");
    assert!(report["records"].as_array().unwrap().iter().all(|record| record["arrived"] == true));

    fs::write(&policy, "version: 1\nname: mine\nrulez: []\n").unwrap();
    let ran = run(&["demo", "--policy", policy.to_str().unwrap()], b"");
    assert_eq!(ran.code, 65, "{}", ran.stderr);
    assert!(ran.stderr.contains("rulez"), "{}", ran.stderr);
}
