//! The benchmarks' requests are what the published figures say they are.

#[path = "../benches/payload/mod.rs"]
mod payload;

use payload::{Kind, Payload};

#[test]
fn every_variant_has_the_published_size_and_density() {
    for kind in Kind::ALL {
        kind.variants(16).iter().for_each(Payload::check_shape);
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    for kind in Kind::ALL {
        assert_eq!(Payload::new(kind, 1).bytes, Payload::new(kind, 1).bytes);
        assert_ne!(Payload::new(kind, 1).bytes, Payload::new(kind, 2).bytes);
    }
}

#[test]
fn planted_identifiers_stand_in_the_bytes_as_they_are_listed() {
    for kind in Kind::ALL {
        let payload = Payload::new(kind, 3);
        for identifier in &payload.identifiers {
            assert!(memchr::memmem::find(&payload.bytes, identifier.as_bytes()).is_some(), "{kind:?}: {identifier}");
        }
        assert_eq!(payload.leak_in(&payload.bytes).is_some(), kind != Kind::Clean);
    }
}
