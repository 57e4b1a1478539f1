//! An agent that says exactly what a test wants said, frame by frame.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use h2::client::SendRequest;
use http::{HeaderMap, Method, Request};
use privet::grpc::{Code, Status};
use prost::Message;
use tokio::net::TcpStream;

pub const LOGS: &str = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub http: u16,
    pub headers: HeaderMap,
    pub trailers: HeaderMap,
    pub status: Option<Status>,
    /// The response's message, without its head.
    pub body: Bytes,
}

impl Answer {
    pub fn code(&self) -> Code {
        self.status.as_ref().expect("a gRPC status").code
    }

    pub fn message(&self) -> &str {
        &self.status.as_ref().expect("a gRPC status").message
    }

    /// All that the agent is told, headers, trailers, their binary parts and the message, as bytes to search.
    pub fn told(&self) -> Vec<u8> {
        use base64::Engine;
        let mut told = self.body.to_vec();
        for (name, value) in self.headers.iter().chain(&self.trailers) {
            told.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\n"].concat());
            let unpadded = value.as_bytes().trim_ascii_end();
            told.extend(base64::engine::general_purpose::STANDARD_NO_PAD.decode(unpadded).unwrap_or_default());
        }
        told.extend(self.status.iter().flat_map(|status| status.message.bytes()));
        told
    }

    pub fn retry_after(&self) -> Option<Duration> {
        self.status.as_ref().expect("a gRPC status").retry_after
    }
}

/// A connection of an agent's.
#[derive(Clone)]
pub struct Agent {
    requests: SendRequest<Bytes>,
}

/// A message with its head.
pub fn framed(body: &[u8], compressed: bool) -> Bytes {
    let mut frame = BytesMut::with_capacity(body.len() + 5);
    frame.put_u8(u8::from(compressed));
    frame.put_u32(body.len() as u32);
    frame.put_slice(body);
    frame.freeze()
}

impl Agent {
    pub async fn connect(address: SocketAddr) -> Agent {
        let socket = TcpStream::connect(address).await.unwrap();
        let (requests, connection) = h2::client::handshake(socket).await.unwrap();
        tokio::spawn(connection);
        Agent { requests }
    }

    /// Exports a request as most agents do.
    pub async fn export(&self, request: &impl Message) -> Answer {
        self.call(LOGS, &[], &[framed(&request.encode_to_vec(), false)]).await
    }

    /// A call with these headers beside the usual ones, and these DATA frames.
    pub async fn call(&self, path: &str, headers: &[(&str, &str)], frames: &[Bytes]) -> Answer {
        let mut request = Request::builder().method(Method::POST).uri(format!("http://sidecar{path}"));
        let usual = [("content-type", "application/grpc"), ("te", "trailers")];
        for (name, value) in usual.iter().filter(|(name, _)| headers.iter().all(|(own, _)| own != name)).chain(headers)
        {
            request = request.header(*name, *value);
        }
        self.send(request.body(()).unwrap(), frames, true).await
    }

    /// Sends a request as it is; without `end` its stream stays open.
    pub async fn send(&self, request: Request<()>, frames: &[Bytes], end: bool) -> Answer {
        let mut requests = self.requests.clone().ready().await.unwrap();
        let (response, mut stream) = requests.send_request(request, end && frames.is_empty()).unwrap();
        for (index, frame) in frames.iter().enumerate() {
            // Fails where the sidecar has answered already.
            let _ = stream.send_data(frame.clone(), end && index + 1 == frames.len());
        }
        let (parts, mut body) = response.await.unwrap().into_parts();
        let mut message = BytesMut::new();
        while let Some(Ok(chunk)) = body.data().await {
            body.flow_control().release_capacity(chunk.len()).unwrap();
            message.put_slice(&chunk);
        }
        let trailers = body.trailers().await.ok().flatten().unwrap_or_default();
        let status = Status::from_headers(&trailers).or_else(|| Status::from_headers(&parts.headers));
        let body = message.freeze();
        let body = if body.len() > 5 { body.slice(5..) } else { Bytes::new() };
        Answer { http: parts.status.as_u16(), headers: parts.headers, trailers, status, body }
    }
}
