//! The metrics over OTLP, where `OTEL_EXPORTER_OTLP_ENDPOINT` or `OTEL_EXPORTER_OTLP_METRICS_ENDPOINT` names a place.
//!
//! Only gRPC without TLS: a collector beside the sidecar. It never passes through the sidecar itself: an endpoint that is
//! its own listener is refused, because each export would then be counted by the next.

use std::env;
use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Meter, MeterProvider};
use opentelemetry_otlp::{ExporterBuildError, MetricExporter};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::SdkMeterProvider;

use super::metrics::{Family, Kind, Value};
use crate::run::State;
use crate::send::{Endpoint, EndpointError};

const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];

/// Why own telemetry cannot be sent.
#[derive(Debug)]
pub enum TelemetryError {
    Endpoint { name: &'static str, error: EndpointError },
    OwnListener { name: &'static str },
    Secure { name: &'static str },
    Exporter(ExporterBuildError),
}

/// Starts to send the metrics if the environment asks for it. Must be called within a runtime, which must go on running.
pub fn start_telemetry(state: &Arc<State>, listen: SocketAddr) -> Result<Option<SdkMeterProvider>, TelemetryError> {
    if env::var("OTEL_SDK_DISABLED").is_ok_and(|value| value.eq_ignore_ascii_case("true")) {
        return Ok(None);
    }
    let named = ENDPOINTS.into_iter().find_map(|name| Some((name, env::var(name).ok().filter(|url| !url.is_empty())?)));
    let Some((name, url)) = named else { return Ok(None) };
    let endpoint: Endpoint = url.parse().map_err(|error| TelemetryError::Endpoint { name, error })?;
    if endpoint.secure {
        return Err(TelemetryError::Secure { name });
    }
    if is_own(&endpoint, listen) {
        return Err(TelemetryError::OwnListener { name });
    }
    let exporter = MetricExporter::builder().with_tonic().build().map_err(TelemetryError::Exporter)?;
    let provider = SdkMeterProvider::builder().with_resource(resource()).with_periodic_exporter(exporter).build();
    let meter = provider.meter("privet");
    for family in state.families() {
        observe(&meter, &family, state);
    }
    Ok(Some(provider))
}

/// Whether an endpoint leads back to the listener.
fn is_own(endpoint: &Endpoint, listen: SocketAddr) -> bool {
    if endpoint.port != listen.port() {
        return false;
    }
    let host = endpoint.host.trim_matches(['[', ']']);
    (host, endpoint.port).to_socket_addrs().is_ok_and(|mut addresses| {
        addresses
            .any(|address| address.ip() == listen.ip() || (listen.ip().is_unspecified() && address.ip().is_loopback()))
    })
}

fn resource() -> Resource {
    let named = env::var("OTEL_SERVICE_NAME").is_ok()
        || env::var("OTEL_RESOURCE_ATTRIBUTES").is_ok_and(|attributes| attributes.contains("service.name="));
    let builder = Resource::builder().with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")));
    if named { builder.build() } else { builder.with_service_name("privet").build() }
}

/// Makes a family observable, under OpenTelemetry's spelling of its name: `privet.requests`.
fn observe(meter: &Meter, family: &Family, state: &Arc<State>) {
    let name = family.name.replacen('_', ".", 1);
    let integers = |instrument: &'static str, pick: fn(&Value) -> Option<u64>| {
        let state = Arc::clone(state);
        move |observe: &mut dyn FnMut(u64, &[KeyValue])| {
            each(&state, instrument, |value, labels| {
                if let Some(value) = pick(value) {
                    observe(value, labels);
                }
            });
        }
    };
    let whole = integers(family.name, |value| match value {
        Value::Integer(value) => Some(*value),
        Value::Float(_) | Value::Histogram { .. } => None,
    });
    let counts = integers(family.name, |value| match value {
        Value::Histogram { count, .. } => Some(*count),
        Value::Integer(_) | Value::Float(_) => None,
    });
    let floats = {
        let (state, instrument) = (Arc::clone(state), family.name);
        move |observe: &mut dyn FnMut(f64, &[KeyValue])| {
            each(&state, instrument, |value, labels| match value {
                Value::Float(value) | Value::Histogram { sum: value, .. } => observe(*value, labels),
                Value::Integer(_) => {}
            });
        }
    };
    let is_float = family.samples.iter().any(|sample| matches!(sample.value, Value::Float(_)));
    let unit = family.unit.map_or("1", |unit| if unit == "seconds" { "s" } else { "By" });
    match family.kind {
        Kind::Gauge => {
            meter
                .u64_observable_gauge(name)
                .with_description(family.help)
                .with_callback(move |observer| whole(&mut |value, labels| observer.observe(value, labels)))
                .build();
        }
        Kind::Counter if !is_float => {
            meter
                .u64_observable_counter(name)
                .with_unit(unit)
                .with_description(family.help)
                .with_callback(move |observer| whole(&mut |value, labels| observer.observe(value, labels)))
                .build();
        }
        Kind::Counter | Kind::Histogram => {
            if family.kind == Kind::Histogram {
                meter
                    .u64_observable_counter(format!("{name}.count"))
                    .with_description(family.help)
                    .with_callback(move |observer| counts(&mut |value, labels| observer.observe(value, labels)))
                    .build();
            }
            meter
                .f64_observable_counter(if family.kind == Kind::Histogram { format!("{name}.sum") } else { name })
                .with_unit(unit)
                .with_description(family.help)
                .with_callback(move |observer| floats(&mut |value, labels| observer.observe(value, labels)))
                .build();
        }
    }
}

/// Calls back with every sample that the family of that name has now.
fn each(state: &State, name: &str, mut observe: impl FnMut(&Value, &[KeyValue])) {
    for sample in state.families().into_iter().filter(|family| family.name == name).flat_map(|family| family.samples) {
        let labels: Vec<KeyValue> =
            sample.labels.iter().map(|(name, value)| KeyValue::new(*name, value.clone())).collect();
        observe(&sample.value, &labels);
    }
}

impl fmt::Display for TelemetryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TelemetryError::Endpoint { name, error } => write!(f, "{name}: {error}"),
            TelemetryError::OwnListener { name } => {
                write!(f, "{name} names this sidecar's own listener: its telemetry would never end")
            }
            TelemetryError::Secure { name } => write!(f, "{name}: own telemetry goes to http:// endpoints only"),
            TelemetryError::Exporter(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for TelemetryError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_that_leads_back_is_known_by_any_of_its_names() {
        let own = |url: &str, listen: &str| is_own(&url.parse().unwrap(), listen.parse().unwrap());
        assert!(own("http://127.0.0.1:4317", "127.0.0.1:4317"));
        assert!(own("http://localhost:4317", "127.0.0.1:4317"));
        assert!(own("http://127.0.0.1:4317", "0.0.0.0:4317"));
        assert!(own("http://[::1]:4317", "[::]:4317"));
        assert!(!own("http://127.0.0.1:4318", "127.0.0.1:4317"));
    }
}
