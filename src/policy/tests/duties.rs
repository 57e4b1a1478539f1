//! What a policy demands besides its rules.

use super::{TODAY, policy, whole};
use crate::otlp::{Part, Signal};
use crate::policy::catalogue::{self, Class};
use crate::policy::{Action, Active, Level, Policy, Scalar, Tls};

const LIST: &str = "version: 1\nextends: base\nattributes: {permitted: [app.*, cart]}\n";

fn removed(policy: &Policy, key: &str) -> bool {
    let plan = policy.plan(Signal::Logs, Part::RecordAttributes, Some(key), Active::default());
    plan.whole.is_some_and(|whole| whole.action == Action::Stay)
}

#[test]
fn an_allow_list_lets_through_the_catalogue_its_own_keys_and_what_stands_below_them() {
    let listed = policy(LIST);
    for key in ["http.request.method", "http.request.header.accept", "app.size", "cart", "cart.items", "privet.series"]
    {
        assert!(!removed(&listed, key), "{key}");
    }
    for key in ["my.key", "http.request.method.x", "x.app.size", "carts", "xhttp.request.method"] {
        assert!(removed(&listed, key), "{key}");
    }
    let body = listed.plan(Signal::Logs, Part::Body, Some("my.key"), Active::default());
    assert!(body.whole.is_none(), "a list of attributes says nothing of bodies");
}

#[test]
fn a_key_must_be_on_the_list_of_every_file_that_has_one() {
    let other = "version: 1\nattributes: permitted\nrules: [{name: r, keys: [my.key], action: keep}]\n";
    let both = Policy::parse(&[("a", LIST), ("b", other)], TODAY).unwrap_or_else(|wrong| panic!("{wrong}"));
    assert!(removed(&both, "cart"), "the other file does not permit it");
    assert!(removed(&both, "my.key"), "a rule puts nothing on a list");
    assert!(!removed(&both, "http.request.method"));
}

#[test]
fn the_catalogue_hides_what_identifies_without_any_pack() {
    let listed = policy("version: 1\nattributes: permitted\nrules: [{name: r, detect: ip, action: redact}]\n");
    for (key, class) in catalogue::keys() {
        let action = whole(&listed, key).map(|(action, _)| action);
        let expected = match class {
            Class::Credential => Some(Action::Redact),
            class => class.identifies().then_some(Action::Pseudonymise),
        };
        assert_eq!(action, expected, "{key} is {class:?}");
    }
}

#[test]
fn an_exception_from_the_list_names_it() {
    let text = format!(
        "{LIST}exceptions:\n  - {{rules: attributes-permitted, keys: [my.key], reason: r, owner: o, expires: 2027-01-01}}\n"
    );
    let excepted = policy(&text);
    assert!(!removed(&excepted, "my.key"));
    assert!(removed(&excepted, "my.other"));
    assert_eq!(excepted.exceptions()[0].rules, ["attributes-permitted"]);
}

#[test]
fn the_shortest_retention_of_a_records_classes_is_stamped() {
    let policy = policy(
        "version: 1\nextends: base\nretention:\n  - {name: rest, days: 90}\n  - {name: audit, days: 14, signals: logs, when: {record: {kind: audit}}}\n",
    );
    assert!(policy.looks_at(Signal::Logs).record && !policy.looks_at(Signal::Traces).record);
    let audit = [("kind", Scalar::Text("audit"))];
    let active = policy.evaluate(Signal::Logs, Level::Record, &super::Pairs(&audit));
    let stamp = |signal, active| String::from_utf8_lossy(policy.retention(signal, active).unwrap()).into_owned();
    assert!(stamp(Signal::Logs, active).contains("14d"));
    assert!(stamp(Signal::Logs, Active::default()).contains("90d"));
    assert!(stamp(Signal::Traces, active).contains("90d"));
    assert!(removed(&policy, "privet.retention"), "only the stamp says it");
}

#[test]
fn a_region_must_be_permitted_by_every_file_that_names_some() {
    let a = "version: 1\nextends: base\nregions: [eu, ch]\ntls: 1.2\n";
    let b = "version: 1\nextends: base\nregions: EU\ntls: \"1.3\"\n";
    let both = Policy::parse(&[("a", a), ("b", b)], TODAY).unwrap_or_else(|wrong| panic!("{wrong}"));
    for (region, permitted) in
        [(Some("eu"), true), (Some("EU-central-1"), true), (Some("ch"), false), (Some("europe"), false), (None, false)]
    {
        assert_eq!(both.permits_region(region), permitted, "{region:?}");
    }
    assert_eq!((both.regions(), both.tls()), (vec!["eu"], Some(Tls::V13)));
    assert!(Policy::base().permits_region(None) && Policy::base().tls().is_none());
}
