//! A request cut into requests of one record each: a log record, a span, a data point, or all of a profiles request, whose
//! records share a dictionary.

use serde_json::{Map, Value};

use crate::otlp::Signal;

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

    use super::*;

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
}
