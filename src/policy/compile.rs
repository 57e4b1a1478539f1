//! Documents to the compiled policy.

use std::collections::BTreeSet;

use jiff::civil::Date;

use crate::detect::dictionary::{Dictionaries, DictionarySpec};
use crate::detect::pattern::{PatternSpec, Patterns};
use crate::detect::{Detector, Entity, Wanted};
use crate::otlp::{Part, PartSet, Signal};
use crate::pseudonym::{KindId, Recipe};

use super::compiled::{Action, RuleId, TextPlan, TextPlanId, Treatment, TreatmentId};
use super::condition::Clause;
use super::decide::{Acting, ExceptionInfo, KeyMatch, Policy, RuleInfo, ValueException, WholeIds};
use super::diagnostic::{Code, Diagnostic};
use super::field::Fields;
use super::glob::{Glob, fold};
use super::keep::Kept;
use super::permitted::{self, Permitted};
use super::pool::Pool;
use super::reader::At;
use super::retention::{self, Retention};
use super::strictness::{join, shows};
use super::syntax::{Document, Exception, Form, Options, Rule, Target};

/// Kinds of identifier that need no declaration; their order is their [`KindId`].
pub const BUILTIN_KINDS: [&str; 6] = ["ip", "host", "email", "user", "credential", "field"];

const IP: KindId = KindId(0);
const HOST: KindId = KindId::HOST;
const EMAIL: KindId = KindId(2);
const USER: KindId = KindId(3);
const CREDENTIAL: KindId = KindId(4);
const FIELD: KindId = KindId(5);

/// How many different text plans a policy may come to; beyond that the strictest stands in.
const MAX_TEXT_PLANS: u16 = 2048;
const MAX_TREATMENTS: u16 = 16384;
/// Two numbers are left for the rules that no file writes out.
const MAX_RULES: usize = 2000;

/// What a value is taken for when its recipe is chosen.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Ip,
    Email,
    Host,
    Other,
}

/// The file and line of a name.
type Lines<'a> = &'a dyn Fn(&At<String>) -> (String, usize);

