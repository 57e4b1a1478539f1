//! `privet.control.v1`: what an operator may ask a running Privet. Served on the admin port.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use tokio::sync::watch;
use tonic::{Request, Response, Status};

use crate::observe::audit::Head;
use crate::observe::{Family, Kind, Value};
use crate::otlp::Signal;
use crate::policy::Policy;
use crate::run::{Shadow, State};

pub mod v1 {
    //! The generated messages, service and client.
    #![allow(clippy::pedantic, missing_docs)]
    tonic::include_proto!("privet.control.v1");
}

/// The API's descriptors, for reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/control.bin"));

/// The service.
pub struct Control {
    pub state: Arc<State>,
    pub listen: SocketAddr,
    pub draining: watch::Receiver<bool>,
}

#[tonic::async_trait]
impl v1::control_server::Control for Control {
    async fn get_status(&self, _: Request<v1::GetStatusRequest>) -> Result<Response<v1::GetStatusResponse>, Status> {
        let loaded = self.state.loaded();
        let mut policies: Vec<v1::Policy> = Vec::new();
        for pass in &loaded.passes {
            let policy = pass.engine.policy();
            if policies.iter().all(|known| known.digest != policy.digest()) {
                policies.push(describe(policy));
            }
        }
        let destinations = self.state.destinations.iter().enumerate().map(|(index, destination)| v1::Destination {
            address: destination.address(),
            connections: u32::try_from(destination.metrics.connections()).unwrap_or(u32::MAX),
            name: destination.name().to_owned(),
            recipient: destination.recipient.clone(),
            policy_digest: loaded.engine(index).policy().digest().to_owned(),
            required: destination.required,
            region: destination.region.clone().unwrap_or_default(),
        });
        let pseudonyms = loaded.engine(0).pseudonyms();
        Ok(Response::new(v1::GetStatusResponse {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            listen: self.listen.to_string(),
            policies,
            key: Some(v1::Key {
                epoch: pseudonyms.epoch(),
                check_value: pseudonyms.check_value(),
                throw_away: self.state.key_is_throw_away(),
            }),
            destinations: destinations.collect(),
            reload_error: self.state.reload_error().unwrap_or_default(),
            draining: *self.draining.borrow(),
            audit: self.state.audit.as_ref().map(|audit| {
                let Head { seq, hash } = audit.head();
                v1::Audit { sequence: seq, hash, failing: audit.is_failing() }
            }),
            shadows: loaded.shadows.iter().map(|shadow| describe_shadow(shadow)).collect(),
        }))
    }

    async fn get_counters(
        &self,
        _: Request<v1::GetCountersRequest>,
    ) -> Result<Response<v1::GetCountersResponse>, Status> {
        let counters = self.state.families().into_iter().flat_map(counters).collect();
        Ok(Response::new(v1::GetCountersResponse { counters }))
    }

    async fn reload(&self, _: Request<v1::ReloadRequest>) -> Result<Response<v1::ReloadResponse>, Status> {
        let state = Arc::clone(&self.state);
        // Reading and compiling may take a while, and the admin port must go on answering.
        let outcome = tokio::task::spawn_blocking(move || state.reload()).await;
        match outcome {
            Ok(Ok(())) => {
                let loaded = self.state.loaded();
                let digests = (0..loaded.pass_of.len()).map(|index| loaded.engine(index).policy().digest().to_owned());
                let wrong = loaded.shadows.iter().filter_map(|shadow| {
                    let error = shadow.candidate.as_ref().err()?;
                    Some(format!("{}: {error}", shadow.destinations))
                });
                Ok(Response::new(v1::ReloadResponse {
                    policy_digests: digests.collect(),
                    shadow_errors: wrong.collect(),
                }))
            }
            Ok(Err(error)) => Err(Status::failed_precondition(error.to_string())),
            Err(_) => Err(Status::internal("reloading failed")),
        }
    }
}

fn describe(policy: &Policy) -> v1::Policy {
    let rules = policy.rules().iter().map(|rule| v1::Rule {
        name: rule.name.clone(),
        action: rule.action.name().to_owned(),
        file: rule.file.clone(),
        line: u32::try_from(rule.line).unwrap_or(u32::MAX),
    });
    v1::Policy {
        name: policy.name().to_owned(),
        digest: policy.digest().to_owned(),
        rules: rules.collect(),
        warnings: u32::try_from(policy.warnings().items.len()).unwrap_or(u32::MAX),
    }
}

fn describe_shadow(shadow: &Shadow) -> v1::Shadow {
    let destinations = shadow.destinations.split(',').map(str::to_owned).collect();
    let described = v1::Shadow { destinations, sample: shadow.sample, ..v1::Shadow::default() };
    let candidate = match &shadow.candidate {
        Ok(candidate) => candidate,
        Err(error) => return v1::Shadow { error: error.clone(), ..described },
    };
    let metrics = &candidate.metrics;
    let since = metrics.since.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let disagreements = candidate.rows().into_iter().map(|row| v1::Disagreement {
        signal: row.signal.to_owned(),
        part: row.part.to_owned(),
        key: row.key,
        change: row.change.name().to_owned(),
        rule: row.rule,
        candidate_rule: row.candidate_rule,
        values: row.values,
    });
    v1::Shadow {
        name: candidate.policy().name().to_owned(),
        digest: candidate.policy().digest().to_owned(),
        live_digest: candidate.live().digest().to_owned(),
        since: i64::try_from(since).unwrap_or(i64::MAX),
        records: Signal::ALL.into_iter().map(|signal| metrics.records(signal)).sum(),
        not_compared: metrics.not_compared().map(|(why, times)| (why.name().to_owned(), times)).collect(),
        disagreements: disagreements.collect(),
        ..described
    }
}

/// A family as single numbers; a histogram is its sum and its count.
fn counters(family: Family) -> impl Iterator<Item = v1::Counter> {
    let name = family.full_name();
    family.samples.into_iter().flat_map(move |sample| {
        let labels: std::collections::HashMap<String, String> =
            sample.labels.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let counter =
            |suffix: &str, value| v1::Counter { name: format!("{name}{suffix}"), labels: labels.clone(), value };
        match sample.value {
            Value::Integer(value) => {
                vec![counter(if family.kind == Kind::Counter { "_total" } else { "" }, value as f64)]
            }
            Value::Float(value) => vec![counter(if family.kind == Kind::Counter { "_total" } else { "" }, value)],
            Value::Histogram { sum, count, .. } => vec![counter("_sum", sum), counter("_count", count as f64)],
        }
    })
}
