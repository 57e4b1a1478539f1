//! The promise of the language: adding a rule or a file never lets out what did not leave before.

use proptest::prelude::*;

use super::TODAY;
use crate::detect::Entity;
use crate::otlp::{Part, Signal};
use crate::policy::strictness::at_least;
use crate::policy::{Active, Policy, TreatmentId};
use crate::pseudonym::Value;

pub const KEYS: [&str; 8] =
    ["host.name", "user.id", "a.user.id", "client_ip", "http.request.body.client.ip", "db_password", "x", "x.y"];
const WORDS: [&str; 10] = ["host.name", "user.id", "user.*", "*.id", "*", "x", "x.*", "client_ip", "ip", "*password"];

fn one_of(words: &'static [&'static str]) -> impl Strategy<Value = &'static str> {
    prop::sample::select(words)
}

fn action() -> impl Strategy<Value = String> {
    prop_oneof![
        one_of(&["redact", "stay", "aggregate", "drop_record", "pseudonymise", "encrypt", "keep"])
            .prop_map(String::from),
        (0u8..=16).prop_map(|last| format!("mask, last: {last}")),
        (0u8..=32, 0u8..=128).prop_map(|(v4, v6)| format!("generalise, v4: {v4}, v6: {v6}")),
        Just("generalise, day: true".to_owned()),
        one_of(&["token", "address"]).prop_map(|form| format!("pseudonymise, form: {form}")),
        Just("pseudonymise, form: subnet, acknowledge: shared_prefixes".to_owned()),
        Just("pseudonymise, keep_public_suffix: true".to_owned()),
        Just("pseudonymise, fold_local: true".to_owned()),
    ]
}

/// A rule without its name.
pub fn rule() -> impl Strategy<Value = String> {
    let target = prop_oneof![
        prop::sample::subsequence(&["ip", "email", "host", "user", "credential"][..], 1..=5)
            .prop_map(|detectors| format!("detect: [{}]", detectors.join(", "))),
        (prop::sample::subsequence(&WORDS[..], 1..=3), one_of(&["ip", "host", "email", "user", "own"]), any::<bool>())
            .prop_map(|(keys, kind, scalars)| format!(
                "keys: ['{}'], as: {kind}, scalars_only: {scalars}",
                keys.join("', '")
            )),
        one_of(&["body", "ids", "span.name"]).prop_map(|part| format!("parts: {part}, as: user")),
        one_of(&["falcon-[0-9]+", "eagle[a-z]+"]).prop_map(|regex| format!("pattern: '{regex}'")),
    ];
    let signals = prop::sample::subsequence(&["logs", "metrics", "traces", "profiles"][..], 1..=4);
    let when = prop::option::of(one_of(&["resource: {a: 1}", "record: {b: 2}", "resource: {a: 1}, record: {c: 3}"]));
    (target, signals, when, action()).prop_map(|(target, signals, when, action)| {
        let when = when.map_or(String::new(), |when| format!(", when: {{{when}}}"));
        // Which looks for nothing inside a text.
        let searches = target.starts_with("detect") || target.starts_with("pattern");
        let action = if searches { action.replace("aggregate", "stay") } else { action };
        format!("{target}, signals: [{}]{when}, action: {action}", signals.join(", "))
    })
}

fn compile(files: &[&[String]]) -> Policy {
    let texts: Vec<String> = files
        .iter()
        .enumerate()
        .map(|(file, rules)| {
            let rule = |(i, rule): (usize, &String)| format!("  - {{name: r{file}-{i}, {rule}}}\n");
            let rules: String = rules.iter().enumerate().map(rule).collect();
            format!("version: 1\nkinds: [own]\nkeep: [10.0.0.0/8, localhost]\nrules:\n{rules}")
        })
        .collect();
    let sources: Vec<(&str, &str)> = texts.iter().map(|text| ("p.yaml", text.as_str())).collect();
    Policy::parse(&sources, TODAY).unwrap_or_else(|wrong| panic!("{wrong}"))
}

