//! The agent's call is answered with the destination's outcome.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_client::LogsServiceClient;
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsPartialSuccess, ExportLogsServiceResponse};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client::MetricsServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use privet::grpc::{Code, Status};
use prost::Message;
use tokio::net::TcpListener;
use tonic::metadata::{MetadataMap, MetadataValue};

use crate::support::agent::{Agent, LOGS, framed};
use crate::support::destination::Destination;
use crate::support::{CANARY, config, eventually, log, metric, sidecar, stopped};

#[tokio::test]
async fn what_an_agent_sends_arrives_and_full_success_is_an_empty_response() {
    let destination = Destination::default();
    let running = sidecar(&destination.clone().start().await);
    let url = format!("http://{}", running.listen);
    let request = log("nothing to hide");
    let response = LogsServiceClient::connect(url.clone()).await.unwrap().export(request.clone()).await.unwrap();
    assert_eq!(response.into_inner(), ExportLogsServiceResponse::default());
    let metrics = ExportMetricsServiceRequest::default();
    MetricsServiceClient::connect(url.clone()).await.unwrap().export(metrics).await.unwrap();
    let traces = ExportTraceServiceRequest::default();
    TraceServiceClient::connect(url).await.unwrap().export(traces).await.unwrap();
    assert_eq!(destination.logs.lock().unwrap()[0].get_ref(), &request);
    assert_eq!((destination.metrics.lock().unwrap().len(), destination.traces.lock().unwrap().len()), (1, 1));
}

#[tokio::test]
async fn every_status_of_the_destination_reaches_the_agent() {
    let destination = Destination::default();
    let running = sidecar(&destination.clone().start().await);
    let agent = Agent::connect(running.listen).await;
    for code in Code::ALL.into_iter().skip(1) {
        destination.answer(Err(tonic::Status::new(tonic::Code::from_i32(code as i32), "no room left")));
        let answer = agent.export(&log("x")).await;
        assert_eq!((answer.code(), answer.message()), (code, "no room left"));
    }
}

#[tokio::test]
async fn an_address_in_the_destinations_error_text_is_hidden_from_the_agent() {
    let destination = Destination::default();
    let running = sidecar(&destination.clone().start().await);
    let agent = Agent::connect(running.listen).await;
    destination.answer(Err(tonic::Status::invalid_argument(format!("cannot parse {CANARY} here"))));
    let answer = agent.export(&log("x")).await;
    assert_eq!(answer.code(), Code::InvalidArgument);
    assert!(answer.message().starts_with("cannot parse "), "{answer:?}");
    assert!(!answer.message().contains(CANARY), "{answer:?}");
}

#[tokio::test]
async fn a_partial_success_is_passed_on_with_its_text_filtered() {
    let destination = Destination::default();
    let running = sidecar(&destination.clone().start().await);
    let agent = Agent::connect(running.listen).await;
    let error_message = format!("rejected: {CANARY}");
    let partial = ExportLogsPartialSuccess { rejected_log_records: 3, error_message };
    destination.answer(Ok(ExportLogsServiceResponse { partial_success: Some(partial) }));
    let answer = agent.export(&log("x")).await;
    assert_eq!(answer.code(), Code::Ok);
    let partial = ExportLogsServiceResponse::decode(answer.body).unwrap().partial_success.unwrap();
    assert_eq!(partial.rejected_log_records, 3);
    assert!(partial.error_message.starts_with("rejected: ") && !partial.error_message.contains(CANARY));
}

#[tokio::test]
async fn the_destinations_wish_to_be_asked_later_is_passed_on() {
    let destination = Destination::default();
    let running = sidecar(&destination.clone().start().await);
    let agent = Agent::connect(running.listen).await;
    let mut headers = http::HeaderMap::new();
    let throttled = Status::new(Code::ResourceExhausted, "", "slow down").retry_after(Duration::from_millis(2500));
    throttled.write(&mut headers);
    let details = headers["grpc-status-details-bin"].to_str().unwrap();
    let mut metadata = MetadataMap::new();
    let details: MetadataValue<tonic::metadata::Binary> = binary(details);
    metadata.insert_bin("grpc-status-details-bin", details);
    destination.answer(Err(tonic::Status::with_metadata(tonic::Code::ResourceExhausted, "slow down", metadata)));
    let answer = agent.export(&log("x")).await;
    assert_eq!((answer.code(), answer.retry_after()), (Code::ResourceExhausted, Some(Duration::from_millis(2500))));
}

/// Binary metadata out of its base64.
fn binary(base64: &str) -> MetadataValue<tonic::metadata::Binary> {
    use base64::Engine;
    MetadataValue::from_bytes(&base64::engine::general_purpose::STANDARD_NO_PAD.decode(base64).unwrap())
}

#[tokio::test]
async fn a_request_too_large_for_the_destination_is_not_to_be_retried_for_ever() {
    // tonic says OUT_OF_RANGE there, which agents retry.
    let destination = Destination::default();
    let running = sidecar(&destination.clone().start().await);
    let agent = Agent::connect(running.listen).await;
    let answer = agent.export(&log(&"word ".repeat(300_000))).await;
    assert_eq!((answer.code(), answer.retry_after()), (Code::ResourceExhausted, None));
}

