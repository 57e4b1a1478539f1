//! User patterns: regular expressions behind a prefilter.
//!
//! Of each pattern the literals are known of which every match has one. All of them are looked for in one pass
//! (`windows`); where one stands, and its neighbours fit, the pattern's own regular expression runs over the part of the
//! text in which a match may contain it, or over all of it where matches have no bound. So the spans are those that the plain
//! expression finds, and most texts are passed over. Patterns without such a literal share one lazy DFA.
//!
//! Linear in the text's length: an expression runs over a byte at most once a text. All of them together have a budget;
//! where a text exceeds it, it is reported whole.

mod ahead;
mod compile;
mod direct;
mod literal;
mod neighbours;
mod runs;
mod validate;
mod windows;

use std::fmt;
use std::ops::Range;

use regex_automata::hybrid::dfa;
use regex_automata::meta;
use regex_automata::util::primitives::NonMaxUsize;
use regex_automata::{Input, PatternSet};

use super::{Entity, Span, Writing};
use ahead::Ahead;
use direct::{Direct, Match};
use runs::{Run, Runs};
pub use validate::Validator;
use windows::Windows;

/// Matches longer than this are searched for in the whole text instead of in windows.
const MAX_WINDOW: usize = 1024;
/// Bytes that all expressions together may look at, in lengths of the text, and whatever its length.
const BUDGET_FACTOR: usize = 24;
const BUDGET_FLOOR: usize = 64 << 10;
/// Steps that a simple expression may take through a range, in lengths of it, and whatever its length.
const DIRECT_FACTOR: usize = 8;
const DIRECT_FLOOR: usize = 512;

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
    /// What must follow the literals.
    ahead: Vec<Ahead>,
    runs: Runs,
    /// Finds which of the patterns without trigger match somewhere.
    lazy: Option<Lazy>,
    notes: Vec<CostNote>,
    /// Tells these patterns from all others of the process; see [`PatternScratch`].
    identity: u64,
}

#[derive(Debug)]
struct Pattern {
    index: u16,
    regex: meta::Regex,
    /// The same, where it is simple.
    direct: Option<Direct>,
    /// Folded. Empty: nothing is asked for, or the candidates tell.
    keywords: Vec<Vec<u8>>,
    /// Up to three bytes of which every match has one; empty, if nothing is known.
    signs: Vec<u8>,
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
    /// Where groups begin and end.
    slots: Vec<Option<NonMaxUsize>>,
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
        self.windows.scan(buf, start, end, &mut |literal, at| self.note(literal, at, &buf[start..end], scratch));
        self.runs.scan(buf, start, end, &mut |run| self.note_run(run, end - start, scratch));
        if self.lazy.is_some() {
            self.note_lazy(&buf[start..end], scratch);
        }
        if !scratch.candidates.is_empty() {
            self.verify(&buf[start..end], start, scratch, spans);
        }
    }

    /// Notes that `literal` stands at `at` of a text, if what must follow may follow.
    #[inline(never)]
    fn note(&self, literal: &windows::Entry, at: usize, text: &[u8], scratch: &mut PatternScratch) {
        let follows = |ahead: Option<u16>| {
            ahead.is_none_or(|ahead| self.ahead[usize::from(ahead)].may_follow(text, at + literal.rest_at))
        };
        if !follows(literal.ahead) {
            return;
        }
        for owner in literal.owners.iter().filter(|owner| follows(owner.ahead)) {
            let Some(latest) = at.checked_sub(owner.lead.0) else { continue };
            let longest = self.patterns[usize::from(owner.pattern)].window.unwrap_or(usize::MAX);
            let range = (at.saturating_sub(owner.lead.1), latest.saturating_add(longest).min(text.len()));
            self.note_range(owner.pattern, range, scratch);
        }
    }

    /// Notes a run of a text, with which a match has at least a byte in common.
    fn note_run(&self, run: Run, length: usize, scratch: &mut PatternScratch) {
        let range = match self.patterns[usize::from(run.pattern)].window {
            Some(longest) => (run.start.saturating_sub(longest), (run.end + longest).min(length)),
            None => (0, length),
        };
        self.note_range(run.pattern, range, scratch);
    }

    fn note_range(&self, pattern: u16, (start, end): (usize, usize), scratch: &mut PatternScratch) {
        let (start, end) = (start as u32, end as u32);
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
            self.note_range(pattern, (0, text.len()), scratch);
        }
    }

    #[inline(never)]
    fn verify(&self, text: &[u8], offset: usize, scratch: &mut PatternScratch, spans: &mut Vec<Span>) {
        // Ranges of a pattern that touch become one, so that none of its matches lies across two of them.
        if scratch.candidates.len() > 1 {
            scratch.candidates.sort_unstable_by_key(|candidate| (candidate.pattern, candidate.start));
            scratch.candidates.dedup_by(|next, kept| {
                let same = next.pattern == kept.pattern && kept.touches(next.start, next.end);
                if same {
                    kept.include(next.start, next.end);
                }
                same
            });
        }
        let mut budget = text.len() * BUDGET_FACTOR + BUDGET_FLOOR;
        for candidate in scratch.candidates.drain(..) {
            let pattern = &self.patterns[usize::from(candidate.pattern)];
            let range = candidate.start as usize..candidate.end as usize;
            if !pattern.has_sign(&text[range.clone()]) || !pattern.has_keyword(text) {
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
                    pattern.matches(text, range, &mut scratch.slots, &mut push);
                }
                None => push(0, text.len()),
            }
        }
    }
}

