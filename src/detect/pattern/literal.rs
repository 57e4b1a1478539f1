//! The literals of which every match of an expression contains at least one, out of its syntax tree.
//!
//! Case is folded: a literal stands for all ways to write it. Literals of neighbouring elements are joined (`foo[_-]bar`
//! gives `foo_bar` and `foo-bar`), and what may stand around and behind them is kept, to turn candidates down without
//! running the expression. Short ones are written out with the bytes that may stand beside them (`hf_a`, `hf_b`, …).

use regex_syntax::hir::{Class, Hir, HirKind, Look, Repetition};

use super::neighbours::{Neighbours, is_word};

/// Joined literals that one place may come to.
const MAX_JOINED: usize = 32;
/// Literals that one expression may come to.
const MAX_LITERALS: usize = 128;
/// Bytes beyond which a literal gets no better.
const MAX_LENGTH: usize = 24;
/// From this length on, fewer literals are better than longer ones.
const LONG_ENOUGH: usize = 6;
/// Literals are looked for by this many bytes; shorter ones are widened to it.
pub const WIDTH: usize = 4;
/// What one literal may be widened to, and all of an expression's.
const MAX_WIDENED: usize = 512;
const MAX_ALL_WIDENED: usize = 512;
/// The same where there are keywords, which find the text for less.
const MAX_WIDENED_BESIDE_KEYWORDS: usize = 160;
/// What one vector pass looks for.
const MAX_SIGNS: usize = 3;

/// One literal, in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Literal {
    pub bytes: Vec<u8>,
    pub before: Neighbours,
    pub behind: Neighbours,
    /// The elements that a match has behind it, from the offset `rest_at` of the literal on; not always all of them.
    pub rest: Vec<Hir>,
    pub rest_at: usize,
    /// How many bytes of a match stand before it, at least and at most.
    pub lead: (usize, usize),
}

impl Literal {
    /// A keyword: whatever stands around it.
    pub fn free(bytes: Vec<u8>) -> Literal {
        let rest_at = bytes.len();
        let (before, behind) = (Neighbours::ANY, Neighbours::ANY);
        Literal { bytes, before, behind, rest: Vec::new(), rest_at, lead: (0, usize::MAX) }
    }

    fn inner(bytes: Vec<u8>) -> Literal {
        Literal { lead: (0, 0), ..Literal::free(bytes) }
    }

    /// The same literal with each byte that may stand beside it, as far as is needed and known.
    fn widened(&self) -> Vec<Literal> {
        let mut all = vec![self.clone()];
        if self.bytes.len() < WIDTH && !self.behind.edge {
            let longer = |literal: Literal, b| Literal {
                bytes: [&literal.bytes[..], &[b]].concat(),
                behind: Neighbours::ANY,
                ..literal
            };
            all = beside_each(all, &self.behind, longer);
        }
        if all[0].bytes.len() < WIDTH && !self.before.edge {
            let longer = |literal: Literal, b| Literal {
                bytes: [&[b], &literal.bytes[..]].concat(),
                before: Neighbours::ANY,
                rest_at: literal.rest_at + 1,
                lead: (literal.lead.0.saturating_sub(1), literal.lead.1.saturating_sub(1)),
                ..literal
            };
            all = beside_each(all, &self.before, longer);
        }
        all
    }
}

/// Each literal with each byte of a set, case folded.
fn beside_each(all: Vec<Literal>, set: &Neighbours, longer: impl Fn(Literal, u8) -> Literal) -> Vec<Literal> {
    let mut bytes: Vec<u8> = set.iter().map(|b| b.to_ascii_lowercase()).collect();
    bytes.sort_unstable();
    bytes.dedup();
    if all.len() * bytes.len() > MAX_WIDENED {
        return all;
    }
    all.iter().flat_map(|literal| bytes.iter().map(|b| longer(literal.clone(), *b))).collect()
}

/// Literals of which every match has one.
#[derive(Clone, Debug)]
pub struct Literals {
    pub literals: Vec<Literal>,
}

