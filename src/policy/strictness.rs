//! Where rules meet: the least treatment that lets out no more than either.
//!
//! The order is total but for networks, where the shorter prefix of each family is taken. So adding a rule can only move
//! a treatment up, whatever the order in which rules are met: the promise of the whole language.

use crate::pseudonym::Recipe;

use super::compiled::Treatment;

/// The stricter of two treatments of one value.
pub fn join(a: &Treatment, b: &Treatment) -> Treatment {
    let mut joined = if rank(a) >= rank(b) { a.clone() } else { b.clone() };
    if let (true, Recipe::Network { v4_prefix: a4, v6_prefix: a6 }, Recipe::Network { v4_prefix: b4, v6_prefix: b6 }) =
        (a.action == b.action, a.recipe, b.recipe)
    {
        joined.recipe = Recipe::Network { v4_prefix: a4.min(b4), v6_prefix: a6.min(b6) };
    }
    joined
}

/// Whether `a` lets out no more than `b`.
#[cfg(test)]
pub fn at_least(a: &Treatment, b: &Treatment) -> bool {
    join(a, b).action == a.action && join(a, b).recipe == a.recipe
}

/// By action, then by how much the recipe shows; between equals the rule with the smaller number, so that it is always
/// the same one.
fn rank(treatment: &Treatment) -> (super::Action, (u8, u8), std::cmp::Reverse<u16>) {
    (treatment.action, opacity(treatment.recipe), std::cmp::Reverse(treatment.rule.0))
}

/// How little a replacement shows, among those of one action.
const fn opacity(recipe: Recipe) -> (u8, u8) {
    match recipe {
        Recipe::Reversible => (0, 0),
        Recipe::IpSubnet => (1, 0),
        Recipe::IpAddress => (2, 0),
        Recipe::Host { keep_public_suffix: true } => (3, 0),
        Recipe::Host { keep_public_suffix: false } => (4, 0),
        Recipe::Email { fold_local } => (5, fold_local as u8),
        Recipe::Token => (6, 0),
        Recipe::MaskAllBut { last } => (7, u8::MAX - last),
        Recipe::Day => (8, 0),
        Recipe::Domain => (9, 0),
        Recipe::Network { v4_prefix, .. } => (10, u8::MAX - v4_prefix),
        Recipe::Redacted => (11, 0),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::policy::{Action, RuleId};
    use crate::pseudonym::KindId;

    fn treatment() -> impl Strategy<Value = Treatment> {
        let recipe = prop_oneof![
            Just(Recipe::Token),
            Just(Recipe::IpSubnet),
            Just(Recipe::Redacted),
            (0u8..=32, 0u8..=128).prop_map(|(v4_prefix, v6_prefix)| Recipe::Network { v4_prefix, v6_prefix }),
            (0u8..=16).prop_map(|last| Recipe::MaskAllBut { last }),
        ];
        (0usize..8, recipe, 0u16..4).prop_map(|(action, recipe, rule)| Treatment {
            action: Action::ALL[action],
            kind: KindId(0),
            recipe,
            rule: RuleId(rule),
        })
    }

    fn effect(treatment: &Treatment) -> (Action, Recipe) {
        (treatment.action, treatment.recipe)
    }

    proptest! {
        #[test]
        fn joining_is_a_least_upper_bound_in_any_order(a in treatment(), b in treatment(), c in treatment()) {
            prop_assert_eq!(effect(&join(&a, &b)), effect(&join(&b, &a)));
            prop_assert_eq!(effect(&join(&join(&a, &b), &c)), effect(&join(&a, &join(&b, &c))));
            prop_assert!(at_least(&join(&a, &b), &a));
            prop_assert!(at_least(&join(&a, &b), &b));
        }
    }
}