/// Compiles documents that [`check`](super::check::check) found no error in.
pub fn compile(documents: &[Document], lines: Lines<'_>, today: Date) -> Result<Policy, Vec<Diagnostic>> {
    let mut rules: Vec<&Rule> = documents.iter().flat_map(|document| &document.rules).collect();
    // By name, so that the order of rules and files changes nothing, ties included.
    rules.sort_by(|a, b| a.name.value.cmp(&b.name.value));
    let mut kinds: Vec<String> = BUILTIN_KINDS.map(String::from).to_vec();
    kinds.extend(own_kinds(documents, &rules));
    let exceptions: Vec<&Exception> = documents
        .iter()
        .flat_map(|document| &document.exceptions)
        .filter(|exception| exception.expires.value >= today)
        .collect();

    if rules.len() > MAX_RULES {
        let name = &rules[MAX_RULES].name;
        let message = format!("a policy has at most {MAX_RULES} rules");
        return Err(vec![Diagnostic::error(Code::TooMany, name.file, name.at.clone(), message)]);
    }
    let mut compiler = Compiler {
        kinds: &kinds,
        treatments: Pool::new(MAX_TREATMENTS),
        clauses: Vec::new(),
        pattern_kinds: 0,
        patterns: Vec::new(),
        dictionaries: Vec::new(),
        problems: Vec::new(),
    };
    let (acting, keeping): (Vec<Acting>, Vec<Acting>) = rules
        .iter()
        .enumerate()
        .map(|(index, rule)| compiler.rule(RuleId(index as u16), rule, &exceptions))
        .partition(|acting| rules[usize::from(acting.id.0)].action > Action::Keep);
    let mut infos: Vec<RuleInfo> = rules
        .iter()
        .map(|rule| RuleInfo { description: rule.description.clone(), ..info_of(&rule.name, rule.action, lines) })
        .collect();
    let permitted = compiler.permitted(documents, &exceptions, &mut infos, lines);
    let retention = compiler.retention(documents, &mut infos, lines);
    if !compiler.problems.is_empty() {
        return Err(compiler.problems);
    }
    let Compiler { treatments, clauses, patterns, dictionaries, .. } = compiler;
    let (specs, owners): (Vec<PatternSpec>, Vec<RuleId>) = patterns.into_iter().unzip();
    let patterns = Patterns::build(specs).map_err(|wrong| {
        let at = match &rules[usize::from(owners[wrong.spec].0)].target {
            Target::Pattern(pattern) => (pattern.file, pattern.at.clone()),
            _ => (0, 0..0),
        };
        let message = format!("this pattern cannot be searched for: {}", wrong.message);
        vec![Diagnostic::error(Code::BadRegex, at.0, at.1, message)]
    })?;
    let costs = patterns.cost_notes().iter().map(|note| (owners[note.spec], note.message)).collect();
    let detector = Detector::new(patterns, Dictionaries::build(&dictionaries));

    let text_plans = Pool::new(MAX_TEXT_PLANS);
    let strictest = strictest_text(&acting, &treatments);
    let strictest = intern_text(&text_plans, strictest, &treatments).expect("the pool is empty");
    let listed = permitted.iter().map(|permitted| KeyMatch::new(permitted.lists.iter().flatten().cloned()));
    let listed: Vec<KeyMatch> = listed.collect();
    let fields = Fields::new(acting.iter().chain(&keeping).map(|rule| &rule.keys).chain(&listed));
    let (keep, keep_of_files) = keep_lists(documents);
    Ok(Policy {
        name: documents.first().map_or(String::new(), |document| document.name.clone()),
        digest: String::new(),
        kinds,
        infos,
        acting,
        keeping,
        examples: rules
            .iter()
            .enumerate()
            .flat_map(|(i, rule)| rule.examples.iter().map(move |example| (RuleId(i as u16), example.clone())))
            .collect(),
        tests: documents.iter().flat_map(|document| document.tests.iter().cloned()).collect(),
        clauses,
        treatments,
        text_plans,
        strictest,
        fields,
        keep,
        keep_of_files,
        value_exceptions: value_exceptions(&exceptions, &rules),
        exceptions: exceptions.iter().map(|exception| info(exception, &rules)).collect(),
        permitted,
        retention,
        regions: documents.iter().filter_map(|document| document.regions.clone()).collect(),
        tls: documents.iter().filter_map(|document| document.tls).max(),
        detector,
        warnings: Default::default(),
        lints: Vec::new(),
        costs,
        files: Vec::new(),
    })
}

/// The keep lists of all files, equal ones once, and which of them each file has.
fn keep_lists(documents: &[Document]) -> (Vec<Vec<Kept>>, Vec<usize>) {
    let mut lists: Vec<Vec<Kept>> = Vec::new();
    let of_files = documents.iter().map(|document| {
        let list: Vec<Kept> = document.keep.iter().flatten().map(|kept| kept.value.clone()).collect();
        lists.iter().position(|known| *known == list).unwrap_or_else(|| {
            lists.push(list);
            lists.len() - 1
        })
    });
    let of_files = of_files.collect();
    (lists, of_files)
}

fn own_kinds(documents: &[Document], rules: &[&Rule]) -> Vec<String> {
    let declared = documents.iter().flat_map(|document| document.kinds.iter().map(|kind| kind.value.clone()));
    let implied =
        rules.iter().filter(|rule| rule.kind.is_none() && finds_own_kind(&rule.target)).map(|rule| kind_of_rule(rule));
    let all: BTreeSet<String> = declared.chain(implied).collect();
    all.into_iter().filter(|kind| !BUILTIN_KINDS.contains(&kind.as_str())).collect()
}

fn finds_own_kind(target: &Target) -> bool {
    match target {
        Target::Pattern(_) => true,
        Target::Dictionary(dictionary) => dictionary.value.hosts.is_empty(),
        Target::Record | Target::Field | Target::Detect(_) => false,
    }
}

