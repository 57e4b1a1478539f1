//! Odd requests by hand: what must be refused, and what must not be.

use privet::otlp::Signal;

use crate::generate::padded;

/// What Privet has to do with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    Refused,
    Forwarded,
}
use Expected::{Forwarded, Refused};

fn varint(value: u64) -> Vec<u8> {
    wide(value, 1)
}

fn wide(value: u64, width: usize) -> Vec<u8> {
    let mut out = Vec::new();
    padded(value, width, &mut out);
    out
}

fn tag(number: u32, wire: u8) -> Vec<u8> {
    varint(u64::from(number) << 3 | u64::from(wire))
}

fn len(number: u32, payload: &[u8]) -> Vec<u8> {
    [tag(number, 2), varint(payload.len() as u64), payload.to_vec()].concat()
}

fn int(number: u32, value: u64) -> Vec<u8> {
    [tag(number, 0), varint(value)].concat()
}

fn fixed64(number: u32, value: u64) -> Vec<u8> {
    [tag(number, 1), value.to_le_bytes().to_vec()].concat()
}

/// A request of the one record: in logs, traces and metrics alike it is field 2 of field 2 of field 1.
fn record(record: &[u8]) -> Vec<u8> {
    len(1, &len(2, &len(2, record)))
}

fn string_value(text: &str) -> Vec<u8> {
    len(1, text.as_bytes())
}

fn attribute(key: &str, value: &[u8]) -> Vec<u8> {
    [len(1, key.as_bytes()), len(2, value)].concat()
}

/// A log record whose attribute is a list in a list in a list…
fn nested_log(depth: usize) -> Vec<u8> {
    let mut value = string_value("x");
    for _ in 0..depth {
        value = len(5, &len(1, &value));
    }
    record(&len(5, &value))
}

