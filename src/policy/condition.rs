//! `when:` compiled: tests on the attributes of the resource, the scope and the record.
//!
//! ```yaml
//! when:
//!   resource: { deployment.environment.name: production, cloud.region: [eu-west-1, eu-central-1] }
//!   record: { event.outcome: { not: success }, http.route: { matches: "/admin/*" }, http.response.status_code: { at_least: 500 } }
//! ```
//!
//! All of it must hold. A rule only narrows, so a doubt is decided for the rule: of an attribute that occurs twice with
//! different values a test holds if it holds for one of them.

use super::glob::Glob;
pub use crate::otlp::Level;

/// An attribute's value, as a condition sees it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scalar<'a> {
    Text(&'a str),
    Int(i64),
    Double(f64),
    Bool(bool),
    /// Bytes, lists, maps and nothing: it exists and equals no scalar.
    Other,
}

/// The attributes of a resource, a scope or a record.
pub trait Attributes {
    /// Calls `visit` with every value that stands under exactly this key: none, one, or more where a key is repeated.
    fn each(&self, key: &str, visit: &mut dyn FnMut(Scalar<'_>));
}

impl Attributes for [(&str, Scalar<'_>)] {
    fn each(&self, key: &str, visit: &mut dyn FnMut(Scalar<'_>)) {
        self.iter().filter(|(name, _)| *name == key).for_each(|(_, value)| visit(*value));
    }
}

/// Tests on the attributes of one level; all must hold.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Clause {
    pub level: Level,
    pub tests: Vec<(String, Test)>,
}

impl Clause {
    pub fn holds(&self, attributes: &dyn Attributes) -> bool {
        self.tests.iter().all(|(key, test)| test.holds(key, attributes))
    }
}

/// A test on one attribute.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Test {
    /// Equal to one of these.
    In(Vec<Operand>),
    Matches(Glob),
    /// A number from `least` to `most`, both included.
    Between {
        least: i64,
        most: i64,
    },
    Exists(bool),
    Not(Box<Test>),
}

/// What an attribute is compared with.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Operand {
    Text(String),
    Int(i64),
    Bool(bool),
}

impl Test {
    fn holds(&self, key: &str, attributes: &dyn Attributes) -> bool {
        let (mut any, mut holds) = (false, false);
        attributes.each(key, &mut |value| {
            any = true;
            holds |= self.holds_for(Some(value));
        });
        if any { holds } else { self.holds_for(None) }
    }

    fn holds_for(&self, value: Option<Scalar<'_>>) -> bool {
        match self {
            Test::In(operands) => value.is_some_and(|value| operands.iter().any(|operand| operand.equals(value))),
            Test::Matches(glob) => matches!(value, Some(Scalar::Text(text)) if glob.matches(&super::glob::fold(text))),
            Test::Between { least, most } => value.is_some_and(|value| between(value, *least, *most)),
            Test::Exists(expected) => value.is_some() == *expected,
            Test::Not(test) => !test.holds_for(value),
        }
    }
}

/// Whether it is a number in those bounds, or the text of one. What is no number is in none.
fn between(value: Scalar<'_>, least: i64, most: i64) -> bool {
    let whole = |value: i64| (least..=most).contains(&value);
    let fraction = |value: f64| least as f64 <= value && value <= most as f64;
    match value {
        Scalar::Int(value) => whole(value),
        Scalar::Double(value) => fraction(value),
        Scalar::Text(text) => text.parse().map_or_else(|_| text.parse().is_ok_and(fraction), whole),
        Scalar::Bool(_) | Scalar::Other => false,
    }
}

impl Operand {
    fn equals(&self, value: Scalar<'_>) -> bool {
        match (self, value) {
            (Operand::Text(a), Scalar::Text(b)) => a == b,
            (Operand::Int(a), Scalar::Int(b)) => *a == b,
            (Operand::Int(a), Scalar::Double(b)) => *a as f64 == b,
            (Operand::Bool(a), Scalar::Bool(b)) => *a == b,
            // SDKs differ in whether a number or a flag is sent as text: the rule must not miss it for that.
            (Operand::Int(a), Scalar::Text(b)) => b.parse() == Ok(*a),
            (Operand::Bool(a), Scalar::Text(b)) => b.parse() == Ok(*a),
            (Operand::Text(a), Scalar::Int(b)) => a.parse() == Ok(b),
            (Operand::Text(a), Scalar::Bool(b)) => a.parse() == Ok(b),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(test: Test, attributes: &[(&str, Scalar<'_>)]) -> bool {
        struct Of<'a>(&'a [(&'a str, Scalar<'a>)]);
        impl Attributes for Of<'_> {
            fn each(&self, key: &str, visit: &mut dyn FnMut(Scalar<'_>)) {
                self.0.each(key, visit);
            }
        }
        Clause { level: Level::Record, tests: vec![("k".into(), test)] }.holds(&Of(attributes))
    }

    fn is(text: &str) -> Test {
        Test::In(vec![Operand::Text(text.into())])
    }

    #[test]
    fn of_repeated_attributes_one_is_enough_for_a_test_and_for_its_negation() {
        let twice = [("k", Scalar::Text("a")), ("k", Scalar::Text("b"))];
        assert!(holds(is("a"), &twice));
        assert!(holds(is("b"), &twice));
        assert!(holds(Test::Not(Box::new(is("a"))), &twice));
        assert!(!holds(is("c"), &twice));
    }

    #[test]
    fn absence_fails_a_test_and_passes_its_negation() {
        assert!(!holds(is("a"), &[]));
        assert!(holds(Test::Not(Box::new(is("a"))), &[]));
        assert!(holds(Test::Exists(false), &[]));
        assert!(holds(Test::Exists(true), &[("k", Scalar::Other)]));
    }

    #[test]
    fn numbers_lie_between_bounds_however_they_are_sent() {
        let server_error = || Test::Between { least: 500, most: 599 };
        for inside in [Scalar::Int(500), Scalar::Double(599.0), Scalar::Text("503"), Scalar::Text("500.5")] {
            assert!(holds(server_error(), &[("k", inside)]), "{inside:?}");
        }
        for outside in
            [Scalar::Int(499), Scalar::Double(599.5), Scalar::Double(f64::NAN), Scalar::Text("5xx"), Scalar::Bool(true)]
        {
            assert!(!holds(server_error(), &[("k", outside)]), "{outside:?}");
            assert!(holds(Test::Not(Box::new(server_error())), &[("k", outside)]), "{outside:?}");
        }
        assert!(!holds(server_error(), &[]));
    }

    #[test]
    fn numbers_and_flags_equal_their_text() {
        assert!(holds(Test::In(vec![Operand::Int(7)]), &[("k", Scalar::Text("7"))]));
        assert!(holds(Test::In(vec![Operand::Bool(true)]), &[("k", Scalar::Text("true"))]));
        assert!(holds(is("7"), &[("k", Scalar::Int(7))]));
    }
}
