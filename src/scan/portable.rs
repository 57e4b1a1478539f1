//! The scanner without vectors: eight bytes at a time in a register, for machines without AVX2.

use super::{LEAD, LEAD_BITS, LEAST, Masks, Rare, Scanner, Search, Threes, WINDOW};

/// Classifies bytes on any machine.
#[derive(Clone, Copy)]
pub struct Portable;

impl Scanner for Portable {
    #[inline]
    fn masks(self, buf: &[u8], at: usize, len: usize) -> Masks {
        let mut masks = Masks::default();
        for (shift, eight) in eights(buf, at, len) {
            let part = classify(eight);
            masks.word |= part.word << shift;
            masks.dot |= part.dot << shift;
            masks.digit |= part.digit << shift;
            masks.colon |= part.colon << shift;
            masks.lead |= part.lead << shift;
            masks.mail |= part.mail << shift;
            masks.odd |= part.odd << shift;
        }
        masks
    }

    fn rare(self, buf: &[u8], at: usize, len: usize) -> Rare {
        let mut rare = Rare::default();
        for (shift, eight) in eights(buf, at, len) {
            let part = classify_rare(eight);
            rare.hex |= part.hex << shift;
            rare.at |= part.at << shift;
            rare.percent |= part.percent << shift;
            rare.high |= part.high << shift;
            rare.brace |= part.brace << shift;
        }
        rare
    }

    fn led(self, buf: &[u8], at: usize, threes: &Threes) -> u64 {
        let Some(window) = at.checked_sub(3).and_then(|from| buf.get(from..at + WINDOW)) else { return !0 };
        let ways = |place: usize, byte: u8| {
            threes.low[place][usize::from(byte & 0xf)] & threes.high[place][usize::from(byte >> 4)]
        };
        window.windows(4).enumerate().fold(0, |led, (i, four)| {
            let before = ways(0, four[0]) & ways(1, four[1]) & ways(2, four[2]);
            led | u64::from(before != 0 || !matches!(four[3], b'=' | b':')) << i
        })
    }

    fn quad(self, text: &[u8; 16], digits: [u32; 4]) -> Option<u32> {
        let mut at = 0;
        let mut quad = 0;
        for digits in digits {
            let digits = digits as usize;
            let number = text[at..at + digits].iter().fold(0, |number, byte| 10 * number + u32::from(byte & 0xf));
            if number > 255 || number < LEAST[digits - 1] {
                return None;
            }
            quad = quad << 8 | number;
            at += digits + 1;
        }
        Some(quad)
    }

    #[inline]
    fn apart<S: Search>(self, part: S) -> S::Output {
        part.run(self)
    }
}

/// A window's bytes, eight at a time, and the bit that stands for the first of them. The last are filled up with NUL, which
/// is in no class.
#[inline(always)]
fn eights(buf: &[u8], at: usize, len: usize) -> impl Iterator<Item = (usize, u64)> {
    assert!(len <= WINDOW);
    buf[at..at + len].chunks(8).enumerate().map(|(index, chunk)| {
        let mut eight = [0; 8];
        eight[..chunk.len()].copy_from_slice(chunk);
        (8 * index, u64::from_le_bytes(eight))
    })
}

const ONES: u64 = 0x0101_0101_0101_0101;
const TOPS: u64 = 0x8080_8080_8080_8080;

/// Eight bytes to eight bits a class.
#[inline(always)]
fn classify(bytes: u64) -> Masks {
    let high = bytes & TOPS;
    let ascii = bytes & !TOPS;
    let letter = between(ascii | (ONES * 0x20), b'a', b'z') & !high;
    let digit = between(ascii, b'0', b'9') & !high;
    let is = |byte| between(ascii, byte, byte) & !high;
    Masks {
        word: gather(letter | digit | is(b'-') | is(b'_') | high),
        dot: gather(is(b'.')),
        digit: gather(digit),
        colon: gather(is(b':')),
        lead: gather(between(ascii & (ONES * u64::from(LEAD_BITS)), LEAD, LEAD) & !high),
        mail: gather(is(b'@') | is(b'%')),
        odd: gather(is(b'{') | high),
    }
}

#[inline(always)]
fn classify_rare(bytes: u64) -> Rare {
    let high = bytes & TOPS;
    let ascii = bytes & !TOPS;
    let hex = between(ascii, b'0', b'9') | between(ascii | (ONES * 0x20), b'a', b'f');
    let is = |byte| gather(between(ascii, byte, byte) & !high);
    Rare { hex: gather(hex & !high), at: is(b'@'), percent: is(b'%'), high: gather(high), brace: is(b'{') }
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
