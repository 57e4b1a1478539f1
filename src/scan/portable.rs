//! The scanner without vectors: eight bytes at a time in a register, for machines without AVX2.

use super::{LEAD, LEAD_BITS, Masks, Scanner, WINDOW};

/// Classifies bytes on any machine.
#[derive(Clone, Copy)]
pub struct Portable;

impl Scanner for Portable {
    #[inline]
    fn masks(self, buf: &[u8], at: usize, len: usize) -> Masks {
        assert!(len <= WINDOW);
        let mut masks = Masks::default();
        for (index, chunk) in buf[at..at + len].chunks(8).enumerate() {
            let mut eight = [0; 8];
            eight[..chunk.len()].copy_from_slice(chunk);
            let part = classify(u64::from_le_bytes(eight));
            let shift = 8 * index;
            masks.word |= part.word << shift;
            masks.dot |= part.dot << shift;
            masks.digit |= part.digit << shift;
            masks.hex |= part.hex << shift;
            masks.colon |= part.colon << shift;
            masks.at |= part.at << shift;
            masks.percent |= part.percent << shift;
            masks.high |= part.high << shift;
            masks.lead |= part.lead << shift;
            masks.brace |= part.brace << shift;
        }
        masks
    }
}

const ONES: u64 = 0x0101_0101_0101_0101;
const TOPS: u64 = 0x8080_8080_8080_8080;

/// Eight bytes to eight bits a class. A NUL, with which a short chunk is filled, is in no class.
#[inline(always)]
fn classify(bytes: u64) -> Masks {
    let high = bytes & TOPS;
    let ascii = bytes & !TOPS;
    let lower = ascii | (ONES * 0x20);
    let letter = between(lower, b'a', b'z') & !high;
    let digit = between(ascii, b'0', b'9') & !high;
    let hex_letter = between(lower, b'a', b'f') & !high;
    let is = |byte| between(ascii, byte, byte) & !high;
    Masks {
        word: gather(letter | digit | is(b'-') | is(b'_') | high),
        dot: gather(is(b'.')),
        digit: gather(digit),
        hex: gather(digit | hex_letter),
        colon: gather(is(b':')),
        at: gather(is(b'@')),
        percent: gather(is(b'%')),
        high: gather(high),
        lead: gather(between(ascii & (ONES * u64::from(LEAD_BITS)), LEAD, LEAD) & !high),
        brace: gather(is(b'{')),
    }
}

/// The top bit of each byte that lies in `first..=last`; all bytes below 0x80, so no carry leaves its byte.
#[inline(always)]
fn between(bytes: u64, first: u8, last: u8) -> u64 {
    let at_least_first = bytes + ONES * u64::from(0x80 - first);
    let past_last = bytes + ONES * u64::from(0x7f - last);
    at_least_first & !past_last & TOPS
}

/// The eight top bits, put together in the lowest byte.
#[inline(always)]
fn gather(tops: u64) -> u64 {
    (tops >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
}
