//! Dialling: TCP, TLS where asked, HTTP/2's handshake, and a task that drives the connection and looks whether the peer is alive.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use h2::client::{Builder, Connection, SendRequest};
use h2::{Ping, PingPong};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;

use super::endpoint::Endpoint;
use super::tls::Secured;
use crate::grpc::Message;
use crate::observe::DestinationMetrics;

const FRAME: u32 = 1 << 20;
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 8 << 20;

/// What the destination's response headers may measure.
const LONGEST_HEADERS: u32 = 32 << 10;

/// How long TCP, TLS and HTTP/2 together may take.
const DIAL: Duration = Duration::from_secs(5);

/// A peer that does not answer a ping for so long is gone.
const PONG: Duration = Duration::from_secs(15);

/// Connects; the connection lives in a task of its own until it ends or all its handles are gone.
pub async fn connect(
    endpoint: &Endpoint,
    secured: Option<&Secured>,
    keepalive: Duration,
    metrics: Arc<DestinationMetrics>,
) -> io::Result<SendRequest<Message>> {
    timeout(DIAL, async {
        let socket = TcpStream::connect((endpoint.host.trim_matches(['[', ']']), endpoint.port)).await?;
        socket.set_nodelay(true)?;
        match secured {
            None => handshake(socket, keepalive, metrics).await,
            Some(Secured { config, server_name }) => {
                let connector = TlsConnector::from(Arc::clone(config));
                let stream = connector.connect(server_name.clone(), socket).await?;
                handshake(stream, keepalive, metrics).await
            }
        }
    })
    .await
    .unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, "connecting took too long")))
}

async fn handshake<S>(
    stream: S,
    keepalive: Duration,
    metrics: Arc<DestinationMetrics>,
) -> io::Result<SendRequest<Message>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (requests, connection) = Builder::new()
        .enable_push(false)
        .max_frame_size(FRAME)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(LONGEST_HEADERS)
        .handshake::<_, Message>(stream)
        .await
        .map_err(io::Error::other)?;
    tokio::spawn(drive(connection, keepalive, metrics));
    Ok(requests)
}

async fn drive<S>(mut connection: Connection<S, Message>, keepalive: Duration, metrics: Arc<DestinationMetrics>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    metrics.connected();
    let pings = connection.ping_pong();
    let mut alive = pin!(stay_alive(pings, keepalive));
    let failed = tokio::select! {
        ended = &mut connection => ended.is_err(),
        () = &mut alive => true,
    };
    metrics.disconnected();
    if failed {
        metrics.failed();
    }
}

/// Pings now and then; returns when the peer does not answer.
async fn stay_alive(pings: Option<PingPong>, every: Duration) {
    let Some(mut pings) = pings else { return std::future::pending().await };
    loop {
        sleep(every).await;
        if !matches!(timeout(PONG, pings.ping(Ping::opaque())).await, Ok(Ok(_))) {
            return;
        }
    }
}
