//! One worker's link to the destination: a connection when one is needed, calls on it, what their end means.

use std::borrow::Cow;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::Reason;
use h2::client::SendRequest;
use http::header::{CONTENT_TYPE, TE, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};

use super::target::{Target, unreachable};
use crate::grpc::{self, Code, Message, Status};
use crate::otlp::Signal;

/// The largest response message that is read, in bytes: it carries a count and a text.
const LONGEST_RESPONSE: usize = 64 << 10;

const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// One worker's connection, made when it is needed.
pub struct Link {
    target: Arc<Target>,
    current: Mutex<Option<SendRequest<Message>>>,
    /// Held while dialling, so that all who wait share one connection.
    dialling: tokio::sync::Mutex<Pause>,
}

/// After a failed attempt nobody dials for a while.
struct Pause {
    until: Option<Instant>,
    next: Duration,
    said: Cow<'static, str>,
}

/// How a call ended without an outcome of the destination's.
enum Broken {
    /// The destination did not look at it: it may be sent again on a new connection.
    Unseen(Status),
    Lost(Status),
}

impl Link {
    pub fn new(target: Arc<Target>) -> Link {
        let pause = Pause { until: None, next: SHORTEST_PAUSE, said: Cow::Borrowed("") };
        Link { target, current: Mutex::new(None), dialling: tokio::sync::Mutex::new(pause) }
    }

    /// Sends one Export request; its response message, or the status it ended with.
    pub async fn export(&self, signal: Signal, request: Bytes, deadline: Instant) -> Result<Bytes, Status> {
        let body = match self.target.grpc.gzip {
            Some(level) => grpc::gzip(&request, level),
            None => request,
        };
        let call = async {
            let requests = self.requests().await?;
            match self.call(requests, signal, body.clone(), deadline).await {
                Err(Broken::Unseen(_)) => {
                    self.forget();
                    // By its own word the destination did not look at it; but it was sent.
                    let sent = |status| Status { reason: "destination_broke_off", ..status };
                    let requests = self.requests().await.map_err(sent)?;
                    let again = self.call(requests, signal, body, deadline).await;
                    again.map_err(|(Broken::Unseen(status) | Broken::Lost(status))| status)
                }
                Err(Broken::Lost(status)) => Err(status),
                Ok(outcome) => Ok(outcome),
            }
        };
        tokio::time::timeout_at(deadline.into(), call).await.unwrap_or_else(|_| {
            Err(Status::new(Code::DeadlineExceeded, "destination_slow", "the destination did not answer in time"))
        })?
    }

    /// A handle to a connection that is up.
    async fn requests(&self) -> Result<SendRequest<Message>, Status> {
        if let Some(requests) = self.live() {
            return Ok(requests);
        }
        let mut pause = self.dialling.lock().await;
        // Another may have dialled while this one waited.
        if let Some(requests) = self.live() {
            return Ok(requests);
        }
        if pause.until.is_some_and(|until| Instant::now() < until) {
            return Err(down(pause.said.clone()));
        }
        let target = &self.target;
        match target.dial().await {
            Ok(requests) => {
                if pause.until.is_some() {
                    tracing::info!(destination = target.metrics.name(), "the destination is back");
                }
                *pause = Pause { until: None, next: SHORTEST_PAUSE, said: Cow::Borrowed("") };
                *self.slot() = Some(requests.clone());
                Ok(requests)
            }
            Err(error) => {
                pause.said = unreachable(&error).into();
                pause.until = Some(Instant::now() + pause.next);
                pause.next = (pause.next * 2).min(LONGEST_PAUSE);
                Err(down(pause.said.clone()))
            }
        }
    }

    fn live(&self) -> Option<SendRequest<Message>> {
        let mut slot = self.slot();
        let mut requests = slot.clone()?;
        match requests.poll_ready(&mut std::task::Context::from_waker(std::task::Waker::noop())) {
            std::task::Poll::Ready(Err(_)) => {
                *slot = None;
                None
            }
            // Not ready only means that it must wait for its turn.
            _ => Some(requests),
        }
    }

    fn forget(&self) {
        *self.slot() = None;
    }

