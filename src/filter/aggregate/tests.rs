//! Through the whole filter: requests in, requests out.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::metrics::v1::{
    ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint,
    ResourceMetrics, ScopeMetrics, Sum, Summary, SummaryDataPoint,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use proptest::prelude::*;
use prost::Message;

use crate::filter::tests::{engine_of, filter_as_ever, pair};
use crate::filter::{Engine, SERIES_KEY};
use crate::otlp::Signal;

const DELTA: i32 = 1;
const CUMULATIVE: i32 = 2;

fn engine() -> Engine {
    engine_of("rules: [{name: adds, keys: [user.id], action: aggregate}, {name: stays, keys: [shard], action: stay}]\n")
}

fn request(metrics: Vec<Metric>) -> ExportMetricsServiceRequest {
    let scope_metrics = vec![ScopeMetrics { metrics, ..Default::default() }];
    ExportMetricsServiceRequest { resource_metrics: vec![ResourceMetrics { scope_metrics, ..Default::default() }] }
}

/// Filters, and looks for what never may leave; returns also how many records were dropped.
fn filter(engine: &Engine, request: &ExportMetricsServiceRequest) -> (ExportMetricsServiceRequest, u64) {
    let filtered = filter_as_ever(engine, Signal::Metrics, request.encode_to_vec()).expect("well-formed");
    let text = String::from_utf8_lossy(&filtered.bytes);
    let marked = filtered.bytes.windows(3).any(|bytes| bytes == [0x0a, 1, super::MARK[0]]);
    assert!(!text.contains("user.id") && !text.contains("alice") && !marked, "{text}");
    (ExportMetricsServiceRequest::decode(filtered.bytes).expect("decodes"), filtered.dropped)
}

fn metric(data: Data) -> Metric {
    Metric { name: "requests".into(), data: Some(data), ..Default::default() }
}

fn sum(data_points: Vec<NumberDataPoint>, temporality: i32) -> Data {
    Data::Sum(Sum { data_points, aggregation_temporality: temporality, is_monotonic: true })
}

fn number(user: &str, value: Number) -> NumberDataPoint {
    NumberDataPoint {
        attributes: vec![pair("method", "GET"), pair("user.id", user)],
        start_time_unix_nano: 10,
        time_unix_nano: 20,
        value: Some(value),
        ..Default::default()
    }
}

fn numbers(engine: &Engine, points: Vec<NumberDataPoint>, temporality: i32) -> Vec<NumberDataPoint> {
    let (out, dropped) = filter(engine, &request(vec![metric(sum(points, temporality))]));
    assert_eq!(dropped, 0);
    all_numbers(&out)
}

fn all_numbers(request: &ExportMetricsServiceRequest) -> Vec<NumberDataPoint> {
    let scopes = request.resource_metrics.iter().flat_map(|resource| &resource.scope_metrics);
    let metrics = scopes.flat_map(|scope| &scope.metrics);
    metrics
        .flat_map(|metric| match &metric.data {
            Some(Data::Sum(sum)) => sum.data_points.clone(),
            Some(Data::Gauge(gauge)) => gauge.data_points.clone(),
            other => panic!("{other:?}"),
        })
        .collect()
}

fn series_tokens(points: &[NumberDataPoint]) -> Vec<&KeyValue> {
    points.iter().flat_map(|point| &point.attributes).filter(|pair| pair.key == SERIES_KEY).collect()
}

/// Each point keeps its value and has a token that no other has.
fn assert_kept_apart(out: &[NumberDataPoint], given: &[NumberDataPoint]) {
    let values =
        |points: &[NumberDataPoint]| points.iter().map(|point| format!("{:?}", point.value)).collect::<Vec<_>>();
    assert_eq!(values(out), values(given));
    let tokens: std::collections::BTreeSet<String> =
        series_tokens(out).iter().map(|pair| format!("{pair:?}")).collect();
    assert_eq!(tokens.len(), given.len(), "{out:#?}");
}