/// Which conditions hold, said by what they are: bits are numbered differently in each policy.
fn active(policy: &Policy, holds: u8) -> Active {
    let pairs = [("a", 1), ("b", 2), ("c", 3)];
    let attributes: Vec<(&str, crate::policy::Scalar<'_>)> = pairs
        .into_iter()
        .enumerate()
        .filter(|(i, _)| holds & 1 << i != 0)
        .map(|(_, (key, value))| (key, crate::policy::Scalar::Int(value)))
        .collect();
    struct Of<'a>(&'a [(&'a str, crate::policy::Scalar<'a>)]);
    impl crate::policy::Attributes for Of<'_> {
        fn each(&self, key: &str, visit: &mut dyn FnMut(crate::policy::Scalar<'_>)) {
            self.0.each(key, visit);
        }
    }
    Signal::ALL
        .into_iter()
        .flat_map(|signal| crate::policy::Level::ALL.map(|level| policy.evaluate(signal, level, &Of(&attributes))))
        .fold(Active::default(), Active::and)
}

/// Whether what the second policy does is nowhere looser than what the first does.
fn no_looser(before: &Policy, after: &Policy, holds: u8) -> Result<(), TestCaseError> {
    let stricter = |was: Option<TreatmentId>, is: Option<TreatmentId>| match (was, is) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(was), Some(is)) => at_least(after.treatment(is), before.treatment(was)),
    };
    for signal in Signal::ALL {
        let (was_active, is_active) = (active(before, holds), active(after, holds));
        prop_assert!(stricter(before.record(signal, was_active), after.record(signal, is_active)));
        for part in Part::ALL {
            for key in std::iter::once(None).chain(KEYS.map(Some)) {
                let (was, is) = (before.plan(signal, part, key, was_active), after.plan(signal, part, key, is_active));
                let place = format!("{signal:?} {part:?} {key:?}");
                if let Some(was) = was.whole {
                    let Some(is) = is.whole else { return Err(TestCaseError::fail(place)) };
                    prop_assert!(is.action >= was.action && is.deep >= was.deep, "{}", place);
                    for (was, is) in
                        [(was.ip, is.ip), (was.email, is.email), (was.host, is.host), (was.other, is.other)]
                    {
                        prop_assert!(stricter(Some(was), Some(is)), "{}", place);
                    }
                }
                prop_assert!(is.names_host >= was.names_host);
                let (was, is) = (before.text_plan(was.text), after.text_plan(is.text));
                prop_assert_eq!(is.wanted.0 & was.wanted.0, was.wanted.0);
                for entity in [Entity::Ip, Entity::Email, Entity::Host, Entity::User, Entity::Credential] {
                    prop_assert!(stricter(was.treatment(entity), is.treatment(entity)), "{} {:?}", place, entity);
                }
                let count = |patterns: &[Option<TreatmentId>]| patterns.iter().flatten().count();
                prop_assert!(count(&is.patterns) >= count(&was.patterns), "{}", place);
            }
        }
    }
    let address = |text: &str| Value::Ip(u128::from(text.parse::<std::net::Ipv4Addr>().unwrap().to_ipv6_mapped()));
    for value in [address("10.1.2.3"), address("127.0.0.1")] {
        prop_assert!(before.keeps(Entity::Ip, value) || !after.keeps(Entity::Ip, value));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { rng_seed: crate::review::narrowing::seed(), ..ProptestConfig::with_cases(256) })]

    #[test]
    fn adding_a_rule_never_loosens_any_plan(rules in prop::collection::vec(rule(), 1..6), holds in 0u8..8) {
        let (_, fewer) = rules.split_last().expect("at least one");
        prop_assume!(!fewer.is_empty());
        no_looser(&compile(&[fewer]), &compile(&[&rules]), holds)?;
    }

    #[test]
    fn adding_a_file_never_loosens_any_plan(
        first in prop::collection::vec(rule(), 1..4), second in prop::collection::vec(rule(), 1..4), holds in 0u8..8,
    ) {
        no_looser(&compile(&[&first]), &compile(&[&first, &second]), holds)?;
    }

    #[test]
    fn the_order_of_rules_changes_nothing(rules in prop::collection::vec(rule(), 1..6), holds in 0u8..8) {
        let forward = compile(&[&rules]);
        let mut names: Vec<(usize, &String)> = rules.iter().enumerate().collect();
        names.reverse();
        let text: String = names.iter().map(|(i, rule)| format!("  - {{name: r0-{i}, {rule}}}\n")).collect();
        let text = format!("version: 1\nkinds: [own]\nkeep: [10.0.0.0/8, localhost]\nrules:\n{text}");
        let backward = Policy::parse(&[("p.yaml", &text)], TODAY).unwrap();
        no_looser(&forward, &backward, holds)?;
        no_looser(&backward, &forward, holds)?;
    }
}
