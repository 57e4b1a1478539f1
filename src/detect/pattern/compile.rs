//! Specifications to patterns, and by what each of them is found.

use std::sync::atomic::{AtomicU64, Ordering};

use regex_automata::hybrid::dfa;
use regex_automata::nfa::thompson;
use regex_automata::util::syntax;
use regex_automata::{MatchKind, PatternID, meta};
use regex_syntax::hir::{Hir, HirKind, Repetition};

use super::ahead::Ahead;
use super::direct::Direct;
use super::literal::{self, Literal, Literals, WIDTH};
use super::neighbours::Neighbours;
use super::runs::{self, Gate, Runs};
use super::windows::{Owner, Sought, Windows};
use super::{CostNote, Lazy, MAX_WINDOW, Pattern, PatternError, PatternSpec, Patterns};

/// Compiled size that one expression may have, in bytes.
const MAX_COMPILED: usize = 2 << 20;
/// States that the patterns without literal may keep, in bytes a worker. What counts: past its cache a lazy DFA collapses.
const LAZY_CACHE: usize = 16 << 20;

impl Patterns {
    /// Compiles the patterns.
    ///
    /// # Errors
    /// The first one that cannot be: syntax, size, a group that it has not, an empty keyword.
    pub fn build(specs: Vec<PatternSpec>) -> Result<Patterns, PatternError> {
        static BUILT: AtomicU64 = AtomicU64::new(0);
        if specs.len() >= usize::from(u16::MAX) {
            let message = "too many patterns".into();
            return Err(PatternError { spec: usize::from(u16::MAX), offset: None, message });
        }
        let mut triggers = Triggers::default();
        let mut patterns = Vec::new();
        let mut notes = Vec::new();
        for (number, spec) in specs.iter().enumerate() {
            let (mut pattern, hir) =
                compile(spec).map_err(|(message, offset)| PatternError { spec: number, offset, message })?;
            let trigger = trigger(&pattern.keywords, &hir);
            notes.extend(cost_note(number, &trigger));
            triggers.add(number as u16, &mut pattern, trigger, hir);
            patterns.push(pattern);
        }
        let mut ahead = Vec::new();
        Ok(Patterns {
            patterns,
            windows: Windows::build(sought(triggers.literals, &mut ahead)),
            ahead,
            runs: triggers.runs,
            lazy: lazy(&triggers.without),
            notes,
            identity: 1 + BUILT.fetch_add(1, Ordering::Relaxed),
        })
    }
}

fn compile(spec: &PatternSpec) -> Result<(Pattern, Hir), (String, Option<usize>)> {
    // ASCII first: smaller and faster. Unicode where the expression does not do without.
    let hir = parse(spec, syntax_config(spec, false)).or_else(|_| parse(spec, syntax_config(spec, true)))?;
    let hir = without_idle_beginning(hir, spec.group);
    let limits =
        meta::Config::new().utf8_empty(false).nfa_size_limit(Some(MAX_COMPILED)).hybrid_cache_capacity(MAX_COMPILED);
    let regex =
        meta::Regex::builder().configure(limits).build_from_hir(&hir).map_err(|error| match error.size_limit() {
            Some(limit) => (format!("it compiles to more than {} MiB", limit >> 20), None),
            None => (error.to_string(), None),
        })?;
    if spec.group >= regex.group_info().group_len(PatternID::ZERO) {
        return Err((format!("the expression has no group {}", spec.group), None));
    }
    if spec.keywords.iter().any(String::is_empty) {
        return Err(("a keyword is empty".into(), None));
    }
    let keywords = spec.keywords.iter().map(|word| word.to_ascii_lowercase().into_bytes()).collect();
    let window = hir.properties().maximum_len().filter(|longest| (1..=MAX_WINDOW).contains(longest));
    let validators = spec.validators.clone();
    let (signs, direct) = (Vec::new(), Direct::of(&hir, spec.group));
    Ok((Pattern { index: spec.index, regex, direct, keywords, signs, group: spec.group, validators, window }, hir))
}

/// An expression without the bytes that it begins with and that say nothing: a run of a class that may be empty and takes as
/// few as it can, of a match of which only a group further on is reported. Where the rest matches first, it matches first with
/// that run, too, and alike.
pub fn without_idle_beginning(hir: Hir, group: usize) -> Hir {
    let idle = |part: &Hir| {
        matches!(part.kind(), HirKind::Repetition(Repetition { min: 0, greedy: false, sub, .. })
            if matches!(sub.kind(), HirKind::Class(_)) && Neighbours::of_one(sub).is_some())
    };
    let is_group = |part: &Hir| {
        matches!(part.kind(), HirKind::Capture(capture) if capture.index as usize == group)
            && part.properties().minimum_len() > Some(0)
    };
    match hir.kind() {
        HirKind::Concat(parts) if group > 0 && idle(&parts[0]) && parts.iter().any(is_group) => {
            Hir::concat(parts[1..].to_vec())
        }
        _ => hir,
    }
}

fn syntax_config(spec: &PatternSpec, unicode: bool) -> syntax::Config {
    syntax::Config::new().unicode(unicode).utf8(false).case_insensitive(spec.case_insensitive)
}

fn parse(spec: &PatternSpec, config: syntax::Config) -> Result<Hir, (String, Option<usize>)> {
    syntax::parse_with(&spec.regex, &config).map_err(|error| match error {
        regex_syntax::Error::Parse(error) => (error.kind().to_string(), Some(error.span().start.offset)),
        regex_syntax::Error::Translate(error) => (error.kind().to_string(), Some(error.span().start.offset)),
        _ => ("it cannot be parsed".to_owned(), None),
    })
}

