//! User patterns: regular expressions behind a prefilter.
//!
//! Of each pattern the literals are known of which every match has one. All of them are looked for in one pass
//! (`windows`); where one stands, and its neighbours fit, the pattern's own regular expression runs over the part of the
//! text in which a match may contain it, or over all of it where matches have no bound. So the spans are those that the plain
//! expression finds, and most texts are passed over. Patterns without such a literal share one lazy DFA.
//!
//! Linear in the text's length: an expression runs over a byte at most once a text. All of them together have a budget;
//! where a text exceeds it, it is reported whole.

mod literal;
mod validate;
mod windows;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use regex_automata::hybrid::dfa;
use regex_automata::meta;
use regex_automata::util::syntax;
use regex_automata::{Anchored, Input, MatchKind, PatternSet};
use regex_syntax::hir::Hir;

use super::{Entity, Span, Writing};
use literal::Literals;
pub use validate::Validator;
use windows::Windows;

/// Compiled size that one expression may have, in bytes.
const MAX_COMPILED: usize = 2 << 20;
/// States that the patterns without literal may keep, in bytes a worker. What counts: past its cache a lazy DFA collapses.
const LAZY_CACHE: usize = 16 << 20;
/// Matches longer than this are searched for in the whole text instead of in windows.
const MAX_WINDOW: usize = 1024;
/// Bytes that all expressions together may look at, in lengths of the text, and whatever its length.
const BUDGET_FACTOR: usize = 24;
const BUDGET_FLOOR: usize = 64 << 10;

/// A pattern as a rule writes it.
#[derive(Clone, Debug, Default)]
pub struct PatternSpec {
    /// What its spans carry: [`Entity::Pattern`] of it.
    pub index: u16,
    /// In the syntax of the `regex` crate. Classes such as `\w` mean ASCII, unless the expression needs Unicode or says `(?u)`.
    pub regex: String,
    pub case_insensitive: bool,
    /// If there are any, one of them must stand somewhere in the text, in any case.
    pub keywords: Vec<String>,
    /// The group that is the secret; 0 is the whole match, as is a group that took no part in it.
    pub group: usize,
    /// All of them must hold for what is reported.
    pub validators: Vec<Validator>,
}

/// A pattern that cannot be compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatternError {
    /// Which of the specifications.
    pub spec: usize,
    /// Byte offset in its expression, where there is a place to point at.
    pub offset: Option<usize>,
    pub message: String,
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pattern {}: {}", self.spec, self.message)?;
        self.offset.map_or(Ok(()), |offset| write!(f, " at offset {offset}"))
    }
}

impl std::error::Error for PatternError {}

/// A pattern that costs more than others, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CostNote {
    /// Which of the specifications.
    pub spec: usize,
    pub message: &'static str,
}

/// All patterns of a policy: immutable, shared by all workers.
#[derive(Debug, Default)]
pub struct Patterns {
    patterns: Vec<Pattern>,
    windows: Windows,
    /// Finds which of the patterns without literal match somewhere.
    lazy: Option<Lazy>,
    notes: Vec<CostNote>,
    /// Tells these patterns from all others of the process; see [`PatternScratch`].
    identity: u64,
}

#[derive(Debug)]
struct Pattern {
    index: u16,
    regex: meta::Regex,
    /// Folded. Empty: nothing is asked for.
    keywords: Vec<Vec<u8>>,
    group: usize,
    validators: Vec<Validator>,
    /// The longest match, where windows may be used.
    window: Option<usize>,
}

#[derive(Debug)]
struct Lazy {
    dfa: dfa::DFA,
    /// The DFA's patterns, as indices of [`Patterns::patterns`].
    patterns: Vec<u16>,
}

/// One worker's memory for [`Patterns::find_in`]. Its lazy DFA's states belong to certain patterns, and are thrown away when
/// it is used with others.
#[derive(Default)]
pub struct PatternScratch {
    identity: u64,
    candidates: Vec<Candidate>,
    lazy: Option<(dfa::Cache, PatternSet)>,
}

