//! A destination as configured and proven: its address, its credentials, and how it is dialled.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use h2::client::SendRequest;
use http::{HeaderMap, Uri};
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::connect::connect;
use super::endpoint::Endpoint;
use super::headers::{Header, HeaderError, Headers};
use super::tls::{Secured, Tls, TlsError};
use crate::grpc::Message;
use crate::observe::DestinationMetrics;
use crate::otlp::Signal;

/// How long an attempt of [`Target::reach`] may take: a probe waits for it.
const REACH: Duration = Duration::from_secs(2);

/// How long its outcome is taken to hold.
const REACH_AGAIN: Duration = Duration::from_secs(1);

/// An OTLP/gRPC destination, as configured.
#[derive(Clone, Debug)]
pub struct Grpc {
    pub endpoint: Endpoint,
    pub tls: Tls,
    pub headers: Vec<Header>,
    /// gzip level from 1 to 9; not compressed if none.
    pub gzip: Option<u32>,
    /// How often the peer is asked whether it is still there.
    pub keepalive: Duration,
}

impl Grpc {
    pub fn new(endpoint: Endpoint) -> Grpc {
        Grpc { endpoint, tls: Tls::default(), headers: Vec::new(), gzip: None, keepalive: Duration::from_secs(30) }
    }
}

/// A destination, proven: what all workers' links share.
pub struct Target {
    pub(super) grpc: Grpc,
    /// By signal.
    pub(super) uris: [Uri; 4],
    secured: ArcSwap<Option<Secured>>,
    pub(super) headers: Headers,
    pub(super) metrics: Arc<DestinationMetrics>,
    /// What the last attempt of [`Target::reach`] came to, and when.
    reached: Mutex<Option<(Instant, Result<(), String>)>>,
}

impl Target {
    pub fn new(grpc: Grpc, metrics: Arc<DestinationMetrics>) -> Result<Target, TargetError> {
        let secured = ArcSwap::from_pointee(secure(&grpc)?);
        let headers = Headers::load(grpc.headers.clone())?;
        let uris = Signal::ALL.map(|signal| grpc.endpoint.uri(signal.grpc_path()));
        Ok(Target { grpc, uris, secured, headers, metrics, reached: Mutex::default() })
    }

    pub fn endpoint(&self) -> &Endpoint {
        &self.grpc.endpoint
    }

    /// A new connection.
    pub(super) async fn dial(&self) -> io::Result<SendRequest<Message>> {
        let secured = self.secured.load_full();
        let Grpc { endpoint, keepalive, .. } = &self.grpc;
        connect(endpoint, (*secured).as_ref(), *keepalive, Arc::clone(&self.metrics))
            .await
            .inspect_err(|_| self.metrics.failed())
    }

    /// Whether agents' data would get through: a worker is connected, or a connection can be made. Says why not.
    pub async fn reach(&self) -> Result<(), String> {
        // Held while dialling, so that all who ask share one attempt.
        let mut reached = self.reached.lock().await;
        if self.metrics.connections() > 0 {
            return Ok(());
        }
        if let Some((at, outcome)) = &*reached
            && at.elapsed() < REACH_AGAIN
        {
            return outcome.clone();
        }
        let outcome = match timeout(REACH, self.dial()).await {
            Ok(dialled) => dialled.map(drop).map_err(|error| unreachable(&error)),
            Err(_) => Err(unreachable(&"connecting takes too long")),
        };
        *reached = Some((Instant::now(), outcome.clone()));
        outcome
    }

    /// Reads headers, certificates and keys again. Nothing changes before [`Renewed::apply`].
    pub fn renew(&self) -> Result<Renewed<'_>, TargetError> {
        Ok(Renewed { target: self, secured: secure(&self.grpc)?, headers: self.headers.renew()? })
    }

    /// The files that credentials come from.
    pub fn files(&self) -> Vec<PathBuf> {
        let Grpc { tls, headers, .. } = &self.grpc;
        let tls = [&tls.ca, &tls.certificate, &tls.key].into_iter().flatten();
        tls.chain(headers.iter().filter_map(|header| header.file.as_ref())).cloned().collect()
    }
}

/// Credentials that were read again.
pub struct Renewed<'a> {
    target: &'a Target,
    secured: Option<Secured>,
    headers: HeaderMap,
}

impl Renewed<'_> {
    /// From now on they are used: headers by the next call, certificates and keys by the next connection.
    pub fn apply(self) {
        self.target.secured.store(Arc::new(self.secured));
        self.target.headers.set(self.headers);
    }
}

/// Why a destination cannot be used.
#[derive(Debug)]
pub enum TargetError {
    Tls(TlsError),
    Header(HeaderError),
}

impl fmt::Display for TargetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TargetError::Tls(error) => error.fmt(f),
            TargetError::Header(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for TargetError {}

impl From<TlsError> for TargetError {
    fn from(error: TlsError) -> TargetError {
        TargetError::Tls(error)
    }
}

impl From<HeaderError> for TargetError {
    fn from(error: HeaderError) -> TargetError {
        TargetError::Header(error)
    }
}

fn secure(grpc: &Grpc) -> Result<Option<Secured>, TlsError> {
    grpc.endpoint.secure.then(|| grpc.tls.secure(&grpc.endpoint.host)).transpose()
}

pub(super) fn unreachable(error: &dyn fmt::Display) -> String {
    format!("the destination cannot be reached: {error}")
}