/// The kind of what a pattern finds, where the rule names none.
fn kind_of_rule(rule: &Rule) -> String {
    rule.name.value.to_ascii_lowercase().replace(['-', '.'], "_")
}

struct Compiler<'a> {
    kinds: &'a [String],
    treatments: Pool<Treatment>,
    clauses: Vec<Clause>,
    /// How many indices of [`Entity::Pattern`] are given out.
    pattern_kinds: u16,
    /// With the rule that each belongs to.
    patterns: Vec<(PatternSpec, RuleId)>,
    dictionaries: Vec<DictionarySpec>,
    problems: Vec<Diagnostic>,
}

impl Compiler<'_> {
    fn rule(&mut self, id: RuleId, rule: &Rule, exceptions: &[&Exception]) -> Acting {
        let mut acting = Acting {
            id,
            hosts: matches!(&rule.target, Target::Dictionary(dictionary) if !dictionary.value.hosts.is_empty()),
            signals: signal_bits(&rule.signals),
            parts: self.parts(rule),
            keys: KeyMatch::new(rule.keys.iter().map(|glob| glob.value.clone())),
            except: exceptions
                .iter()
                .filter(|exception| exempts(exception, rule))
                .flat_map(|exception| exception.keys.iter().cloned())
                .collect(),
            when: self.condition(&rule.when),
            names_host: rule.names_host,
            record: None,
            whole: None,
            text: TextPlan::default(),
        };
        let treat = |class, kind| Treatment {
            action: rule.action,
            kind,
            recipe: recipe(rule.action, &rule.options, class),
            rule: id,
        };
        match &rule.target {
            Target::Record => acting.record = Some(self.intern(treat(Class::Other, FIELD), &rule.name)),
            Target::Field => {
                let ids = whole_classes(rule.kind.as_ref().map(|kind| kind.value.as_str()), self.kinds)
                    .map(|(class, kind)| self.intern(treat(class, kind), &rule.name));
                let [ip, email, host, other] = ids;
                acting.whole = Some(WholeIds { ip, email, host, other, deep: !rule.scalars_only });
            }
            Target::Detect(wanted) => {
                let mut when =
                    |one: Wanted, class, kind| wanted.has(one).then(|| self.intern(treat(class, kind), &rule.name));
                acting.text.ip = when(Wanted::IP, Class::Ip, IP);
                acting.text.email = when(Wanted::EMAIL, Class::Email, EMAIL);
                acting.text.host = when(Wanted::HOST, Class::Host, HOST);
                acting.text.user = when(Wanted::USER, Class::Other, USER);
                acting.text.credential = when(Wanted::CREDENTIAL, Class::Other, CREDENTIAL);
                acting.text.wanted = *wanted;
            }
            Target::Dictionary(dictionary) if !dictionary.value.hosts.is_empty() => {
                acting.text.host = Some(self.intern(treat(Class::Host, HOST), &rule.name));
                acting.text.wanted = Wanted::HOST;
                let words = dictionary.value.hosts.clone();
                self.dictionaries.push(DictionarySpec { entity: Entity::Host, words });
            }
            Target::Pattern(_) | Target::Dictionary(_) => {
                let kind = match &rule.kind {
                    Some(kind) => self.kind(&kind.value),
                    None => self.kind(&kind_of_rule(rule)),
                };
                let class = match kind {
                    IP => Class::Ip,
                    EMAIL => Class::Email,
                    HOST => Class::Host,
                    _ => Class::Other,
                };
                let treatment = self.intern(treat(class, kind), &rule.name);
                let index = self.pattern_kinds;
                self.pattern_kinds += 1;
                let mut patterns = vec![None; usize::from(index) + 1];
                patterns[usize::from(index)] = Some(treatment);
                acting.text.patterns = patterns.into();
                acting.text.wanted = Wanted::PATTERNS;
                self.search_for(index, id, rule);
            }
        }
        acting
    }

    /// Tells the detector what a rule looks for.
    fn search_for(&mut self, index: u16, id: RuleId, rule: &Rule) {
        match &rule.target {
            Target::Pattern(pattern) => {
                let pattern = &pattern.value;
                let spec = PatternSpec {
                    index,
                    regex: pattern.regex.clone(),
                    case_insensitive: false,
                    keywords: pattern.keywords.clone(),
                    group: usize::from(pattern.group),
                    validators: pattern.validators.clone(),
                };
                self.patterns.push((spec, id));
            }
            Target::Dictionary(dictionary) => {
                let words = dictionary.value.keywords.clone();
                self.dictionaries.push(DictionarySpec { entity: Entity::Pattern(index), words });
            }
            Target::Record | Target::Field | Target::Detect(_) => {}
        }
    }

    /// The parts where a rule acts: those it names, or those it can mean.
    fn parts(&self, rule: &Rule) -> PartSet {
        let named = rule.parts.as_ref().map_or(PartSet::ALL, |parts| parts.value);
        Part::ALL
            .into_iter()
            .filter(|part| named.contains(*part))
            .filter(|part| rule.when.iter().all(|clause| part.is_within(clause.value.level)))
            .collect()
    }

    /// The bits that must be set for a rule's conditions to hold.
    fn condition(&mut self, when: &[At<Clause>]) -> u64 {
        let mut bits = 0;
        for clause in when {
            let index = self.clauses.iter().position(|known| *known == clause.value).unwrap_or_else(|| {
                self.clauses.push(clause.value.clone());
                self.clauses.len() - 1
            });
            if index >= 64 {
                let message = "a policy has at most 64 different conditions";
                self.problems.push(Diagnostic::error(Code::TooMany, clause.file, clause.at.clone(), message));
            } else {
                bits |= 1 << index;
            }
        }
        bits
    }

    /// The allow-lists, and the rule that removes what is on none.
    fn permitted(
        &mut self,
        documents: &[Document],
        exceptions: &[&Exception],
        infos: &mut Vec<RuleInfo>,
        lines: Lines<'_>,
    ) -> Option<Permitted> {
        let written: Vec<&At<Vec<Glob>>> =
            documents.iter().filter_map(|document| document.attributes.as_ref()).collect();
        let place = (*written.first()?).clone().map(|_| permitted::RULE.to_owned());
        let stay = self.built_in(&place, infos, lines);
        let excepted = exceptions.iter().filter(|exception| names(exception, permitted::RULE));
        Some(Permitted {
            stay,
            lists: written.iter().map(|list| list.value.clone()).collect(),
            except: excepted.flat_map(|exception| exception.keys.iter().cloned()).collect(),
        })
    }

    fn retention(&mut self, documents: &[Document], infos: &mut Vec<RuleInfo>, lines: Lines<'_>) -> Option<Retention> {
        let written: Vec<_> = documents.iter().flat_map(|document| &document.retention).collect();
        let place = written.first()?.name.clone().map(|_| retention::RULE.to_owned());
        let stay = self.built_in(&place, infos, lines);
        let classes = written.into_iter().map(|class| retention::Class {
            name: class.name.value.clone(),
            days: class.days,
            signals: signal_bits(&class.signals),
            when: self.condition(&class.when),
            stamp: retention::stamp(class.days),
        });
        Some(Retention { stay, classes: classes.collect() })
    }

    /// A rule that no file writes out, and that removes attributes.
    fn built_in(&mut self, name: &At<String>, infos: &mut Vec<RuleInfo>, lines: Lines<'_>) -> TreatmentId {
        let rule = RuleId(infos.len() as u16);
        infos.push(info_of(name, Action::Stay, lines));
        let treatment = Treatment { action: Action::Stay, kind: FIELD, recipe: Recipe::Redacted, rule };
        self.intern(treatment, name)
    }

    fn intern(&mut self, treatment: Treatment, name: &At<String>) -> TreatmentId {
        match self.treatments.intern(treatment) {
            Some(number) => TreatmentId(number),
            None => {
                let message = "this policy has too many different treatments";
                self.problems.push(Diagnostic::error(Code::TooMany, name.file, name.at.clone(), message));
                TreatmentId(0)
            }
        }
    }

    fn kind(&self, name: &str) -> KindId {
        kind_named(name, self.kinds)
    }
}

