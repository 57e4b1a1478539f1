//! Many literals in one pass: three folded bytes of each, hashed into a table of marks that three bytes of a text are looked
//! up in. Two such windows of each literal are marked, one place apart, and only every second place of a text is looked at:
//! one of the two stands there.
//!
//! An Aho-Corasick DFA goes from state to state and so waits for memory at every byte, and string by string no lanes
//! can hide it. Looking up hashed windows has no such chain: the processor works at many positions at once. What the marks
//! let through is compared with the literals themselves, so that what is reported is exact.

use std::collections::HashMap;
use std::ops::Range;

use super::literal::{Literal, WIDTH, commonness};
use super::neighbours::Neighbours;

/// Hash values, as a power of two: a byte each, so that the marks stand in the first cache beside the text.
const MARKS: u32 = 15;
/// Those of a second hash, of four bytes of a literal where it has them, a bit each.
const SURE: u32 = 16;
/// Bytes of a window.
const WINDOW: usize = 3;
/// Places that one step looks at.
const STEP: usize = 8;

/// Finds literals. Empty, it finds none.
#[derive(Debug, Default)]
pub struct Windows {
    /// Literals of four bytes and more.
    long: Table,
    /// Literals of two and three bytes, by their first two.
    short: Table,
}

/// A literal, and whose it is.
#[derive(Debug)]
pub struct Sought {
    pub literal: Literal,
    /// What must follow for any of the patterns, by its number among the patterns'.
    pub ahead: Option<u16>,
    pub owners: Vec<Owner>,
}

/// A pattern, and what is known of its matches that have a literal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    pub pattern: u16,
    /// What must follow, by its number among the patterns'.
    pub ahead: Option<u16>,
    /// How many bytes before the literal's first one they begin, at least and at most.
    pub lead: (usize, usize),
}

#[derive(Debug)]
pub struct Entry {
    /// Where the window stands in the literal.
    at: u8,
    window: u32,
    bytes: Box<[u8]>,
    before: Neighbours,
    behind: Neighbours,
    /// From which offset on something must follow.
    pub rest_at: usize,
    pub ahead: Option<u16>,
    pub owners: Box<[Owner]>,
}

impl Entry {
    /// What must stand in a text: the window and the byte behind it; if it is the literal's last, with the byte before it. Of
    /// literals below [`WIDTH`] the window.
    fn known(&self) -> u32 {
        match self.bytes.len().checked_sub(WIDTH) {
            Some(last) => fold(&self.bytes[usize::from(self.at).min(last)..][..WIDTH]),
            None => self.window,
        }
    }

    /// Whether the literal stands at `start` of the text, between neighbours that fit.
    #[inline]
    fn stands_at(&self, text: &[u8], start: usize) -> bool {
        let end = start + self.bytes.len();
        let Some(there) = text.get(start..end) else { return false };
        there.eq_ignore_ascii_case(&self.bytes)
            && self.before.allow(start.checked_sub(1).map(|at| text[at]))
            && self.behind.allow(text.get(end).copied())
    }
}

/// What of a literal stands within eight bytes of where its window begins, on either side, folded: of several that share a
/// window this tells nearly always which one it is, by one comparison each.
#[derive(Clone, Copy, Debug)]
struct Near {
    before: u64,
    before_mask: u64,
    behind: u64,
    behind_mask: u64,
    /// The next entry has another window.
    is_last: bool,
}

impl Near {
    fn of(entry: &Entry, next: Option<&Entry>) -> Near {
        let (before, behind) = entry.bytes.split_at(entry.at.into());
        let (before, behind) = (&before[before.len().saturating_sub(8)..], &behind[..behind.len().min(8)]);
        let (mut bytes, mut mask) = ([0; 16], [0; 16]);
        for (place, b) in (8 - before.len()..).zip([before, behind].concat()) {
            (bytes[place], mask[place]) = (b | 0x20, 0xff);
        }
        let half = |bytes: &[u8; 16], from| u64::from_le_bytes(bytes[from..from + 8].try_into().expect("eight bytes"));
        Near {
            before: half(&bytes, 0),
            before_mask: half(&mask, 0),
            behind: half(&bytes, 8),
            behind_mask: half(&mask, 8),
            is_last: next.is_none_or(|next| next.window != entry.window),
        }
    }

    #[inline]
    fn fits(&self, before: u64, behind: u64) -> bool {
        (before ^ self.before) & self.before_mask | (behind ^ self.behind) & self.behind_mask == 0
    }
}

