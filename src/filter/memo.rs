//! Texts and attributes seen before: telemetry says the same few things over and over, and what becomes of a short one
//! depends on nothing but its bytes and its place.
//!
//! Remembered are those that stay as they are, and those of which one token replaces the whole text. Not remembered is what
//! is to be hidden (it would lie in memory longer than it takes), what a known name of a host may stand in (other names are
//! known under another resource), and whatever had an effect besides.

use std::hash::{BuildHasher, Hasher};

use foldhash::fast::RandomState;

use super::keys::Place;
use crate::associative::Table;
use crate::detect::Pairs;
use crate::policy::{FieldId, RuleId};

/// Longer ones seldom come again.
pub(super) const MAX: usize = 128;
/// What was there and what it became have so many bytes together.
const ROOM: usize = 168;
const ENTRIES: usize = 16_384;

/// 3 MiB once the first text came in.
pub(super) struct Memo {
    table: Table<Slot>,
    hash: RandomState,
}

/// What replaced something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token<'m> {
    pub bytes: &'m [u8],
    pub rule: RuleId,
    /// The field that it stands in.
    pub field: FieldId,
    /// Where in what was there the name of a host began that ran to its end.
    pub host: Option<u8>,
    /// Others may get the same token: see [`super::identity`].
    pub merges: bool,
}

/// Three cache lines, of which a look-up that finds nothing touches one, and most others two: what is compared comes first.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Slot {
    place: Place,
    pairs: Pairs,
    rule: RuleId,
    field: FieldId,
    was: u8,
    became: u8,
    host: u8,
    flags: u8,
    bytes: [u8; ROOM],
}

const REPLACED: u8 = 1;
const MERGES: u8 = 2;
const NO_HOST: u8 = u8::MAX;

/// Something that was looked for, to be entered if it was not there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked(u64);

impl Default for Memo {
    fn default() -> Memo {
        Memo { table: Table::new(ENTRIES), hash: RandomState::default() }
    }
}

impl Memo {
    pub fn clear(&mut self) {
        self.table.clear();
    }

    /// The entry of what stands at a place.
    #[inline]
    pub fn find(&mut self, place: Place, bytes: &[u8]) -> (Asked, Option<usize>) {
        let mut hasher = self.hash.build_hasher();
        hasher.write(bytes);
        hasher.write_u32(place.at());
        let hash = hasher.finish();
        let is = |slot: &Slot| slot.place == place && same(slot.was(), bytes);
        (Asked(hash), self.table.find(hash, is))
    }

    /// The pairs in an entry's bytes, to know whether a known name may stand there.
    #[inline]
    pub fn pairs(&self, entry: usize) -> Pairs {
        self.table.slot(entry).pairs
    }

    /// What replaced an entry; none if it stays as it is.
    #[inline]
    pub fn token(&self, entry: usize) -> Option<Token<'_>> {
        let slot = self.table.slot(entry);
        if slot.flags & REPLACED == 0 {
            return None;
        }
        let from = usize::from(slot.was);
        Some(Token {
            bytes: &slot.bytes[from..from + usize::from(slot.became)],
            rule: slot.rule,
            field: slot.field,
            host: (slot.host != NO_HOST).then_some(slot.host),
            merges: slot.flags & MERGES != 0,
        })
    }

    /// Enters what [`Memo::find`] did not know.
    pub fn insert(&mut self, asked: Asked, place: Place, was: &[u8], became: Option<Token<'_>>) {
        let token = became.map_or(&[][..], |token| token.bytes);
        if was.len() > MAX || was.len() + token.len() > ROOM {
            return;
        }
        let mut bytes = [0; ROOM];
        bytes[..was.len()].copy_from_slice(was);
        bytes[was.len()..was.len() + token.len()].copy_from_slice(token);
        self.table.insert(
            asked.0,
            Slot {
                place,
                pairs: Pairs::of(was),
                rule: became.map_or(RuleId(0), |token| token.rule),
                field: became.map_or(FieldId::RECORD, |token| token.field),
                was: was.len() as u8,
                became: token.len() as u8,
                host: became.and_then(|token| token.host).unwrap_or(NO_HOST),
                flags: became.map_or(0, |token| REPLACED | if token.merges { MERGES } else { 0 }),
                bytes,
            },
        );
    }
}

