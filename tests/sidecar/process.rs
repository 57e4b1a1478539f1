//! The binary: exit codes, signals, what it writes.

use std::fs;
use std::io::BufRead;
use std::net::TcpListener;

use privet::grpc::Code;

use crate::support::agent::Agent;
use crate::support::destination::Destination;
use crate::support::process::{Process, privet, run};
use crate::support::{CANARY, eventually, log};

#[tokio::test]
async fn nothing_that_it_logs_shows_a_value_and_sigterm_ends_it_well() {
    let destination = Destination::default();
    let url = destination.clone().start().await;
    let process = Process::start(&["--destination", &url], &[]);
    let agent = Agent::connect(process.listen).await;
    assert_eq!(agent.export(&log(&format!("from {CANARY}"))).await.code(), Code::Ok);
    destination.answer(Err(tonic::Status::internal(format!("lost {CANARY}"))));
    assert_eq!(agent.export(&log("x")).await.code(), Code::Internal);
    let (status, log) = process.terminate();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(log.contains("THROW-AWAY KEY") && log.contains("did not accept") && log.contains("stopped"), "{log}");
    assert!(!log.contains(CANARY), "{log}");
    assert!(!destination.seen().contains(CANARY));
}

#[tokio::test]
async fn without_a_destination_each_request_is_a_line_of_json() {
    let mut process = Process::start(&[], &[]);
    let mut lines = process.stdout().lines();
    let agent = Agent::connect(process.listen).await;
    assert_eq!(agent.export(&log("first words")).await.code(), Code::Ok);
    assert_eq!(agent.export(&log(CANARY)).await.code(), Code::Ok);
    let first: serde_json::Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    let body = &first["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]["body"]["stringValue"];
    assert_eq!(body, "first words");
    assert!(!lines.next().unwrap().unwrap().contains(CANARY));
    // Nobody reads any more: what cannot be written is not acknowledged.
    drop(lines);
    assert_eq!(agent.export(&log("lost")).await.code(), Code::Unavailable);
    process.terminate();
}

#[tokio::test]
async fn sighup_loads_again() {
    let folder = tempfile::tempdir().unwrap();
    let policy = folder.path().join("policy.yaml");
    fs::write(&policy, "version: 1\nname: mine\nextends: [base]\n").unwrap();
    let process = Process::start(&["--policy", policy.to_str().unwrap()], &[]);
    // Without a change, which would be seen by itself.
    process.signal("HUP");
    eventually("it says so", || async { process.log().contains("\"reloaded\"") }).await;
    fs::write(&policy, "version: 1\nname: worse\nextendz: [base]\n").unwrap();
    process.signal("HUP");
    eventually("it says so", || async { process.log().contains("reload refused") }).await;
    assert_eq!(process.terminate().0.code(), Some(0));
}

#[test]
fn health_asks_a_running_sidecar() {
    let process = Process::start(&[], &[]);
    let admin = process.admin.to_string();
    let ready = privet(&["health", "--admin", &admin]).output().unwrap();
    assert_eq!((ready.status.code(), &ready.stdout[..]), (Some(0), &b"ready\n"[..]));
    process.terminate();
    assert_eq!(run(&["health", "--admin", &admin]).0, 69);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_tells_of_destinations_when_it_is_asked_about_them() {
    // Reserved, and nobody's yet.
    let vacant = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let process = Process::start(&["--destination", &format!("http://{vacant}")], &[]);
    let admin = process.admin.to_string();
    assert_eq!(run(&["health", "--admin", &admin]).0, 0);
    let (code, why) = run(&["health", "--destinations", "--admin", &admin]);
    assert_eq!(code, 1);
    assert!(why.contains("not ready: default: the destination cannot be reached: Connection refused"), "{why}");
    Destination::default().start_at(vacant).await;
    eventually("it is ready", || async { run(&["health", "--destinations", "--admin", &admin]).0 == 0 }).await;
    process.terminate();
}

#[test]
fn what_is_wrong_has_its_exit_code_and_nothing_is_bound() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let bad_policy = file("policy.yaml", "version: 1\nname: x\nrulez: []\n");
    let bad_config = file("privet.yaml", "lisen: 127.0.0.1:1\n");
    let eu_policy = file("eu.yaml", "version: 1\nname: eu\nextends: [base]\nregions: [eu]\n");
    let keyring = folder.path().join("good").to_str().unwrap().to_owned();
    assert_eq!(run(&["keys", "new", "--out", &keyring]).0, 0);
    let away = ["--destination", "https://otlp.example.com", "--keyring", &keyring];
    let open_keyring = file("keyring", "anything\n");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let free = ["--listen", "127.0.0.1:0", "--admin", "off"];
    for (arguments, code, said) in [
        (vec!["--lisen", "x"], 64, "--listen"),
        (vec!["--destination", "otlp.example:4317"], 64, "http://"),
        (vec!["--policy", &bad_policy], 65, "policy.yaml:3:1"),
        (vec!["--policy", "/nowhere/policy.yaml"], 66, "/nowhere/policy.yaml"),
        (vec!["--config", "/nowhere/privet.yaml"], 66, "/nowhere/privet.yaml"),
        (vec!["--keyring", "/nowhere/keyring"], 66, "/nowhere/keyring"),
        (vec!["--keyring", &open_keyring], 77, "keyring"),
        (vec!["--config", &bad_config], 78, "did you mean `listen`"),
        (vec!["--destination", "https://otlp.example.com"], 78, "privet keys new"),
        ([&away[..], &["--policy", &eu_policy]].concat(), 78, "declares no `region`"),
    ] {
        let (exit, text) = run(&[&["run"], &free[..], &arguments].concat());
        assert_eq!(exit, code, "{arguments:?}: {text}");
        assert!(text.contains(said), "{arguments:?}: {said} is not in {text}");
    }
    let (exit, text) = run(&["run", "--admin", "off", "--listen", &taken]);
    assert!(exit == 69 && text.contains(&taken), "{exit}: {text}");
}

#[test]
fn the_addresses_are_written_to_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ports.json");
    let process = Process::start(&["--ports-file", path.to_str().unwrap()], &[]);
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while !path.exists() {
        assert!(std::time::Instant::now() < deadline);
        std::thread::yield_now();
    }
    let ports: serde_json::Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(ports["listen"], process.listen.to_string());
    assert_eq!(ports["admin"], process.admin.to_string());
    process.terminate();
}

