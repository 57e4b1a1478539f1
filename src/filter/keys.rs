//! Attribute keys, interned: what the policy says of a key is asked once for each distinct key, not for each attribute.
//!
//! Records of one program carry the same keys in the same order. So each entry remembers which one came after it, and a
//! look-up is mostly one comparison. Keys come from outside: nothing is decided by a hash alone, and the table is bounded.

use std::hash::{BuildHasher, Hasher};

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use crate::detect::{Known, Pairs};
use crate::otlp::{Part, Signal};
use crate::policy::{Action, Active, Plan, RuleId};

use super::memo::{PlanNumber, same};

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
    /// No known name stood in its text, of these pairs.
    plain: bool,
    pairs: Pairs,
    pub ruling: Ruling,
    text: KeyText,
    /// The rules that acted on the key's text.
    hits: Box<[RuleId]>,
}

/// What the policy says of a place or key, and the number under which texts there are remembered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ruling {
    pub plan: Plan,
    /// None where texts are to be hidden: those are not remembered.
    pub number: Option<PlanNumber>,
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
    /// Of a key whose text is searched elsewhere.
    pub fn elsewhere() -> Searched {
        Searched { text: KeyText::AsIs, hits: Box::default(), names: u32::MAX, plain: false }
    }
}

/// The table of one worker.
#[derive(Default)]
pub(super) struct Keys {
    table: HashTable<u32>,
    entries: Vec<Key>,
    bytes: usize,
    hash: RandomState,
    actives: Vec<Active>,
    /// What the policy says of a place without key.
    rulings: Vec<Option<Ruling>>,
    /// The plans that have a number, each with the place's part.
    numbered: Vec<(Plan, Signal, Part)>,
}

/// So many plans are told apart; a policy hardly has more.
const MAX_NUMBERED: usize = 1_024;

impl Place {
    /// Of another part than the first.
    #[inline]
    pub fn of(self, part: Part) -> Place {
        Place(self.0 + part as u32)
    }

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
        self.rulings.clear();
    }

    /// Forgets the numbers of plans too: for another policy.
    pub fn forget(&mut self) {
        self.clear();
        self.numbered.clear();
    }

    /// A plan with its number.
    pub fn ruling(&mut self, signal: Signal, part: Part, plan: Plan) -> Ruling {
        if plan.whole.is_some_and(|whole| whole.action >= Action::Redact) {
            return Ruling { plan, number: None };
        }
        let entry = (plan, signal, part);
        let number = match self.numbered.iter().position(|known| *known == entry) {
            Some(number) => Some(number),
            None if self.numbered.len() < MAX_NUMBERED => {
                self.numbered.push(entry);
                Some(self.numbered.len() - 1)
            }
            None => None,
        };
        Ruling { plan, number: number.map(|number| PlanNumber(number as u16)) }
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
        Place(index as u32 * PLACES + signal as u32 * 256)
    }

    /// What the policy says of a place without key, if it was asked before.
    #[inline]
    pub fn ruling_of(&self, place: Place) -> Option<Ruling> {
        *self.rulings.get(place.0 as usize)?
    }

    /// Takes down what the policy says of a place without key.
    #[cold]
    pub fn rule(&mut self, place: Place, signal: Signal, part: Part, plan: Plan) -> Ruling {
        let (index, ruling) = (place.0 as usize, self.ruling(signal, part, plan));
        if self.rulings.len() <= index {
            self.rulings.resize(index + 1, None);
        }
        self.rulings[index] = Some(ruling);
        ruling
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
    pub fn insert(&mut self, place: Place, path: &[u8], ruling: Ruling, searched: Searched) -> u32 {
        let Searched { text, hits, names, plain } = searched;
        if self.entries.len() >= MAX_ENTRIES || self.bytes + path.len() > MAX_BYTES {
            self.table.clear();
            self.entries.clear();
            self.bytes = 0;
        }
        self.bytes += path.len();
        let index = self.entries.len() as u32;
        self.entries.push(Key {
            place,
            path: path.into(),
            next: index,
            names,
            plain,
            pairs: Pairs::of(path),
            ruling,
            text,
            hits,
        });
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

fn hash(state: &RandomState, place: Place, path: &[u8]) -> u64 {
    let mut hasher = state.build_hasher();
    hasher.write(path);
    hasher.write_u32(place.0);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::TextPlanId;

    const PLAN: Plan = Plan { whole: None, text: TextPlanId(0), names_host: false };

    const RULING: Ruling = Ruling { plan: PLAN, number: None };

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
            assert_eq!(keys.find(body, u32::MAX, path.as_bytes()), None);
            let index = keys.insert(body, path.as_bytes(), RULING, searched());
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
        let mut previous = u32::MAX;
        for number in 0..3 * MAX_ENTRIES {
            let path = number.to_string();
            assert_eq!(keys.find(place, previous, path.as_bytes()), None);
            previous = keys.insert(place, path.as_bytes(), RULING, searched());
            assert!(keys.entries.len() <= MAX_ENTRIES && keys.bytes <= MAX_BYTES);
        }
        let long = vec![b'x'; MAX_BYTES];
        keys.insert(place, &long, RULING, searched());
        assert_eq!(keys.entries.len(), 1);
    }

    #[test]
    fn a_search_holds_with_other_names_only_where_none_may_stand_in_the_key() {
        let (mut keys, mut known) = (Keys::default(), Known::default());
        known.add(b"web-1");
        let place = keys.place(Signal::Logs, Active::default()).of(Part::RecordAttributes);
        let near = keys.insert(place, b"web-1.load", RULING, searched());
        assert!(keys.holds(near, 0, &known) && !keys.holds(near, 1, &known));
        let far = keys.insert(place, b"client.address", RULING, searched());
        assert!(keys.holds(far, 2, &known) && keys.text_of(far, 2).is_some());
        let odd = keys.insert(place, b"b", RULING, Searched { plain: false, ..searched() });
        assert!(!keys.holds(odd, 1, &known));
    }

    #[test]
    fn plans_have_numbers_of_their_own_and_hiding_ones_have_none() {
        let mut keys = Keys::default();
        let number = |keys: &mut Keys, part, plan| keys.ruling(Signal::Logs, part, plan).number;
        let body = number(&mut keys, Part::Body, PLAN);
        assert!(body.is_some() && number(&mut keys, Part::Body, PLAN) == body);
        assert_ne!(number(&mut keys, Part::RecordAttributes, PLAN), body);
        let treatment = crate::policy::TreatmentId(0);
        let whole = |action| crate::policy::Whole {
            action,
            rule: RuleId(0),
            ip: treatment,
            email: treatment,
            host: treatment,
            other: treatment,
            deep: false,
        };
        let masked = Plan { whole: Some(whole(Action::Mask)), ..PLAN };
        assert!(![None, body].contains(&number(&mut keys, Part::Body, masked)));
        assert_eq!(number(&mut keys, Part::Body, Plan { whole: Some(whole(Action::Redact)), ..PLAN }), None);
    }
}