impl Slot {
    #[inline]
    fn was(&self) -> &[u8] {
        &self.bytes[..usize::from(self.was)]
    }
}

/// Equality of short byte strings, without a call.
#[inline]
pub(super) fn same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    match (a.first_chunk::<16>(), b.first_chunk::<16>(), a.last_chunk::<16>(), b.last_chunk::<16>()) {
        (Some(a1), Some(b1), Some(a2), Some(b2)) if a.len() <= 32 => a1 == b1 && a2 == b2,
        (Some(_), ..) => a == b,
        _ => same_short(a, b),
    }
}

/// Of equal length below 16.
#[inline]
fn same_short(a: &[u8], b: &[u8]) -> bool {
    match (a.first_chunk::<8>(), b.first_chunk::<8>(), a.last_chunk::<8>(), b.last_chunk::<8>()) {
        (Some(a1), Some(b1), Some(a2), Some(b2)) => a1 == b1 && a2 == b2,
        _ => match (a.first_chunk::<4>(), b.first_chunk::<4>(), a.last_chunk::<4>(), b.last_chunk::<4>()) {
            (Some(a1), Some(b1), Some(a2), Some(b2)) => a1 == b1 && a2 == b2,
            _ => a.iter().zip(b).all(|(a, b)| a == b),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::keys::Keys;
    use crate::otlp::{Part, Signal};
    use crate::policy::Active;

    fn place(part: Part) -> Place {
        Keys::default().place(Signal::Logs, Active::default()).of(part)
    }

    #[test]
    fn what_was_seen_is_known_again_at_its_place_and_at_no_other() {
        let mut memo = Memo::default();
        let (here, there) = (place(Part::RecordAttributes), place(Part::ResourceAttributes));
        let token = Token { bytes: b"ip_7_x", rule: RuleId(4), field: FieldId(9), host: Some(2), merges: true };
        for (was, became) in [(&b"10.0.0.1"[..], Some(token)), (b"GET", None), (b"", None)] {
            let (asked, found) = memo.find(here, was);
            assert_eq!(found, None);
            memo.insert(asked, here, was, became);
            let found = memo.find(here, was).1.expect("it was entered");
            assert_eq!((memo.token(found), memo.pairs(found)), (became, Pairs::of(was)));
            assert_eq!(memo.find(there, was).1, None);
            assert_eq!(memo.find(here.of_pair(), was).1, None);
            assert_eq!(memo.find(here, &[was, b"0"].concat()).1, None);
        }
        memo.clear();
        assert_eq!(memo.find(here, b"GET").1, None);
    }

    #[test]
    fn what_is_too_long_is_not_remembered() {
        let mut memo = Memo::default();
        let (long, bytes, here) = ([b'x'; MAX + 1], [b't'; ROOM], place(Part::Body));
        let token = Token { bytes: &bytes, rule: RuleId(0), field: FieldId(0), host: None, merges: false };
        for (was, became) in [(&long[..], None), (b"x", Some(token))] {
            let (asked, _) = memo.find(here, was);
            memo.insert(asked, here, was, became);
            assert_eq!(memo.find(here, was).1, None);
        }
    }

    #[test]
    fn an_entry_takes_three_cache_lines() {
        assert_eq!(size_of::<Slot>(), 192);
    }

    #[test]
    fn short_strings_are_compared_whole() {
        let texts: Vec<Vec<u8>> = (0..70).map(|len| (0..len as u8).collect()).collect();
        for a in &texts {
            for b in &texts {
                assert_eq!(same(a, b), a == b);
            }
            for index in 0..a.len() {
                let mut changed = a.clone();
                changed[index] ^= 0x80;
                assert!(!same(a, &changed), "{index} of {}", a.len());
            }
        }
    }
}