#[tokio::test]
async fn its_own_metrics_go_to_where_the_environment_says() {
    let collector = Destination::default();
    let url = collector.clone().start().await;
    let process = Process::start(&[], &[("OTEL_EXPORTER_OTLP_ENDPOINT", &url)]);
    let agent = Agent::connect(process.listen).await;
    assert_eq!(agent.export(&log(CANARY)).await.code(), Code::Ok);
    let (status, log) = tokio::task::spawn_blocking(move || process.terminate()).await.unwrap();
    assert_eq!(status.code(), Some(0), "{log}");
    let seen = collector.seen();
    assert!(seen.contains("privet.requests") && seen.contains("privet.received"), "{seen}");
    assert!(!seen.contains(CANARY));
}

#[test]
fn own_metrics_that_would_come_back_are_refused() {
    let place = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = place.local_addr().unwrap().to_string();
    drop(place);
    let arguments = ["run", "--listen", &address, "--admin", "off"];
    let endpoint = format!("http://{address}");
    let refused = privet(&arguments).env("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint).output().unwrap();
    let said = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(78), "{said}");
    assert!(said.contains("own listener"), "{said}");
}

#[test]
fn every_command_has_help_and_the_man_page_and_completions_are_made() {
    let output = |arguments: &[&str]| {
        let output = privet(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(output(&["--version"]).starts_with("privet 0."));
    assert!(output(&["run", "--help"]).contains("--destination <URL|stdout>"));
    assert!(output(&["man"]).contains(".TH privet"));
    for shell in ["bash", "zsh", "fish"] {
        assert!(output(&["completions", shell]).contains("destination"), "{shell}");
    }
}
