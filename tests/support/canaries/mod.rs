//! Requests with a canary in them: one for every string, bytes and map-key position of every message of the four signals,
//! built from the published descriptors and not from our own table.

// Each test that includes this uses its part of it.
#![allow(dead_code)]

mod positions;

use prost_reflect::DescriptorPool;

use privet::otlp::Signal;

pub use positions::{Position, positions};

/// What must not come out.
#[derive(Clone, Copy, Debug)]
pub struct Canary {
    /// As it is written into a position.
    pub text: &'static str,
    /// By what it would be known, in whatever case.
    pub known_by: &'static str,
}

pub const CANARIES: &[Canary] = &[
    canary("203.0.113.77", "203.0.113.77"),
    canary("from 203.0.113.77:4711, again", "203.0.113.77"),
    canary("for=\"[2001:db8:cafe::17]:4711\"", "2001:db8:cafe::17"),
    canary("2001:DB8:CAFE:0:0:0:0:17", "2001:DB8:CAFE:0:0:0:0:17"),
    canary("::ffff:203.0.113.77", "203.0.113.77"),
    canary("GET /a?ip=203%2E0%2E113%2E77", "203%2E0%2E113%2E77"),
    canary("canary@mail.example.com", "canary"),
    canary("mailto:canary@mail.example.com?subject=x", "canary"),
    canary("to=canary%40mail.example.com", "canary"),
    canary("Canary@Mail.Example.COM", "Canary"),
    canary("db-canary.prod.corp.example", "db-canary"),
    canary("https://db-canary.prod.corp.example:8443/x?y=z", "db-canary"),
    canary("DB-CANARY.PROD.CORP.EXAMPLE.", "DB-CANARY"),
    canary("{\"peer\": \"203.0.113.77\", \"203.0.113.77\": [\"db-canary.prod.corp.example\"]}", "203.0.113.77"),
    canary("{\"inner\": \"{\\\"mail\\\": \\\"canary@mail.example.com\\\"}\"}", "canary"),
];

const fn canary(text: &'static str, known_by: &'static str) -> Canary {
    Canary { text, known_by }
}

impl Canary {
    /// Whether it would be known in there.
    pub fn is_in(&self, haystack: &[u8]) -> bool {
        let folded = haystack.to_ascii_lowercase();
        memchr::memmem::find(&folded, self.known_by.to_ascii_lowercase().as_bytes()).is_some()
    }
}

/// The positions of a signal's Export request.
pub fn positions_of(signal: Signal) -> Vec<Position> {
    let pool = DescriptorPool::decode(opentelemetry_proto::DESCRIPTORS).expect("published descriptors decode");
    let positions = positions(&pool.get_message_by_name(signal.request().name).expect("a request"));
    assert!(positions.len() > 50, "{}: {} positions", signal.name(), positions.len());
    positions
}
