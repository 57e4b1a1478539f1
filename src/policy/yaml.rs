//! YAML as a tree in which every value knows its place, so that all errors can be told at once and each with its line.
//!
//! The parser is `serde-saphyr`; its budget bounds depth, nodes, aliases and size, so a small file cannot become a big tree.

use std::ops::Range;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Location, Spanned};

/// The longest policy file that is read, in bytes.
pub const MAX_BYTES: usize = 4 << 20;

/// A value and where it stands.
#[derive(Clone, Debug)]
pub struct Node {
    /// Bytes of the source.
    pub at: Range<usize>,
    pub value: Yaml,
}

#[derive(Clone, Debug)]
pub enum Yaml {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
}

/// Why a text is no YAML: what is wrong, and at which bytes.
#[derive(Debug)]
pub struct NotYaml {
    pub message: String,
    pub at: Range<usize>,
}

/// Reads one document.
pub fn parse(text: &str) -> Result<Node, NotYaml> {
    if text.len() > MAX_BYTES {
        return Err(NotYaml { message: format!("the file is larger than {MAX_BYTES} bytes"), at: 0..0 });
    }
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: 32,
            max_aliases: 64,
            max_anchors: 64,
            max_documents: 1,
            max_nodes: 200_000,
            max_events: 500_000,
        },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: 10_000, max_replay_stack_depth: 8 },
        strict_booleans: true,
        with_snippet: false,
    };
    match serde_saphyr::from_str_with_options::<Spanned<Raw>>(text, options) {
        Ok(node) => Ok(node_of(node)),
        Err(error) => {
            let message = error.without_snippet().to_string();
            let first = message.lines().next().unwrap_or("");
            // The place is said by the caret; the parser puts it at the end of its message.
            let (message, place) = match first.rsplit_once(" at line ") {
                Some((message, place)) => (message, byte_of(text, place)),
                None => (first, None),
            };
            let at = error.location().map_or(0..0, |location| bytes(&location));
            Err(NotYaml { message: message.to_owned(), at: place.map_or(at, |byte| byte..byte + 1) })
        }
    }
}

impl Yaml {
    /// What a reader would call it.
    pub const fn type_name(&self) -> &'static str {
        match self {
            Yaml::Null => "nothing",
            Yaml::Bool(_) => "a boolean",
            Yaml::Int(_) => "a whole number",
            Yaml::Float(_) => "a number",
            Yaml::Text(_) => "a text",
            Yaml::List(_) => "a list",
            Yaml::Map(_) => "a mapping",
        }
    }

    /// The tree without places, comments and the order of keys: what a digest is made of.
    pub fn canonical(&self) -> serde_json::Value {
        match self {
            Yaml::Null => serde_json::Value::Null,
            Yaml::Bool(value) => (*value).into(),
            Yaml::Int(value) => (*value).into(),
            Yaml::Float(value) => (*value).into(),
            Yaml::Text(value) => value.as_str().into(),
            Yaml::List(items) => items.iter().map(|item| item.value.canonical()).collect(),
            Yaml::Map(entries) => {
                let sorted: std::collections::BTreeMap<String, serde_json::Value> =
                    entries.iter().map(|(key, value)| (key.value.word(), value.value.canonical())).collect();
                serde_json::Value::Object(sorted.into_iter().collect())
            }
        }
    }

    /// A scalar as it could have been written.
    pub fn word(&self) -> String {
        match self {
            Yaml::Text(text) => text.clone(),
            Yaml::Bool(value) => value.to_string(),
            Yaml::Int(value) => value.to_string(),
            Yaml::Float(value) => value.to_string(),
            Yaml::Null | Yaml::List(_) | Yaml::Map(_) => String::new(),
        }
    }
}

/// What serde hands over, before places are bytes.
enum Raw {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<Raw>, Spanned<Raw>)>),
}

fn node_of(spanned: Spanned<Raw>) -> Node {
    let value = match spanned.value {
        Raw::Null => Yaml::Null,
        Raw::Bool(value) => Yaml::Bool(value),
        Raw::Int(value) => Yaml::Int(value),
        Raw::Float(value) => Yaml::Float(value),
        Raw::Text(text) => Yaml::Text(text),
        Raw::List(items) => Yaml::List(items.into_iter().map(node_of).collect()),
        Raw::Map(entries) => Yaml::Map(entries.into_iter().map(|(k, v)| (node_of(k), node_of(v))).collect()),
    };
    Node { at: bytes(&spanned.referenced), value }
}

fn bytes(location: &Location) -> Range<usize> {
    let start = location.span().byte_offset().unwrap_or(0) as usize;
    start..start + location.span().byte_len().unwrap_or(0) as usize
}

/// The byte at `3, column 7`, both from 1, columns in characters.
fn byte_of(text: &str, place: &str) -> Option<usize> {
    let (line, column) = place.split_once(", column ")?;
    let (line, column): (usize, usize) = (line.parse().ok()?, column.trim_end_matches('.').parse().ok()?);
    let start = match line.checked_sub(2) {
        Some(before) => text.match_indices('\n').nth(before)?.0 + 1,
        None => 0,
    };
    let within = text[start..].char_indices().nth(column.saturating_sub(1)).map_or(text.len() - start, |(at, _)| at);
    Some(start + within)
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Raw, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str("a YAML value")
    }
    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }
    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }
    fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Bool(value))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Int(value))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
        Ok(i64::try_from(value).map_or(Raw::Float(value as f64), Raw::Int))
    }
    fn visit_f64<E>(self, value: f64) -> Result<Raw, E> {
        Ok(Raw::Float(value))
    }
    fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
        Ok(Raw::Text(value.to_owned()))
    }
    fn visit_string<E>(self, value: String) -> Result<Raw, E> {
        Ok(Raw::Text(value))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Raw, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Raw::List(items))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Raw::Map(entries))
    }
}
