//! What a policy demands besides its rules: an allow-list of attributes, retention, regions, TLS.

use crate::otlp::Signal;
use crate::policy::compiled::Tls;
use crate::policy::diagnostic::Code;
use crate::policy::glob::Glob;
use crate::policy::reader::{At, Reader};
use crate::policy::yaml::{Node, Yaml};

use super::place::{read_globs, read_signals, read_when};
use super::{Retention, check_name};

pub const ATTRIBUTES_KEYS: &[&str] = &["permitted"];
pub const RETENTION_KEYS: &[&str] = &["name", "days", "signals", "when"];

/// `permitted`, or `{permitted: [keys beside the catalogue's]}`.
pub fn read_permitted(reader: &mut Reader<'_>, node: &Node) -> Option<At<Vec<Glob>>> {
    if let Yaml::Text(_) = node.value {
        let word = reader.word(node, Code::WrongType, "way with attributes", &[("permitted", ())]);
        return word.map(|()| reader.at(node, Vec::new()));
    }
    let fields = reader.fields(node, "`attributes`", ATTRIBUTES_KEYS)?;
    let keys = match fields.required("permitted", reader) {
        Some(Node { value: Yaml::List(items), .. }) if items.is_empty() => Vec::new(),
        Some(node) => read_globs(reader, node).into_iter().map(|glob| glob.value).collect(),
        None => return None,
    };
    Some(reader.at(node, keys))
}

pub fn read_retention(reader: &mut Reader<'_>, node: &Node) -> Vec<Retention> {
    // One class alone need not be in a list.
    let items = match &node.value {
        Yaml::Map(_) => std::slice::from_ref(node),
        _ => reader.filled_list(node, "name a class of records, or leave out `retention:`").unwrap_or_default(),
    };
    items.iter().filter_map(|item| read_class(reader, item)).collect()
}

fn read_class(reader: &mut Reader<'_>, node: &Node) -> Option<Retention> {
    /// Ten years.
    const MOST: i64 = 3653;
    let fields = reader.fields(node, "a class of records", RETENTION_KEYS)?;
    let name = fields.required("name", reader).and_then(|node| reader.text(node));
    if let Some(name) = &name {
        check_name(reader, name, "a class", |c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    }
    let days = fields.required("days", reader).and_then(|node| reader.number(node, 1..=MOST));
    let signals = match fields.get("signals") {
        Some(node) => read_signals(reader, node),
        None => Signal::ALL.to_vec(),
    };
    let when = fields.get("when").map_or(Vec::new(), |node| read_when(reader, node));
    Some(Retention { name: name?, days: u16::try_from(days?).ok()?, signals, when })
}

pub fn read_regions(reader: &mut Reader<'_>, node: &Node) -> Vec<String> {
    let items = reader.filled_list(node, "leave out `regions:` to permit all").unwrap_or_default();
    let regions: Vec<At<String>> = items.iter().filter_map(|item| reader.text(item)).collect();
    for region in &regions {
        check_name(reader, region, "a region", |c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    }
    regions.into_iter().map(|region| region.value.to_ascii_lowercase()).collect()
}

pub fn read_tls(reader: &mut Reader<'_>, node: &Node) -> Option<Tls> {
    match node.value {
        // Without quotes YAML takes it for a number.
        Yaml::Float(1.2) => Some(Tls::V12),
        Yaml::Float(1.3) => Some(Tls::V13),
        _ => reader.word(node, Code::OutOfRange, "TLS version", &[("1.2", Tls::V12), ("1.3", Tls::V13)]),
    }
}
