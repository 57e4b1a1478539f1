//! The sidecar as a whole: everything is proven, then bound, then run until it is told to stop.
//!
//! ```text
//! Config ─▶ Loaded (policy, keys) ─▶ bind ─▶ accept ─▶ worker threads: receive ─▶ pipeline (filter) ─▶ send
//! ```
//!
//! Each worker is one thread with a runtime, a filter's memory and a connection to the destination of its own, so that a
//! request stays on one thread from socket to socket.

mod loaded;
mod pipeline;
mod start;
mod worker;

pub use loaded::{Loaded, State};
pub use pipeline::Pipeline;
pub use start::{Running, StartError, start};
