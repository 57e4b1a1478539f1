//! What bad input gets: the right status, a count by reason, and the next request is served.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use privet::grpc::Code;
use privet::receive::Limits;
use privet::run::{Running, start};
use prost::Message;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::agent::{Agent, LOGS, framed};
use crate::support::destination::Destination;
use crate::support::{config, eventually, log, metric, sidecar};

async fn limited(limits: Limits) -> Running {
    let config = privet::config::Config { limits, ..config(&Destination::default().start().await) };
    start(&config).unwrap()
}

fn gzip(body: &[u8]) -> Bytes {
    privet::grpc::gzip(body, 6)
}

#[tokio::test]
async fn compressed_messages_of_every_usual_encoding_are_read() {
    let destination = Destination::default();
    let running = sidecar(&destination.clone().start().await);
    let agent = Agent::connect(running.listen).await;
    let request = log("squeezed").encode_to_vec();
    let mut deflate = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut deflate, &request).unwrap();
    for (encoding, body) in [
        ("gzip", gzip(&request)),
        ("zstd", zstd::encode_all(&request[..], 3).unwrap().into()),
        ("deflate", deflate.finish().unwrap().into()),
    ] {
        let answer = agent.call(LOGS, &[("grpc-encoding", encoding)], &[framed(&body, true)]).await;
        assert_eq!(answer.code(), Code::Ok, "{encoding}: {answer:?}");
    }
    // Compression may be agreed on and left out.
    let answer = agent.call(LOGS, &[("grpc-encoding", "gzip")], &[framed(&request, false)]).await;
    assert_eq!(answer.code(), Code::Ok);
    assert_eq!(destination.logs.lock().unwrap().len(), 4);
}

#[tokio::test]
async fn a_message_in_many_frames_is_put_together() {
    let destination = Destination::default();
    let running = sidecar(&destination.clone().start().await);
    let agent = Agent::connect(running.listen).await;
    let message = framed(&log(&"word ".repeat(10_000)).encode_to_vec(), false);
    for size in [1, 3, 7, 1000, 16_384] {
        let mut frames: Vec<Bytes> =
            message.chunks(size.max(message.len() / 500)).map(Bytes::copy_from_slice).collect();
        let rest = frames[0].split_off(2.min(size));
        frames.insert(1, rest);
        frames.push(Bytes::new());
        assert_eq!(agent.call(LOGS, &[], &frames).await.code(), Code::Ok, "{size}");
    }
    assert_eq!(destination.logs.lock().unwrap().len(), 5);
}

#[tokio::test]
async fn every_bad_request_has_its_status_and_reason_and_the_next_is_served() {
    let limits = Limits { message: 100_000, decompressed: 200_000, ..Limits::default() };
    let running = limited(limits).await;
    let agent = Agent::connect(running.listen).await;
    let good = framed(&log("x").encode_to_vec(), false);
    let declared = |length: u32| Bytes::from([&[0], &length.to_be_bytes()[..]].concat());
    let frames: [(&str, &str, &str, Vec<Bytes>, Code); 11] = [
        ("message_too_large", LOGS, "identity", vec![declared(100_001)], Code::ResourceExhausted),
        ("message_too_large", LOGS, "identity", vec![declared(u32::MAX)], Code::ResourceExhausted),
        ("decompressed_too_large", LOGS, "gzip", vec![framed(&gzip(&[0; 200_001]), true)], Code::ResourceExhausted),
        ("bad_compression", LOGS, "gzip", vec![framed(b"no gzip", true)], Code::InvalidArgument),
        ("unknown_encoding", LOGS, "br", vec![good.clone()], Code::Unimplemented),
        ("unknown_method", "/opentelemetry.Logs/Nothing", "identity", vec![good.clone()], Code::Unimplemented),
        ("bad_frame", LOGS, "identity", vec![], Code::InvalidArgument),
        ("bad_frame", LOGS, "identity", vec![Bytes::from_static(b"\0\0")], Code::InvalidArgument),
        ("bad_frame", LOGS, "identity", vec![Bytes::from_static(b"\x07\0\0\0\0")], Code::InvalidArgument),
        ("bad_frame", LOGS, "identity", vec![declared(10), Bytes::from_static(b"short")], Code::InvalidArgument),
        ("bad_frame", LOGS, "identity", vec![good.clone(), good.clone()], Code::InvalidArgument),
    ];
    for (reason, path, encoding, frames, code) in frames {
        let signal = if path == LOGS { "logs" } else { "none" };
        let series = format!("privet_refusals_total{{signal=\"{signal}\",reason=\"{reason}\"}}");
        let before = metric(&running, &series).await;
        let answer = agent.call(path, &[("grpc-encoding", encoding)], &frames).await;
        assert_eq!((answer.code(), answer.retry_after()), (code, None), "{reason}: {answer:?}");
        assert_eq!(metric(&running, &series).await, before + 1.0, "{series}");
        assert_eq!(agent.export(&log("x")).await.code(), Code::Ok, "after {reason}");
    }
    let answer = agent.call(LOGS, &[("grpc-encoding", "br")], &[good]).await;
    assert_eq!(answer.headers["grpc-accept-encoding"], "identity,gzip,zstd,deflate");
}

