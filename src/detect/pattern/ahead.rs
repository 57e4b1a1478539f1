//! Whether the rest of an expression may follow a place: a small automaton without counters.
//!
//! A literal stands in many texts that its expression does not match (`token cache warmed`). So the elements behind it are
//! laid out as positions, at most 63, a bit each (Glushkov's construction), made deterministic, and followed byte by byte
//! from the literal's end: most texts fail within a few bytes. It says yes too often, never no where there is a match: counts are cut off, assertions
//! hold anywhere, and what finds no room or lies too far ahead is taken to follow.

use regex_syntax::hir::{Hir, HirKind};

use super::neighbours::Neighbours;

/// The bit of all that lies beyond the positions: whoever reaches it may go on in any way.
const ACCEPT: u64 = 1 << 63;
const MAX_POSITIONS: usize = 63;
/// Of a repeated element so many are laid out, and the last of them over and over.
const MAX_COPIES: u32 = 6;
/// Bytes that are looked at.
const MAX_STEPS: usize = 96;

/// What may follow a place: the automaton made deterministic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ahead {
    /// By byte: which column of `next` holds.
    class: Box<[u8; 256]>,
    /// By state and class, the next state: where its row begins. The last two have no row.
    next: Vec<u16>,
}

/// The state that a search begins in.
const START: u16 = 0;
const FAILED: u16 = u16::MAX - 1;
const FOLLOWS: u16 = u16::MAX;
/// States that there may be; what would lead to more is taken to follow.
const MAX_STATES: usize = 250;

impl Ahead {
    /// Of elements that follow each other. `None` if they ask for nothing.
    pub fn of(rest: &[Hir]) -> Option<Ahead> {
        let mut layout = Layout { sets: Vec::new(), follow: Vec::new(), room: MAX_POSITIONS };
        let (first, last) = layout.concat(rest.iter());
        let first = first.with(|| ACCEPT);
        last.each(|position| layout.follow[position] |= ACCEPT);
        if first & ACCEPT != 0 {
            return None;
        }
        let (class, allowed) = layout.classes();
        // Fewer than 2^16 rows in all: at most 250 states, and 64 positions tell no more than 255 classes apart.
        let allowed_count = allowed.len();
        // By state, what may come next: positions.
        let mut reached = vec![first];
        let mut next = Vec::new();
        while let Some(&positions) = reached.get(next.len() / allowed.len()) {
            for allowed in &allowed {
                let follow = Border { positions: positions & allowed, empty: false }.follow(&layout.follow);
                next.push(match follow {
                    0 => FAILED,
                    _ if follow & ACCEPT != 0 => FOLLOWS,
                    _ => match reached.iter().position(|known| *known == follow) {
                        Some(state) => (state * allowed_count) as u16,
                        None if reached.len() == MAX_STATES => FOLLOWS,
                        None => {
                            reached.push(follow);
                            ((reached.len() - 1) * allowed_count) as u16
                        }
                    },
                });
            }
        }
        Some(Ahead { class, next })
    }

    /// Whether the elements may match what begins at `at` of the text.
    #[inline]
    pub fn may_follow(&self, text: &[u8], at: usize) -> bool {
        let rest = &text[at..];
        let mut state = START;
        for b in &rest[..rest.len().min(MAX_STEPS)] {
            state = self.next[usize::from(state) + usize::from(self.class[usize::from(*b)])];
            if state >= FAILED {
                return state == FOLLOWS;
            }
        }
        // Too far ahead to know, or the text's end before all of it was there.
        rest.len() >= MAX_STEPS
    }
}

/// The positions with which an element begins, or ends, and whether it may be empty.
#[derive(Clone, Copy)]
struct Border {
    positions: u64,
    empty: bool,
}

impl Border {
    const EMPTY: Border = Border { positions: 0, empty: true };

    /// Its positions, and if it may be empty those of what comes next.
    fn with(self, next: impl FnOnce() -> u64) -> u64 {
        self.positions | if self.empty { next() } else { 0 }
    }

    fn then(self, next: Border) -> Border {
        if self.empty { Border { positions: self.positions | next.positions, ..next } } else { self }
    }

    fn or(self, other: Border) -> Border {
        Border { positions: self.positions | other.positions, empty: self.empty | other.empty }
    }

    /// What may follow one of its positions.
    fn follow(self, follow: &[u64]) -> u64 {
        let mut all = 0;
        self.each(|position| all |= follow[position]);
        all
    }

    fn each(self, mut visit: impl FnMut(usize)) {
        let mut positions = self.positions & !ACCEPT;
        while positions != 0 {
            visit(positions.trailing_zeros() as usize);
            positions &= positions - 1;
        }
    }
}

struct Layout {
    sets: Vec<Neighbours>,
    follow: Vec<u64>,
    /// Positions that there may be.
    room: usize,
}

