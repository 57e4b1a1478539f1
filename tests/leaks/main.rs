//! Leaks: a canary in every string, bytes and map-key position of every message of the four signals, built from the
//! published descriptors and not from our own table, and none in what comes out.

mod positions;

use std::sync::Arc;

use bytes::Bytes;
use prost_reflect::{DescriptorPool, DynamicMessage};

use privet::filter::{Engine, Filtered, Refusal, Worker};
use privet::otlp::Signal;
use privet::policy::Policy;
use privet::pseudonym::{Keyring, Pseudonyms};

use positions::{Position, positions};

/// What must not come out, as it is written into a position, and by what it would be known.
const CANARIES: &[(&str, &str)] = &[
    ("203.0.113.77", "203.0.113.77"),
    ("from 203.0.113.77:4711, again", "203.0.113.77"),
    ("for=\"[2001:db8:cafe::17]:4711\"", "2001:db8:cafe::17"),
    ("2001:DB8:CAFE:0:0:0:0:17", "2001:DB8:CAFE:0:0:0:0:17"),
    ("::ffff:203.0.113.77", "203.0.113.77"),
    ("GET /a?ip=203%2E0%2E113%2E77", "203%2E0%2E113%2E77"),
    ("canary@mail.example.com", "canary"),
    ("mailto:canary@mail.example.com?subject=x", "canary"),
    ("to=canary%40mail.example.com", "canary"),
    ("Canary@Mail.Example.COM", "Canary"),
    ("db-canary.prod.corp.example", "db-canary"),
    ("https://db-canary.prod.corp.example:8443/x?y=z", "db-canary"),
    ("DB-CANARY.PROD.CORP.EXAMPLE.", "DB-CANARY"),
    ("{\"peer\": \"203.0.113.77\", \"203.0.113.77\": [\"db-canary.prod.corp.example\"]}", "203.0.113.77"),
    ("{\"inner\": \"{\\\"mail\\\": \\\"canary@mail.example.com\\\"}\"}", "canary"),
];

fn pool() -> DescriptorPool {
    DescriptorPool::decode(opentelemetry_proto::DESCRIPTORS).expect("published descriptors decode")
}

fn engine() -> Engine {
    let policy = Arc::new(Policy::base());
    let keyring = Keyring::ephemeral().expect("the system has randomness");
    let now = std::time::SystemTime::now();
    let pseudonyms = Pseudonyms::new(&keyring, "test", policy.kinds(), now).expect("a throw-away key is active");
    Engine::new(policy, Arc::new(pseudonyms))
}

fn contains(haystack: &[u8], needle: &str) -> bool {
    let folded: Vec<u8> = haystack.to_ascii_lowercase();
    memchr::memmem::find(&folded, needle.to_ascii_lowercase().as_bytes()).is_some()
}

/// Filters a request with a canary at a position; says what is wrong, if anything is.
fn leak(
    engine: &Engine,
    worker: &mut Worker,
    signal: Signal,
    position: &Position,
    text: &str,
    known_by: &str,
) -> Option<String> {
    let request = position.request(text);
    assert!(contains(&request, known_by), "{position}: the canary is not in the request");
    match engine.filter(worker, signal, Bytes::from(request)) {
        Err(Refusal::Malformed { .. }) if position.is_id() => None,
        Err(refusal) => Some(format!("{position}: refused: {refusal}")),
        Ok(Filtered { bytes, .. }) if contains(&bytes, known_by) => Some(format!("{position}: {text:?} came out")),
        Ok(Filtered { bytes, .. }) => {
            let descriptor = position.root();
            match DynamicMessage::decode(descriptor, bytes.clone()) {
                Ok(decoded) if decoded.unknown_fields().next().is_none() => None,
                Ok(_) => Some(format!("{position}: unknown fields came out")),
                Err(error) => Some(format!("{position}: what came out does not decode: {error}")),
            }
        }
    }
}

#[test]
fn no_canary_comes_out_of_any_position_of_any_signal() {
    let (pool, engine, mut worker) = (pool(), engine(), Worker::default());
    let mut wrong = Vec::new();
    let mut tried = 0;
    for signal in Signal::ALL {
        let root = pool.get_message_by_name(signal.request().name).expect("a request");
        let positions = positions(&root);
        assert!(positions.len() > 50, "{}: {} positions", signal.name(), positions.len());
        for position in &positions {
            for (text, known_by) in CANARIES {
                tried += 1;
                wrong.extend(leak(&engine, &mut worker, signal, position, text, known_by));
            }
        }
    }
    assert!(tried > 5_000, "{tried}");
    assert!(wrong.is_empty(), "{} of {tried} leak or break:\n{}", wrong.len(), wrong[..wrong.len().min(60)].join("\n"));
}

#[test]
fn a_request_without_identifiers_is_forwarded_as_the_very_same_bytes() {
    let (pool, engine, mut worker) = (pool(), engine(), Worker::default());
    for signal in Signal::ALL {
        let root = pool.get_message_by_name(signal.request().name).expect("a request");
        for position in positions(&root).iter().filter(|position| !position.is_id() && !position.is_opaque()) {
            let request = Bytes::from(position.request("all is well"));
            let filtered = engine.filter(&mut worker, signal, request.clone()).expect("well-formed");
            assert_eq!(filtered.bytes, request, "{position}");
            assert_eq!(filtered.bytes.as_ptr(), request.as_ptr(), "{position}: copied");
        }
    }
}

#[test]
fn filtering_twice_changes_nothing() {
    let (pool, engine, mut worker) = (pool(), engine(), Worker::default());
    for signal in Signal::ALL {
        let root = pool.get_message_by_name(signal.request().name).expect("a request");
        for position in positions(&root).iter().filter(|position| !position.is_id() && !position.is_opaque()) {
            for (text, _) in CANARIES {
                let once =
                    engine.filter(&mut worker, signal, Bytes::from(position.request(text))).expect("well-formed");
                let twice = engine.filter(&mut worker, signal, once.bytes.clone()).expect("well-formed");
                assert_eq!(once.bytes, twice.bytes, "{position}: {text}: {:?}", String::from_utf8_lossy(&once.bytes));
            }
        }
    }
}
