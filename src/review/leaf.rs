//! Everything that a request says, flat: each text, number and identifier by its path.
//!
//! Paths leave out what only holds others: `resource.attributes.host.name`, `scope.name`, `body`, `attributes.user.name`,
//! `events[0].attributes.exception.message`; of a metric `name` and of its data points `attributes.…` again.

use std::fmt::Write;

use serde_json::Value;

use crate::otlp::schema::{self, Field, Kind, Message};
use crate::otlp::{Part, Signal};

/// One value of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// Where it stands, with the positions in lists.
    pub path: String,
    /// The same without positions: what is said of all values that stand at such a place.
    pub field: String,
    pub part: Part,
    /// The keys above it, joined by dots; `None` where no attribute or map key stands over it.
    pub key: Option<String>,
    pub value: String,
    /// The JSON pointer of what goes if the value goes: an attribute, an item, a member.
    pub pointer: String,
    /// Whether it is text, or a number that an attribute's key says something of: what a policy can act on.
    pub judged: bool,
}

/// Every value of a request in OTLP/JSON, in the order of the schema.
pub fn leaves(signal: Signal, request: &Value) -> Vec<Leaf> {
    let mut leaves = Leaves::default();
    leaves.message(signal.request(), request);
    leaves.found
}

/// Fields that hold others and say nothing themselves.
const TRANSPARENT: [&str; 18] = [
    "resource_logs",
    "scope_logs",
    "log_records",
    "resource_metrics",
    "scope_metrics",
    "metrics",
    "gauge",
    "sum",
    "histogram",
    "exponential_histogram",
    "summary",
    "data_points",
    "resource_spans",
    "scope_spans",
    "spans",
    "resource_profiles",
    "scope_profiles",
    "profiles",
];

#[derive(Default)]
struct Leaves {
    found: Vec<Leaf>,
    path: String,
    field: String,
    /// The keys above, from the attribute's own.
    key: String,
    /// Where in the JSON.
    pointer: String,
}

impl Leaves {
    fn message(&mut self, message: &'static Message, value: &Value) {
        for field in message.fields {
            let member = camel(field.name);
            let Some(value) = value.get(&member) else { continue };
            let depth = self.pointer.len();
            self.point(&member);
            let name = match (message.name.rsplit('.').next(), field.name) {
                // Both say of which conventions what stands below them is.
                (Some("ResourceLogs" | "ResourceMetrics" | "ResourceSpans" | "ResourceProfiles"), "schema_url") => {
                    "resource.schema_url"
                }
                (Some("ScopeLogs" | "ScopeMetrics" | "ScopeSpans" | "ScopeProfiles"), "schema_url") => {
                    "scope.schema_url"
                }
                (_, name) => name,
            };
            match value {
                Value::Array(items) if field.repeated && !matches!(field.kind, Kind::Attributes(_)) => {
                    for (index, item) in items.iter().enumerate() {
                        let holds = matches!(field.kind, Kind::Message(_)) && TRANSPARENT.contains(&name);
                        let position = (!holds).then_some(index);
                        let depth = self.pointer.len();
                        self.point(index);
                        self.below(if holds { "" } else { name }, position, |leaves| leaves.one(field, item));
                        self.pointer.truncate(depth);
                    }
                }
                _ if TRANSPARENT.contains(&name) && matches!(field.kind, Kind::Message(_)) => self.one(field, value),
                _ => self.below(name, None, |leaves| leaves.one(field, value)),
            }
            self.pointer.truncate(depth);
        }
    }

    fn point(&mut self, to: impl std::fmt::Display) {
        write!(self.pointer, "/{to}").expect("a String grows");
    }

    /// One value of a field, whose name stands in the path already.
    fn one(&mut self, field: &Field, value: &Value) {
        match field.kind {
            Kind::Attributes(part) => self.pairs(part, value),
            Kind::Message(message) if *message == schema::ANY_VALUE => self.any(Part::Body, value, false),
            Kind::Message(message) => self.message(message, value),
            Kind::String(part) => self.leaf(part, None, value, true),
            Kind::Bytes(part) => self.leaf(part, None, value, true),
            Kind::Id(_) => self.leaf(Part::Ids, None, value, true),
            _ => self.leaf(Part::Ids, None, value, false),
        }
    }

    fn pairs(&mut self, part: Part, pairs: &Value) {
        for (index, pair) in pairs.as_array().map_or(&[][..], Vec::as_slice).iter().enumerate() {
            let place = self.pointer.len();
            self.point(index);
            let key = pair.get("key").and_then(Value::as_str).unwrap_or("");
            let depth = self.key.len();
            if depth > 0 {
                self.key.push('.');
            }
            self.key.push_str(key);
            self.below(key, None, |leaves| leaves.any(part, pair.get("value").unwrap_or(&Value::Null), true));
            self.key.truncate(depth);
            self.pointer.truncate(place);
        }
    }