    fn slot(&self) -> std::sync::MutexGuard<'_, Option<SendRequest<Message>>> {
        // A handle is whole or it is not there.
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn call(
        &self,
        requests: SendRequest<Message>,
        signal: Signal,
        body: Bytes,
        deadline: Instant,
    ) -> Result<Result<Bytes, Status>, Broken> {
        let mut requests = requests.ready().await.map_err(|error| broken(&error))?;
        let head = self.head(signal, deadline);
        let (response, mut stream) = requests.send_request(head, false).map_err(|error| broken(&error))?;
        stream.send_data(Message::new(body, self.target.grpc.gzip.is_some()), true).map_err(|error| broken(&error))?;
        let response = response.await.map_err(|error| broken(&error))?;
        outcome(response).await
    }

    fn head(&self, signal: Signal, deadline: Instant) -> Request<()> {
        let mut request = Request::new(());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.target.uris[signal as usize].clone();
        let headers = request.headers_mut();
        self.target.headers.write(headers);
        headers.insert(TE, HeaderValue::from_static("trailers"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert(USER_AGENT, HeaderValue::from_static(concat!("privet/", env!("CARGO_PKG_VERSION"))));
        headers.insert("grpc-timeout", grpc::format_timeout(deadline.saturating_duration_since(Instant::now())));
        if self.target.grpc.gzip.is_some() {
            headers.insert("grpc-encoding", HeaderValue::from_static("gzip"));
        }
        request
    }
}

/// Reads a response: a status in the headers alone, or a message and then the trailers.
async fn outcome(response: Response<h2::RecvStream>) -> Result<Result<Bytes, Status>, Broken> {
    let (parts, mut stream) = response.into_parts();
    if let Some(status) = Status::from_headers(&parts.headers)
        && status.code != Code::Ok
    {
        return Ok(Err(remap(status)));
    }
    if parts.status != StatusCode::OK {
        let code = Code::from_http(parts.status);
        let text = format!("the destination answered with HTTP status {}", parts.status.as_u16());
        return Ok(Err(Status::new(code, Status::DESTINATION, text)));
    }
    let message = grpc::gather(&mut stream, LONGEST_RESPONSE, |_| Ok(())).await;
    let trailers = poll_fn(|task| stream.poll_trailers(task)).await.map_err(|error| broken(&error))?;
    let status = trailers.as_ref().and_then(Status::from_headers).or_else(|| Status::from_headers(&parts.headers));
    match status {
        Some(status) if status.code != Code::Ok => Ok(Err(remap(status))),
        Some(_) => Ok(Ok(decoded(&parts.headers, message))),
        None => Ok(Err(Status::new(Code::Unknown, Status::DESTINATION, "the destination's answer has no status"))),
    }
}

/// The response's message. The destination has accepted the request, whatever it says about it: what cannot be read is
/// taken as nothing said.
fn decoded(headers: &HeaderMap, message: Result<Option<grpc::Gathered>, Status>) -> Bytes {
    let Ok(Some(message)) = message else { return Bytes::new() };
    if !message.compressed {
        return message.body;
    }
    let encoding = headers.get("grpc-encoding").and_then(|name| grpc::Encoding::from_name(name.as_bytes()));
    match encoding.map(|encoding| grpc::decompress(encoding, &message.body, LONGEST_RESPONSE)) {
        Some(grpc::Decoded::Message(body)) => body,
        _ => Bytes::new(),
    }
}

/// tonic says OUT_OF_RANGE, which senders retry for ever, where a message is too large for it.
fn remap(status: Status) -> Status {
    if status.code == Code::OutOfRange && status.message.contains("message length too large") {
        return Status { code: Code::ResourceExhausted, retry_after: None, ..status };
    }
    status
}

/// A call that broke. What the destination refused before looking at it, by its own word, may be sent again.
fn broken(error: &h2::Error) -> Broken {
    let refused = error.is_remote() && error.is_reset() && error.reason() == Some(Reason::REFUSED_STREAM);
    let going = error.is_remote() && error.is_go_away() && error.reason() == Some(Reason::NO_ERROR);
    let status = Status::new(Code::Unavailable, "destination_broke_off", format!("the destination broke off: {error}"));
    if refused || going { Broken::Unseen(status) } else { Broken::Lost(status) }
}

fn down(text: Cow<'static, str>) -> Status {
    Status::new(Code::Unavailable, Status::UNSENT, text)
}
