//! Telemetry from agents that send already: taken, answered with success, looked at, and sent nowhere.

use std::io::{self, IsTerminal, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use indicatif::{ProgressBar, ProgressStyle};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Semaphore, mpsc, watch};

use super::super::{Exit, Failure};
use crate::grpc::{Code, Status};
use crate::observe::Metrics;
use crate::otlp::Signal;
use crate::receive::{self, Budget, Context, Export, Limits};
use crate::review::bench::{Unfit, to_json};
use crate::review::inventory::Inventory;
use crate::review::single::singles;

/// So many requests wait to be looked at; agents wait beyond.
const WAITING: usize = 64;

/// How long an agent waits at most.
const TIMEOUT: Duration = Duration::from_secs(30);

/// What ends it, whichever comes first; a signal does always.
#[derive(Clone, Copy, Debug)]
pub struct Until {
    pub time: Option<Duration>,
    pub requests: Option<u64>,
    pub records: Option<u64>,
}

/// Takes down what agents send there.
pub fn listen(address: SocketAddr, until: Until, inventory: &mut Inventory) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let outcome = runtime.block_on(take(address, until, inventory));
    runtime.shutdown_background();
    outcome
}

async fn take(address: SocketAddr, until: Until, inventory: &mut Inventory) -> Result<(), Failure> {
    let busy = |error: io::Error| Failure::new(Exit::Unavailable, format!("{address}: {error}"));
    let listener = TcpListener::bind(address).await.map_err(busy)?;
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    announce(listener.local_addr()?)?;
    let (export, mut requests) = mpsc::channel(WAITING);
    let (_drain, draining) = watch::channel(false);
    tokio::spawn(accept(listener, Arc::new(context(export)), draining));
    let mut time = std::pin::pin!(async {
        match until.time {
            Some(time) => tokio::time::sleep(time).await,
            None => std::future::pending().await,
        }
    });
    let mut seen = Seen { requests: 0, unfit: 0, until, shown: progress() };
    while !seen.is_enough(inventory) {
        tokio::select! {
            Some((signal, request)) = requests.recv() => seen.add(inventory, signal, &request),
            _ = interrupt.recv() => break,
            _ = terminate.recv() => break,
            () = &mut time => break,
        }
    }
    // What was answered is part of it.
    requests.close();
    while let Some((signal, request)) = requests.recv().await {
        if seen.is_enough(inventory) {
            break;
        }
        seen.add(inventory, signal, &request);
    }
    seen.shown.finish_and_clear();
    if seen.unfit > 0 {
        eprintln!("warning: {} of {} requests are no OTLP that Privet would forward", seen.unfit, seen.requests);
    }
    Ok(())
}

fn announce(address: SocketAddr) -> Result<(), Failure> {
    let mut err = io::stderr().lock();
    writeln!(
        err,
        "listening on {address}: point agents' OTLP/gRPC exporters here; Ctrl-C ends it and prints the inventory"
    )?;
    if !address.ip().is_loopback() {
        writeln!(err, "warning: whoever reaches {address} can send to it, and nothing on the way is encrypted")?;
    }
    Ok(())
}

fn progress() -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{spinner} {msg}, {elapsed}").expect("the template is well-formed");
    let shown = ProgressBar::new_spinner().with_style(style).with_message("nothing has come yet");
    shown.enable_steady_tick(Duration::from_millis(200));
    shown
}

/// How far it is.
struct Seen {
    requests: u64,
    /// Requests that cannot be looked at.
    unfit: u64,
    until: Until,
    shown: ProgressBar,
}

impl Seen {
    fn is_enough(&self, inventory: &Inventory) -> bool {
        let reached = |now: u64, limit: Option<u64>| limit.is_some_and(|limit| now >= limit);
        reached(self.requests, self.until.requests) || reached(inventory.records, self.until.records)
    }

    fn add(&mut self, inventory: &mut Inventory, signal: Signal, request: &Bytes) {
        self.requests += 1;
        let looked_at = to_json(signal, request).map_err(Unfit::from).and_then(|request| {
            let mut left = self.until.records.map_or(u64::MAX, |limit| limit.saturating_sub(inventory.records));
            for record in singles(signal, &request) {
                if left == 0 {
                    break;
                }
                left -= 1;
                inventory.add(signal, &record)?;
            }
            Ok(())
        });
        self.unfit += u64::from(looked_at.is_err());
        self.shown.set_message(format!("{} requests, {} records", self.requests, inventory.records));
    }
}

/// What agents are answered by.
struct Taken(mpsc::Sender<(Signal, Bytes)>);

impl Export for Taken {
    async fn export(&self, signal: Signal, request: Bytes, deadline: Instant) -> Result<Bytes, Status> {
        let full = |why| Status::new(Code::Unavailable, "overloaded", why);
        match tokio::time::timeout_at(deadline.into(), self.0.send((signal, request))).await {
            Ok(Ok(())) => Ok(Bytes::new()),
            Ok(Err(_)) => Err(full("the inventory is complete")),
            Err(_) => Err(full("too much is waiting")),
        }
    }
}

fn context(requests: mpsc::Sender<(Signal, Bytes)>) -> Context<Taken> {
    let limits = Limits::default();
    let budget = Budget::new(limits.in_flight);
    Context { limits, timeout: TIMEOUT, budget, metrics: Arc::new(Metrics::default()), export: Taken(requests) }
}

async fn accept(listener: TcpListener, context: Arc<Context<Taken>>, draining: watch::Receiver<bool>) {
    let slots = Arc::new(Semaphore::new(context.limits.connections));
    loop {
        // A semaphore that nobody closes.
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { return };
        let Ok((socket, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        let (context, draining) = (Arc::clone(&context), draining.clone());
        tokio::spawn(async move {
            receive::serve(socket, context, draining).await;
            drop(slot);
        });
    }
}
