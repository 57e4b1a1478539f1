//! Runs of digits, for expressions without a literal: numbers of cards, accounts, phones, people.
//!
//! Of each such expression a run is known that every match has: how long it is, what stands before and behind it, and what
//! must follow (`ahead`). The runs of a text fall out of one vector pass; each is looked up in three tables, which leave the
//! expressions that it could belong to. Where digits tell nothing (hardware addresses), runs of hexadecimal digits stand in.

use regex_syntax::hir::{Hir, HirKind, Look, Repetition};

use super::ahead::Ahead;
use super::neighbours::Neighbours;
use crate::scan::{Best, Scanner, Search, WINDOW};

/// Alternatives that one expression may come to.
const MAX_SEQUENCES: usize = 64;
/// Of a repeated group so many are written out.
const MAX_COPIES: u32 = 4;
/// Runs of this length and longer ones are one.
const LONGEST: u32 = 31;
/// Gates of one kind that a text's runs are held against: a bit each.
const MAX_GATES: usize = 128;

/// What runs consist of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Digit,
    Hex,
}

impl Kind {
    fn set(self) -> Neighbours {
        match self {
            Kind::Digit => Neighbours::of(|b| b.is_ascii_digit(), false),
            Kind::Hex => Neighbours::of(|b| b.is_ascii_hexdigit(), false),
        }
    }
}

/// A run that every match of some alternative has.
#[derive(Clone, Debug)]
pub struct Gate {
    kind: Kind,
    /// A bit for each length that it may have, as it stands in the text.
    lengths: u32,
    before: Neighbours,
    behind: Neighbours,
    anchor: Anchor,
    /// What follows the anchor, by alternative.
    rests: Vec<Hir>,
}

/// From where on it is known what follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Anchor {
    Start,
    End,
    None,
}

/// Gates of which every match of `hir` opens one; `None` if it has no such runs.
pub fn required(hir: &Hir) -> Option<Vec<Gate>> {
    let mut gates: Vec<Gate> = Vec::new();
    for sequence in expand(hir, vec![Vec::new()]) {
        let digits = of_sequence(&sequence, Kind::Digit);
        let all = if digits.is_empty() { of_sequence(&sequence, Kind::Hex) } else { digits };
        let best = all.into_iter().min_by(|a, b| a.frequency().total_cmp(&b.frequency()))?;
        let alike =
            |known: &&mut Gate| (known.kind, known.anchor, known.lengths) == (best.kind, best.anchor, best.lengths);
        match gates.iter_mut().find(alike) {
            Some(known) => known.include(best),
            None => gates.push(best),
        }
    }
    Some(gates)
}

impl Gate {
    fn include(&mut self, other: Gate) {
        self.before.add_all(&other.before);
        self.behind.add_all(&other.behind);
        self.rests.extend(other.rests.into_iter().filter(|rest| !self.rests.contains(rest)).collect::<Vec<_>>());
    }

    pub fn is_of_digits(&self) -> bool {
        self.kind == Kind::Digit
    }

    /// Whether it lets much of telemetry through.
    pub fn is_common(&self) -> bool {
        self.frequency() > 0.2
    }

    /// Roughly which share of the digits of telemetry it lets through.
    fn frequency(&self) -> f64 {
        let share = |set: &Neighbours| set.iter().map(commonness).sum::<f64>().min(1.0);
        let lengths: f64 = (1..=LONGEST).filter(|length| self.lengths >> length & 1 != 0).map(of_length).sum();
        // Each byte that must follow halves it, as far as the run's neighbour does not tell already.
        let least = |hir: &Hir| hir.properties().minimum_len().unwrap_or(0);
        let run = if self.anchor == Anchor::Start { self.lengths.trailing_zeros() as usize } else { 0 };
        let follows = self.rests.iter().map(least).min().unwrap_or(0).saturating_sub(run + 1).min(12);
        lengths * share(&self.before) * share(&self.behind) / f64::from(1 << follows)
    }
}

/// How often a run has that length.
fn of_length(length: u32) -> f64 {
    match length {
        1 => 0.3,
        2 => 0.25,
        3 => 0.15,
        4 => 0.1,
        _ => 0.2 / f64::from(LONGEST - 4),
    }
}