fn kind_named(name: &str, kinds: &[String]) -> KindId {
    let index = kinds.iter().position(|kind| kind == name).expect("kinds are checked before they are compiled");
    KindId(index as u16)
}

/// For the values of a whole field that turn out to be an address, an e-mail, of a host's shape, or anything else: what
/// they are taken for. An address is an `ip` wherever it stands, so that it joins.
fn whole_classes(kind: Option<&str>, kinds: &[String]) -> [(Class, KindId); 4] {
    let addresses = |host, other| [(Class::Ip, IP), (Class::Email, EMAIL), host, other];
    match kind {
        Some("ip" | "host" | "address") => addresses((Class::Host, HOST), (Class::Other, HOST)),
        // Plain names have the shape of hosts: `alice` is none.
        Some("email") => addresses((Class::Other, EMAIL), (Class::Other, EMAIL)),
        Some("user") => addresses((Class::Other, USER), (Class::Other, USER)),
        Some(own) => [(Class::Other, kind_named(own, kinds)); 4],
        None => [(Class::Other, FIELD); 4],
    }
}

fn recipe(action: Action, options: &Options, class: Class) -> Recipe {
    match action {
        Action::Keep | Action::Redact | Action::Stay | Action::Aggregate | Action::DropRecord => Recipe::Redacted,
        Action::Encrypt => Recipe::Reversible,
        Action::Mask => Recipe::MaskAllBut { last: options.last.unwrap_or(0) },
        Action::Generalise => match class {
            Class::Ip => Recipe::Network { v4_prefix: options.v4.unwrap_or(24), v6_prefix: options.v6.unwrap_or(48) },
            Class::Email | Class::Host => Recipe::Domain,
            Class::Other if options.day => Recipe::Day,
            Class::Other => Recipe::Redacted,
        },
        Action::Pseudonymise => match (class, options.form.as_ref().map(|form| form.value)) {
            (_, Some(Form::Token)) | (Class::Ip, None) | (Class::Other, _) => Recipe::Token,
            (Class::Ip, Some(Form::Address)) => Recipe::IpAddress,
            (Class::Ip, Some(Form::Subnet)) => Recipe::IpSubnet,
            (Class::Email, _) => Recipe::Email { fold_local: options.fold_local },
            (Class::Host, _) => Recipe::Host { keep_public_suffix: options.keep_public_suffix },
        },
    }
}

