//! What most filters in this field do first and last: decode every request into structs, encode it again.

use opentelemetry_proto::tonic::collector::logs::v1::logs_service_client::LogsServiceClient;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_server::{LogsService, LogsServiceServer};
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsServiceRequest, ExportLogsServiceResponse};
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client::MetricsServiceClient;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{ExportMetricsServiceRequest, ExportMetricsServiceResponse};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use tokio::net::TcpListener;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Request, Response, Status};

use crate::{Failure, process};

#[derive(Clone)]
struct Proxy(Channel);

pub async fn run(sink: &str) -> Result<(), Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    process::announce(listener.local_addr()?);
    let channel = Endpoint::from_shared(format!("http://{sink}"))?
        .initial_stream_window_size(8 << 20)
        .initial_connection_window_size(24 << 20)
        .tcp_nodelay(true)
        .connect()
        .await?;
    let proxy = Proxy(channel);
    Server::builder()
        .max_frame_size(1 << 20)
        .initial_stream_window_size(8 << 20)
        .initial_connection_window_size(24 << 20)
        .add_service(LogsServiceServer::new(proxy.clone()))
        .add_service(MetricsServiceServer::new(proxy.clone()))
        .add_service(TraceServiceServer::new(proxy))
        .serve_with_incoming(TcpIncoming::from(listener).with_nodelay(Some(true)))
        .await?;
    Ok(())
}

#[tonic::async_trait]
impl LogsService for Proxy {
    async fn export(
        &self,
        request: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, Status> {
        LogsServiceClient::new(self.0.clone()).export(request.into_inner()).await
    }
}

#[tonic::async_trait]
impl MetricsService for Proxy {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        MetricsServiceClient::new(self.0.clone()).export(request.into_inner()).await
    }
}

#[tonic::async_trait]
impl TraceService for Proxy {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        TraceServiceClient::new(self.0.clone()).export(request.into_inner()).await
    }
}
