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
const AGEING: u8 = 4;

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
        set.used &= !(1 << way);
        let slot = &mut self.slots[set_at * WAYS + way];
        slot.key = key;
        slot.treatment = treatment;
        slot.len = token.len() as u8;
        slot.token[..token.len()].copy_from_slice(token);
    }
}
