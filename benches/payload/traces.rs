//! A traces request: 256 spans of web requests, database calls and messages.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status, span};

use super::identifiers::Identifiers;
use super::prng::Prng;
use super::{attribute, number};

pub const SPANS: usize = RESOURCES * SPANS_PER_RESOURCE;

const RESOURCES: usize = 4;
const SPANS_PER_RESOURCE: usize = 64;
const USER_AGENT: &str =
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36";

pub fn request(prng: &mut Prng, ids: &mut Identifiers) -> ExportTraceServiceRequest {
    let resource_spans = (0..RESOURCES)
        .map(|_| ResourceSpans {
            resource: Some(Resource {
                attributes: vec![
                    attribute("service.name", prng.pick(&["edge", "checkout", "ledger"])),
                    attribute("host.name", ids.host(prng)),
                    attribute("k8s.pod.ip", ids.v4(prng)),
                    attribute("telemetry.sdk.language", "java"),
                ],
                ..Resource::default()
            }),
            scope_spans: vec![ScopeSpans {
                scope: Some(InstrumentationScope {
                    name: "io.acme.instrumentation-http".into(),
                    version: "2.21.0".into(),
                    ..InstrumentationScope::default()
                }),
                spans: (0..SPANS_PER_RESOURCE).map(|_| span(prng, ids)).collect(),
                schema_url: String::new(),
            }],
            schema_url: "https://opentelemetry.io/schemas/1.38.0".into(),
        })
        .collect();
    ExportTraceServiceRequest { resource_spans }
}

fn span(prng: &mut Prng, ids: &mut Identifiers) -> Span {
    let start = 1_763_740_800_000_000_000 + prng.below(3_600_000_000_000);
    let failed = prng.percent(20);
    Span {
        trace_id: prng.bytes(16),
        span_id: prng.bytes(8),
        parent_span_id: prng.bytes(8),
        trace_state: if prng.percent(25) { format!("acme=t61r:{}", prng.hex(16)) } else { String::new() },
        flags: 1,
        name: prng
            .pick(&["GET /api/v2/orders/{id}", "SELECT shop.orders", "orders publish", "checkout.Pay/Charge"])
            .into(),
        kind: prng.range(1, 6) as i32,
        start_time_unix_nano: start,
        end_time_unix_nano: start + prng.below(900_000_000),
        attributes: attributes(prng, ids),
        events: vec![event(prng, ids, start)],
        links: if prng.percent(15) { vec![link(prng)] } else { Vec::new() },
        status: failed.then(|| Status { message: format!("connect to {}:5432 timed out", ids.v4(prng)), code: 2 }),
        ..Span::default()
    }
}

/// Ten, of which six are or contain an identifier.
fn attributes(prng: &mut Prng, ids: &mut Identifiers) -> Vec<KeyValue> {
    let order = prng.below(900_000);
    let mut attributes = vec![
        attribute("client.address", ids.ip(prng)),
        attribute("server.address", ids.host(prng)),
        attribute("network.peer.address", ids.v4(prng)),
        number("network.peer.port", prng.range(1024, 65_536)),
        attribute("url.full", format!("https://{}/api/v2/orders/{order}?page=2", ids.host(prng))),
        attribute("http.request.method", prng.pick(&["GET", "POST", "PUT"])),
        number("http.response.status_code", prng.range(200, 505)),
        attribute("user_agent.original", USER_AGENT),
        attribute("code.function.name", prng.pick(&["com.acme.shop.Cart.add", "orders::list", "LedgerWriter.append"])),
    ];
    attributes.push(match prng.below(3) {
        0 => attribute("user.email", ids.email(prng)),
        1 => attribute(
            "db.query.text",
            format!("SELECT id, total FROM orders WHERE email = '{}' LIMIT 10", ids.email(prng)),
        ),
        _ => attribute(
            "http.request.header.x-forwarded-for",
            format!("{}, {}, {}", ids.ip(prng), ids.v4(prng), ids.v4(prng)),
        ),
    });
    attributes
}

fn event(prng: &mut Prng, ids: &mut Identifiers, start: u64) -> span::Event {
    let (name, attributes) = if prng.percent(60) {
        let message =
            format!("connection to {} ({}) reset after {} ms", ids.host(prng), ids.ip(prng), prng.below(9_000));
        (
            "exception",
            vec![attribute("exception.type", "java.net.SocketException"), attribute("exception.message", message)],
        )
    } else {
        let target = format!("{}:6379", ids.host(prng));
        ("cache.miss", vec![attribute("cache.node", target), number("cache.ttl", prng.below(3_600))])
    };
    span::Event { time_unix_nano: start + prng.below(90_000), name: name.into(), attributes, ..span::Event::default() }
}

fn link(prng: &mut Prng) -> span::Link {
    span::Link {
        trace_id: prng.bytes(16),
        span_id: prng.bytes(8),
        attributes: vec![attribute("messaging.operation.name", "receive")],
        ..span::Link::default()
    }
}
