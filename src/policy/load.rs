//! Policy files, and those that they extend, to one policy.

use std::path::{Path, PathBuf};

use jiff::civil::Date;

use super::check;
use super::compile;
use super::compiled::RuleId;
use super::decide::Policy;
use super::diagnostic::{Code, Diagnostic, Diagnostics, Source, line_and_column};
use super::keep::Kept;
use super::lint;
use super::permitted;
use super::reader::{At, Reader};
use super::retention;
use super::syntax::{self, Document};
use super::yaml::{self, Node};

/// The packs of rules that `extends:` can name, and their text: every file in `rules/`.
pub static PACKS: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/packs.rs"));

impl Policy {
    /// The policy that holds when none is given: `rules/base.yaml`.
    pub fn base() -> Policy {
        let (name, text) = base_pack();
        // Without exceptions in it, the date says nothing.
        Policy::parse(&[(name, text)], Date::MAX).expect("a test proves that the embedded policy is right")
    }

    /// Reads policy files, and those that they extend, and composes them. The date is the machine's, in UTC.
    ///
    /// # Errors
    /// Everything that is wrong, at once; [`Diagnostics::is_missing_input`] where a file could not be read.
    pub fn load(paths: &[PathBuf]) -> Result<Policy, Diagnostics> {
        Policy::load_without(paths, None)
    }

    /// The same, as if one rule did not stand in its file: whether anything notices its loss.
    ///
    /// # Errors
    /// As [`Policy::load`].
    pub fn load_without(paths: &[PathBuf], rule: Option<&str>) -> Result<Policy, Diagnostics> {
        let mut missing = Diagnostics::default();
        let mut sources = Vec::new();
        for path in paths {
            let name = path.display().to_string();
            match std::fs::read_to_string(path) {
                Ok(text) => sources.push(Source { name, text }),
                Err(error) => {
                    let message = format!("cannot read {name}: {error}");
                    missing.sources.push(Source { name, text: String::new() });
                    let file = missing.sources.len() - 1;
                    missing.items.push(Diagnostic::error(Code::CannotRead, file, 0..0, message));
                }
            }
        }
        if !missing.items.is_empty() {
            return Err(missing);
        }
        let files = std::cell::RefCell::new(paths.to_vec());
        let policy = build(sources, today(), rule, &|path, from| {
            let beside = Path::new(from).parent().unwrap_or(Path::new("")).join(path);
            let read = std::fs::read_to_string(&beside);
            let name = beside.display().to_string();
            files.borrow_mut().push(beside);
            read.map(|text| (name, text)).map_err(|error| error.to_string())
        })?;
        Ok(Policy { files: files.into_inner(), ..policy })
    }

    /// Compiles named texts, without reading anything else. Exceptions that expired before `today` do nothing and are
    /// among the [`warnings`](Self::warnings).
    ///
    /// # Errors
    /// Everything that is wrong, at once.
    pub fn parse(sources: &[(&str, &str)], today: Date) -> Result<Policy, Diagnostics> {
        let sources =
            sources.iter().map(|(name, text)| Source { name: (*name).into(), text: (*text).into() }).collect();
        build(sources, today, None, &|_, _| Err("files are not read here".into()))
    }
}

/// The pack that holds when no policy is given.
fn base_pack() -> (&'static str, &'static str) {
    *PACKS.iter().find(|(name, _)| *name == "base").expect("rules/base.yaml is there")
}

/// The machine's date, in UTC.
fn today() -> Date {
    jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date()
}

/// Reads a file that a policy names: (path as written, the file it is written in) → (name, text).
type ReadBeside<'a> = &'a dyn Fn(&str, &str) -> Result<(String, String), String>;