pub fn cases() -> Vec<(&'static str, Signal, Vec<u8>, Expected)> {
    let body = |value: &[u8]| record(&len(5, value));
    let with_attribute = |attribute: &[u8]| record(&len(6, attribute));
    let point = |point: &[u8]| record(&len(5, &len(1, point)));
    let histogram = |point: &[u8]| record(&len(9, &len(1, point)));
    let text = string_value("x");
    let ip = string_value("203.0.113.77");
    let gauge = |value: u64| len(5, &len(1, &fixed64(6, value)));
    let resource = |key: &str| len(1, &len(1, &attribute(key, &ip)));
    let scope_logs = len(2, &len(2, &len(5, &text)));
    let eight = |values: &[u64]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();

    let logs = vec![
        ("an empty request", vec![], Forwarded),
        ("a record", body(&text), Forwarded),
        ("an empty resource with a length of four bytes", len(1, &[0x0a, 0x80, 0x80, 0x80, 0x00]), Forwarded),
        ("a length of five bytes", [tag(1, 2), wide(0, 5)].concat(), Forwarded),
        ("a length of six bytes", [tag(1, 2), wide(0, 6)].concat(), Refused),
        ("a length past its parent", [tag(1, 2), varint(1)].concat(), Refused),
        ("a length past its parent but within the request", [len(1, &[0x12, 0x03]), len(1, &[])].concat(), Refused),
        ("a length above i32", [tag(1, 2), varint(1 << 31), vec![0; 8]].concat(), Refused),
        ("a length that wraps to a small one", [tag(1, 2), varint((1 << 32) + 2), vec![0; 2]].concat(), Refused),
        ("a tag with nothing after it", tag(1, 2), Refused),
        ("half a tag", vec![0x8a], Refused),
        ("a tag that is wider than it need be", [wide(10, 2), varint(0)].concat(), Refused),
        ("a tag of six bytes", [wide(10, 6), varint(0)].concat(), Refused),
        ("a tag that is a known field's once cut to 32 bits", [varint(1 << 35 | 10), varint(0)].concat(), Refused),
        ("field 0", [0x02, 0x00].to_vec(), Refused),
        ("field 2^29", [varint(1 << 32 | 2), varint(0)].concat(), Refused),
        ("the highest field number there is", len(536_870_911, b"203.0.113.77"), Forwarded),
        ("a group of a known field", [tag(1, 3), tag(1, 4)].concat(), Refused),
        ("a group of an unknown field", [tag(77, 3), len(1, b"203.0.113.77"), tag(77, 4)].concat(), Refused),
        ("the end of a group", tag(1, 4), Refused),
        ("wire type 6", vec![0x0e], Refused),
        ("wire type 7", vec![0x0f, 0x00], Refused),
        ("a known field as a varint", int(1, 0), Refused),
        ("a known number as text", record(&len(2, b"9")), Refused),
        ("a known fixed number as a varint", record(&int(1, 9)), Refused),
        (
            "an unknown field of each wire type",
            record(
                &[int(90, 1), fixed64(91, 1), len(92, b"alice.winter@corp.example"), [tag(93, 5), vec![0; 4]].concat()]
                    .concat(),
            ),
            Forwarded,
        ),
        ("an unknown field with a bad length", [tag(90, 2), varint(5)].concat(), Refused),
        ("the old instrumentation library's field", len(1, &len(1000, &len(2, &len(5, &ip)))), Forwarded),
        ("a varint of eleven bytes", record(&[tag(2, 0), vec![0x80; 10], vec![0x01]].concat()), Refused),
        ("a varint above 64 bits", record(&[tag(2, 0), vec![0xff; 9], vec![0x7f]].concat()), Refused),
        ("a varint that is wider than it need be", record(&[tag(2, 0), wide(9, 10)].concat()), Forwarded),
        ("a negative enum", record(&int(2, -5_i64 as u64)), Forwarded),
        ("an enum value that nobody defined", record(&int(2, 4711)), Forwarded),
        ("text that is not UTF-8", body(&len(1, b"a\xffb")), Refused),
        ("text with an overlong slash", body(&len(1, b"\xc0\xaf")), Refused),
        ("text with a surrogate", body(&len(1, b"\xed\xa0\x80")), Refused),
        ("text above U+10FFFF", body(&len(1, b"\xf4\x90\x80\x80")), Refused),
        ("text cut inside a character", body(&len(1, b"\xe2\x82")), Refused),
        ("a severity that is not UTF-8", record(&len(3, b"\xff")), Refused),
        ("a key that is not UTF-8", with_attribute(&[len(1, b"\xff"), len(2, &text)].concat()), Refused),
        ("bytes that are not UTF-8", body(&len(7, b"\xff\xfe")), Forwarded),
        ("text with a NUL", body(&len(1, b"a\0b")), Forwarded),
        ("a value of two kinds", body(&[ip.clone(), int(3, 1)].concat()), Refused),
        ("a value twice", body(&[ip.clone(), text.clone()].concat()), Refused),
        ("an empty value before another", body(&[string_value(""), ip.clone()].concat()), Refused),
        ("no value at all", body(&[]), Forwarded),
        ("a list twice in one value", body(&[len(5, &len(1, &ip)), len(5, &len(1, &text))].concat()), Refused),
        ("two bodies", record(&[len(5, &ip), len(5, &text)].concat()), Refused),
        (
            "two bodies with a list each",
            record(&[len(5, &len(5, &len(1, &ip))), len(5, &len(5, &len(1, &text)))].concat()),
            Refused,
        ),
        ("a value before its key", with_attribute(&[len(2, &ip), len(1, b"client.address")].concat()), Forwarded),
        ("a key twice", with_attribute(&[len(1, b"a"), attribute("client.address", &ip)].concat()), Refused),
        ("an attribute's value twice", with_attribute(&[attribute("a", &ip), len(2, &text)].concat()), Refused),
        ("an attribute without a value", with_attribute(&len(1, b"a")), Forwarded),
        (
            "one key in two attributes",
            record(&[len(6, &attribute("a", &ip)), len(6, &attribute("a", &text))].concat()),
            Forwarded,
        ),
        ("a resource behind what it describes", len(1, &[scope_logs.clone(), resource("host.ip")].concat()), Forwarded),
        (
            "a resource in two parts",
            len(1, &[resource("host.ip"), scope_logs.clone(), resource("x")].concat()),
            Forwarded,
        ),
        ("a severity twice", record(&[int(2, 9), int(2, 13)].concat()), Forwarded),
        ("a list of twenty lists", nested_log(20), Forwarded),
        ("a list of forty lists", nested_log(40), Refused),
        ("a list of a thousand lists", nested_log(1000), Refused),
        ("a trace id of 15 bytes", record(&len(9, &[7; 15])), Refused),
        ("a trace id of 17 bytes", record(&len(9, &[7; 17])), Refused),
        ("a span id of 16 bytes", record(&len(10, &[7; 16])), Refused),
        ("an empty trace id", record(&len(9, &[])), Forwarded),
        ("a trace id twice", record(&[len(9, &[7; 16]), len(9, &[8; 16])].concat()), Forwarded),
        ("an index into a string table that logs do not have", body(&int(8, 3)), Forwarded),
        ("a value and an index", body(&[ip.clone(), int(8, 3)].concat()), Refused),
        ("a key and an index", with_attribute(&[attribute("client.address", &ip), int(3, 1)].concat()), Refused),
        ("trailing bytes", [body(&text), vec![0x00]].concat(), Refused),
        ("two requests, one after the other", [body(&text), body(&ip)].concat(), Forwarded),
    ];
    let traces = vec![
        (
            "a status in two parts",
            record(&[len(15, &len(2, b"203.0.113.77 refused")), len(15, &int(3, 2))].concat()),
            Forwarded,
        ),
        ("a parent id of 9 bytes", record(&len(4, &[1; 9])), Refused),
        ("a name twice", record(&[len(5, b"203.0.113.77"), len(5, b"x")].concat()), Forwarded),
        ("flags as a varint", record(&int(16, 1)), Refused),
        ("a link's trace id of one byte", record(&len(13, &len(1, &[1]))), Refused),
    ];
    let metrics = vec![
        ("a gauge", record(&gauge(5)), Forwarded),
        ("a gauge twice", record(&[gauge(5), gauge(6)].concat()), Refused),
        ("a gauge and a sum", record(&[gauge(5), len(7, &[])].concat()), Refused),
        ("a point with two values", point(&[fixed64(6, 5), fixed64(4, 5)].concat()), Refused),
        ("a point with one value twice", point(&[fixed64(6, 5), fixed64(6, 6)].concat()), Refused),
        ("an exemplar with two values", point(&len(5, &[fixed64(3, 1), fixed64(6, 1)].concat())), Refused),
        ("counts, packed", histogram(&len(6, &eight(&[1, 2]))), Forwarded),
        ("counts, not packed", histogram(&[fixed64(6, 1), fixed64(6, 2)].concat()), Forwarded),
        ("counts, packed twice", histogram(&[len(6, &eight(&[1, 2])), len(6, &eight(&[3]))].concat()), Refused),
        ("counts, single and then packed", histogram(&[fixed64(6, 1), len(6, &eight(&[3]))].concat()), Refused),
        ("counts, packed and then single", histogram(&[len(6, &eight(&[3])), fixed64(6, 1)].concat()), Forwarded),
        ("counts, packed in seven bytes", histogram(&len(6, &[0; 7])), Refused),
        (
            "exponential counts, packed twice",
            record(&len(10, &len(1, &len(8, &[len(2, &[1, 2]), len(2, &[3])].concat())))),
            Forwarded,
        ),
        ("exponential counts, cut within a number", record(&len(10, &len(1, &len(8, &len(2, &[1, 0x80]))))), Refused),
        ("a negative zero", record(&len(11, &len(1, &fixed64(5, 1 << 63)))), Forwarded),
        ("a flag of 2", record(&len(7, &int(3, 2))), Forwarded),
    ];
    let profiles = vec![
        (
            "values, packed twice",
            len(1, &len(2, &len(2, &len(2, &[len(4, &[1, 2]), len(4, &[3])].concat())))),
            Forwarded,
        ),
        (
            "times, packed twice",
            len(1, &len(2, &len(2, &len(2, &[len(5, &[0; 16]), len(5, &[0; 8])].concat())))),
            Refused,
        ),
        ("a profile id of 3 bytes", len(1, &len(2, &len(2, &len(7, &[1; 3])))), Refused),
        ("a dictionary in two parts", [len(2, &len(5, b"")), len(2, &len(5, b"203.0.113.77"))].concat(), Forwarded),
    ];
    let profiles = [profiles, indexed_strings()].concat();
    let of = |signal: Signal, cases: Vec<(&'static str, Vec<u8>, Expected)>| {
        cases.into_iter().map(move |(name, bytes, expected)| (name, signal, bytes, expected))
    };
    of(Signal::Logs, logs)
        .chain(of(Signal::Traces, traces))
        .chain(of(Signal::Metrics, metrics))
        .chain(of(Signal::Profiles, profiles))
        .collect()
}

