//! What may leave, and how: YAML, parsed, checked, compiled. The compiled form cannot be wrong.

mod compiled;

pub use compiled::{Action, Active, Plan, RuleId, TextPlan, TextPlanId, Treatment, TreatmentId, Whole};

/// A compiled policy.
pub struct Policy;
