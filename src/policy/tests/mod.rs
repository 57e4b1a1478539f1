//! What policies mean.

mod duties;
pub mod json_schema;
pub mod narrowing;
mod wrong;

pub use wrong::cases as wrong_cases;

use super::*;
use crate::detect::Entity;
use crate::otlp::{Part, Signal};
use crate::pseudonym::{Recipe, Value};
use jiff::civil::{Date, date};

const TODAY: Date = date(2026, 11, 21);

fn policy(text: &str) -> Policy {
    Policy::parse(&[("policy.yaml", text)], TODAY).unwrap_or_else(|wrong| panic!("{wrong}"))
}

fn whole(policy: &Policy, key: &str) -> Option<(Action, &'static str)> {
    let plan = policy.plan(Signal::Logs, Part::RecordAttributes, Some(key), Active::default());
    plan.whole.map(|whole| {
        let kind = policy.treatment(whole.other).kind;
        (whole.action, String::leak(policy.kinds()[usize::from(kind.0)].clone()) as &str)
    })
}

#[test]
fn the_embedded_policy_decides_identifying_keys_of_old_and_new_conventions() {
    let base = Policy::base();
    let cases = [
        ("client.address", "host"),
        ("net.peer.ip", "host"),
        ("net.sock.peer.addr", "host"),
        ("host.name", "host"),
        ("host.ip", "host"),
        ("host.mac", "mac"),
        ("k8s.node.name", "host"),
        ("k8s.pod.ip", "host"),
        ("user.email", "email"),
        ("enduser.id", "user"),
        ("SrcIp", "host"),
        ("device.id", "device"),
    ];
    for (key, kind) in cases {
        assert_eq!(whole(&base, key), Some((Action::Pseudonymise, kind)), "{key}");
    }
    for key in ["http.request.header.authorization", "db.connection_string", "MYSQL_PASSWORD"] {
        assert_eq!(whole(&base, key), Some((Action::Redact, "credential")), "{key}");
    }
    for key in ["service.name", "http.response.status_code", "k8s.namespace.name", "host.arch", "body"] {
        assert_eq!(whole(&base, key), None, "{key}");
    }
}

#[test]
fn the_embedded_policy_searches_every_text_of_every_signal() {
    let base = Policy::base();
    for signal in Signal::ALL {
        for part in Part::ALL {
            let plan = base.plan(signal, part, None, Active::default());
            let text = base.text_plan(plan.text);
            for entity in [Entity::Ip, Entity::Email, Entity::Host, Entity::User] {
                let treatment = base.treatment(text.treatment(entity).expect("a treatment"));
                assert_eq!(treatment.action, Action::Pseudonymise, "{signal:?} {part:?} {entity:?}");
            }
            assert_eq!(base.treatment(text.credential.expect("a treatment")).action, Action::Redact);
        }
    }
}

#[test]
fn a_resource_names_its_host_and_a_record_does_not() {
    let base = Policy::base();
    let names = |part| base.plan(Signal::Logs, part, Some("host.name"), Active::default()).names_host;
    assert!(names(Part::ResourceAttributes));
    assert!(!names(Part::RecordAttributes));
}

#[test]
fn loopback_and_schema_hosts_are_kept() {
    let base = Policy::base();
    let loopback = u128::from(std::net::Ipv4Addr::LOCALHOST.to_ipv6_mapped());
    assert!(base.keeps(Entity::Ip, Value::Ip(loopback)));
    assert!(base.keeps(Entity::Host, Value::Text(b"opentelemetry.io")));
    assert!(!base.keeps(Entity::Host, Value::Text(b"db-1.corp.example")));
}

#[test]
fn the_strictest_rule_wins_in_any_order() {
    let a = "  - {name: a, keys: [x], as: user, action: mask, last: 4}\n";
    let b = "  - {name: b, keys: [x], action: stay}\n";
    for rules in [format!("{a}{b}"), format!("{b}{a}")] {
        let policy = policy(&format!("version: 1\nrules:\n{rules}"));
        let plan = policy.plan(Signal::Logs, Part::RecordAttributes, Some("x"), Active::default());
        let whole = plan.whole.expect("a rule matches");
        assert_eq!((whole.action, policy.rules()[usize::from(whole.rule.0)].name.as_str()), (Action::Stay, "b"));
    }
}

#[test]
fn networks_join_to_the_shorter_prefix_of_each_family() {
    let policy = policy(
        "version: 1\nrules:\n  - {name: a, detect: ip, action: generalise, v4: 16, v6: 64}\n  - {name: b, detect: ip, action: generalise, v4: 24, v6: 32}\n",
    );
    let plan = policy.plan(Signal::Logs, Part::Body, None, Active::default());
    let ip = policy.text_plan(plan.text).ip.expect("a rule matches");
    assert_eq!(policy.treatment(ip).recipe, Recipe::Network { v4_prefix: 16, v6_prefix: 32 });
}

#[test]
fn the_examples_of_the_embedded_policy_hold() {
    let found = Policy::base().check_examples();
    assert!(found.items.is_empty(), "{found}");
}

const EXCEPTION: &str = "version: 1\nextends: base\nexceptions:\n  - rules: users\n    keys: [app.user.id]\n    reason: support tickets name it\n    owner: ops@example.com\n    expires: 2026-11-21\n";