/// In profiles an attribute may name its key and text by their places in the string table; pdata refuses places that are none.
fn indexed_strings() -> Vec<(&'static str, Vec<u8>, Expected)> {
    let table = ["", "host.name", "web-1.prod.corp.example"].map(|text| len(5, text.as_bytes())).concat();
    let of = |attribute: &[u8], table: &[u8]| [len(1, &len(1, &len(1, attribute))), len(2, table)].concat();
    let value = |index: u64| len(2, &int(8, index));
    let key = |index: u64| int(3, index);
    vec![
        ("a key and a text by index", of(&[key(1), value(2)].concat(), &table), Forwarded),
        (
            "the string table before its use",
            [len(2, &table), of(&[key(1), value(2)].concat(), &[])].concat(),
            Forwarded,
        ),
        ("a text by index under a key", of(&[len(1, b"host.name"), value(2)].concat(), &table), Forwarded),
        ("a key and a key by index", of(&[len(1, b"a"), key(1)].concat(), &table), Refused),
        ("a key by an index that is none", of(&key(3), &table), Refused),
        ("a key by a negative index", of(&key(-1_i64 as u64), &table), Refused),
        ("a key by an index that is a good one once cut to 32 bits", of(&key(1 << 32 | 1), &table), Forwarded),
        (
            "a text by an index that is a good one once cut to 32 bits",
            of(&[key(1), value(1 << 32 | 2)].concat(), &table),
            Forwarded,
        ),
        ("a text by an index that is none", of(&[key(1), value(3)].concat(), &table), Refused),
        ("a text by a negative index", of(&[key(1), value(-1_i64 as u64)].concat(), &table), Refused),
        ("a text by index without a table", of(&[len(1, b"a"), value(0)].concat(), &[]), Refused),
    ]
}

/// A host's name that only its key tells, key and name given by index, one of them wider than 32 bits.
pub fn wide_indices(host: &str) -> Vec<(&'static str, Vec<u8>)> {
    let table = ["", "host.name", host].map(|text| len(5, text.as_bytes())).concat();
    let wide = |index: u64| 1 << 32 | index;
    let resource = |key: u64, text: u64| {
        let attribute = [int(3, key), len(2, &int(8, text))].concat();
        [len(1, &len(1, &len(1, &attribute))), len(2, &table)].concat()
    };
    let listed = |key: u64, text: u64| {
        let attribute = [int(1, key), len(2, &int(8, text))].concat();
        len(2, &[table.clone(), len(6, &attribute)].concat())
    };
    vec![
        ("as it should be", resource(1, 2)),
        ("a resource's key", resource(wide(1), 2)),
        ("a resource's text", resource(1, wide(2))),
        ("a listed attribute, as it should be", listed(1, 2)),
        ("a listed attribute's key", listed(wide(1), 2)),
        ("a listed attribute's text", listed(1, wide(2))),
    ]
}
