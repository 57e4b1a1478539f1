//! An agent, a destination, and a sidecar between them, all on free ports.

pub mod agent;
pub mod destination;
pub mod process;
pub mod witness;

use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, any_value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use privet::config::{Config, Destination};
use privet::run::{Running, start};

/// An address that must not be seen behind the sidecar, nor in anything it says.
pub const CANARY: &str = "203.0.113.77";

/// A sidecar in this process, in front of that destination.
pub fn sidecar(destination: &str) -> Running {
    start(&config(destination)).unwrap()
}

pub fn config(destination: &str) -> Config {
    Config {
        listen: "127.0.0.1:0".parse().unwrap(),
        admin: Some("127.0.0.1:0".parse().unwrap()),
        destinations: vec![Destination::from(destination.parse::<privet::send::Endpoint>().unwrap())],
        threads: 1,
        ..Config::default()
    }
}

/// One log record with that body.
pub fn log(body: &str) -> ExportLogsServiceRequest {
    let value = Some(any_value::Value::StringValue(body.to_owned()));
    let record = LogRecord { body: Some(AnyValue { value }), ..LogRecord::default() };
    let scope_logs = vec![ScopeLogs { log_records: vec![record], ..ScopeLogs::default() }];
    ExportLogsServiceRequest { resource_logs: vec![ResourceLogs { scope_logs, ..ResourceLogs::default() }] }
}

/// Asks again until the answer is yes; what is waited for has no event to wait on.
pub async fn eventually<F: Future<Output = bool>>(what: &str, mut ask: impl FnMut() -> F) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !ask().await {
        assert!(Instant::now() < deadline, "{what}: not within 20 s");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Stops a sidecar off the runtime's threads; whether all its calls were answered.
pub async fn stopped(running: Running) -> bool {
    tokio::task::spawn_blocking(move || running.join()).await.unwrap()
}

/// What a GET on the admin port says: status and body.
pub fn get(address: std::net::SocketAddr, path: &str) -> (u16, String) {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head[9..12].parse().unwrap(), body.to_owned())
}

/// The value of one line of `/metrics`; 0 if it is not there.
pub async fn metric(running: &Running, series: &str) -> f64 {
    let admin = running.admin.unwrap();
    let (_, text) = tokio::task::spawn_blocking(move || get(admin, "/metrics")).await.unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.map_or(0.0, |value| value.parse().unwrap())
}
