//! A request cut into requests of one record each: a log record, a span, a data point, or all of a profiles request, whose
//! records share a dictionary.

use bytes::Bytes;
use serde_json::{Map, Value};

use crate::otlp::Signal;
use crate::wire::Malformed;
use crate::wire::edit::put_field;
use crate::wire::read::fields;

/// Cuts a request in OTLP/JSON.
pub fn singles(signal: Signal, request: &Value) -> Vec<Value> {
    let [resources, scopes, records] = match signal {
        Signal::Logs => ["resourceLogs", "scopeLogs", "logRecords"],
        Signal::Traces => ["resourceSpans", "scopeSpans", "spans"],
        Signal::Metrics => ["resourceMetrics", "scopeMetrics", "metrics"],
        Signal::Profiles => return vec![request.clone()],
    };
    let mut out = Vec::new();
    for resource in list(request, resources) {
        for scope in list(resource, scopes) {
            for record in list(scope, records) {
                let records_of = if signal == Signal::Metrics { points(record) } else { vec![record.clone()] };
                for record in records_of {
                    let scope = with(scope, records, record);
                    let resource = with(resource, scopes, scope);
                    out.push(with(&Value::Object(Map::new()), resources, resource));
                }
            }
        }
    }
    out
}

/// A metric as metrics of one data point.
fn points(metric: &Value) -> Vec<Value> {
    let Some(data) = ["gauge", "sum", "histogram", "exponentialHistogram", "summary"]
        .into_iter()
        .find(|data| metric.get(data).is_some())
    else {
        return vec![metric.clone()];
    };
    let all = list(&metric[data], "dataPoints");
    if all.is_empty() {
        return vec![metric.clone()];
    }
    all.iter()
        .map(|point| {
            let mut metric = metric.clone();
            metric[data]["dataPoints"] = Value::Array(vec![point.clone()]);
            metric
        })
        .collect()
}

/// Cuts a request in protobuf, of metrics into single metrics, and hands over each: one record at a time is in memory.
///
/// # Errors
/// The callback's, and where the bytes are no message.
pub fn cut<E: From<Malformed>>(
    signal: Signal,
    request: &[u8],
    mut each: impl FnMut(Bytes) -> Result<(), E>,
) -> Result<(), E> {
    if signal == Signal::Profiles {
        return each(Bytes::copy_from_slice(request));
    }
    let (_, resources) = apart(request, 1)?;
    for resource in resources {
        let (resource, scopes) = apart(resource, HELD)?;
        for scope in scopes {
            let (scope, records) = apart(scope, HELD)?;
            for record in records {
                each(around(&[], 1, &around(&resource, HELD, &around(&scope, HELD, record))).into())?;
            }
        }
    }
    Ok(())
}

/// The number of the scopes in a resource's message and of the records in a scope's, in all signals that are cut.
const HELD: u32 = 2;

/// What a message says itself, and the messages that it holds under a number.
fn apart(message: &[u8], held: u32) -> Result<(Vec<u8>, Vec<&[u8]>), Malformed> {
    let (mut own, mut inside) = (Vec::new(), Vec::new());
    for field in fields(message, 0, message.len()) {
        let field = field?;
        if (field.tag.number, field.tag.wire_type) == (held, 2) {
            inside.push(&message[field.value..field.end]);
        } else {
            own.extend_from_slice(&message[field.start..field.end]);
        }
    }
    Ok((own, inside))
}

fn around(own: &[u8], held: u32, inside: &[u8]) -> Vec<u8> {
    let mut message = own.to_vec();
    put_field(&mut message, held, inside);
    message
}

fn list<'a>(value: &'a Value, member: &str) -> &'a [Value] {
    value.get(member).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// An object with one item in one of its lists, and all else as it is.
fn with(object: &Value, member: &str, item: Value) -> Value {
    let members = object.as_object().into_iter().flatten().filter(|(name, _)| *name != member);
    let mut copy: Map<String, Value> = members.map(|(name, value)| (name.clone(), value.clone())).collect();
    copy.insert(member.to_owned(), Value::Array(vec![item]));
    Value::Object(copy)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::bench::{normal, to_json};
    use super::*;
    use crate::otlp::json as otlp;

    #[test]
    fn every_data_point_has_a_request_with_its_metric_and_resource() {
        let request = json!({"resourceMetrics": [{"resource": {"attributes": []}, "scopeMetrics": [{"metrics": [
            {"name": "a", "gauge": {"dataPoints": [{"asInt": "1"}, {"asInt": "2"}]}},
            {"name": "b", "sum": {"isMonotonic": true, "dataPoints": [{"asInt": "3"}]}},
        ]}]}]});
        let cut = singles(Signal::Metrics, &request);
        assert_eq!(cut.len(), 3);
        let metric = &cut[2]["resourceMetrics"][0]["scopeMetrics"][0]["metrics"][0];
        assert_eq!(*metric, json!({"name": "b", "sum": {"isMonotonic": true, "dataPoints": [{"asInt": "3"}]}}));
        assert!(cut[0]["resourceMetrics"][0]["resource"].is_object());
    }

    #[test]
    fn what_is_cut_in_protobuf_says_what_is_cut_in_json() {
        let spans = |names: [&str; 2]| names.map(|name| json!({"name": name}));
        let request = json!({"resourceSpans": [
            {"resource": {"droppedAttributesCount": 1}, "schemaUrl": "r", "scopeSpans": [
                {"scope": {"name": "first"}, "spans": spans(["a", "b"])},
                {"scope": {"name": "second"}, "schemaUrl": "s", "spans": spans(["c", "d"])},
            ]},
            {"scopeSpans": [{"spans": spans(["e", "f"])}]},
        ]});
        let mut bytes = Vec::new();
        otlp::decode(Signal::Traces, request.to_string().as_bytes(), &mut bytes).unwrap();
        let mut found = Vec::new();
        cut(Signal::Traces, &bytes, |record| {
            found.push(to_json(Signal::Traces, &record).unwrap());
            Ok::<_, Malformed>(())
        })
        .unwrap();
        assert_eq!(found, singles(Signal::Traces, &normal(Signal::Traces, &request).unwrap()));
        assert_eq!(found.len(), 6);
        assert_eq!(cut(Signal::Logs, &[0x0a, 9], |_| Ok(())), Err(Malformed::Length));
    }
}