/// How often a byte stands beside a run.
fn commonness(b: u8) -> f64 {
    match b {
        b' ' | b'.' | b':' | b'-' => 0.12,
        b'/' | b'"' | b'=' | b',' | b'_' | b'T' | b's' | b'm' => 0.04,
        b'a'..=b'z' | b'A'..=b'Z' => 0.005,
        _ => 0.001,
    }
}

/// Appends an element to each of the sequences, alternatives apart. What would come to too many stays one element.
fn expand(hir: &Hir, heads: Vec<Vec<Hir>>) -> Vec<Vec<Hir>> {
    match hir.kind() {
        HirKind::Capture(capture) => expand(&capture.sub, heads),
        HirKind::Concat(parts) => parts.iter().fold(heads, |heads, part| expand(part, heads)),
        HirKind::Literal(literal) => {
            let bytes = literal.0.iter().map(|b| Hir::literal([*b]));
            append(heads, &bytes.collect::<Vec<_>>())
        }
        HirKind::Alternation(branches) if heads.len() * branches.len() <= MAX_SEQUENCES => {
            branches.iter().flat_map(|branch| expand(branch, heads.clone())).collect()
        }
        HirKind::Repetition(repetition) if Neighbours::of_one(&repetition.sub).is_none() => {
            match (repetition.min, repetition.max) {
                (0, Some(1)) if heads.len() * 2 <= MAX_SEQUENCES => {
                    let without = heads.clone();
                    without.into_iter().chain(expand(&repetition.sub, heads)).collect()
                }
                (0, _) => append(heads, std::slice::from_ref(hir)),
                (least, most) => {
                    let copies = least.min(MAX_COPIES);
                    let heads = (0..copies).fold(heads, |heads, _| expand(&repetition.sub, heads));
                    let rest =
                        Repetition { min: least - copies, max: most.map(|most| most - copies), ..repetition.clone() };
                    if rest.max == Some(0) { heads } else { append(heads, &[Hir::repetition(rest)]) }
                }
            }
        }
        _ => append(heads, std::slice::from_ref(hir)),
    }
}

fn append(mut heads: Vec<Vec<Hir>>, elements: &[Hir]) -> Vec<Vec<Hir>> {
    heads.iter_mut().for_each(|head| head.extend_from_slice(elements));
    heads
}

/// What an element of a sequence is to runs.
enum Leaf {
    /// So many bytes of a set.
    Bytes {
        set: Neighbours,
        least: u32,
        most: Option<u32>,
    },
    Look(Look),
    Opaque,
}

fn leaf(hir: &Hir) -> Leaf {
    match hir.kind() {
        HirKind::Look(look) => Leaf::Look(*look),
        HirKind::Repetition(repetition) => match Neighbours::of_one(&repetition.sub) {
            Some(set) => Leaf::Bytes { set, least: repetition.min, most: repetition.max },
            None => Leaf::Opaque,
        },
        _ => match Neighbours::of_one(hir) {
            Some(set) => Leaf::Bytes { set, least: 1, most: Some(1) },
            None => Leaf::Opaque,
        },
    }
}

/// The runs that every match of a sequence has.
fn of_sequence(sequence: &[Hir], kind: Kind) -> Vec<Gate> {
    let leaves: Vec<Leaf> = sequence.iter().map(leaf).collect();
    let belongs = |leaf: &Leaf| matches!(leaf, Leaf::Bytes { set, .. } if set.is_within(&kind.set()));
    let mut gates = Vec::new();
    let mut from = 0;
    while let Some(start) = leaves[from..].iter().position(belongs).map(|at| from + at) {
        let length = leaves[start..].iter().take_while(|leaf| belongs(leaf)).count();
        from = start + length;
        gates.extend(gate(kind, sequence, &leaves, start, from));
    }
    gates
}

