//! Texts and attributes seen before: telemetry says the same few things over and over, and what becomes of a short one
//! depends on nothing but its bytes and its place.
//!
//! Remembered are those that stay as they are, and those of which one token replaces the whole text. Not remembered is what
//! is to be hidden (it would lie in memory longer than it takes), what a known name of a host may stand in (other names are
//! known under another resource), and whatever had an effect besides.

use crate::associative::{Seed, Table, same};
use crate::detect::Pairs;
use crate::policy::{FieldId, RuleId};

use super::learn::Named;

/// Longer ones seldom come again. (Most user agents are shorter.)
pub(super) const MAX: usize = 200;
/// What was there and what it became have so many bytes together.
const ROOM: usize = 228;
const ENTRIES: usize = 16_384;

/// 4 MiB once the first text came in.
pub(super) struct Memo {
    table: Table<Seen>,
    seed: Seed,
    /// Texts of up to eight bytes that stay as they are (`INFO`), by [`Short::slot`]: in front of the table.
    short: Vec<Option<Short>>,
}

/// A text of up to eight bytes that stands somewhere while certain names are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Short {
    /// Its place and its length.
    key: u64,
    text: u64,
    names: u32,
}

const SHORTS: usize = 256;

impl Short {
    /// The text at `start..end`, which stands at the place of that number. (Not at the very end of the buffer.)
    #[inline]
    pub fn of(place: u64, names: u32, buf: &[u8], start: usize, end: usize) -> Option<Short> {
        let len = end - start;
        let eight = buf.get(start..)?.first_chunk().filter(|_| (1..=8).contains(&len))?;
        let text = u64::from_le_bytes(*eight) & u64::MAX >> (64 - 8 * len);
        Some(Short { key: place | len as u64, text, names })
    }

    #[inline]
    fn slot(&self) -> usize {
        ((self.text ^ self.key.rotate_left(32)).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as usize
    }
}

/// What replaced something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token<'m> {
    pub bytes: &'m [u8],
    pub rule: RuleId,
    /// The field that it stands in.
    pub field: FieldId,
    /// Where in what was there the name began that ran to its end, and whose it is.
    pub name: Option<(u8, Named)>,
    /// Others may get the same token: see [`super::identity`].
    pub merges: bool,
}

/// Something that was seen before. Four cache lines, of which a look-up that finds nothing touches one, and most others two:
/// what is compared comes first.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Seen {
    /// Its place and its length.
    key: u64,
    pairs: Pairs,
    rule: RuleId,
    field: FieldId,
    name: Option<(u8, Named)>,
    became: u8,
    flags: u8,
    bytes: [u8; ROOM],
}

const REPLACED: u8 = 1;
const MERGES: u8 = 2;

/// Something that was looked for, to be entered if it was not there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    key: u64,
    hash: u64,
}

impl Default for Memo {
    fn default() -> Memo {
        Memo { table: Table::new(ENTRIES), seed: Seed::default(), short: Vec::new() }
    }
}

impl Memo {
    pub fn clear(&mut self) {
        self.table.clear();
        self.short.clear();
    }

    /// Whether a short text is known to stay as it is.
    #[inline]
    pub fn stays(&self, short: &Short) -> bool {
        self.short.get(short.slot()).is_some_and(|known| known.as_ref() == Some(short))
    }

    /// Takes down that a short text stays as it is.
    #[cold]
    pub fn note_short(&mut self, short: Short) {
        self.short.resize(SHORTS, None);
        self.short[short.slot()] = Some(short);
    }

    /// What is known of the bytes that stand at the place of that number. (No more than [`MAX`].)
    #[inline(always)]
    pub fn find(&mut self, place: u64, bytes: &[u8]) -> (Asked, Option<&Seen>) {
        let key = place | bytes.len() as u64;
        let hash = self.seed.hash(bytes, key);
        let is = |seen: &Seen| seen.key == key && same(seen.was(), bytes);
        (Asked { key, hash }, self.table.find(hash, is).map(|found| self.table.slot(found)))
    }

    /// Enters what [`Memo::find`] did not know.
    pub fn insert(&mut self, asked: Asked, was: &[u8], became: Option<Token<'_>>) {
        let token = became.map_or(&[][..], |token| token.bytes);
        if was.len() > MAX || was.len() + token.len() > ROOM {
            return;
        }
        let mut bytes = [0; ROOM];
        bytes[..was.len()].copy_from_slice(was);
        bytes[was.len()..was.len() + token.len()].copy_from_slice(token);
        self.table.insert(
            asked.hash,
            Seen {
                key: asked.key,
                pairs: Pairs::of(was),
                rule: became.map_or(RuleId(0), |token| token.rule),
                field: became.map_or(FieldId::RECORD, |token| token.field),
                name: became.and_then(|token| token.name),
                became: token.len() as u8,
                flags: became.map_or(0, |token| REPLACED | if token.merges { MERGES } else { 0 }),
                bytes,
            },
        );
    }
}

