//! Whether one of a few short names may stand in a text: two bytes of each at their distance, compared a vector at a time.

/// Two bytes of a name and where they stand in it, folded as `fold` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    first: u8,
    second: u8,
    first_at: u8,
    second_at: u8,
}

/// ASCII letters to lower case; other bytes anyhow, but always the same: good for comparing folded with folded.
const fn fold(b: u8) -> u8 {
    b | 0x20
}

impl Fingerprint {
    /// Of a name's first 255 bytes, the two that are rarest in log texts. A name of one byte has it twice.
    pub fn of(name: &[u8]) -> Fingerprint {
        let name = &name[..name.len().min(255)];
        let rarest = |not: usize| (0..name.len()).filter(|&at| at != not).min_by_key(|&at| commonness(name[at]));
        let first_at = rarest(usize::MAX).unwrap_or(0);
        let second_at = rarest(first_at).unwrap_or(first_at);
        let byte = |at: usize| name.get(at).copied().map_or(0, fold);
        let (first, second) = (byte(first_at), byte(second_at));
        Fingerprint { first, second, first_at: first_at as u8, second_at: second_at as u8 }
    }

    fn reach(self) -> usize {
        usize::from(self.first_at.max(self.second_at))
    }
}

/// A rough order of how often a byte stands in log texts.
fn commonness(b: u8) -> u8 {
    match fold(b) {
        b'q' | b'x' | b'z' | b'j' => 0,
        b'k' | b'v' | b'w' | b'y' => 1,
        b'3'..=b'9' => 2,
        b'b' | b'f' | b'g' | b'h' | b'm' | b'u' => 3,
        b'0'..=b'2' | b'-' | b'_' => 4,
        b'c' | b'd' | b'l' | b'p' => 5,
        _ => 6,
    }
}

/// Whether the fingerprint of one of the names stands in `buf[start..end]`. Never false where one does; it may be true for
/// bytes behind `end`.
#[inline]
pub fn any(buf: &[u8], start: usize, end: usize, names: &[Fingerprint]) -> bool {
    names.iter().any(|name| search(buf, start, end, *name, &mut |_| true))
}

/// Shows the places in `buf[start..end]` at which a name may begin, in order: never too few.
pub fn each(buf: &[u8], start: usize, end: usize, name: Fingerprint, show: &mut dyn FnMut(usize)) {
    search(buf, start, end, name, &mut |at| {
        show(at);
        false
    });
}

/// Calls `found` for the places at which a name may begin until it says so; whether it did. It may also be called for places
/// behind `end`, by fewer bytes than a vector has.
#[inline(always)]
fn search(buf: &[u8], start: usize, end: usize, name: Fingerprint, found: &mut impl FnMut(usize) -> bool) -> bool {
    #[cfg(target_arch = "x86_64")]
    return if is_x86_feature_detected!("avx2") {
        // SAFETY: AVX2 is there, as has just been asked.
        unsafe { avx2(buf, start, end, name, found) }
    } else {
        // SAFETY: SSE2 is part of x86-64.
        unsafe { sse2(buf, start, end, name, found) }
    };
    #[cfg(not(target_arch = "x86_64"))]
    portable(buf, start, end, name, found)
}

/// Thirty-two bytes at a time.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn avx2(buf: &[u8], start: usize, end: usize, name: Fingerprint, found: &mut impl FnMut(usize) -> bool) -> bool {
    use std::arch::x86_64::{
        __m256i, _mm256_and_si256, _mm256_cmpeq_epi8, _mm256_loadu_si256, _mm256_movemask_epi8, _mm256_or_si256,
        _mm256_set1_epi8,
    };
    let bits = _mm256_set1_epi8(0x20);
    let (first, second) = (_mm256_set1_epi8(name.first as i8), _mm256_set1_epi8(name.second as i8));
    let reach = name.reach() + 32;
    let mut at = start;
    while at < end {
        if at + reach > buf.len() {
            return portable(buf, at, end, name, found);
        }
        let matches = |offset: u8, byte: __m256i| {
            // SAFETY: at + offset + 32 <= at + reach <= buf.len(), checked above; the load may be unaligned.
            let bytes = unsafe { _mm256_loadu_si256(buf.as_ptr().add(at + usize::from(offset)).cast::<__m256i>()) };
            _mm256_cmpeq_epi8(_mm256_or_si256(bytes, bits), byte)
        };
        let both = _mm256_and_si256(matches(name.first_at, first), matches(name.second_at, second));
        if show(_mm256_movemask_epi8(both) as u32, at, found) {
            return true;
        }
        at += 32;
    }
    false
}

