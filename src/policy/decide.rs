//! The compiled policy and the questions it answers.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use jiff::civil::Date;

use crate::detect::{Detector, Entity};
use crate::otlp::{Part, PartSet, Signal};
use crate::pseudonym::Value;

use super::check;
use super::compile::{self, merge_text, stricter};
use super::compiled::{Action, Active, Plan, RuleId, TextPlan, TextPlanId, Treatment, TreatmentId, Whole};
use super::condition::{Attributes, Clause, Level};
use super::diagnostic::{Code, Diagnostic, Diagnostics, Source, line_and_column};
use super::glob::{Glob, fold, tails};
use super::keep::Kept;
use super::pool::Pool;
use super::reader::Reader;
use super::syntax::{self, Document, Example};
use super::yaml;

/// The packs of rules that `extends:` can name.
pub const PACKS: [(&str, &str); 1] = [("base", include_str!("../../rules/base.yaml"))];

/// A compiled policy: immutable but for the plans it remembers, shared by all workers.
#[derive(Debug)]
pub struct Policy {
    pub(super) name: String,
    pub(super) digest: String,
    pub(super) kinds: Vec<String>,
    pub(super) infos: Vec<RuleInfo>,
    /// The rules that do something (all but `keep`), by name.
    pub(super) acting: Vec<Acting>,
    /// The others, for their examples' sake.
    pub(super) keeping: Vec<Acting>,
    pub(super) examples: Vec<(RuleId, Example)>,
    /// Bit `i` of an [`Active`] says whether `clauses[i]` holds.
    pub(super) clauses: Vec<Clause>,
    pub(super) treatments: Pool<Treatment>,
    pub(super) text_plans: Pool<TextPlan>,
    pub(super) strictest: TextPlanId,
    /// One list a file; a value is kept if it is on all of them.
    pub(super) keep: Vec<Vec<Kept>>,
    pub(super) value_exceptions: Vec<ValueException>,
    pub(super) exceptions: Vec<ExceptionInfo>,
    pub(super) detector: Detector,
    pub(super) warnings: Diagnostics,
    pub(super) files: Vec<PathBuf>,
}

/// A rule as people know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleInfo {
    pub name: String,
    pub action: Action,
    pub file: String,
    /// From 1.
    pub line: usize,
}

/// An exception in force: what a review of a policy must look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExceptionInfo {
    /// Names of the rules that it lets something through.
    pub rules: Vec<String>,
    pub reason: String,
    pub owner: String,
    /// The last day on which it works.
    pub expires: Date,
}

/// Whose attributes [`Policy::evaluate`] must be given for a signal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Looks {
    pub resource: bool,
    pub scope: bool,
    pub record: bool,
}

/// A compiled rule.
#[derive(Debug)]
pub(super) struct Acting {
    pub id: RuleId,
    /// One bit a [`Signal`].
    pub signals: u8,
    pub parts: PartSet,
    /// Empty: any place, with a key or without.
    pub keys: KeyMatch,
    /// Keys that exceptions let through.
    pub except: Vec<Glob>,
    /// Bits of [`Active`] that must all be set.
    pub when: u64,
    pub names_host: bool,
    pub record: Option<TreatmentId>,
    pub whole: Option<WholeIds>,
    pub text: TextPlan,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct WholeIds {
    pub ip: TreatmentId,
    pub email: TreatmentId,
    pub host: TreatmentId,
    pub other: TreatmentId,
    pub deep: bool,
}

#[derive(Debug, Default)]
pub(super) struct KeyMatch {
    pub exact: HashSet<Box<str>>,
    pub globs: Vec<Glob>,
}

#[derive(Debug)]
pub(super) struct ValueException {
    pub values: Vec<Kept>,
    /// By rule: whether it is excepted from.
    pub rules: Vec<bool>,
}

impl Policy {
    /// The policy that holds when none is given: `rules/base.yaml`.
    pub fn base() -> Policy {
        let (name, text) = PACKS[0];
        // Without exceptions in it, the date says nothing.
        Policy::parse(&[(name, text)], Date::MAX).expect("a test proves that the embedded policy is right")
    }

