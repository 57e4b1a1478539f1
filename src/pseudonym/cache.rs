//! What a worker has already made: (treatment, value) → token, bounded.
//!
//! Keys come from outside, so: the hash is seeded and never trusted without comparing, the table is set-associative
//! (eight ways: no input makes a look-up longer) and its size is fixed. New entries come in as "not used again", and
//! those are evicted first: a scan of values that come once pushes out other such values, not the working set. A little
//! ageing lets a new working set in.

use std::hash::{BuildHasher, Hasher};

use foldhash::fast::RandomState;

const WAYS: usize = 8;
/// Every so many evictions from a set, one of its entries counts as not used again.
const AGEING: u8 = 16;

/// The longest text that is remembered, in bytes.
pub const MAX_TEXT: usize = 64;
const IP_TOKEN: usize = 45;
const TEXT_TOKEN: usize = 124;

/// A bounded memory of tokens. Not shared between workers.
///
/// With the default of 16,384 entries a cache takes 1 MiB for addresses once the first address comes, and 3 MiB for texts
/// once the first text comes; an idle one takes nothing.
pub struct Cache {
    ips: Table<u128, IP_TOKEN>,
    texts: Table<Text, TEXT_TOKEN>,
    hash: RandomState,
    scratch: Vec<u8>,
}

impl Default for Cache {
    fn default() -> Cache {
        Cache::new(16_384)
    }
}

impl Cache {
    /// A cache of up to `entries` addresses and as many texts; rounded up to a power of two, at least 8.
    pub fn new(entries: usize) -> Cache {
        let sets = entries.div_ceil(WAYS).next_power_of_two();
        Cache { ips: Table::new(sets), texts: Table::new(sets), hash: RandomState::default(), scratch: Vec::new() }
    }

    /// The token of an address, made by `make` if it is not known.
    #[inline]
    pub fn ip(&mut self, treatment: u16, address: u128, make: impl FnOnce(&mut Vec<u8>)) -> &[u8] {
        let mut hasher = self.hash.build_hasher();
        hasher.write_u128(address);
        hasher.write_u16(treatment);
        let hash = hasher.finish();
        match self.ips.find(hash, treatment, &address) {
            Some(found) => self.ips.token(found),
            None => self.make_ip(hash, treatment, address, make),
        }
    }

    /// The token of a text, made by `make` if it is not known.
    #[inline]
    pub fn text(&mut self, treatment: u16, text: &[u8], make: impl FnOnce(&mut Vec<u8>)) -> &[u8] {
        if text.len() > MAX_TEXT {
            self.scratch.clear();
            make(&mut self.scratch);
            return &self.scratch;
        }
        let mut hasher = self.hash.build_hasher();
        hasher.write(text);
        hasher.write_u16(treatment);
        let hash = hasher.finish();
        match self.texts.find(hash, treatment, text) {
            Some(found) => self.texts.token(found),
            None => self.make_text(hash, treatment, text, make),
        }
    }

    /// Forgets everything, and gives the memory back: for a change of policy or key.
    pub fn clear(&mut self) {
        self.ips.clear();
        self.texts.clear();
    }

    #[cold]
    #[inline(never)]
    fn make_ip(&mut self, hash: u64, treatment: u16, address: u128, make: impl FnOnce(&mut Vec<u8>)) -> &[u8] {
        self.scratch.clear();
        make(&mut self.scratch);
        self.ips.insert(hash, treatment, address, &self.scratch);
        &self.scratch
    }

    #[cold]
    #[inline(never)]
    fn make_text(&mut self, hash: u64, treatment: u16, text: &[u8], make: impl FnOnce(&mut Vec<u8>)) -> &[u8] {
        self.scratch.clear();
        make(&mut self.scratch);
        self.texts.insert(hash, treatment, Text::new(text), &self.scratch);
        &self.scratch
    }
}

/// A text of at most [`MAX_TEXT`] bytes, inline.
#[derive(Clone, Copy)]
struct Text {
    bytes: [u8; MAX_TEXT],
    len: u8,
}

impl Text {
    fn new(text: &[u8]) -> Text {
        let mut bytes = [0; MAX_TEXT];
        bytes[..text.len()].copy_from_slice(text);
        Text { bytes, len: text.len() as u8 }
    }
}

trait Key<Q: ?Sized>: Copy {
    const EMPTY: Self;
    fn is(&self, asked: &Q) -> bool;
}

impl Key<u128> for u128 {
    const EMPTY: u128 = 0;
    #[inline]
    fn is(&self, asked: &u128) -> bool {
        self == asked
    }
}

impl Key<[u8]> for Text {
    const EMPTY: Text = Text { bytes: [0; MAX_TEXT], len: 0 };
    #[inline]
    fn is(&self, asked: &[u8]) -> bool {
        self.bytes[..usize::from(self.len)] == *asked
    }
}

