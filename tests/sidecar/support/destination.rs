//! A real OTLP destination: tonic's server, that keeps what it gets and answers as it is told.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::collector::logs::v1::logs_service_server::{LogsService, LogsServiceServer};
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsServiceRequest, ExportLogsServiceResponse};
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{ExportMetricsServiceRequest, ExportMetricsServiceResponse};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use tokio::net::TcpListener;
use tonic::service::Routes;
use tonic::{Request, Response, Status};

type Answer = Result<ExportLogsServiceResponse, Status>;

/// What arrived, and what is to be answered to logs; success where nothing is said.
#[derive(Clone, Default)]
pub struct Destination {
    pub logs: Arc<Mutex<Vec<Request<ExportLogsServiceRequest>>>>,
    pub metrics: Arc<Mutex<Vec<ExportMetricsServiceRequest>>>,
    pub traces: Arc<Mutex<Vec<ExportTraceServiceRequest>>>,
    pub answers: Arc<Mutex<VecDeque<Answer>>>,
    /// Calls wait for a permit of it where there is one.
    pub gate: Option<Arc<tokio::sync::Semaphore>>,
}

impl Destination {
    /// Starts it on a free port; its URL.
    pub async fn start(self) -> String {
        format!("http://{}", self.start_at("127.0.0.1:0".parse().unwrap()).await)
    }

    pub async fn start_at(self, address: SocketAddr) -> SocketAddr {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(self.clone().serve(socket));
            }
        });
        address
    }

    /// Serves one connection, of whatever kind.
    pub async fn serve(self, socket: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static) {
        let routes = Routes::new(LogsServiceServer::new(self.clone()).max_decoding_message_size(1 << 20))
            .add_service(MetricsServiceServer::new(self.clone()))
            .add_service(TraceServiceServer::new(self))
            .prepare();
        let service = hyper_util::service::TowerToHyperService::new(routes);
        let builder = hyper::server::conn::http2::Builder::new(hyper_util::rt::TokioExecutor::new());
        let _ = builder.serve_connection(hyper_util::rt::TokioIo::new(socket), service).await;
    }

    pub fn answer(&self, answer: Answer) {
        self.answers.lock().unwrap().push_back(answer);
    }

    /// All that arrived, as text.
    pub fn seen(&self) -> String {
        format!("{:?} {:?} {:?}", self.logs.lock().unwrap(), self.metrics.lock().unwrap(), self.traces.lock().unwrap())
    }
}

#[tonic::async_trait]
impl LogsService for Destination {
    async fn export(
        &self,
        request: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, Status> {
        self.logs.lock().unwrap().push(request);
        if let Some(gate) = &self.gate {
            gate.acquire().await.unwrap().forget();
        }
        let answer = self.answers.lock().unwrap().pop_front();
        answer.unwrap_or_else(|| Ok(ExportLogsServiceResponse::default())).map(Response::new)
    }
}

#[tonic::async_trait]
impl MetricsService for Destination {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        self.metrics.lock().unwrap().push(request.into_inner());
        Ok(Response::new(ExportMetricsServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl TraceService for Destination {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.traces.lock().unwrap().push(request.into_inner());
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}
