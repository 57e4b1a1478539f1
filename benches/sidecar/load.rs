//! The agent: a fixed number of requests, a fixed number of them in flight, bodies encoded beforehand.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::{BufMut, Bytes, BytesMut};
use h2::client::SendRequest;
use http::{HeaderMap, Request};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::payload::Payload;
use crate::{Failure, tuned_client};

pub async fn connect(address: &str) -> Result<SendRequest<Bytes>, Failure> {
    let socket = TcpStream::connect(address).await?;
    socket.set_nodelay(true)?;
    let (sender, connection) = tuned_client().handshake::<_, Bytes>(socket).await?;
    tokio::spawn(connection);
    Ok(sender)
}

/// Sends `count` requests, the payloads in turn; how long each took to be acknowledged.
pub async fn run(
    sender: &SendRequest<Bytes>,
    payloads: &[Payload],
    count: usize,
    concurrency: usize,
) -> Result<Vec<Duration>, Failure> {
    let path = payloads[0].kind.signal().grpc_path();
    let bodies: Arc<[Bytes]> = payloads.iter().map(|payload| framed(&payload.bytes)).collect();
    let next = Arc::new(AtomicUsize::new(0));
    let mut lanes = JoinSet::new();
    for _ in 0..concurrency {
        let (sender, bodies, next) = (sender.clone(), Arc::clone(&bodies), Arc::clone(&next));
        lanes.spawn(async move {
            let mut latencies = Vec::with_capacity(count / concurrency + 1);
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                if index >= count {
                    return Ok::<_, Failure>(latencies);
                }
                let start = Instant::now();
                export(&sender, path, bodies[index % bodies.len()].clone()).await?;
                latencies.push(start.elapsed());
            }
        });
    }
    let mut latencies = Vec::with_capacity(count);
    while let Some(lane) = lanes.join_next().await {
        latencies.extend(lane??);
    }
    Ok(latencies)
}

async fn export(sender: &SendRequest<Bytes>, path: &str, body: Bytes) -> Result<(), Failure> {
    let request = Request::post(format!("http://localhost{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(())?;
    let (response, mut stream) = sender.clone().ready().await?.send_request(request, false)?;
    stream.send_data(body, true)?;
    let response = response.await?;
    accepted(response.headers())?;
    let mut body = response.into_body();
    while let Some(frame) = body.data().await {
        body.flow_control().release_capacity(frame?.len())?;
    }
    match body.trailers().await? {
        Some(trailers) => accepted(&trailers),
        None => Ok(()),
    }
}

fn accepted(headers: &HeaderMap) -> Result<(), Failure> {
    match headers.get("grpc-status") {
        Some(status) if status != "0" => {
            Err(format!("refused with gRPC status {status:?}: {:?}", headers.get("grpc-message")).into())
        }
        _ => Ok(()),
    }
}

/// The message behind its gRPC prefix: not compressed, so many bytes.
fn framed(message: &Bytes) -> Bytes {
    let mut framed = BytesMut::with_capacity(5 + message.len());
    framed.put_u8(0);
    framed.put_u32(message.len() as u32);
    framed.put_slice(message);
    framed.freeze()
}
