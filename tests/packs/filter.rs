//! Texts through the whole engine under a pack, in the shapes that telemetry has.

use std::sync::Arc;
use std::time::SystemTime;

use privet::filter::{Engine, Worker};
use privet::otlp::{Signal, json};
use privet::policy::Policy;
use privet::pseudonym::{Keyring, Pseudonyms};
use serde_json::{Value, json};

pub struct Pack {
    engine: Engine,
    worker: Worker,
}

impl Pack {
    /// A pack by its name, and what it extends.
    pub fn named(name: &str) -> Pack {
        Pack::of(&format!("version: 1\nname: test\nextends: [{name}]\n"))
    }

    /// A policy as a customer writes it.
    pub fn of(text: &str) -> Pack {
        let policy = Policy::parse(&[("test.yaml", text)], jiff::civil::date(2026, 11, 22))
            .unwrap_or_else(|wrong| panic!("{wrong}"));
        let keyring = Keyring::ephemeral().expect("randomness");
        let pseudonyms = Pseudonyms::new(&keyring, "packs", policy.kinds(), SystemTime::now()).expect("an epoch");
        Pack { engine: Engine::new(Arc::new(policy), Arc::new(pseudonyms)), worker: Worker::default() }
    }

    /// All texts that leave, one a line; nothing, if the record was dropped.
    pub fn filter(&mut self, shape: Shape, text: &str) -> String {
        let (signal, request) = shape.request(text);
        let mut bytes = Vec::new();
        json::decode(signal, request.to_string().as_bytes(), &mut bytes).expect("a request of ours");
        let filtered = self.engine.filter(&mut self.worker, signal, bytes.into()).expect("a valid request");
        let mut out = Vec::new();
        json::encode(signal, &filtered.bytes, &mut out).expect("a request still");
        let mut texts = String::new();
        gather(&serde_json::from_slice(&out).expect("JSON"), &mut texts);
        texts
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A log record's body.
    Body,
    /// A document's fields as a log record's attributes.
    Attributes,
    /// What a span's event says.
    SpanEvent,
    /// An attribute of a data point.
    DataPoint,
}

impl Shape {
    fn request(self, text: &str) -> (Signal, Value) {
        let message = json!([{"key": "message", "value": {"stringValue": text}}]);
        match self {
            Shape::Body => {
                let record = json!({"body": {"stringValue": text}});
                (Signal::Logs, json!({"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]}))
            }
            Shape::Attributes => {
                let document: Value = serde_json::from_str(text).unwrap_or(Value::Null);
                let attributes = document.as_object().map(pairs).unwrap_or_default();
                let record = json!({"attributes": attributes});
                (Signal::Logs, json!({"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]}))
            }
            Shape::SpanEvent => {
                let ids = json!({"traceId": "5b8efff798038103d269b633813fc60c", "spanId": "eee19b7ec3c1b174"});
                let mut span = json!({"name": "work", "events": [{"name": "log", "attributes": message}]});
                span.as_object_mut().expect("an object").extend(ids.as_object().expect("an object").clone());
                (Signal::Traces, json!({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}))
            }
            Shape::DataPoint => {
                let metric =
                    json!({"name": "events", "gauge": {"dataPoints": [{"asInt": "1", "attributes": message}]}});
                (Signal::Metrics, json!({"resourceMetrics": [{"scopeMetrics": [{"metrics": [metric]}]}]}))
            }
        }
    }
}

fn value_of(value: &Value) -> Value {
    match value {
        Value::Object(fields) => json!({"kvlistValue": {"values": pairs(fields)}}),
        Value::Array(items) => json!({"arrayValue": {"values": items.iter().map(value_of).collect::<Vec<_>>()}}),
        Value::String(text) => json!({"stringValue": text}),
        other => json!({"stringValue": other.to_string()}),
    }
}

fn pairs(fields: &serde_json::Map<String, Value>) -> Vec<Value> {
    fields.iter().map(|(key, value)| json!({"key": key, "value": value_of(value)})).collect()
}

fn gather(value: &Value, texts: &mut String) {
    match value {
        Value::Object(fields) => fields.values().for_each(|value| gather(value, texts)),
        Value::Array(items) => items.iter().for_each(|item| gather(item, texts)),
        Value::String(text) => {
            texts.push_str(text);
            texts.push('\n');
        }
        _ => {}
    }
}