impl Literals {
    pub fn shortest(&self) -> usize {
        self.literals.iter().map(|literal| literal.bytes.len()).min().unwrap_or(0)
    }

    /// Longer is better up to a length, then fewer, then longer again.
    fn rank(&self) -> (usize, isize, usize) {
        (self.shortest().min(LONG_ENOUGH), -(self.literals.len() as isize), self.shortest())
    }

    /// A few bytes, in both cases, of which every literal has one; the rarest.
    pub fn signs(&self) -> Option<Vec<u8>> {
        let rarest = |literal: &Literal| literal.bytes.iter().copied().min_by_key(|b| commonness(*b));
        let mut signs = self.literals.iter().map(rarest).collect::<Option<Vec<u8>>>()?;
        signs.extend(signs.clone().iter().map(u8::to_ascii_uppercase));
        signs.sort_unstable();
        signs.dedup();
        Some(signs).filter(|signs| signs.len() <= MAX_SIGNS)
    }

    /// With short ones widened, if that helps and comes to no more than so many.
    fn widened(self, most: usize) -> Literals {
        let literals: Vec<Literal> = self.literals.iter().flat_map(Literal::widened).collect();
        let widened = Literals { literals };
        if widened.shortest() > self.shortest() && widened.literals.len() <= most { widened } else { self }
    }

    /// With the elements that stand before and behind the one that they are of.
    fn between(mut self, lead: &[Hir], rest: &[Hir]) -> Literals {
        let lead = length(lead);
        for literal in &mut self.literals {
            literal.lead = (literal.lead.0 + lead.0, literal.lead.1.saturating_add(lead.1));
            literal.rest.extend_from_slice(rest);
        }
        self
    }
}

/// The best literals that every match of `hir` contains one of; `None` if there are none of two bytes.
pub fn required(hir: &Hir, has_keywords: bool) -> Option<Literals> {
    let found = match analyse(hir) {
        Shape::Exact(all) => to_literals(all),
        Shape::Contains(found) => found,
    };
    found.filter(|literals| literals.shortest() >= 2).map(|mut found| {
        for literal in &mut found.literals {
            // What was found in a group did not know of what stands behind the group.
            literal.behind = literal.behind.and(&beside(literal.rest.iter(), Side::Start));
        }
        found.widened(if has_keywords { MAX_WIDENED_BESIDE_KEYWORDS } else { MAX_ALL_WIDENED })
    })
}

/// What is known of an element's matches.
enum Shape {
    /// They are these and no others.
    Exact(Vec<Vec<u8>>),
    /// They contain one of these, if anything is known.
    Contains(Option<Literals>),
}

fn to_literals(all: Vec<Vec<u8>>) -> Option<Literals> {
    let usable = !all.is_empty() && all.len() <= MAX_LITERALS && all.iter().all(|literal| !literal.is_empty());
    usable.then(|| Literals { literals: all.into_iter().map(Literal::inner).collect() })
}

fn analyse(hir: &Hir) -> Shape {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Shape::Exact(vec![Vec::new()]),
        HirKind::Literal(literal) => Shape::Exact(vec![literal.0.to_ascii_lowercase()]),
        HirKind::Class(class) => folded_class(class).map_or(Shape::Contains(None), Shape::Exact),
        HirKind::Capture(capture) => analyse(&capture.sub),
        HirKind::Repetition(repetition) => match (repetition.min, repetition.max) {
            (0, _) => Shape::Contains(None),
            (least, Some(most)) if least == most && least <= 8 => {
                concat(&vec![(*repetition.sub).clone(); least as usize])
            }
            _ => {
                let more = Hir::repetition(Repetition { min: 0, max: None, ..repetition.clone() });
                let found = match analyse(&repetition.sub) {
                    Shape::Exact(all) => to_literals(all),
                    Shape::Contains(found) => found,
                };
                Shape::Contains(found.map(|found| found.between(&[], &[more])))
            }
        },
        HirKind::Concat(parts) => concat(parts),
        HirKind::Alternation(branches) => alternation(branches),
    }
}

