//! A text through the whole engine: as the body of a log record.

use std::sync::Arc;
use std::time::SystemTime;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use privet::filter::{Engine, Worker};
use privet::otlp::Signal;
use privet::policy::Policy;
use privet::pseudonym::{Keyring, Pseudonyms};
use prost::Message;

pub struct Sieve {
    engine: Engine,
    worker: Worker,
}

impl Sieve {
    /// With the base policy.
    pub fn new() -> Sieve {
        Sieve::of(Policy::base())
    }

    /// With the base policy and nothing on its keep list: what is found counts, also where the policy would leave it.
    pub fn keeping_nothing() -> Sieve {
        let own = ("recall.yaml", "version: 1\nname: recall\nextends: base\nkeep: []\n");
        Sieve::of(Policy::parse(&[own], jiff::civil::Date::MAX).expect("a shorter list is allowed"))
    }

    fn of(policy: Policy) -> Sieve {
        let keyring = Keyring::ephemeral().expect("randomness");
        let pseudonyms = Pseudonyms::new(&keyring, "recall", policy.kinds(), SystemTime::now()).expect("an epoch");
        Sieve { engine: Engine::new(Arc::new(policy), Arc::new(pseudonyms)), worker: Worker::default() }
    }

    /// The text as it leaves, under a resource that names the host or none.
    pub fn filter(&mut self, text: &str, host: Option<&str>) -> String {
        let string = |text: &str| AnyValue { value: Some(any_value::Value::StringValue(text.into())) };
        let named = |host| KeyValue { key: "host.name".into(), value: Some(string(host)), ..KeyValue::default() };
        let resource = Resource { attributes: host.into_iter().map(named).collect(), ..Resource::default() };
        let record = LogRecord { body: Some(string(text)), ..LogRecord::default() };
        let scope = ScopeLogs { log_records: vec![record], ..ScopeLogs::default() };
        let logs = ResourceLogs { resource: Some(resource), scope_logs: vec![scope], ..ResourceLogs::default() };
        let request = ExportLogsServiceRequest { resource_logs: vec![logs] }.encode_to_vec();
        let filtered = self.engine.filter(&mut self.worker, Signal::Logs, request.into()).expect("a valid request");
        let mut request = ExportLogsServiceRequest::decode(filtered.bytes).expect("still a request");
        let record = request.resource_logs.pop().and_then(|mut logs| logs.scope_logs.pop()?.log_records.pop());
        match record.and_then(|record| record.body).and_then(|body| body.value) {
            Some(any_value::Value::StringValue(text)) => text,
            other => panic!("a body that was text came out as {other:?}"),
        }
    }

    /// A whole request as it leaves; none where it is refused.
    pub fn request(&mut self, signal: Signal, request: &[u8]) -> Option<Vec<u8>> {
        let filtered = self.engine.filter(&mut self.worker, signal, request.to_vec().into());
        filtered.ok().map(|filtered| filtered.bytes.to_vec())
    }
}
