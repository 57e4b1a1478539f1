//! The scanner with 32-byte vectors.

use std::arch::x86_64::*;

use super::{LEAD, LEAD_BITS, LEAST, Masks, Rare, Scanner, Search, Threes, WINDOW, padded};

/// Proof that this machine has AVX2, BMI1, BMI2, LZCNT and POPCNT. Nothing but [`Avx2::new`] makes one.
#[derive(Clone, Copy, Debug)]
pub struct Avx2(());

impl Avx2 {
    pub(super) fn new() -> Option<Avx2> {
        let has_all = is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("bmi2")
            && is_x86_feature_detected!("lzcnt")
            && is_x86_feature_detected!("popcnt");
        has_all.then_some(Avx2(()))
    }

    #[inline]
    pub(super) fn run<S: Search>(self, search: S) -> S::Output {
        // SAFETY: `self` proves that the features are there.
        unsafe { run(self, search) }
    }
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
fn run<S: Search>(scanner: Avx2, search: S) -> S::Output {
    search.run(scanner)
}

impl Scanner for Avx2 {
    #[inline(always)]
    fn masks(self, buf: &[u8], at: usize, len: usize) -> Masks {
        // SAFETY: `self` proves that the features are there, and hence `vectors` reads what may be read.
        unsafe {
            let (low, high) = vectors(buf, at, len);
            let low = classify(low);
            match high {
                Some(high) => low.below(classify(high)),
                None => low,
            }
        }
    }

    #[inline(always)]
    fn rare(self, buf: &[u8], at: usize, len: usize) -> Rare {
        // SAFETY: as in `masks`.
        unsafe {
            let (low, high) = vectors(buf, at, len);
            let low = classify_rare(low);
            match high {
                Some(high) => low.below(classify_rare(high)),
                None => low,
            }
        }
    }

    #[inline(always)]
    fn led(self, buf: &[u8], at: usize, threes: &Threes) -> u64 {
        let Some(window) = at.checked_sub(3).and_then(|from| buf.get(from..at + WINDOW)) else { return !0 };
        // SAFETY: `self` proves that the features are there, and the window has 64 bytes and three.
        unsafe { led(window.as_ptr(), threes) | led(window.as_ptr().add(32), threes) << 32 }
    }

    #[inline(always)]
    fn quad(self, text: &[u8; 16], digits: [u32; 4]) -> Option<u32> {
        let shape = &QUADS[digits.iter().rev().fold(0, |index, digits| 3 * index + (digits - 1)) as usize];
        // SAFETY: `self` proves that the features are there; the text, both halves of the shape and the array of places are 16
        // bytes long.
        unsafe {
            let text = _mm_loadu_si128(text.as_ptr().cast());
            let digits = _mm_shuffle_epi8(text, _mm_loadu_si128(shape.places.as_ptr().cast()));
            let digits = _mm_and_si128(digits, _mm_set1_epi8(0xf));
            let tens = _mm_maddubs_epi16(digits, _mm_set1_epi32(i32::from_le_bytes([0, 100, 10, 1])));
            let numbers = _mm_madd_epi16(tens, _mm_set1_epi16(1));
            let too_little = _mm_cmpgt_epi32(_mm_loadu_si128(shape.least.as_ptr().cast()), numbers);
            let wrong = _mm_or_si128(too_little, _mm_cmpgt_epi32(numbers, _mm_set1_epi32(255)));
            let quad = _mm_shuffle_epi8(numbers, _mm_set1_epi32(i32::from_le_bytes([12, 8, 4, 0])));
            (_mm_testz_si128(wrong, wrong) == 1).then(|| _mm_cvtsi128_si32(quad) as u32)
        }
    }