#[test]
fn delta_sums_of_one_series_and_interval_are_one_point() {
    let mut other_order = number("bob", Number::AsInt(30));
    other_order.attributes.reverse();
    let plain = NumberDataPoint { attributes: vec![pair("method", "GET")], ..number("", Number::AsInt(7)) };
    let put = NumberDataPoint {
        attributes: vec![pair("user.id", "alice"), pair("method", "PUT")],
        ..number("", Number::AsInt(500))
    };
    let points = vec![number("alice", Number::AsInt(4)), other_order, put, plain];
    let out = numbers(&engine(), points, DELTA);
    assert_eq!(out.len(), 2, "{out:#?}");
    assert_eq!((&out[0].attributes[..], out[0].value), (&[pair("method", "GET")][..], Some(Number::AsInt(41))));
    assert_eq!((&out[1].attributes[..], out[1].value), (&[pair("method", "PUT")][..], Some(Number::AsInt(500))));
    assert_eq!((out[0].start_time_unix_nano, out[0].time_unix_nano), (10, 20));
}

#[test]
fn what_cannot_be_added_is_kept_apart_as_by_stay() {
    let engine = engine();
    let two = |a, b| vec![number("alice", a), number("bob", b)];
    for (points, temporality) in [
        (two(Number::AsInt(1), Number::AsInt(2)), CUMULATIVE),
        (two(Number::AsInt(1), Number::AsInt(2)), 0),
        (two(Number::AsInt(i64::MAX), Number::AsInt(1)), DELTA),
        (two(Number::AsInt(i64::MAX), Number::AsDouble(1.0)), DELTA),
        (two(Number::AsDouble(f64::MAX), Number::AsDouble(f64::MAX)), DELTA),
        (two(Number::AsDouble(f64::NAN), Number::AsDouble(1.0)), DELTA),
    ] {
        assert_kept_apart(&numbers(&engine, points.clone(), temporality), &points);
    }
    let gauge = metric(Data::Gauge(Gauge { data_points: two(Number::AsInt(1), Number::AsInt(2)) }));
    let (out, _) = filter(&engine, &request(vec![gauge]));
    assert_kept_apart(&all_numbers(&out), &two(Number::AsInt(1), Number::AsInt(2)));
    // Its token is the one of `stay`, whatever comes with it.
    let stay = engine_of("rules: [{name: stays, keys: [user.id], action: stay}]\n");
    let one = vec![number("alice", Number::AsInt(1))];
    let again = engine_of("rules: [{name: adds, keys: [user.id], action: aggregate}]\n");
    assert_eq!(numbers(&stay, one.clone(), CUMULATIVE).len(), numbers(&again, one, CUMULATIVE).len());
}

#[test]
fn intervals_that_overlap_stay_apart_and_those_that_follow_are_sums_of_their_own() {
    let at = |user: &str, start, end| NumberDataPoint {
        start_time_unix_nano: start,
        time_unix_nano: end,
        ..number(user, Number::AsInt(1))
    };
    let engine = engine();
    let overlapping = vec![at("alice", 10, 20), at("bob", 15, 25)];
    assert_kept_apart(&numbers(&engine, overlapping.clone(), DELTA), &overlapping);
    let unknown_start = vec![at("alice", 10, 20), at("bob", 0, 20)];
    assert_kept_apart(&numbers(&engine, unknown_start.clone(), DELTA), &unknown_start);
    let following = vec![at("alice", 10, 20), at("bob", 20, 30), at("carol", 10, 20), at("dan", 20, 30)];
    let out = numbers(&engine, following, DELTA);
    assert_eq!(out.iter().map(|point| point.time_unix_nano).collect::<Vec<_>>(), [20, 30]);
    assert!(out.iter().all(|point| point.value == Some(Number::AsInt(2))) && series_tokens(&out).is_empty());
}

