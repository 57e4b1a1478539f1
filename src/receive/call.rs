//! One call: which service, its message, its answer.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::RecvStream;
use h2::server::SendResponse;
use http::header::{ALLOW, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};

use super::{Context, Export, Held};
use crate::grpc::{self, Code, Decoded, Encoding, Message, Status};
use crate::otlp::Signal;

const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");

/// `grpc.health.v1.HealthCheckResponse{status: SERVING}`.
const SERVING: &[u8] = &[0x08, 0x01];

/// The largest health request: a service's name.
const LONGEST_HEALTH_REQUEST: usize = 1024;

/// What a path asks for.
enum Route {
    Export(Signal),
    Health,
}

/// Answers one call. `_open` is held as long as it lasts.
pub async fn answer<X: Export>(
    request: Request<RecvStream>,
    mut respond: SendResponse<Message>,
    context: Arc<Context<X>>,
    _open: Arc<()>,
) {
    let (parts, mut stream) = request.into_parts();
    if let Some(refusal) = not_grpc(&parts) {
        context.metrics.refused(None, "not_grpc");
        let _ = respond.send_response(refusal, true);
        return;
    }
    let route = match parts.uri.path() {
        "/grpc.health.v1.Health/Check" => Ok(Route::Health),
        path => Signal::from_grpc_path(path).map(Route::Export).ok_or_else(unknown_method),
    };
    let outcome = match route {
        Ok(Route::Export(signal)) => {
            let started = Instant::now();
            let _in_flight = context.metrics.in_flight();
            let exported = tokio::select! {
                biased;
                outcome = export(&parts, &mut stream, signal, started, &context) => outcome,
                _ = poll_fn(|task| respond.poll_reset(task)) => {
                    // Dropping the call drops what it waits for.
                    context.metrics.answered(signal, Code::Cancelled, started.elapsed());
                    context.metrics.refused(Some(signal), "agent_left");
                    return;
                }
            };
            let code = exported.as_ref().map_or_else(|status| status.code, |_| Code::Ok);
            context.metrics.answered(signal, code, started.elapsed());
            exported.inspect_err(|status| context.metrics.refused(Some(signal), status.reason))
        }
        Ok(Route::Health) => {
            grpc::gather(&mut stream, LONGEST_HEALTH_REQUEST, |_| Ok(())).await.map(|_| Bytes::from_static(SERVING))
        }
        Err(status) => {
            context.metrics.refused(None, status.reason);
            Err(status)
        }
    };
    // Fails only where the agent has left.
    let _ = reply(&mut respond, outcome);
}

/// Takes the request in whole, has it exported, within its deadline.
async fn export<X: Export>(
    parts: &Parts,
    stream: &mut RecvStream,
    signal: Signal,
    started: Instant,
    context: &Context<X>,
) -> Result<Bytes, Status> {
    let encoding = encoding(&parts.headers)?;
    let deadline = started + deadline(&parts.headers, context.timeout);
    let mut held = Held::none(&context.budget);
    let arrival = deadline.min(started + context.limits.arrival);
    let gathering = grpc::gather(stream, context.limits.message, |bytes| held.grow(bytes));
    let message =
        tokio::time::timeout_at(arrival.into(), gathering).await.map_err(|_| too_slow())??.ok_or_else(empty)?;
    context.metrics.received(signal, message.body.len());
    let request = if message.compressed {
        let decoded = grpc::decompress(encoding, &message.body, context.limits.decompressed);
        let request = decoded_or_status(decoded, context.limits.decompressed)?;
        held.grow(request.len())?;
        request
    } else {
        message.body
    };
    context.export.export(signal, request, deadline).await
}

/// Answers that HTTP gives, where it is not gRPC that was asked.
fn not_grpc(parts: &Parts) -> Option<Response<()>> {
    if parts.method != Method::POST {
        let mut response = Response::new(());
        *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
        return Some(response);
    }
    let content_type = parts.headers.get(CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    if matches!(content_type, b"application/grpc" | b"application/grpc+proto") {
        return None;
    }
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
    Some(response)
}

fn encoding(headers: &HeaderMap) -> Result<Encoding, Status> {
    match headers.get("grpc-encoding") {
        None => Ok(Encoding::Identity),
        Some(name) => Encoding::from_name(name.as_bytes())
            .ok_or_else(|| Status::new(Code::Unimplemented, "unknown_encoding", "the encoding is not supported")),
    }
}

/// The agent's deadline where it has one and it is the shorter.
fn deadline(headers: &HeaderMap, default: Duration) -> Duration {
    headers.get("grpc-timeout").and_then(grpc::parse_timeout).map_or(default, |timeout| timeout.min(default))
}

fn decoded_or_status(decoded: Decoded, limit: usize) -> Result<Bytes, Status> {
    match decoded {
        Decoded::Message(request) => Ok(request),
        Decoded::TooLarge => {
            let text = format!("the decompressed message is larger than {limit} bytes");
            Err(Status::new(Code::ResourceExhausted, "decompressed_too_large", text))
        }
        Decoded::Corrupt => {
            Err(Status::new(Code::InvalidArgument, "bad_compression", "the message does not decompress"))
        }
    }
}

fn unknown_method() -> Status {
    Status::new(Code::Unimplemented, "unknown_method", "there is no such method")
}

fn too_slow() -> Status {
    Status::new(Code::DeadlineExceeded, "slow_sender", "the request took too long to arrive")
}

fn empty() -> Status {
    Status::new(Code::InvalidArgument, "bad_frame", "the call has no message")
}

/// A response with its trailers, or a status alone.
fn reply(respond: &mut SendResponse<Message>, outcome: Result<Bytes, Status>) -> Result<(), h2::Error> {
    let mut response = Response::new(());
    response.headers_mut().insert(CONTENT_TYPE, GRPC);
    match outcome {
        Ok(body) => {
            let mut stream = respond.send_response(response, false)?;
            stream.send_data(Message::new(body, false), false)?;
            let mut trailers = HeaderMap::new();
            Status::new(Code::Ok, "", "").write(&mut trailers);
            stream.send_trailers(trailers)
        }
        Err(status) => {
            if status.code == Code::Unimplemented {
                let accepted = HeaderValue::from_static(Encoding::ACCEPTED);
                response.headers_mut().insert("grpc-accept-encoding", accepted);
            }
            status.write(response.headers_mut());
            respond.send_response(response, true).map(drop)
        }
    }
}