/// One cache line for an address, three for a text.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Slot<K, const N: usize> {
    key: K,
    treatment: u16,
    len: u8,
    token: [u8; N],
}

/// What is known of a set without touching its slots.
#[derive(Clone, Copy, Default)]
struct Set {
    /// Eight bits of the hash for each way, 0 for an empty one.
    tags: u64,
    /// One bit a way: asked for since it came in.
    used: u8,
    evictions: u8,
}

const EACH_BYTE: u64 = 0x0101_0101_0101_0101;

impl Set {
    /// A high bit for each way whose tag is (or, rarely, only seems) the same.
    #[inline]
    fn candidates(&self, tag: u8) -> u64 {
        let different = self.tags ^ (EACH_BYTE * u64::from(tag));
        different.wrapping_sub(EACH_BYTE) & !different & (EACH_BYTE << 7)
    }

    /// The way for a new entry: an empty one, or the one to do without.
    fn make_room(&mut self) -> usize {
        if let Some(empty) = (0..WAYS).find(|way| self.tags >> (8 * way) & 0xff == 0) {
            return empty;
        }
        self.evictions = self.evictions.wrapping_add(1);
        if self.evictions.is_multiple_of(AGEING) {
            self.used &= !(1 << (usize::from(self.evictions / AGEING) % WAYS));
        }
        if self.used == u8::MAX {
            self.used = 0;
        }
        // From a different way each time, so that entries that came together do not go in the order they came.
        let from = u32::from(self.evictions) % WAYS as u32;
        let unused = (!self.used).rotate_right(from).trailing_zeros();
        (unused + from) as usize % WAYS
    }
}

struct Table<K, const N: usize> {
    /// A power of two. Nothing is allocated before the first entry.
    size: usize,
    sets: Vec<Set>,
    slots: Vec<Slot<K, N>>,
}

impl<K: Copy, const N: usize> Table<K, N> {
    fn new(size: usize) -> Table<K, N> {
        Table { size, sets: Vec::new(), slots: Vec::new() }
    }

    fn clear(&mut self) {
        *self = Table::new(self.size);
    }

    #[inline]
    fn place(&self, hash: u64) -> (usize, u8) {
        ((hash >> 8) as usize & (self.size - 1), (hash as u8).max(1))
    }

    #[inline]
    fn find<Q: ?Sized>(&mut self, hash: u64, treatment: u16, asked: &Q) -> Option<usize>
    where
        K: Key<Q>,
    {
        let (set_at, tag) = self.place(hash);
        let set = self.sets.get_mut(set_at)?;
        let mut candidates = set.candidates(tag);
        while candidates != 0 {
            let way = candidates.trailing_zeros() as usize / 8;
            candidates &= candidates - 1;
            let slot = &self.slots[set_at * WAYS + way];
            if slot.len != 0 && slot.treatment == treatment && slot.key.is(asked) {
                set.used |= 1 << way;
                return Some(set_at * WAYS + way);
            }
        }
        None
    }

    #[inline]
    fn token(&self, found: usize) -> &[u8] {
        let slot = &self.slots[found];
        &slot.token[..usize::from(slot.len)]
    }