/// A class that is one letter in both cases, or a few bytes; no range of letters or digits.
fn folded_class(class: &Class) -> Option<Vec<Vec<u8>>> {
    const FEW: usize = 10;
    const FEW_IN_A_ROW: usize = 4;
    let mut bytes: Vec<u8> = Vec::new();
    match class {
        Class::Unicode(class) => {
            for range in class.ranges() {
                if u32::from(range.end()) > 0x7f || range.len() > FEW_IN_A_ROW {
                    return None;
                }
                bytes.extend(range.start() as u8..=range.end() as u8);
            }
        }
        Class::Bytes(class) => {
            for range in class.ranges() {
                if range.len() > FEW_IN_A_ROW {
                    return None;
                }
                bytes.extend(range.start()..=range.end());
            }
        }
    }
    bytes.iter_mut().for_each(|b| b.make_ascii_lowercase());
    bytes.sort_unstable();
    bytes.dedup();
    (1..=FEW).contains(&bytes.len()).then(|| bytes.into_iter().map(|b| vec![b]).collect())
}

fn concat(parts: &[Hir]) -> Shape {
    let mut best: Option<Literals> = None;
    let mut offer = |found: Option<Literals>| {
        if let Some(found) = found
            && best.as_ref().is_none_or(|best| found.rank() > best.rank())
        {
            best = Some(found);
        }
    };
    // The joined literals of `parts[since..]` up to the part at hand.
    let mut joined = vec![Vec::new()];
    let mut since = 0;
    let mut exact = true;
    for (index, part) in parts.iter().enumerate() {
        match analyse(part) {
            Shape::Exact(all)
                if joined.len() * all.len() <= MAX_JOINED && longest(&joined) + longest(&all) <= MAX_LENGTH =>
            {
                joined =
                    joined.iter().flat_map(|head| all.iter().map(|tail| [head.as_slice(), tail].concat())).collect();
            }
            Shape::Exact(all) => {
                offer(with_neighbours(joined, parts, since, index));
                (joined, since, exact) = (all, index, false);
            }
            Shape::Contains(found) => {
                offer(with_neighbours(joined, parts, since, index));
                offer(found.map(|found| found.between(&parts[..index], &parts[index + 1..])));
                (joined, since, exact) = (vec![Vec::new()], index + 1, false);
            }
        }
    }
    if exact {
        return Shape::Exact(joined);
    }
    offer(with_neighbours(joined, parts, since, parts.len()));
    Shape::Contains(best)
}

/// How many bytes elements come to, at least and at most.
fn length(parts: &[Hir]) -> (usize, usize) {
    let lengths = parts.iter().map(|part| (part.properties().minimum_len(), part.properties().maximum_len()));
    lengths.fold((0, 0), |(least, most), (my_least, my_most)| {
        (least.saturating_add(my_least.unwrap_or(0)), most.saturating_add(my_most.unwrap_or(usize::MAX)))
    })
}

fn longest(all: &[Vec<u8>]) -> usize {
    all.iter().map(Vec::len).max().unwrap_or(0)
}

/// The literals of `parts[from..to]`, with what the parts around them let stand beside.
fn with_neighbours(joined: Vec<Vec<u8>>, parts: &[Hir], from: usize, to: usize) -> Option<Literals> {
    let mut found = to_literals(joined)?;
    let before = beside(parts[..from].iter().rev(), Side::End);
    let behind = beside(parts[to..].iter(), Side::Start);
    // A `\b` at the run's own edge asks for a byte that is none of a word's.
    let is_look = |part: &&Hir| matches!(part.kind(), HirKind::Look(_));
    let is_word_edge = |part: &Hir| matches!(part.kind(), HirKind::Look(Look::WordAscii));
    let word_before = parts[from..to].iter().take_while(is_look).any(is_word_edge);
    let word_behind = parts[from..to].iter().rev().take_while(is_look).any(is_word_edge);
    for literal in &mut found.literals {
        literal.before = before;
        literal.behind = behind;
        literal.rest = parts[to..].to_vec();
        literal.lead = length(&parts[..from]);
        if word_before && literal.bytes.first().is_some_and(|b| is_word(*b)) {
            literal.before = literal.before.and(&Neighbours::no_word());
        }
        if word_behind && literal.bytes.last().is_some_and(|b| is_word(*b)) {
            literal.behind = literal.behind.and(&Neighbours::no_word());
        }
    }
    Some(found)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Start,
    End,
}

