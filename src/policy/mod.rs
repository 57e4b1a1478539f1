//! What may leave, and how: YAML, parsed, checked, compiled. The compiled form cannot be wrong.
//!
//! ```text
//! text → yaml (a tree with places) → syntax (typed, through reader) → check (between rules) → compile → Policy
//! ```
//!
//! [`diagnostic`] says what is wrong, [`glob`], [`condition`] and [`keep`] are the small languages inside, `strictness`
//! is the order that makes adding a rule narrow what leaves.

pub mod catalogue;
pub mod condition;
pub mod diagnostic;
pub mod glob;
pub mod keep;
pub mod schema;

mod assignment;
mod check;
mod compile;
mod compiled;
mod decide;
mod examples;
mod field;
mod join;
mod lint;
mod load;
mod permitted;
mod pool;
pub(crate) mod reader;
mod retention;
pub(crate) mod strictness;
mod syntax;
pub(crate) mod yaml;

#[cfg(test)]
pub(crate) mod tests;

pub use compiled::{Action, Active, Plan, RuleId, TextPlan, TextPlanId, Tls, Treatment, TreatmentId, Whole};
pub use condition::{Attributes, Level, Scalar};
pub use decide::{ExceptionInfo, Looks, Policy, RuleInfo};
pub use diagnostic::{Code, Diagnostic, Diagnostics, Severity, Source, did_you_mean};
pub use field::{Field, FieldId};
pub use load::PACKS;
pub use retention::KEY as RETENTION_KEY;
pub(crate) use syntax::{Test, TestGiven, signal_of};