#[test]
fn whole_numbers_and_fractions_add_up_and_points_without_value_add_nothing() {
    let empty = NumberDataPoint { flags: 1, ..number("carol", Number::AsInt(9)) };
    let points = vec![empty.clone(), number("alice", Number::AsInt(1)), number("bob", Number::AsDouble(0.5))];
    let out = numbers(&engine(), points, DELTA);
    assert_eq!((out.len(), out[0].value, out[0].flags), (1, Some(Number::AsDouble(1.5)), 0));
    let out = numbers(&engine(), vec![empty.clone(), empty], DELTA);
    assert_eq!((out.len(), out[0].flags), (1, 1));
}

#[test]
fn a_series_in_two_metrics_of_a_request_is_one_and_in_two_resources_it_is_not() {
    let one = |user, value| metric(sum(vec![number(user, Number::AsInt(value))], DELTA));
    let engine = engine();
    let (out, _) = filter(&engine, &request(vec![one("alice", 1), one("bob", 2)]));
    let out = all_numbers(&out);
    assert_eq!((out.len(), out[0].value), (1, Some(Number::AsInt(3))));
    let mut two = request(vec![one("alice", 1)]);
    two.resource_metrics.extend(request(vec![one("bob", 2)]).resource_metrics);
    let attributes = vec![pair("service.name", "pay")];
    two.resource_metrics[0].resource = Some(Resource { attributes, ..Default::default() });
    assert_eq!(all_numbers(&filter(&engine, &two).0).len(), 2);
    // Of a resource nothing is added up: what goes keeps its series apart.
    let mut of_resource = request(vec![one("alice", 1)]);
    of_resource.resource_metrics[0].resource =
        Some(Resource { attributes: vec![pair("user.id", "alice")], ..Default::default() });
    let (out, _) = filter(&engine, &of_resource);
    assert_eq!(out.resource_metrics[0].resource.as_ref().unwrap().attributes[0].key, SERIES_KEY);
}

#[test]
fn what_else_went_still_tells_series_apart() {
    let in_shard = |user, shard| {
        let mut point = number(user, Number::AsInt(1));
        point.attributes.push(pair("shard", shard));
        point
    };
    let engine = engine();
    let points = vec![in_shard("alice", "a"), in_shard("bob", "b"), in_shard("carol", "a")];
    let out = numbers(&engine, points.clone(), DELTA);
    assert_eq!(
        out.iter().map(|point| point.value).collect::<Vec<_>>(),
        [Some(Number::AsInt(2)), Some(Number::AsInt(1))]
    );
    assert_eq!(series_tokens(&out).len(), 2);
    // Kept apart, a point has one token for all that went.
    let out = numbers(&engine, points.clone(), CUMULATIVE);
    assert_kept_apart(&out, &points);
    assert_eq!(series_tokens(&out).len(), 3);
}

#[test]
fn quantiles_cannot_be_added_and_are_dropped() {
    let point = SummaryDataPoint { attributes: vec![pair("user.id", "alice")], ..Default::default() };
    let other = SummaryDataPoint { attributes: vec![pair("method", "GET")], ..Default::default() };
    let summary = metric(Data::Summary(Summary { data_points: vec![point, other] }));
    let (out, dropped) = filter(&engine(), &request(vec![summary]));
    assert_eq!(dropped, 1);
    let Some(Data::Summary(left)) = &out.resource_metrics[0].scope_metrics[0].metrics[0].data else { panic!() };
    assert_eq!(left.data_points.len(), 1);
}

fn histogram(user: &str, counts: &[u64], bounds: &[f64]) -> HistogramDataPoint {
    HistogramDataPoint {
        attributes: vec![pair("user.id", user)],
        start_time_unix_nano: 10,
        time_unix_nano: 20,
        count: counts.iter().sum(),
        sum: Some(counts.len() as f64),
        bucket_counts: counts.to_vec(),
        explicit_bounds: bounds.to_vec(),
        min: Some(counts[0] as f64),
        max: Some(counts[0] as f64 + 1.0),
        ..Default::default()
    }
}

