//! What is written in a policy file, typed: each field is checked for itself here, what spans rules in [`super::check`].
//!
//! One file a concern: [`target`] what a rule looks for, [`place`] where, [`options`] how, [`widen`] what is let through
//! nevertheless, [`duties`] what else a policy demands, [`tests`] and [`given`] the tests that stand beside the rules.

mod duties;
mod given;
mod options;
mod place;
mod target;
mod tests;
mod widen;

use jiff::civil::Date;
use serde_json::json;

use crate::detect::Wanted;
use crate::detect::pattern::Validator;
use crate::otlp::{PartSet, Signal};

use super::compiled::{Action, Tls};
use super::condition::Clause;
use super::diagnostic::Code;
use super::glob::Glob;
use super::keep::Kept;
use super::reader::{At, Fields, Reader};
use super::yaml::{Node, Yaml};

use duties::{read_permitted, read_regions, read_retention, read_tls};
pub use given::{Given as TestGiven, signal_of};
use options::{check_options, read_options};
use place::{read_globs, read_parts, read_signals, read_when};
use target::read_target;
pub use tests::Test;
use tests::read_tests;
pub use widen::read_keep;
use widen::{read_exception, read_kept};

/// One policy file.
#[derive(Debug)]
pub struct Document {
    pub name: String,
    pub extends: Vec<At<String>>,
    /// Kinds of identifier that rules name besides the built-in ones.
    pub kinds: Vec<At<String>>,
    pub rules: Vec<Rule>,
    /// `None` where the file says nothing about it.
    pub keep: Option<Vec<At<Kept>>>,
    pub exceptions: Vec<Exception>,
    pub tests: Vec<Test>,
    /// The allow-list of attribute keys beside the catalogue's; `None`: every key may leave.
    pub attributes: Option<At<Vec<Glob>>>,
    pub retention: Vec<Retention>,
    /// Regions that destinations may be in; `None`: any.
    pub regions: Option<Vec<String>>,
    /// The oldest TLS that a destination may be spoken to with.
    pub tls: Option<Tls>,
}

/// How long the receiver may keep a class of records.
#[derive(Debug)]
pub struct Retention {
    pub name: At<String>,
    pub days: u16,
    pub signals: Vec<Signal>,
    pub when: Vec<At<Clause>>,
}

#[derive(Debug)]
pub struct Rule {
    pub name: At<String>,
    pub description: Option<String>,
    pub signals: Vec<Signal>,
    /// `None`: wherever the rest of the rule can apply.
    pub parts: Option<At<PartSet>>,
    pub keys: Vec<At<Glob>>,
    pub when: Vec<At<Clause>>,
    pub target: Target,
    /// The kind that `as:` names.
    pub kind: Option<At<String>>,
    pub action: Action,
    pub options: Options,
    pub names_host: bool,
    /// A map under the key is judged by its own keys.
    pub scalars_only: bool,
    pub examples: Vec<Example>,
}

/// What a rule looks for.
#[derive(Debug)]
pub enum Target {
    /// The whole record, by its condition alone.
    Record,
    /// The whole field.
    Field,
    Detect(Wanted),
    Pattern(At<Pattern>),
    Dictionary(At<Dictionary>),
}

#[derive(Debug)]
pub struct Pattern {
    pub regex: String,
    pub keywords: Vec<String>,
    /// The group that is hidden; 0 is the whole match.
    pub group: u8,
    pub validators: Vec<Validator>,
}

#[derive(Debug, Default)]
pub struct Dictionary {
    pub hosts: Vec<String>,
    pub keywords: Vec<String>,
}

/// How an action is done; which ones fit is checked with the action.
#[derive(Debug, Default)]
pub struct Options {
    pub form: Option<At<Form>>,
    pub acknowledge: Option<At<String>>,
    pub fold_local: bool,
    pub keep_public_suffix: bool,
    pub last: Option<u8>,
    pub v4: Option<u8>,
    pub v6: Option<u8>,
    pub day: bool,
}

/// How a pseudonym looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// An opaque token, whatever the kind.
    Token,
    /// An IP address again.
    Address,
    /// An IP address again, addresses of one network staying together.
    Subnet,
}

/// An input that the rule must, or must not, act on.
#[derive(Clone, Debug)]
pub struct Example {
    pub hit: bool,
    pub given: At<Given>,
}

