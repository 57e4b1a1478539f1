//! Leaks: a canary in every string, bytes and map-key position of every message of the four signals, built from the
//! published descriptors and not from our own table, and none in what comes out. `tests/sidecar` sends the same requests
//! through a running process.

#[path = "../support/canaries/mod.rs"]
mod canaries;

use std::sync::Arc;

use bytes::Bytes;
use prost_reflect::DynamicMessage;

use privet::filter::{Engine, Filtered, Refusal, Worker};
use privet::otlp::Signal;
use privet::policy::Policy;
use privet::pseudonym::{Keyring, Pseudonyms};

use canaries::{CANARIES, Canary, Position, positions_of};

fn engine() -> Engine {
    let policy = Arc::new(Policy::base());
    let keyring = Keyring::ephemeral().expect("the system has randomness");
    let now = std::time::SystemTime::now();
    let pseudonyms = Pseudonyms::new(&keyring, "test", policy.kinds(), now).expect("a throw-away key is active");
    Engine::new(policy, Arc::new(pseudonyms))
}

/// Filters a request with a canary at a position; says what is wrong, if anything is.
fn leak(engine: &Engine, worker: &mut Worker, signal: Signal, position: &Position, canary: &Canary) -> Option<String> {
    let request = position.request(canary.text);
    assert!(canary.is_in(&request), "{position}: the canary is not in the request");
    match engine.filter(worker, signal, Bytes::from(request)) {
        Err(Refusal::Malformed { .. }) if position.is_id() => None,
        Err(refusal) => Some(format!("{position}: refused: {refusal}")),
        Ok(Filtered { bytes, .. }) if canary.is_in(&bytes) => Some(format!("{position}: {:?} came out", canary.text)),
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
    let (engine, mut worker) = (engine(), Worker::default());
    let mut wrong = Vec::new();
    let mut tried = 0;
    for signal in Signal::ALL {
        for position in &positions_of(signal) {
            for canary in CANARIES {
                // The second time from memory.
                for _ in 0..2 {
                    tried += 1;
                    wrong.extend(leak(&engine, &mut worker, signal, position, canary));
                }
            }
        }
    }
    assert!(tried > 10_000, "{tried}");
    assert!(wrong.is_empty(), "{} of {tried} leak or break:\n{}", wrong.len(), wrong[..wrong.len().min(60)].join("\n"));
}

#[test]
fn a_request_without_identifiers_is_forwarded_as_the_very_same_bytes() {
    let (engine, mut worker) = (engine(), Worker::default());
    for signal in Signal::ALL {
        for position in positions_of(signal).iter().filter(|position| !position.is_id() && !position.is_opaque()) {
            let request = Bytes::from(position.request("all is well"));
            let filtered = engine.filter(&mut worker, signal, request.clone()).expect("well-formed");
            assert_eq!(filtered.bytes, request, "{position}");
            assert_eq!(filtered.bytes.as_ptr(), request.as_ptr(), "{position}: copied");
        }
    }
}

#[test]
fn filtering_twice_changes_nothing() {
    let (engine, mut worker) = (engine(), Worker::default());
    for signal in Signal::ALL {
        for position in positions_of(signal).iter().filter(|position| !position.is_id() && !position.is_opaque()) {
            for Canary { text, .. } in CANARIES {
                let once =
                    engine.filter(&mut worker, signal, Bytes::from(position.request(text))).expect("well-formed");
                let twice = engine.filter(&mut worker, signal, once.bytes.clone()).expect("well-formed");
                assert_eq!(once.bytes, twice.bytes, "{position}: {text}: {:?}", String::from_utf8_lossy(&once.bytes));
            }
        }
    }
}
