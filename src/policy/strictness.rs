//! Where rules meet: the least treatment that lets out no more than either.
//!
//! The order is total but where the stricter of two shows something that the other hides: of two networks the shorter prefix
//! of each family is taken; of a network, a domain and a day nothing is left; a mask that meets a generalisation shows no
//! character; a host's token that meets a mask or anything encrypted keeps no public suffix. So adding a rule can only move a
//! treatment up, whatever the order in which rules are met, and never shows a byte that did not show before: the promise of
//! the whole language.

use crate::pseudonym::Recipe;

use super::compiled::{Action, Treatment};

/// The stricter of two treatments of one value.
pub fn join(a: &Treatment, b: &Treatment) -> Treatment {
    let (low, high) = if rank(a) >= rank(b) { (b, a) } else { (a, b) };
    let mut joined = high.clone();
    match (high.action, high.recipe, low.action, low.recipe) {
        (
            same,
            Recipe::Network { v4_prefix: a4, v6_prefix: a6 },
            other,
            Recipe::Network { v4_prefix: b4, v6_prefix: b6 },
        ) if same == other => {
            joined.recipe = Recipe::Network { v4_prefix: a4.min(b4), v6_prefix: a6.min(b6) };
        }
        (Action::Generalise, a, Action::Generalise, b) if a != b => joined.recipe = Recipe::Redacted,
        (Action::Mask, Recipe::MaskAllBut { .. }, Action::Generalise, _) => {
            joined.recipe = Recipe::MaskAllBut { last: 0 };
        }
        (Action::Pseudonymise, Recipe::Host { keep_public_suffix: true }, action, recipe)
            if action > Action::Generalise || action == Action::Generalise && recipe != Recipe::Domain =>
        {
            joined.recipe = Recipe::Host { keep_public_suffix: action == high.action && recipe == high.recipe };
        }
        _ => {}
    }
    joined
}

/// Whether `a` leaves something of a value to be seen that `b` hides.
pub fn shows(a: &Treatment, b: &Treatment) -> bool {
    let some = matches!(a.action, Action::Generalise | Action::Mask)
        || matches!(a.recipe, Recipe::Host { keep_public_suffix: true });
    some && b.action > Action::Keep && !at_least(a, b)
}

/// Whether `a` lets out no more than `b`.
pub fn at_least(a: &Treatment, b: &Treatment) -> bool {
    join(a, b).action == a.action && join(a, b).recipe == a.recipe
}

/// By action, then by how much the recipe shows; between equals the rule with the smaller number, so that it is always
/// the same one.
fn rank(treatment: &Treatment) -> (Action, (u8, u8), std::cmp::Reverse<u16>) {
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
    use crate::policy::RuleId;
    use crate::pseudonym::KindId;

    /// What rules can come to.
    fn treatment() -> impl Strategy<Value = Treatment> {
        let plain = |action, recipe| Just((action, recipe));
        let generalised = prop_oneof![
            Just(Recipe::Domain),
            Just(Recipe::Day),
            Just(Recipe::Redacted),
            (0u8..=32, 0u8..=128).prop_map(|(v4_prefix, v6_prefix)| Recipe::Network { v4_prefix, v6_prefix }),
        ];
        let pseudonyms = prop::sample::select(vec![
            Recipe::Token,
            Recipe::IpAddress,
            Recipe::IpSubnet,
            Recipe::Host { keep_public_suffix: true },
            Recipe::Host { keep_public_suffix: false },
            Recipe::Email { fold_local: true },
            Recipe::Email { fold_local: false },
        ]);
        let done = prop_oneof![
            plain(Action::Redact, Recipe::Redacted),
            plain(Action::Stay, Recipe::Redacted),
            plain(Action::Aggregate, Recipe::Redacted),
            plain(Action::DropRecord, Recipe::Redacted),
            plain(Action::Encrypt, Recipe::Reversible),
            generalised.prop_map(|recipe| (Action::Generalise, recipe)),
            pseudonyms.prop_map(|recipe| (Action::Pseudonymise, recipe)),
            (0u8..=16).prop_map(|last| (Action::Mask, Recipe::MaskAllBut { last })),
        ];
        (done, 0u16..4).prop_map(|((action, recipe), rule)| Treatment {
            action,
            kind: KindId(0),
            recipe,
            rule: RuleId(rule),
        })
    }

    fn effect(treatment: &Treatment) -> (Action, Recipe) {
        (treatment.action, treatment.recipe)
    }

    #[test]
    fn the_stricter_of_two_shows_nothing_that_the_other_hides() {
        let treat = |action, recipe| Treatment { action, kind: KindId(0), recipe, rule: RuleId(0) };
        let network = treat(Action::Generalise, Recipe::Network { v4_prefix: 24, v6_prefix: 48 });
        let mask = treat(Action::Mask, Recipe::MaskAllBut { last: 4 });
        assert_eq!(join(&network, &mask).recipe, Recipe::MaskAllBut { last: 0 }, "the last part of an address");
        let host = treat(Action::Pseudonymise, Recipe::Host { keep_public_suffix: true });
        let encrypted = treat(Action::Encrypt, Recipe::Reversible);
        assert_eq!(join(&host, &encrypted).recipe, Recipe::Host { keep_public_suffix: false }, "the suffix");
        assert_eq!(join(&host, &mask).recipe, Recipe::Host { keep_public_suffix: false });
        let (domain, day) = (treat(Action::Generalise, Recipe::Domain), treat(Action::Generalise, Recipe::Day));
        assert_eq!(join(&host, &domain).recipe, host.recipe, "shown by both");
        assert_eq!(join(&domain, &day).recipe, Recipe::Redacted, "what one of them shows");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(8192))]

        #[test]
        fn joining_is_a_least_upper_bound_in_any_order(a in treatment(), b in treatment(), c in treatment()) {
            prop_assert_eq!(effect(&join(&a, &b)), effect(&join(&b, &a)));
            prop_assert_eq!(effect(&join(&join(&a, &b), &c)), effect(&join(&a, &join(&b, &c))));
            prop_assert!(at_least(&join(&a, &b), &a));
            prop_assert!(at_least(&join(&a, &b), &b));
        }
    }
}
