//! What is counted of one destination.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};

use crate::grpc::Code;

/// The numbers of one destination.
#[derive(Debug)]
pub struct DestinationMetrics {
    name: Box<str>,
    connections: AtomicI64,
    failures: AtomicU64,
    delivered: [AtomicU64; Code::ALL.len()],
    given_up: AtomicU64,
}

impl DestinationMetrics {
    pub fn new(name: &str) -> DestinationMetrics {
        DestinationMetrics {
            name: name.into(),
            connections: AtomicI64::new(0),
            failures: AtomicU64::new(0),
            delivered: Default::default(),
            given_up: AtomicU64::new(0),
        }
    }

    /// What it is called in the configuration.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn connected(&self) {
        self.connections.fetch_add(1, Relaxed);
    }

    pub fn disconnected(&self) {
        self.connections.fetch_sub(1, Relaxed);
    }

    /// It could not be reached, or a connection to it broke.
    pub fn failed(&self) {
        self.failures.fetch_add(1, Relaxed);
    }

    /// A request to it ended like that.
    pub fn delivered(&self, code: Code) {
        self.delivered[code as usize].fetch_add(1, Relaxed);
    }

    /// A request was not sent to it, or not accepted, and the agent was told nothing of that.
    pub fn gave_up(&self) {
        self.given_up.fetch_add(1, Relaxed);
    }

    /// Connections that are up.
    pub fn connections(&self) -> u64 {
        self.connections.load(Relaxed).max(0).cast_unsigned()
    }

    pub fn failures(&self) -> u64 {
        self.failures.load(Relaxed)
    }

    pub fn given_up(&self) -> u64 {
        self.given_up.load(Relaxed)
    }

    /// How many requests ended how.
    pub fn outcomes(&self) -> impl Iterator<Item = (Code, u64)> + '_ {
        Code::ALL.into_iter().map(|code| (code, self.delivered[code as usize].load(Relaxed)))
    }
}
