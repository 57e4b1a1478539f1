//! The compiled policy and the questions it answers.

use std::collections::HashSet;
use std::path::PathBuf;

use jiff::civil::Date;

use crate::detect::{Detector, Entity, Place};
use crate::otlp::{Part, PartSet, Signal};
use crate::pseudonym::Value;

use super::compile::{intern_text, merge_text, stricter};
use super::compiled::{Action, Active, Plan, RuleId, TextPlan, TextPlanId, Tls, Treatment, TreatmentId, Whole};
use super::condition::{Attributes, Clause, Level};
use super::diagnostic::{Diagnostic, Diagnostics};
use super::field::{Field, FieldId, Fields};
use super::glob::{Glob, fold, tails};
use super::keep::Kept;
use super::permitted::Permitted;
use super::pool::Pool;
use super::retention::{self, Retention};
use super::syntax::{Example, Test};

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
    pub(super) tests: Vec<Test>,
    /// Bit `i` of an [`Active`] says whether `clauses[i]` holds.
    pub(super) clauses: Vec<Clause>,
    pub(super) treatments: Pool<Treatment>,
    pub(super) text_plans: Pool<TextPlan>,
    pub(super) strictest: TextPlanId,
    pub(super) fields: Fields,
    /// The files' lists, equal ones once; a value is kept if it is on all of them.
    pub(super) keep: Vec<Vec<Kept>>,
    /// Which of them a file has.
    pub(super) keep_of_files: Vec<usize>,
    pub(super) value_exceptions: Vec<ValueException>,
    pub(super) exceptions: Vec<ExceptionInfo>,
    pub(super) permitted: Option<Permitted>,
    pub(super) retention: Option<Retention>,
    /// One list a file that has one.
    pub(super) regions: Vec<Vec<String>>,
    pub(super) tls: Option<Tls>,
    pub(super) detector: Detector,
    pub(super) warnings: Diagnostics,
    pub(super) lints: Vec<Diagnostic>,
    /// Rules whose patterns cost more than others, and why.
    pub(super) costs: Vec<(RuleId, &'static str)>,
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
    /// What its author says of it.
    pub description: Option<String>,
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

/// A rule out of force.
pub(crate) struct Silenced {
    at: usize,
    acting: Acting,
}

/// A compiled rule.
#[derive(Debug)]
pub(super) struct Acting {
    pub id: RuleId,
    /// It has a dictionary of hosts.
    pub hosts: bool,
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

    /// What reports may call a key. `None` where neither the policy nor the catalogue knows it.
    pub fn key_name(&self, key: &str) -> Option<String> {
        self.fields.name(&fold(key))
    }

    /// A field that a plan names.
    pub fn field(&self, id: FieldId) -> Field<'_> {
        self.fields.describe(id)
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

    /// What is allowed, and worth a look by whoever edits the files: see [`privet check`](crate::cli::check).
    pub fn lints(&self) -> Diagnostics {
        Diagnostics { sources: self.warnings.sources.clone(), items: self.lints.clone() }
    }

    /// The day after which an exception must stop working: compile the policy again then.
    pub fn next_expiry(&self) -> Option<Date> {
        self.exceptions.iter().map(|exception| exception.expires).min()
    }

    /// The kinds of identifier that a rule acts on, by name.
    pub fn kinds_of(&self, rule: RuleId) -> Vec<String> {
        let mut kinds = Vec::new();
        for acting in self.acting.iter().filter(|acting| acting.id == rule) {
            let text = &acting.text;
            let whole = acting.whole.map(|whole| whole.other);
            let treatments = [whole, text.ip, text.email, text.host, text.user, text.credential];
            for id in treatments.into_iter().chain(text.patterns.iter().copied()).flatten() {
                let kind = &self.kinds[usize::from(self.treatment(id).kind.0)];
                if !kinds.contains(kind) {
                    kinds.push(kind.clone());
                }
            }
        }
        kinds
    }

    /// Takes a rule out of force, as if it did not stand in its file; `None` where the policy must be compiled anew for that:
    /// the words of a dictionary of hosts are looked for on behalf of every rule about hosts.
    pub(crate) fn silence(&mut self, rule: RuleId) -> Option<Silenced> {
        let at = self.acting.iter().position(|acting| acting.id == rule && !acting.hosts)?;
        Some(Silenced { at, acting: self.acting.remove(at) })
    }

    /// Puts a rule back in force.
    pub(crate) fn restore(&mut self, silenced: Silenced) {
        self.acting.insert(silenced.at, silenced.acting);
    }

    /// Whether a rule takes whole fields by their keys, and does not search texts.
    pub fn decides_by_key(&self, rule: RuleId) -> bool {
        self.acting.iter().any(|acting| acting.id == rule && acting.whole.is_some())
    }

    /// The examples of all rules.
    pub(crate) fn examples(&self) -> impl Iterator<Item = (RuleId, &Example)> {
        self.examples.iter().map(|(rule, example)| (*rule, example))
    }

    /// The tests of all files.
    pub(crate) fn tests(&self) -> &[Test] {
        &self.tests
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
        if let Some(stay) = folded.as_deref().and_then(|key| self.removes(part, key)) {
            let ids = WholeIds { ip: stay, email: stay, host: stay, other: stay, deep: true };
            whole = Some(whole.map_or(ids, |mine| mine.joined(ids, &self.treatments)));
        }
        let text = intern_text(&self.text_plans, text, &self.treatments).unwrap_or(self.strictest);
        let field = self.fields.of(part, folded.as_deref());
        let value = path.map_or(Place::Text, |key| Place::under(key.as_bytes()));
        Plan { whole: whole.map(|ids| self.whole(ids)), text, names_host, field, value }
    }

    /// Whether attributes must be on a list: then the keys of a JSON text are judged by themselves.
    pub fn permits_by_list(&self) -> bool {
        self.permitted.is_some()
    }

    /// The removal of an attribute that no allow-list permits, or that says what only a stamp may say.
    fn removes(&self, part: Part, folded: &str) -> Option<TreatmentId> {
        if !part.is_attributes() {
            return None;
        }
        if let Some(retention) = self.retention.as_ref().filter(|_| folded == retention::KEY) {
            return Some(retention.stay);
        }
        self.permitted.as_ref().filter(|permitted| !permitted.permits(folded)).map(|permitted| permitted.stay)
    }

    /// What a record of a signal is stamped with, as a `KeyValue` in protobuf: how long its receiver may keep it.
    pub fn retention(&self, signal: Signal, active: Active) -> Option<&[u8]> {
        Some(&self.retention.as_ref()?.of(signal, active)?.stamp)
    }

    /// The classes of records that have a retention: name and days.
    pub fn retention_classes(&self) -> impl Iterator<Item = (&str, u16)> {
        self.retention.iter().flat_map(|retention| &retention.classes).map(|class| (class.name.as_str(), class.days))
    }

    /// Whether what the policy lets out may go to a destination in that region: every file that names regions must name
    /// it, or a region that it lies in (`eu` is also `eu-central-1`). A destination that says nothing of its region is in
    /// none.
    pub fn permits_region(&self, region: Option<&str>) -> bool {
        let lies_in = |region: &str, permitted: &String| {
            region.strip_prefix(permitted.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
        };
        let region = region.map(str::to_ascii_lowercase);
        self.regions
            .iter()
            .all(|list| region.as_deref().is_some_and(|region| list.iter().any(|one| lies_in(region, one))))
    }

    /// The regions that every file which names some permits, for messages.
    pub fn regions(&self) -> Vec<&str> {
        let Some((first, others)) = self.regions.split_first() else { return Vec::new() };
        first.iter().filter(|region| others.iter().all(|list| list.contains(region))).map(String::as_str).collect()
    }

    /// The oldest TLS that destinations may be spoken to with; `None`: without TLS, too.
    pub fn tls(&self) -> Option<Tls> {
        self.tls
    }

    /// All conditions that a signal's rules and classes ask for.
    fn asked(&self, signal: Signal) -> u64 {
        let rules = self.acting.iter().filter(|rule| rule.is_for(signal)).map(|rule| rule.when);
        let classes = self.retention.iter().flat_map(|retention| &retention.classes);
        rules
            .chain(classes.filter(|class| class.is_for(signal)).map(|class| class.when))
            .fold(0, |bits, when| bits | when)
    }

    /// Whose attributes the conditions of a signal's rules look at.
    pub fn looks_at(&self, signal: Signal) -> Looks {
        let bits = self.asked(signal);
        let at = |level| self.clauses.iter().enumerate().any(|(i, c)| c.level == level && bits & 1 << i != 0);
        Looks { resource: at(Level::Resource), scope: at(Level::Scope), record: at(Level::Record) }
    }

    /// Which of the conditions on one level hold. Join the answers for a record's resource, its scope and itself by
    /// [`Active::and`].
    pub fn evaluate(&self, signal: Signal, level: Level, attributes: &dyn Attributes) -> Active {
        let bits = self.asked(signal);
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
    /// Not to be asked for [`Action::Stay`] and what is stricter on whole fields: those go whatever stands in them.
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