/// The syntax tree of an expression as patterns have it.
#[cfg(test)]
pub fn parsed(regex: &str) -> Hir {
    let spec = PatternSpec { regex: regex.into(), ..PatternSpec::default() };
    parse(&spec, syntax_config(&spec, false)).expect("valid")
}

/// By what a pattern is found.
enum Trigger {
    /// Literals that every match contains.
    Inner(Literals),
    /// Words that a text has, and bytes of which every match has one.
    Keywords(Option<Vec<u8>>),
    /// Runs of digits that every match has.
    Runs(Vec<Gate>),
    None,
}

/// The most telling of them: long literals over keywords over runs over short literals.
fn trigger(keywords: &[Vec<u8>], hir: &Hir) -> Trigger {
    let shortest = keywords.iter().map(Vec::len).min().unwrap_or(0);
    let inner = literal::required(hir, shortest >= WIDTH);
    match inner {
        Some(inner) if inner.shortest() >= WIDTH => Trigger::Inner(inner),
        inner if shortest >= WIDTH => Trigger::Keywords(inner.and_then(|inner| inner.signs())),
        inner => match (runs::required(hir), inner) {
            // A pass over hexadecimal digits, which are in all words, is no cheaper than one for short literals.
            (Some(gates), inner) if inner.is_none() || gates.iter().all(Gate::is_of_digits) => Trigger::Runs(gates),
            (_, Some(inner)) if inner.shortest() >= shortest => Trigger::Inner(inner),
            (_, inner) if shortest >= 2 => Trigger::Keywords(inner.and_then(|inner| inner.signs())),
            (_, inner) => inner.map_or(Trigger::None, Trigger::Inner),
        },
    }
}

fn cost_note(spec: usize, trigger: &Trigger) -> Option<CostNote> {
    let message = match trigger {
        Trigger::None => "it has no literal that every match contains: every text is searched for it",
        Trigger::Inner(inner) if inner.shortest() < WIDTH => {
            "its literals have fewer than 4 bytes: many texts have one"
        }
        Trigger::Runs(gates) if gates.iter().any(Gate::is_common) => {
            "it has no literal that every match contains: it is looked for wherever digits stand"
        }
        _ => return None,
    };
    Some(CostNote { spec, message })
}

/// All patterns' triggers.
#[derive(Default)]
struct Triggers {
    literals: Vec<(u16, Literal)>,
    runs: Runs,
    /// Patterns that have none.
    without: Vec<(u16, Hir)>,
}

impl Triggers {
    fn add(&mut self, id: u16, pattern: &mut Pattern, trigger: Trigger, hir: Hir) {
        match trigger {
            Trigger::Inner(inner) => self.literals.extend(inner.literals.into_iter().map(|literal| (id, literal))),
            Trigger::Keywords(signs) => {
                pattern.signs = signs.unwrap_or_default();
                // Where a candidate is, a keyword is; and it may stand anywhere.
                pattern.window = None;
                let words = std::mem::take(&mut pattern.keywords);
                self.literals.extend(words.into_iter().map(|word| (id, Literal::free(word))));
            }
            Trigger::Runs(gates) if self.runs.add(id, &gates) => {}
            Trigger::Runs(_) | Trigger::None => self.without.push((id, hir)),
        }
    }
}

/// Joins what is the same literal to several patterns.
fn sought(mut literals: Vec<(u16, Literal)>, ahead: &mut Vec<Ahead>) -> Vec<Sought> {
    let place =
        |(_, literal): &(u16, Literal)| (literal.bytes.clone(), literal.rest_at, literal.before, literal.behind);
    literals.sort_by_key(place);
    let joined = literals.chunk_by(|a, b| place(a) == place(b)).map(|group| {
        let owners = group.iter().map(|(pattern, literal)| {
            let rest = Hir::concat(literal.rest.clone());
            Owner { pattern: *pattern, ahead: number_of(Ahead::of(&[rest]), ahead), lead: literal.lead }
        });
        let owners: Vec<Owner> = owners.collect();
        let rests = group.iter().map(|(_, literal)| Hir::concat(literal.rest.clone())).collect();
        let any = (owners.len() > 1).then(|| number_of(Ahead::of(&[Hir::alternation(rests)]), ahead)).flatten();
        Sought { literal: group[0].1.clone(), ahead: any, owners }
    });
    joined.collect()
}

/// Literals of one place share what follows.
fn number_of(one: Option<Ahead>, all: &mut Vec<Ahead>) -> Option<u16> {
    let one = one?;
    let known = all.iter().rposition(|known| *known == one);
    let number = known.unwrap_or_else(|| {
        all.push(one);
        all.len() - 1
    });
    u16::try_from(number).ok()
}

/// One DFA for the patterns without trigger; none if there are none of these.
fn lazy(without: &[(u16, Hir)]) -> Option<Lazy> {
    if without.is_empty() {
        return None;
    }
    let hirs: Vec<&Hir> = without.iter().map(|(_, hir)| hir).collect();
    let nfa = thompson::Compiler::new()
        .configure(thompson::Config::new().utf8(false).which_captures(thompson::WhichCaptures::None))
        .build_many_from_hir(&hirs)
        .expect("each of them has been compiled alone");
    let config = dfa::Config::new()
        .match_kind(MatchKind::All)
        .unicode_word_boundary(true)
        .skip_cache_capacity_check(true)
        .cache_capacity(LAZY_CACHE);
    let dfa =
        dfa::Builder::new().configure(config).build_from_nfa(nfa).expect("heuristics and capacity leave no error");
    Some(Lazy { dfa, patterns: without.iter().map(|(id, _)| *id).collect() })
}
