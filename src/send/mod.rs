//! Filtered requests out: to an OTLP/gRPC destination, or to standard output as OTLP/JSON lines.
//!
//! ```text
//! Sender ─▶ Link (connection, back-off) ─▶ h2 over TCP or TLS
//!        └▶ Lines (standard output)
//! ```
//!
//! A request is answered with the destination's own outcome; nothing is queued, nothing is acknowledged early. Error texts
//! come back as the destination wrote them: the caller filters them.

mod connect;
mod endpoint;
mod headers;
mod lines;
mod link;
mod target;
mod tls;

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use crate::grpc::Status;
use crate::otlp::Signal;

pub use endpoint::{Endpoint, EndpointError};
pub use headers::{Header, HeaderError, Headers};
pub use lines::Lines;
pub use link::Link;
pub use target::{Grpc, Renewed, Target, TargetError};
pub use tls::{Tls, TlsError};

/// Where filtered requests go.
pub enum Sender {
    Link(Link),
    Lines(Arc<Lines>),
}

impl Sender {
    /// Sends one filtered Export request; the response message's bytes, or why there is none.
    pub async fn send(&self, signal: Signal, request: Bytes, deadline: Instant) -> Result<Bytes, Status> {
        match self {
            Sender::Link(link) => link.export(signal, request, deadline).await,
            Sender::Lines(lines) => lines.export(signal, request, deadline).await,
        }
    }
}
