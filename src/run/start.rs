//! Start, run, stop.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use super::loaded::State;
use super::pipeline::Pipeline;
use super::shadow::Queue;
use super::worker::{self, Beats, Worker};
use crate::config::{Config, To};
use crate::observe;
use crate::observe::audit::AuditError;
use crate::policy::{Diagnostics, Tls};
use crate::pseudonym::{KeyringError, PseudonymsError};
use crate::receive::Context;
use crate::send::{Lines, Link, Sender, TargetError};

/// How often files are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// What waits to be compared with candidate policies may keep that part of the bytes in flight.
const SHADOW_SHARE: usize = 8;

/// A running sidecar. Dropping it stops it without waiting.
pub struct Running {
    pub listen: SocketAddr,
    pub admin: Option<SocketAddr>,
    state: Arc<State>,
    beats: Beats,
    drain: watch::Sender<bool>,
    main: Option<JoinHandle<Drained>>,
}

/// Whether all calls were answered before the process's patience ended.
type Drained = bool;

/// Why a sidecar did not start.
#[derive(Debug)]
pub enum StartError {
    Policy(Diagnostics),
    Keyring(KeyringError),
    /// The keyring has nothing for this moment.
    Keys(PseudonymsError),
    /// The policy does not permit data to be taken there.
    Region {
        destination: String,
        region: Option<String>,
        permitted: Vec<String>,
    },
    /// The policy asks for a newer TLS.
    Tls {
        destination: String,
        least: Tls,
    },
    /// Files changed again and again while they were read.
    Restless,
    /// No destination is required, so that nothing could be promised to an agent.
    NoneRequired,
    /// A destination elsewhere needs keys that outlive the process.
    KeyringRequired,
    Target(TargetError),
    Audit(AuditError),
    Bind {
        address: SocketAddr,
        error: io::Error,
    },
    Thread(io::Error),
}

/// Proves the configuration, binds its addresses and starts to serve, on threads of its own.
pub fn start(config: &Config) -> Result<Running, StartError> {
    let state = Arc::new(State::prove(config)?);
    let listener = bind(config.listen)?;
    let admin = config.admin.map(bind).transpose()?;
    let address = |listener: &TcpListener| listener.local_addr().map_err(StartError::Thread);
    let (listen, admin_address) = (address(&listener)?, admin.as_ref().map(address).transpose()?);

    if let Some(audit) = &state.audit {
        audit.start(&state.loaded().ledgers, Timestamp::now())?;
    }

    let (drain, draining) = watch::channel(false);
    let (stop, stopping) = watch::channel(false);
    // Closed when the last worker is gone.
    let (working, gone) = mpsc::channel(1);
    let has_lines = config.destinations.iter().any(|destination| matches!(destination.to, To::Stdout));
    let lines = has_lines.then(|| Lines::new(io::stdout()).map_err(StartError::Thread)).transpose()?;
    // One for each worker, and the last for the thread that accepts connections.
    let beats: Beats = (0..=config.workers()).map(|_| AtomicBool::new(true)).collect();
    let is_shadowed = config.destinations.iter().any(|destination| config.shadow(destination).is_some());
    let waiting = config.limits.in_flight / SHADOW_SHARE;
    let shadow = is_shadowed.then(|| Queue::start(waiting).map_err(StartError::Thread)).transpose()?;
    let mut workers = Vec::new();
    for index in 0..config.workers() {
        let senders = state.destinations.iter().map(|destination| match (&destination.target, &lines) {
            (Some(target), _) => Sender::Link(Link::new(Arc::clone(target))),
            (None, Some(lines)) => Sender::Lines(Arc::clone(lines)),
            (None, None) => unreachable!("a destination is gRPC or standard output"),
        });
        let context = Context {
            limits: config.limits.clone(),
            timeout: config.timeout,
            budget: Arc::clone(&state.budget),
            metrics: Arc::clone(&state.metrics),
            export: Pipeline::new(Arc::clone(&state), senders.collect(), shadow.clone()),
        };
        let worker =
            worker::spawn(index, context, Arc::clone(&beats), draining.clone(), stopping.clone(), working.clone());
        workers.push(worker.map_err(StartError::Thread)?);
    }
    drop(working);
    let main = Main {
        state: Arc::clone(&state),
        beats: Arc::clone(&beats),
        workers,
        patience: config.drain,
        most: config.limits.connections,
    };
    let main = main.spawn((listener, listen), admin, draining, stop, gone).map_err(StartError::Thread)?;
    Ok(Running { listen, admin: admin_address, state, beats, drain, main: Some(main) })
}

fn bind(address: SocketAddr) -> Result<TcpListener, StartError> {
    let bound = TcpListener::bind(address).and_then(|listener| listener.set_nonblocking(true).map(|()| listener));
    bound.map_err(|error| StartError::Bind { address, error })
}

impl Running {
    /// What is loaded and counted.
    pub fn state(&self) -> &Arc<State> {
        &self.state
    }

    /// Whether every thread has done something since this was asked last, busy or not.
    pub fn is_alive(&self) -> bool {
        let beaten = self.beats.iter().map(|beat| beat.swap(false, Relaxed)).fold(true, |all, beat| all & beat);
        beaten && self.main.as_ref().is_some_and(|main| !main.is_finished())
    }

    /// Tells it to stop: nothing new is accepted, calls are answered.
    pub fn stop(&self) {
        self.drain.send_replace(true);
    }