    #[inline(always)]
    fn apart<S: Search>(self, part: S) -> S::Output {
        // SAFETY: `self` proves that the features are there.
        unsafe { apart(self, part) }
    }
}

/// [`Scanner::led`] of the 32 bytes that begin three behind `window`.
///
/// # Safety
/// The features of [`Avx2`] are there, and 35 bytes from `window` on may be read.
#[inline(always)]
unsafe fn led(window: *const u8, threes: &Threes) -> u64 {
    // SAFETY: as the caller promises; the tables are 16 bytes long.
    unsafe {
        let nibble = _mm256_set1_epi8(0x0f);
        let table = |table: &[u8; 16]| _mm256_broadcastsi128_si256(_mm_loadu_si128(table.as_ptr().cast()));
        let bytes = |behind: usize| _mm256_loadu_si256(window.add(behind).cast());
        let ways = |place: usize| {
            let bytes = bytes(place);
            let low = _mm256_shuffle_epi8(table(&threes.low[place]), _mm256_and_si256(bytes, nibble));
            let high = _mm256_and_si256(_mm256_srli_epi16::<4>(bytes), nibble);
            _mm256_and_si256(low, _mm256_shuffle_epi8(table(&threes.high[place]), high))
        };
        let none = _mm256_and_si256(_mm256_and_si256(ways(0), ways(1)), ways(2));
        let none = _mm256_cmpeq_epi8(none, _mm256_setzero_si256());
        let separators = _mm256_or_si256(is(bytes(3), b'='), is(bytes(3), b':'));
        mask(_mm256_and_si256(none, separators)) ^ 0xffff_ffff
    }
}

/// A dotted quad by how many digits its numbers have.
struct Quad {
    /// For each number four bytes: where its digits stand, the last one last.
    places: [u8; 16],
    /// What each must reach.
    least: [u32; 4],
}

/// By the digits of the first number less one, three times those of the second, and so on.
static QUADS: [Quad; 81] = {
    let mut quads = [const { Quad { places: [0x80; 16], least: [0; 4] } }; 81];
    let mut index = 0;
    while index < 81 {
        let mut rest = index;
        let (mut number, mut at) = (0, 0);
        while number < 4 {
            let digits = rest % 3 + 1;
            let mut digit = 0;
            while digit < digits {
                quads[index].places[4 * number + 4 - digits + digit] = (at + digit) as u8;
                digit += 1;
            }
            quads[index].least[number] = LEAST[digits - 1];
            at += digits + 1;
            rest /= 3;
            number += 1;
        }
        index += 1;
    }
    quads
};

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
#[inline(never)]
fn apart<S: Search>(scanner: Avx2, part: S) -> S::Output {
    part.run(scanner)
}

/// A window's bytes in one vector or two, with whatever stands behind them in the buffer.
///
/// # Safety
/// The features of [`Avx2`] are there.
#[inline(always)]
unsafe fn vectors(buf: &[u8], at: usize, len: usize) -> (__m256i, Option<__m256i>) {
    assert!(len <= WINDOW && at <= buf.len() && buf.len() - at >= len);
    let block: [u8; WINDOW];
    let window = if buf.len() - at >= WINDOW {
        buf[at..].as_ptr()
    } else {
        block = padded(&buf[at..at + len]);
        block.as_ptr()
    };
    // SAFETY: the features are there, and 64 bytes from `window` on lie in `buf` or in `block`.
    unsafe {
        let low = _mm256_loadu_si256(window.cast());
        (low, (len > 32).then(|| _mm256_loadu_si256(window.add(32).cast())))
    }
}

// One bit a class in the product of two nibble tables: a byte belongs where both its nibbles do. Letters need two bits,
// for their last column is shorter. What labels are made of comes first.
const LETTER_FIRST: u8 = 1 << 0; // rows 4 and 6: A–O, a–o
const LETTER_SECOND: u8 = 1 << 1; // rows 5 and 7: P–Z, p–z
const DIGIT: u8 = 1 << 2;
const DASH: u8 = 1 << 3;
const UNDERSCORE: u8 = 1 << 4;
const DOT: u8 = 1 << 5;
const COLON: u8 = 1 << 6;
const AT: u8 = 1 << 7;
const WORD: u8 = LETTER_FIRST | LETTER_SECOND | DIGIT | DASH | UNDERSCORE;

const BY_LOW_NIBBLE: [u8; 16] = {
    let mut table = [0; 16];
    let mut low = 0;
    while low < 16 {
        if low >= 1 {
            table[low] |= LETTER_FIRST;
        }
        if low <= 10 {
            table[low] |= LETTER_SECOND;
        }
        if low <= 9 {
            table[low] |= DIGIT;
        }
        low += 1;
    }
    table[0xD] |= DASH;
    table[0xF] |= UNDERSCORE;
    table[0xE] |= DOT;
    table[0xA] |= COLON;
    table[0x0] |= AT;
    table
};

const BY_HIGH_NIBBLE: [u8; 16] = {
    let mut table = [0; 16];
    table[2] = DOT | DASH;
    table[3] = DIGIT | COLON;
    table[4] = LETTER_FIRST | AT;
    table[5] = LETTER_SECOND | UNDERSCORE;
    table[6] = LETTER_FIRST;
    table[7] = LETTER_SECOND;
    table
};

/// Always inline, so that the masks stay in registers; hence without a target feature of its own.
///
/// # Safety
/// The features of [`Avx2`] are there.
#[inline(always)]
unsafe fn classify(bytes: __m256i) -> Masks {
    // SAFETY: as the caller promises; the tables are 16 bytes long.
    unsafe {
        let nibble = _mm256_set1_epi8(0x0f);
        let (by_low, by_high) =
            (_mm_loadu_si128(BY_LOW_NIBBLE.as_ptr().cast()), _mm_loadu_si128(BY_HIGH_NIBBLE.as_ptr().cast()));
        let (by_low, by_high) = (_mm256_broadcastsi128_si256(by_low), _mm256_broadcastsi128_si256(by_high));
        // A shuffle yields 0 where the index's top bit is set, so bytes above 0x7f are in no class but `odd` and `word`.
        let low = _mm256_shuffle_epi8(by_low, bytes);
        let high = _mm256_shuffle_epi8(by_high, _mm256_and_si256(_mm256_srli_epi16::<4>(bytes), nibble));
        let class = _mm256_and_si256(low, high);

        let ascii_word =
            _mm256_cmpgt_epi8(_mm256_and_si256(class, _mm256_set1_epi8(WORD as i8)), _mm256_setzero_si256());
        let lead = _mm256_and_si256(bytes, _mm256_set1_epi8(LEAD_BITS as i8));
        Masks {
            word: mask(_mm256_or_si256(ascii_word, bytes)),
            dot: mask(_mm256_slli_epi16::<2>(class)),
            digit: mask(_mm256_slli_epi16::<5>(class)),
            colon: mask(_mm256_slli_epi16::<1>(class)),
            lead: mask(_mm256_cmpeq_epi8(lead, _mm256_set1_epi8(LEAD as i8))),
            mail: mask(_mm256_or_si256(class, is(bytes, b'%'))),
            odd: mask(_mm256_or_si256(bytes, is(bytes, b'{'))),
        }
    }
}

/// # Safety
/// The features of [`Avx2`] are there.
#[inline(always)]
unsafe fn classify_rare(bytes: __m256i) -> Rare {
    // SAFETY: as the caller promises.
    unsafe {
        let lower = _mm256_or_si256(bytes, _mm256_set1_epi8(0x20));
        Rare {
            hex: mask(_mm256_or_si256(between(bytes, b'0', b'9'), between(lower, b'a', b'f'))),
            at: mask(is(bytes, b'@')),
            percent: mask(is(bytes, b'%')),
            high: mask(bytes),
            brace: mask(is(bytes, b'{')),
        }
    }
}

/// # Safety
/// The features of [`Avx2`] are there.
#[inline(always)]
unsafe fn is(bytes: __m256i, byte: u8) -> __m256i {
    // SAFETY: as the caller promises.
    unsafe { _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(byte as i8)) }
}