/// A part of a text in which a pattern's matches lie.
#[derive(Clone, Copy)]
struct Candidate {
    pattern: u16,
    start: u32,
    end: u32,
}

impl Candidate {
    fn touches(&self, start: u32, end: u32) -> bool {
        start <= self.end && self.start <= end
    }

    fn include(&mut self, start: u32, end: u32) {
        self.start = self.start.min(start);
        self.end = self.end.max(end);
    }
}

impl Patterns {
    /// Compiles the patterns.
    ///
    /// # Errors
    /// The first one that cannot be: syntax, size, a group that it has not, an empty keyword.
    pub fn build(specs: Vec<PatternSpec>) -> Result<Patterns, PatternError> {
        static BUILT: AtomicU64 = AtomicU64::new(0);
        let mut built = Patterns { identity: 1 + BUILT.fetch_add(1, Ordering::Relaxed), ..Patterns::default() };
        let mut literals = Vec::new();
        let mut without = Vec::new();
        if specs.len() >= usize::from(u16::MAX) {
            return Err(PatternError {
                spec: usize::from(u16::MAX),
                offset: None,
                message: "too many patterns".into(),
            });
        }
        for (number, spec) in specs.iter().enumerate() {
            let (pattern, hir) =
                compile(spec).map_err(|(message, offset)| PatternError { spec: number, offset, message })?;
            let required = literal::required(&hir);
            let trigger = trigger(&pattern.keywords, required);
            built.notes.extend(cost_note(number, trigger.as_ref()));
            let id = number as u16;
            match trigger {
                Some(Trigger::Inner(inner)) => literals.extend(inner.literals.into_iter().map(|literal| (id, literal))),
                Some(Trigger::Keywords) => {
                    literals.extend(pattern.keywords.iter().map(|word| (id, literal::Literal::free(word.clone()))));
                }
                None => without.push((id, hir)),
            }
            let by_keyword = !literals.last().is_some_and(|(last, literal)| *last == id && literal.inner);
            built.patterns.push(Pattern { window: pattern.window.filter(|_| !by_keyword), ..pattern });
        }
        built.windows = Windows::build(literals);
        built.lazy = lazy(&without);
        Ok(built)
    }

    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    pub fn len(&self) -> usize {
        self.patterns.len()
    }

    /// Patterns that every text pays for.
    pub fn cost_notes(&self) -> &[CostNote] {
        &self.notes
    }

    /// Appends a span for every match in `buf[start..end]`, as offsets into `buf`; in no order, and different patterns' may
    /// overlap. Where the budget is exceeded, the whole text is reported for the pattern whose turn it was.
    #[inline]
    pub fn find_in(&self, buf: &[u8], start: usize, end: usize, scratch: &mut PatternScratch, spans: &mut Vec<Span>) {
        if self.patterns.is_empty() || start >= end {
            return;
        }
        self.windows.scan(buf, start, end, &mut |literal, at| self.note(literal, at, end - start, scratch));
        if self.lazy.is_some() {
            self.note_lazy(&buf[start..end], scratch);
        }
        if !scratch.candidates.is_empty() {
            self.verify(&buf[start..end], start, scratch, spans);
        }
    }

    /// Notes that `literal` stands at `at` of a text.
    #[inline(never)]
    fn note(&self, literal: &windows::Entry, at: usize, length: usize, scratch: &mut PatternScratch) {
        let (start, end) = match self.patterns[usize::from(literal.pattern)].window {
            Some(longest) => ((at + literal.length()).saturating_sub(longest), (at + longest).min(length)),
            None => (0, length),
        };
        self.note_range(literal.pattern, start as u32, end as u32, scratch);
    }

