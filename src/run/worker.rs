//! A worker: one thread, one runtime, the connections it was given.

use std::io;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::pipeline::Pipeline;
use crate::receive::{self, Context};

/// A running worker's handles.
pub struct Worker {
    pub sockets: mpsc::UnboundedSender<TcpStream>,
    pub thread: JoinHandle<()>,
}

/// A flag a thread, raised again and again by those that are not stuck.
pub type Beats = Arc<[AtomicBool]>;

/// Raises a thread's flag every second, for as long as its runtime gets to it.
pub async fn beat(beats: Beats, index: usize) {
    loop {
        beats[index].store(true, Relaxed);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// Starts a worker. It ends once `drain` turns true and its connections have ended, or `stop` does; then it drops `working`.
pub fn spawn(
    index: usize,
    context: Context<Pipeline>,
    beats: Beats,
    drain: watch::Receiver<bool>,
    stop: watch::Receiver<bool>,
    working: mpsc::Sender<()>,
) -> io::Result<Worker> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (sockets, queue) = mpsc::unbounded_channel();
    let thread = std::thread::Builder::new().name(format!("worker-{index}")).spawn(move || {
        runtime.spawn(beat(beats, index));
        runtime.block_on(work(Arc::new(context), queue, drain, stop));
        runtime.shutdown_background();
        drop(working);
    })?;
    Ok(Worker { sockets, thread })
}

async fn work(
    context: Arc<Context<Pipeline>>,
    mut sockets: mpsc::UnboundedReceiver<TcpStream>,
    mut drain: watch::Receiver<bool>,
    mut stop: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    let told = drain.clone();
    let run = async {
        loop {
            tokio::select! {
                Some(_) = connections.join_next(), if !connections.is_empty() => {}
                socket = sockets.recv() => match socket {
                    Some(socket) => {
                        connections.spawn(serve(socket, Arc::clone(&context), told.clone()));
                    }
                    None => break,
                },
                _ = drain.wait_for(|draining| *draining) => break,
            }
        }
        while connections.join_next().await.is_some() {}
    };
    let run = async {
        run.await;
        context.export.settle().await;
    };
    tokio::select! {
        () = run => {}
        _ = stop.wait_for(|stopping| *stopping) => {}
    }
}

async fn serve(socket: TcpStream, context: Arc<Context<Pipeline>>, drain: watch::Receiver<bool>) {
    let metrics = Arc::clone(&context.metrics);
    // Fails only where the runtime is shutting down.
    if let Ok(socket) = tokio::net::TcpStream::from_std(socket) {
        let _ = socket.set_nodelay(true);
        receive::serve(socket, context, drain).await;
    }
    metrics.connection_closed();
}