fn build(
    sources: Vec<Source>,
    today: Date,
    without: Option<&str>,
    read_beside: ReadBeside<'_>,
) -> Result<Policy, Diagnostics> {
    let mut found = Diagnostics { sources, items: Vec::new() };
    let included = std::cell::RefCell::new(Vec::new());
    let own = found.sources.len();
    let mut documents: Vec<Document> = Vec::new();
    let mut canonical = Vec::new();
    let mut next = 0;
    // The list grows while files name the packs that they extend.
    while next < found.sources.len() {
        let Source { name, text } = found.sources[next].clone();
        let root = match yaml::parse(&text) {
            Ok(root) => root,
            Err(wrong) => {
                found.items.push(
                    Diagnostic::error(Code::NotYaml, next, wrong.at, "this is not YAML that can be read")
                        .label(wrong.message),
                );
                next += 1;
                continue;
            }
        };
        canonical.push(said(&root));
        let include = |path: &str| {
            let (_, text) = read_beside(path, &name)?;
            included.borrow_mut().push(text.clone());
            Ok(text)
        };
        let mut reader = Reader { file: next, text: &text, found: &mut found.items };
        if let Some(document) = syntax::read(&mut reader, &root, &include) {
            extend(&document, &name, &mut found, read_beside);
            let has_catalogue = found.sources.iter().any(|source| source.name == permitted::SOURCE);
            if document.attributes.is_some() && !has_catalogue {
                found.sources.push(Source { name: permitted::SOURCE.into(), text: permitted::rules() });
            }
            documents.push(document);
        }
        next += 1;
    }
    found.items.extend(check::check(&documents, today));
    if found.has_errors() {
        return Err(found);
    }
    let lines = |name: &At<String>| {
        let source = &found.sources[name.file];
        (source.name.clone(), line_and_column(&source.text, name.at.start).0)
    };
    for document in &mut documents {
        document.rules.retain(|rule| Some(rule.name.value.as_str()) != without);
        if without == Some(retention::RULE) {
            document.retention.clear();
        }
        // A file that says nothing has the list of the base policy: were it no list at all, adding a file with a long
        // one would widen what this file's rules let through.
        document.keep.get_or_insert_with(base_keep);
    }
    match compile::compile(&documents, &lines, today) {
        Ok(policy) => {
            let digest = digest(canonical, included.into_inner());
            let costs: Vec<_> =
                policy.costs.iter().filter_map(|(rule, why)| named(&documents, &policy, *rule, why)).collect();
            let lints = lint::lint(&documents, own, &costs, today);
            Ok(Policy { digest, warnings: found, lints, ..policy })
        }
        Err(problems) => {
            found.items.extend(problems);
            Err(found)
        }
    }
}

/// A rule's name, with its place, and what is said of it.
fn named(
    documents: &[Document],
    policy: &Policy,
    rule: RuleId,
    said: &'static str,
) -> Option<(At<String>, &'static str)> {
    let name = &policy.infos.get(usize::from(rule.0))?.name;
    let mut rules = documents.iter().flat_map(|document| &document.rules);
    rules.find(|rule| rule.name.value == *name).map(|rule| (rule.name.clone(), said))
}

/// The embedded policy's keep list.
fn base_keep() -> Vec<At<Kept>> {
    let (_, text) = base_pack();
    let root = yaml::parse(text).expect("a test proves that the embedded policy is right");
    let mut found = Vec::new();
    // It is on the list of no file.
    let mut reader = Reader { file: usize::MAX, text, found: &mut found };
    syntax::read_keep(&mut reader, &root)
}

/// Adds the sources that a document extends, each once.
fn extend(document: &Document, name: &str, found: &mut Diagnostics, read_beside: ReadBeside<'_>) {
    for pack in &document.extends {
        let source = match PACKS.iter().find(|(known, _)| *known == pack.value) {
            Some((known, text)) => Ok(((*known).to_owned(), (*text).to_owned())),
            None if pack.value.ends_with(".yaml") || pack.value.ends_with(".yml") => read_beside(&pack.value, name),
            None => Err("there is no such pack".into()),
        };
        match source {
            Ok((name, text)) if !found.sources.iter().any(|known| known.text == text) => {
                found.sources.push(Source { name, text });
            }
            Ok(_) => {}
            Err(why) => {
                let names = || PACKS.iter().map(|(name, _)| *name);
                let help = super::diagnostic::did_you_mean(&pack.value, names()).unwrap_or_else(|| {
                    format!("packs: {}; or the path of a .yaml file", names().collect::<Vec<_>>().join(", "))
                });
                let message = format!("cannot extend `{}`", pack.value);
                found.items.push(
                    Diagnostic::error(Code::UnknownPack, pack.file, pack.at.clone(), message).label(why).help(help),
                );
            }
        }
    }
}

/// What a file says, for the digest: its tests say nothing of what may leave.
fn said(root: &Node) -> String {
    let mut said = root.value.canonical();
    if let Some(members) = said.as_object_mut() {
        members.remove("tests");
    }
    said.to_string()
}

fn digest(mut canonical: Vec<String>, mut included: Vec<String>) -> String {
    canonical.sort();
    included.sort();
    let mut hash = ring::digest::Context::new(&ring::digest::SHA256);
    for text in canonical.iter().chain(&included) {
        hash.update(&(text.len() as u64).to_be_bytes());
        hash.update(text.as_bytes());
    }
    hash.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
