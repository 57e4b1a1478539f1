//! What a worker has already made: (treatment, value) → token, bounded.

use crate::associative::{Seed, Table, same};

/// The longest text that is remembered, in bytes.
pub const MAX_TEXT: usize = 64;
const IP_TOKEN: usize = 45;
const TEXT_TOKEN: usize = 124;

/// A bounded memory of tokens. Not shared between workers.
///
/// With the default of 16,384 entries a cache takes 1 MiB for addresses once the first address comes, and 3 MiB for texts
/// once the first text comes; an idle one takes nothing.
pub struct Cache {
    ips: Table<Slot<u128, IP_TOKEN>>,
    texts: Table<Slot<Text, TEXT_TOKEN>>,
    seed: Seed,
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
        Cache { ips: Table::new(entries), texts: Table::new(entries), seed: Seed::default(), scratch: Vec::new() }
    }

    /// The token of an address, made by `make` if it is not known.
    #[inline(always)]
    pub fn ip(&mut self, treatment: u16, address: u128, make: impl FnOnce(&mut Vec<u8>)) -> &[u8] {
        let hash = self.seed.hash_number(address, treatment.into());
        match self.ips.find(hash, |slot| slot.treatment == treatment && slot.key == address) {
            Some(found) => self.ips.slot(found).token(),
            None => self.make_ip(hash, treatment, address, make),
        }
    }

    /// The token of a text, made by `make` if it is not known.
    #[inline(always)]
    pub fn text(&mut self, treatment: u16, text: &[u8], make: impl FnOnce(&mut Vec<u8>)) -> &[u8] {
        if text.len() > MAX_TEXT {
            self.scratch.clear();
            make(&mut self.scratch);
            return &self.scratch;
        }
        let hash = self.seed.hash(text, u64::from(treatment) << 8 | text.len() as u64);
        match self.texts.find(hash, |slot| slot.treatment == treatment && slot.key.is(text)) {
            Some(found) => self.texts.slot(found).token(),
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
        if (1..=IP_TOKEN).contains(&self.scratch.len()) {
            self.ips.insert(hash, Slot::new(address, treatment, &self.scratch));
        }
        &self.scratch
    }

    #[cold]
    #[inline(never)]
    fn make_text(&mut self, hash: u64, treatment: u16, text: &[u8], make: impl FnOnce(&mut Vec<u8>)) -> &[u8] {
        self.scratch.clear();
        make(&mut self.scratch);
        if (1..=TEXT_TOKEN).contains(&self.scratch.len()) {
            self.texts.insert(hash, Slot::new(Text::new(text), treatment, &self.scratch));
        }
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

    #[inline]
    fn is(&self, asked: &[u8]) -> bool {
        same(&self.bytes[..usize::from(self.len)], asked)
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

impl<K, const N: usize> Slot<K, N> {
    fn new(key: K, treatment: u16, token: &[u8]) -> Slot<K, N> {
        let mut slot = Slot { key, treatment, len: token.len() as u8, token: [0; N] };
        slot.token[..token.len()].copy_from_slice(token);
        slot
    }

    fn token(&self) -> &[u8] {
        &self.token[..usize::from(self.len)]
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
        assert_eq!((cache.ips.slots(), cache.texts.slots()), (0, 0));
        misses(&mut cache, 0..100_000);
        assert_eq!((cache.ips.slots(), cache.texts.slots()), (1024, 0));
        assert_eq!(size_of::<Slot<u128, IP_TOKEN>>(), 64);
        assert_eq!(size_of::<Slot<Text, TEXT_TOKEN>>(), 192);
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
            prop_assert!(cache.ips.slots() <= entries.next_power_of_two().max(8));
        }
    }
}