fn signal_bits(signals: &[Signal]) -> u8 {
    signals.iter().fold(0, |set, signal| set | 1 << *signal as u8)
}

fn info_of(name: &At<String>, action: Action, lines: Lines<'_>) -> RuleInfo {
    let (file, line) = lines(name);
    RuleInfo { name: name.value.clone(), action, file, line, description: None }
}

fn exempts(exception: &Exception, rule: &Rule) -> bool {
    names(exception, &rule.name.value)
}

fn names(exception: &Exception, rule: &str) -> bool {
    exception.rules.iter().any(|glob| glob.value.matches(&fold(rule)))
}

fn info(exception: &Exception, rules: &[&Rule]) -> ExceptionInfo {
    let named = rules.iter().map(|rule| rule.name.value.as_str()).chain([permitted::RULE]);
    ExceptionInfo {
        rules: named.filter(|rule| names(exception, rule)).map(str::to_owned).collect(),
        reason: exception.reason.clone(),
        owner: exception.owner.clone(),
        expires: exception.expires.value,
    }
}

fn value_exceptions(exceptions: &[&Exception], rules: &[&Rule]) -> Vec<ValueException> {
    exceptions
        .iter()
        .filter(|exception| !exception.values.is_empty())
        .map(|exception| ValueException {
            values: exception.values.clone(),
            rules: rules.iter().map(|rule| exempts(exception, rule)).collect(),
        })
        .collect()
}