impl Seen {
    #[inline]
    fn was(&self) -> &[u8] {
        &self.bytes[..usize::from(self.key as u8)]
    }

    /// The pairs in its bytes, to know whether a known name may stand there.
    #[inline]
    pub fn pairs(&self) -> Pairs {
        self.pairs
    }

    /// The bytes that replaced it: `from..to` of the slice.
    #[inline]
    pub fn replacement(&self) -> (&[u8], usize, usize) {
        let from = usize::from(self.key as u8);
        (&self.bytes, from, from + usize::from(self.became))
    }

    /// What replaced it; none if it stays as it is.
    #[inline]
    pub fn token(&self) -> Option<Token<'_>> {
        if self.flags & REPLACED == 0 {
            return None;
        }
        let (bytes, from, to) = self.replacement();
        Some(Token {
            bytes: &bytes[from..to],
            rule: self.rule,
            field: self.field,
            name: self.name,
            merges: self.flags & MERGES != 0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::keys::{Keys, Place};
    use crate::otlp::{Part, Signal};
    use crate::policy::{Active, TreatmentId};

    fn place(part: Part) -> Place {
        Keys::default().place(Signal::Logs, Active::default()).of(part)
    }

    #[test]
    fn what_was_seen_is_known_again_at_its_place_and_at_no_other() {
        let mut memo = Memo::default();
        let (here, there) = (place(Part::RecordAttributes), place(Part::ResourceAttributes));
        let token =
            Token { bytes: b"ip_7_x", rule: RuleId(4), field: FieldId(9), name: Some((2, Named::Host)), merges: true };
        let account = Token { name: Some((0, Named::Other(TreatmentId(7)))), ..token };
        for (was, became) in [(&b"10.0.0.1"[..], Some(token)), (b"carol", Some(account)), (b"GET", None), (b"", None)] {
            let (asked, found) = memo.find(here.number(), was);
            assert!(found.is_none());
            memo.insert(asked, was, became);
            let found = memo.find(here.number(), was).1.expect("it was entered");
            assert_eq!((found.token(), found.pairs()), (became, Pairs::of(was)));
            assert!(memo.find(there.number(), was).1.is_none());
            assert!(memo.find(here.of_pair().number(), was).1.is_none());
            assert!(memo.find(here.number(), &[was, b"0"].concat()).1.is_none());
        }
        memo.clear();
        assert!(memo.find(here.number(), b"GET").1.is_none());
    }

    #[test]
    fn what_is_too_long_is_not_remembered() {
        let mut memo = Memo::default();
        let (long, bytes, here) = ([b'x'; MAX + 1], [b't'; ROOM], place(Part::Body));
        let token = Token { bytes: &bytes, rule: RuleId(0), field: FieldId(0), name: None, merges: false };
        for (was, became) in [(&long[..], None), (b"x", Some(token))] {
            let (asked, _) = memo.find(here.number(), was);
            memo.insert(asked, was, became);
            assert!(memo.find(here.number(), was).1.is_none());
        }
    }

    #[test]
    fn a_short_text_is_known_again_at_its_place_with_the_same_names_and_no_longer() {
        let (mut memo, buf) = (Memo::default(), b"INFO and WARN and more");
        let (here, there) = (place(Part::SeverityText).number(), place(Part::SpanName).number());
        let short = |place, names, start, end| Short::of(place, names, buf, start, end).unwrap();
        memo.note_short(short(here, 1, 0, 4));
        assert!(memo.stays(&short(here, 1, 0, 4)));
        for other in [
            short(here, 1, 0, 3),
            short(here, 1, 0, 5),
            short(here, 1, 9, 13),
            short(here, 2, 0, 4),
            short(there, 1, 0, 4),
        ] {
            assert!(!memo.stays(&other), "{other:?}");
        }
        assert_eq!(Short::of(here, 1, buf, 0, 9), None, "too long");
        assert_eq!(Short::of(here, 1, buf, 0, 0), None, "empty");
        assert_eq!(Short::of(here, 1, buf, 18, 22), None, "at the end of the buffer");
        memo.clear();
        assert!(!memo.stays(&short(here, 1, 0, 4)));
    }

    #[test]
    fn an_entry_takes_four_cache_lines() {
        assert_eq!(size_of::<Seen>(), 256);
    }
}
