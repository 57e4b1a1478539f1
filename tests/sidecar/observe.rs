//! What the sidecar tells about itself, and reload.

use std::fs;

use privet::control::v1::control_client::ControlClient;
use privet::control::v1::{GetCountersRequest, GetStatusRequest, ReloadRequest};
use privet::grpc::Code;
use privet::run::start;
use tonic::transport::Channel;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;

use crate::support::agent::Agent;
use crate::support::destination::Destination;
use crate::support::{CANARY, config, get, log, metric, sidecar};

async fn channel(address: std::net::SocketAddr) -> Channel {
    tonic::transport::Endpoint::try_from(format!("http://{address}")).unwrap().connect().await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_count_what_happened_and_show_no_value() {
    let destination = Destination::default();
    let running = sidecar(&destination.clone().start().await);
    let agent = Agent::connect(running.listen).await;
    assert_eq!(agent.export(&log(&format!("login from {CANARY}"))).await.code(), Code::Ok);
    assert_eq!(agent.export(&log("nothing to hide")).await.code(), Code::Ok);
    let (status, text) = get(running.admin.unwrap(), "/metrics");
    assert_eq!(status, 200);
    assert!(!text.contains(CANARY));
    for line in [
        "privet_requests_total{signal=\"logs\",code=\"ok\"} 2",
        "privet_request_duration_seconds_count{signal=\"logs\"} 2",
        "privet_request_duration_seconds_bucket{le=\"+Inf\",signal=\"logs\"} 2",
        "privet_records_total{signal=\"logs\"} 2",
        "privet_requests_unchanged_total{signal=\"logs\"} 1",
        "privet_destination_connections{destination=\"default\"} 1",
        "privet_destination_requests_total{destination=\"default\",code=\"ok\"} 2",
        "privet_requests_in_flight 0",
        "privet_last_reload_successful 1",
    ] {
        assert!(text.contains(&format!("{line}\n")), "{line} is not in\n{text}");
    }
    assert!(text.contains("privet_key_info{epoch=\"0\",check_value=\""), "{text}");
    assert!(text.contains("privet_rule_actions_total{signal=\"logs\",rule="), "{text}");
    assert!(!destination.seen().contains(CANARY));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_admin_port_speaks_http_1_and_2_and_grpc() {
    let running = sidecar(&Destination::default().start().await);
    let admin = running.admin.unwrap();
    assert_eq!(get(admin, "/healthz"), (200, "ok\n".to_owned()));
    assert_eq!(get(admin, "/readyz").0, 200);
    assert_eq!(get(admin, "/nothing").0, 404);
    let mut health = HealthClient::new(channel(admin).await);
    for service in ["", "privet.control.v1.Control"] {
        let answer = health.check(HealthCheckRequest { service: service.to_owned() }).await.unwrap();
        assert_eq!(answer.into_inner().status, 1, "{service} is serving");
    }
    let mut reflection = ServerReflectionClient::new(channel(admin).await);
    let list = Some(MessageRequest::ListServices(String::new()));
    let ask = ServerReflectionRequest { host: String::new(), message_request: list };
    let mut answers = reflection.server_reflection_info(OneItem(Some(ask))).await.unwrap().into_inner();
    let services = format!("{:?}", answers.message().await.unwrap());
    assert!(services.contains("privet.control.v1.Control"), "{services}");
}

/// A stream of one.
struct OneItem<T>(Option<T>);

impl<T> Unpin for OneItem<T> {}

impl<T> tokio_stream::Stream for OneItem<T> {
    type Item = T;

    fn poll_next(mut self: std::pin::Pin<&mut Self>, _: &mut std::task::Context<'_>) -> std::task::Poll<Option<T>> {
        std::task::Poll::Ready(self.0.take())
    }
}

#[tokio::test]
async fn the_agents_port_answers_grpc_health_checks() {
    let running = sidecar(&Destination::default().start().await);
    let mut health = HealthClient::new(channel(running.listen).await);
    let answer = health.check(HealthCheckRequest::default()).await.unwrap();
    assert_eq!(answer.into_inner().status, 1);
}

const POLICY: &str = "version: 1\nname: NAME\nextends: [base]\n";

#[tokio::test]
async fn a_reload_swaps_the_policy_and_a_bad_one_leaves_the_last_good_in_force() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("policy.yaml");
    fs::write(&path, POLICY.replace("NAME", "first")).unwrap();
    let mut config = config(&Destination::default().start().await);
    config.policies = vec![path.clone()];
    let running = start(&config).unwrap();
    let mut control = ControlClient::new(channel(running.admin.unwrap()).await);
    let first = control.get_status(GetStatusRequest {}).await.unwrap().into_inner();
    let [policy] = &first.policies[..] else { panic!("one policy") };
    assert_eq!(policy.name, "first");
    assert!(!policy.rules.is_empty() && first.key.unwrap().throw_away && first.reload_error.is_empty());

    fs::write(&path, POLICY.replace("NAME", "second")).unwrap();
    let digests = control.reload(ReloadRequest {}).await.unwrap().into_inner().policy_digests;
    let second = control.get_status(GetStatusRequest {}).await.unwrap().into_inner().policies.remove(0);
    assert_eq!((second.name.as_str(), &second.digest), ("second", &digests[0]));
    assert_ne!(digests[0], policy.digest);

    fs::write(&path, "rulez: []\n").unwrap();
    let refused = control.reload(ReloadRequest {}).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::FailedPrecondition);
    let after = control.get_status(GetStatusRequest {}).await.unwrap().into_inner();
    assert_eq!(after.policies[0].digest, digests[0]);
    assert!(after.reload_error.contains("policy.yaml"), "{}", after.reload_error);
    assert_eq!(metric(&running, "privet_last_reload_successful").await, 0.0);
    assert_eq!(Agent::connect(running.listen).await.export(&log("x")).await.code(), Code::Ok);

    let counters = control.get_counters(GetCountersRequest {}).await.unwrap().into_inner().counters;
    let reloads = |result: &str| {
        let found = counters.iter().find(|counter| {
            counter.name == "privet_reloads_total" && counter.labels.get("result").is_some_and(|label| label == result)
        });
        found.map(|counter| counter.value)
    };
    assert_eq!((reloads("success"), reloads("failure")), (Some(1.0), Some(1.0)));
}