/// The run that the elements `start..end` come to.
fn gate(kind: Kind, sequence: &[Hir], leaves: &[Leaf], start: usize, end: usize) -> Option<Gate> {
    let (least, most) = leaves[start..end].iter().fold((0_u32, Some(0_u32)), |(least, most), leaf| match leaf {
        Leaf::Bytes { least: mine, most: my_most, .. } => {
            (least.saturating_add(*mine), most.zip(*my_most).and_then(|(a, b)| a.checked_add(b)))
        }
        _ => (least, None),
    });
    let before = border(leaves[..start].iter().rev(), kind);
    let behind = border(leaves[end..].iter(), kind);
    if least == 0 {
        return None;
    }
    // With something else on both sides the text's run is the elements' own; otherwise it may be longer.
    let longest = most.filter(|_| before.is_some() && behind.is_some()).unwrap_or(LONGEST).min(LONGEST);
    let lengths = (least.min(LONGEST)..=longest).fold(0, |set, length| set | 1 << length);
    let (anchor, rest) = match (before, behind) {
        (Some(_), _) => (Anchor::Start, &sequence[start..]),
        (None, Some(_)) => (Anchor::End, &sequence[end..]),
        (None, None) => (Anchor::None, &sequence[..0]),
    };
    Some(Gate {
        kind,
        lengths,
        before: before.unwrap_or(Neighbours::ANY),
        behind: behind.unwrap_or(Neighbours::ANY),
        anchor,
        rests: vec![Hir::concat(rest.to_vec())],
    })
}

/// What stands beside a run by the elements there, nearest first; `None` if the run may go on.
fn border<'a>(leaves: impl Iterator<Item = &'a Leaf>, kind: Kind) -> Option<Neighbours> {
    let mut set = Neighbours::NONE;
    for leaf in leaves {
        match leaf {
            Leaf::Bytes { set: bytes, least, .. } if bytes.is_disjoint(&kind.set()) => {
                set.add_all(bytes);
                if *least > 0 {
                    return Some(set);
                }
            }
            Leaf::Bytes { .. } | Leaf::Opaque => return None,
            Leaf::Look(Look::WordAscii) => {
                set.add_all(&Neighbours::no_word());
                return Some(set);
            }
            Leaf::Look(Look::Start | Look::End) => {
                set.edge = true;
                return Some(set);
            }
            Leaf::Look(_) => {}
        }
    }
    None
}

/// All gates of a policy's patterns.
#[derive(Debug, Default)]
pub struct Runs {
    scanner: Best,
    digits: Option<Box<Table>>,
    hexes: Option<Box<Table>>,
}

/// A run that may belong to a pattern.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    pub pattern: u16,
    pub start: usize,
    pub end: usize,
}

impl Runs {
    /// Takes a pattern's gates, if there is room for them.
    pub fn add(&mut self, pattern: u16, gates: &[Gate]) -> bool {
        let of = |kind| gates.iter().filter(move |gate| gate.kind == kind);
        let room = |table: &Option<Box<Table>>, more: usize| {
            table.as_ref().map_or(0, |table| table.gates.len()) + more <= MAX_GATES
        };
        if !room(&self.digits, of(Kind::Digit).count()) || !room(&self.hexes, of(Kind::Hex).count()) {
            return false;
        }
        of(Kind::Digit).for_each(|gate| self.digits.get_or_insert_default().add(pattern, gate));
        of(Kind::Hex).for_each(|gate| self.hexes.get_or_insert_default().add(pattern, gate));
        true
    }

    /// Calls `hit` for each run of `buf[start..end]` and each pattern that it may belong to, with offsets in the text.
    #[inline]
    pub fn scan(&self, buf: &[u8], start: usize, end: usize, hit: &mut dyn FnMut(Run)) {
        if self.digits.is_some() || self.hexes.is_some() {
            self.scanner.run(Cut { runs: self, buf, start, end, hit });
        }
    }
}

/// By gate: the pattern's number, from where on, and what must follow.
type Follow = (u16, Anchor, Option<Ahead>);

#[derive(Debug)]
struct Table {
    by_length: [u128; LONGEST as usize + 1],
    /// By byte; the last for the text's edge.
    before: [u128; 257],
    behind: [u128; 257],
    gates: Vec<Follow>,
    /// All bits, if a run of one byte opens a gate.
    singles: u64,
}

impl Default for Table {
    fn default() -> Table {
        Table {
            by_length: [0; LONGEST as usize + 1],
            before: [0; 257],
            behind: [0; 257],
            gates: Vec::new(),
            singles: 0,
        }
    }
}