/// Sixteen bytes at a time.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "sse2")]
fn sse2(buf: &[u8], start: usize, end: usize, name: Fingerprint, found: &mut impl FnMut(usize) -> bool) -> bool {
    use std::arch::x86_64::{
        __m128i, _mm_and_si128, _mm_cmpeq_epi8, _mm_loadu_si128, _mm_movemask_epi8, _mm_or_si128, _mm_set1_epi8,
    };
    let bits = _mm_set1_epi8(0x20);
    let (first, second) = (_mm_set1_epi8(name.first as i8), _mm_set1_epi8(name.second as i8));
    let reach = name.reach() + 16;
    let mut at = start;
    while at < end {
        if at + reach > buf.len() {
            return portable(buf, at, end, name, found);
        }
        let matches = |offset: u8, byte: __m128i| {
            // SAFETY: at + offset + 16 <= at + reach <= buf.len(), checked above; the load may be unaligned.
            let bytes = unsafe { _mm_loadu_si128(buf.as_ptr().add(at + usize::from(offset)).cast::<__m128i>()) };
            _mm_cmpeq_epi8(_mm_or_si128(bytes, bits), byte)
        };
        let both = _mm_and_si128(matches(name.first_at, first), matches(name.second_at, second));
        if show(_mm_movemask_epi8(both) as u32, at, found) {
            return true;
        }
        at += 16;
    }
    false
}

/// Calls `found` for each bit, the lowest being `at`.
#[inline(always)]
fn show(mut bits: u32, at: usize, found: &mut impl FnMut(usize) -> bool) -> bool {
    while bits != 0 {
        if found(at + bits.trailing_zeros() as usize) {
            return true;
        }
        bits &= bits - 1;
    }
    false
}

/// The twin: the same, a byte at a time, and exact about the end.
fn portable(buf: &[u8], start: usize, end: usize, name: Fingerprint, found: &mut impl FnMut(usize) -> bool) -> bool {
    let has =
        |at: usize, offset: u8, byte: u8| buf[..end].get(at + usize::from(offset)).is_some_and(|&b| fold(b) == byte);
    (start..end).any(|at| has(at, name.first_at, name.first) && has(at, name.second_at, name.second) && found(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_never_missed_whatever_its_place_and_case() {
        let names: Vec<Fingerprint> =
            [&b"web-1"[..], b"DB", b"checkout-7f9c-with-a-rather-long-pod-name"].map(Fingerprint::of).into();
        for (name, text) in [(0, "WEB-1"), (1, "db"), (2, "Checkout-7F9c-With-A-Rather-Long-Pod-Name")] {
            for before in 0..70 {
                for after in [0, 1, 15, 16, 17, 64] {
                    let buf = [vec![b'.'; before], text.as_bytes().to_vec(), vec![b'.'; after]].concat();
                    assert!(any(&buf, 0, before + text.len(), &names), "{text} behind {before}, {after} follow");
                    let end = before + text.len();
                    assert!(portable(&buf, 0, end, names[name], &mut |at| at == before));
                    #[cfg(target_arch = "x86_64")]
                    // SAFETY: SSE2 is part of x86-64.
                    assert!(unsafe { sse2(&buf, 0, end, names[name], &mut |at| at == before) });
                }
            }
        }
    }

    #[test]
    fn the_vector_routines_find_what_the_portable_one_finds() {
        let names = [Fingerprint::of(b"ab"), Fingerprint::of(b"c1d")];
        let mut state = 7_u64;
        let mut seen = 0;
        for _ in 0..5_000 {
            let buf: Vec<u8> = (0..90)
                .map(|_| {
                    state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                    b"aBcDd1----------"[(state >> 60) as usize]
                })
                .collect();
            let (start, end) = ((state >> 30) as usize % 20, 20 + (state >> 40) as usize % 70);
            for name in names {
                // A vector may reach behind the end.
                let within = |mut found: Vec<usize>| {
                    found.retain(|at| at + name.reach() < end);
                    found
                };
                let (mut vectors, mut twin) = (Vec::new(), Vec::new());
                each(&buf, start, end, name, &mut |at| vectors.push(at));
                portable(&buf, start, end, name, &mut |at| {
                    twin.push(at);
                    false
                });
                seen += twin.len();
                assert!(any(&buf, start, end, &[name]) || twin.is_empty());
                assert_eq!(within(vectors), twin);
                #[cfg(target_arch = "x86_64")]
                {
                    let mut narrow = Vec::new();
                    // SAFETY: SSE2 is part of x86-64.
                    unsafe {
                        sse2(&buf, start, end, name, &mut |at| {
                            narrow.push(at);
                            false
                        })
                    };
                    assert_eq!(within(narrow), twin);
                }
            }
        }
        assert!(seen > 1_000, "{seen}");
    }

    #[test]
    fn a_text_without_the_bytes_is_passed_over() {
        let buf = [b'-'; 200];
        assert!(!any(&buf, 3, 120, &[Fingerprint::of(b"web-1"), Fingerprint::of(b"x")]));
        assert!(!any(&buf, 3, 120, &[]));
    }
}