impl Pattern {
    fn has_sign(&self, text: &[u8]) -> bool {
        match self.signs[..] {
            [a] => memchr::memchr(a, text).is_some(),
            [a, b] => memchr::memchr2(a, b, text).is_some(),
            [a, b, c] => memchr::memchr3(a, b, c, text).is_some(),
            _ => true,
        }
    }

    fn has_keyword(&self, text: &[u8]) -> bool {
        self.keywords.is_empty() || self.keywords.iter().any(|word| contains_folded(text, word))
    }

    /// Reports what matches within a range of the text; the expression sees what stands around it.
    fn matches(
        &self,
        text: &[u8],
        range: Range<usize>,
        slots: &mut Vec<Option<NonMaxUsize>>,
        report: &mut dyn FnMut(usize, usize),
    ) {
        let mut at = range.start;
        let mut budget = DIRECT_FACTOR * range.len() + DIRECT_FLOOR;
        while let Some(Match { start, end, group }) = self.next_match(text, at..range.end, &mut budget, slots) {
            let (from, to) = group.filter(|(from, to)| from < to).unwrap_or((start, end));
            let accepted = self
                .validators
                .iter()
                .try_fold(to, |to, validator| validator.accepts(&text[from..to]).map(|length| from + length));
            let mut next = end;
            if let Some(accepted) = accepted.filter(|accepted| from < *accepted) {
                // What a validator cuts off may begin a match of its own.
                next = if accepted < to { accepted } else { next };
                let (from, to) = whole_characters(text, from, accepted);
                report(from, to);
            }
            at = next.max(at + usize::from(start == end));
            if at >= range.end {
                return;
            }
        }
    }

    /// The first match in a range.
    fn next_match(
        &self,
        text: &[u8],
        range: Range<usize>,
        budget: &mut usize,
        slots: &mut Vec<Option<NonMaxUsize>>,
    ) -> Option<Match> {
        if let Some(direct) = &self.direct
            && let Ok(found) = direct.find(text, range.start, range.end, budget)
        {
            return found;
        }
        slots.clear();
        slots.resize(2 * (self.group + 1), None);
        self.regex.search_slots(&Input::new(text).range(range), slots)?;
        let offsets = |group: usize| Some((slots[2 * group]?.get(), slots[2 * group + 1]?.get()));
        let (start, end) = offsets(0).expect("a match has a beginning and an end");
        Some(Match { start, end, group: offsets(self.group) })
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

#[cfg(test)]
mod tests;