#[test]
fn an_exception_lets_exactly_its_key_through_until_its_last_day() {
    let alive = policy(EXCEPTION);
    assert_eq!(whole(&alive, "app.user.id"), None);
    assert_eq!(whole(&alive, "my.app.user.id"), Some((Action::Pseudonymise, "user")));
    assert_eq!(whole(&alive, "user.id"), Some((Action::Pseudonymise, "user")));
    assert_eq!((alive.exceptions()[0].rules.as_slice(), alive.next_expiry()), (&["users".to_owned()][..], Some(TODAY)));

    let expired = Policy::parse(&[("policy.yaml", EXCEPTION)], date(2026, 11, 22)).unwrap();
    assert_eq!(whole(&expired, "app.user.id"), Some((Action::Pseudonymise, "user")));
    assert_eq!(expired.warnings().items[0].code, Code::ExpiredException);
    assert!(expired.exceptions().is_empty());
}

#[test]
fn a_value_is_excepted_only_if_every_rule_that_could_act_on_it_is_named() {
    let text = |rules: &str| {
        format!(
            "version: 1\nextends: base\nexceptions:\n  - rules: [{rules}]\n    values: [203.0.113.7]\n    reason: ours\n    owner: ops\n    expires: 2027-01-01\n"
        )
    };
    let address = Value::Ip(u128::from(std::net::Ipv4Addr::new(203, 0, 113, 7).to_ipv6_mapped()));
    assert!(!policy(&text("addresses-in-text")).keeps(Entity::Ip, address));
    assert!(policy(&text("'*'")).keeps(Entity::Ip, address));
    assert!(!policy(&text("'*'")).keeps(Entity::Ip, Value::Ip(7)));
}

#[test]
fn a_file_can_shorten_the_keep_list_of_another_and_not_lengthen_it() {
    let policy = policy("version: 1\nextends: base\nkeep: [localhost, corp.example]\n");
    assert!(policy.keeps(Entity::Host, Value::Text(b"localhost")));
    assert!(!policy.keeps(Entity::Host, Value::Text(b"opentelemetry.io")));
    assert!(!policy.keeps(Entity::Host, Value::Text(b"corp.example")));
}

#[test]
fn a_shorter_keep_list_breaks_no_example_of_the_file_that_it_shortens_and_a_longer_one_is_told() {
    let policy = policy("version: 1\nextends: base\nkeep: [localhost, 10.0.0.0/8, 127.0.0.1]\n");
    assert!(!policy.check_examples().has_errors(), "{}", policy.check_examples());
    let lints = policy.lints().to_string();
    assert!(lints.contains("this is not kept: `base`") && lints.contains("keep: [localhost, 10.0.0.0/8"), "{lints}");
    assert_eq!(lints.matches("not kept").count(), 1, "{lints}");
}

#[test]
fn conditions_join_what_is_said_of_resource_and_record() {
    let policy = policy(
        "version: 1\nrules:\n  - {name: a, keys: [x], when: {resource: {env: prod}, record: {kind: [1, 2]}}, action: stay}\n  - {name: b, signals: logs, when: {record: {noise: true}}, action: drop_record}\n",
    );
    let of = |level, attributes: &[(&str, Scalar<'_>)]| policy.evaluate(Signal::Logs, level, &Pairs(attributes));
    let resource = of(Level::Resource, &[("env", Scalar::Text("prod"))]);
    let record = of(Level::Record, &[("kind", Scalar::Int(2))]);
    let plan = |active| policy.plan(Signal::Logs, Part::RecordAttributes, Some("x"), active).whole.is_some();
    assert!(!plan(resource) && !plan(record) && plan(resource.and(record)));
    assert_eq!(policy.looks_at(Signal::Logs), Looks { resource: true, scope: false, record: true });
    let noise = of(Level::Record, &[("noise", Scalar::Text("true"))]);
    assert!(policy.record(Signal::Logs, noise).is_some());
    assert!(policy.record(Signal::Traces, noise).is_none());
    assert!(policy.record(Signal::Logs, record).is_none());
}

struct Pairs<'a>(&'a [(&'a str, Scalar<'a>)]);

impl Attributes for Pairs<'_> {
    fn each(&self, key: &str, visit: &mut dyn FnMut(Scalar<'_>)) {
        self.0.each(key, visit);
    }
}

#[test]
fn the_digest_is_of_what_is_said_and_not_of_how_or_in_which_order() {
    let digest = |sources: &[(&str, &str)]| Policy::parse(sources, TODAY).unwrap().digest().to_owned();
    let a = "version: 1\nrules: [{name: a, detect: ip, action: redact}]\n";
    let same = "# a comment\nrules:\n  - action: redact\n    name: a\n    detect: ip\nversion: 1\n";
    let b = "version: 1\nrules: [{name: b, detect: ip, action: redact}]\n";
    assert_eq!(digest(&[("1", a)]), digest(&[("2", same)]));
    assert_eq!(digest(&[("1", a), ("2", b)]), digest(&[("1", b), ("2", a)]));
    assert_ne!(digest(&[("1", a)]), digest(&[("1", b)]));
    assert_eq!(digest(&[("1", a)]).len(), 64);
}

#[test]
fn patterns_and_dictionaries_are_searched_for_and_have_kinds_of_their_own() {
    let policy = policy(
        "version: 1\nrules:\n\
         \x20 - name: card-numbers\n    pattern: {regex: '[0-9]{13,19}', validator: luhn}\n    action: mask\n    last: 4\n    hits: ['card 4111111111111111']\n    misses: ['card 4111111111111112']\n\
         \x20 - name: projects\n    dictionary: {keywords: [bluebird]}\n    action: redact\n    hits: [about bluebird]\n    misses: [about blackbird]\n\
         \x20 - name: our-hosts\n    dictionary: {hosts: [db1]}\n    action: pseudonymise\n    hits: [from db1 on]\n    misses: [from there on]\n",
    );
    let found = policy.check_examples();
    assert!(found.items.is_empty(), "{found}");
    assert_eq!(policy.kinds()[6..], ["card_numbers", "projects"]);
}
