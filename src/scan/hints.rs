//! Whether a text has a byte by which the context may name something: a key's `=` or `:`, `<`, `\`, `@`.

/// Whether one of `=`, `<`, `\`, `@`, or a `:` behind a letter or quote, stands in `buf[start..end]`. Never false where one
/// does; it may be true for bytes behind `end`.
#[inline]
pub fn any(buf: &[u8], start: usize, end: usize) -> bool {
    // SAFETY: SSE2 is part of x86-64.
    #[cfg(target_arch = "x86_64")]
    return unsafe { sse2(buf, start, end) };
    #[cfg(not(target_arch = "x86_64"))]
    portable(buf, start, end, start)
}

/// Sixteen bytes at a time. As SSE2 is part of x86-64, this inlines into any caller and needs no dispatch.
#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "sse2")]
fn sse2(buf: &[u8], start: usize, end: usize) -> bool {
    use std::arch::x86_64::{
        __m128i, _mm_and_si128, _mm_cmpeq_epi8, _mm_cmpgt_epi8, _mm_loadu_si128, _mm_movemask_epi8, _mm_or_si128,
        _mm_set1_epi8,
    };
    let is = |bytes, byte: u8| _mm_cmpeq_epi8(bytes, _mm_set1_epi8(byte as i8));
    let mut at = start;
    while at < end {
        if at == 0 || at + 16 > buf.len() {
            if portable(buf, at, end.min(at + 1), start) {
                return true;
            }
            at += 1;
            continue;
        }
        // SAFETY: 1 <= at and at + 16 <= buf.len(), checked above; the loads may be unaligned.
        let (here, before) = unsafe {
            let here = buf.as_ptr().add(at);
            (_mm_loadu_si128(here.cast::<__m128i>()), _mm_loadu_si128(here.sub(1).cast::<__m128i>()))
        };
        let marks =
            _mm_or_si128(_mm_or_si128(is(here, b'='), is(here, b'<')), _mm_or_si128(is(here, b'\\'), is(here, b'@')));
        // Bytes above `?` are letters and little else; those above 0x7f are negative and are not meant.
        let letter = _mm_cmpgt_epi8(before, _mm_set1_epi8(b'?' as i8));
        let leads = _mm_or_si128(letter, _mm_or_si128(is(before, b'"'), is(before, b'\'')));
        let spaced = _mm_or_si128(leads, is(before, b' '));
        let hits = _mm_or_si128(marks, _mm_and_si128(is(here, b':'), spaced));
        if _mm_movemask_epi8(hits) != 0 {
            return true;
        }
        at += 16;
    }
    false
}

/// The twin: the same for `buf[at..end]` of a text that begins at `start`, a byte at a time.
fn portable(buf: &[u8], at: usize, end: usize, start: usize) -> bool {
    (at..end).any(|at| match buf[at] {
        b'=' | b'<' | b'\\' | b'@' => true,
        b':' => at > start && matches!(buf[at - 1], b'@'..=b'\x7f' | b'"' | b'\'' | b' '),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_is_never_missed_whatever_its_place() {
        for hint in ["=", "<", "\\", "@", "t:", "\":", "Z:", " :"] {
            for before in 0..40 {
                for after in [0, 1, 15, 16, 40] {
                    let buf = [vec![b'-'; before], hint.as_bytes().to_vec(), vec![b'-'; after]].concat();
                    assert!(any(&buf, 0, before + hint.len()), "{hint} behind {before}, {after} follow");
                    assert!(portable(&buf, 0, before + hint.len(), 0));
                }
            }
        }
    }

    #[test]
    fn times_and_plain_words_are_passed_over() {
        let text = b"12:34:56 nothing to see here, 1:2 of (3) and some more words to fill two vectors at least.....";
        assert!(!any(text, 0, text.len()));
        assert!(!any(text, 3, 20));
    }

    #[test]
    fn the_vector_routine_finds_all_that_the_portable_one_finds() {
        let mut state = 3_u64;
        for _ in 0..5_000 {
            let buf: Vec<u8> = (0..60)
                .map(|_| {
                    state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                    b"0123456789------......:aZ\"\xc3="[(state >> 40) as usize % 28]
                })
                .collect();
            let (start, end) = ((state >> 30) as usize % 20, 20 + (state >> 50) as usize % 40);
            assert!(any(&buf, start, end) || !portable(&buf, start, end, start));
        }
    }
}
