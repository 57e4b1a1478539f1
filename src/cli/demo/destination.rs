//! A destination: an OTLP/gRPC receiver that keeps what it is sent, byte for byte, and acknowledges it.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::TcpListener;

use crate::otlp::Signal;

/// Requests by signal, in the order of their arrival.
type Requests = Arc<Mutex<Vec<(Signal, Bytes)>>>;

pub struct Destination {
    pub address: SocketAddr,
    requests: Requests,
}

impl Destination {
    /// Listens on a free port of the loopback interface. Needs a runtime to be entered.
    pub fn start() -> io::Result<Destination> {
        Destination::listen((Ipv4Addr::LOCALHOST, 0).into())
    }

    /// Listens there. Needs a runtime to be entered.
    pub fn listen(address: SocketAddr) -> io::Result<Destination> {
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let listener = TcpListener::from_std(listener)?;
        let requests = Requests::default();
        tokio::spawn(accept(listener, requests.clone()));
        Ok(Destination { address, requests })
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Hands over what has arrived.
    pub fn take(&self) -> Vec<(Signal, Bytes)> {
        std::mem::take(&mut *self.requests.lock().expect("nobody panics with the lock"))
    }
}

async fn accept(listener: TcpListener, requests: Requests) {
    while let Ok((stream, _)) = listener.accept().await {
        let requests = requests.clone();
        tokio::spawn(async move {
            let service = service_fn(|request| answer(request, requests.clone()));
            // A connection that ends badly has been acknowledged nothing: the sender says so.
            let _ = auto::Builder::new(TokioExecutor::new())
                .http2_only()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    requests: Requests,
) -> Result<Response<impl http_body::Body<Data = Bytes, Error = Infallible>>, Infallible> {
    let signal = Signal::from_grpc_path(request.uri().path());
    let message = request.into_body().collect().await.ok().and_then(|body| message(body.to_bytes()));
    let status = match (signal, message) {
        (Some(signal), Some(message)) => {
            requests.lock().expect("nobody panics with the lock").push((signal, message));
            "0"
        }
        (None, _) => "12",
        (_, None) => "3",
    };
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static(status));
    // The empty response message, uncompressed: full success.
    let body = Full::new(Bytes::from_static(&[0; 5])).with_trailers(std::future::ready(Some(Ok(trailers))));
    let mut response = Response::new(body);
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    Ok(response)
}

/// The one message of a call, which nobody in this demo compresses.
fn message(body: Bytes) -> Option<Bytes> {
    let mut body = BytesMut::from(body);
    let (head, _) = body.split_first_chunk::<5>()?;
    let len = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
    let compressed = head[0] != 0;
    let message = body.split_off(5);
    (!compressed && message.len() == len).then(|| message.freeze())
}