/// Which bytes are `first..=last`, both below 0x7f: bytes above are negative, and so below both.
///
/// # Safety
/// The features of [`Avx2`] are there.
#[inline(always)]
unsafe fn between(bytes: __m256i, first: u8, last: u8) -> __m256i {
    // SAFETY: as the caller promises.
    unsafe {
        let from = _mm256_cmpgt_epi8(bytes, _mm256_set1_epi8(first as i8 - 1));
        _mm256_and_si256(from, _mm256_cmpgt_epi8(_mm256_set1_epi8(last as i8 + 1), bytes))
    }
}

/// The top bit of each byte. The assembly pins `movemask`: LLVM takes the intrinsic apart into byte-wise extracts when its
/// result is shifted and combined to 64 bits.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
#[inline]
fn mask(bytes: __m256i) -> u64 {
    let mask: u64;
    // SAFETY: the instruction reads and writes the two registers only, the upper half of the second too; AVX2 is enabled here.
    unsafe {
        std::arch::asm!("vpmovmskb {mask:e}, {bytes}", mask = lateout(reg) mask, bytes = in(ymm_reg) bytes,
            options(pure, nomem, nostack, preserves_flags));
    }
    mask
}

impl Masks {
    /// With those of the 32 bytes behind.
    #[inline(always)]
    fn below(self, high: Masks) -> Masks {
        Masks {
            word: self.word | high.word << 32,
            dot: self.dot | high.dot << 32,
            digit: self.digit | high.digit << 32,
            colon: self.colon | high.colon << 32,
            lead: self.lead | high.lead << 32,
            mail: self.mail | high.mail << 32,
            odd: self.odd | high.odd << 32,
        }
    }
}

impl Rare {
    /// With those of the 32 bytes behind.
    #[inline(always)]
    fn below(self, high: Rare) -> Rare {
        Rare {
            hex: self.hex | high.hex << 32,
            at: self.at | high.at << 32,
            percent: self.percent | high.percent << 32,
            high: self.high | high.high << 32,
            brace: self.brace | high.brace << 32,
        }
    }
}
