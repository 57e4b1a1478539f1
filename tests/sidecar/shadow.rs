//! A candidate policy beside the one in force: counted, shown, and of no effect.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use privet::grpc::Code;
use privet::otlp::Signal;
use prost::Message;
use serde_json::{Value, json};

use crate::canaries::{CANARIES, positions_of};
use crate::support::agent::{Agent, framed};
use crate::support::destination::Destination;
use crate::support::process::{Process, ask};
use crate::support::witness::Witness;
use crate::support::{CANARY, eventually, get, log};

const LIVE: &str = "\
version: 1
name: live
extends: [base]
rules:
  - {name: teams, keys: [team], as: user, action: pseudonymise}
  - {name: debug, keys: [debug], action: drop_record}
";

/// Shows teams, hides colours, takes users for hosts, drops nothing.
const CANDIDATE: &str = "\
version: 1
name: candidate
extends: [base]
rules:
  - {name: colours, keys: [colour], action: stay}
  - {name: shops, keys: [shop], as: host, action: pseudonymise}
";

/// The files of a sidecar, in a folder of their own.
struct Files(tempfile::TempDir);

impl Files {
    fn new(destination: &str, live: &str, candidate: Option<&str>) -> Files {
        let files = Files(tempfile::tempdir().unwrap());
        let keyring = files.path().join("keyring");
        assert_eq!(ask(&["keys", "new", "--out", keyring.to_str().unwrap()]).0, 0);
        files.write("live.yaml", live);
        let shadow = candidate.map_or("", |_| "shadow: {policy: candidate.yaml}\n");
        files.write("candidate.yaml", candidate.unwrap_or(""));
        files.write(
            "privet.yaml",
            &format!("recipient: vendor\nkeyring: keyring\npolicy: live.yaml\ndestination: {destination}\n{shadow}"),
        );
        files
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path().join(name), text).unwrap();
    }

    fn start(&self) -> Process {
        Process::start(&["--config", self.path().join("privet.yaml").to_str().unwrap()], &[])
    }
}

fn record(attributes: &[(&str, &str)]) -> ExportLogsServiceRequest {
    let mut request = log("nothing to hide");
    request.resource_logs[0].scope_logs[0].log_records[0].attributes = attributes
        .iter()
        .map(|(key, value)| {
            let value = Some(AnyValue { value: Some(any_value::Value::StringValue((*value).into())) });
            KeyValue { key: (*key).into(), value, ..KeyValue::default() }
        })
        .collect();
    request
}

/// What `privet shadow` says, once that many records have been compared.
async fn compared(process: &Process, records: u64) -> (i32, Value) {
    eventually("all is compared", || async { shown(process).await.1["records"] == records }).await;
    shown(process).await
}

/// Rows as `part key change rule>rule values`.
fn rows(shadow: &Value) -> Vec<String> {
    let text = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
    let row = |row: &Value| {
        let [part, key, change, rule, candidate] =
            ["part", "key", "change", "rule", "candidate_rule"].map(|name| text(row, name));
        format!("{part} {key} {change} {rule}>{candidate} {}", row["values"])
    };
    shadow["disagreements"].as_array().unwrap().iter().map(row).collect()
}

