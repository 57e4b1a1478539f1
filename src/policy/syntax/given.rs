//! What a test is given: a record in few words, OTLP/JSON, or a file of it; all become one request in OTLP/JSON.

use serde_json::{Map, Value, json};

use crate::otlp::Signal;
use crate::policy::diagnostic::Code;
use crate::policy::reader::{Fields, Reader};
use crate::policy::yaml::{Node, Yaml};

/// What goes through the filter.
#[derive(Clone, Debug, PartialEq)]
pub enum Given {
    /// An Export request as OTLP/JSON.
    Request { signal: Signal, json: Value },
    /// A file of such requests beside the policy, by its path from there.
    File(String),
}

/// What `given` can say.
pub const GIVEN_KEYS: &[&str] = &["resource", "scope", "log", "span", "metric", "otlp", "file"];
pub const SCOPE_KEYS: &[&str] = &["name", "version", "attributes"];
pub const LOG_KEYS: &[&str] =
    &["body", "attributes", "severity_text", "severity_number", "event_name", "trace_id", "span_id"];
pub const SPAN_KEYS: &[&str] =
    &["name", "attributes", "kind", "events", "links", "status", "trace_state", "trace_id", "span_id"];
pub const EVENT_KEYS: &[&str] = &["name", "attributes"];
pub const LINK_KEYS: &[&str] = &["attributes", "trace_state", "trace_id", "span_id"];
pub const METRIC_KEYS: &[&str] = &["name", "description", "unit", "type", "metadata", "points"];
pub const POINT_KEYS: &[&str] = &["attributes", "value", "count", "sum", "exemplars"];
const FORMS: [&str; 5] = ["log", "span", "metric", "otlp", "file"];
/// When everything in a short form happened.
const TIME: &str = "1790000000000000000";

pub fn read_given(reader: &mut Reader<'_>, node: &Node) -> Option<Given> {
    let fields = reader.fields(node, "`given`", GIVEN_KEYS)?;
    let written: Vec<&str> = FORMS.into_iter().filter(|form| fields.get(form).is_some()).collect();
    let [form] = *written else {
        let diagnostic = reader.error(Code::BadTest, &node.at, "a test is given one record");
        diagnostic.help =
            Some("write one of `log`, `span`, `metric`, `otlp` (OTLP/JSON), `file` (of OTLP/JSON)".into());
        return None;
    };
    let value = fields.get(form).expect("it is written");
    if matches!(form, "otlp" | "file")
        && let Some(other) = ["resource", "scope"].iter().find_map(|key| fields.key(key))
    {
        reader.error(
            Code::BadTest,
            &other.at,
            format!("`{form}` says itself what the record's resource and scope are"),
        );
    }
    match form {
        "file" => reader.text(value).map(|path| Given::File(path.value)),
        "otlp" => otlp(reader, value),
        _ => {
            let (signal, names, record) = match form {
                "log" => (Signal::Logs, ["resourceLogs", "scopeLogs", "logRecords"], log(reader, value)?),
                "span" => (Signal::Traces, ["resourceSpans", "scopeSpans", "spans"], span(reader, value)?),
                _ => (Signal::Metrics, ["resourceMetrics", "scopeMetrics", "metrics"], metric(reader, value)?),
            };
            let resource = fields.get("resource").map_or(Value::Null, |node| attributes(reader, node));
            let scope = fields.get("scope").map_or(Some(json!({})), |node| scope(reader, node))?;
            let [resources, scopes, records] = names;
            let mut within = object([("scope", scope), (records, json!([record]))]);
            within = object([("resource", object([("attributes", resource)])), (scopes, json!([within]))]);
            Some(Given::Request { signal, json: object([(resources, json!([within]))]) })
        }
    }
}

/// The signal of a request in OTLP/JSON, by its first member.
pub fn signal_of(request: &Value) -> Option<Signal> {
    [
        ("resourceLogs", Signal::Logs),
        ("resourceMetrics", Signal::Metrics),
        ("resourceSpans", Signal::Traces),
        ("resourceProfiles", Signal::Profiles),
    ]
    .into_iter()
    .find_map(|(member, signal)| request.get(member).map(|_| signal))
}

