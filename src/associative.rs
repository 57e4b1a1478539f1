//! A table of bounded size for what has been worked out before: set-associative, so that no input makes a look-up long.
//!
//! What is looked up comes from outside. So a hash (which the caller seeds) is never trusted without comparing, eight ways
//! are all that a look-up ever sees, and the size is fixed. New entries come in as "not used again", and those are evicted
//! first: a scan of values that come once pushes out other such values, not the working set. A little ageing lets a new
//! working set in.

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

    #[inline]
    fn place(&self, hash: u64) -> (usize, u8) {
        ((hash >> 8) as usize & (self.size - 1), (hash as u8).max(1))
    }

    /// The index of the slot that `is` the one asked for, among those that this hash may be in.
    #[inline]
    pub fn find(&mut self, hash: u64, is: impl Fn(&S) -> bool) -> Option<usize> {
        let (set_at, tag) = self.place(hash);
        let set = self.sets.get_mut(set_at)?;
        let mut candidates = set.candidates(tag);
        while candidates != 0 {
            let way = candidates.trailing_zeros() as usize / 8;
            candidates &= candidates - 1;
            if set.tag(way) == tag && is(&self.slots[set_at * WAYS + way]) {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_empty_way_is_no_entry_even_where_its_tag_seems_the_same() {
        let mut table: Table<u32> = Table::new(1);
        table.insert(1, 5);
        assert!(table.sets[0].candidates(1).count_ones() > 1, "an empty way seems to have tag 1");
        assert_eq!(table.find(1, |_| true), Some(0));
        assert_eq!(table.find(1, |slot| *slot != 5), None);
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