/// The eight bytes before a place of a buffer, and those from it on, folded; beyond it, anything.
#[inline]
fn around(buf: &[u8], at: usize) -> (u64, u64) {
    if let Some(block) = at.checked_sub(8).and_then(|from| buf.get(from..at + 8)) {
        return (word(block, 0), word(block, 8));
    }
    let mut block = [0; 16];
    let (before, behind) = buf.split_at(at);
    let (before, behind) = (&before[at.saturating_sub(8)..], &behind[..behind.len().min(8)]);
    block[8 - before.len()..8].copy_from_slice(before);
    block[8..8 + behind.len()].copy_from_slice(behind);
    (word(&block, 0), word(&block, 8))
}

#[derive(Debug, Default)]
struct Table {
    /// By hash: 1 where a window has it.
    marks: Vec<u8>,
    /// By another hash: a bit where the bytes around a window have it. Most of what the marks let through by chance ends here.
    sure: Vec<u64>,
    /// Sorted by window.
    entries: Vec<Entry>,
    /// By entry.
    near: Vec<Near>,
    /// Open addressing: one more than the index of a window's first entry, 0 where nothing stands.
    slots: Vec<u32>,
}

impl Windows {
    pub fn build(literals: Vec<Sought>) -> Windows {
        let (long, short): (Vec<_>, Vec<_>) =
            literals.into_iter().partition(|sought| sought.literal.bytes.len() >= WIDTH);
        Windows { long: Table::build::<WINDOW, 2>(long), short: Table::build::<2, 1>(short) }
    }

    /// Calls `hit` for every literal that stands in `buf[start..end]`, with its offset in the text, in the order of the
    /// windows' places. Reads beyond `end`, but within `buf`.
    #[inline]
    pub fn scan(&self, buf: &[u8], start: usize, end: usize, hit: &mut dyn FnMut(&Entry, usize)) {
        if !self.long.entries.is_empty() && end - start >= WIDTH {
            self.long.scan::<WINDOW, 2>(buf, start, end, hit);
        }
        if !self.short.entries.is_empty() && end - start >= 2 {
            self.short.scan::<2, 1>(buf, start, end, hit);
        }
    }
}

/// Sets a bit in every byte that tells capital letters from small ones. Other bytes fall together too, but the same ones on
/// both sides.
const FOLD: u64 = 0x2020_2020_2020_2020;

/// Of a window's `W` bytes, whatever stands in the bits above them: the factor moves those out.
#[inline(always)]
const fn hash<const W: usize>(window: u32) -> usize {
    (window.wrapping_mul(0x9e37_79b1 << (32 - 8 * W)) >> (32 - MARKS)) as usize
}

#[inline]
const fn sure(window: u32) -> usize {
    (window.wrapping_mul(0xc2b2_ae35) >> (32 - SURE)) as usize
}

impl Table {
    fn build<const W: usize, const S: usize>(literals: Vec<Sought>) -> Table {
        if literals.is_empty() {
            return Table::default();
        }
        let mut entries = entries(literals, W, S);
        entries.sort_by_key(|entry| entry.window);
        let mut table = Table {
            marks: vec![0; 1 << MARKS],
            sure: vec![0; 1 << (SURE - 6)],
            slots: vec![0; (entries.len() * 4).next_power_of_two()],
            near: (0..entries.len()).map(|index| Near::of(&entries[index], entries.get(index + 1))).collect(),
            entries,
        };
        for index in 0..table.entries.len() {
            let sure = sure(table.entries[index].known());
            table.sure[sure >> 6] |= 1 << (sure & 63);
            let window = table.entries[index].window;
            if index > 0 && table.entries[index - 1].window == window {
                continue;
            }
            table.marks[hash::<W>(window)] = 1;
            let mut slot = table.slot(window);
            while table.slots[slot] != 0 {
                slot = (slot + 1) & (table.slots.len() - 1);
            }
            table.slots[slot] = u32::try_from(index + 1).expect("fewer literals than 2^32");
        }
        table
    }

    /// Where to look for a window first: by the product's uppermost bits, in which all of the window has a part.
    #[inline]
    fn slot(&self, window: u32) -> usize {
        let hash = u64::from(window.wrapping_mul(0x85eb_ca6b));
        ((hash * self.slots.len() as u64) >> 32) as usize
    }

