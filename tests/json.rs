//! OTLP/JSON against three that are not ours: prost's structs, the descriptors, and payloads of other projects in both
//! forms (`../shared/data`, or where `PRIVET_DATA` points).

use std::fs;
use std::path::{Path, PathBuf};

use opentelemetry_proto::tonic::collector::{
    logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest,
    profiles::v1development::ExportProfilesServiceRequest, trace::v1::ExportTraceServiceRequest,
};
use privet::otlp::Signal;
use privet::otlp::json::{self, Error};
use proptest::prelude::*;
use prost::{DecodeError, Message};
use prost_reflect::{Cardinality, DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, Value};
use serde_json::Value as Json;

#[test]
fn payloads_of_other_projects_are_the_same_in_both_forms() {
    let Some(payloads) = payloads() else { return };
    for Payload { signal, path, protobuf, json } in &payloads {
        let mut decoded = Vec::new();
        let report = json::decode(*signal, json.as_bytes(), &mut decoded).unwrap_or_else(|e| panic!("{path:?}: {e}"));
        assert_eq!(report.unknown_fields, 0, "{path:?}");
        assert_eq!(canonical(*signal, &decoded), canonical(*signal, protobuf), "{path:?}");

        let encoded: Json = serde_json::from_slice(&encode(*signal, protobuf).unwrap()).unwrap();
        let mut published: Json = serde_json::from_str(json).unwrap();
        number_enums(&mut published);
        assert_eq!(encoded, published, "{path:?}");
    }
    assert!(payloads.len() >= 400, "only {} payloads", payloads.len());
}

#[test]
fn the_specifications_rules_hold_on_output() {
    let text = r#"{"resourceLogs":[{"resource":{},"scopeLogs":[{"logRecords":[{"timeUnixNano":"1544712660300000000","severityNumber":9,"body":{"stringValue":""},"attributes":[{"key":"a\"\\\n\u0001é","value":{"doubleValue":"NaN"}},{"key":"b","value":{"doubleValue":-0.5}},{"key":"c","value":{"intValue":"-9223372036854775808"}},{"key":"d","value":{"bytesValue":"+/8="}},{"key":"e","value":{"boolValue":false}},{"key":"f","value":{}},{"key":"g","value":{"arrayValue":{"values":[{"stringValue":"x"},{}]}}},{"key":"h"}],"flags":1,"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174"}]}]}]}"#;
    let mut protobuf = Vec::new();
    json::decode(Signal::Logs, text.as_bytes(), &mut protobuf).unwrap();
    assert_eq!(String::from_utf8(encode(Signal::Logs, &protobuf).unwrap()).unwrap(), text);
}

#[test]
fn what_other_writers_write_is_understood() {
    let strict = logs(
        r#""timeUnixNano":"1000","severityNumber":17,"droppedAttributesCount":3,"flags":1,"traceId":"5b8efff798038103d269b633813fc60c","body":{"bytesValue":"+/8="}"#,
    );
    let loose = [
        logs(
            r#""time_unix_nano":1000,"severity_number":"SEVERITY_NUMBER_ERROR","dropped_attributes_count":"3","flags":1.0,"trace_id":"5B8EFFF798038103D269B633813FC60C","body":{"bytes_value":"-_8"}"#,
        ),
        logs(
            r#""timeUnixNano":1e3,"severityNumber":"17","droppedAttributesCount":3e0,"flags":"1","traceId":"5b8efff798038103d269b633813fc60c","spanId":null,"attributes":null,"body":{"stringValue":null,"bytesValue":"+/8="}"#,
        ),
        format!("\u{feff} {}\r\n", strict.replace(':', " :\t").replace(',', "\n,")),
    ];
    for text in loose {
        assert_eq!(decode(Signal::Logs, &text).unwrap(), decode(Signal::Logs, &strict).unwrap(), "{text}");
    }
}

