//! The destination: acknowledges everything, keeps what it received when asked to.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use h2::RecvStream;
use h2::server::SendResponse;
use http::{HeaderMap, HeaderValue, Request, Response};
use tokio::net::{TcpListener, TcpStream};

use crate::{Failure, tuned_server};

/// An OTLP/gRPC destination on a free loopback port.
pub struct Sink {
    pub address: String,
    kept: Kept,
}

/// `None` while nothing is to be kept.
type Kept = Arc<Mutex<Option<Vec<Vec<u8>>>>>;

/// An empty `Export…ServiceResponse`: full success.
const SUCCESS: &[u8] = &[0, 0, 0, 0, 0];

impl Sink {
    pub async fn start() -> Result<Sink, Failure> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let kept = Kept::default();
        let keep = Arc::clone(&kept);
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(serve(socket, Arc::clone(&keep)));
            }
        });
        Ok(Sink { address, kept })
    }

    /// The messages that arrive while `sending` runs, without their gRPC prefix.
    pub async fn keep<T>(&self, sending: impl Future<Output = Result<T, Failure>>) -> Result<Vec<Vec<u8>>, Failure> {
        *self.kept.lock().expect("no holder panics") = Some(Vec::new());
        let outcome = sending.await;
        let kept = self.kept.lock().expect("no holder panics").take();
        outcome.map(|_| kept.unwrap_or_default())
    }
}

async fn serve(socket: TcpStream, kept: Kept) -> Result<(), Failure> {
    socket.set_nodelay(true)?;
    let mut connection = tuned_server().handshake::<_, Bytes>(socket).await?;
    while let Some(accepted) = connection.accept().await {
        let (request, respond) = accepted?;
        tokio::spawn(answer(request, respond, Arc::clone(&kept)));
    }
    Ok(())
}

async fn answer(request: Request<RecvStream>, mut respond: SendResponse<Bytes>, kept: Kept) -> Result<(), Failure> {
    let mut body = request.into_body();
    let keeping = kept.lock().expect("no holder panics").is_some();
    let mut message = Vec::new();
    while let Some(frame) = body.data().await {
        let frame = frame?;
        body.flow_control().release_capacity(frame.len())?;
        if keeping {
            message.extend_from_slice(&frame);
        }
    }
    if let Some(kept) = kept.lock().expect("no holder panics").as_mut() {
        kept.push(message.split_off(SUCCESS.len().min(message.len())));
    }
    let head = Response::builder().header("content-type", "application/grpc").body(())?;
    let mut stream = respond.send_response(head, false)?;
    stream.send_data(Bytes::from_static(SUCCESS), false)?;
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    stream.send_trailers(trailers)?;
    Ok(())
}
