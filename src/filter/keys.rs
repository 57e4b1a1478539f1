//! Attribute keys, interned: what the policy says of a key is asked once for each distinct key, not for each attribute.
//!
//! Records of one program carry the same keys in the same order. So each entry remembers which one came after it, and a
//! look-up is mostly one comparison. Keys come from outside: nothing is decided by a hash alone, and the table is bounded.

use std::hash::{BuildHasher, Hasher};

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use crate::otlp::{Part, Signal};
use crate::policy::{Active, Plan, Policy, RuleId};

/// Beyond so many entries, or bytes in keys, the table starts anew.
const MAX_ENTRIES: usize = 8_192;
const MAX_BYTES: usize = 1 << 20;
/// Places a context has room for: a signal's parts, plain and nested.
const PLACES: u32 = 4 * 256;

/// Where a key stands: signal, part, nested or not, and which conditional rules hold there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place(u32);

/// An interned key.
#[derive(Debug)]
pub(super) struct Key {
    place: Place,
    path: Box<[u8]>,
    /// The entry that came after this one last time.
    next: u32,
    /// With which known names its text was searched: see [`Keys::text_of`].
    names: u32,
    pub plan: Plan,
    text: KeyText,
    /// The rules that acted on the key's text.
    hits: Box<[RuleId]>,
}

/// What becomes of a key's own text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum KeyText {
    AsIs,
    Replaced(Box<[u8]>),
    /// Because of what its key says the attribute is to be removed,
    Removed,
    /// or the record to be dropped.
    Drops(RuleId),
}

/// A search of a key's text: what becomes of it, and the rules that acted.
pub(super) type Searched = (KeyText, Box<[RuleId]>);

/// The table of one worker.
#[derive(Default)]
pub(super) struct Keys {
    table: HashTable<u32>,
    entries: Vec<Key>,
    bytes: usize,
    hash: RandomState,
    actives: Vec<Active>,
    /// What the policy says of a place without key.
    plans: Vec<Option<Plan>>,
}

impl Place {
    /// The same place inside a value's map: keys are paths there.
    pub fn nested(self) -> Place {
        Place(self.0 | 32)
    }

    /// The same place inside JSON: keys stand alone there, and their text is searched elsewhere.
    pub fn in_json(self) -> Place {
        Place(self.0 | 64)
    }

    /// The same place, looked at before the walk comes there: the key's text has not been searched.
    pub fn looked_ahead(self) -> Place {
        Place(self.0 | 128)
    }
}

impl Keys {
    pub fn clear(&mut self) {
        self.table.clear();
        self.entries.clear();
        self.bytes = 0;
        self.actives.clear();
        self.plans.clear();
    }

    /// The place of a part of a signal under these conditions.
    pub fn place(&mut self, signal: Signal, part: Part, active: Active) -> Place {
        let index = match self.actives.iter().position(|known| *known == active) {
            Some(index) => index,
            None => {
                if self.actives.len() >= 1024 {
                    self.clear();
                }
                self.actives.push(active);
                self.actives.len() - 1
            }
        };
        Place(index as u32 * PLACES + signal as u32 * 256 + part as u32)
    }

    /// What the policy says of a text that stands under no key.
    pub fn plan(&mut self, policy: &Policy, signal: Signal, part: Part, active: Active) -> Plan {
        let index = self.place(signal, part, active).0 as usize;
        if self.plans.len() <= index {
            self.plans.resize(index + 1, None);
        }
        *self.plans[index].get_or_insert_with(|| policy.plan(signal, part, None, active))
    }

    /// The entry of a key, `previous` being the one before it.
    #[inline]
    pub fn find(&mut self, place: Place, previous: u32, path: &[u8]) -> Option<u32> {
        if let Some(before) = self.entries.get(previous as usize) {
            let guess = before.next;
            if self.entries.get(guess as usize).is_some_and(|key| key.place == place && same(&key.path, path)) {
                return Some(guess);
            }
        }
        let found = self.look_up(place, path)?;
        if let Some(before) = self.entries.get_mut(previous as usize) {
            before.next = found;
        }
        Some(found)
    }

    #[inline(never)]
    fn look_up(&self, place: Place, path: &[u8]) -> Option<u32> {
        let is = |index: &u32| {
            let key = &self.entries[*index as usize];
            key.place == place && *key.path == *path
        };
        self.table.find(hash(&self.hash, place, path), is).copied()
    }

