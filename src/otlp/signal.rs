//! The four signals and how each is asked for.

use super::schema::{self, Message};

/// An OpenTelemetry signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Signal {
    Logs,
    Metrics,
    Traces,
    Profiles,
}

impl Signal {
    pub const ALL: [Signal; 4] = [Signal::Logs, Signal::Metrics, Signal::Traces, Signal::Profiles];

    /// The word for it in policies, metrics and arguments.
    pub const fn name(self) -> &'static str {
        match self {
            Signal::Logs => "logs",
            Signal::Metrics => "metrics",
            Signal::Traces => "traces",
            Signal::Profiles => "profiles",
        }
    }

    /// The path of the signal's gRPC `Export` method.
    pub const fn grpc_path(self) -> &'static str {
        match self {
            Signal::Logs => "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
            Signal::Metrics => "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
            Signal::Traces => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
            Signal::Profiles => "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export",
        }
    }

    /// The message that an Export call of the signal carries.
    pub fn request(self) -> &'static Message {
        match self {
            Signal::Logs => &schema::EXPORT_LOGS_REQUEST,
            Signal::Metrics => &schema::EXPORT_METRICS_REQUEST,
            Signal::Traces => &schema::EXPORT_TRACE_REQUEST,
            Signal::Profiles => &schema::EXPORT_PROFILES_REQUEST,
        }
    }

    /// The signal that a gRPC path asks for.
    pub fn from_grpc_path(path: &str) -> Option<Signal> {
        Signal::ALL.into_iter().find(|signal| signal.grpc_path() == path)
    }

    /// The signal of that [`name`](Self::name).
    pub fn from_name(name: &str) -> Option<Signal> {
        Signal::ALL.into_iter().find(|signal| signal.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_is_known_by_its_whole_path_and_its_whole_name() {
        for signal in Signal::ALL {
            assert_eq!(Signal::from_grpc_path(signal.grpc_path()), Some(signal));
            assert_eq!(Signal::from_name(signal.name()), Some(signal));
            let (path, name) = (signal.grpc_path(), signal.name());
            for wrong in [&path[1..], &path[..path.len() - 1], "", "/"] {
                assert_eq!(Signal::from_grpc_path(wrong), None, "{wrong}");
            }
            assert_eq!(Signal::from_name(&name[..name.len() - 1]), None);
        }
    }
}