impl Table {
    fn add(&mut self, pattern: u16, gate: &Gate) {
        let bit = 1 << self.gates.len();
        for length in (1..=LONGEST).filter(|length| gate.lengths >> length & 1 != 0) {
            self.by_length[length as usize] |= bit;
        }
        if gate.lengths >> 1 & 1 != 0 {
            self.singles = !0;
        }
        for (row, set) in [(&mut self.before, gate.before), (&mut self.behind, gate.behind)] {
            set.iter().for_each(|b| row[usize::from(b)] |= bit);
            row[256] |= if set.edge { bit } else { 0 };
        }
        self.gates.push((pattern, gate.anchor, Ahead::of(&[Hir::alternation(gate.rests.clone())])));
    }

    /// The runs of a window that begins at `at`. `unfinished` is where a run began that reaches its edge.
    #[inline(always)]
    fn window(&self, text: &[u8], at: usize, mut bits: u64, unfinished: &mut Option<usize>, hit: &mut dyn FnMut(Run)) {
        if let Some(start) = *unfinished {
            let more = bits.trailing_ones();
            if more as usize == WINDOW {
                return;
            }
            self.visit(text, start, at + more as usize, hit);
            *unfinished = None;
            bits &= !0 << more;
        }
        while bits != 0 {
            let start = bits.trailing_zeros();
            let end = start + (bits >> start).trailing_ones();
            if end as usize == WINDOW {
                *unfinished = Some(at + start as usize);
                return;
            }
            self.visit(text, at + start as usize, at + end as usize, hit);
            bits &= !0 << end;
        }
    }

    #[inline(always)]
    fn visit(&self, text: &[u8], start: usize, end: usize, hit: &mut dyn FnMut(Run)) {
        let open = self.open(text, start, end);
        if open != 0 {
            self.pass(open, text, start, end, hit);
        }
    }

    /// The gates that a run opens, what follows it left aside.
    #[inline(always)]
    fn open(&self, text: &[u8], start: usize, end: usize) -> u128 {
        let length = (end - start).min(LONGEST as usize);
        let before = if start == 0 { 256 } else { usize::from(text[start - 1]) };
        let behind = if end == text.len() { 256 } else { usize::from(text[end]) };
        self.by_length[length] & self.before[before] & self.behind[behind]
    }

    #[inline(never)]
    fn pass(&self, mut open: u128, text: &[u8], start: usize, end: usize, hit: &mut dyn FnMut(Run)) {
        while open != 0 {
            let (pattern, anchor, ahead) = &self.gates[open.trailing_zeros() as usize];
            open &= open - 1;
            let from = if *anchor == Anchor::Start { start } else { end };
            if ahead.as_ref().is_none_or(|ahead| ahead.may_follow(text, from)) {
                hit(Run { pattern: *pattern, start, end });
            }
        }
    }
}

/// Cuts runs out of masks.
struct Cut<'a> {
    runs: &'a Runs,
    buf: &'a [u8],
    start: usize,
    end: usize,
    hit: &'a mut dyn FnMut(Run),
}

impl Search for Cut<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Scanner>(self, scanner: S) {
        let text = &self.buf[self.start..self.end];
        let (mut digits, mut hexes) = (None, None);
        let mut at = 0;
        while at < text.len() {
            let len = (text.len() - at).min(WINDOW);
            let bits = !0 >> (WINDOW - len);
            if let Some(table) = &self.runs.digits {
                let digit = scanner.masks(self.buf, self.start + at, len).digit & bits;
                table.window(text, at, digit, &mut digits, self.hit);
            }
            if let Some(table) = &self.runs.hexes {
                let hex = scanner.rare(self.buf, self.start + at, len).hex & bits;
                // Single digits abound, and none is wanted: but at the edges, where a longer run may go on.
                let long = hex << 1 | hex >> 1 | table.singles | 1 | 1 << (WINDOW - 1);
                table.window(text, at, hex & long, &mut hexes, self.hit);
            }
            at += WINDOW;
        }
        for (table, unfinished) in [(&self.runs.digits, digits), (&self.runs.hexes, hexes)] {
            if let (Some(table), Some(start)) = (table, unfinished) {
                table.visit(text, start, text.len(), self.hit);
            }
        }
    }
}
