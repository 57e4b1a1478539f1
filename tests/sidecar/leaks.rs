//! The requests of `tests/leaks`, each through a running process: no canary in what is delivered, in what the agent is told,
//! in the logs, on standard output, in the metrics, in the audit trail.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use privet::grpc::Code;
use privet::otlp::Signal;

use crate::canaries::{CANARIES, positions_of};
use crate::support::agent::{Agent, framed};
use crate::support::get;
use crate::support::process::{Process, privet};
use crate::support::witness::Witness;

/// An Export call with a canary in it.
struct Case {
    name: String,
    path: &'static str,
    request: Vec<u8>,
    /// Text where there must be an identifier of a fixed length, or half a message: nothing of it may arrive.
    is_malformed: bool,
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for signal in Signal::ALL {
        let path = signal.grpc_path();
        for position in &positions_of(signal) {
            for canary in CANARIES {
                let request = position.request(canary.text);
                assert!(canary.is_in(&request), "{position}: the canary is not in the request");
                cases.push(Case {
                    name: format!("{position}: {}", canary.text),
                    path,
                    request,
                    is_malformed: position.is_id(),
                });
            }
        }
        // The same, broken off behind the canary.
        for position in positions_of(signal).iter().step_by(25) {
            for canary in CANARIES {
                let mut request = position.request(canary.text);
                request.extend(b"\x0a\x01");
                cases.push(Case {
                    name: format!("{position}, cut: {}", canary.text),
                    path,
                    request,
                    is_malformed: true,
                });
            }
        }
    }
    cases
}

/// Those of the canaries that are in there.
fn seen_in(haystack: &[u8]) -> Vec<&'static str> {
    CANARIES.iter().filter(|canary| canary.is_in(haystack)).map(|canary| canary.text).collect()
}

/// Sends all cases, some at a time; what is wrong with what the agent is told.
async fn send(agent: &Agent, cases: &Arc<Vec<Case>>) -> Vec<String> {
    let next = Arc::new(AtomicUsize::new(0));
    let mut senders = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let (agent, cases, next) = (agent.clone(), Arc::clone(cases), Arc::clone(&next));
        senders.spawn(async move {
            let mut wrong = Vec::new();
            while let Some(case) = cases.get(next.fetch_add(1, SeqCst)) {
                let frames = [framed(&case.request, false)];
                // An agent's headers go nowhere, and a wrong one is no reason to quote it.
                let answer = agent.call(case.path, &[("x-forwarded-for", "203.0.113.77")], &frames).await;
                if case.is_malformed != (answer.code() == Code::InvalidArgument) {
                    wrong.push(format!("{}: answered {answer:?}", case.name));
                }
                let seen = seen_in(&answer.told());
                if !seen.is_empty() {
                    wrong.push(format!("{}: the agent is told {seen:?}: {answer:?}", case.name));
                }
            }
            wrong
        });
    }
    senders.join_all().await.concat()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_canary_leaves_a_running_sidecar_by_any_way() {
    let witness = Witness::quoting(CANARIES.iter().map(|canary| canary.text.to_owned()));
    let url = format!("http://{}", witness.clone().start().await);
    let folder = tempfile::tempdir().unwrap();
    let (config, trail) = (folder.path().join("privet.yaml"), folder.path().join("trail"));
    std::fs::write(&config, "audit: {directory: trail}\n").unwrap();
    let mut process = Process::start(&["--destination", &url, "--config", config.to_str().unwrap()], &[]);
    let (admin, mut stdout) = (process.admin, process.stdout());
    let cases = Arc::new(cases());
    let wrong = send(&Agent::connect(process.listen).await, &cases).await;
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong[..wrong.len().min(40)].join("\n"));

    let metrics = tokio::task::spawn_blocking(move || get(admin, "/metrics").1).await.unwrap();
    let (status, log) = tokio::task::spawn_blocking(move || process.terminate()).await.unwrap();
    let mut written = String::new();
    stdout.read_to_string(&mut written).unwrap();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(metrics.contains("privet_rule_actions_total") && log.contains("did not accept"), "nothing was looked at");
    let report = privet(&["audit", "report", trail.to_str().unwrap(), "--format", "json"]).output().unwrap();
    let report = String::from_utf8(report.stdout).unwrap();
    let files = std::fs::read_dir(&trail).unwrap().map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap());
    let trail: String = files.collect();
    assert!(
        trail.contains("attribute.keys") && trail.contains("(other keys)") && trail.contains("bad_length"),
        "{trail}"
    );
    for (place, text) in [
        ("the log", &log),
        ("standard output", &written),
        ("the metrics", &metrics),
        ("the audit trail", &trail),
        ("its report", &report),
    ] {
        assert_eq!(seen_in(text.as_bytes()), [""; 0], "in {place}:\n{text}");
    }

    let delivered = witness.delivered.lock().unwrap();
    let whole = cases.iter().filter(|case| !case.is_malformed).count();
    assert!(whole > 5_000 && cases.len() > whole, "{whole} of {}", cases.len());
    assert_eq!(delivered.len(), whole, "each request that is OTLP arrives once");
    for request in delivered.iter() {
        assert_eq!(seen_in(request), [""; 0], "delivered: {:?}", String::from_utf8_lossy(request));
    }
}

#[tokio::test]
async fn without_a_sidecar_every_canary_would_be_seen() {
    let witness = Witness::quoting(CANARIES.iter().map(|canary| canary.text.to_owned()));
    let agent = Agent::connect(witness.clone().start().await).await;
    let position = &positions_of(Signal::Logs)[0];
    for call in 0..60 {
        let canary = &CANARIES[call % CANARIES.len()];
        let frames = [framed(&position.request(canary.text), false)];
        let told = agent.call(Signal::Logs.grpc_path(), &[], &frames).await.told();
        assert_eq!(canary.is_in(&told), call % 4 > 0, "{call}: {canary:?}");
        let delivered = witness.delivered.lock().unwrap().last().unwrap().clone();
        assert!(canary.is_in(&delivered), "{call}: {canary:?}");
    }
}
