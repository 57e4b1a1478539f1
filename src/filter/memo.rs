//! Texts seen before: telemetry says the same few things over and over, and what became of a short text depends on nothing
//! but the text and what the policy says of its place.
//!
//! Remembered are texts that stay as they are, and those that one token replaces from end to end. Not remembered are
//! texts that are to be hidden (they would lie in memory longer than it takes), texts in which a known name of a host may
//! stand (other names are known under another resource), and whatever had an effect besides.

use std::hash::{BuildHasher, Hasher};

use foldhash::fast::RandomState;

use crate::associative::Table;
use crate::detect::Pairs;
use crate::policy::RuleId;

/// Texts and tokens up to so many bytes together.
const ROOM: usize = 112;
/// Longer texts seldom come again.
pub(super) const MAX_TEXT: usize = 64;
const ENTRIES: usize = 16_384;

/// What the policy says of a text's place and key, numbered: see [`super::keys::Keys`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PlanNumber(pub u16);

/// What became of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Became<'m> {
    Itself,
    Token(Token<'m>),
}

/// What replaced a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token<'m> {
    pub token: &'m [u8],
    pub rule: RuleId,
    /// The text named a host.
    pub host: bool,
    /// Other texts may get the same token: see [`super::identity`].
    pub merges: bool,
}

/// 2 MiB once the first text came in.
pub(super) struct Memo {
    table: Table<Slot>,
    hash: RandomState,
}

/// Two cache lines.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Slot {
    bytes: [u8; ROOM],
    pairs: Pairs,
    plan: u16,
    rule: RuleId,
    text: u8,
    token: u8,
    flags: u8,
}

const REPLACED: u8 = 1;
const HOST: u8 = 2;
const MERGES: u8 = 4;

/// A text that was looked for, to be entered under if it was not there.
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

    /// The entry of a text.
    #[inline]
    pub fn find(&mut self, plan: PlanNumber, text: &[u8]) -> (Asked, Option<usize>) {
        let mut hasher = self.hash.build_hasher();
        hasher.write(text);
        hasher.write_u16(plan.0);
        let hash = hasher.finish();
        let is = |slot: &Slot| slot.plan == plan.0 && same(slot.text(), text);
        (Asked(hash), self.table.find(hash, is))
    }

    /// The pairs of an entry's text, to know whether a known name may stand in it.
    #[inline]
    pub fn pairs(&self, entry: usize) -> Pairs {
        self.table.slot(entry).pairs
    }

    /// Whether a token replaces the entry's text.
    #[inline]
    pub fn is_replaced(&self, entry: usize) -> bool {
        self.table.slot(entry).flags & REPLACED != 0
    }

    /// What replaces the entry's text, if anything does.
    #[inline]
    pub fn token(&self, entry: usize) -> Token<'_> {
        let slot = self.table.slot(entry);
        let from = usize::from(slot.text);
        let token = &slot.bytes[from..from + usize::from(slot.token)];
        Token { token, rule: slot.rule, host: slot.flags & HOST != 0, merges: slot.flags & MERGES != 0 }
    }

    /// Enters a text that [`Memo::find`] did not know.
    pub fn insert(&mut self, asked: Asked, plan: PlanNumber, text: &[u8], became: Became<'_>) {
        let (token, rule, flags) = match became {
            Became::Itself => (&[][..], RuleId(0), 0),
            Became::Token(Token { token, rule, host, merges }) => {
                (token, rule, REPLACED | if host { HOST } else { 0 } | if merges { MERGES } else { 0 })
            }
        };
        if text.len() > MAX_TEXT || text.len() + token.len() > ROOM {
            return;
        }
        let mut bytes = [0; ROOM];
        bytes[..text.len()].copy_from_slice(text);
        bytes[text.len()..text.len() + token.len()].copy_from_slice(token);
        let pairs = Pairs::of(text);
        let (text, token) = (text.len() as u8, token.len() as u8);
        self.table.insert(asked.0, Slot { bytes, pairs, plan: plan.0, rule, text, token, flags });
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

impl Slot {
    #[inline]
    fn text(&self) -> &[u8] {
        &self.bytes[..usize::from(self.text)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: PlanNumber = PlanNumber(3);

    #[test]
    fn a_text_is_known_again_under_its_plan_and_no_other() {
        let mut memo = Memo::default();
        let token = Became::Token(Token { token: b"ip_7_x", rule: RuleId(4), host: true, merges: false });
        for (text, became) in [(&b"10.0.0.1"[..], token), (b"GET", Became::Itself), (b"", Became::Itself)] {
            let (asked, found) = memo.find(PLAN, text);
            assert_eq!(found, None);
            memo.insert(asked, PLAN, text, became);
            let found = memo.find(PLAN, text).1.expect("it was entered");
            assert_eq!(memo.is_replaced(found), became != Became::Itself);
            if let Became::Token(token) = became {
                assert_eq!(memo.token(found), token);
            }
            assert_eq!(memo.find(PlanNumber(4), text).1, None);
            assert_eq!(memo.find(PLAN, &[text, b"0"].concat()).1, None);
        }
        memo.clear();
        assert_eq!(memo.find(PLAN, b"GET").1, None);
    }

    #[test]
    fn an_entry_knows_which_names_may_stand_in_it() {
        let mut memo = Memo::default();
        let (asked, _) = memo.find(PLAN, b"to web-1");
        memo.insert(asked, PLAN, b"to web-1", Became::Itself);
        let entry = memo.find(PLAN, b"to web-1").1.unwrap();
        assert_eq!(memo.pairs(entry), Pairs::of(b"to web-1"));
    }

    #[test]
    fn what_is_too_long_is_not_remembered() {
        let mut memo = Memo::default();
        let long = [b'x'; MAX_TEXT + 1];
        let token = [b't'; ROOM];
        for (text, became) in [
            (&long[..], Became::Itself),
            (b"x", Became::Token(Token { token: &token, rule: RuleId(0), host: false, merges: false })),
        ] {
            let (asked, _) = memo.find(PLAN, text);
            memo.insert(asked, PLAN, text, became);
            assert_eq!(memo.find(PLAN, text).1, None);
        }
    }

    #[test]
    fn an_entry_takes_two_cache_lines() {
        assert_eq!(size_of::<Slot>(), 128);
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
