//! Attribute keys, interned: what the policy says of a key is asked once for each distinct key, not for each attribute.
//!
//! A worker sees few different keys. So a small table in front, by a hash of a few instructions, answers nearly all; the
//! hash table proper stands behind it. Keys come from outside: nothing is decided by a hash alone, and both are bounded.

use std::hash::{BuildHasher, Hasher};

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use crate::detect::{Known, Pairs};
use crate::otlp::{Part, Signal};
use crate::policy::{Active, Plan, RuleId};

use crate::associative::same;

/// Beyond so many entries, or bytes in keys, the table starts anew.
const MAX_ENTRIES: usize = 8_192;
const MAX_BYTES: usize = 1 << 20;
/// Slots of the table in front, a power of two.
const FRONT: usize = 1_024;
/// Places a context has room for: a signal's parts, plain and nested.
const PLACES: u32 = 4 * 256;

/// Where a key stands: signal, part, nested or not, and which conditional rules hold there. No place of an earlier generation
/// is ever taken for one of a later, in which its number means something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    at: u32,
    generation: u32,
}

/// An interned key.
#[derive(Debug)]
pub(super) struct Key {
    place: Place,
    path: Box<[u8]>,
    /// With which known names its text was searched: see [`Keys::text_of`].
    names: u32,
    /// No known name stood in its text, of these pairs.
    plain: bool,
    pairs: Pairs,
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

/// A search of a key's text.
#[derive(Debug)]
pub(super) struct Searched {
    pub text: KeyText,
    /// The rules that acted.
    pub hits: Box<[RuleId]>,
    /// The set of known names it was searched with,
    pub names: u32,
    /// of which none stood in it.
    pub plain: bool,
}

impl Searched {
    /// Of a key in whose text there was nothing to be found.
    pub fn nothing(names: u32, plain: bool) -> Searched {
        Searched { text: KeyText::AsIs, hits: Box::default(), names, plain }
    }

    /// Of a key whose text is searched elsewhere.
    pub fn elsewhere() -> Searched {
        Searched { text: KeyText::AsIs, hits: Box::default(), names: u32::MAX, plain: false }
    }
}

/// The table of one worker.
#[derive(Default)]
pub(super) struct Keys {
    /// Entries by [`quick`].
    front: Vec<u32>,
    table: HashTable<u32>,
    entries: Vec<Key>,
    bytes: usize,
    hash: RandomState,
    actives: Vec<Active>,
    /// What the policy says of a place without key.
    plans: Vec<Option<Plan>>,
    /// How often places began anew.
    generation: u32,
}

impl Place {
    /// Of another part than the first.
    #[inline]
    pub fn of(self, part: Part) -> Place {
        Place { at: self.at + part as u32, ..self }
    }

    /// The same place inside a value's map: keys are paths there.
    pub fn nested(self) -> Place {
        Place { at: self.at | 32, ..self }
    }

    /// The same place inside JSON: keys are paths there, too, and of their text is remembered only that there is nothing in it.
    pub fn in_json(self) -> Place {
        Place { at: self.at | 64, ..self }
    }

    /// The same place, for attributes as a whole.
    #[inline]
    pub fn of_pair(self) -> Place {
        Place { at: self.at | 96, ..self }
    }

    /// A number that no other place has, its last eight bits 0.
    #[inline]
    pub fn number(self) -> u64 {
        u64::from(self.generation) << 32 | u64::from(self.at) << 8
    }

    /// The same place, looked at before the walk comes there: the key's text has not been searched.
    pub fn looked_ahead(self) -> Place {
        Place { at: self.at | 128, ..self }
    }
}

impl Key {
    /// Whether nothing is to be done to the key's own text.
    #[inline]
    pub fn is_as_is(&self) -> bool {
        self.text == KeyText::AsIs && self.hits.is_empty()
    }
}

impl Keys {
    pub fn clear(&mut self) {
        self.table.clear();
        self.entries.clear();
        self.bytes = 0;
        self.actives.clear();
        self.plans.clear();
        self.generation = self.generation.wrapping_add(1);
    }