fn otlp(reader: &mut Reader<'_>, node: &Node) -> Option<Given> {
    let json = match &node.value {
        Yaml::Text(text) => match serde_json::from_str(text) {
            Ok(json) => json,
            Err(wrong) => {
                reader.error(Code::BadTest, &node.at, format!("this is not JSON: {wrong}"));
                return None;
            }
        },
        other => other.canonical(),
    };
    match signal_of(&json) {
        Some(signal) => Some(Given::Request { signal, json }),
        None => {
            let diagnostic = reader.error(Code::BadTest, &node.at, "this is no request in OTLP/JSON");
            diagnostic.help =
                Some("it begins with `resourceLogs`, `resourceMetrics`, `resourceSpans` or `resourceProfiles`".into());
            None
        }
    }
}

fn log(reader: &mut Reader<'_>, node: &Node) -> Option<Value> {
    if let Yaml::Text(body) = &node.value {
        return Some(json!({"timeUnixNano": TIME, "body": {"stringValue": body}}));
    }
    let fields = reader.fields(node, "a log record", LOG_KEYS)?;
    Some(object([
        ("timeUnixNano", TIME.into()),
        ("body", fields.get("body").map_or(Value::Null, |node| any_value(&node.value))),
        ("attributes", attributes_of(reader, &fields)),
        ("severityText", plain(&fields, "severity_text")),
        ("severityNumber", plain(&fields, "severity_number")),
        ("eventName", plain(&fields, "event_name")),
        ("traceId", plain(&fields, "trace_id")),
        ("spanId", plain(&fields, "span_id")),
    ]))
}

fn span(reader: &mut Reader<'_>, node: &Node) -> Option<Value> {
    let fields = reader.fields(node, "a span", SPAN_KEYS)?;
    let status = fields.get("status").map_or(Value::Null, |node| json!({"message": node.value.word(), "code": 2}));
    let events = each(reader, &fields, "events", |reader, node| {
        let fields = reader.fields(node, "a span event", EVENT_KEYS)?;
        Some(object([
            ("timeUnixNano", TIME.into()),
            ("name", plain(&fields, "name")),
            ("attributes", attributes_of(reader, &fields)),
        ]))
    });
    let links = each(reader, &fields, "links", |reader, node| {
        let fields = reader.fields(node, "a span link", LINK_KEYS)?;
        Some(object([
            ("traceId", or(plain(&fields, "trace_id"), "5b8efff798038103d269b633813fc60c")),
            ("spanId", or(plain(&fields, "span_id"), "eee19b7ec3c1b174")),
            ("traceState", plain(&fields, "trace_state")),
            ("attributes", attributes_of(reader, &fields)),
        ]))
    });
    Some(object([
        ("traceId", or(plain(&fields, "trace_id"), "5b8efff798038103d269b633813fc60c")),
        ("spanId", or(plain(&fields, "span_id"), "eee19b7ec3c1b173")),
        ("traceState", plain(&fields, "trace_state")),
        ("name", plain(&fields, "name")),
        ("kind", or(plain(&fields, "kind"), 1)),
        ("startTimeUnixNano", TIME.into()),
        ("endTimeUnixNano", TIME.into()),
        ("attributes", attributes_of(reader, &fields)),
        ("events", events),
        ("links", links),
        ("status", status),
    ]))
}

fn metric(reader: &mut Reader<'_>, node: &Node) -> Option<Value> {
    let fields = reader.fields(node, "a metric", METRIC_KEYS)?;
    let types = [("gauge", "gauge"), ("sum", "sum"), ("histogram", "histogram"), ("summary", "summary")];
    let kind = match fields.get("type") {
        Some(node) => reader.word(node, Code::BadTest, "type of metric", &types)?,
        None => "gauge",
    };
    let points = each(reader, &fields, "points", |reader, node| point(reader, node, kind));
    let mut data = object([("dataPoints", points)]);
    match kind {
        "sum" => {
            data["aggregationTemporality"] = 2.into();
            data["isMonotonic"] = true.into();
        }
        "histogram" => data["aggregationTemporality"] = 2.into(),
        _ => {}
    }
    let metadata = fields.get("metadata").map_or(Value::Null, |node| attributes(reader, node));
    Some(object([
        ("name", plain(&fields, "name")),
        ("description", plain(&fields, "description")),
        ("unit", plain(&fields, "unit")),
        (kind, data),
        ("metadata", metadata),
    ]))
}