impl Layout {
    /// Lays an element out: where it begins and where it ends.
    fn element(&mut self, hir: &Hir) -> (Border, Border) {
        match hir.kind() {
            HirKind::Empty | HirKind::Look(_) => (Border::EMPTY, Border::EMPTY),
            HirKind::Literal(literal) => literal.0.iter().fold((Border::EMPTY, Border::EMPTY), |(first, last), b| {
                let byte = self.position(Neighbours::of(|other| other == *b, false));
                self.join(last, byte);
                (first.then(byte), byte)
            }),
            HirKind::Class(class) => {
                let (set, single) = Neighbours::of_class(class);
                let one = self.position(set);
                if !single {
                    self.join(one, one);
                }
                (one, one)
            }
            HirKind::Capture(capture) => self.element(&capture.sub),
            HirKind::Repetition(repetition) => self.repeated(&repetition.sub, repetition.min, repetition.max),
            HirKind::Concat(parts) => self.concat(parts.iter()),
            HirKind::Alternation(branches) => self.alternation(branches),
        }
    }

    /// Branches share the room there is, so that each is followed for a while.
    fn alternation(&mut self, branches: &[Hir]) -> (Border, Border) {
        let none = Border { positions: 0, empty: false };
        let (mut first, mut last) = (none, none);
        for (index, branch) in branches.iter().enumerate() {
            let (used, room) = (self.sets.len(), self.room);
            self.room = used + (room - used) / (branches.len() - index);
            let (begins, ends) = self.element(branch);
            self.room = room;
            (first, last) = (first.or(begins), last.or(ends));
        }
        (first, last)
    }

    fn concat<'h>(&mut self, parts: impl Iterator<Item = &'h Hir>) -> (Border, Border) {
        parts.fold((Border::EMPTY, Border::EMPTY), |(first, last), part| {
            let (begins, ends) = self.element(part);
            self.join(last, begins);
            (first.then(begins), ends.then(last))
        })
    }

    fn repeated(&mut self, element: &Hir, least: u32, most: Option<u32>) -> (Border, Border) {
        let copies = most.unwrap_or(u32::MAX).min(least.max(1)).min(MAX_COPIES);
        let (mut first, mut last) = (Border::EMPTY, Border::EMPTY);
        for copy in 0..copies {
            let (begins, ends) = self.element(element);
            self.join(last, begins);
            first = first.then(begins);
            last = ends.then(last);
            if copy + 1 == copies && most != Some(copies) {
                self.join(ends, begins);
            }
        }
        let empty = least == 0;
        (Border { empty: first.empty | empty, ..first }, Border { empty: last.empty | empty, ..last })
    }

    /// Bytes that all positions treat alike, by byte; and by class the positions that allow them.
    fn classes(&self) -> (Box<[u8; 256]>, Vec<u64>) {
        let mut class = Box::new([0; 256]);
        let mut allowed: Vec<u64> = Vec::new();
        for b in 0..=255 {
            let here = (0..self.sets.len()).filter(|at| self.sets[*at].has(b)).fold(0, |all, at| all | 1 << at);
            let row = allowed.iter().position(|known| *known == here).unwrap_or_else(|| {
                allowed.push(here);
                allowed.len() - 1
            });
            class[usize::from(b)] = row as u8;
        }
        (class, allowed)
    }

    /// A position of its own; where there is no room, what lies beyond.
    fn position(&mut self, set: Neighbours) -> Border {
        if self.sets.len() >= self.room {
            return Border { positions: ACCEPT, empty: false };
        }
        self.sets.push(set);
        self.follow.push(0);
        Border { positions: 1 << (self.sets.len() - 1), empty: false }
    }

    fn join(&mut self, last: Border, first: Border) {
        last.each(|position| self.follow[position] |= first.positions);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::pattern::compile::parsed;

    fn ahead(regex: &str) -> Option<Ahead> {
        Ahead::of(&[parsed(regex)])
    }

    #[test]
    fn what_cannot_follow_is_told_within_a_few_bytes() {
        let assignment =
            ahead(r#"[\w.\t -]{0,24}["']?(?:[:?]{0,2}=>?|:|,)[\s"'(]{0,9}([a-f0-9]{32}|00[a-z]{9})(?:[^\w-]|$)"#);
        let assignment = assignment.expect("it asks for a sign");
        for (text, follows) in [
            ("_key = '0a1b2c3d4e5f6a7b8c9d0e1f2a3b4c5d'", true),
            (": 00abcdefghi", true),
            (" cache warmed for tenant", false),
            (" cache warmed for tenant group alpha, next refresh", false),
            ("=1234", false),
            ("", false),
        ] {
            assert_eq!(assignment.may_follow(text.as_bytes(), 0), follows, "{text}");
        }
    }

    #[test]
    fn an_element_that_asks_for_nothing_is_not_followed() {
        for regex in ["", "a*", "(?:ab)?", r"\b", "a{0,3}b?|c"] {
            assert_eq!(ahead(regex), None, "{regex}");
        }
    }

    #[test]
    fn what_has_no_room_is_taken_to_follow() {
        let long: String = (0..40).map(|i| format!("(?:a|b{{{}}})", i % 7 + 2)).collect();
        let ahead = ahead(&long).expect("it begins with a letter");
        assert!(ahead.may_follow("a".repeat(40).as_bytes(), 0));
        assert!(!ahead.may_follow(b"aac", 0));
    }

    #[test]
    fn far_ahead_is_taken_to_follow() {
        let ahead = ahead("[a-z]+;").expect("a letter");
        assert!(ahead.may_follow("x".repeat(MAX_STEPS).as_bytes(), 0));
        assert!(!ahead.may_follow("x".repeat(MAX_STEPS - 1).as_bytes(), 0));
    }
}
