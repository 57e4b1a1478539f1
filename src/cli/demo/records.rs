//! Requests taken apart into records and their texts, and what was sent laid beside what arrived.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::otlp::{Signal, json as otlp_json};

/// A log record, metric, span or profile, or the resource that they come from.
pub(super) struct Record {
    pub signal: Signal,
    /// What no rule changes, and tells records of a signal apart.
    identity: String,
    texts: Vec<(String, String)>,
    /// A request of nothing but this record and its resource.
    pub alone: Value,
    /// A request of nothing but the resource.
    pub resource_alone: Value,
}

/// A record as it was sent and as it arrived.
pub(super) struct Pair {
    pub sent: Record,
    /// Whether it arrived.
    pub arrived: bool,
    pub texts: Vec<TextPair>,
}

/// A text in a record.
pub(super) struct TextPair {
    /// The attribute's key, or the field's name.
    pub name: String,
    pub sent: String,
    pub arrived: Option<String>,
}

impl TextPair {
    pub fn is_changed(&self) -> bool {
        self.arrived.as_ref() != Some(&self.sent)
    }
}

impl Record {
    pub fn is_resource(&self) -> bool {
        self.identity == RESOURCE
    }
}

/// Lays records beside each other, in the order in which they were sent.
pub(super) fn pair(sent: Vec<Record>, arrived: &[Record]) -> Vec<Pair> {
    let same = |a: &Record, b: &Record| a.signal == b.signal && a.identity == b.identity;
    let pair = |sent: Record| {
        let counterpart = arrived.iter().find(|record| same(record, &sent));
        let mut theirs: Vec<_> = counterpart.map_or(Vec::new(), |record| record.texts.clone());
        let mut texts = Vec::new();
        for (name, text) in &sent.texts {
            // A key may stand there twice: each of its values is taken once.
            let found = theirs.iter().position(|(other, _)| other == name).map(|index| theirs.remove(index).1);
            texts.push(TextPair { name: name.clone(), sent: text.clone(), arrived: found });
        }
        Pair { sent, arrived: counterpart.is_some(), texts }
    };
    sent.into_iter().map(pair).collect()
}

/// All records of the requests, each resource before its records.
pub(super) fn records(requests: &[(Signal, Bytes)]) -> Result<Vec<Record>, otlp_json::Error> {
    let mut records = Vec::new();
    for (signal, request) in requests {
        let mut text = Vec::new();
        otlp_json::encode(*signal, request, &mut text)?;
        take_apart(*signal, &serde_json::from_slice(&text).expect("the encoder writes JSON"), &mut records);
    }
    records.sort_by_key(|record: &Record| record.signal);
    Ok(records)
}

const RESOURCE: &str = "resource";

fn take_apart(signal: Signal, request: &Value, records: &mut Vec<Record>) {
    // Names of the request's, the resource's and the scope's members, and the one that identifies a record.
    let (resources, scopes, of_scope, identity) = match signal {
        Signal::Logs => ("resourceLogs", "scopeLogs", "logRecords", "timeUnixNano"),
        Signal::Metrics => ("resourceMetrics", "scopeMetrics", "metrics", "name"),
        Signal::Traces => ("resourceSpans", "scopeSpans", "spans", "spanId"),
        Signal::Profiles => ("resourceProfiles", "scopeProfiles", "profiles", "profileId"),
    };
    let texts = |value: &Value| {
        let mut texts = Vec::new();
        collect("", value, &mut texts);
        texts
    };
    for under_resource in list(request, resources) {
        let resource = &under_resource["resource"];
        let resource_alone = json!({resources: [{"resource": resource}]});
        records.push(Record {
            signal,
            identity: RESOURCE.into(),
            texts: texts(resource),
            alone: resource_alone.clone(),
            resource_alone: resource_alone.clone(),
        });
        let in_scopes = list(under_resource, scopes).iter().flat_map(|scope| list(scope, of_scope));
        for record in in_scopes {
            let mut alone = json!({resources: [{"resource": resource, scopes: [{of_scope: [record]}]}]});
            let mut record_texts = texts(record);
            // What a profile says stands in the dictionary.
            if let Some(dictionary) = request.get("dictionary") {
                collect("", dictionary, &mut record_texts);
                alone["dictionary"] = dictionary.clone();
            }
            let (identity, resource_alone) = (record[identity].to_string(), resource_alone.clone());
            records.push(Record { signal, identity, texts: record_texts, alone, resource_alone });
        }
    }
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().map_or(&[], Vec::as_slice)
}

/// Every text below a value with its attribute's key or its field's name. Identifiers and numbers are none.
fn collect(name: &str, value: &Value, texts: &mut Vec<(String, String)>) {
    match value {
        Value::Object(members) if members.contains_key("stringTable") => {
            // An attribute of a profile names its key by an index into the string table.
            let strings = list(value, "stringTable");
            let key = |attribute: &Value| strings.get(attribute["keyStrindex"].as_u64()? as usize)?.as_str();
            for attribute in list(value, "attributeTable") {
                let text = key(attribute).zip(attribute.get("value").and_then(any_value));
                texts.extend(text.map(|(key, text)| (key.to_owned(), text)));
            }
            for (index, text) in strings.iter().enumerate().skip(1) {
                texts.extend(text.as_str().map(|text| (format!("string {index}"), text.to_owned())));
            }
        }
        Value::Object(members) => {
            if let (Some(Value::String(key)), Some(value)) = (members.get("key"), members.get("value")) {
                texts.extend(any_value(value).map(|text| (key.clone(), text)));
            } else if let Some(text) = any_value(value) {
                texts.push((name.to_owned(), text));
            } else {
                // What a record is called and says comes before what is said about it.
                let (first, rest): (Vec<_>, Vec<_>) =
                    members.iter().partition(|(name, _)| ["name", "body"].contains(&name.as_str()));
                first.iter().chain(&rest).for_each(|(name, value)| collect(name, value, texts));
            }
        }
        Value::Array(values) => values.iter().for_each(|value| collect(name, value, texts)),
        Value::String(text) if ["name", "message", "description", "eventName", "traceState"].contains(&name) => {
            texts.push((name.to_owned(), text.clone()));
        }
        _ => {}
    }
}

/// An attribute's value or a body, if that is what the object is: texts as they are, lists joined by commas.
fn any_value(value: &Value) -> Option<String> {
    let (kind, content) = value.as_object().filter(|members| members.len() == 1)?.iter().next()?;
    match (kind.as_str(), content) {
        ("stringValue", Value::String(text)) => Some(text.clone()),
        ("arrayValue", content) => {
            Some(list(content, "values").iter().filter_map(any_value).collect::<Vec<_>>().join(", "))
        }
        ("intValue" | "doubleValue" | "boolValue", content) => {
            Some(content.as_str().map_or_else(|| content.to_string(), str::to_owned))
        }
        _ => None,
    }
}