fn histograms(data_points: Vec<HistogramDataPoint>) -> Vec<HistogramDataPoint> {
    let data = Data::Histogram(Histogram { data_points, aggregation_temporality: DELTA });
    let (out, _) = filter(&engine(), &request(vec![metric(data)]));
    let Some(Data::Histogram(out)) = &out.resource_metrics[0].scope_metrics[0].metrics[0].data else { panic!() };
    out.data_points.clone()
}

#[test]
fn histograms_of_the_same_bounds_add_up() {
    let (a, b) = (histogram("alice", &[1, 2, 3], &[0.5, 5.0]), histogram("bob", &[10, 0, 30], &[0.5, 5.0]));
    let nothing = HistogramDataPoint { sum: None, min: None, max: None, ..histogram("carol", &[0, 0, 0], &[0.5, 5.0]) };
    let out = histograms(vec![a.clone(), nothing, b]);
    let wanted = HistogramDataPoint {
        attributes: Vec::new(),
        count: 46,
        sum: Some(6.0),
        bucket_counts: vec![11, 2, 33],
        min: Some(1.0),
        max: Some(11.0),
        ..a.clone()
    };
    assert_eq!(out, [wanted]);
    let without_sum = HistogramDataPoint { sum: None, ..histogram("bob", &[1, 1, 1], &[0.5, 5.0]) };
    assert_eq!(histograms(vec![a.clone(), without_sum])[0].sum, None, "one that does not say");
    let other_bounds = histograms(vec![a, histogram("bob", &[1, 1, 1], &[0.5, 6.0])]);
    assert_eq!(other_bounds.len(), 2);
    assert!(other_bounds.iter().all(|point| point.attributes[0].key == SERIES_KEY));
}

fn exponential(user: &str, scale: i32, offset: i32, counts: &[u64]) -> ExponentialHistogramDataPoint {
    ExponentialHistogramDataPoint {
        attributes: vec![pair("user.id", user)],
        start_time_unix_nano: 10,
        time_unix_nano: 20,
        count: counts.iter().sum::<u64>() + 1,
        sum: Some(1.5),
        scale,
        zero_count: 1,
        positive: Some(Buckets { offset, bucket_counts: counts.to_vec() }),
        ..Default::default()
    }
}

fn exponentials(data_points: Vec<ExponentialHistogramDataPoint>) -> Vec<ExponentialHistogramDataPoint> {
    let data = Data::ExponentialHistogram(ExponentialHistogram { data_points, aggregation_temporality: DELTA });
    let (out, _) = filter(&engine(), &request(vec![metric(data)]));
    let data = &out.resource_metrics[0].scope_metrics[0].metrics[0].data;
    let Some(Data::ExponentialHistogram(out)) = data else { panic!() };
    out.data_points.clone()
}

#[test]
fn exponential_histograms_are_brought_to_the_coarser_scale() {
    // At scale 1 buckets -3 to 2; at scale 0 they are -2, -1, -1, 0, 0, 1.
    let fine = exponential("alice", 1, -3, &[1, 2, 3, 4, 5, 6]);
    let coarse = exponential("bob", 0, 1, &[100, 200]);
    let out = exponentials(vec![fine, coarse]);
    assert_eq!((out.len(), out[0].scale, out[0].count, out[0].zero_count), (1, 0, 323, 2));
    assert_eq!(out[0].positive, Some(Buckets { offset: -2, bucket_counts: vec![1, 5, 9, 106, 200] }));
    assert_eq!((out[0].sum, out[0].negative.clone()), (Some(3.0), None));
}

