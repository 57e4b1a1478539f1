//! Plans joined: what holds for a value that stands inside another.

use super::compile::{intern_text, merge_text, stricter};
use super::compiled::{Plan, Treatment, TreatmentId, Whole};
use super::decide::Policy;

impl Policy {
    /// What is done to a value that stands inside another (in a map, in JSON): its own plan, and no less than what the
    /// outer one's key decides.
    pub fn join(&self, outer: Plan, inner: Plan) -> Plan {
        let whole = match (outer.whole.filter(|whole| whole.deep), inner.whole) {
            (Some(outer), Some(inner)) => Some(self.join_whole(outer, inner)),
            (outer, inner) => outer.or(inner),
        };
        let text = if outer.text == inner.text {
            inner.text
        } else {
            let mut text = self.text_plan(inner.text).clone();
            merge_text(&mut text, self.text_plan(outer.text), &self.treatments);
            intern_text(&self.text_plans, text, &self.treatments).unwrap_or(self.strictest)
        };
        // A key without a name says less than what it stands in.
        let field = if inner.field.is_named() { inner.field } else { outer.field };
        Plan { whole, text, names_host: inner.names_host, field, value: inner.value }
    }

    fn join_whole(&self, outer: Whole, inner: Whole) -> Whole {
        if outer == inner {
            return inner;
        }
        let join = |a, b| stricter(a, b, &self.treatments);
        let ids =
            [(outer.ip, inner.ip), (outer.email, inner.email), (outer.host, inner.host), (outer.other, inner.other)];
        let [ip, email, host, other] = ids.map(|(outer, inner)| join(outer, inner));
        let strictest = [email, host, other].into_iter().fold(ip, join);
        let Treatment { action, rule, .. } = *self.treatment(strictest);
        Whole { action, rule, ip, email, host, other, ..inner }
    }
}

impl Whole {
    /// The treatment of a value that turned out to be such an entity.
    pub fn of(&self, entity: crate::detect::Entity) -> TreatmentId {
        use crate::detect::Entity;
        match entity {
            Entity::Ip => self.ip,
            Entity::Email => self.email,
            Entity::Host => self.host,
            Entity::User | Entity::Credential | Entity::Pattern(_) => self.other,
        }
    }
}
