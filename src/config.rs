//! What the operator decides: where to listen, where to send, with which keys, within which limits.

mod file;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use crate::observe::audit;
use crate::receive::Limits;
use crate::send::{Endpoint, Grpc};

/// A sidecar's configuration, complete. What it says is proven by [`run::start`](crate::run::start).
#[derive(Clone, Debug)]
pub struct Config {
    /// OTLP/gRPC comes in here; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Metrics, health and the control API; `None` for none of them.
    pub admin: Option<SocketAddr>,
    /// Where filtered requests go: one place or several, at least one of them required.
    pub destinations: Vec<Destination>,
    /// Of the destinations that name no recipient.
    pub recipient: Option<String>,
    /// A throw-away key if none, which only a destination on this machine may have.
    pub keyring: Option<PathBuf>,
    /// Of the destinations that name no policy; the built-in base policy if empty.
    pub policies: Vec<PathBuf>,
    /// Of the destinations that name none.
    pub shadow: Option<Shadow>,
    /// Worker threads; the machine's cores, at most two, if 0.
    pub threads: usize,
    /// A call's deadline where the agent gives none or a longer one.
    pub timeout: Duration,
    /// How long calls may go on after the process was told to stop.
    pub drain: Duration,
    pub limits: Limits,
    /// What left is written down there; nowhere if none.
    pub audit: Option<audit::Settings>,
}

/// A place that filtered requests go to, and what may go there.
#[derive(Clone, Debug)]
pub struct Destination {
    /// What metrics, logs and status call it.
    pub name: String,
    pub to: To,
    /// Who receives the data, as the key derivation names it; the configuration's, else the endpoint's host, if none.
    pub recipient: Option<String>,
    /// What may go there; the configuration's policy if empty.
    pub policies: Vec<PathBuf>,
    /// Whether an agent is told that a request was accepted only once this destination has accepted it.
    pub required: bool,
    /// Where in the world the data is taken to, in the policy's words.
    pub region: Option<String>,
    /// The configuration's if none.
    pub shadow: Option<Shadow>,
}

/// A candidate policy that is compared with the one in force, over live requests, and changes nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct Shadow {
    /// Never empty.
    pub policies: Vec<PathBuf>,
    /// The share of requests that are compared: above 0, at most 1.
    pub sample: f64,
}

/// How a destination is reached.
#[derive(Clone, Debug)]
pub enum To {
    /// OTLP/JSON on standard output, one line a request.
    Stdout,
    Grpc(Grpc),
}

impl Default for Config {
    fn default() -> Config {
        Config {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 4317)),
            admin: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 9464))),
            destinations: vec![To::Stdout.into()],
            recipient: None,
            keyring: None,
            policies: Vec::new(),
            shadow: None,
            threads: 0,
            timeout: Duration::from_secs(30),
            drain: Duration::from_secs(10),
            limits: Limits::default(),
            audit: None,
        }
    }
}

/// The name of a destination that needs none because it is the only one.
const ONLY: &str = "default";

impl From<To> for Destination {
    fn from(to: To) -> Destination {
        Destination {
            name: ONLY.into(),
            to,
            recipient: None,
            policies: Vec::new(),
            required: true,
            region: None,
            shadow: None,
        }
    }
}

impl From<Endpoint> for Destination {
    fn from(endpoint: Endpoint) -> Destination {
        To::Grpc(Grpc::new(endpoint)).into()
    }
}

impl To {
    /// A URL, or `stdout`.
    pub fn address(&self) -> String {
        match self {
            To::Stdout => "stdout".to_owned(),
            To::Grpc(grpc) => grpc.endpoint.to_string(),
        }
    }

    /// Whether what is sent stays on this machine.
    pub fn is_local(&self) -> bool {
        match self {
            To::Stdout => true,
            To::Grpc(grpc) => grpc.endpoint.is_loopback(),
        }
    }
}

impl Config {
    /// A destination's recipient in the key derivation.
    pub fn recipient<'a>(&'a self, destination: &'a Destination) -> &'a str {
        match (destination.recipient.as_ref().or(self.recipient.as_ref()), &destination.to) {
            (Some(recipient), _) => recipient,
            (None, To::Grpc(grpc)) => &grpc.endpoint.host,
            (None, To::Stdout) => "local",
        }
    }

    /// The files of a destination's policy.
    pub fn policies<'a>(&'a self, destination: &'a Destination) -> &'a [PathBuf] {
        if destination.policies.is_empty() { &self.policies } else { &destination.policies }
    }

    /// The candidate beside a destination's policy.
    pub fn shadow<'a>(&'a self, destination: &'a Destination) -> Option<&'a Shadow> {
        destination.shadow.as_ref().or(self.shadow.as_ref())
    }

    /// How many worker threads there are to be.
    pub fn workers(&self) -> usize {
        match self.threads {
            0 => std::thread::available_parallelism().map_or(1, |cores| cores.get().min(2)),
            threads => threads,
        }
    }
}
