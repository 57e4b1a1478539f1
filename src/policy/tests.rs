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
