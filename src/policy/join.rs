//! Plans joined: what holds for a value that stands inside another.

use super::compile::{merge_text, stricter};
use super::compiled::{Action, Plan, TextPlanId, Treatment, TreatmentId, Whole};
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
            self.text_plans.intern(text).map_or(self.strictest, TextPlanId)
        };
        // A key without a name says less than what it stands in.
        let field = if inner.field.is_named() { inner.field } else { outer.field };
        Plan { whole, text, names_host: inner.names_host, field, value: inner.value }
    }

    /// The strictest action that a text plan can come to.
    pub fn strictest(&self, id: TextPlanId) -> Action {
        let plan = self.text_plan(id);
        let built_in = [plan.ip, plan.email, plan.host, plan.user, plan.credential];
        let treatments = built_in.iter().chain(plan.patterns.iter()).flatten();
        treatments.map(|id| self.treatment(*id).action).max().unwrap_or(Action::Keep)
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