    /// Looks at every `S`th place of a text for a window of `W` bytes.
    #[inline]
    fn scan<const W: usize, const S: usize>(
        &self,
        buf: &[u8],
        start: usize,
        end: usize,
        hit: &mut dyn FnMut(&Entry, usize),
    ) {
        let marks: &Marks = self.marks[..].try_into().expect("built of this size");
        let last = end - W;
        let mut at = start;
        while at <= last {
            let words = match buf.get(at..at + read(W, S)) {
                Some(block) => words::<W, S>(block),
                None => tail::<W, S>(&buf[at..]),
            };
            // Each mark where its hash was just made, so that it is seen to lie within the table.
            let found: [u8; STEP] = std::array::from_fn(|place| marks[hash::<W>(window_of::<W, S>(&words, place))]);
            if found.iter().fold(0, |any, mark| any | mark) != 0 {
                let mut hits = (0..STEP).fold(0, |hits, place| hits | found[place] << place);
                // Windows that reach beyond the text are none of it.
                hits &= !0 >> (STEP - 1 - ((last - at) / S).min(STEP - 1));
                while hits != 0 {
                    let place = hits.trailing_zeros() as usize;
                    hits &= hits - 1;
                    let from = at + place * S;
                    if self.may_stand::<W>(buf, from) {
                        self.look_up(buf, start..end, from, fold(&buf[from..from + W]), hit);
                    }
                }
            }
            at += STEP * S;
        }
    }

    /// Whether a literal may have its window at `from` of the buffer, by [`Entry::known`].
    #[inline]
    fn may_stand<const W: usize>(&self, buf: &[u8], from: usize) -> bool {
        let is_known = |from: usize, len: usize| {
            buf.get(from..from + len).is_some_and(|bytes| {
                let sure = sure(fold(bytes));
                self.sure[sure >> 6] >> (sure & 63) & 1 != 0
            })
        };
        if W < WINDOW {
            return is_known(from, W);
        }
        is_known(from, WIDTH) || from > 0 && is_known(from - 1, WIDTH)
    }

    /// What the marks let through at `at` of the buffer.
    #[inline(never)]
    fn look_up(&self, buf: &[u8], text: Range<usize>, at: usize, window: u32, hit: &mut dyn FnMut(&Entry, usize)) {
        let mut slot = self.slot(window);
        let first = loop {
            let Some(first) = (self.slots[slot] as usize).checked_sub(1) else { return };
            if self.entries[first].window == window {
                break first;
            }
            slot = (slot + 1) & (self.slots.len() - 1);
        };
        let (before, behind) = around(buf, at);
        let (text, at) = (&buf[text.clone()], at - text.start);
        for (near, index) in self.near[first..].iter().zip(first..) {
            if near.fits(before, behind) {
                let entry = &self.entries[index];
                if let Some(start) = at.checked_sub(usize::from(entry.at))
                    && entry.stands_at(text, start)
                {
                    hit(entry, start);
                }
            }
            if near.is_last {
                return;
            }
        }
    }
}

type Marks = [u8; 1 << MARKS];

/// How many bytes a step reads.
const fn read(width: usize, stride: usize) -> usize {
    (STEP - 1) * stride + width
}

/// The bytes of a step, in words of which each holds the windows from its first byte to its fifth. Loaded from the buffer
/// itself: a block copied first would have to be waited for.
#[inline(always)]
fn words<const W: usize, const S: usize>(block: &[u8]) -> [u64; 3] {
    firsts(W, S).map(|first| word(block, first))
}

/// Where the words of a step begin.
const fn firsts(width: usize, stride: usize) -> [usize; 3] {
    let last = read(width, stride) - 8;
    [0, if last < 6 { last } else { 6 }, last]
}

/// One window of a step, in the lowest bits.
#[inline(always)]
fn window_of<const W: usize, const S: usize>(words: &[u64; 3], place: usize) -> u32 {
    let (from, [_, middle, last]) = (place * S, firsts(W, S));
    let (word, first) = match from {
        0..=4 => (words[0], 0),
        _ if from >= last => (words[2], last),
        _ => (words[1], middle),
    };
    (word >> (8 * (from - first))) as u32
}

/// Eight folded bytes of a block.
#[inline(always)]
fn word(block: &[u8], from: usize) -> u64 {
    u64::from_le_bytes(block[from..from + 8].try_into().expect("eight bytes")) | FOLD
}

/// The same of the last bytes of a buffer.
#[cold]
fn tail<const W: usize, const S: usize>(bytes: &[u8]) -> [u64; 3] {
    let mut block = [0; read(WINDOW, 2)];
    block[..bytes.len()].copy_from_slice(bytes);
    words::<W, S>(&block[..read(W, S)])
}

fn fold(bytes: &[u8]) -> u32 {
    bytes.iter().rev().fold(0, |window, b| window << 8 | u32::from(b | 0x20))
}