    fn insert<Q: ?Sized>(&mut self, hash: u64, treatment: u16, key: K, token: &[u8])
    where
        K: Key<Q>,
    {
        if token.is_empty() || token.len() > N {
            return;
        }
        if self.sets.is_empty() {
            self.sets = vec![Set::default(); self.size];
            self.slots = vec![Slot { key: K::EMPTY, treatment: 0, len: 0, token: [0; N] }; self.size * WAYS];
        }
        let (set_at, tag) = self.place(hash);
        let set = &mut self.sets[set_at];
        let way = set.make_room();
        set.tags = set.tags & !(0xff << (8 * way)) | u64::from(tag) << (8 * way);
        let slot = &mut self.slots[set_at * WAYS + way];
        slot.key = key;
        slot.treatment = treatment;
        slot.len = token.len() as u8;
        slot.token[..token.len()].copy_from_slice(token);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    /// What the token of a value is, in these tests.
    fn made(treatment: u16, value: u128) -> Vec<u8> {
        format!("{treatment}-{value}").into_bytes()
    }

    /// How many of the addresses had to be made.
    fn misses(cache: &mut Cache, addresses: impl Iterator<Item = u128>) -> usize {
        let mut misses = 0;
        for address in addresses {
            let token = cache.ip(1, address, |out| {
                misses += 1;
                out.extend(made(1, address));
            });
            assert_eq!(token, made(1, address));
        }
        misses
    }

    #[test]
    fn a_working_set_that_fits_is_made_once() {
        // So sparse that no set of eight overflows, whatever the seed.
        let mut cache = Cache::new(65_536);
        assert_eq!(misses(&mut cache, 0..1000), 1000);
        assert_eq!(misses(&mut cache, 0..1000), 0);
        cache.clear();
        assert_eq!(misses(&mut cache, 0..1000), 1000);
    }

    #[test]
    fn a_scan_does_not_push_out_what_is_used() {
        let mut cache = Cache::new(1024);
        for _ in 0..3 {
            misses(&mut cache, 0..400);
        }
        misses(&mut cache, 10_000..12_048);
        let lost = misses(&mut cache, 0..400);
        assert!(lost <= 100, "{lost} of 400 after a scan of twice the cache's size");
    }

    #[test]
    fn a_new_working_set_gets_in() {
        let mut cache = Cache::new(1024);
        for _ in 0..3 {
            misses(&mut cache, 0..900);
        }
        for _ in 0..100 {
            misses(&mut cache, 5_000..5_250);
        }
        let lost = misses(&mut cache, 5_000..5_250);
        assert!(lost <= 25, "{lost} of 250 after a hundred rounds");
    }

    #[test]
    fn nothing_is_allocated_before_the_first_entry_and_no_more_than_the_size_afterwards() {
        let mut cache = Cache::new(1000);
        assert_eq!((cache.ips.slots.capacity(), cache.texts.slots.capacity()), (0, 0));
        misses(&mut cache, 0..100_000);
        assert_eq!((cache.ips.slots.len(), cache.texts.slots.capacity()), (1024, 0));
        assert_eq!(size_of::<Slot<u128, IP_TOKEN>>(), 64);
        assert_eq!(size_of::<Slot<Text, TEXT_TOKEN>>(), 192);
    }

    #[test]
    fn an_empty_way_is_no_entry_even_where_its_tag_seems_the_same() {
        let mut table: Table<u128, IP_TOKEN> = Table::new(1);
        table.insert(1, 0, 5, b"token");
        assert!(table.sets[0].candidates(1).count_ones() > 1, "an empty way seems to have tag 1");
        assert_eq!(table.find(1, 0, &u128::EMPTY), None);
        assert_eq!(table.find(1, 0, &5), Some(0));
    }

    #[test]
    fn what_is_too_long_is_made_each_time_and_right() {
        let mut cache = Cache::new(64);
        let (long_text, long_token) = (vec![b'a'; MAX_TEXT + 1], vec![b't'; TEXT_TOKEN + 1]);
        for _ in 0..2 {
            assert_eq!(cache.text(0, &long_text, |out| out.extend(b"token")), b"token");
            assert_eq!(cache.text(0, b"short", |out| out.extend(&long_token)), long_token);
            assert_eq!(cache.ip(0, 1, |out| out.extend(&long_token)), long_token);
            assert_eq!(cache.ip(0, 2, |_| {}), b"");
        }
        assert_eq!(cache.text(0, &long_text[1..], |out| out.extend(&long_token[1..])), &long_token[1..]);
        assert_eq!(cache.text(0, &long_text[1..], |_| panic!("it is known")), &long_token[1..]);
    }

    #[test]
    fn the_token_of_a_prefix_or_of_another_treatment_is_another_one() {
        let mut cache = Cache::new(64);
        for (treatment, text) in [(0, "ab"), (0, "abc"), (0, "ab\0"), (0, ""), (1, "ab"), (256, "ab")] {
            let token = format!("{treatment}{text}");
            assert_eq!(cache.text(treatment, text.as_bytes(), |out| out.extend(token.bytes())), token.as_bytes());
            assert_eq!(cache.text(treatment, text.as_bytes(), |_| panic!("it is known")), token.as_bytes());
        }
    }

    proptest! {
        /// Small tables, few values, many operations: every set overflows, and tags collide.
        #[test]
        fn it_always_gives_what_a_map_gives(
            entries in 1usize..64,
            operations in prop::collection::vec((0u16..3, 0u128..200, any::<bool>()), 0..2000),
        ) {
            let mut cache = Cache::new(entries);
            let mut model: HashMap<(u16, u128, bool), Vec<u8>> = HashMap::new();
            for (treatment, value, as_text) in operations {
                let expected = model.entry((treatment, value, as_text)).or_insert_with(|| made(treatment, value)).clone();
                let make = |out: &mut Vec<u8>| out.extend(&expected);
                let token = match as_text {
                    true => cache.text(treatment, &value.to_string().into_bytes(), make),
                    false => cache.ip(treatment, value, make),
                };
                prop_assert_eq!(token, &expected[..]);
            }
            prop_assert!(cache.ips.slots.len() <= entries.next_power_of_two().max(WAYS));
        }

        #[test]
        fn the_tag_comparison_misses_no_way(tags: u64, tag in 1u8..) {
            let candidates = Set { tags, ..Set::default() }.candidates(tag);
            for way in 0..WAYS {
                let same = (tags >> (8 * way)) as u8 == tag;
                prop_assert!(!same || candidates >> (8 * way + 7) & 1 == 1);
            }
        }
    }
}