    /// Stops it and waits until it has; whether all calls were answered.
    pub fn join(mut self) -> bool {
        self.stop();
        self.main.take().is_some_and(|main| main.join().unwrap_or(false))
    }
}

/// The thread that accepts connections and looks after what changes.
struct Main {
    state: Arc<State>,
    beats: Beats,
    workers: Vec<Worker>,
    patience: Duration,
    most: usize,
}

impl Main {
    fn spawn(
        self,
        listener: (TcpListener, SocketAddr),
        admin: Option<TcpListener>,
        draining: watch::Receiver<bool>,
        stop: watch::Sender<bool>,
        gone: mpsc::Receiver<()>,
    ) -> io::Result<JoinHandle<Drained>> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        std::thread::Builder::new().name("main-loop".into()).spawn(move || {
            let drained = runtime.block_on(self.run(listener, admin, draining, stop, gone));
            runtime.shutdown_background();
            drained
        })
    }

    async fn run(
        self,
        (listener, listen): (TcpListener, SocketAddr),
        admin: Option<TcpListener>,
        mut draining: watch::Receiver<bool>,
        stop: watch::Sender<bool>,
        mut gone: mpsc::Receiver<()>,
    ) -> Drained {
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(worker::beat(Arc::clone(&self.beats), self.workers.len()));
        tasks.spawn(look_after(Arc::clone(&self.state)));
        if let Some(admin) = admin {
            tasks.spawn(observe::admin::serve(admin, Arc::clone(&self.state), listen, draining.clone()));
        }
        tokio::select! {
            () = self.accept(listener) => {}
            _ = draining.wait_for(|draining| *draining) => {}
        }
        let drained = timeout(self.patience, gone.recv()).await.is_ok();
        stop.send_replace(true);
        tasks.abort_all();
        for worker in self.workers {
            // A worker's panic has been told by the panic hook.
            let _ = worker.thread.join();
        }
        self.state.loaded().shadows.iter().for_each(|shadow| shadow.tell(true));
        if let Some(audit) = &self.state.audit {
            audit.stop(Timestamp::now());
        }
        drained
    }

    /// Hands connections to the workers in turn.
    async fn accept(&self, listener: TcpListener) {
        let listener = match tokio::net::TcpListener::from_std(listener) {
            Ok(listener) => listener,
            Err(error) => return tracing::error!(%error, "the listener failed"),
        };
        let metrics = &self.state.metrics;
        for worker in self.workers.iter().cycle() {
            let socket = loop {
                match listener.accept().await.and_then(|(socket, _)| socket.into_std()) {
                    Ok(socket) if metrics.connection_opened() < self.most as i64 => break socket,
                    Ok(_) => {
                        metrics.connection_closed();
                        metrics.connection_refused();
                    }
                    // Out of file descriptors, or a peer that left already.
                    Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
                }
            };
            if worker.sockets.send(socket).is_err() {
                metrics.connection_closed();
            }
        }
    }
}

/// Loads again when a key's or an exception's time has come, and whatever a file has changed of.
async fn look_after(state: Arc<State>) {
    loop {
        tokio::time::sleep(LOOK).await;
        let state = Arc::clone(&state);
        // Reading and compiling may take a while, and connections must go on being accepted.
        if tokio::task::spawn_blocking(move || state.look_after()).await.is_err() {
            tracing::error!("looking after the files failed; what is in force stays");
        }
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Policy(diagnostics) => diagnostics.fmt(f),
            StartError::Keyring(error) => error.fmt(f),
            StartError::Keys(error) => error.fmt(f),
            StartError::Region { destination, region, permitted } => {
                write!(f, "the destination `{destination}` ")?;
                match region {
                    Some(region) => write!(f, "is in {region}")?,
                    None => f.write_str("declares no `region`")?,
                }
                write!(f, ", and the policy permits {} only", permitted.join(", "))
            }
            StartError::Tls { destination, least } => write!(
                f,
                "the policy asks for TLS {} or newer, and the destination `{destination}` may be spoken to with less: \
                 give an https:// endpoint and `tls: {{min_version: \"{}\"}}`",
                least.name(),
                least.name()
            ),
            StartError::Restless => f.write_str("policy or keyring files change again and again while they are read"),
            StartError::NoneRequired => f.write_str("at least one destination must be required"),
            StartError::KeyringRequired => f.write_str(
                "a destination outside this machine needs a keyring: make one with `privet keys new --out FILE`, \
                 then give `--keyring FILE`",
            ),
            StartError::Target(error) => error.fmt(f),
            StartError::Audit(error) => error.fmt(f),
            StartError::Bind { address, error } => write!(f, "{address}: {error}"),
            StartError::Thread(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for StartError {}

impl From<Diagnostics> for StartError {
    fn from(diagnostics: Diagnostics) -> StartError {
        StartError::Policy(diagnostics)
    }
}

impl From<KeyringError> for StartError {
    fn from(error: KeyringError) -> StartError {
        StartError::Keyring(error)
    }
}

impl From<PseudonymsError> for StartError {
    fn from(error: PseudonymsError) -> StartError {
        StartError::Keys(error)
    }
}

impl From<AuditError> for StartError {
    fn from(error: AuditError) -> StartError {
        StartError::Audit(error)
    }
}

impl From<TargetError> for StartError {
    fn from(error: TargetError) -> StartError {
        StartError::Target(error)
    }
}
