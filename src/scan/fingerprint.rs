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
    #[cfg(target_arch = "x86_64")]
    return if is_x86_feature_detected!("avx2") {
        // SAFETY: AVX2 is there, as has just been asked.
        unsafe { avx2(buf, start, end, names) }
    } else {
        // SAFETY: SSE2 is part of x86-64.
        unsafe { sse2(buf, start, end, names) }
    };
    #[cfg(not(target_arch = "x86_64"))]
    portable(buf, start, end, names)
}

/// Thirty-two bytes at a time.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn avx2(buf: &[u8], start: usize, end: usize, names: &[Fingerprint]) -> bool {
    use std::arch::x86_64::{
        __m256i, _mm256_and_si256, _mm256_cmpeq_epi8, _mm256_loadu_si256, _mm256_or_si256, _mm256_set1_epi8,
        _mm256_setzero_si256, _mm256_testz_si256,
    };
    let reach = names.iter().map(|name| name.reach()).max().unwrap_or(0);
    let bits = _mm256_set1_epi8(0x20);
    let mut at = start;
    while at < end {
        if at + reach + 32 > buf.len() {
            return portable(buf, at, end, names);
        }
        let mut hits = _mm256_setzero_si256();
        for name in names {
            let matches = |offset: u8, byte: u8| {
                // SAFETY: at + offset + 32 <= at + reach + 32 <= buf.len(), checked above; the load may be unaligned.
                let bytes = unsafe { _mm256_loadu_si256(buf.as_ptr().add(at + usize::from(offset)).cast::<__m256i>()) };
                _mm256_cmpeq_epi8(_mm256_or_si256(bytes, bits), _mm256_set1_epi8(byte as i8))
            };
            let both = _mm256_and_si256(matches(name.first_at, name.first), matches(name.second_at, name.second));
            hits = _mm256_or_si256(hits, both);
        }
        if _mm256_testz_si256(hits, hits) == 0 {
            return true;
        }
        at += 32;
    }
    false
}

/// Sixteen bytes at a time.
#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "sse2")]
fn sse2(buf: &[u8], start: usize, end: usize, names: &[Fingerprint]) -> bool {
    use std::arch::x86_64::{
        __m128i, _mm_and_si128, _mm_cmpeq_epi8, _mm_loadu_si128, _mm_movemask_epi8, _mm_or_si128, _mm_set1_epi8,
        _mm_setzero_si128,
    };
    let reach = names.iter().map(|name| name.reach()).max().unwrap_or(0);
    let bits = _mm_set1_epi8(0x20);
    let mut at = start;
    while at < end {
        if at + reach + 16 > buf.len() {
            return portable(buf, at, end, names);
        }
        let mut hits = _mm_setzero_si128();
        for name in names {
            let matches = |offset: u8, byte: u8| {
                // SAFETY: at + offset + 16 <= at + reach + 16 <= buf.len(), checked above; the load may be unaligned.
                let bytes = unsafe { _mm_loadu_si128(buf.as_ptr().add(at + usize::from(offset)).cast::<__m128i>()) };
                _mm_cmpeq_epi8(_mm_or_si128(bytes, bits), _mm_set1_epi8(byte as i8))
            };
            let both = _mm_and_si128(matches(name.first_at, name.first), matches(name.second_at, name.second));
            hits = _mm_or_si128(hits, both);
        }
        if _mm_movemask_epi8(hits) != 0 {
            return true;
        }
        at += 16;
    }
    false
}

/// The twin: the same, a byte at a time, and exact about the end.
fn portable(buf: &[u8], start: usize, end: usize, names: &[Fingerprint]) -> bool {
    let has =
        |at: usize, offset: u8, byte: u8| buf[..end].get(at + usize::from(offset)).is_some_and(|&b| fold(b) == byte);
    (start..end)
        .any(|at| names.iter().any(|name| has(at, name.first_at, name.first) && has(at, name.second_at, name.second)))
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
                    assert!(portable(&buf, 0, before + text.len(), &names[name..=name]));
                    #[cfg(target_arch = "x86_64")]
                    // SAFETY: SSE2 is part of x86-64.
                    assert!(unsafe { sse2(&buf, 0, before + text.len(), &names) });
                }
            }
        }
    }

    #[test]
    fn the_vector_routine_finds_all_that_the_portable_one_finds() {
        let names = [Fingerprint::of(b"ab"), Fingerprint::of(b"c1d")];
        let mut state = 7_u64;
        let mut found = 0;
        for _ in 0..5_000 {
            let buf: Vec<u8> = (0..50)
                .map(|_| {
                    state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                    b"aBcDd1----------"[(state >> 60) as usize]
                })
                .collect();
            let (start, end) = ((state >> 30) as usize % 20, 20 + (state >> 40) as usize % 30);
            let twin = portable(&buf, start, end, &names);
            found += usize::from(twin);
            assert!(any(&buf, start, end, &names) || !twin);
        }
        assert!((100..4_900).contains(&found), "{found}");
    }

    #[test]
    fn a_text_without_the_bytes_is_passed_over() {
        let buf = [b'-'; 200];
        assert!(!any(&buf, 3, 120, &[Fingerprint::of(b"web-1"), Fingerprint::of(b"x")]));
        assert!(!any(&buf, 3, 120, &[]));
    }
}
