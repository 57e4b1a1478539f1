//! The running sidecar, by behaviour: real clients on one side, a real destination on the other.

mod support;

mod delivery;
mod limits;
mod observe;
mod process;
mod tls;
