//! Privet: the privacy hedge for telemetry.
//!
//! A request of OTLP bytes comes in, the policy says what may leave, and bytes go out: the very same ones where nothing
//! had to change.
//!
//! ```text
//! receive ──bytes──▶ filter ──bytes──▶ send
//!                     │ wire + otlp: walk the request over a static schema
//!                     │ policy: part and key → plan
//!                     │ detect: text → spans
//!                     │ pseudonym: span → token
//! ```
//!
//! `wire`, `otlp`, `scan`, `detect` and `pseudonym` know nothing of each other, save that `detect` reads bytes through
//! `scan`. `policy` speaks their vocabulary, [`filter`] joins them, sans-IO. Sockets, clocks and files stand outside:
//! [`receive`], [`send`], [`observe`], [`control`], [`cli`]. [`review`] shows the people who edit a policy what it does.

mod associative;
pub mod cli;
pub mod config;
pub mod control;
pub mod detect;
pub mod filter;
pub mod grpc;
pub mod observe;
pub mod otlp;
pub mod policy;
pub mod pseudonym;
pub mod receive;
pub mod review;
pub mod run;
pub mod scan;
pub mod send;
pub mod wire;
