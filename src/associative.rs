//! A table of bounded size for what has been worked out before: set-associative, so that no input makes a look-up long.
//!
//! What is looked up comes from outside. So a hash (which the caller seeds) is never trusted without comparing, eight ways
//! are all that a look-up ever sees, and the size is fixed. New entries come in as "not used again", and those are evicted
//! first: a scan of values that come once pushes out other such values, not the working set. A little ageing lets a new
//! working set in.

use std::hash::{BuildHasher, RandomState};

const WAYS: usize = 8;
/// Every so many evictions from a set, one of its entries counts as not used again.
const AGEING: u8 = 16;

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

    #[inline]
    fn tag(&self, way: usize) -> u8 {
        (self.tags >> (8 * way)) as u8
    }

    /// The way for a new entry: an empty one, or the one to do without.
    fn make_room(&mut self) -> usize {
        if let Some(empty) = (0..WAYS).find(|way| self.tag(*way) == 0) {
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

/// Slots that hold key and value both. Nothing is allocated before the first entry.
pub struct Table<S> {
    /// Sets, a power of two.
    size: usize,
    sets: Vec<Set>,
    slots: Vec<S>,
}

impl<S: Clone> Table<S> {
    /// A table of up to `entries`, rounded up to a power of two, at least 8.
    pub fn new(entries: usize) -> Table<S> {
        Table { size: entries.div_ceil(WAYS).next_power_of_two(), sets: Vec::new(), slots: Vec::new() }
    }

    /// Forgets everything, and gives the memory back.
    pub fn clear(&mut self) {
        (self.sets, self.slots) = Default::default();
    }

    #[cfg(test)]
    pub fn slots(&self) -> usize {
        self.slots.len()
    }

    /// Set and tag. With some seeds the hashes of numbers in a row are in a row, too; so they are mixed once more.
    #[inline]
    fn place(&self, hash: u64) -> (usize, u8) {
        let mixed = (hash ^ hash >> 32).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        ((mixed >> 24) as usize & (self.size - 1), ((mixed >> 56) as u8).max(1))
    }

    /// The index of the slot that `is` the one asked for, among those that this hash may be in.
    #[inline(always)]
    pub fn find(&mut self, hash: u64, is: impl Fn(&S) -> bool) -> Option<usize> {
        let (set_at, tag) = self.place(hash);
        let set = self.sets.get_mut(set_at)?;
        let mut candidates = set.candidates(tag);
        while candidates != 0 {
            let way = candidates.trailing_zeros() as usize / 8;
            candidates &= candidates - 1;
            // An empty way may seem to have the tag, too. Its slot holds a copy of another entry, as true as that one.
            if is(&self.slots[set_at * WAYS + way]) {
                set.used |= 1 << way;
                return Some(set_at * WAYS + way);
            }
        }
        None
    }

    /// A slot that [`Table::find`] gave.
    #[inline]
    pub fn slot(&self, index: usize) -> &S {
        &self.slots[index]
    }

    /// Enters what is not there yet.
    pub fn insert(&mut self, hash: u64, slot: S) {
        if self.sets.is_empty() {
            self.sets = vec![Set::default(); self.size];
            self.slots = vec![slot.clone(); self.size * WAYS];
        }
        let (set_at, tag) = self.place(hash);
        let set = &mut self.sets[set_at];
        let way = set.make_room();
        set.tags = set.tags & !(0xff << (8 * way)) | u64::from(tag) << (8 * way);
        self.slots[set_at * WAYS + way] = slot;
    }
}

/// A hash of short byte strings that nobody outside can foresee.
#[derive(Clone)]
pub struct Seed([u64; 3]);

impl Default for Seed {
    fn default() -> Seed {
        let state = RandomState::new();
        Seed([0, 1, 2].map(|index| state.hash_one(index)))
    }
}

impl Seed {
    /// Of the first 16 and the last 32 of some bytes, and of what else tells them apart, their length say. What differs
    /// elsewhere only has the same hash, and has to do with the ways of one set.
    #[inline]
    pub fn hash(&self, bytes: &[u8], besides: u64) -> u64 {
        let [s0, s1, s2] = self.0;
        match (bytes.first_chunk::<16>(), bytes.last_chunk::<16>()) {
            (Some(first), Some(last)) => {
                let ((a, b), (c, d)) = (halves(first), halves(last));
                let hash = fold(a ^ c.rotate_left(31) ^ s0, b ^ d.rotate_left(29) ^ s1 ^ besides);
                match bytes[..bytes.len() - 16].last_chunk::<16>() {
                    Some(block) => {
                        let (e, f) = halves(block);
                        fold(e ^ hash, f ^ s2)
                    }
                    None => hash,
                }
            }
            _ => {
                let (a, b) = match (bytes.first_chunk(), bytes.last_chunk()) {
                    (Some(first), Some(last)) => (u64::from_le_bytes(*first), u64::from_le_bytes(*last)),
                    _ => match (bytes.first_chunk(), bytes.last_chunk()) {
                        (Some(first), Some(last)) => {
                            (u32::from_le_bytes(*first).into(), u32::from_le_bytes(*last).into())
                        }
                        _ => (bytes.iter().fold(0, |all, byte| all << 8 | u64::from(*byte)), 0),
                    },
                };
                fold(a ^ s0, b ^ s1 ^ besides)
            }
        }
    }

    #[inline]
    pub fn hash_number(&self, number: u128, besides: u64) -> u64 {
        fold(number as u64 ^ self.0[0], (number >> 64) as u64 ^ self.0[1] ^ besides)
    }
}

#[inline]
fn halves(block: &[u8; 16]) -> (u64, u64) {
    let block = u128::from_le_bytes(*block);
    (block as u64, (block >> 64) as u64)
}

#[inline]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

/// Equality of short byte strings, without a call.
#[inline]
pub fn same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    match ends::<32>(a, b) {
        Some(same) if a.len() <= 64 => same,
        Some(same) => same && a == b,
        None => ends::<16>(a, b).unwrap_or_else(|| same_short(a, b)),
    }
}

/// Whether the first and the last `N` bytes are the same: those are all if there are no more than twice as many.
#[inline]
fn ends<const N: usize>(a: &[u8], b: &[u8]) -> Option<bool> {
    Some(a.first_chunk::<N>()? == b.first_chunk::<N>()? && a.last_chunk::<N>()? == b.last_chunk::<N>()?)
}

/// Of equal length below 16.
#[inline]
fn same_short(a: &[u8], b: &[u8]) -> bool {
    ends::<8>(a, b).or_else(|| ends::<4>(a, b)).unwrap_or_else(|| a.iter().zip(b).all(|(a, b)| a == b))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

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

    #[test]
    fn every_byte_at_either_end_and_what_is_said_besides_changes_the_hash() {
        let seed = Seed::default();
        for len in 0..70 {
            let text: Vec<u8> = (0..len).collect();
            let hash = seed.hash(&text, 0);
            assert_eq!(hash, seed.hash(&text, 0));
            assert_ne!(hash, seed.hash(&text, 1));
            assert_ne!(hash, Seed::default().hash(&text, 0), "another seed");
            for index in (0..text.len()).filter(|index| *index < 16 || *index + 32 >= text.len()) {
                let mut changed = text.clone();
                changed[index] ^= 1;
                assert_ne!(hash, seed.hash(&changed, 0), "{index} of {len}");
            }
        }
    }

    #[test]
    fn what_is_looked_up_spreads_over_tags_and_sets() {
        let (seed, table) = (Seed::default(), Table::<()>::new(256 * WAYS));
        let mut sets = [0; 256];
        let mut tags = [0; 256];
        for number in 0..25_600u32 {
            let hash = seed.hash(format!("10.0.{}.{}", number >> 8, number & 255).as_bytes(), 0);
            let (set, tag) = table.place(hash);
            sets[set] += 1;
            tags[usize::from(tag)] += 1;
        }
        // Tag 0 is that of an empty way.
        for count in sets.into_iter().chain(tags.into_iter().skip(2)) {
            assert!((40..=180).contains(&count), "{count} where 100 are to be expected");
        }
    }

    #[test]
    fn numbers_in_a_row_spread_whatever_the_seed() {
        let table = Table::<()>::new(128 * WAYS);
        for _ in 0..300 {
            let seed = Seed::default();
            let mut sets = [0; 128];
            (5_000..5_250).for_each(|number| sets[table.place(seed.hash_number(number, 0)).0] += 1);
            assert!(sets.iter().all(|count| *count <= 16), "{sets:?} where 2 are to be expected");
        }
    }

    #[test]
    fn an_empty_way_whose_tag_seems_the_same_holds_nothing_but_what_was_entered() {
        let mut table: Table<u32> = Table::new(1);
        table.insert(0, 5);
        assert!(table.sets[0].candidates(1).count_ones() > 1, "an empty way seems to have tag 1");
        assert_eq!(table.find(0, |_| true), Some(0));
        assert_eq!(table.find(0, |slot| *slot != 5), None);
    }

    proptest! {
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