impl Example {
    /// A log record that says just this.
    pub fn request(&self) -> (Signal, serde_json::Value) {
        let record = match &self.given.value {
            Given::Text(text) => json!({"body": {"stringValue": text}}),
            Given::Field { key, value } => json!({"attributes": [{"key": key, "value": {"stringValue": value}}]}),
        };
        (Signal::Logs, json!({"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]}))
    }
}

#[derive(Clone, Debug)]
pub enum Given {
    Text(String),
    Field { key: String, value: String },
}

/// What a rule must let through nevertheless.
#[derive(Debug)]
pub struct Exception {
    pub rules: Vec<At<Glob>>,
    pub keys: Vec<Glob>,
    pub values: Vec<Kept>,
    pub reason: String,
    pub owner: String,
    pub expires: At<Date>,
}

/// What stands at the top of a policy file.
pub const POLICY_KEYS: &[&str] = &[
    "version",
    "name",
    "description",
    "extends",
    "kinds",
    "attributes",
    "retention",
    "regions",
    "tls",
    "rules",
    "keep",
    "exceptions",
    "tests",
];

/// Reads a document; `include` reads the file that a dictionary names.
pub fn read(
    reader: &mut Reader<'_>,
    root: &Node,
    include: &dyn Fn(&str) -> Result<String, String>,
) -> Option<Document> {
    let fields = reader.fields(root, "a policy", POLICY_KEYS)?;
    if let Some(version) = fields.required("version", reader)
        && !matches!(version.value, Yaml::Int(1))
    {
        reader.error(Code::UnknownVersion, &version.at, "this version of the policy language is unknown").help =
            Some("write `version: 1`".into());
    }
    let texts = |key, reader: &mut Reader<'_>| fields.get(key).map_or(Vec::new(), |node| reader.texts(node));
    let name = fields.get("name").and_then(|node| reader.text(node)).map_or(String::new(), |name| name.value);
    fields.get("description").and_then(|node| reader.text(node));
    let extends = texts("extends", reader);
    let kinds = texts("kinds", reader);
    for kind in &kinds {
        check_name(reader, kind, "a kind", |c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    }
    let rules = match fields.get("rules") {
        Some(node) => {
            let items = reader.filled_list(node, "add a rule, or leave out `rules:`").unwrap_or_default();
            items.iter().filter_map(|item| read_rule(reader, item, include)).collect()
        }
        None => Vec::new(),
    };
    let keep = fields.get("keep").map(|node| read_kept(reader, node));
    let exceptions = match fields.get("exceptions") {
        Some(node) => {
            let items = reader.list(node).unwrap_or_default();
            items.iter().filter_map(|item| read_exception(reader, item)).collect()
        }
        None => Vec::new(),
    };
    let tests = fields.get("tests").map_or(Vec::new(), |node| read_tests(reader, node));
    let attributes = fields.get("attributes").and_then(|node| read_permitted(reader, node));
    let retention = fields.get("retention").map_or(Vec::new(), |node| read_retention(reader, node));
    let regions = fields.get("regions").map(|node| read_regions(reader, node));
    let tls = fields.get("tls").and_then(|node| read_tls(reader, node));
    if fields.get("rules").is_none() && extends.is_empty() {
        let diagnostic = reader.error(Code::Empty, &root.at, "this policy has no rules and extends none");
        diagnostic.help = Some("add `rules:`, or `extends: base`".into());
    }
    Some(Document { name, extends, kinds, rules, keep, exceptions, tests, attributes, retention, regions, tls })
}

/// What a rule can say.
pub const RULE_KEYS: &[&str] = &[
    "name",
    "description",
    "signals",
    "parts",
    "keys",
    "when",
    "detect",
    "pattern",
    "dictionary",
    "as",
    "action",
    "form",
    "acknowledge",
    "fold_local",
    "keep_public_suffix",
    "last",
    "v4",
    "v6",
    "day",
    "names_host",
    "scalars_only",
    "hits",
    "misses",
];

fn read_rule(reader: &mut Reader<'_>, node: &Node, include: &dyn Fn(&str) -> Result<String, String>) -> Option<Rule> {
    let fields = reader.fields(node, "a rule", RULE_KEYS)?;
    let name = fields.required("name", reader).and_then(|node| reader.text(node));
    if let Some(name) = &name {
        check_name(reader, name, "a rule", |c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    }
    let description = fields.get("description").and_then(|node| reader.text(node)).map(|text| text.value);
    let signals = match fields.get("signals") {
        Some(node) => read_signals(reader, node),
        None => Signal::ALL.to_vec(),
    };
    let parts = fields.get("parts").map(|node| read_parts(reader, node));
    let keys: Vec<At<Glob>> = fields.get("keys").map_or(Vec::new(), |node| read_globs(reader, node));
    let when = fields.get("when").map_or(Vec::new(), |node| read_when(reader, node));
    let action_words = Action::ALL.map(|action| (action.name(), action));
    let action = fields
        .required("action", reader)
        .and_then(|node| reader.word(node, Code::UnknownAction, "action", &action_words).map(|action| (action, node)));
    let kind = fields.get("as").and_then(|node| reader.text(node));
    let names_host = fields.get("names_host").and_then(|node| reader.boolean(node)).unwrap_or(false);
    let scalars_only = fields.get("scalars_only").and_then(|node| reader.boolean(node)).unwrap_or(false);
    let examples = read_examples(reader, &fields);
    let target = read_target(reader, &fields, include);
    let options = read_options(reader, &fields);
    if let Some((action, node)) = action {
        check_options(reader, &fields, action, node, &options);
    }
    let (name, (action, _), target) = (name?, action?, target?);
    Some(Rule {
        name,
        description,
        signals,
        parts,
        keys,
        when,
        target,
        kind,
        action,
        options,
        names_host,
        scalars_only,
        examples,
    })
}

fn read_examples(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Vec<Example> {
    let mut examples = Vec::new();
    for (key, hit) in [("hits", true), ("misses", false)] {
        let Some(node) = fields.get(key) else { continue };
        for item in reader.list(node).unwrap_or_default() {
            let given = match &item.value {
                Yaml::Map(entries) if entries.len() == 1 => {
                    Given::Field { key: entries[0].0.value.word(), value: entries[0].1.value.word() }
                }
                Yaml::Text(text) => Given::Text(text.clone()),
                _ => {
                    reader.error(Code::WrongType, &item.at, "an example is a text, or one `key: value`");
                    continue;
                }
            };
            examples.push(Example { hit, given: reader.at(item, given) });
        }
    }
    examples
}

fn check_name(reader: &mut Reader<'_>, name: &At<String>, what: &str, allowed: fn(char) -> bool) {
    const MAX_NAME: usize = 64;
    if name.value.is_empty() || name.value.len() > MAX_NAME || !name.value.chars().all(allowed) {
        let message = format!("`{}` cannot be the name of {what}", name.value);
        reader.error(Code::BadName, &name.at, message).help =
            Some(format!("up to {MAX_NAME} lower-case letters, digits, `_` (for rules also `-` and `.`)"));
    }
}