    fn note_range(&self, pattern: u16, start: u32, end: u32, scratch: &mut PatternScratch) {
        match scratch.candidates.last_mut() {
            Some(last) if last.pattern == pattern && last.touches(start, end) => last.include(start, end),
            _ => scratch.candidates.push(Candidate { pattern, start, end }),
        }
    }

    /// Notes the patterns without literal that match somewhere; all of them, if the DFA gives up.
    fn note_lazy(&self, text: &[u8], scratch: &mut PatternScratch) {
        let Some(lazy) = &self.lazy else { return };
        if scratch.identity != self.identity {
            (scratch.identity, scratch.lazy) = (self.identity, None);
        }
        let (cache, set) =
            scratch.lazy.get_or_insert_with(|| (lazy.dfa.create_cache(), PatternSet::new(lazy.patterns.len())));
        set.clear();
        let gave_up = lazy.dfa.try_which_overlapping_matches(cache, &Input::new(text), set).is_err();
        let matching = (0..lazy.patterns.len())
            .filter(|&index| gave_up || set.contains(regex_automata::PatternID::must(index)))
            .map(|index| lazy.patterns[index])
            .collect::<Vec<u16>>();
        for pattern in matching {
            self.note_range(pattern, 0, text.len() as u32, scratch);
        }
    }

    #[inline(never)]
    fn verify(&self, text: &[u8], offset: usize, scratch: &mut PatternScratch, spans: &mut Vec<Span>) {
        // Ranges of a pattern that touch become one, so that none of its matches lies across two of them.
        scratch.candidates.sort_unstable_by_key(|candidate| (candidate.pattern, candidate.start));
        scratch.candidates.dedup_by(|next, kept| {
            let same = next.pattern == kept.pattern && kept.touches(next.start, next.end);
            if same {
                kept.include(next.start, next.end);
            }
            same
        });
        let mut budget = text.len() * BUDGET_FACTOR + BUDGET_FLOOR;
        for candidate in scratch.candidates.drain(..) {
            let pattern = &self.patterns[usize::from(candidate.pattern)];
            if !pattern.has_keyword(text) {
                continue;
            }
            let mut push = |start: usize, end: usize| {
                let (start, end) = ((offset + start) as u32, (offset + end) as u32);
                let entity = Entity::Pattern(pattern.index);
                spans.push(Span { start, end, entity, writing: Writing::Plain, address: 0 });
            };
            match budget.checked_sub((candidate.end - candidate.start) as usize) {
                Some(left) => {
                    budget = left;
                    pattern.matches(text, candidate.start as usize, candidate.end as usize, &mut push);
                }
                None => push(0, text.len()),
            }
        }
    }
}

impl Pattern {
    fn has_keyword(&self, text: &[u8]) -> bool {
        self.keywords.is_empty() || self.keywords.iter().any(|word| contains_folded(text, word))
    }

    /// Reports what matches within `start..end` of the text; the expression sees what stands around it.
    fn matches(&self, text: &[u8], start: usize, end: usize, report: &mut dyn FnMut(usize, usize)) {
        let mut at = start;
        while let Some(found) = self.regex.search(&Input::new(text).range(at..end)) {
            let (from, to) = self.secret(text, found.start(), found.end(), end);
            let accepted = self
                .validators
                .iter()
                .try_fold(to, |to, validator| validator.accepts(&text[from..to]).map(|length| from + length));
            let mut next = found.end();
            if let Some(accepted) = accepted.filter(|accepted| from < *accepted) {
                // What a validator cuts off may begin a match of its own.
                next = if accepted < to { accepted } else { next };
                let (from, to) = whole_characters(text, from, accepted);
                report(from, to);
            }
            at = next.max(at + usize::from(found.is_empty()));
            if at >= end {
                return;
            }
        }
    }

