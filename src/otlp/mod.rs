//! What OTLP is: signals, the parts of a request where text stands, the schema as one static table, JSON.

pub mod dispatch;
pub mod json;
mod part;
pub mod schema;
mod signal;

pub use part::{Level, Part, PartSet};
pub use signal::Signal;
