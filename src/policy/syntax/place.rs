//! Where a rule acts: signals, parts, keys, and conditions on what stands around.

use crate::otlp::{Part, PartSet, Signal};
use crate::policy::condition::{Clause, Level, Operand, Test};
use crate::policy::diagnostic::Code;
use crate::policy::glob::Glob;
use crate::policy::reader::{At, Reader};
use crate::policy::yaml::{Node, Yaml};

pub fn read_signals(reader: &mut Reader<'_>, node: &Node) -> Vec<Signal> {
    let words = Signal::ALL.map(|signal| (signal.name(), signal));
    let items = reader.filled_list(node, "leave out `signals:` to mean all").unwrap_or_default();
    items.iter().filter_map(|item| reader.word(item, Code::UnknownSignal, "signal", &words)).collect()
}

/// Parts by name; `attributes` stands for the attribute values of everything.
pub fn read_parts(reader: &mut Reader<'_>, node: &Node) -> At<PartSet> {
    let attributes: PartSet = Part::ALL.into_iter().filter(|part| part.is_attributes()).collect();
    let mut words: Vec<(&str, PartSet)> =
        Part::ALL.iter().map(|part| (part.name(), PartSet::EMPTY.with(*part))).collect();
    words.push(("attributes", attributes));
    let items = reader.filled_list(node, "leave out `parts:` to mean all").unwrap_or_default();
    let sets: Vec<PartSet> =
        items.iter().filter_map(|item| reader.word(item, Code::UnknownPart, "part", &words)).collect();
    let set = Part::ALL.into_iter().filter(|part| sets.iter().any(|set| set.contains(*part))).collect();
    reader.at(node, set)
}

pub fn read_globs(reader: &mut Reader<'_>, node: &Node) -> Vec<At<Glob>> {
    let items = reader.filled_list(node, "name at least one").unwrap_or_default();
    let texts: Vec<At<String>> = items.iter().filter_map(|item| reader.text(item)).collect();
    texts.into_iter().filter_map(|text| read_glob(reader, text)).collect()
}

fn read_glob(reader: &mut Reader<'_>, text: At<String>) -> Option<At<Glob>> {
    match Glob::new(&text.value) {
        Ok(glob) => Some(text.map(|_| glob)),
        Err(bad) => {
            let at = reader.inside(&text.at, &text.value, bad.at.min(text.value.len()));
            reader.error(Code::BadGlob, &at, format!("`{}` is no pattern", text.value)).label = bad.message.into();
            None
        }
    }
}

pub fn read_when(reader: &mut Reader<'_>, node: &Node) -> Vec<At<Clause>> {
    if let Yaml::Text(_) = node.value {
        let diagnostic = reader.error(Code::BadCondition, &node.at, "conditions are written as mappings");
        diagnostic.help = Some("for example `when: {resource: {deployment.environment.name: production}}`".into());
        return Vec::new();
    }
    let Some(fields) = reader.fields(node, "a condition", &["resource", "scope", "record"]) else { return Vec::new() };
    let mut clauses = Vec::new();
    for level in Level::ALL {
        let Some(node) = fields.get(level.name()) else { continue };
        let Yaml::Map(entries) = &node.value else {
            let message = format!("`{}` names attributes and what they must be", level.name());
            reader.error(Code::BadCondition, &node.at, message).help =
                Some("for example `{cloud.region: eu-west-1}`".into());
            continue;
        };
        let tests = entries
            .iter()
            .filter_map(|(key, value)| Some((reader.text(key)?.value, read_test(reader, value)?)))
            .collect();
        clauses.push(reader.at(node, Clause { level, tests }));
    }
    if !Level::ALL
        .iter()
        .any(|level| matches!(fields.get(level.name()).map(|n| &n.value), Some(Yaml::Map(tests)) if !tests.is_empty()))
    {
        reader.error(Code::Empty, &node.at, "this condition says nothing").help = Some("leave out `when:`".into());
    }
    clauses
}

fn read_test(reader: &mut Reader<'_>, node: &Node) -> Option<Test> {
    let operand = |reader: &mut Reader<'_>, node: &Node| match &node.value {
        Yaml::Text(text) => Some(Operand::Text(text.clone())),
        Yaml::Int(value) => Some(Operand::Int(*value)),
        Yaml::Bool(value) => Some(Operand::Bool(*value)),
        other => {
            let message = format!("an attribute cannot be compared with {}", other.type_name());
            reader.error(Code::BadCondition, &node.at, message).help =
                Some("compare with a text, a whole number, `true` or `false`".into());
            None
        }
    };
    match &node.value {
        Yaml::List(items) if items.is_empty() => {
            reader.error(Code::Empty, &node.at, "nothing is in an empty list");
            None
        }
        Yaml::List(items) => items.iter().map(|item| operand(reader, item)).collect::<Option<Vec<_>>>().map(Test::In),
        Yaml::Map(entries) if entries.iter().all(|(key, _)| BOUNDS.contains(&key.value.word().as_str())) => {
            read_bounds(reader, node)
        }
        Yaml::Map(entries) if entries.len() == 1 => {
            let fields = reader.fields(node, "a test", &["in", "matches", "exists", "not", BOUNDS[0], BOUNDS[1]])?;
            if let Some(node) = fields.get("in") {
                let items = reader.filled_list(node, "nothing is in an empty list")?;
                return items.iter().map(|item| operand(reader, item)).collect::<Option<Vec<_>>>().map(Test::In);
            }
            if let Some(node) = fields.get("matches") {
                let text = reader.text(node)?;
                return read_glob(reader, text).map(|glob| Test::Matches(glob.value));
            }
            if let Some(node) = fields.get("exists") {
                return reader.boolean(node).map(Test::Exists);
            }
            fields.get("not").and_then(|node| read_test(reader, node)).map(|test| Test::Not(Box::new(test)))
        }
        Yaml::Map(_) => {
            let message = "a test is one of `in`, `matches`, `exists`, `not`, or `at_least` and `at_most`";
            reader.error(Code::BadCondition, &node.at, message);
            None
        }
        _ => operand(reader, node).map(|operand| Test::In(vec![operand])),
    }
}

const BOUNDS: [&str; 2] = ["at_least", "at_most"];

/// A number's bounds, one of them or both.
fn read_bounds(reader: &mut Reader<'_>, node: &Node) -> Option<Test> {
    let fields = reader.fields(node, "a test", &BOUNDS)?;
    let mut bound = |key, open| match fields.get(key) {
        Some(node) => reader.number(node, i64::MIN..=i64::MAX),
        None => Some(open),
    };
    let (least, most) = (bound(BOUNDS[0], i64::MIN)?, bound(BOUNDS[1], i64::MAX)?);
    if least > most {
        reader.error(Code::BadCondition, &node.at, format!("no number is {least} at least and {most} at most"));
        return None;
    }
    if fields.get(BOUNDS[0]).is_none() && fields.get(BOUNDS[1]).is_none() {
        reader.error(Code::Empty, &node.at, "this test says nothing");
        return None;
    }
    Some(Test::Between { least, most })
}
