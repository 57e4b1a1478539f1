//! The filter as its callers see it: requests in, requests out.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, EntityRef, InstrumentationScope, KeyValue, KeyValueList, any_value::Value as Any,
};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::{
    Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, metric::Data, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;

use super::*;
use crate::pseudonym::Keyring;
use crate::wire::edit::put_field;

fn engine(rules: &str) -> Engine {
    engine_of(&format!("extends: [base]\n{rules}"))
}

/// With nothing below.
pub(super) fn engine_of(rules: &str) -> Engine {
    let text = format!("version: 1\nname: test\n{rules}");
    let parsed = Policy::parse(&[("test.yaml", &text)], jiff::civil::date(2026, 1, 1));
    let policy = Arc::new(parsed.unwrap_or_else(|wrong| panic!("{wrong:?}")));
    let keyring = Keyring::ephemeral().unwrap();
    let now = std::time::SystemTime::UNIX_EPOCH;
    let pseudonyms = Pseudonyms::new(&keyring, "test", policy.kinds(), now).unwrap();
    Engine::new(policy, Arc::new(pseudonyms)).counting_fields()
}

fn text(value: &str) -> Option<AnyValue> {
    Some(AnyValue { value: Some(Any::StringValue(value.into())) })
}

pub(super) fn pair(key: &str, value: &str) -> KeyValue {
    KeyValue { key: key.into(), value: text(value), ..Default::default() }
}

fn logs(resource: Resource, records: Vec<LogRecord>) -> ExportLogsServiceRequest {
    let scope_logs = vec![ScopeLogs { log_records: records, ..Default::default() }];
    let resource_logs = vec![ResourceLogs { resource: Some(resource), scope_logs, ..Default::default() }];
    ExportLogsServiceRequest { resource_logs }
}

fn resource(attributes: Vec<KeyValue>) -> Resource {
    Resource { attributes, ..Default::default() }
}

/// Filters a request, and again with a worker that remembers it: that must change nothing.
pub(super) fn filter_as_ever(engine: &Engine, signal: Signal, request: Vec<u8>) -> Result<Filtered, Refusal> {
    let (mut worker, request) = (Worker::default(), Bytes::from(request));
    let first = engine.filter(&mut worker, signal, request.clone());
    let counts = worker.take_counts();
    for _ in 0..2 {
        let again = engine.filter(&mut worker, signal, request.clone());
        match (&first, &again) {
            (Ok(first), Ok(again)) => {
                assert_eq!(first.bytes, again.bytes);
                assert_eq!((first.records, first.dropped), (again.records, again.dropped));
                let counts_again = worker.take_counts();
                assert_eq!(counts.rules, counts_again.rules);
                assert_eq!(counts.by_field, counts_again.by_field);
            }
            (first, again) => assert_eq!(first.as_ref().err(), again.as_ref().err()),
        }
    }
    first
}

fn filter_logs(engine: &Engine, request: &ExportLogsServiceRequest) -> (ExportLogsServiceRequest, Filtered) {
    let filtered = filter_as_ever(engine, Signal::Logs, request.encode_to_vec()).expect("well-formed");
    (ExportLogsServiceRequest::decode(filtered.bytes.clone()).expect("decodes"), filtered)
}

fn one_record(engine: &Engine, resource: Resource, record: LogRecord) -> LogRecord {
    let (out, _) = filter_logs(engine, &logs(resource, vec![record]));
    out.resource_logs[0].scope_logs[0].log_records[0].clone()
}

fn body(record: &LogRecord) -> &str {
    string(record.body.as_ref())
}

fn string(value: Option<&AnyValue>) -> &str {
    match value.and_then(|value| value.value.as_ref()) {
        Some(Any::StringValue(text)) => text,
        other => panic!("no text: {other:?}"),
    }
}

pub(super) fn points(attributes: Vec<Vec<KeyValue>>) -> ExportMetricsServiceRequest {
    let data_points = attributes.into_iter().enumerate().map(|(number, attributes)| NumberDataPoint {
        attributes,
        value: Some(number_data_point::Value::AsInt(number as i64)),
        ..Default::default()
    });
    let data = Some(Data::Gauge(Gauge { data_points: data_points.collect() }));
    let metrics = vec![Metric { name: "connections".into(), data, ..Default::default() }];
    let scope_metrics =
        vec![ScopeMetrics { scope: Some(InstrumentationScope::default()), metrics, ..Default::default() }];
    ExportMetricsServiceRequest { resource_metrics: vec![ResourceMetrics { scope_metrics, ..Default::default() }] }
}

fn filter_points(engine: &Engine, attributes: Vec<Vec<KeyValue>>) -> Vec<Vec<KeyValue>> {
    let request = points(attributes).encode_to_vec();
    let filtered = filter_as_ever(engine, Signal::Metrics, request).expect("well-formed");
    let out = ExportMetricsServiceRequest::decode(filtered.bytes).expect("decodes");
    match &out.resource_metrics[0].scope_metrics[0].metrics[0].data {
        Some(Data::Gauge(gauge)) => gauge.data_points.iter().map(|point| point.attributes.clone()).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn one_thing_has_one_token_in_every_place() {
    let engine = engine("");
    let record = LogRecord {
        body: text("from 203.0.113.7 to [2001:db8::1]:443"),
        attributes: vec![pair("client.address", "203.0.113.7"), pair("note", "2001:DB8:0::1 again")],
        ..Default::default()
    };
    let out = one_record(&engine, resource(vec![]), record);
    let v4 = string(out.attributes[0].value.as_ref());
    assert!(v4.starts_with("ip_") && body(&out).contains(v4), "{v4} in {}", body(&out));
    let v6 = string(out.attributes[1].value.as_ref()).strip_suffix(" again").expect("the rest stays");
    assert!(body(&out).ends_with(&format!("to [{v6}]:443")), "{v6} in {}", body(&out));
}

#[test]
fn what_the_resource_calls_itself_is_found_in_its_texts_wherever_the_resource_stands() {
    let engine = engine("");
    let record = LogRecord { body: text("kernel on db1 said no"), ..Default::default() };
    let request = logs(resource(vec![pair("host.name", "db1")]), vec![record]);
    let (out, _) = filter_logs(&engine, &request);
    let token = string(out.resource_logs[0].resource.as_ref().unwrap().attributes[0].value.as_ref()).to_owned();
    assert_eq!(body(&out.resource_logs[0].scope_logs[0].log_records[0]), format!("kernel on {token} said no"));

    // The same, with the resource behind the records.
    let (mut envelope, mut bytes) = (Vec::new(), Vec::new());
    put_field(&mut envelope, 2, &request.resource_logs[0].scope_logs[0].encode_to_vec());
    put_field(&mut envelope, 1, &request.resource_logs[0].resource.as_ref().unwrap().encode_to_vec());
    put_field(&mut bytes, 1, &envelope);
    let late = engine.filter(&mut Worker::default(), Signal::Logs, bytes.into()).unwrap();
    let late = ExportLogsServiceRequest::decode(late.bytes).unwrap();
    assert_eq!(late, out);
}

#[test]
fn what_one_place_of_a_record_gives_away_holds_for_the_whole_record() {
    let engine = engine("");
    let record = LogRecord {
        body: text("<34>Oct 11 22:14:15 fw01x sshd[4]: session opened"),
        attributes: vec![pair("note", "seen by fw01x today")],
        ..Default::default()
    };
    let out = one_record(&engine, resource(vec![]), record);
    assert!(!body(&out).contains("fw01x"), "{}", body(&out));
    assert!(!string(out.attributes[0].value.as_ref()).contains("fw01x"), "{:?}", out.attributes);
}

#[test]
fn a_key_says_of_a_value_what_the_same_word_says_in_a_text() {
    let engine = engine("");
    let attributes = [
        ("service.version", "8.0.0.0", true),
        ("client.version", "seen by 192.0.2.1", false),
        ("peer.note", "8.0.0.0", false),
        ("vendor.url", "shop.pages.app", false),
        ("vendor.file", "shop.pages.app", true),
        ("note", r#"{"version":"8.0.0.0","escaped_version":"8.0.0.0\u0021","url":"shop.pages.app\u002f"}"#, false),
    ];
    let record =
        LogRecord { attributes: attributes.map(|(key, value, _)| pair(key, value)).to_vec(), ..Default::default() };
    let out = one_record(&engine, resource(vec![]), record);
    for ((key, value, stays), out) in attributes.iter().zip(&out.attributes) {
        assert_eq!(string(out.value.as_ref()) == *value, *stays, "{key} {out:?}");
    }
    let json = string(out.attributes[5].value.as_ref());
    assert!(json.matches("8.0.0.0").count() == 2 && !json.contains("shop.pages"), "{json}");
}

#[test]
fn what_must_stay_goes_with_its_attribute_and_a_dropped_record_whole() {
    let rules = "rules:\n\
        - {name: stays, description: d, keys: [db.query.text], as: user, action: stay}\n\
        - {name: drops, description: d, keys: [canary.note], as: user, action: drop_record}\n";
    let engine = engine(rules);
    let stays = LogRecord { attributes: vec![pair("a", "b"), pair("db.query.text", "SELECT 1")], ..Default::default() };
    let drops = LogRecord { attributes: vec![pair("canary.note", "x")], ..Default::default() };
    let (out, filtered) = filter_logs(&engine, &logs(resource(vec![]), vec![stays, drops.clone(), drops]));
    let records = &out.resource_logs[0].scope_logs[0].log_records;
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].attributes, [pair("a", "b")]);
    assert_eq!((filtered.records, filtered.dropped), (3, 2));
}

#[test]
fn a_number_under_a_key_that_decides_becomes_a_token() {
    let engine = engine("");
    let number = AnyValue { value: Some(Any::IntValue(4711)) };
    let user = KeyValue { key: "user.id".into(), value: Some(number), ..Default::default() };
    let record = LogRecord { attributes: vec![user, pair("user.id", "4711")], ..Default::default() };
    let out = one_record(&engine, resource(vec![]), record);
    let token = string(out.attributes[0].value.as_ref());
    assert!(token.starts_with("user_"), "{token}");
    assert_eq!(token, string(out.attributes[1].value.as_ref()));
}

#[test]
fn keys_inside_maps_and_json_decide_as_attributes_do() {
    let engine = engine("");
    let inner = KeyValueList { values: vec![pair("user.email", "alice@example.com"), pair("count", "3")] };
    let map = AnyValue { value: Some(Any::KvlistValue(inner)) };
    let nested = KeyValue { key: "event".into(), value: Some(map), ..Default::default() };
    let json = r#"{"password":"hunter2","status":200,"who":{"user.email":"alice@example.com"},"note":"a\"b"}"#;
    let record = LogRecord { body: text(json), attributes: vec![nested], ..Default::default() };
    let out = one_record(&engine, resource(vec![]), record);
    let Some(Any::KvlistValue(map)) = &out.attributes[0].value.as_ref().unwrap().value else { panic!() };
    let token = string(map.values[0].value.as_ref());
    assert!(token.ends_with(".invalid"), "{token}");
    assert_eq!(map.values[1], pair("count", "3"));
    let json: serde_json::Value = serde_json::from_str(body(&out)).expect("still JSON");
    assert_eq!(json["who"]["user.email"], token);
    assert_eq!((&json["status"], &json["note"]), (&200.into(), &"a\"b".into()));
    assert!(!body(&out).contains("hunter2"));
}

#[test]
fn a_key_in_json_is_searched_for_the_names_of_its_time_whatever_it_was_before() {
    let engine = engine("");
    let mut worker = Worker::default();
    let mut body_of = |resource: Vec<KeyValue>, attributes: Vec<KeyValue>| {
        let record = LogRecord { body: text(r#"{"fw01":"up","n":[{"fw01":2}]}"#), attributes, ..Default::default() };
        let request = logs(Resource { attributes: resource, ..Default::default() }, vec![record]);
        let filtered = engine.filter(&mut worker, Signal::Logs, request.encode_to_vec().into()).expect("well-formed");
        let out = ExportLogsServiceRequest::decode(filtered.bytes).expect("decodes");
        body(&out.resource_logs[0].scope_logs[0].log_records[0]).to_owned()
    };
    for _ in 0..2 {
        assert!(body_of(vec![], vec![]).contains("fw01"), "nothing says that it is a host");
        assert!(!body_of(vec![pair("host.name", "fw01")], vec![]).contains("fw01"));
        assert!(body_of(vec![pair("host.name", "web-1")], vec![]).contains("fw01"));
        assert!(!body_of(vec![], vec![pair("line", "<134>Aug 24 05:34:00 x: hostname=fw01 up")]).contains("fw01"));
    }
}

#[test]
fn no_two_series_become_one() {
    let rules = "rules:\n\
        - {name: stays, description: d, keys: [session], as: user, action: stay}\n\
        - {name: hides, description: d, keys: [shard], as: user, action: redact}\n";
    let engine = engine(rules);
    let all = |key: &str, values: &[&str]| {
        let series = values.iter().map(|value| vec![pair("kept", "k"), pair(key, value)]).collect();
        let out = filter_points(&engine, series);
        let distinct: std::collections::BTreeSet<String> = out.iter().map(|series| format!("{series:?}")).collect();
        assert_eq!(distinct.len(), values.len(), "{key}: {out:#?}");
        for (series, value) in out.iter().zip(values) {
            assert_eq!(series[0], pair("kept", "k"));
            assert!(!format!("{series:?}").contains(value), "{key}: {series:?}");
        }
        out
    };
    let stays = all("session", &["s-one", "s-two"]);
    assert!(stays.iter().flatten().all(|pair| pair.key != "session"));
    assert!(stays.iter().all(|series| series.iter().any(|pair| pair.key == identity::SERIES_KEY)));
    all("shard", &["blue", "green"]);
    // Spellings of one host or address: tokens join them, series must not be joined.
    all("host.name", &["DB-1x", "db-1X", "db-1x"]);
    all("peer", &["2001:db8::7", "2001:DB8::7", "2001:db8:0:0::7"]);
}

#[test]
fn a_series_that_comes_again_is_filtered_by_the_names_of_the_resource_that_it_comes_with() {
    let (engine, mut worker) = (engine(""), Worker::default());
    for (host, is_told) in [("falcon-7", true), ("osprey-2", false), ("falcon-7", true), ("osprey-2", false)] {
        let mut request = points(vec![vec![pair("note", "asked falcon-7 twice"), pair("method", "GET")]]);
        request.resource_metrics[0].resource = Some(resource(vec![pair("host.name", host)]));
        let filtered = engine.filter(&mut worker, Signal::Metrics, request.encode_to_vec().into()).unwrap();
        let is_gone = memchr::memmem::find(&filtered.bytes, b"asked falcon-7").is_none();
        assert_eq!(is_gone, is_told, "{host}");
    }
}

#[test]
fn series_that_differ_in_tokens_alone_need_no_series_token() {
    let engine = engine("");
    let out = filter_points(&engine, vec![vec![pair("peer", "203.0.113.1")], vec![pair("peer", "203.0.113.2")]]);
    assert!(out.iter().all(|series| series.len() == 1), "{out:?}");
    assert_ne!(out[0], out[1]);
}

#[test]
fn an_entity_reference_by_a_removed_attribute_goes_with_it() {
    let rules = "rules: [{name: stays, description: d, keys: [secret.id], as: user, action: stay}]\n";
    let engine = engine(rules);
    let reference = |id: &str, description: &str| EntityRef {
        r#type: "host".into(),
        id_keys: vec![id.into()],
        description_keys: vec![description.into()],
        ..Default::default()
    };
    let entity_refs = vec![reference("secret.id", "plain.id"), reference("plain.id", "secret.id")];
    let attributes = vec![pair("secret.id", "a"), pair("plain.id", "b")];
    let (out, _) = filter_logs(&engine, &logs(Resource { attributes, entity_refs, ..Default::default() }, vec![]));
    let resource = out.resource_logs[0].resource.clone().unwrap();
    assert_eq!(resource.attributes, [pair("plain.id", "b")]);
    let left = EntityRef { description_keys: vec![], ..reference("plain.id", "") };
    assert_eq!(resource.entity_refs, [left]);
}

#[test]
fn unknown_fields_are_deleted_and_counted() {
    let engine = engine("");
    let mut record = LogRecord { body: text("well"), ..Default::default() }.encode_to_vec();
    put_field(&mut record, 999, b"203.0.113.9");
    let (mut scope, mut envelope, mut request) = (Vec::new(), Vec::new(), Vec::new());
    put_field(&mut scope, 2, &record);
    put_field(&mut envelope, 2, &scope);
    put_field(&mut request, 1, &envelope);
    put_field(&mut request, 77, b"203.0.113.9");
    let mut worker = Worker::default();
    let filtered = engine.filter(&mut worker, Signal::Logs, request.into()).unwrap();
    assert!(memchr::memmem::find(&filtered.bytes, b"203").is_none());
    let expected = logs(Resource::default(), vec![LogRecord { body: text("well"), ..Default::default() }]);
    let mut expected = expected;
    expected.resource_logs[0].resource = None;
    assert_eq!(filtered.bytes, expected.encode_to_vec());
    assert_eq!(
        worker.take_counts().unknown_fields.iter().map(|(_, number, n)| (*number, *n)).collect::<Vec<_>>(),
        [(999, 1), (77, 1)]
    );
}

#[test]
fn what_parsers_read_differently_is_refused() {
    let engine = engine("");
    let in_record = |content: &[u8]| {
        let (mut scope, mut envelope, mut request) = (Vec::new(), Vec::new(), Vec::new());
        put_field(&mut scope, 2, content);
        put_field(&mut envelope, 2, &scope);
        put_field(&mut request, 1, &envelope);
        request
    };
    let mut nested = Vec::new();
    for _ in 0..70 {
        let mut list = Vec::new();
        put_field(&mut list, 1, &nested);
        nested.clear();
        put_field(&mut nested, 5, &list);
    }
    let mut deep = Vec::new();
    put_field(&mut deep, 5, &nested);
    let cases: &[(&str, &[u8], &str)] = &[
        ("a group", &[0x0b, 0x0c], "bad_wire_type"),
        ("a tag longer than it need be", &[0x8a, 0x00, 0x00], "bad_tag"),
        ("field 0", &[0x02, 0x00], "bad_tag"),
        ("a known field with another wire type", &[0x1a + 2 - 4, 0x00], "wrong_wire_type"),
        ("a length past the end", &[0x1a, 0x05, b'a'], "bad_length"),
        ("bytes that are no UTF-8", &[0x1a, 0x02, 0xff, 0xfe], "invalid_utf8"),
        ("a trace id of three bytes", &[0x4a, 0x03, 1, 2, 3], "bad_id"),
        ("two values in one", &[0x2a, 0x06, 0x0a, 0x01, b'a', 0x0a, 0x01, b'b'], "ambiguous_value"),
        ("two bodies", &[0x2a, 0x03, 0x0a, 0x01, b'a', 0x2a, 0x03, 0x0a, 0x01, b'b'], "ambiguous_value"),
        ("two keys", &[0x32, 0x06, 0x0a, 0x01, b'a', 0x0a, 0x01, b'b'], "repeated_field"),
        ("too deep", &deep, "too_deep"),
    ];
    let mut worker = Worker::default();
    for (name, record, reason) in cases {
        let refused = engine.filter(&mut worker, Signal::Logs, in_record(record).into());
        assert_eq!(refused.map(|filtered| filtered.bytes).unwrap_err(), Refusal::Malformed { reason }, "{name}");
        // The next request is served as if nothing had been.
        let good = Bytes::from(in_record(&LogRecord { body: text("fine"), ..Default::default() }.encode_to_vec()));
        assert_eq!(engine.filter(&mut worker, Signal::Logs, good.clone()).unwrap().bytes, good, "after {name}");
    }
}

#[test]
fn padded_lengths_are_accepted_and_stay_as_they_are() {
    let engine = engine("");
    let request = Bytes::from_static(&[0x0a, 0x85, 0x80, 0x80, 0x00, 0x0a, 0x83, 0x80, 0x00, 0x10, 0x00]);
    let request = request.slice(..);
    // ResourceLogs { resource: { dropped_attributes_count: 0 } } with lengths of four and three bytes, one too many.
    assert!(engine.filter(&mut Worker::default(), Signal::Logs, request).is_err());
    let request = Bytes::from_static(&[0x0a, 0x86, 0x80, 0x80, 0x00, 0x0a, 0x82, 0x80, 0x00, 0x10, 0x00]);
    let filtered = engine.filter(&mut Worker::default(), Signal::Logs, request.clone()).unwrap();
    assert_eq!(filtered.bytes, request);
}

/// Around the lengths at which an attribute's own, its value's and its text's length take another byte.
#[test]
fn attributes_of_every_length_are_filtered_alike_whether_remembered_or_not() {
    let engine = engine("");
    for pad in (40..230).filter(|pad| (90..140).contains(pad) || pad % 10 == 0) {
        let filler = "Mozilla/5.0 (X11; Linux x86_64) ".repeat(8);
        let plain = &filler[..pad];
        let attributes = vec![
            pair("user_agent.original", plain),
            pair("note", &format!("{plain} 203.0.113.7 again")),
            pair("client.address", &format!("{}203.0.113.7", " ".repeat(pad))),
        ];
        let out = one_record(&engine, resource(vec![]), LogRecord { attributes, ..Default::default() });
        let value = |index: usize| string(out.attributes[index].value.as_ref());
        assert_eq!(value(0), plain, "{pad}");
        let token = value(1).strip_prefix(plain).and_then(|rest| rest.strip_suffix(" again"));
        assert!(token.is_some_and(|token| token.starts_with(" ip_")), "{pad}: {}", value(1));
        assert!(!value(2).contains("203.0.113"), "{pad}: {}", value(2));
    }
}

#[test]
fn a_lone_text_is_filtered_like_any_other() {
    let engine = engine("");
    let mut worker = Worker::default();
    let out = engine.filter_text(&mut worker, Part::DestinationMessage, "cannot reach 203.0.113.7:443, retry");
    assert!(out.starts_with("cannot reach ip_") && out.ends_with(":443, retry"), "{out}");
    assert_eq!(engine.filter_text(&mut worker, Part::DestinationMessage, ""), "");
}

#[test]
fn every_record_is_stamped_with_its_retention_and_no_sender_says_it_itself() {
    let engine =
        engine("retention:\n  - {name: rest, days: 90}\n  - {name: audit, days: 14, when: {record: {kind: audit}}}\n");
    let audit =
        LogRecord { attributes: vec![pair("kind", "audit"), pair("privet.retention", "9999d")], ..Default::default() };
    let rest = LogRecord { body: text("from 203.0.113.7"), ..Default::default() };
    let (out, _) = filter_logs(&engine, &logs(resource(vec![]), vec![audit, rest]));
    let records = &out.resource_logs[0].scope_logs[0].log_records;
    assert_eq!(records[0].attributes, [pair("kind", "audit"), pair("privet.retention", "14d")]);
    assert_eq!(records[1].attributes, [pair("privet.retention", "90d")]);

    let points = filter_points(&engine, vec![vec![pair("k", "a")], vec![]]);
    assert_eq!(points[0], [pair("k", "a"), pair("privet.retention", "90d")]);
    assert_eq!(points[1], [pair("privet.retention", "90d")]);
}

#[test]
fn an_allow_list_removes_attributes_and_keeps_series_apart() {
    let engine = engine("attributes: {permitted: [cart.*]}\n");
    let points = filter_points(&engine, vec![vec![pair("cart.size", "1"), pair("who", "a")], vec![pair("who", "b")]]);
    let keys = |point: &Vec<KeyValue>| point.iter().map(|pair| pair.key.clone()).collect::<Vec<_>>();
    assert_eq!(keys(&points[0]), ["cart.size", SERIES_KEY]);
    assert_eq!(keys(&points[1]), [SERIES_KEY]);
    assert_ne!(points[0][1], points[1][0]);
}

#[test]
fn a_rule_that_hides_what_gives_a_name_away_does_not_show_the_name_elsewhere() {
    let engine = engine("rules:\n  - {name: bodies, parts: body, action: redact}\n");
    let record = LogRecord {
        body: text("<34>Oct 11 22:14:15 fw01x sshd[4]: session opened"),
        attributes: vec![pair("note", "seen by fw01x today")],
        ..Default::default()
    };
    let out = one_record(&engine, resource(vec![]), record);
    assert!(!string(out.attributes[0].value.as_ref()).contains("fw01x"), "{:?}", out.attributes);
}

#[test]
fn a_name_is_learned_from_a_value_each_time_it_comes() {
    let engine = engine("rules:\n  - {name: lines, keys: line, as: user, action: pseudonymise}\n");
    let record = LogRecord {
        body: text("seen by fw01x today"),
        attributes: vec![pair("line", "<34>Oct 11 22:14:15 fw01x sshd[4]: opened")],
        ..Default::default()
    };
    let out = one_record(&engine, resource(vec![]), record);
    assert!(!body(&out).contains("fw01x"), "{:?}", out.body);
}

#[test]
fn a_known_name_in_a_value_that_its_key_decides_is_treated_as_strictly_as_in_text() {
    let engine = engine(
        "rules:\n  - {name: hosts, detect: host, action: redact}\n  - {name: ips, keys: tag, as: ip, action: mask, last: 2}\n",
    );
    let record = LogRecord { attributes: vec![pair("tag", "falcon-77")], ..Default::default() };
    let out = one_record(&engine, resource(vec![pair("host.name", "falcon-77")]), record);
    assert_eq!(string(out.attributes[0].value.as_ref()), "[host]");
}

#[test]
fn a_masked_address_does_not_show_the_host_that_was_hidden_without_the_mask() {
    let engine = engine_of(
        "rules:\n  - {name: hosts, detect: host, action: pseudonymise}\n  - {name: mails, detect: email, action: mask, last: 3}\n",
    );
    let record = LogRecord { body: text("to carol@example.com"), ..Default::default() };
    assert_eq!(body(&one_record(&engine, resource(vec![]), record)), "to [email]");
}

#[test]
fn an_address_in_a_flattened_key_is_found() {
    let record = LogRecord { attributes: vec![pair("noise.203.0.113.7.ip", "x")], ..Default::default() };
    let out = one_record(&engine(""), resource(vec![]), record);
    assert!(!out.attributes[0].key.contains("203.0.113.7"), "{}", out.attributes[0].key);
}

#[test]
fn of_two_patterns_that_meet_neither_shows_what_the_other_hides() {
    let engine = engine_of(
        "kinds: [a, b]\nrules:\n  - {name: one, pattern: 'falcon-[0-9]+', as: a, action: redact}\n  - {name: two, pattern: 'alcon-[0-9]+', as: b, action: mask, last: 2}\n",
    );
    let record = LogRecord { body: text("on falcon-77"), ..Default::default() };
    assert_eq!(body(&one_record(&engine, resource(vec![]), record)), "on [a]");
}

#[test]
fn a_field_that_goes_because_of_what_stands_beside_its_json_takes_what_the_json_became_along() {
    let engine = engine_of(
        "rules:\n  - {name: hosts, detect: host, action: stay}\n  - {name: ips, detect: ip, action: pseudonymise}\n",
    );
    let attributes = vec![
        pair("a", r#"{"client_ip":"203.0.113.7","n":12345} from web.corp.example"#),
        pair("b", "198.51.100.9"),
        pair("c", "kept"),
    ];
    let out = one_record(&engine, resource(vec![]), LogRecord { attributes, ..Default::default() });
    let keys: Vec<_> = out.attributes.iter().map(|pair| pair.key.as_str()).collect();
    assert_eq!(keys, ["b", "c"]);
    assert!(string(out.attributes[0].value.as_ref()).starts_with("ip_"), "{:?}", out.attributes);
}

#[test]
fn a_host_behind_an_account_is_learned_though_its_value_is_replaced_whole() {
    let record = LogRecord {
        body: text("seen by fw01x today"),
        attributes: vec![pair("user.name", "root@fw01x")],
        ..Default::default()
    };
    let out = one_record(&engine(""), resource(vec![]), record);
    assert!(!body(&out).contains("fw01x"), "{:?}", out.body);
}

#[test]
fn a_key_of_two_words_decides_in_a_document_however_it_is_nested() {
    let deep = format!(r#"{{"{}":{{"host":{{"name":"canyon"}}}}}}"#, "a".repeat(195));
    for document in [
        deep.as_str(),
        r#"{"host":{"name":"canyon"},"level":"info"}"#,
        r#"{"event":{"host":{"name":"canyon"}}}"#,
        r#"{"hosts":[{"host":{"os":{"type":"linux"},"name":"canyon"}}]}"#,
        r#"{"message":"{\"user\":{\"name\":\"canyon\"}}"}"#,
        r#"{"client":{"address":["canyon"]}}"#,
    ] {
        let record = LogRecord { body: text(document), ..Default::default() };
        let out = one_record(&engine(""), resource(vec![]), record);
        assert!(!body(&out).contains("canyon"), "{}", body(&out));
    }
    for document in
        [r#"{"service":{"name":"canyon"}}"#, r#"{"host":{"os":{"name":"canyon"}}}"#, r#"{"host":{},"name":"canyon"}"#]
    {
        let record = LogRecord { body: text(document), ..Default::default() };
        assert_eq!(body(&one_record(&engine(""), resource(vec![]), record)), document);
    }
}

#[test]
fn names_of_programs_stand_for_no_host_elsewhere_in_the_record() {
    let attributes = vec![
        pair("server.address", "redis"),
        pair("db.system", "redis"),
        pair("redis.command", "GET"),
        pair("db.user", "oracle"),
        pair("note", "by oracle"),
    ];
    let out = one_record(&engine(""), resource(vec![]), LogRecord { attributes, ..Default::default() });
    assert_ne!(string(out.attributes[0].value.as_ref()), "redis");
    assert_eq!(string(out.attributes[1].value.as_ref()), "redis");
    assert_eq!(out.attributes[2].key, "redis.command");
    assert_eq!(string(out.attributes[2].value.as_ref()), "GET");
    assert!(
        !string(out.attributes[4].value.as_ref()).contains("oracle"),
        "an account is hidden, whatever it is called"
    );
}

#[test]
fn an_account_that_a_key_names_has_that_token_in_the_whole_record() {
    let attributes = vec![
        pair("user.name", "carolus"),
        pair("note", "carolus logged in"),
        pair("doc", r#"{"text":"Carolus again"}"#),
        pair("db.name", "carolus"),
    ];
    let out = one_record(&engine(""), resource(vec![]), LogRecord { attributes, ..Default::default() });
    let values: Vec<_> = out.attributes.iter().map(|pair| string(pair.value.as_ref())).collect();
    let token = values[0];
    assert!(token.starts_with("user_"), "{token}");
    assert_eq!((values[1], values[3]), (&*format!("{token} logged in"), token));
    assert!(values[2].contains("user_") && !values[2].contains("arolus"), "{}", values[2]);

    // What is a host's as well is a host's.
    let attributes = vec![pair("user.name", "fw01x"), pair("host.name", "fw01x"), pair("note", "fw01x logged in")];
    let out = one_record(&engine(""), resource(vec![]), LogRecord { attributes, ..Default::default() });
    let [_, host, note] = &out.attributes[..] else { panic!("three attributes") };
    assert_eq!(string(note.value.as_ref()), format!("{} logged in", string(host.value.as_ref())));
}

#[test]
fn a_hyphen_in_place_of_a_value_says_nothing_but_is_hidden_where_nothing_may_show() {
    let engine = engine("rules:\n  - {name: pins, keys: pin, action: redact}\n");
    let attributes = vec![pair("source.address", "-"), pair("user.name", "-"), pair("pin", "-")];
    let out = one_record(&engine, resource(vec![]), LogRecord { attributes, ..Default::default() });
    let values: Vec<_> = out.attributes.iter().map(|pair| string(pair.value.as_ref()).to_owned()).collect();
    assert_eq!(values[..2], ["-", "-"]);
    assert_ne!(values[2], "-");
}

/// What rules did, field by field: `rule in field`, as often as it was done.
fn acts(engine: &Engine, signal: Signal, request: Vec<u8>) -> Vec<String> {
    let mut worker = Worker::default();
    engine.filter(&mut worker, signal, request.into()).expect("well-formed");
    let (counts, policy) = (worker.take_counts(), engine.policy());
    let acts = counts.by_field.expect("asked for").into_iter();
    acts.map(|(field, rule)| format!("{} in {}", policy.rules()[usize::from(rule.0)].name, policy.field(field)))
        .collect()
}

#[test]
fn what_rules_did_is_told_by_field_and_no_key_from_outside_is_shown() {
    let engine = engine("rules: [{name: tenant, keys: [tenant_id], as: user, action: pseudonymise}]");
    let map = KeyValueList { values: vec![pair("client.address", "10.0.0.4"), pair("x", "10.0.0.5")] };
    let nested = KeyValue {
        key: "alice@corp.example".into(),
        value: Some(AnyValue { value: Some(Any::KvlistValue(map)) }),
        ..Default::default()
    };
    let record = LogRecord {
        body: text(r#"{"client_ip": "10.0.0.1", "bob": "10.0.0.2"} 10.0.0.3"#),
        attributes: vec![pair("acme.tenant_id", "7"), pair("bob", "10.0.0.6"), nested],
        ..Default::default()
    };
    let request = logs(resource(vec![pair("host.name", "web-1")]), vec![record]).encode_to_vec();
    let mut found = acts(&engine, Signal::Logs, request);
    found.sort();
    let expected = [
        "addresses-in-text in body",
        "addresses-in-text in body",
        "addresses-in-text in record.attributes (other keys)",
        "addresses-in-text in record.attributes (other keys)",
        "emails-in-text in attribute.keys",
        "peers in body clientip",
        "peers in record.attributes *.client.address",
        "sending-host in resource.attributes host.name",
        "tenant in record.attributes *.tenantid",
    ];
    assert_eq!(found, expected);
}

#[test]
fn what_was_done_in_a_record_that_is_dropped_is_not_told_by_field() {
    let engine = engine("rules: [{name: gone, keys: [session.note], detect: [ip], action: drop_record}]");
    let dropped = LogRecord {
        body: text("from 10.0.0.1"),
        attributes: vec![pair("client.address", "10.0.0.2"), pair("session.note", "10.0.0.3")],
        ..Default::default()
    };
    let kept = LogRecord { body: text("from 10.0.0.1"), ..Default::default() };
    let request = logs(resource(vec![]), vec![kept, dropped]).encode_to_vec();
    let found = acts(&engine, Signal::Logs, request);
    assert_eq!(found, ["addresses-in-text in body", "gone in record.attributes session.note"]);
}