    /// The place of a signal's first part under these conditions.
    pub fn place(&mut self, signal: Signal, active: Active) -> Place {
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
        Place { at: index as u32 * PLACES + signal as u32 * 256, generation: self.generation }
    }

    /// What the policy says of a place without key, if it was asked before.
    #[inline]
    pub fn plan(&self, place: Place) -> Option<Plan> {
        if place.generation == self.generation { *self.plans.get(place.at as usize)? } else { None }
    }

    /// Takes down what the policy says of a place without key.
    #[cold]
    pub fn set_plan(&mut self, place: Place, plan: Plan) {
        let index = place.at as usize;
        if place.generation == self.generation {
            self.plans.resize(self.plans.len().max(index + 1), None);
            self.plans[index] = Some(plan);
        }
    }

    /// The entry of a key.
    #[inline]
    pub fn find(&mut self, place: Place, path: &[u8]) -> Option<u32> {
        let slot = quick(place, path);
        if let Some(index) = self.front.get(slot)
            && self.entries.get(*index as usize).is_some_and(|key| key.place == place && same(&key.path, path))
        {
            return Some(*index);
        }
        self.look_up(slot, place, path)
    }

    #[inline(never)]
    fn look_up(&mut self, slot: usize, place: Place, path: &[u8]) -> Option<u32> {
        let is = |index: &u32| {
            let key = &self.entries[*index as usize];
            key.place == place && *key.path == *path
        };
        let found = self.table.find(hash(&self.hash, place, path), is).copied();
        if let Some(index) = found {
            if self.front.is_empty() {
                self.front = vec![u32::MAX; FRONT];
            }
            self.front[slot] = index;
        }
        found
    }

