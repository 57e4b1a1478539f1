//! Sets of bytes, and what of an expression's syntax tree they come from.

use regex_syntax::hir::{Class, Hir, HirKind};

/// A set of bytes, and whether the text's edge is as good as one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Neighbours {
    bytes: [u64; 4],
    pub edge: bool,
}

impl Neighbours {
    pub const ANY: Neighbours = Neighbours { bytes: [!0; 4], edge: true };
    pub const NONE: Neighbours = Neighbours { bytes: [0; 4], edge: false };

    pub fn of(wanted: impl Fn(u8) -> bool, edge: bool) -> Neighbours {
        let mut set = Neighbours { edge, ..Neighbours::NONE };
        (0..=255).filter(|b| wanted(*b)).for_each(|b| set.add(b));
        set
    }

    /// What `\b` asks for beside a byte of a word.
    pub fn no_word() -> Neighbours {
        Neighbours::of(|b| !is_word(b), true)
    }

    /// The bytes of a class, and whether each of its characters is one byte. Of characters beyond ASCII all bytes belong.
    pub fn of_class(class: &Class) -> (Neighbours, bool) {
        let mut set = Neighbours::NONE;
        match class {
            Class::Bytes(class) => {
                class.ranges().iter().for_each(|range| (range.start()..=range.end()).for_each(|b| set.add(b)));
                (set, true)
            }
            Class::Unicode(class) => {
                let ascii = class.ranges().iter().all(|range| range.end().is_ascii());
                for range in class.ranges().iter().filter(|range| range.start().is_ascii()) {
                    (range.start() as u8..=range.end().min('\x7f') as u8).for_each(|b| set.add(b));
                }
                if !ascii {
                    (0x80..=0xff).for_each(|b| set.add(b));
                }
                (set, ascii)
            }
        }
    }

    /// The bytes of an element whose every match is one byte.
    pub fn of_one(hir: &Hir) -> Option<Neighbours> {
        match hir.kind() {
            HirKind::Literal(literal) if literal.0.len() == 1 => Some(Neighbours::of(|b| b == literal.0[0], false)),
            HirKind::Class(class) => {
                Some(Neighbours::of_class(class)).filter(|(_, single)| *single).map(|(set, _)| set)
            }
            HirKind::Capture(capture) => Neighbours::of_one(&capture.sub),
            _ => None,
        }
    }

    #[inline]
    pub fn allow(&self, neighbour: Option<u8>) -> bool {
        neighbour.map_or(self.edge, |b| self.has(b))
    }

    #[inline]
    pub fn has(&self, b: u8) -> bool {
        self.bytes[usize::from(b >> 6)] >> (b & 63) & 1 != 0
    }

    pub fn iter(self) -> impl Iterator<Item = u8> {
        (0..=255).filter(move |b| self.has(*b))
    }

    pub fn add(&mut self, b: u8) {
        self.bytes[usize::from(b >> 6)] |= 1 << (b & 63);
    }

    pub fn add_all(&mut self, other: &Neighbours) {
        self.edge |= other.edge;
        self.bytes.iter_mut().zip(other.bytes).for_each(|(mine, theirs)| *mine |= theirs);
    }

    pub fn and(&self, other: &Neighbours) -> Neighbours {
        let bytes = std::array::from_fn(|i| self.bytes[i] & other.bytes[i]);
        Neighbours { bytes, edge: self.edge && other.edge }
    }

    pub fn is_within(&self, other: &Neighbours) -> bool {
        self.and(other) == *self
    }

    pub fn is_disjoint(&self, other: &Neighbours) -> bool {
        self.and(other) == Neighbours::NONE
    }
}

pub fn is_word(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_'
}
