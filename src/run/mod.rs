//! The sidecar as a whole: everything is proven, then bound, then run until it is told to stop.
//!
//! ```text
//! Config ─▶ State (destinations; Loaded: policies, keys) ─▶ bind ─▶ accept ─▶ worker threads: receive ─▶ pipeline (filter) ─▶ send
//! ```
//!
//! Beside the pipeline, `shadow` gives a candidate policy what was delivered, and counts.
//!
//! Each worker is one thread with a runtime, a filter's memory and connections to the destinations of its own, so that a
//! request stays on one thread from socket to socket. Destinations with the same policy and recipient share one pass of
//! the filter ([`Loaded::passes`]).

mod destination;
mod loaded;
mod outcome;
mod pipeline;
mod shadow;
mod sources;
mod start;
mod watch;
mod worker;

pub use destination::Destination;
pub use loaded::{Loaded, Pass, State};
pub use pipeline::Pipeline;
pub use shadow::{Candidate, Row, Shadow};
pub use start::{Running, StartError, start};