/// What stands in when there is no room for another plan: every text rule at once, conditions or not.
fn strictest_text(acting: &[Acting], treatments: &Pool<Treatment>) -> TextPlan {
    let mut strictest = TextPlan::default();
    for rule in acting {
        merge_text(&mut strictest, &rule.text, treatments);
    }
    strictest
}

/// Adds what a rule does inside texts.
pub fn merge_text(plan: &mut TextPlan, rule: &TextPlan, treatments: &Pool<Treatment>) {
    plan.wanted = plan.wanted | rule.wanted;
    merge(&mut plan.ip, rule.ip, treatments);
    merge(&mut plan.email, rule.email, treatments);
    merge(&mut plan.host, rule.host, treatments);
    merge(&mut plan.user, rule.user, treatments);
    merge(&mut plan.credential, rule.credential, treatments);
    if plan.patterns.len() < rule.patterns.len() {
        let mut longer = std::mem::take(&mut plan.patterns).into_vec();
        longer.resize(rule.patterns.len(), None);
        plan.patterns = longer.into();
    }
    for (mine, theirs) in plan.patterns.iter_mut().zip(&rule.patterns) {
        merge(mine, *theirs, treatments);
    }
    plan.email = hiding_its_host(plan.email, plan.host, treatments);
}

/// The number of a text plan; `None` if there is no room for another.
pub fn intern_text(pool: &Pool<TextPlan>, mut plan: TextPlan, treatments: &Pool<Treatment>) -> Option<TextPlanId> {
    let built_in = [plan.ip, plan.email, plan.host, plan.user, plan.credential];
    let all = built_in.iter().chain(&plan.patterns).flatten();
    plan.strictest = all.map(|id| treatments.get(id.0).action).max().unwrap_or_default();
    pool.intern(plan).map(TextPlanId)
}

/// An e-mail address is found as a whole, the host in it no more. So what hides a host hides an address too, and where a part
/// of the address would stay to be seen that the host's treatment hides, none of it stays.
fn hiding_its_host(
    email: Option<TreatmentId>,
    host: Option<TreatmentId>,
    treatments: &Pool<Treatment>,
) -> Option<TreatmentId> {
    let (Some(email), Some(host)) = (email, host) else { return email };
    let (of_email, of_host) = (treatments.get(email.0), treatments.get(host.0));
    if of_host.action >= Action::Redact && of_host.action > of_email.action {
        return Some(host);
    }
    if !shows(of_email, of_host) {
        return Some(email);
    }
    let hidden = Treatment { action: Action::Redact, recipe: Recipe::Redacted, ..of_email.clone() };
    Some(treatments.intern(hidden).map_or(host, TreatmentId))
}

/// Takes the stricter of two treatments.
pub fn merge(mine: &mut Option<TreatmentId>, theirs: Option<TreatmentId>, treatments: &Pool<Treatment>) {
    *mine = match (*mine, theirs) {
        (Some(a), Some(b)) => Some(stricter(a, b, treatments)),
        (a, b) => a.or(b),
    };
}

pub fn stricter(a: TreatmentId, b: TreatmentId, treatments: &Pool<Treatment>) -> TreatmentId {
    let joined = join(treatments.get(a.0), treatments.get(b.0));
    if let Some(number) = treatments.intern(joined.clone()) {
        return TreatmentId(number);
    }
    // Only networks join into something new, and there are few of them: this is a policy at its limits. The rule with
    // the shorter IPv4 prefix stands in.
    if joined.rule == treatments.get(a.0).rule { a } else { b }
}

/// The folded patterns of a rule's keys.
impl KeyMatch {
    pub fn new(globs: impl Iterator<Item = Glob>) -> KeyMatch {
        let mut keys = KeyMatch::default();
        for glob in globs {
            match glob.literal() {
                Some(literal) => drop(keys.exact.insert(literal.into())),
                None => keys.globs.push(glob),
            }
        }
        keys
    }
}
