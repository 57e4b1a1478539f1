//! What is written in a policy file, typed: each field is checked for itself here, what spans rules in [`super::check`].

use jiff::civil::Date;

use crate::detect::Wanted;
use crate::detect::pattern::Validator;
use crate::otlp::{Part, PartSet, Signal};

use super::assignment::assignment;
use super::compiled::Action;
use super::condition::{Clause, Level, Operand, Test};
use super::diagnostic::Code;
use super::glob::Glob;
use super::keep::Kept;
use super::reader::{At, Fields, Reader};
use super::yaml::{Node, Yaml};

/// One policy file.
#[derive(Debug)]
pub struct Document {
    pub name: String,
    pub extends: Vec<At<String>>,
    /// Kinds of identifier that rules name besides the built-in ones.
    pub kinds: Vec<At<String>>,
    pub rules: Vec<Rule>,
    /// `None` where the file says nothing about it.
    pub keep: Option<Vec<Kept>>,
    pub exceptions: Vec<Exception>,
}

#[derive(Debug)]
pub struct Rule {
    pub name: At<String>,
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

/// Reads a document; `include` reads the file that a dictionary names.
pub fn read(
    reader: &mut Reader<'_>,
    root: &Node,
    include: &dyn Fn(&str) -> Result<String, String>,
) -> Option<Document> {
    const KEYS: &[&str] = &["version", "name", "description", "extends", "kinds", "rules", "keep", "exceptions"];
    let fields = reader.fields(root, "a policy", KEYS)?;
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
    if fields.get("rules").is_none() && extends.is_empty() {
        let diagnostic = reader.error(Code::Empty, &root.at, "this policy has no rules and extends none");
        diagnostic.help = Some("add `rules:`, or `extends: base`".into());
    }
    Some(Document { name, extends, kinds, rules, keep, exceptions })
}

fn read_rule(reader: &mut Reader<'_>, node: &Node, include: &dyn Fn(&str) -> Result<String, String>) -> Option<Rule> {
    const KEYS: &[&str] = &[
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
    let fields = reader.fields(node, "a rule", KEYS)?;
    let name = fields.required("name", reader).and_then(|node| reader.text(node));
    if let Some(name) = &name {
        check_name(reader, name, "a rule", |c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    }
    fields.get("description").and_then(|node| reader.text(node));
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
    Some(Rule { name, signals, parts, keys, when, target, kind, action, options, names_host, scalars_only, examples })
}

/// Which one of the targets a rule has.
fn read_target(
    reader: &mut Reader<'_>,
    fields: &Fields<'_>,
    include: &dyn Fn(&str) -> Result<String, String>,
) -> Option<Target> {
    let written: Vec<&str> =
        ["detect", "pattern", "dictionary"].into_iter().filter(|key| fields.get(key).is_some()).collect();
    let place = |key: &str| fields.key(key).map(|node| node.at.clone());
    if let [_, second, ..] = *written {
        let at = place(second).expect("it is written");
        let diagnostic = reader.error(Code::NotOneTarget, &at, "a rule looks for one thing only");
        diagnostic.help = Some(format!("make a rule of its own for `{second}`"));
        return None;
    }
    if let Some(node) = fields.get("detect") {
        return read_detect(reader, fields, node);
    }
    if let Some(node) = fields.get("pattern") {
        return read_pattern(reader, node).map(|pattern| Target::Pattern(reader.at(node, pattern)));
    }
    if let Some(node) = fields.get("dictionary") {
        return read_dictionary(reader, node, include).map(|found| Target::Dictionary(reader.at(node, found)));
    }
    if fields.get("keys").is_some() || fields.get("parts").is_some() {
        // Whatever hides the value must know what it is; taking it away need not.
        let action = fields.get("action").map_or(String::new(), |node| node.value.word());
        let needs_kind = ["pseudonymise", "encrypt", "mask", "generalise"].contains(&action.as_str());
        if needs_kind && fields.get("as").is_none() {
            let at = place("action").expect("it has just been read");
            let diagnostic = reader.error(Code::NotOneTarget, &at, "this rule says where, but not what to look for");
            diagnostic.help = Some(
                "add `as: host` (address, ip, email, user, …) for the whole field, or `detect:`, `pattern:`, \
                 `dictionary:` for what stands inside it"
                    .into(),
            );
            return None;
        }
        return Some(Target::Field);
    }
    if fields.get("action").is_some_and(|node| node.value.word() == Action::DropRecord.name()) {
        return Some(Target::Record);
    }
    if let Some(at) = place("name").or_else(|| place("action")) {
        let diagnostic = reader.error(Code::NotOneTarget, &at, "this rule does not say what to look for");
        diagnostic.help = Some("add `keys:`, `detect:`, `pattern:` or `dictionary:`".into());
    }
    None
}

fn read_detect(reader: &mut Reader<'_>, fields: &Fields<'_>, node: &Node) -> Option<Target> {
    const DETECTORS: [(&str, Wanted); 5] = [
        ("ip", Wanted::IP),
        ("email", Wanted::EMAIL),
        ("host", Wanted::HOST),
        ("user", Wanted::USER),
        ("credential", Wanted::CREDENTIAL),
    ];
    if let Some(kind) = fields.key("as") {
        let diagnostic = reader.error(Code::OptionDoesNotFit, &kind.at, "what is detected has its own kind");
        diagnostic.help = Some("leave out `as:`, or leave out `detect:` to take the whole field".into());
    }
    let mut wanted = Wanted::NONE;
    for item in reader.filled_list(node, "name what to detect, for example `detect: [ip]`")? {
        wanted = wanted | reader.word(item, Code::UnknownDetector, "detector", &DETECTORS)?;
    }
    Some(Target::Detect(wanted))
}

fn read_pattern(reader: &mut Reader<'_>, node: &Node) -> Option<Pattern> {
    const VALIDATORS: [(&str, Validator); 3] =
        [("luhn", Validator::Luhn), ("iban", Validator::Iban), ("jwt", Validator::Jwt)];
    if let Yaml::Text(_) = node.value {
        let regex = read_regex(reader, node)?;
        return Some(Pattern { regex, keywords: Vec::new(), group: 0, validators: Vec::new() });
    }
    let known = &["regex", "keywords", "assigned_to", "validator", "group", "entropy"];
    let fields = reader.fields(node, "a pattern", known)?;
    let regex = fields.required("regex", reader).and_then(|node| read_regex(reader, node));
    let names = fields.get("assigned_to").map_or(Vec::new(), |node| reader.texts(node));
    let names: Vec<String> = names.into_iter().map(|name| name.value).filter(|name| !name.is_empty()).collect();
    let keywords = fields.get("keywords").map_or(Vec::new(), |node| reader.texts(node));
    let validator =
        fields.get("validator").and_then(|node| reader.word(node, Code::UnknownValidator, "validator", &VALIDATORS));
    let group = fields.get("group").and_then(|node| reader.number(node, 0..=32).map(|group| (group as u8, node)));
    let entropy = fields.get("entropy").and_then(|node| reader.float(node));
    let regex = regex?;
    if let Some((group, node)) = group
        && regex::bytes::Regex::new(&regex).is_ok_and(|compiled| usize::from(group) >= compiled.captures_len())
    {
        reader.error(Code::OutOfRange, &node.at, "the regular expression has no such group");
    }
    let keywords = keywords.into_iter().map(|keyword| keyword.value).collect();
    let group = group.map_or(0, |(group, _)| group);
    let (regex, group) = match names.is_empty() {
        true => (regex, group),
        false => (assignment(&names, &regex), group + 1),
    };
    Some(Pattern {
        regex,
        keywords,
        group,
        validators: validator.into_iter().chain(entropy.map(Validator::Entropy)).collect(),
    })
}

/// A regular expression that compiles within bounds and matches something; errors point into it.
fn read_regex(reader: &mut Reader<'_>, node: &Node) -> Option<String> {
    const MAX_REGEX: usize = 4096;
    let text = reader.text(node)?.value;
    if text.len() > MAX_REGEX {
        reader.error(Code::TooMany, &node.at, format!("a regular expression has at most {MAX_REGEX} characters"));
        return None;
    }
    let parsed = regex_syntax::ParserBuilder::new().utf8(false).build().parse(&text);
    let (message, span) = match parsed {
        Ok(hir) if hir.properties().minimum_len().unwrap_or(0) == 0 => {
            reader.error(Code::BadRegex, &node.at, "this regular expression matches the empty text").help =
                Some("require at least one character".into());
            return None;
        }
        Ok(_) => match regex::bytes::RegexBuilder::new(&text).size_limit(2 << 20).build() {
            Ok(_) => return Some(text),
            Err(_) => ("it compiles to more than 2 MiB".to_owned(), None),
        },
        Err(regex_syntax::Error::Parse(error)) => (error.kind().to_string(), Some(*error.span())),
        Err(regex_syntax::Error::Translate(error)) => (error.kind().to_string(), Some(*error.span())),
        Err(_) => ("it cannot be parsed".to_owned(), None),
    };
    let at = span.map_or(node.at.clone(), |span| {
        let start = reader.inside(&node.at, &text, span.start.offset);
        let end = reader.inside(&node.at, &text, span.end.offset.saturating_sub(1).max(span.start.offset));
        start.start..end.end
    });
    let diagnostic = reader.error(Code::BadRegex, &at, format!("this regular expression is wrong: {message}"));
    diagnostic.label = "here".into();
    None
}

fn read_dictionary(
    reader: &mut Reader<'_>,
    node: &Node,
    include: &dyn Fn(&str) -> Result<String, String>,
) -> Option<Dictionary> {
    let fields = reader.fields(node, "a dictionary", &["hosts", "keywords", "hosts_file", "keywords_file"])?;
    let mut unread = false;
    let mut words = |list: &'static str, file: &'static str| -> Vec<String> {
        let mut found: Vec<String> =
            fields.get(list).map_or(Vec::new(), |node| reader.texts(node)).into_iter().map(|at| at.value).collect();
        if let Some(node) = fields.get(file)
            && let Some(path) = reader.text(node)
        {
            match include(&path.value) {
                Ok(text) => found.extend(
                    text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#')).map(str::to_owned),
                ),
                Err(why) => {
                    reader.error(Code::CannotRead, &node.at, format!("cannot read `{}`: {why}", path.value));
                    unread = true;
                }
            }
        }
        found
    };
    let dictionary = Dictionary { hosts: words("hosts", "hosts_file"), keywords: words("keywords", "keywords_file") };
    if unread {
        return None;
    }
    match (dictionary.hosts.is_empty(), dictionary.keywords.is_empty()) {
        (true, true) => {
            reader.error(Code::Empty, &node.at, "this dictionary is empty").help =
                Some("list `hosts:` or `keywords:`, or name a `hosts_file:` or `keywords_file:`, one a line".into());
            None
        }
        (false, false) => {
            let diagnostic = reader.error(Code::DictionaryWrong, &node.at, "a dictionary holds one kind of thing");
            diagnostic.help = Some("make two rules: one with `hosts`, one with `keywords`".into());
            None
        }
        _ => Some(dictionary),
    }
}

fn read_options(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Options {
    const FORMS: [(&str, Form); 3] = [("token", Form::Token), ("address", Form::Address), ("subnet", Form::Subnet)];
    let flag = |key, reader: &mut Reader<'_>| fields.get(key).and_then(|n| reader.boolean(n)).unwrap_or(false);
    let number = |key, high, reader: &mut Reader<'_>| {
        fields.get(key).and_then(|node| reader.number(node, 0..=high)).map(|value| value as u8)
    };
    let form = fields.get("form").and_then(|node| {
        if matches!(&node.value, Yaml::Text(text) if text == "reversible") {
            let diagnostic = reader.error(Code::UnknownForm, &node.at, "what can be reversed is not a pseudonym");
            diagnostic.help = Some("write `action: encrypt` instead".into());
            return None;
        }
        reader.word(node, Code::UnknownForm, "form", &FORMS).map(|form| reader.at(node, form))
    });
    let acknowledge = fields.get("acknowledge").and_then(|node| reader.text(node));
    Options {
        form,
        acknowledge,
        fold_local: flag("fold_local", reader),
        keep_public_suffix: flag("keep_public_suffix", reader),
        last: number("last", 16, reader),
        v4: number("v4", 32, reader),
        v6: number("v6", 128, reader),
        day: flag("day", reader),
    }
}

/// What `acknowledge:` must say for `form: subnet`.
const SUBNET_LEAK: &str = "shared_prefixes";

/// Whether the options belong to the action.
fn check_options(reader: &mut Reader<'_>, fields: &Fields<'_>, action: Action, action_node: &Node, options: &Options) {
    let belongs: [(&str, &[Action]); 8] = [
        ("form", &[Action::Pseudonymise]),
        ("acknowledge", &[Action::Pseudonymise]),
        ("fold_local", &[Action::Pseudonymise]),
        ("keep_public_suffix", &[Action::Pseudonymise]),
        ("last", &[Action::Mask]),
        ("v4", &[Action::Generalise]),
        ("v6", &[Action::Generalise]),
        ("day", &[Action::Generalise]),
    ];
    for (option, actions) in belongs {
        if let Some(key) = fields.key(option)
            && !actions.contains(&action)
        {
            let message = format!("`{option}` says nothing to `{}`", action.name());
            reader.error(Code::OptionDoesNotFit, &key.at, message).help =
                Some(format!("it belongs to `action: {}`", actions[0].name()));
        }
    }
    if action == Action::Mask && fields.get("last").is_none() {
        let diagnostic = reader.error(Code::MissingField, &action_node.at, "`mask` needs `last`");
        diagnostic.help = Some("how many characters may be seen, for example `last: 4`".into());
    }
    if let Some(form) = &options.form
        && form.value == Form::Subnet
        && options.acknowledge.as_ref().is_none_or(|said| said.value != SUBNET_LEAK)
    {
        let at = options.acknowledge.as_ref().map_or(&form.at, |said| &said.at);
        let message = "`form: subnet` lets the reader see which addresses share a network";
        reader.error(Code::SubnetNotAcknowledged, at, message).help =
            Some(format!("if that is meant, add `acknowledge: {SUBNET_LEAK}`"));
    }
}

fn read_signals(reader: &mut Reader<'_>, node: &Node) -> Vec<Signal> {
    let words = Signal::ALL.map(|signal| (signal.name(), signal));
    let items = reader.filled_list(node, "leave out `signals:` to mean all").unwrap_or_default();
    items.iter().filter_map(|item| reader.word(item, Code::UnknownSignal, "signal", &words)).collect()
}

/// Parts by name; `attributes` stands for the attribute values of everything.
fn read_parts(reader: &mut Reader<'_>, node: &Node) -> At<PartSet> {
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

fn read_globs(reader: &mut Reader<'_>, node: &Node) -> Vec<At<Glob>> {
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

fn read_when(reader: &mut Reader<'_>, node: &Node) -> Vec<At<Clause>> {
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
        Yaml::Map(entries) if entries.len() == 1 => {
            let fields = reader.fields(node, "a test", &["in", "matches", "exists", "not"])?;
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
            reader.error(Code::BadCondition, &node.at, "a test is one of `in`, `matches`, `exists`, `not`");
            None
        }
        _ => operand(reader, node).map(|operand| Test::In(vec![operand])),
    }
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

fn read_kept(reader: &mut Reader<'_>, node: &Node) -> Vec<Kept> {
    let texts = match &node.value {
        Yaml::List(items) if items.is_empty() => return Vec::new(),
        _ => reader.texts(node),
    };
    let mut kept = Vec::new();
    for text in texts {
        match Kept::parse(&text.value) {
            Ok(entry) => kept.push(entry),
            Err(why) => {
                let diagnostic = reader.error(Code::BadKeep, &text.at, format!("`{}` cannot be kept", text.value));
                diagnostic.label = why.into();
                diagnostic.help = Some("for example `127.0.0.0/8`, `localhost`, `*.example.com`".into());
            }
        }
    }
    kept
}

/// Only the keep list of a document.
pub fn read_keep(reader: &mut Reader<'_>, root: &Node) -> Vec<Kept> {
    let Yaml::Map(entries) = &root.value else { return Vec::new() };
    let keep = entries.iter().find(|(key, _)| matches!(&key.value, Yaml::Text(text) if text == "keep"));
    keep.map_or(Vec::new(), |(_, node)| read_kept(reader, node))
}

fn read_exception(reader: &mut Reader<'_>, node: &Node) -> Option<Exception> {
    let known = &["rules", "keys", "values", "reason", "owner", "expires"];
    let fields = reader.fields(node, "an exception", known)?;
    let rules = fields.required("rules", reader).map(|node| read_globs(reader, node));
    let keys = fields.get("keys").map_or(Vec::new(), |node| read_globs(reader, node));
    let values = fields.get("values").map_or(Vec::new(), |node| read_kept(reader, node));
    if fields.get("keys").is_none() && fields.get("values").is_none() {
        let diagnostic = reader.error(Code::MissingField, &node.at, "an exception needs `keys` or `values`");
        diagnostic.help = Some("say what is let through: attribute keys, or addresses, hosts and e-mails".into());
    }
    let said = |key, reader: &mut Reader<'_>| {
        let text = fields.required(key, reader).and_then(|node| reader.text(node))?;
        if text.value.trim().is_empty() {
            reader.error(Code::Empty, &text.at, format!("`{key}` is empty"));
            return None;
        }
        Some(text.value)
    };
    let (reason, owner) = (said("reason", reader), said("owner", reader));
    let expires = fields.required("expires", reader).and_then(|node| {
        let text = reader.text(node)?;
        match text.value.parse::<Date>() {
            Ok(date) => Some(text.map(|_| date)),
            Err(_) => {
                let diagnostic = reader.error(Code::BadDate, &text.at, format!("`{}` is no date", text.value));
                diagnostic.help = Some("write year, month and day: `2027-03-31`".into());
                None
            }
        }
    });
    let keys = keys.into_iter().map(|glob| glob.value).collect();
    Some(Exception { rules: rules?, keys, values, reason: reason?, owner: owner?, expires: expires? })
}

fn check_name(reader: &mut Reader<'_>, name: &At<String>, what: &str, allowed: fn(char) -> bool) {
    const MAX_NAME: usize = 64;
    if name.value.is_empty() || name.value.len() > MAX_NAME || !name.value.chars().all(allowed) {
        let message = format!("`{}` cannot be the name of {what}", name.value);
        reader.error(Code::BadName, &name.at, message).help =
            Some(format!("up to {MAX_NAME} lower-case letters, digits, `_` (for rules also `-` and `.`)"));
    }
}
