//! What a policy does to given telemetry, for the people who edit it. No I/O.
//!
//! ```text
//! request in OTLP/JSON ─▶ single: one record each ─▶ bench: filter ─▶ leaf: every text and number by its path
//!                                                                     │
//!                                            testing: a policy's own tests      explain, diff, inventory, shadow
//! ```

pub mod bench;
pub mod change;
pub mod diff;
pub mod explain;
pub mod inventory;
pub mod leaf;
#[cfg(test)]
pub(crate) mod narrowing;
pub mod shadow;
pub mod single;
pub mod testing;
