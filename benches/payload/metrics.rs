//! A metrics request: 1,000 data points of 50 instruments, as a gateway of many hosts sends them.

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics,
    ScopeMetrics, Sum, metric, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;

use super::identifiers::Identifiers;
use super::prng::Prng;
use super::{attribute, number};

pub const POINTS: usize = RESOURCES * METRICS * POINTS_PER_METRIC;

const RESOURCES: usize = 5;
const METRICS: usize = 10;
const POINTS_PER_METRIC: usize = 20;
const CUMULATIVE: i32 = AggregationTemporality::Cumulative as i32;

pub fn request(prng: &mut Prng, ids: &mut Identifiers) -> ExportMetricsServiceRequest {
    let resource_metrics = (0..RESOURCES)
        .map(|_| ResourceMetrics {
            resource: Some(Resource {
                attributes: vec![
                    attribute("host.name", ids.host(prng)),
                    attribute("host.ip", ids.v4(prng)),
                    attribute("service.name", prng.pick(&["edge", "checkout", "ledger"])),
                    attribute("cloud.region", "eu-central-1"),
                ],
                ..Resource::default()
            }),
            scope_metrics: vec![ScopeMetrics {
                scope: Some(InstrumentationScope {
                    name: "otelcol/hostmetricsreceiver".into(),
                    version: "0.140.1".into(),
                    ..InstrumentationScope::default()
                }),
                metrics: INSTRUMENTS
                    .iter()
                    .map(|(name, unit, shape)| instrument(prng, ids, name, unit, shape))
                    .collect(),
                schema_url: String::new(),
            }],
            schema_url: "https://opentelemetry.io/schemas/1.38.0".into(),
        })
        .collect();
    ExportMetricsServiceRequest { resource_metrics }
}

enum Shape {
    Gauge,
    Sum,
    Histogram,
}

const INSTRUMENTS: [(&str, &str, Shape); METRICS] = [
    ("http.server.request.duration", "s", Shape::Histogram),
    ("http.client.request.duration", "s", Shape::Histogram),
    ("db.client.operation.duration", "s", Shape::Histogram),
    ("http.server.active_requests", "{request}", Shape::Gauge),
    ("system.network.io", "By", Shape::Sum),
    ("system.network.connections", "{connection}", Shape::Gauge),
    ("system.cpu.utilization", "1", Shape::Gauge),
    ("rpc.server.calls", "{call}", Shape::Sum),
    ("process.open_file_descriptors", "{count}", Shape::Gauge),
    ("messaging.client.sent.messages", "{message}", Shape::Sum),
];

fn instrument(prng: &mut Prng, ids: &mut Identifiers, name: &str, unit: &str, shape: &Shape) -> Metric {
    let numbers = |prng: &mut Prng, ids: &mut Identifiers| {
        (0..POINTS_PER_METRIC)
            .map(|series| NumberDataPoint {
                attributes: attributes(prng, ids, series),
                start_time_unix_nano: 1_763_740_800_000_000_000,
                time_unix_nano: 1_763_744_400_000_000_000,
                value: Some(if prng.percent(50) {
                    number_data_point::Value::AsInt(prng.below(1 << 40) as i64)
                } else {
                    number_data_point::Value::AsDouble(prng.below(1 << 40) as f64 / 1e6)
                }),
                ..NumberDataPoint::default()
            })
            .collect()
    };
    let data = match shape {
        Shape::Gauge => metric::Data::Gauge(Gauge { data_points: numbers(prng, ids) }),
        Shape::Sum => metric::Data::Sum(Sum {
            data_points: numbers(prng, ids),
            aggregation_temporality: CUMULATIVE,
            is_monotonic: true,
        }),
        Shape::Histogram => metric::Data::Histogram(Histogram {
            data_points: (0..POINTS_PER_METRIC).map(|series| histogram(prng, ids, series)).collect(),
            aggregation_temporality: CUMULATIVE,
        }),
    };
    Metric {
        name: name.into(),
        description: "As the semantic conventions define it.".into(),
        unit: unit.into(),
        data: Some(data),
        ..Metric::default()
    }
}

fn histogram(prng: &mut Prng, ids: &mut Identifiers, series: usize) -> HistogramDataPoint {
    let bucket_counts: Vec<u64> = (0..8).map(|_| prng.below(10_000)).collect();
    HistogramDataPoint {
        attributes: attributes(prng, ids, series),
        start_time_unix_nano: 1_763_740_800_000_000_000,
        time_unix_nano: 1_763_744_400_000_000_000,
        count: bucket_counts.iter().sum(),
        sum: Some(prng.below(1 << 40) as f64 / 1e6),
        bucket_counts,
        explicit_bounds: vec![0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0],
        min: Some(0.001),
        max: Some(12.5),
        ..HistogramDataPoint::default()
    }
}

/// Six or seven, of which two or three are identifiers; no two points of an instrument alike, as identity demands.
fn attributes(prng: &mut Prng, ids: &mut Identifiers, series: usize) -> Vec<KeyValue> {
    let mut attributes = vec![
        attribute("client.address", ids.ip(prng)),
        attribute("server.address", ids.host(prng)),
        attribute("http.request.method", prng.pick(&["GET", "POST", "PUT", "DELETE"])),
        attribute("http.route", prng.pick(&["/api/v2/orders/{id}", "/cart", "/healthz"])),
        attribute("messaging.destination.partition.id", format!("p{series:02}")),
        attribute("network.connection.state", prng.pick(&["established", "idle", "active", "used"])),
    ];
    match prng.below(10) {
        0..=3 => attributes.push(attribute("network.peer.address", ids.v4(prng))),
        4..=5 => attributes.push(attribute("user.email", ids.email(prng))),
        6 => attributes.push(attribute("url.full", format!("https://{}/metrics", ids.host(prng)))),
        _ => attributes.push(number("http.response.status_code", prng.range(200, 505))),
    }
    attributes
}
