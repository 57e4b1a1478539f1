//! A destination that keeps the bytes it gets, whatever the signal, and whose answers quote what they should not, if they are
//! to quote anything.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use bytes::{BufMut, Bytes, BytesMut};
use h2::server::SendResponse;
use http::{HeaderMap, Request, Response};
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsPartialSuccess, ExportLogsServiceResponse};
use prost::Message;
use tokio::net::{TcpListener, TcpStream};

use super::agent::framed;

/// How it refuses.
const REFUSAL: tonic::Code = tonic::Code::FailedPrecondition;

/// What is quoted in every answer, in turn, and what arrived.
#[derive(Clone, Default)]
pub struct Witness {
    pub quotes: Arc<Vec<String>>,
    pub delivered: Arc<Mutex<Vec<Bytes>>>,
    calls: Arc<AtomicUsize>,
}

impl Witness {
    pub fn quoting(quotes: impl IntoIterator<Item = String>) -> Witness {
        Witness { quotes: Arc::new(quotes.into_iter().collect()), ..Witness::default() }
    }

    /// Starts it on a free port.
    pub async fn start(self) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(self.clone().serve(socket));
            }
        });
        address
    }

    async fn serve(self, socket: TcpStream) {
        let mut connection = h2::server::handshake(socket).await.unwrap();
        while let Some(Ok((request, respond))) = connection.accept().await {
            tokio::spawn(self.clone().answer(request, respond));
        }
    }

    async fn answer(self, request: Request<h2::RecvStream>, mut respond: SendResponse<Bytes>) {
        let mut stream = request.into_body();
        let mut message = BytesMut::new();
        while let Some(Ok(chunk)) = stream.data().await {
            stream.flow_control().release_capacity(chunk.len()).unwrap();
            message.put_slice(&chunk);
        }
        let message = message.freeze().slice(5..);
        if self.quotes.is_empty() {
            self.delivered.lock().unwrap().push(message);
            return accept(&mut respond, &ExportLogsServiceResponse::default());
        }
        let call = self.calls.fetch_add(1, SeqCst);
        let canary = &self.quotes[call % self.quotes.len()];
        let quote = format!("{canary} in {}", String::from_utf8_lossy(&message));
        self.delivered.lock().unwrap().push(message);
        // Every quote gets every kind of answer, for their numbers have no common divisor.
        match call % 4 {
            0 => accept(&mut respond, &ExportLogsServiceResponse::default()),
            1 => {
                let partial = ExportLogsPartialSuccess { rejected_log_records: 1, error_message: quote };
                accept(&mut respond, &ExportLogsServiceResponse { partial_success: Some(partial) });
            }
            2 => refuse(&mut respond, quote),
            // Where a message is cut short, an identifier may be cut in two.
            _ => refuse(&mut respond, format!("{} {quote}", "-".repeat(985 + call / 4 % 40))),
        }
    }
}

fn accept(respond: &mut SendResponse<Bytes>, message: &impl Message) {
    let response = Response::builder().header("content-type", "application/grpc").body(()).unwrap();
    let mut stream = respond.send_response(response, false).unwrap();
    stream.send_data(framed(&message.encode_to_vec(), false), false).unwrap();
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", http::HeaderValue::from_static("0"));
    stream.send_trailers(trailers).unwrap();
}

/// In the message and, as text and as an opaque detail, in the details.
fn refuse(respond: &mut SendResponse<Bytes>, quote: String) {
    let detail =
        prost_types::Any { type_url: "type.googleapis.com/google.rpc.DebugInfo".into(), value: quote.clone().into() };
    let details = rpc_status(quote.clone(), detail);
    let status = tonic::Status::with_details(REFUSAL, quote, details.into());
    let response: Response<()> = status.into_http();
    respond.send_response(response, true).unwrap();
}

/// A `google.rpc.Status`.
fn rpc_status(message: String, detail: prost_types::Any) -> Vec<u8> {
    #[derive(Clone, PartialEq, prost::Message)]
    struct RpcStatus {
        #[prost(int32, tag = "1")]
        code: i32,
        #[prost(string, tag = "2")]
        message: String,
        #[prost(message, repeated, tag = "3")]
        details: Vec<prost_types::Any>,
    }
    RpcStatus { code: REFUSAL as i32, message, details: vec![detail] }.encode_to_vec()
}
