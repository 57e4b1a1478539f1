//! The literals of which every match of an expression contains at least one, out of its syntax tree.
//!
//! Case is folded: a literal stands for all ways to write it. Literals of neighbouring elements are joined (`foo[_-]bar`
//! gives `foo_bar` and `foo-bar`), and what may stand right before and behind them is kept, to turn candidates down
//! without running the expression.

use regex_syntax::hir::{Class, Hir, HirKind, Look};

/// Joined literals that one place may come to.
const MAX_JOINED: usize = 32;
/// Literals that one expression may come to.
const MAX_LITERALS: usize = 128;
/// Bytes beyond which a literal gets no better.
const MAX_LENGTH: usize = 24;
/// From this length on, fewer literals are better than longer ones.
const LONG_ENOUGH: usize = 6;

/// A set of bytes, and whether the text's edge is as good as one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Neighbours {
    bytes: [u64; 4],
    pub edge: bool,
}

impl Neighbours {
    pub const ANY: Neighbours = Neighbours { bytes: [!0; 4], edge: true };
    const NONE: Neighbours = Neighbours { bytes: [0; 4], edge: false };

    #[inline]
    pub fn allow(&self, neighbour: Option<u8>) -> bool {
        neighbour.map_or(self.edge, |b| self.bytes[usize::from(b >> 6)] >> (b & 63) & 1 != 0)
    }

    fn add(&mut self, b: u8) {
        self.bytes[usize::from(b >> 6)] |= 1 << (b & 63);
    }

    fn add_all(&mut self, other: &Neighbours) {
        self.edge |= other.edge;
        self.bytes.iter_mut().zip(other.bytes).for_each(|(mine, theirs)| *mine |= theirs);
    }

    fn and(&self, other: &Neighbours) -> Neighbours {
        let bytes = std::array::from_fn(|i| self.bytes[i] & other.bytes[i]);
        Neighbours { bytes, edge: self.edge && other.edge }
    }

    fn of(wanted: impl Fn(u8) -> bool, edge: bool) -> Neighbours {
        let mut set = Neighbours { edge, ..Neighbours::NONE };
        (0..=255).filter(|b| wanted(*b)).for_each(|b| set.add(b));
        set
    }
}

/// One literal, in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Literal {
    pub bytes: Vec<u8>,
    pub before: Neighbours,
    pub behind: Neighbours,
    /// A match contains it; otherwise it stands anywhere in the text.
    pub inner: bool,
}

impl Literal {
    /// A keyword: whatever stands around it.
    pub fn free(bytes: Vec<u8>) -> Literal {
        Literal { bytes, before: Neighbours::ANY, behind: Neighbours::ANY, inner: false }
    }

    fn inner(bytes: Vec<u8>) -> Literal {
        Literal { inner: true, ..Literal::free(bytes) }
    }
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
}

/// The best literals that every match of `hir` contains one of; `None` if there are none of two bytes.
pub fn required(hir: &Hir) -> Option<Literals> {
    let found = match analyse(hir) {
        Shape::Exact(all) => to_literals(all),
        Shape::Contains(found) => found,
    };
    found.filter(|literals| literals.shortest() >= 2)
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
            _ => match analyse(&repetition.sub) {
                Shape::Exact(all) => Shape::Contains(to_literals(all)),
                contains => contains,
            },
        },
        HirKind::Concat(parts) => concat(parts),
        HirKind::Alternation(branches) => alternation(branches),
    }
}

/// A class that is one letter in both cases, or a few bytes.
fn folded_class(class: &Class) -> Option<Vec<Vec<u8>>> {
    const FEW: usize = 4;
    let mut bytes: Vec<u8> = Vec::new();
    match class {
        Class::Unicode(class) => {
            for range in class.ranges() {
                if u32::from(range.end()) > 0x7f || range.len() > 2 * FEW {
                    return None;
                }
                bytes.extend(range.start() as u8..=range.end() as u8);
            }
        }
        Class::Bytes(class) => {
            for range in class.ranges() {
                if range.len() > 2 * FEW {
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
                offer(found);
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
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    for literal in &mut found.literals {
        literal.before = before;
        literal.behind = behind;
        if word_before && literal.bytes.first().is_some_and(|b| word(*b)) {
            literal.before = literal.before.and(&Neighbours::of(|b| !word(b), true));
        }
        if word_behind && literal.bytes.last().is_some_and(|b| word(*b)) {
            literal.behind = literal.behind.and(&Neighbours::of(|b| !word(b), true));
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
        HirKind::Class(Class::Bytes(class)) => {
            let within = |b: u8| class.ranges().iter().any(|range| range.start() <= b && b <= range.end());
            (Neighbours::of(within, false), false)
        }
        HirKind::Class(Class::Unicode(class)) => {
            let within =
                |b: u8| b >= 0x80 || class.ranges().iter().any(|r| r.start() <= b as char && b as char <= r.end());
            (Neighbours::of(within, false), false)
        }
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
