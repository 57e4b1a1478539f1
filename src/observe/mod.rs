//! What Privet tells about itself: metrics, health, its own log. Never a value from telemetry.
//!
//! ```text
//! Metrics (atomics) ─▶ families ─▶ Prometheus text │ OTLP │ control API
//! ```

pub mod admin;
pub mod audit;
mod destination;
mod log;
mod metrics;
mod otlp;
mod prometheus;
mod shadow;

pub use destination::DestinationMetrics;
pub use log::start_log;
pub use metrics::{Family, InFlight, InForce, Kind, Metrics, RuleCounters, Sample, Value};
pub use otlp::{TelemetryError, start_telemetry};
pub use shadow::{Missed, ShadowMetrics, families as shadow_families};