/// The bytes that may stand beside a literal, by the parts that follow it on one side, nearest first.
fn beside<'a>(parts: impl Iterator<Item = &'a Hir>, side: Side) -> Neighbours {
    let mut set = Neighbours::NONE;
    for part in parts {
        let (bytes, may_be_empty) = edge_bytes(part, side);
        set.add_all(&bytes);
        if !may_be_empty {
            return set;
        }
    }
    // All of them may be empty: whatever stands outside the match stands beside the literal.
    Neighbours::ANY
}

/// The bytes with which an element's matches may begin or end, and whether it may match nothing.
fn edge_bytes(hir: &Hir, side: Side) -> (Neighbours, bool) {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => (Neighbours::NONE, true),
        HirKind::Literal(literal) => {
            let b = if side == Side::Start { literal.0[0] } else { literal.0[literal.0.len() - 1] };
            (Neighbours::of(|other| other == b, false), false)
        }
        HirKind::Class(class) => (Neighbours::of_class(class).0, false),
        HirKind::Capture(capture) => edge_bytes(&capture.sub, side),
        HirKind::Repetition(repetition) => {
            let (bytes, may_be_empty) = edge_bytes(&repetition.sub, side);
            (bytes, may_be_empty || repetition.min == 0)
        }
        HirKind::Concat(parts) => {
            let mut set = Neighbours::NONE;
            let mut index = 0..parts.len();
            while let Some(at) = if side == Side::Start { index.next() } else { index.next_back() } {
                let (bytes, may_be_empty) = edge_bytes(&parts[at], side);
                set.add_all(&bytes);
                if !may_be_empty {
                    return (set, false);
                }
            }
            (set, true)
        }
        HirKind::Alternation(branches) => branches.iter().map(|branch| edge_bytes(branch, side)).fold(
            (Neighbours::NONE, false),
            |mut all, (bytes, empty)| {
                all.0.add_all(&bytes);
                (all.0, all.1 | empty)
            },
        ),
    }
}

fn alternation(branches: &[Hir]) -> Shape {
    let shapes: Vec<Shape> = branches.iter().map(analyse).collect();
    let exact = shapes.iter().map(|shape| if let Shape::Exact(all) = shape { all.len() } else { usize::MAX / 256 });
    if exact.sum::<usize>() <= MAX_LITERALS {
        let all = shapes.into_iter().flat_map(|shape| if let Shape::Exact(all) = shape { all } else { Vec::new() });
        let mut all: Vec<Vec<u8>> = all.collect();
        all.sort_unstable();
        all.dedup();
        return Shape::Exact(all);
    }
    let mut literals = Vec::new();
    for shape in shapes {
        let found = match shape {
            Shape::Exact(all) => to_literals(all),
            Shape::Contains(found) => found,
        };
        match found {
            Some(found) => literals.extend(found.literals),
            None => return Shape::Contains(None),
        }
    }
    Shape::Contains((literals.len() <= MAX_LITERALS).then_some(Literals { literals }))
}

/// A rough order of how often a byte stands in telemetry.
pub fn commonness(b: u8) -> u32 {
    match b {
        b'e' | b't' | b'a' | b'o' | b'i' | b'n' | b's' | b'r' | b' ' => 10,
        b'l' | b'd' | b'c' | b'p' | b'u' | b'm' | b'h' | b'.' | b'/' | b'0' | b'1' | b'2' => 8,
        b'g' | b'f' | b'y' | b'b' | b'w' | b'v' | b'k' | b':' | b'-' | b'_' | b'=' | b'"' => 4,
        b'3'..=b'9' => 4,
        b'j' | b'q' | b'x' | b'z' => 1,
        _ => 3,
    }
}
