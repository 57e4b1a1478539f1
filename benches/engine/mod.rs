//! The engine that benchmarks run: the base policy, or a given one, under a key that is the same every time.
#![allow(dead_code)] // each bench that includes this module uses a part of it

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use privet::filter::{Engine, Worker};
use privet::policy::Policy;
use privet::pseudonym::{Keyring, Pseudonyms};

use crate::payload::{Kind, Payload};

/// Public, and therefore good for nothing but benchmarks.
const KEYRING: &str =
    "version = 1\n[[epoch]]\nid = 7\nstate = \"active\"\nsecret = \"cHJpdmV0IGJlbmNobWFya3MsIG5vdCBhIHNlY3JldCE=\"\n";

pub fn base() -> Engine {
    of(Policy::base())
}

pub fn of(policy: Policy) -> Engine {
    let keyring = Keyring::parse(KEYRING, Path::new("bench.keyring")).expect("a keyring in its own format");
    let pseudonyms =
        Pseudonyms::new(&keyring, "bench", policy.kinds(), SystemTime::UNIX_EPOCH).expect("an active epoch");
    Engine::new(Arc::new(policy), Arc::new(pseudonyms))
}

/// Fails unless the engine does its whole work on the payloads: every identifier is gone, the rest still decodes, nothing
/// is dropped, and a request with nothing to hide is returned as it came.
pub fn prove(engine: &Engine, payloads: &[Payload]) {
    let mut worker = Worker::default();
    for payload in payloads {
        let Payload { kind, bytes, records, planted, .. } = payload;
        let filtered = engine.filter(&mut worker, kind.signal(), bytes.clone()).expect("a well-formed request");
        let acted: u64 = worker.take_counts().rules.iter().sum();
        assert_eq!((filtered.records, filtered.dropped), (*records, 0), "{kind:?}");
        assert_eq!(payload.leak_in(&filtered.bytes), None, "{kind:?}: an identifier is left");
        kind.prost_round_trip(&filtered.bytes);
        if *kind == Kind::Clean {
            assert_eq!(acted, 0, "{kind:?}: something harmless was replaced");
            assert_eq!(filtered.bytes.as_ptr(), bytes.as_ptr(), "{kind:?}: the bytes were copied");
        } else {
            assert!(acted >= *planted as u64, "{kind:?}: {acted} replacements for {planted} identifiers");
        }
    }
}