    /// An `AnyValue`; `in_pair`: the pointer is that of the attribute around it.
    fn any(&mut self, part: Part, value: &Value, in_pair: bool) {
        let Some((name, inner)) = value.as_object().and_then(|members| members.iter().next()) else {
            return self.leaf(part, Some(()), &Value::Null, false);
        };
        let depth = self.pointer.len();
        match name.as_str() {
            "kvlistValue" => {
                self.pointer.push_str(if in_pair { "/value/kvlistValue/values" } else { "/kvlistValue/values" });
                self.pairs(part, inner.get("values").unwrap_or(&Value::Null));
            }
            "arrayValue" => {
                self.pointer.push_str(if in_pair { "/value/arrayValue/values" } else { "/arrayValue/values" });
                let items = inner.get("values").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
                for (index, item) in items.iter().enumerate() {
                    let place = self.pointer.len();
                    self.point(index);
                    self.below("", Some(index), |leaves| leaves.any(part, item, false));
                    self.pointer.truncate(place);
                }
            }
            _ => self.leaf(part, Some(()), inner, true),
        }
        self.pointer.truncate(depth);
    }

    fn leaf(&mut self, part: Part, keyed: Option<()>, value: &Value, judged: bool) {
        let value = match value {
            Value::String(text) => text.clone(),
            Value::Null => String::new(),
            other => other.to_string(),
        };
        let key = keyed.filter(|()| !self.key.is_empty()).map(|()| self.key.clone());
        let (path, field, pointer) = (self.path.clone(), self.field.clone(), self.pointer.clone());
        self.found.push(Leaf { path, field, part, key, value, pointer, judged });
    }

    fn below(&mut self, name: &str, position: Option<usize>, inside: impl FnOnce(&mut Leaves)) {
        let lens = (self.path.len(), self.field.len());
        for path in [&mut self.path, &mut self.field] {
            if !path.is_empty() && !name.is_empty() {
                path.push('.');
            }
            path.push_str(name);
        }
        if let Some(index) = position {
            self.path.push_str(&format!("[{index}]"));
            self.field.push_str("[]");
        }
        inside(self);
        self.path.truncate(lens.0);
        self.field.truncate(lens.1);
    }
}

/// A request without what stands at a pointer.
pub fn without(request: &Value, pointer: &str) -> Value {
    let mut request = request.clone();
    if let Some((parent, last)) = pointer.rsplit_once('/') {
        match request.pointer_mut(parent) {
            Some(Value::Object(members)) => drop(members.remove(last)),
            Some(Value::Array(items)) => {
                if let Some(index) = last.parse().ok().filter(|index| *index < items.len()) {
                    items.remove(index);
                }
            }
            _ => {}
        }
    }
    request
}

/// `time_unix_nano` as `timeUnixNano`.
fn camel(name: &str) -> String {
    let mut upper = false;
    name.chars()
        .filter_map(|c| match c {
            '_' => {
                upper = true;
                None
            }
            _ => Some(if std::mem::take(&mut upper) { c.to_ascii_uppercase() } else { c }),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_value_has_a_path_that_leaves_out_what_only_holds_others() {
        let request = json!({"resourceLogs": [{
            "resource": {"attributes": [{"key": "host.name", "value": {"stringValue": "db-1"}}]},
            "schemaUrl": "https://x.example/1",
            "scopeLogs": [{"scope": {"name": "auditd"}, "logRecords": [{
                "timeUnixNano": "1",
                "body": {"kvlistValue": {"values": [{"key": "user", "value": {"stringValue": "alice"}}]}},
                "attributes": [{"key": "ips", "value": {"arrayValue": {"values": [{"stringValue": "10.0.0.1"}, {"intValue": "7"}]}}}],
            }]}],
        }]});
        let all = leaves(Signal::Logs, &request);
        for leaf in &all {
            let rest = leaves(Signal::Logs, &without(&request, &leaf.pointer));
            assert_eq!(rest.len(), all.len() - 1, "{} goes alone", leaf.pointer);
        }
        let found: Vec<_> = all.into_iter().map(|leaf| (leaf.path, leaf.field, leaf.key, leaf.value)).collect();
        let key = |key: &str| Some(key.to_owned());
        let row =
            |path: &str, field: &str, key, value: &str| (path.to_owned(), field.to_owned(), key, value.to_owned());
        assert_eq!(
            found,
            [
                row("resource.attributes.host.name", "resource.attributes.host.name", key("host.name"), "db-1"),
                row("scope.name", "scope.name", None, "auditd"),
                row("time_unix_nano", "time_unix_nano", None, "1"),
                row("body.user", "body.user", key("user"), "alice"),
                row("attributes.ips[0]", "attributes.ips[]", key("ips"), "10.0.0.1"),
                row("attributes.ips[1]", "attributes.ips[]", key("ips"), "7"),
                row("resource.schema_url", "resource.schema_url", None, "https://x.example/1"),
            ]
        );
    }
}