    /// Reads policy files, and those that they extend, and composes them. The date is the machine's, in UTC.
    ///
    /// # Errors
    /// Everything that is wrong, at once; [`Diagnostics::is_missing_input`] where a file could not be read.
    pub fn load(paths: &[PathBuf]) -> Result<Policy, Diagnostics> {
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
        let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
        let files = std::cell::RefCell::new(paths.to_vec());
        let policy = build(sources, today, &|path, from| {
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
        build(sources, today, &|_, _| Err("files are not read here".into()))
    }

    /// The name of the first file's policy.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// SHA-256, in hex, of what the files say: comments, layout and the order of files and keys do not count.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Names of kinds, by [`KindId`](crate::pseudonym::KindId).
    pub fn kinds(&self) -> &[String] {
        &self.kinds
    }

    /// By [`RuleId`].
    pub fn rules(&self) -> &[RuleInfo] {
        &self.infos
    }

    pub fn treatment(&self, id: TreatmentId) -> &Treatment {
        self.treatments.get(id.0)
    }

    pub fn text_plan(&self, id: TextPlanId) -> &TextPlan {
        self.text_plans.get(id.0)
    }

    /// The recognisers, with the policy's patterns and dictionaries.
    pub fn detector(&self) -> &Detector {
        &self.detector
    }

    /// What is worth knowing but no error.
    pub fn warnings(&self) -> &Diagnostics {
        &self.warnings
    }

    /// Every file that [`load`](Self::load) read: those that were named, those that they extend, and their lists.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// The day after which an exception must stop working: compile the policy again then.
    pub fn next_expiry(&self) -> Option<Date> {
        self.exceptions.iter().map(|exception| exception.expires).min()
    }

    /// The exceptions in force.
    pub fn exceptions(&self) -> &[ExceptionInfo] {
        &self.exceptions
    }

    /// What is done to a field. Cold: ask once for each distinct key and remember the answer.
    ///
    /// `path`: the attribute's key; for a value nested in maps or JSON the keys from the outermost to its own, joined by
    /// dots (`http.request.body.client.ip`; positions in lists left out); `None` where no key stands over the text. A
    /// rule's pattern matches the whole path or a tail of it (see [`glob`](super::glob)), so neither a namespace before a
    /// key nor the wrapping of a value takes it out of a rule.
    pub fn plan(&self, signal: Signal, part: Part, path: Option<&str>, active: Active) -> Plan {
        let folded = path.map(fold);
        let mut whole: Option<WholeIds> = None;
        let mut text = TextPlan::default();
        let mut names_host = false;
        for rule in self.acting.iter().filter(|rule| rule.applies(signal, part, folded.as_deref(), active)) {
            if let Some(ids) = rule.whole {
                whole = Some(whole.map_or(ids, |mine| mine.joined(ids, &self.treatments)));
            }
            merge_text(&mut text, &rule.text, &self.treatments);
            names_host |= rule.names_host && part == Part::ResourceAttributes;
        }
        let text = self.text_plans.intern(text).map_or(self.strictest, TextPlanId);
        Plan { whole: whole.map(|ids| self.whole(ids)), text, names_host }
    }

    /// Whose attributes the conditions of a signal's rules look at.
    pub fn looks_at(&self, signal: Signal) -> Looks {
        let bits = self.acting.iter().filter(|rule| rule.is_for(signal)).fold(0, |bits, rule| bits | rule.when);
        let at = |level| self.clauses.iter().enumerate().any(|(i, c)| c.level == level && bits & 1 << i != 0);
        Looks { resource: at(Level::Resource), scope: at(Level::Scope), record: at(Level::Record) }
    }

    /// Which of the conditions on one level hold. Join the answers for a record's resource, its scope and itself by
    /// [`Active::and`].
    pub fn evaluate(&self, signal: Signal, level: Level, attributes: &dyn Attributes) -> Active {
        let bits = self.acting.iter().filter(|rule| rule.is_for(signal)).fold(0, |bits, rule| bits | rule.when);
        let holds = |(i, clause): (usize, &Clause)| {
            (clause.level == level && bits & 1 << i != 0 && clause.holds(attributes)) as u64
        };
        Active(self.clauses.iter().enumerate().fold(0, |active, one| active | holds(one) << one.0))
    }

    /// Whether a rule drops a record by its signal and conditions alone.
    pub fn record(&self, signal: Signal, active: Active) -> Option<TreatmentId> {
        self.acting.iter().filter(|rule| rule.is_for(signal) && rule.holds(active)).find_map(|rule| rule.record)
    }

    /// Whether a found or whole value is left as it is: it is on the keep list of every file, or exceptions
    /// let it through every rule that could act on it.
    ///
    /// Not to be asked for [`Action::Stay`] and [`Action::DropRecord`] on whole fields: those go whatever stands in them.
    pub fn keeps(&self, entity: Entity, value: Value<'_>) -> bool {
        let on = |list: &Vec<Kept>| list.iter().any(|kept| kept.covers(entity, value));
        if self.keep.iter().all(on) {
            return true;
        }
        if self.value_exceptions.is_empty() {
            return false;
        }
        let covering: Vec<&ValueException> = self
            .value_exceptions
            .iter()
            .filter(|exception| exception.values.iter().any(|kept| kept.covers(entity, value)))
            .collect();
        !covering.is_empty()
            && self
                .acting
                .iter()
                .filter(|rule| rule.whole.is_some() || rule.text.treatment(entity).is_some())
                .all(|rule| covering.iter().any(|exception| exception.rules[usize::from(rule.id.0)]))
    }

    fn whole(&self, ids: WholeIds) -> Whole {
        let WholeIds { ip, email, host, other, deep } = ids;
        let strictest = [email, host, other].into_iter().fold(ip, |a, b| stricter(a, b, &self.treatments));
        let Treatment { action, rule, .. } = *self.treatment(strictest);
        Whole { action, rule, ip, email, host, other, deep }
    }
}

impl WholeIds {
    fn joined(self, other: WholeIds, treatments: &Pool<Treatment>) -> WholeIds {
        WholeIds {
            ip: stricter(self.ip, other.ip, treatments),
            email: stricter(self.email, other.email, treatments),
            host: stricter(self.host, other.host, treatments),
            other: stricter(self.other, other.other, treatments),
            deep: self.deep || other.deep,
        }
    }
}

impl Acting {
    fn applies(&self, signal: Signal, part: Part, folded: Option<&str>, active: Active) -> bool {
        self.is_for(signal) && self.parts.contains(part) && self.holds(active) && self.reaches(folded)
    }

    /// Whether a key is one of the rule's, and of none of its exceptions.
    pub fn reaches(&self, folded: Option<&str>) -> bool {
        self.keys.covers(folded) && !folded.is_some_and(|key| self.except.iter().any(|glob| glob.matches(key)))
    }

    fn is_for(&self, signal: Signal) -> bool {
        self.signals & 1 << signal as u8 != 0
    }

    fn holds(&self, active: Active) -> bool {
        active.0 & self.when == self.when
    }
}

impl KeyMatch {
    fn covers(&self, folded: Option<&str>) -> bool {
        if self.exact.is_empty() && self.globs.is_empty() {
            return true;
        }
        folded.is_some_and(|key| {
            tails(key).any(|tail| self.exact.contains(tail) || self.globs.iter().any(|glob| glob.matches(tail)))
        })
    }
}

/// Reads a file that a policy names: (path as written, the file it is written in) → (name, text).
type ReadBeside<'a> = &'a dyn Fn(&str, &str) -> Result<(String, String), String>;

fn build(sources: Vec<Source>, today: Date, read_beside: ReadBeside<'_>) -> Result<Policy, Diagnostics> {
    let mut found = Diagnostics { sources, items: Vec::new() };
    let included = std::cell::RefCell::new(Vec::new());
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
        canonical.push(root.value.canonical().to_string());
        let include = |path: &str| {
            let (_, text) = read_beside(path, &name)?;
            included.borrow_mut().push(text.clone());
            Ok(text)
        };
        let mut reader = Reader { file: next, text: &text, found: &mut found.items };
        if let Some(document) = syntax::read(&mut reader, &root, &include) {
            extend(&document, &name, &mut found, read_beside);
            documents.push(document);
        }
        next += 1;
    }
    found.items.extend(check::check(&documents, today));
    if found.has_errors() {
        return Err(found);
    }
    let lines = |rule: &syntax::Rule| {
        let source = &found.sources[rule.name.file];
        (source.name.clone(), line_and_column(&source.text, rule.name.at.start).0)
    };
    for document in &mut documents {
        // A file that says nothing has the list of the base policy: were it no list at all, adding a file with a long
        // one would widen what this file's rules let through.
        document.keep.get_or_insert_with(base_keep);
    }
    match compile::compile(&documents, &lines, today) {
        Ok(policy) => {
            let digest = digest(canonical, included.into_inner());
            Ok(Policy { digest, warnings: found, ..policy })
        }
        Err(problems) => {
            found.items.extend(problems);
            Err(found)
        }
    }
}

/// The embedded policy's keep list.
fn base_keep() -> Vec<Kept> {
    let (_, text) = PACKS[0];
    let root = yaml::parse(text).expect("a test proves that the embedded policy is right");
    let mut found = Vec::new();
    let mut reader = Reader { file: 0, text, found: &mut found };
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
