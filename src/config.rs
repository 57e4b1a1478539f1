//! What the operator decides: where to listen, where to send, with which keys, within which limits.

mod file;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use crate::receive::Limits;
use crate::send::{Endpoint, Grpc};

/// A sidecar's configuration, complete. What it says is proven by [`run::start`](crate::run::start).
#[derive(Clone, Debug)]
pub struct Config {
    /// OTLP/gRPC comes in here; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Metrics, health and the control API; `None` for none of them.
    pub admin: Option<SocketAddr>,
    pub destination: Destination,
    /// Who receives the data, as the key derivation names it; the destination's host if none is given.
    pub recipient: Option<String>,
    /// A throw-away key if none, which only a destination on this machine may have.
    pub keyring: Option<PathBuf>,
    /// The built-in base policy if empty.
    pub policies: Vec<PathBuf>,
    /// Worker threads; the machine's cores, at most two, if 0.
    pub threads: usize,
    /// A call's deadline where the agent gives none or a longer one.
    pub timeout: Duration,
    /// How long calls may go on after the process was told to stop.
    pub drain: Duration,
    pub limits: Limits,
}

/// Where filtered requests go.
#[derive(Clone, Debug)]
pub enum Destination {
    /// OTLP/JSON, one line a request.
    Stdout,
    Grpc(Grpc),
}

impl Default for Config {
    fn default() -> Config {
        Config {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 4317)),
            admin: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 9464))),
            destination: Destination::Stdout,
            recipient: None,
            keyring: None,
            policies: Vec::new(),
            threads: 0,
            timeout: Duration::from_secs(30),
            drain: Duration::from_secs(10),
            limits: Limits::default(),
        }
    }
}

impl From<Endpoint> for Destination {
    fn from(endpoint: Endpoint) -> Destination {
        Destination::Grpc(Grpc::new(endpoint))
    }
}

impl Destination {
    /// Whether what is sent stays on this machine.
    pub fn is_local(&self) -> bool {
        match self {
            Destination::Stdout => true,
            Destination::Grpc(grpc) => grpc.endpoint.is_loopback(),
        }
    }
}

impl Config {
    /// The recipient's name in the key derivation.
    pub fn recipient(&self) -> &str {
        match (&self.recipient, &self.destination) {
            (Some(recipient), _) => recipient,
            (None, Destination::Grpc(grpc)) => &grpc.endpoint.host,
            (None, Destination::Stdout) => "local",
        }
    }

    /// How many worker threads there are to be.
    pub fn workers(&self) -> usize {
        match self.threads {
            0 => std::thread::available_parallelism().map_or(1, |cores| cores.get().min(2)),
            threads => threads,
        }
    }
}