fn point(reader: &mut Reader<'_>, node: &Node, kind: &str) -> Option<Value> {
    let fields = reader.fields(node, "a data point", POINT_KEYS)?;
    let number = |key| match fields.get(key).map(|node| &node.value) {
        Some(Yaml::Int(value)) => Some((*value).into()),
        Some(Yaml::Float(value)) => Some(Value::from(*value)),
        _ => None,
    };
    let exemplars = each(reader, &fields, "exemplars", |reader, node| {
        Some(json!({"timeUnixNano": TIME, "asInt": "1", "filteredAttributes": attributes(reader, node)}))
    });
    let mut entries = vec![
        ("attributes", attributes_of(reader, &fields)),
        ("startTimeUnixNano", TIME.into()),
        ("timeUnixNano", TIME.into()),
        ("exemplars", exemplars),
    ];
    match (kind, number("value")) {
        ("gauge" | "sum", Some(Value::Number(value))) if value.is_i64() => {
            entries.push(("asInt", value.to_string().into()));
        }
        ("gauge" | "sum", value) => entries.push(("asDouble", value.unwrap_or(0.into()))),
        _ => {
            entries.push(("count", number("count").map_or("1".into(), |count: Value| count.to_string().into())));
            entries.push(("sum", number("sum").or(number("value")).unwrap_or(0.into())));
        }
    }
    if let ("summary", Some(index)) = (kind, entries.iter().position(|(key, _)| *key == "exemplars")) {
        entries.remove(index);
    }
    Some(object(entries))
}

fn scope(reader: &mut Reader<'_>, node: &Node) -> Option<Value> {
    let fields = reader.fields(node, "a scope", SCOPE_KEYS)?;
    Some(object([
        ("name", plain(&fields, "name")),
        ("version", plain(&fields, "version")),
        ("attributes", attributes_of(reader, &fields)),
    ]))
}

fn each(
    reader: &mut Reader<'_>,
    fields: &Fields<'_>,
    key: &str,
    read: impl Fn(&mut Reader<'_>, &Node) -> Option<Value>,
) -> Value {
    let Some(node) = fields.get(key) else { return Value::Null };
    // One alone need not be in a list.
    let items = match &node.value {
        Yaml::Map(_) => std::slice::from_ref(node),
        _ => reader.list(node).unwrap_or_default(),
    };
    items.iter().filter_map(|item| read(reader, item)).collect()
}

fn attributes_of(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Value {
    fields.get("attributes").map_or(Value::Null, |node| attributes(reader, node))
}

fn attributes(reader: &mut Reader<'_>, node: &Node) -> Value {
    match &node.value {
        Yaml::Map(entries) => pairs(entries),
        _ => {
            reader.error(Code::WrongType, &node.at, "attributes are a mapping of keys to values");
            Value::Null
        }
    }
}

fn pairs(entries: &[(Node, Node)]) -> Value {
    entries.iter().map(|(key, value)| json!({"key": key.value.word(), "value": any_value(&value.value)})).collect()
}

fn any_value(value: &Yaml) -> Value {
    match value {
        Yaml::Null => json!({}),
        Yaml::Bool(value) => json!({"boolValue": value}),
        Yaml::Int(value) => json!({"intValue": value.to_string()}),
        Yaml::Float(value) => json!({"doubleValue": value}),
        Yaml::Text(text) => json!({"stringValue": text}),
        Yaml::List(items) => {
            json!({"arrayValue": {"values": items.iter().map(|item| any_value(&item.value)).collect::<Vec<_>>()}})
        }
        Yaml::Map(entries) => json!({"kvlistValue": {"values": pairs(entries)}}),
    }
}

/// A scalar of a field that is no attribute.
fn plain(fields: &Fields<'_>, key: &str) -> Value {
    fields.get(key).map_or(Value::Null, |node| match &node.value {
        Yaml::Int(value) => (*value).into(),
        other => other.word().into(),
    })
}

fn or(value: Value, default: impl Into<Value>) -> Value {
    if value.is_null() { default.into() } else { value }
}

/// An object without the members that say nothing.
fn object<'a>(entries: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    let written = entries.into_iter().filter(|(_, value)| !value.is_null());
    Value::Object(written.map(|(key, value)| (key.to_owned(), value)).collect::<Map<_, _>>())
}
