//! The admin port: metrics and health over HTTP, control and health over gRPC, on one listener.
//!
//! * `/healthz`: the process runs.
//! * `/readyz`: policy and keys are loaded and agents may send; 503 once it is told to stop. A destination that is down does
//!   not make it unready: agents are told UNAVAILABLE and keep their data, and beside an application, in its pod, a vendor's
//!   outage must not become the application's.
//! * `/readyz?destinations`: also 503, and why, while a required destination cannot be reached.

use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::sync::{Semaphore, watch};
use tonic::body::Body;
use tonic::service::Routes;
use tower::ServiceExt;

use super::prometheus;
use crate::control::v1::control_server::ControlServer;
use crate::control::{Control, DESCRIPTORS};
use crate::run::State;

/// Connections at a time.
const MOST_CONNECTIONS: usize = 64;

/// How long a request's head may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Serves the admin port until its task is dropped.
pub async fn serve(listener: TcpListener, state: Arc<State>, listen: SocketAddr, draining: watch::Receiver<bool>) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(%error, "the admin listener failed"),
    };
    let admin = Admin { routes: routes(&state, listen, &draining).await, state, draining };
    let slots = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(PATIENCE);
    builder.http2().max_concurrent_streams(16).max_header_list_size(16 << 10);
    loop {
        // A semaphore that nobody closes.
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { return };
        let Ok((socket, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        let (admin, builder) = (admin.clone(), builder.clone());
        tokio::spawn(async move {
            let answer = hyper::service::service_fn(move |request| admin.clone().answer(request));
            // A peer that left is no news.
            let _ = builder.serve_connection(TokioIo::new(socket), answer).await;
            drop(slot);
        });
    }
}

async fn routes(state: &Arc<State>, listen: SocketAddr, draining: &watch::Receiver<bool>) -> Routes {
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter.set_serving::<ControlServer<Control>>().await;
    let mut told = draining.clone();
    tokio::spawn(async move {
        let _ = told.wait_for(|draining| *draining).await;
        reporter.set_service_status("", tonic_health::ServingStatus::NotServing).await;
    });
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()
        .expect("the descriptors are those that the build made");
    let control = Control { state: Arc::clone(state), listen, draining: draining.clone() };
    Routes::new(ControlServer::new(control)).add_service(health).add_service(reflection).prepare()
}

#[derive(Clone)]
struct Admin {
    routes: Routes,
    state: Arc<State>,
    draining: watch::Receiver<bool>,
}

impl Admin {
    async fn answer(self, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
        let is_grpc =
            request.headers().get(CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"));
        if is_grpc {
            return self.routes.oneshot(request).await;
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return Ok(text(StatusCode::METHOD_NOT_ALLOWED, "GET only\n"));
        }
        Ok(match request.uri().path() {
            "/healthz" => text(StatusCode::OK, "ok\n"),
            "/readyz" if *self.draining.borrow() => text(StatusCode::SERVICE_UNAVAILABLE, "stopping\n"),
            "/readyz" if request.uri().query() == Some("destinations") => match self.state.unreachable().await {
                why if why.is_empty() => text(StatusCode::OK, "ready\n"),
                why => text(StatusCode::SERVICE_UNAVAILABLE, why),
            },
            "/readyz" => text(StatusCode::OK, "ready\n"),
            "/metrics" => typed(StatusCode::OK, prometheus::CONTENT_TYPE, prometheus::text(self.state.families())),
            _ => text(StatusCode::NOT_FOUND, "/metrics, /healthz, /readyz, and privet.control.v1 over gRPC\n"),
        })
    }
}

fn text(status: StatusCode, body: impl Into<String>) -> Response<Body> {
    typed(status, "text/plain; charset=utf-8", body.into())
}

fn typed(status: StatusCode, content_type: &'static str, body: String) -> Response<Body> {
    let mut response = Response::new(Body::new(http_body_util::Full::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static(content_type));
    response
}