/// Chooses windows of each literal, so many in a row: rare ones, and such as another has already, so that there are few.
fn entries(mut literals: Vec<Sought>, width: usize, stride: usize) -> Vec<Entry> {
    // What a window more costs by chance hits, and an entry more where it stands.
    const ANOTHER: u32 = 8;
    const SHARED: u32 = 2;
    // Those with the least choice first.
    literals.sort_by_key(|sought| sought.literal.bytes.len());
    let mut used: HashMap<u32, u32> = HashMap::new();
    let mut entries = Vec::with_capacity(literals.len() * stride);
    for Sought { literal, ahead, owners } in literals {
        let bytes = &literal.bytes;
        let window = |at: usize| fold(&bytes[at..at + width]);
        // The first places only, so that the place fits and a candidate is near.
        let places = if width == WINDOW { (bytes.len() + 1 - width - stride).min(24) } else { 0 };
        let cost = |at: usize| {
            let common: u32 = bytes[at..at + width].iter().map(|b| commonness(*b)).sum();
            common + used.get(&window(at)).map_or(ANOTHER, |entries| entries * SHARED)
        };
        let at = (0..=places).min_by_key(|at| (*at..at + stride).map(cost).sum::<u32>()).unwrap_or(0);
        for at in at..at + stride {
            *used.entry(window(at)).or_default() += 1;
            entries.push(Entry {
                at: at as u8,
                window: window(at),
                before: literal.before,
                behind: literal.behind,
                rest_at: literal.rest_at,
                ahead,
                owners: owners.clone().into(),
                bytes: bytes.clone().into(),
            });
        }
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(literals: &[&str], text: &str) -> Vec<(u16, usize)> {
        let sought = |(i, literal): (usize, &&str)| {
            let literal = Literal::free(literal.as_bytes().to_vec());
            Sought { literal, ahead: None, owners: vec![Owner { pattern: i as u16, ahead: None, lead: (0, 0) }] }
        };
        let literals = literals.iter().enumerate().map(sought).collect();
        let mut hits = Vec::new();
        let padded = [text.as_bytes(), b"ghp_tokenakia"].concat();
        let windows = Windows::build(literals);
        windows.scan(&padded, 0, text.len(), &mut |entry, at| hits.push((entry.owners[0].pattern, at)));
        hits.sort_unstable();
        hits
    }

    #[test]
    fn every_literal_is_found_at_every_place_in_any_case() {
        let literals = ["ghp_", "AKIA", "token", "a-rather-long-literal-it-is", "ey", "sk-"].map(str::to_lowercase);
        let literals: Vec<&str> = literals.iter().map(String::as_str).collect();
        for (number, literal) in literals.iter().enumerate() {
            for before in 0..20 {
                for after in [0, 1, 3, 9] {
                    let text = "#".repeat(before) + &literal.to_uppercase() + &"#".repeat(after);
                    assert_eq!(found(&literals, &text), [(number as u16, before)], "{text}");
                }
            }
        }
    }

    #[test]
    fn nothing_is_found_beyond_the_end_or_in_short_texts() {
        for text in ["", "g", "gh", "ghp", "#########gh", "########tok"] {
            assert_eq!(found(&["ghp_", "token", "akia", "kia"], text), []);
        }
    }

    #[test]
    fn literals_that_share_a_window_are_all_found() {
        assert_eq!(found(&["token", "token", "tokens"], "my tokens"), [(0, 3), (1, 3), (2, 3)]);
    }

    #[test]
    fn it_finds_what_a_plain_search_finds() {
        let literals = ["abab", "bab", "ba", "cabac", "a[b@"];
        let mut state = 9_u64;
        let mut all = 0;
        for _ in 0..3_000 {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            let length = (state >> 58) as usize;
            let text: String = (0..length)
                .map(|i| {
                    b"aAbBc[{@`"[(state.rotate_left(7 * i as u32).wrapping_mul(i as u64 + 3) >> 40) as usize % 9]
                        as char
                })
                .collect();
            let mut plain = Vec::new();
            for (number, literal) in literals.iter().enumerate() {
                for at in 0..text.len() {
                    if text.as_bytes()[at..].len() >= literal.len()
                        && text.as_bytes()[at..at + literal.len()].eq_ignore_ascii_case(literal.as_bytes())
                    {
                        plain.push((number as u16, at));
                    }
                }
            }
            all += plain.len();
            assert_eq!(found(&literals, &text), plain, "{text}");
        }
        assert!(all > 1_000);
    }
}