#[test]
fn exponential_histograms_far_apart_get_coarser_until_they_fit_and_other_zeros_stay_apart() {
    let out = exponentials(vec![exponential("alice", 3, -2_000, &[1]), exponential("bob", 3, 2_000, &[2])]);
    let buckets = out[0].positive.as_ref().unwrap();
    assert!(out.len() == 1 && buckets.bucket_counts.len() <= 320 && out[0].scale == -1, "{out:?}");
    assert_eq!(buckets.bucket_counts.iter().sum::<u64>(), 3);
    let too_far = vec![exponential("alice", -10, i32::MIN, &[1]), exponential("bob", -10, i32::MAX, &[2])];
    assert_eq!(exponentials(too_far).len(), 2);
    let wide_zero = ExponentialHistogramDataPoint { zero_threshold: 0.1, ..exponential("bob", 1, 0, &[1]) };
    assert_eq!(exponentials(vec![exponential("alice", 1, 0, &[1]), wide_zero]).len(), 2);
    let far_scales = exponentials(vec![exponential("alice", 20, 7, &[1]), exponential("bob", i32::MIN, -1, &[2])]);
    assert_eq!((far_scales.len(), far_scales[0].scale), (1, i32::MIN));
}

/// Series by what is left of their attributes: their total, and whether a series and interval came up twice.
fn totals(points: &[NumberDataPoint]) -> (BTreeMap<(String, u64, u64), i64>, bool) {
    let (mut totals, mut seen, mut twice) = (BTreeMap::new(), BTreeMap::new(), false);
    for point in points {
        let mut left: Vec<String> = point
            .attributes
            .iter()
            .filter(|pair| pair.key != "user.id" && pair.key != SERIES_KEY)
            .map(|pair| format!("{pair:?}"))
            .collect();
        left.sort();
        let mut all: Vec<String> = point.attributes.iter().map(|pair| format!("{pair:?}")).collect();
        all.sort();
        let interval = (point.start_time_unix_nano, point.time_unix_nano);
        twice |= seen.insert((all, interval), ()).is_some();
        let Some(Number::AsInt(value)) = point.value else { panic!("{point:?}") };
        *totals.entry((left.concat(), interval.0, interval.1)).or_default() += value;
    }
    (totals, twice)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn totals_are_kept_and_no_series_comes_up_twice(
        points in prop::collection::vec((0..6_u8, 0..3_u8, 0..3_u64, 0..3_u64, -50..50_i64, any::<bool>()), 1..14),
        split in 0..14_usize,
        cumulative in prop::bool::weighted(0.2),
    ) {
        // Each user has one point in each series and interval, as SDKs send them.
        let mut given = BTreeMap::new();
        for (user, method, start, length, value, named) in points {
            let mut attributes = vec![pair("method", ["GET", "PUT", "POST"][usize::from(method)])];
            if named {
                attributes.insert(usize::from(user % 2), pair("user.id", &format!("alice-{user}")));
            }
            let (start, end) = (start * 10, (start + length + 1) * 10);
            let point = NumberDataPoint {
                attributes,
                start_time_unix_nano: start,
                time_unix_nano: end,
                value: Some(Number::AsInt(value)),
                ..Default::default()
            };
            given.insert((named.then_some(user), method, start, end), point);
        }
        let given: Vec<NumberDataPoint> = given.into_values().collect();
        let (first, second) = given.split_at(split.min(given.len()));
        let temporality = if cumulative { CUMULATIVE } else { DELTA };
        let metrics = vec![metric(sum(first.to_vec(), temporality)), metric(sum(second.to_vec(), temporality))];
        let (out, _) = filter(&engine(), &request(metrics));
        let out = all_numbers(&out);
        let ((wanted, _), (found, twice)) = (totals(&given), totals(&out));
        prop_assert_eq!(wanted, found);
        prop_assert!(!twice, "{:#?}", out);
        if cumulative {
            prop_assert_eq!(out.len(), given.len());
        }
    }
}