#[test]
fn unknown_members_are_dropped_and_counted() {
    let text = logs(r#""future":{"a":[1,{"b":null}],"c":"}"},"body":{"stringValue":"x","stringvalue":1},"Body":true"#);
    let mut protobuf = Vec::new();
    let report = json::decode(Signal::Logs, text.as_bytes(), &mut protobuf).unwrap();
    assert_eq!(report.unknown_fields, 3);
    assert_eq!(protobuf, decode(Signal::Logs, &logs(r#""body":{"stringValue":"x"}"#)).unwrap());
}

#[test]
fn errors_name_the_place_and_never_a_value() {
    let canary = "canary-7f3a";
    let record = "$.resourceLogs[0].scopeLogs[0].logRecords[0]";
    for (member, reason, below) in [
        (r#""timeUnixNano":"canary-7f3a""#, "a number was expected", ".timeUnixNano"),
        (r#""timeUnixNano":1.5"#, "an integer was expected", ".timeUnixNano"),
        (r#""timeUnixNano":1e17"#, "an integer was expected", ".timeUnixNano"),
        (r#""timeUnixNano":-1"#, "a number is out of range", ".timeUnixNano"),
        (r#""timeUnixNano":18446744073709551616"#, "a number is out of range", ".timeUnixNano"),
        (r#""severityNumber":2147483648"#, "a number is out of range", ".severityNumber"),
        (r#""severityNumber":"canary-7f3a""#, "no such name in the enumeration", ".severityNumber"),
        (r#""traceId":"canary-7f3a""#, "hex was expected", ".traceId"),
        (r#""traceId":"abc""#, "hex was expected", ".traceId"),
        (r#""body":{"bytesValue":"canary-7f3a!"}"#, "base64 was expected", ".body.bytesValue"),
        (r#""body":"canary-7f3a""#, "an object was expected", ".body"),
        (r#""body":{"stringValue":7}"#, "a string was expected", ".body.stringValue"),
        (r#""body":{"boolValue":"true"}"#, "true or false was expected", ".body.boolValue"),
        (r#""body":{"doubleValue":1e999}"#, "a number is out of range", ".body.doubleValue"),
        (r#""body":{"stringValue":"canary-7f3a","intValue":1}"#, "two members exclude each other", ".body.intValue"),
        (r#""eventName":"canary-7f3a","eventName":"x""#, "a member stands twice", ".eventName"),
        (r#""event_name":"canary-7f3a","eventName":"x""#, "a member stands twice", ".eventName"),
        (r#""attributes":[{"key":"a"},null]"#, "an object was expected", ".attributes[1]"),
        (r#""attributes":{"canary-7f3a":1}"#, "an array was expected", ".attributes"),
        (r#""canary-7f3a":tru"#, "a value was expected", ""),
        (r#""body":{"stringValue":"canary-7f3a"#, "a string holds a control character", ".body.stringValue"),
    ] {
        let text = logs(&format!("\n  {member}\n"));
        let error = decode(Signal::Logs, &text).unwrap_err();
        let Error::Json { reason: given, line, column, path } = &error else { panic!("{error:?}") };
        assert_eq!((*given, path.as_str()), (reason, format!("{record}{below}").as_str()), "{member}");
        assert_eq!(*line, 2, "{member}");
        assert!((3..=member.len() + 3).contains(column), "{member}: {column}");
        assert!(!error.to_string().contains(canary), "{error}");
    }
}

#[test]
fn a_text_that_is_no_request_is_refused_and_leaves_the_output_as_it_was() {
    let nested = |depth| {
        let (open, close) = (r#"{"arrayValue":{"values":["#.repeat(depth), "]}}".repeat(depth));
        logs(&format!(r#""body":{open}{{}}{close}"#))
    };
    // Whole but for its depth: two messages a level, below the four that lead to the record and its body.
    assert!(decode(Signal::Logs, &nested(29)).is_ok());
    let deep = nested(30);
    let deep_unknown = format!(r#"{{"x":{}"#, "[".repeat(100_000));
    for text in [
        "",
        " ",
        "null",
        "[]",
        "{",
        "{}{}",
        "{,}",
        "{\"resourceLogs\":[,]}",
        "{\"resourceLogs\":[{}}",
        "\"",
        &deep,
        &deep_unknown,
    ] {
        let mut out = b"before".to_vec();
        assert!(json::decode(Signal::Logs, text.as_bytes(), &mut out).is_err(), "{text:.40}");
        assert_eq!(out, b"before");
    }
    let error = json::decode(Signal::Logs, b"{\n \"resourceLogs\": [\xff]}", &mut Vec::new()).unwrap_err();
    assert_eq!(error.to_string(), "line 2, column 19, at $: the text is not UTF-8");
}

#[test]
fn elements_that_stand_apart_on_the_wire_are_one_list() {
    let request = nested(&[10, 18, 18], b"\x32\x03\x0a\x01a\x1a\x01x\x32\x03\x0a\x01b");
    let text = String::from_utf8(encode(Signal::Logs, &request).unwrap()).unwrap();
    assert_eq!(text.matches("attributes").count(), 1, "{text}");
    let back = decode(Signal::Logs, &text).unwrap();
    assert_eq!(canonical(Signal::Logs, &back), canonical(Signal::Logs, &request));
}

#[test]
fn either_alphabet_of_base64_is_read() {
    let bytes = |text: &str| decode(Signal::Logs, &logs(&format!(r#""body":{{"bytesValue":"{text}"}}"#)));
    for text in ["_-8=", "_-8", "/+8=", "/+8"] {
        assert_eq!(bytes(text), bytes("/+8="), "{text}");
    }
    assert_eq!(bytes("_w"), bytes("/w=="));
    assert_eq!(bytes("-w"), bytes("+w=="));
}

#[test]
fn of_a_oneof_the_last_member_counts_and_messages_merge_as_in_every_parser() {
    let logs = |body: &[u8]| nested(&[10, 18, 18, 42], body);
    for body in [
        b"\x0a\x01a\x18\x01\x0a\x01b".as_slice(),
        b"\x0a\x01a\x0a\x01b\x18\x05",
        b"\x2a\x04\x0a\x02\x18\x01\x2a\x04\x0a\x02\x18\x02",
        b"\x2a\x04\x0a\x02\x18\x01\x18\x01\x2a\x04\x0a\x02\x18\x02",
    ] {
        let request = logs(body);
        let text = encode(Signal::Logs, &request).unwrap();
        let back = decode(Signal::Logs, str::from_utf8(&text).unwrap()).unwrap();
        assert_eq!(canonical(Signal::Logs, &back), canonical(Signal::Logs, &request), "{body:x?}");
    }
}

#[test]
fn bytes_that_are_no_request_are_refused_and_leave_the_output_as_it_was() {
    for request in [
        b"\x0a".as_slice(),
        b"\x0a\x05\x0a",
        b"\x08\x01",
        b"\x0b\x0c",
        b"\x00\x00",
        b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        &nested(&[10, 26], b"\xff"),
        &nested(&[[10, 18, 18, 42].as_slice(), &[42, 10].repeat(40)].concat(), b""),
    ] {
        let mut out = b"before".to_vec();
        assert!(json::encode(Signal::Logs, request, &mut out).is_err(), "{request:x?}");
        assert_eq!(out, b"before");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_request_survives_the_way_there_and_back(signal in signal(), entropy in entropy()) {
        let request = random_request(signal, &entropy);
        let text = encode(signal, &request).unwrap();
        prop_assert!(serde_json::from_slice::<Json>(&text).is_ok());
        let mut back = Vec::new();
        let report = json::decode(signal, &text, &mut back).unwrap();
        prop_assert_eq!(report.unknown_fields, 0);
        prop_assert_eq!(canonical(signal, &back), canonical(signal, &request));
    }

    #[test]
    fn damaged_requests_are_refused_or_read_as_prost_reads_them(
        signal in signal(),
        entropy in entropy(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut request = random_request(signal, &entropy);
        for (place, byte) in damage {
            match (request.len(), byte & 1) {
                (0, _) => request.push(byte),
                (len, 0) => request[place.index(len)] = byte,
                // A part once more, somewhere else: repeated fields, overridden ones, merged messages.
                (len, _) => request.extend_from_within(place.index(len)..),
            }
        }
        if let (Ok(text), Ok(expected)) = (encode(signal, &request), canonical(signal, &request)) {
            let back = decode(signal, str::from_utf8(&text).unwrap()).unwrap();
            prop_assert_eq!(canonical(signal, &back).unwrap(), expected);
        }
    }

    #[test]
    fn damaged_text_is_refused_or_gives_a_request_that_prost_reads(
        signal in signal(),
        entropy in entropy(),
        place in any::<prop::sample::Index>(),
        insert in "[\\[\\]{},:\"0-9a-z\\\\.-]{0,3}",
    ) {
        let mut text = encode(signal, &random_request(signal, &entropy)).unwrap();
        let at = place.index(text.len());
        let end = (at + insert.len() / 2).min(text.len());
        text.splice(at..end, insert.into_bytes());
        let mut back = Vec::new();
        if json::decode(signal, &text, &mut back).is_ok() {
            prop_assert!(canonical(signal, &back).is_ok());
        }
    }
}

// ---------------------------------------------------------------------------------------------------------------------

fn encode(signal: Signal, request: &[u8]) -> Result<Vec<u8>, Error> {
    let mut out = Vec::new();
    json::encode(signal, request, &mut out).map(|()| out)
}

fn decode(signal: Signal, text: &str) -> Result<Vec<u8>, Error> {
    let mut out = Vec::new();
    json::decode(signal, text.as_bytes(), &mut out).map(|_| out)
}

/// One log record of these members.
fn logs(members: &str) -> String {
    format!(r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{{{members}}}]}}]}}]}}"#)
}

/// Wraps bytes in length-delimited fields, the outermost tag first.
fn nested(tags: &[u8], inner: &[u8]) -> Vec<u8> {
    tags.iter().rev().fold(inner.to_vec(), |inner, &tag| {
        let mut outer = vec![tag];
        prost::encode_length_delimiter(inner.len(), &mut outer).unwrap();
        [outer, inner].concat()
    })
}

/// What prost reads, as text: there all NaNs are one, as they are in JSON.
fn canonical(signal: Signal, request: &[u8]) -> Result<String, DecodeError> {
    Ok(match signal {
        Signal::Logs => format!("{:?}", ExportLogsServiceRequest::decode(request)?),
        Signal::Metrics => format!("{:?}", ExportMetricsServiceRequest::decode(request)?),
        Signal::Traces => format!("{:?}", ExportTraceServiceRequest::decode(request)?),
        Signal::Profiles => format!("{:?}", ExportProfilesServiceRequest::decode(request)?),
    })
}

struct Payload {
    signal: Signal,
    path: PathBuf,
    protobuf: Vec<u8>,
    json: String,
}

fn payloads() -> Option<Vec<Payload>> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    let data = std::env::var_os("PRIVET_DATA").map_or_else(beside, PathBuf::from).join("otlp/dev");
    if !data.is_dir() {
        eprintln!("skipped: no payloads at {}", data.display());
        return None;
    }
    let mut payloads = Vec::new();
    for signal in Signal::ALL {
        for entry in fs::read_dir(data.join(signal.name())).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "json") {
                payloads.push(Payload {
                    signal,
                    protobuf: fs::read(path.with_extension("pb")).unwrap(),
                    json: fs::read_to_string(&path).unwrap(),
                    path,
                });
            }
        }
    }
    Some(payloads)
}

/// Enumerations by number, where others write names.
fn number_enums(json: &mut Json) {
    let pool = DescriptorPool::decode(opentelemetry_proto::DESCRIPTORS).unwrap();
    let numbers: Vec<_> = pool
        .all_enums()
        .flat_map(|e| e.values().map(|v| (v.name().to_owned(), v.number())).collect::<Vec<_>>())
        .collect();
    fn visit(json: &mut Json, numbers: &[(String, i32)]) {
        match json {
            Json::Array(values) => values.iter_mut().for_each(|value| visit(value, numbers)),
            Json::Object(members) => {
                for (name, value) in members {
                    if let ("kind" | "code" | "severityNumber" | "aggregationTemporality", Json::String(text)) =
                        (name.as_str(), &*value)
                    {
                        *value = numbers.iter().find(|(name, _)| name == text).expect("a value's name").1.into();
                    }
                    visit(value, numbers);
                }
            }
            _ => {}
        }
    }
    visit(json, &numbers);
}

fn signal() -> impl Strategy<Value = Signal> {
    prop::sample::select(&Signal::ALL[..])
}

fn entropy() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..600)
}

/// A request whose every field is decided by the next bytes of the entropy; where it ends, so does the request.
fn random_request(signal: Signal, entropy: &[u8]) -> Vec<u8> {
    let pool = DescriptorPool::decode(opentelemetry_proto::DESCRIPTORS).unwrap();
    let name = match signal {
        Signal::Logs => "opentelemetry.proto.collector.logs.v1.ExportLogsServiceRequest",
        Signal::Metrics => "opentelemetry.proto.collector.metrics.v1.ExportMetricsServiceRequest",
        Signal::Traces => "opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest",
        Signal::Profiles => "opentelemetry.proto.collector.profiles.v1development.ExportProfilesServiceRequest",
    };
    random_message(pool.get_message_by_name(name).unwrap(), &mut entropy.iter().copied(), 0).encode_to_vec()
}

type Entropy<'a> = std::iter::Copied<std::slice::Iter<'a, u8>>;

fn random_message(descriptor: MessageDescriptor, entropy: &mut Entropy, depth: usize) -> DynamicMessage {
    let mut message = DynamicMessage::new(descriptor.clone());
    for field in descriptor.fields() {
        // The way down to records is nearly always taken, other fields every other time.
        let Some(dice) = entropy.next() else { break };
        if depth > 20 || dice < if depth < 3 { 20 } else { 128 } {
            continue;
        }
        let value = if field.cardinality() == Cardinality::Repeated {
            Value::List((0..=dice % 3).map(|_| random_value(&field, entropy, depth)).collect())
        } else {
            random_value(&field, entropy, depth)
        };
        message.set_field(&field, value);
    }
    message
}

fn random_value(field: &FieldDescriptor, entropy: &mut Entropy, depth: usize) -> Value {
    let mut byte = || entropy.next().unwrap_or(0);
    let mut word = || -> u64 {
        match byte() % 5 {
            0 => byte().into(),
            1 => u64::from(byte()).wrapping_neg(),
            2 => i64::MAX.cast_unsigned(),
            3 => i64::MIN.cast_unsigned(),
            _ => (0..8).fold(0, |word, _| word << 8 | u64::from(byte())),
        }
    };
    match field.kind() {
        Kind::Double => Value::F64(match word() {
            word if word % 7 == 0 => [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, 0.0][word as usize % 5],
            word => Some(f64::from_bits(word)).filter(|double| !double.is_nan()).unwrap_or(1.0),
        }),
        Kind::Int32 | Kind::Sint32 => Value::I32(word() as i32),
        Kind::Enum(_) => Value::EnumNumber(word() as i32),
        Kind::Int64 | Kind::Sfixed64 => Value::I64(word().cast_signed()),
        Kind::Uint32 | Kind::Fixed32 => Value::U32(word() as u32),
        Kind::Uint64 | Kind::Fixed64 => Value::U64(word()),
        Kind::Bool => Value::Bool(word() % 2 == 0),
        Kind::String => {
            let palette = ['a', '"', '\\', '\n', '\u{0}', 'é', '😀', '\u{2028}', '/', '\u{7f}'];
            Value::String((0..word() % 9).map(|_| palette[word() as usize % palette.len()]).collect())
        }
        Kind::Bytes => Value::Bytes((0..word() % 9).map(|_| word() as u8).collect()),
        Kind::Message(message) => Value::Message(random_message(message, entropy, depth + 1)),
        other => unreachable!("OTLP has no {other:?}"),
    }
}
