//! What a rule looks for.

use regex_automata::nfa::thompson;
use regex_syntax::hir::Hir;

use crate::detect::Wanted;
use crate::detect::pattern::Validator;
use crate::policy::assignment::assignment;
use crate::policy::compiled::Action;
use crate::policy::diagnostic::Code;
use crate::policy::reader::{Fields, Reader};
use crate::policy::yaml::{Node, Yaml};

use super::{Dictionary, Pattern, Target};

/// Which one of the targets a rule has.
pub fn read_target(
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

pub const PATTERN_KEYS: &[&str] = &["regex", "keywords", "assigned_to", "validator", "group", "entropy"];

fn read_pattern(reader: &mut Reader<'_>, node: &Node) -> Option<Pattern> {
    const VALIDATORS: [(&str, Validator); 3] =
        [("luhn", Validator::Luhn), ("iban", Validator::Iban), ("jwt", Validator::Jwt)];
    if let Yaml::Text(_) = node.value {
        let regex = read_regex(reader, node)?;
        return Some(Pattern { regex, keywords: Vec::new(), group: 0, validators: Vec::new() });
    }
    let fields = reader.fields(node, "a pattern", PATTERN_KEYS)?;
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
        && parsed(&regex).is_ok_and(|hir| usize::from(group) > hir.properties().explicit_captures_len())
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

fn parsed(regex: &str) -> Result<Hir, Box<regex_syntax::Error>> {
    regex_syntax::ParserBuilder::new().utf8(false).build().parse(regex).map_err(Box::new)
}

/// A regular expression that compiles within bounds and matches something; errors point into it.
fn read_regex(reader: &mut Reader<'_>, node: &Node) -> Option<String> {
    const MAX_REGEX: usize = 4096;
    let bounded = thompson::Config::new().utf8(false).nfa_size_limit(Some(2 << 20));
    let text = reader.text(node)?.value;
    if text.len() > MAX_REGEX {
        reader.error(Code::TooMany, &node.at, format!("a regular expression has at most {MAX_REGEX} characters"));
        return None;
    }
    let (message, span) = match parsed(&text).map_err(|wrong| *wrong) {
        Ok(hir) if hir.properties().minimum_len().unwrap_or(0) == 0 => {
            reader.error(Code::BadRegex, &node.at, "this regular expression matches the empty text").help =
                Some("require at least one character".into());
            return None;
        }
        Ok(hir) => {
            // As the detector compiles it: `\w` means ASCII, unless the expression does not do without Unicode.
            let ascii = regex_syntax::ParserBuilder::new().utf8(false).unicode(false).build().parse(&text);
            // The automaton alone says how large it is, in a fraction of the time that the whole matcher takes.
            match thompson::Compiler::new().configure(bounded).build_from_hir(&ascii.unwrap_or(hir)) {
                Ok(_) => return Some(text),
                Err(_) => ("it compiles to more than 2 MiB".to_owned(), None),
            }
        }
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
