//! One connection: HTTP/2 with large frames and windows, a task a call, an end when it is idle or the process drains.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use super::{Context, Export, Limits, call};
use crate::grpc::Message;

/// Large frames and windows: fewer wake-ups and system calls a request than HTTP/2's defaults.
const FRAME: u32 = 1 << 20;
const STREAM_WINDOW: u32 = 8 << 20;
const CONNECTION_WINDOW: u32 = 24 << 20;

/// What a peer has for HTTP/2's preface.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a peer without calls has for going once it was told to: some do not answer the ping that ends a connection well.
const GRACE: Duration = Duration::from_secs(1);

/// Serves one connection until its peer leaves, or `drain` turns true and its calls are answered.
pub async fn serve<X: Export>(
    socket: impl AsyncRead + AsyncWrite + Unpin,
    context: Arc<Context<X>>,
    mut drain: watch::Receiver<bool>,
) {
    let Ok(Ok(mut connection)) = timeout(PATIENCE, builder(&context.limits).handshake::<_, Message>(socket)).await
    else {
        context.metrics.broken_connection();
        return;
    };
    // Its count is that of the calls being answered, and one.
    let calls = Arc::new(());
    let mut leaving = *drain.borrow();
    if leaving {
        connection.graceful_shutdown();
    }
    let mut last_call = Instant::now();
    let mut look = std::pin::pin!(sleep_until(last_call + context.limits.idle));
    loop {
        tokio::select! {
            biased;
            accepted = connection.accept() => match accepted {
                Some(Ok((request, respond))) => {
                    last_call = Instant::now();
                    tokio::spawn(call::answer(request, respond, Arc::clone(&context), Arc::clone(&calls)));
                }
                Some(Err(error)) => {
                    // A peer that just closes is no news; one that breaks the protocol is.
                    if !error.is_io() {
                        context.metrics.broken_connection();
                    }
                    return;
                }
                None => return,
            },
            _ = drain.changed(), if !leaving => {
                leaving = true;
                connection.graceful_shutdown();
                look.as_mut().reset(Instant::now() + GRACE);
            }
            () = &mut look => {
                let idle = Arc::strong_count(&calls) == 1;
                if leaving && idle {
                    return;
                }
                let now = Instant::now();
                if idle && last_call + context.limits.idle <= now {
                    leaving = true;
                    connection.graceful_shutdown();
                }
                let next = if leaving { now } else { last_call + context.limits.idle };
                look.as_mut().reset(next.max(now + GRACE));
            }
        }
    }
}

fn builder(limits: &Limits) -> h2::server::Builder {
    let mut builder = h2::server::Builder::new();
    builder
        .max_frame_size(FRAME)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_concurrent_streams(limits.streams)
        .max_header_list_size(limits.headers);
    builder
}
