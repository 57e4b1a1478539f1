//! OTLP/gRPC in: connections, limits, one message a call. Knows the wire, not what is done with a request.
//!
//! ```text
//! socket ─▶ connection (h2) ─▶ call: route, gather, decompress ─▶ Export::export ─▶ answer
//! ```

mod budget;
mod call;
mod connection;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::grpc::Status;
use crate::observe::Metrics;
use crate::otlp::Signal;

pub use budget::{Budget, Held};
pub use connection::serve;

/// What is done with a request: filter it and send it on.
pub trait Export: Send + Sync + 'static {
    /// Answers one `Export` request with the bytes of its response message. `deadline` is the agent's or the default.
    fn export(
        &self,
        signal: Signal,
        request: Bytes,
        deadline: Instant,
    ) -> impl Future<Output = Result<Bytes, Status>> + Send;
}

/// What a sender may ask of the receiver.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Largest message on the wire, in bytes.
    pub message: usize,
    /// Largest message once decompressed, in bytes.
    pub decompressed: usize,
    /// Bytes of all requests that are being worked on.
    pub in_flight: usize,
    /// Calls at a time on one connection.
    pub streams: u32,
    pub connections: usize,
    /// Largest set of request headers, in bytes.
    pub headers: u32,
    /// How long a request may take to arrive whole.
    pub arrival: Duration,
    /// A connection with no call for that long is closed.
    pub idle: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            message: 64 << 20,
            decompressed: 64 << 20,
            in_flight: 256 << 20,
            streams: 128,
            connections: 512,
            headers: 32 << 10,
            arrival: Duration::from_secs(10),
            idle: Duration::from_secs(600),
        }
    }
}

/// What all connections of a worker share.
pub struct Context<X> {
    pub limits: Limits,
    /// The default deadline of a call.
    pub timeout: Duration,
    pub budget: Arc<Budget>,
    pub metrics: Arc<Metrics>,
    pub export: X,
}