#[tokio::test]
async fn a_destination_that_is_down_is_unavailable_at_once_and_used_when_it_is_back() {
    let place = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = place.local_addr().unwrap();
    drop(place);
    let running = sidecar(&format!("http://{address}"));
    let agent = Agent::connect(running.listen).await;
    let asked = Instant::now();
    for _ in 0..3 {
        assert_eq!(agent.export(&log("x")).await.code(), Code::Unavailable);
    }
    assert!(asked.elapsed() < Duration::from_secs(3));
    assert!(metric(&running, "privet_destination_failures_total{destination=\"default\"}").await >= 1.0);
    let destination = Destination::default();
    destination.clone().start_at(address).await;
    eventually("the destination is used again", || async { agent.export(&log("x")).await.code() == Code::Ok }).await;
    assert_eq!(destination.logs.lock().unwrap().len(), 1, "what was refused was not sent behind the agent's back");
}

#[tokio::test]
async fn a_destination_that_does_not_answer_is_given_up_at_the_agents_deadline() {
    let gate = Some(Arc::new(tokio::sync::Semaphore::new(0)));
    let running = sidecar(&Destination { gate, ..Destination::default() }.start().await);
    let agent = Agent::connect(running.listen).await;
    let frame = framed(&log("x").encode_to_vec(), false);
    let answer = agent.call(LOGS, &[("grpc-timeout", "100m")], &[frame]).await;
    assert_eq!(answer.code(), Code::DeadlineExceeded);
}

/// A destination that treats its first call in a way of its own, and accepts the next.
async fn moody(first: fn(&mut h2::server::SendResponse<Bytes>)) -> (String, Arc<std::sync::atomic::AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let calls = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let counted = Arc::clone(&counted);
            tokio::spawn(async move {
                let mut connection = h2::server::handshake(socket).await.unwrap();
                while let Some(Ok((_, mut respond))) = connection.accept().await {
                    if counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0 {
                        first(&mut respond);
                    } else {
                        let response = http::Response::builder().header("grpc-status", "0").body(()).unwrap();
                        let _ = respond.send_response(response, true);
                    }
                }
            });
        }
    });
    (url, calls)
}

#[tokio::test]
async fn a_call_that_the_destination_refused_unseen_is_sent_once_more() {
    let (url, calls) = moody(|respond| respond.send_reset(h2::Reason::REFUSED_STREAM)).await;
    let running = sidecar(&url);
    let answer = Agent::connect(running.listen).await.export(&log("x")).await;
    assert_eq!(answer.code(), Code::Ok);
    assert_eq!(calls.load(std::sync::atomic::Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_call_that_broke_off_after_it_was_seen_is_not_sent_again() {
    let (url, calls) = moody(|respond| respond.send_reset(h2::Reason::INTERNAL_ERROR)).await;
    let running = sidecar(&url);
    let answer = Agent::connect(running.listen).await.export(&log("x")).await;
    assert_eq!(answer.code(), Code::Unavailable);
    assert_eq!(calls.load(std::sync::atomic::Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_peer_that_speaks_no_grpc_is_understood_by_its_http_status() {
    let (url, _) = moody(|respond| {
        let response = http::Response::builder().status(503).body(()).unwrap();
        let _ = respond.send_response(response, true);
    })
    .await;
    let running = sidecar(&url);
    let answer = Agent::connect(running.listen).await.export(&log("x")).await;
    assert_eq!(answer.code(), Code::Unavailable);
}

#[tokio::test]
async fn headers_come_from_files_and_the_agents_own_are_not_passed_on() {
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "s3cret\n").unwrap();
    let destination = Destination::default();
    let mut config = config(&destination.clone().start().await);
    let privet::config::To::Grpc(grpc) = &mut config.destinations[0].to else { unreachable!() };
    grpc.gzip = None;
    grpc.headers =
        vec![privet::send::Header { name: "authorization".into(), prefix: "Bearer ".into(), file: Some(token) }];
    let running = privet::run::start(&config).unwrap();
    let agent = Agent::connect(running.listen).await;
    let frame = framed(&log("x").encode_to_vec(), false);
    agent.call(LOGS, &[("authorization", "agent"), ("x-host", CANARY)], &[frame]).await;
    let requests = destination.logs.lock().unwrap();
    let metadata = requests[0].metadata();
    assert_eq!(metadata.get_all("authorization").iter().collect::<Vec<_>>(), ["Bearer s3cret"]);
    assert!(metadata.get("x-host").is_none());
}

#[tokio::test]
async fn calls_in_flight_are_answered_before_a_sidecar_stops() {
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    let destination = Destination { gate: Some(Arc::clone(&gate)), ..Destination::default() };
    let running = sidecar(&destination.clone().start().await);
    let listen = running.listen;
    let agent = Agent::connect(listen).await;
    let call = tokio::spawn(async move { agent.export(&log("x")).await });
    eventually("the call arrives", || async { !destination.logs.lock().unwrap().is_empty() }).await;
    running.stop();
    eventually("nothing new is accepted", || async { tokio::net::TcpStream::connect(listen).await.is_err() }).await;
    gate.add_permits(1);
    assert_eq!(call.await.unwrap().code(), Code::Ok);
    assert!(stopped(running).await, "all calls were answered");
}