    /// The range of the group that is asked for, in the match `start..end`.
    fn secret(&self, text: &[u8], start: usize, end: usize, limit: usize) -> (usize, usize) {
        if self.group == 0 {
            return (start, end);
        }
        let mut captures = self.regex.create_captures();
        self.regex.search_captures(&Input::new(text).range(start..limit).anchored(Anchored::Yes), &mut captures);
        captures
            .get_group(self.group)
            .filter(|group| group.start < group.end)
            .map_or((start, end), |group| (group.start, group.end))
    }
}

/// Widens a range that cuts a character in two, as ASCII expressions may.
fn whole_characters(text: &[u8], mut start: usize, mut end: usize) -> (usize, usize) {
    let continues = |at: usize| text.get(at).is_some_and(|b| b & 0xc0 == 0x80);
    while start > 0 && continues(start) {
        start -= 1;
    }
    while continues(end) {
        end += 1;
    }
    (start, end)
}

fn contains_folded(text: &[u8], word: &[u8]) -> bool {
    let first = word[0];
    memchr::memchr2_iter(first, first.to_ascii_uppercase(), text)
        .any(|at| text.get(at..at + word.len()).is_some_and(|there| there.eq_ignore_ascii_case(word)))
}

fn compile(spec: &PatternSpec) -> Result<(Pattern, Hir), (String, Option<usize>)> {
    // ASCII first: smaller and faster. Unicode where the expression does not do without.
    let ascii = syntax_config(spec, false);
    let (hir, config) = match parse(spec, ascii) {
        Ok(hir) => (hir, ascii),
        Err(_) => (parse(spec, syntax_config(spec, true))?, syntax_config(spec, true)),
    };
    let limits =
        meta::Config::new().utf8_empty(false).nfa_size_limit(Some(MAX_COMPILED)).hybrid_cache_capacity(MAX_COMPILED);
    let regex =
        meta::Regex::builder().configure(limits).syntax(config).build(&spec.regex).map_err(|error| {
            match error.size_limit() {
                Some(limit) => (format!("it compiles to more than {} MiB", limit >> 20), None),
                None => (error.to_string(), None),
            }
        })?;
    if spec.group >= regex.group_info().group_len(regex_automata::PatternID::ZERO) {
        return Err((format!("the expression has no group {}", spec.group), None));
    }
    if spec.keywords.iter().any(String::is_empty) {
        return Err(("a keyword is empty".into(), None));
    }
    let keywords = spec.keywords.iter().map(|word| word.to_ascii_lowercase().into_bytes()).collect();
    let window = hir.properties().maximum_len().filter(|longest| (1..=MAX_WINDOW).contains(longest));
    let validators = spec.validators.clone();
    Ok((Pattern { index: spec.index, regex, keywords, group: spec.group, validators, window }, hir))
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

/// By what a text is passed over.
enum Trigger {
    /// Literals that every match contains.
    Inner(Literals),
    Keywords,
}

/// The more telling of both: long literals over keywords over short literals.
fn trigger(keywords: &[Vec<u8>], inner: Option<Literals>) -> Option<Trigger> {
    let shortest = keywords.iter().map(Vec::len).min().unwrap_or(0);
    match inner {
        Some(inner) if inner.shortest() >= shortest.min(4) => Some(Trigger::Inner(inner)),
        _ if shortest >= 2 => Some(Trigger::Keywords),
        inner => inner.map(Trigger::Inner),
    }
}

fn cost_note(spec: usize, trigger: Option<&Trigger>) -> Option<CostNote> {
    let message = match trigger {
        None => "it has no literal that every match contains: every text is searched for it",
        Some(Trigger::Inner(inner)) if inner.shortest() < 4 => {
            "its literals have fewer than 4 bytes: many texts have one"
        }
        _ => return None,
    };
    Some(CostNote { spec, message })
}

/// One DFA for the patterns without literal; none if it cannot be built, and then `find_in` must run each of them.
fn lazy(without: &[(u16, Hir)]) -> Option<Lazy> {
    use regex_automata::nfa::thompson;
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

#[cfg(test)]
mod tests;