/// Every place of every signal, with a canary in it.
fn everywhere() -> Vec<(Signal, Vec<u8>)> {
    let positions =
        Signal::ALL.into_iter().flat_map(|signal| positions_of(signal).into_iter().map(move |at| (signal, at)));
    let whole = positions.filter(|(_, position)| !position.is_id());
    let mut requests: Vec<_> =
        whole.zip(CANARIES.iter().cycle()).map(|((signal, at), canary)| (signal, at.request(canary.text))).collect();
    requests.push((Signal::Logs, record(&[("last", "")]).encode_to_vec()));
    requests
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_delivered_is_the_same_to_the_byte_with_a_candidate_and_without() {
    let requests = Arc::new(everywhere());
    let files = Files::new("stdout", LIVE, None);
    let mut delivered: Vec<Vec<Bytes>> = Vec::new();
    // Nearly nothing of it leaves the same; the last request tells that all before it have been compared.
    let candidate = "version: 1\nname: other\nrules:
  - {name: all, keys: ['*'], action: stay}
  - {name: last, keys: [last], action: drop_record}\n";
    for shadow in ["", "shadow: {policy: candidate.yaml}\n"] {
        let witness = Witness::default();
        let url = format!("http://{}", witness.clone().start().await);
        files.write("candidate.yaml", candidate);
        let config = format!("recipient: vendor\nkeyring: keyring\npolicy: live.yaml\ndestination: {url}\n{shadow}");
        files.write("privet.yaml", &config);
        let process = files.start();
        let agent = Agent::connect(process.listen).await;
        for (signal, request) in requests.iter() {
            let answer = agent.call(signal.grpc_path(), &[], &[framed(request, false)]).await;
            assert_eq!(answer.code(), Code::Ok, "{answer:?}");
        }
        if !shadow.is_empty() {
            let admin = process.admin;
            eventually("all is compared", || async move {
                let metrics = tokio::task::spawn_blocking(move || get(admin, "/metrics").1).await.unwrap();
                let count = |name: &str| -> f64 {
                    let lines = metrics.lines().filter_map(|line| line.strip_prefix(name));
                    lines.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
                };
                let done = metrics.contains("candidate_rule=\"last\"");
                assert_eq!(count("privet_shadow_not_compared_total"), 0.0, "{metrics}");
                assert!(!done || count("privet_shadow_disagreements_total") > 100.0, "{metrics}");
                done
            })
            .await;
            let metrics = tokio::task::spawn_blocking(move || get(admin, "/metrics").1).await.unwrap();
            let admin = admin.to_string();
            let (_, told) = tokio::task::spawn_blocking(move || ask(&["shadow", "--admin", &admin])).await.unwrap();
            let (_, log) = tokio::task::spawn_blocking(move || process.terminate()).await.unwrap();
            assert!(log.contains("shadow: compared"), "{log}");
            for canary in CANARIES {
                for (place, text) in [("metrics", &metrics), ("log", &log), ("privet shadow", &told)] {
                    assert!(!canary.is_in(text.as_bytes()), "{} in {place}:\n{text}", canary.text);
                }
            }
        }
        let seen = std::mem::take(&mut *witness.delivered.lock().unwrap());
        delivered.push(seen);
    }
    assert_eq!(delivered[0].len(), requests.len());
    assert!(delivered[0] == delivered[1], "something is delivered otherwise");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn disagreements_are_counted_by_field_and_rule_exactly_and_show_no_value() {
    let destination = Destination::default();
    let files = Files::new(&destination.clone().start().await, LIVE, Some(CANDIDATE));
    let process = files.start();
    let agent = Agent::connect(process.listen).await;
    let send = async |times: usize, attributes: &[(&str, &str)]| {
        for _ in 0..times {
            assert_eq!(agent.export(&record(attributes)).await.code(), Code::Ok);
        }
    };
    send(5, &[("team", "falcons"), ("user.name", "alice")]).await;
    send(2, &[("acme.Team", "falcons"), (CANARY, "x")]).await;
    send(3, &[("colour", "vermilion")]).await;
    send(4, &[("debug", "yes"), ("team", "falcons")]).await;
    send(6, &[("client.address", CANARY)]).await;
    // What is not delivered is sent again, and counted once.
    destination.answer(Err(tonic::Status::unavailable("later")));
    assert_eq!(agent.export(&record(&[("team", "falcons")])).await.code(), Code::Unavailable);
    let (code, shadow) = compared(&process, 20).await;
    assert_eq!(
        rows(&shadow),
        [
            "record  newly_leaves debug> 4",
            "record.attributes *.team newly_leaves teams> 2",
            "record.attributes colour no_longer_leaves >colours 3",
            "record.attributes team newly_leaves teams> 5",
        ]
    );
    assert_eq!((code, &shadow["name"], &shadow["destinations"]), (1, &json!("candidate"), &json!(["default"])));

    let admin = process.admin;
    let (metrics, text) = tokio::task::spawn_blocking(move || {
        (get(admin, "/metrics").1, ask(&["shadow", "--admin", &admin.to_string()]).1)
    })
    .await
    .unwrap();
    let row = "privet_shadow_disagreements_total{destination=\"default\",signal=\"logs\",part=\"record.attributes\",\
               key=\"team\",change=\"newly_leaves\",rule=\"teams\",candidate_rule=\"\"} 5\n";
    assert!(metrics.contains(row), "{row} is not in\n{metrics}");
    assert!(metrics.contains("privet_shadow_loaded{destination=\"default\"} 1\n"), "{metrics}");
    assert!(metrics.contains("privet_shadow_records_total{destination=\"default\",signal=\"logs\"} 20\n"), "{metrics}");
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let lines: Vec<String> = text.lines().map(words).collect();
    assert!(lines.contains(&"logs record.attributes team newly leaving 5 teams → no rule".to_owned()), "{text}");
    assert!(text.contains("20 records compared\n") && text.contains("More would leave, in 11 values."), "{text}");
    let (_, log) = tokio::task::spawn_blocking(move || process.terminate()).await.unwrap();
    assert!(log.contains("\"widening\":11"), "the last word: {log}");
    for (place, told) in [("the metrics", &metrics), ("the log", &log), ("privet shadow", &text)] {
        for value in [CANARY, "falcons", "alice", "vermilion"] {
            assert!(!told.contains(value), "{value} in {place}: {told}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_candidate_that_is_wrong_is_told_and_stops_nothing_and_a_new_one_is_counted_anew() {
    let destination = Destination::default();
    let files = Files::new(&destination.clone().start().await, LIVE, Some("version: 1\nrulez: []\n"));
    let process = files.start();
    let agent = Agent::connect(process.listen).await;
    let team = record(&[("team", "falcons")]);
    assert_eq!(agent.export(&team).await.code(), Code::Ok);
    let (code, shadow) = shown(&process).await;
    assert_eq!(code, 1);
    assert!(shadow["error"].as_str().unwrap().contains("candidate.yaml:2:1"), "{shadow}");
    assert!(process.log().contains("nothing is compared"), "{}", process.log());
    assert!(is_loaded(&process, 0).await);

    files.write("candidate.yaml", CANDIDATE);
    eventually("it is loaded", || is_loaded(&process, 1)).await;
    for _ in 0..3 {
        assert_eq!(agent.export(&team).await.code(), Code::Ok);
    }
    assert_eq!(rows(&compared(&process, 3).await.1), ["record.attributes team newly_leaves teams> 3"]);
    // Something else was changed: it goes on counting.
    let admin = process.admin.to_string();
    let reload = async || {
        let admin = admin.clone();
        tokio::task::spawn_blocking(move || ask(&["reload", "--admin", &admin])).await.unwrap().0
    };
    assert_eq!(reload().await, 0);
    assert_eq!(agent.export(&team).await.code(), Code::Ok);
    assert_eq!(rows(&compared(&process, 4).await.1), ["record.attributes team newly_leaves teams> 4"]);

    files.write(
        "candidate.yaml",
        &LIVE.replace("name: live", "name: same").replace("action: drop_record", "action: stay"),
    );
    assert_eq!(reload().await, 0);
    assert_eq!(agent.export(&team).await.code(), Code::Ok);
    let (code, shadow) = compared(&process, 1).await;
    assert_eq!((code, rows(&shadow).len(), &shadow["name"]), (0, 0, &json!("same")));

    files.write("candidate.yaml", "rulez: []\n");
    assert_eq!(reload().await, 0, "what is in force is right");
    assert!(is_loaded(&process, 0).await);
    assert_eq!(agent.export(&team).await.code(), Code::Ok);
    fs::remove_file(files.path().join("candidate.yaml")).unwrap();
    assert_eq!(reload().await, 0);
    assert_eq!(agent.export(&team).await.code(), Code::Ok);
    assert!(!destination.seen().contains("falcons"));
}

async fn shown(process: &Process) -> (i32, Value) {
    let admin = process.admin.to_string();
    let ask = move || ask(&["shadow", "--admin", &admin, "--format", "json"]);
    let (code, text) = tokio::task::spawn_blocking(ask).await.unwrap();
    (code, serde_json::from_str::<Value>(&text).unwrap()[0].take())
}

async fn is_loaded(process: &Process, expected: u8) -> bool {
    let admin = process.admin;
    let metrics = tokio::task::spawn_blocking(move || get(admin, "/metrics").1).await.unwrap();
    metrics.contains(&format!("privet_shadow_loaded{{destination=\"default\"}} {expected}\n"))
}

#[tokio::test]
async fn a_sidecar_without_candidate_says_so() {
    let process = Process::start(&[], &[]);
    let admin = process.admin.to_string();
    let (code, text) = ask(&["shadow", "--admin", &admin]);
    assert_eq!((code, text.as_str()), (1, ""));
    process.terminate();
}
