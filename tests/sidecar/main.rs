//! The running sidecar, by behaviour: real clients on one side, a real destination on the other.

#[path = "../support/canaries/mod.rs"]
mod canaries;
mod support;

mod audit;
mod delivery;
mod leaks;
mod limits;
mod observe;
mod process;
mod reload;
mod scan;
mod several;
mod shadow;
mod tls;
