//! Several destinations, each with its own policy and recipient.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsPartialSuccess, ExportLogsServiceResponse};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use privet::config::{Config, Destination as Configured};
use privet::grpc::Code;
use privet::run::{Running, StartError, start};
use prost::Message;
use tokio::sync::Semaphore;

use crate::support::agent::Agent;
use crate::support::destination::Destination;
use crate::support::{CANARY, config, eventually, log, metric, stopped};

/// Keeps everything.
const OPEN: &str = "version: 1\nname: open\nrules:\n  - {name: nothing, keys: [no.such.key], action: stay}\nkeep: []\n";

fn to(name: &str, url: &str) -> Configured {
    Configured { name: name.into(), ..Configured::from(url.parse::<privet::send::Endpoint>().unwrap()) }
}

fn with_policy(folder: &Path, name: &str, text: &str) -> Vec<PathBuf> {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    vec![path]
}

fn several(destinations: Vec<Configured>) -> Running {
    start(&Config { destinations, ..config("http://127.0.0.1:1") }).unwrap()
}

/// The bodies that arrived.
fn bodies(destination: &Destination) -> Vec<String> {
    let requests = destination.logs.lock().unwrap();
    requests.iter().map(|request| body(request.get_ref())).collect()
}

fn body(request: &ExportLogsServiceRequest) -> String {
    let record = &request.resource_logs[0].scope_logs[0].log_records[0];
    match record.body.as_ref().and_then(|body| body.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn each_gets_what_its_policy_permits_with_its_own_tokens() {
    let folder = tempfile::tempdir().unwrap();
    let [vendor, twin, other, own] = [(); 4].map(|()| Destination::default());
    let url = async |destination: &Destination| destination.clone().start().await;
    let mut destinations = vec![
        to("vendor", &url(&vendor).await),
        to("twin", &url(&twin).await),
        to("other", &url(&other).await),
        to("own", &url(&own).await),
    ];
    destinations[0].recipient = Some("vendor".into());
    destinations[1].recipient = Some("vendor".into());
    // The built-in policy again, in a file of its own.
    destinations[1].policies = with_policy(folder.path(), "base.yaml", include_str!("../../rules/base.yaml"));
    destinations[2].recipient = Some("other".into());
    destinations[3].policies = with_policy(folder.path(), "open.yaml", OPEN);
    let running = several(destinations);
    assert_eq!(running.state().loaded().passes.len(), 3, "who gets the same shares a pass");
    let agent = Agent::connect(running.listen).await;
    let answer = agent.export(&log(&format!("from {CANARY}"))).await;
    assert_eq!((answer.code(), answer.body.len()), (Code::Ok, 0));

    let [vendor, twin, other, own] = [&vendor, &twin, &other, &own].map(|destination| bodies(destination).concat());
    assert_eq!(own, format!("from {CANARY}"));
    assert!(vendor.starts_with("from ip_") && !vendor.contains(CANARY), "{vendor}");
    assert_eq!(vendor, twin);
    assert!(other.starts_with("from ip_") && other != vendor, "recipients cannot join: {other}");
    let rule = "privet_rule_actions_total{signal=\"logs\",rule=\"addresses-in-text\",action=\"pseudonymise\"";
    assert_eq!(metric(&running, &format!("{rule},destination=\"vendor,twin\"}}")).await, 1.0);
    assert_eq!(metric(&running, &format!("{rule},destination=\"other\"}}")).await, 1.0);
}

#[tokio::test]
async fn success_is_told_only_when_every_required_one_took_it() {
    let (first, second) = (Destination::default(), Destination::default());
    let urls = [first.clone().start().await, second.clone().start().await];
    let running = several(vec![to("first", &urls[0]), to("second", &urls[1])]);
    let agent = Agent::connect(running.listen).await;
    for (at_first, at_second, told, text) in [
        (None, Some(tonic::Code::InvalidArgument), Code::InvalidArgument, "second: no"),
        (Some(tonic::Code::InvalidArgument), Some(tonic::Code::Unavailable), Code::Unavailable, "second: no"),
        (Some(tonic::Code::Unavailable), None, Code::Unavailable, "first: no"),
        (None, None, Code::Ok, ""),
    ] {
        for (destination, code) in [(&first, at_first), (&second, at_second)] {
            if let Some(code) = code {
                destination.answer(Err(tonic::Status::new(code, "no")));
            }
        }
        let answer = agent.export(&log("x")).await;
        assert_eq!((answer.code(), answer.message()), (told, text));
        let arrived = [&first, &second].map(|destination| std::mem::take(&mut *destination.logs.lock().unwrap()).len());
        assert_eq!(arrived, [1, 1], "one that refuses keeps nothing from the other");
    }
    let partial =
        |rejected_log_records| ExportLogsPartialSuccess { rejected_log_records, error_message: "full".into() };
    first.answer(Ok(ExportLogsServiceResponse { partial_success: Some(partial(1)) }));
    second.answer(Ok(ExportLogsServiceResponse { partial_success: Some(partial(2)) }));
    let answer = agent.export(&log("x")).await;
    let told = ExportLogsServiceResponse::decode(answer.body).unwrap().partial_success.unwrap();
    assert_eq!((told.rejected_log_records, told.error_message.as_str()), (2, "second: full"));
    // What no parser would take goes to nobody.
    let malformed = crate::support::agent::framed(b"\x0a\x05x", false);
    let seen = first.logs.lock().unwrap().len();
    assert_eq!(agent.call(crate::support::agent::LOGS, &[], &[malformed]).await.code(), Code::InvalidArgument);
    assert_eq!(first.logs.lock().unwrap().len(), seen);
}

#[tokio::test]
async fn one_that_is_not_required_keeps_nobody_waiting_and_what_it_does_not_get_is_counted() {
    let gate = Arc::new(Semaphore::new(0));
    let (main, slow) =
        (Destination::default(), Destination { gate: Some(Arc::clone(&gate)), ..Destination::default() });
    let mut destinations = vec![
        to("main", &main.clone().start().await),
        to("slow", &slow.clone().start().await),
        to("down", "http://127.0.0.1:1"),
    ];
    destinations[1].required = false;
    destinations[2].required = false;
    let running = several(destinations);
    let agent = Agent::connect(running.listen).await;
    let asked = Instant::now();
    for _ in 0..3 {
        assert_eq!(agent.export(&log("x")).await.code(), Code::Ok);
    }
    assert!(asked.elapsed() < Duration::from_secs(5));
    assert_eq!(main.logs.lock().unwrap().len(), 3);
    let given_up = |name: &str| format!("privet_destination_given_up_total{{destination=\"{name}\"}}");
    eventually("what is lost is counted", || async { metric(&running, &given_up("down")).await == 3.0 }).await;
    assert_eq!(metric(&running, &given_up("slow")).await, 0.0);

    // What waits is sent before the process ends.
    eventually("they are on their way", || async { slow.logs.lock().unwrap().len() == 3 }).await;
    let stopping = tokio::spawn(stopped(running));
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!stopping.is_finished());
    gate.add_permits(3);
    assert!(stopping.await.unwrap(), "all were answered");
}

#[tokio::test]
async fn no_more_waits_for_one_that_is_not_required_than_its_share() {
    let gate = Arc::new(Semaphore::new(0));
    let slow = Destination { gate: Some(Arc::clone(&gate)), ..Destination::default() };
    let mut config = config(&Destination::default().start().await);
    config.limits.in_flight = 8 << 20;
    config.destinations.push(Configured { required: false, ..to("slow", &slow.clone().start().await) });
    let running = start(&config).unwrap();
    let agent = Agent::connect(running.listen).await;
    let request = log(&"word ".repeat(60_000));
    for _ in 0..10 {
        assert_eq!(agent.export(&request).await.code(), Code::Ok);
    }
    // A mebibyte holds three of them.
    assert_eq!(metric(&running, "privet_destination_given_up_total{destination=\"slow\"}").await, 7.0);
    gate.add_permits(10);
    eventually("they arrive", || async { slow.logs.lock().unwrap().len() == 3 }).await;
}

#[tokio::test]
async fn what_one_may_see_is_not_told_to_the_agent_where_another_may_not() {
    let folder = tempfile::tempdir().unwrap();
    let (vendor, own) = (Destination::default(), Destination::default());
    let mut destinations = vec![to("vendor", &vendor.start().await), to("own", &own.clone().start().await)];
    destinations[1].policies = with_policy(folder.path(), "open.yaml", OPEN);
    let running = several(destinations);
    own.answer(Err(tonic::Status::internal(format!("lost {CANARY}"))));
    let answer = Agent::connect(running.listen).await.export(&log(CANARY)).await;
    assert_eq!(answer.code(), Code::Internal);
    assert!(answer.message().starts_with("own: lost ") && !answer.message().contains(CANARY), "{answer:?}");
    assert_eq!(bodies(&own), [CANARY]);
}

#[test]
fn destinations_none_of_which_is_required_do_not_start() {
    let destinations = vec![Configured { required: false, ..to("a", "http://127.0.0.1:1") }];
    let refused = start(&Config { destinations, ..config("http://127.0.0.1:1") }).err();
    assert!(matches!(refused, Some(StartError::NoneRequired)), "{refused:?}");
}