    /// Enters a key that [`Keys::find`] did not know.
    pub fn insert(&mut self, place: Place, path: &[u8], plan: Plan, searched: Searched) -> u32 {
        let Searched { text, hits, names, plain } = searched;
        if self.entries.len() >= MAX_ENTRIES || self.bytes + path.len() > MAX_BYTES {
            self.table.clear();
            self.entries.clear();
            self.bytes = 0;
        }
        self.bytes += path.len();
        let index = self.entries.len() as u32;
        self.entries.push(Key { place, path: path.into(), names, plain, pairs: Pairs::of(path), plan, text, hits });
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
    pub fn set_text(&mut self, index: u32, searched: Searched) {
        let key = &mut self.entries[index as usize];
        Searched { text: key.text, hits: key.hits, names: key.names, plain: key.plain } = searched;
    }

    /// Whether what became of a key's text holds with the names that are known now.
    #[inline]
    pub fn holds(&mut self, index: u32, names: u32, known: &Known) -> bool {
        let key = &mut self.entries[index as usize];
        if key.names != names {
            if !key.plain || known.may_stand_among(key.pairs) {
                return false;
            }
            key.names = names;
        }
        true
    }
}

/// Where in the table in front a key belongs: by its place, length, first and last eight bytes; of a shorter one by all.
#[inline]
fn quick(place: Place, path: &[u8]) -> usize {
    let (first, last) = match (path.first_chunk(), path.last_chunk()) {
        (Some(first), Some(last)) => (u64::from_le_bytes(*first), u64::from_le_bytes(*last)),
        _ => match (path.first_chunk(), path.last_chunk()) {
            (Some(first), Some(last)) => (u32::from_le_bytes(*first).into(), u32::from_le_bytes(*last).into()),
            _ => (path.iter().fold(0, |all, byte| all << 8 | u64::from(*byte)), 0),
        },
    };
    let mixed = first ^ last.rotate_left(23) ^ u64::from(place.at) << 40 ^ path.len() as u64;
    (mixed.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (64 - FRONT.trailing_zeros())) as usize
}

fn hash(state: &RandomState, place: Place, path: &[u8]) -> u64 {
    let mut hasher = state.build_hasher();
    hasher.write(path);
    hasher.write_u32(place.at);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{FieldId, TextPlanId};

    const PLAN: Plan = Plan {
        whole: None,
        text: TextPlanId(0),
        names_host: false,
        field: FieldId::RECORD,
        value: crate::detect::Place::Text,
    };

    fn searched() -> Searched {
        Searched { text: KeyText::AsIs, hits: Box::new([]), names: 0, plain: true }
    }

    #[test]
    fn a_key_is_found_again_at_its_place_and_at_no_other() {
        let mut keys = Keys::default();
        let body = keys.place(Signal::Logs, Active::default()).of(Part::RecordAttributes);
        let other = keys.place(Signal::Logs, Active::default()).of(Part::ResourceAttributes);
        let long = "k".repeat(40);
        for path in ["a", "host", "client.address", "a.longer.key.than.sixteen", &long] {
            assert_eq!(keys.find(body, path.as_bytes()), None);
            let index = keys.insert(body, path.as_bytes(), PLAN, searched());
            assert_eq!(keys.find(body, path.as_bytes()), Some(index));
            assert_eq!(keys.find(body, path.as_bytes()), Some(index));
            assert_eq!(keys.find(other, path.as_bytes()), None);
            assert_eq!(keys.find(body.nested(), path.as_bytes()), None);
            let mut near = path.as_bytes().to_vec();
            *near.last_mut().unwrap() ^= 1;
            assert_eq!(keys.find(body, &near), None, "{path}");
        }
    }

    #[test]
    fn conditions_make_places_of_their_own() {
        let mut keys = Keys::default();
        let plain = keys.place(Signal::Logs, Active::default()).of(Part::Body);
        let under = keys.place(Signal::Logs, Active(1)).of(Part::Body);
        assert_ne!(plain, under);
        assert_eq!(plain, keys.place(Signal::Logs, Active::default()).of(Part::Body));
        assert_ne!(plain, keys.place(Signal::Traces, Active::default()).of(Part::Body));
    }

    #[test]
    fn the_table_stays_bounded_whatever_keys_come() {
        let mut keys = Keys::default();
        let place = keys.place(Signal::Logs, Active::default()).of(Part::RecordAttributes);
        for number in 0..3 * MAX_ENTRIES {
            let path = number.to_string();
            assert_eq!(keys.find(place, path.as_bytes()), None);
            keys.insert(place, path.as_bytes(), PLAN, searched());
            assert!(keys.entries.len() <= MAX_ENTRIES && keys.bytes <= MAX_BYTES);
        }
        let long = vec![b'x'; MAX_BYTES];
        keys.insert(place, &long, PLAN, searched());
        assert_eq!(keys.entries.len(), 1);
    }

    #[test]
    fn a_search_holds_with_other_names_only_where_none_may_stand_in_the_key() {
        let (mut keys, mut known) = (Keys::default(), Known::default());
        known.add(b"web-1");
        let place = keys.place(Signal::Logs, Active::default()).of(Part::RecordAttributes);
        let near = keys.insert(place, b"web-1.load", PLAN, searched());
        assert!(keys.holds(near, 0, &known) && !keys.holds(near, 1, &known));
        let far = keys.insert(place, b"client.address", PLAN, searched());
        assert!(keys.holds(far, 2, &known) && keys.text_of(far, 2).is_some());
        let odd = keys.insert(place, b"b", PLAN, Searched { plain: false, ..searched() });
        assert!(!keys.holds(odd, 1, &known));
    }

    #[test]
    fn a_place_of_an_earlier_generation_is_no_place_of_a_later_one() {
        let mut keys = Keys::default();
        let early = keys.place(Signal::Logs, Active(1));
        keys.insert(early, b"a", PLAN, searched());
        keys.set_plan(early, PLAN);
        assert!(keys.find(early, b"a").is_some() && keys.plan(early).is_some());
        for conditions in 2..3_000 {
            keys.place(Signal::Logs, Active(conditions));
        }
        let late = keys.place(Signal::Logs, Active(1));
        assert_ne!(early, late);
        keys.set_plan(early, PLAN);
        assert_eq!((keys.find(early, b"a"), keys.plan(early), keys.plan(late)), (None, None, None));
    }
}