#[tokio::test]
async fn what_is_no_grpc_at_all_gets_an_http_status() {
    let running = limited(Limits::default()).await;
    let agent = Agent::connect(running.listen).await;
    let get = Request::builder().method("GET").uri(format!("http://x{LOGS}")).body(()).unwrap();
    assert_eq!(agent.send(get, &[], true).await.http, 405);
    assert_eq!(agent.call(LOGS, &[("content-type", "application/json")], &[Bytes::from_static(b"{}")]).await.http, 415);
}

#[tokio::test]
async fn more_bytes_in_flight_than_allowed_must_wait() {
    let running = limited(Limits { in_flight: 1 << 20, ..Limits::default() }).await;
    let agent = Agent::connect(running.listen).await;
    let answer = agent.export(&log(&"word ".repeat(300_000))).await;
    assert_eq!(answer.code(), Code::Unavailable);
    assert!(answer.retry_after().is_some(), "throttling says when to come back");
    assert_eq!(agent.export(&log("x")).await.code(), Code::Ok);
    assert_eq!(metric(&running, "privet_in_flight_bytes").await, 0.0);
}

#[tokio::test]
async fn a_sender_that_never_finishes_is_let_go() {
    let running = limited(Limits { arrival: Duration::from_millis(50), ..Limits::default() }).await;
    let agent = Agent::connect(running.listen).await;
    let request = Request::builder().method("POST").uri(format!("http://x{LOGS}"));
    let request = request.header("content-type", "application/grpc").body(()).unwrap();
    let answer = agent.send(request, &[Bytes::from_static(b"\0\0\0\x01\0only the beginning")], false).await;
    assert_eq!(answer.code(), Code::DeadlineExceeded);
    assert_eq!(agent.export(&log("x")).await.code(), Code::Ok);
}

#[tokio::test]
async fn an_agent_that_leaves_frees_what_its_call_held() {
    let gate = std::sync::Arc::new(tokio::sync::Semaphore::new(0));
    let destination = Destination { gate: Some(gate), ..Destination::default() };
    let running = sidecar(&destination.clone().start().await);
    let agent = Agent::connect(running.listen).await;
    let call = tokio::spawn(async move { agent.export(&log("x")).await });
    eventually("the call arrives", || async { !destination.logs.lock().unwrap().is_empty() }).await;
    call.abort();
    let freed = || async { metric(&running, "privet_requests_in_flight").await == 0.0 };
    eventually("the call is dropped", freed).await;
}

#[tokio::test]
async fn garbage_on_a_connection_ends_that_connection_only() {
    let running = limited(Limits::default()).await;
    let agent = Agent::connect(running.listen).await;
    for garbage in [
        &b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"[..],
        &[0xff; 4096],
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff\xff\xff\xff\xff\xff",
    ] {
        let mut socket = tokio::net::TcpStream::connect(running.listen).await.unwrap();
        let _ = socket.write_all(garbage).await;
        let _ = socket.read_to_end(&mut Vec::new()).await;
    }
    assert!(metric(&running, "privet_connections_broken_total").await >= 2.0);
    assert_eq!(agent.export(&log("x")).await.code(), Code::Ok);
}

#[tokio::test]
async fn connections_beyond_the_limit_are_closed_and_counted() {
    let running = limited(Limits { connections: 2, ..Limits::default() }).await;
    let first = Agent::connect(running.listen).await;
    let second = Agent::connect(running.listen).await;
    assert_eq!(first.export(&log("x")).await.code(), Code::Ok);
    assert_eq!(second.export(&log("x")).await.code(), Code::Ok);
    let mut third = tokio::net::TcpStream::connect(running.listen).await.unwrap();
    assert_eq!(third.read(&mut [0; 1]).await.unwrap_or(0), 0);
    assert_eq!(metric(&running, "privet_connections_refused_total").await, 1.0);
    drop(first);
    eventually("a place is free again", || async { metric(&running, "privet_connections").await < 2.0 }).await;
    assert_eq!(Agent::connect(running.listen).await.export(&log("x")).await.code(), Code::Ok);
}

#[tokio::test]
async fn an_idle_connection_is_told_to_go() {
    let running = limited(Limits { idle: Duration::from_millis(50), ..Limits::default() }).await;
    let agent = Agent::connect(running.listen).await;
    assert_eq!(agent.export(&log("x")).await.code(), Code::Ok);
    eventually("the connection ends", || async { metric(&running, "privet_connections").await == 0.0 }).await;
}
