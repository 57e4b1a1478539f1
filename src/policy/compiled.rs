//! The policy as the filter asks it.

use crate::detect::{Entity, Place, Wanted};
use crate::pseudonym::{KindId, Recipe};

use super::field::FieldId;

/// What is done to a field, a span of text or a record; later is stricter, and where rules meet the strictest wins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Action {
    #[default]
    Keep,
    Generalise,
    Mask,
    Encrypt,
    Pseudonymise,
    Redact,
    /// The field stays inside the customer's account: removed for this destination.
    Stay,
    /// The same, and points of a metric that it told apart are added up: see [`crate::filter`].
    Aggregate,
    DropRecord,
}

impl Action {
    pub const ALL: [Action; 9] = [
        Action::Keep,
        Action::Generalise,
        Action::Mask,
        Action::Encrypt,
        Action::Pseudonymise,
        Action::Redact,
        Action::Stay,
        Action::Aggregate,
        Action::DropRecord,
    ];

    /// Whether it takes a field away.
    pub const fn removes(self) -> bool {
        matches!(self, Action::Stay | Action::Aggregate)
    }

    /// The word for it in policies and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Action::Keep => "keep",
            Action::Generalise => "generalise",
            Action::Mask => "mask",
            Action::Encrypt => "encrypt",
            Action::Pseudonymise => "pseudonymise",
            Action::Redact => "redact",
            Action::Stay => "stay",
            Action::Aggregate => "aggregate",
            Action::DropRecord => "drop_record",
        }
    }
}

/// The oldest version of TLS that a destination may be spoken to with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tls {
    V12,
    V13,
}

impl Tls {
    /// The word for it in policies.
    pub const fn name(self) -> &'static str {
        match self {
            Tls::V12 => "1.2",
            Tls::V13 => "1.3",
        }
    }
}

/// A rule, by its index in the policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RuleId(pub u16);

/// A [`Treatment`], by its index in the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TreatmentId(pub u16);

/// A [`TextPlan`], by its index in the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TextPlanId(pub u16);

/// What one rule does to one kind of value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Treatment {
    pub action: Action,
    pub kind: KindId,
    pub recipe: Recipe,
    pub rule: RuleId,
}

/// A field that is decided by its key, whatever its value's type: which treatment, by what the value turns out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Whole {
    pub action: Action,
    pub rule: RuleId,
    /// The value is an IP address (with or without port).
    pub ip: TreatmentId,
    pub email: TreatmentId,
    /// The value has the shape of a host name (with or without port).
    pub host: TreatmentId,
    pub other: TreatmentId,
    /// Everything in a map under the key is taken too. Otherwise a map's entries are judged by their own keys only; the
    /// items of a list are taken either way.
    pub deep: bool,
}

/// What is done to the identifiers inside a text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct TextPlan {
    pub wanted: Wanted,
    pub ip: Option<TreatmentId>,
    pub email: Option<TreatmentId>,
    pub host: Option<TreatmentId>,
    pub user: Option<TreatmentId>,
    pub credential: Option<TreatmentId>,
    /// By pattern index of the detector.
    pub patterns: Box<[Option<TreatmentId>]>,
    /// The strictest action that it can come to: known once the plan is interned.
    pub strictest: Action,
}

impl TextPlan {
    /// What happens to a found entity; `None` leaves it.
    pub fn treatment(&self, entity: Entity) -> Option<TreatmentId> {
        match entity {
            Entity::Ip => self.ip,
            Entity::Email => self.email,
            Entity::Host => self.host,
            Entity::User => self.user,
            Entity::Credential => self.credential,
            Entity::Pattern(index) => self.patterns.get(usize::from(index)).copied().flatten(),
        }
    }
}

/// What a field's place and key decide. `whole` and `text` may both be set: the strictest wins, so a whole treatment
/// that is looser than a text treatment (a `mask` above a `redact`) yields to it where the text search hits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    pub whole: Option<Whole>,
    pub text: TextPlanId,
    /// The value names the thing that sends (`host.name`, `k8s.node.name`, …): it is looked for in the free text of
    /// everything under the same resource.
    pub names_host: bool,
    /// What counts call the field.
    pub field: FieldId,
    /// What the key says of a value that is searched.
    pub value: Place,
}

/// Which conditional rules hold for the resource and record at hand: one bit a condition of the policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Active(pub u64);

impl Active {
    pub const fn and(self, other: Active) -> Active {
        Active(self.0 | other.0)
    }
}
