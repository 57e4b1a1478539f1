//! What a web server's monitoring agent would send, through the OpenTelemetry SDK and its OTLP/gRPC exporters. All names
//! and addresses are those reserved for documentation.
//!
//! Everything is exported twice, to Privet and straight to a witness: what was sent is what the witness saw.

use std::error::Error;
use std::time::{Duration, SystemTime};

use opentelemetry::logs::{AnyValue, LogRecord, Logger, LoggerProvider, Severity};
use opentelemetry::metrics::MeterProvider;
use opentelemetry::trace::{Span, SpanKind, Status, TraceContextExt, Tracer, TracerProvider};
use opentelemetry::{Array, Context, KeyValue, Value};
use opentelemetry_otlp::{LogExporter, MetricExporter, SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};
use opentelemetry_sdk::trace::SdkTracerProvider;
use tonic::codegen::http::uri::PathAndQuery;
use tonic_prost::ProstCodec;

use crate::otlp::{Signal, json};

/// Every identifier in the traffic, in the spelling that a reader knows it by.
pub const IDENTIFIERS: [&str; 12] = [
    HOST,
    "web-1",
    DATABASE,
    "192.0.2.10",
    "192.0.2.20",
    "2001:db8::10",
    "2001:db8::17",
    "198.51.100.23",
    "203.0.113.7",
    "alice@example.com",
    "alice%40example.com",
    "db-pass-example",
];
/// Identifiers that stand in several signals.
pub(super) const JOINED: [&str; 5] = [HOST, DATABASE, "2001:db8::17", "192.0.2.20", "alice@example.com"];
/// This one in all.
const HOST: &str = "web-1.prod.corp.example";
const DATABASE: &str = "db-1.prod.corp.example";

/// Sends all signals to each of the endpoints (`http://127.0.0.1:4317`), and returns when all is acknowledged. Needs a
/// runtime to be entered.
pub fn send(endpoints: &[&str], now: SystemTime) -> Result<(), Box<dyn Error>> {
    logs(endpoints, now)?;
    metrics(endpoints)?;
    traces(endpoints, now)?;
    for endpoint in endpoints {
        tokio::runtime::Handle::current().block_on(profile((*endpoint).to_owned()))?;
    }
    Ok(())
}

fn resource() -> Resource {
    let addresses = Value::Array(Array::String(vec!["192.0.2.10".into(), "2001:db8::10".into()]));
    Resource::builder_empty()
        .with_service_name("checkout")
        .with_attribute(KeyValue::new("host.name", HOST))
        .with_attribute(KeyValue::new("host.ip", addresses))
        .with_attribute(KeyValue::new("os.type", "linux"))
        .build()
}

fn logs(endpoints: &[&str], now: SystemTime) -> Result<(), Box<dyn Error>> {
    let mut provider = SdkLoggerProvider::builder().with_resource(resource());
    for endpoint in endpoints {
        provider = provider.with_batch_exporter(LogExporter::builder().with_tonic().with_endpoint(*endpoint).build()?);
    }
    let provider = provider.build();
    let logger = provider.logger("agent");
    let mut at = now;
    let mut emit = |severity: Severity, body: &'static str, attributes: &[(&'static str, &'static str)]| {
        let mut record = logger.create_log_record();
        at += Duration::from_millis(20);
        record.set_timestamp(at);
        record.set_observed_timestamp(at);
        record.set_severity_number(severity);
        record.set_severity_text(severity.name());
        record.set_body(AnyValue::from(body));
        record.add_attributes(attributes.iter().copied());
        logger.emit(record);
    };
    // Security events: sshd through syslog, an audit trail in JSON, a process that started.
    emit(
        Severity::Warn,
        "<86>Nov 21 09:14:02 web-1 sshd[2211]: Failed password for invalid user admin from 203.0.113.7 port 51544 ssh2",
        &[("log.file.path", "/var/log/auth.log")],
    );
    emit(
        Severity::Info,
        "<86>Nov 21 09:14:05 web-1 sshd[2215]: Accepted publickey for deploy from 198.51.100.23 port 50122 ssh2",
        &[("log.file.path", "/var/log/auth.log")],
    );
    emit(
        Severity::Info,
        r#"{"action":"login","actor":{"email":"alice@example.com","ip":"198.51.100.23"},"target":"db-1.prod.corp.example","outcome":"success"}"#,
        &[("event.domain", "audit")],
    );
    emit(
        Severity::Info,
        "process started",
        &[
            ("process.executable.name", "psql"),
            ("process.command_line", "psql -h db-1.prod.corp.example -U app orders"),
        ],
    );
    // The application and its web server.
    emit(
        Severity::Info,
        r#"2001:db8::17 - - [21/Nov/2026:09:14:06 +0000] "GET /orders?email=alice%40example.com HTTP/1.1" 200 1532 "-" "Mozilla/5.0 (X11; Linux x86_64) Chrome/120.0.0.0""#,
        &[("log.file.path", "/var/log/nginx/access.log")],
    );
    emit(
        Severity::Error,
        "connection to postgres://app:db-pass-example@db-1.prod.corp.example:5432/orders lost, retrying in 250 ms",
        &[("exception.type", "io.Timeout")],
    );
    emit(Severity::Info, "cache warmed: 1532 entries in 12.4 ms by libcache-2.3.1.so", &[("thread.name", "main")]);
    emit(Severity::Info, "query A api.example.com from 192.0.2.10", &[("event.domain", "dns")]);
    Ok(provider.shutdown()?)
}