    /// Enters a key that [`Keys::find`] did not know.
    pub fn insert(&mut self, place: Place, path: &[u8], plan: Plan, names: u32, (text, hits): Searched) -> u32 {
        if self.entries.len() >= MAX_ENTRIES || self.bytes + path.len() > MAX_BYTES {
            self.table.clear();
            self.entries.clear();
            self.bytes = 0;
        }
        self.bytes += path.len();
        let index = self.entries.len() as u32;
        self.entries.push(Key { place, path: path.into(), next: index, names, plan, text, hits });
        let (entries, hasher) = (&self.entries, &self.hash);
        let rehash = |index: &u32| {
            let key = &entries[*index as usize];
            hash(hasher, key.place, &key.path)
        };
        self.table.insert_unique(hash(hasher, place, path), index, rehash);
        index
    }

    #[inline]
    pub fn get(&self, index: u32) -> &Key {
        &self.entries[index as usize]
    }

    /// What becomes of a key's text, if it was searched with these known names; otherwise it is to be searched anew.
    #[inline]
    pub fn text_of(&self, index: u32, names: u32) -> Option<(&KeyText, &[RuleId])> {
        let key = self.get(index);
        (key.names == names).then_some((&key.text, &*key.hits))
    }

    /// Takes down a new search of a key's text.
    pub fn set_text(&mut self, index: u32, names: u32, (text, hits): Searched) {
        let key = &mut self.entries[index as usize];
        (key.names, key.text, key.hits) = (names, text, hits);
    }
}

fn hash(state: &RandomState, place: Place, path: &[u8]) -> u64 {
    let mut hasher = state.build_hasher();
    hasher.write(path);
    hasher.write_u32(place.0);
    hasher.finish()
}

/// Equality of short byte strings, without a call.
#[inline]
fn same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    match (a.first_chunk::<8>(), b.first_chunk::<8>(), a.last_chunk::<8>(), b.last_chunk::<8>()) {
        (Some(a1), Some(b1), Some(a2), Some(b2)) if a.len() <= 16 => a1 == b1 && a2 == b2,
        (Some(_), ..) => a == b,
        _ => a.iter().zip(b).all(|(a, b)| a == b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::TextPlanId;

    const PLAN: Plan = Plan { whole: None, text: TextPlanId(0), names_host: false };

    fn searched() -> Searched {
        (KeyText::AsIs, Box::new([]))
    }

    #[test]
    fn a_key_is_found_again_at_its_place_and_at_no_other() {
        let mut keys = Keys::default();
        let body = keys.place(Signal::Logs, Part::RecordAttributes, Active::default());
        let other = keys.place(Signal::Logs, Part::ResourceAttributes, Active::default());
        let long = "k".repeat(40);
        for path in ["a", "host", "client.address", "a.longer.key.than.sixteen", &long] {
            assert_eq!(keys.find(body, u32::MAX, path.as_bytes()), None);
            let index = keys.insert(body, path.as_bytes(), PLAN, 0, searched());
            assert_eq!(keys.find(body, u32::MAX, path.as_bytes()), Some(index));
            assert_eq!(keys.find(body, index, path.as_bytes()), Some(index));
            assert_eq!(keys.find(other, index, path.as_bytes()), None);
            assert_eq!(keys.find(body.nested(), index, path.as_bytes()), None);
            let mut near = path.as_bytes().to_vec();
            *near.last_mut().unwrap() ^= 1;
            assert_eq!(keys.find(body, index, &near), None, "{path}");
        }
    }

    #[test]
    fn conditions_make_places_of_their_own() {
        let mut keys = Keys::default();
        let plain = keys.place(Signal::Logs, Part::Body, Active::default());
        let under = keys.place(Signal::Logs, Part::Body, Active(1));
        assert_ne!(plain, under);
        assert_eq!(plain, keys.place(Signal::Logs, Part::Body, Active::default()));
        assert_ne!(plain, keys.place(Signal::Traces, Part::Body, Active::default()));
    }

    #[test]
    fn the_table_stays_bounded_whatever_keys_come() {
        let mut keys = Keys::default();
        let place = keys.place(Signal::Logs, Part::RecordAttributes, Active::default());
        let mut previous = u32::MAX;
        for number in 0..3 * MAX_ENTRIES {
            let path = number.to_string();
            assert_eq!(keys.find(place, previous, path.as_bytes()), None);
            previous = keys.insert(place, path.as_bytes(), PLAN, 0, searched());
            assert!(keys.entries.len() <= MAX_ENTRIES && keys.bytes <= MAX_BYTES);
        }
        let long = vec![b'x'; MAX_BYTES];
        keys.insert(place, &long, PLAN, 0, searched());
        assert_eq!(keys.entries.len(), 1);
    }

    #[test]
    fn short_strings_are_compared_whole() {
        let texts: Vec<Vec<u8>> = (0..40).map(|len| (0..len as u8).collect()).collect();
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