fn metrics(endpoints: &[&str]) -> Result<(), Box<dyn Error>> {
    let mut provider = SdkMeterProvider::builder().with_resource(resource());
    for endpoint in endpoints {
        let exporter = MetricExporter::builder().with_tonic().with_endpoint(*endpoint).build()?;
        provider = provider.with_reader(PeriodicReader::builder(exporter).build());
    }
    let provider = provider.build();
    let meter = provider.meter("agent");
    meter.f64_gauge("system.cpu.utilization").with_unit("1").build().record(0.37, &[KeyValue::new("cpu.mode", "user")]);
    let memory = meter.u64_gauge("system.memory.usage").with_unit("By").build();
    memory.record(3_221_225_472, &[KeyValue::new("system.memory.state", "used")]);
    let connections = meter.i64_up_down_counter("db.client.connection.count").with_unit("{connection}").build();
    connections
        .add(7, &[KeyValue::new("server.address", DATABASE), KeyValue::new("network.peer.address", "192.0.2.20")]);
    let duration = meter.f64_histogram("http.server.request.duration").with_unit("s").build();
    duration.record(0.042, &[KeyValue::new("http.route", "/orders"), KeyValue::new("server.address", HOST)]);
    Ok(provider.shutdown()?)
}

fn traces(endpoints: &[&str], now: SystemTime) -> Result<(), Box<dyn Error>> {
    let mut provider = SdkTracerProvider::builder().with_resource(resource());
    for endpoint in endpoints {
        provider = provider.with_batch_exporter(SpanExporter::builder().with_tonic().with_endpoint(*endpoint).build()?);
    }
    let provider = provider.build();
    let tracer = provider.tracer("checkout");
    let after = |millis| now + Duration::from_millis(millis);
    let request = tracer
        .span_builder("GET /orders")
        .with_kind(SpanKind::Server)
        .with_start_time(now)
        .with_attributes([
            KeyValue::new("http.request.method", "GET"),
            KeyValue::new("client.address", "2001:db8::17"),
            KeyValue::new("server.address", HOST),
            KeyValue::new("url.full", "https://web-1.prod.corp.example/orders?email=alice%40example.com"),
            KeyValue::new("user.email", "alice@example.com"),
        ])
        .start(&tracer);
    let context = Context::new().with_span(request);
    let mut query = tracer
        .span_builder("SELECT orders")
        .with_kind(SpanKind::Client)
        .with_start_time(after(3))
        .with_attributes([
            KeyValue::new("db.system.name", "postgresql"),
            KeyValue::new("server.address", DATABASE),
            KeyValue::new("network.peer.address", "192.0.2.20"),
            KeyValue::new("db.query.text", "SELECT * FROM orders WHERE email = 'alice@example.com'"),
        ])
        .start_with_context(&tracer, &context);
    let message = "no answer from db-1.prod.corp.example (192.0.2.20:5432)";
    query.add_event_with_timestamp("exception", after(38), vec![KeyValue::new("exception.message", message)]);
    query.set_status(Status::error(message));
    query.end_with_timestamp(after(39));
    context.span().end_with_timestamp(after(42));
    Ok(provider.shutdown()?)
}

/// The SDK has no profiles yet: written as OTLP/JSON, sent as what it is in protobuf.
async fn profile(endpoint: String) -> Result<(), Box<dyn Error>> {
    let mut request = Vec::new();
    json::decode(Signal::Profiles, include_bytes!("profile.json"), &mut request)?;
    let request: ProfilesRequest = prost::Message::decode(request.as_slice())?;
    let channel = tonic::transport::Endpoint::from_shared(endpoint)?.connect().await?;
    let mut client = tonic::client::Grpc::new(channel);
    client.ready().await?;
    let path = PathAndQuery::from_static(Signal::Profiles.grpc_path());
    client.unary(tonic::Request::new(request), path, ProstCodec::<_, ()>::default()).await?;
    Ok(())
}

/// An Export request of profiles, opened only as far as it must be to be written again.
#[derive(Clone, PartialEq, prost::Message)]
struct ProfilesRequest {
    #[prost(bytes, repeated, tag = "1")]
    resource_profiles: Vec<Vec<u8>>,
    #[prost(bytes, tag = "2")]
    dictionary: Vec<u8>,
}
