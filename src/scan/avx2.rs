//! The scanner with 32-byte vectors.

use std::arch::x86_64::*;

use super::{LEAD, LEAD_BITS, Masks, Scanner, Search, WINDOW};

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
        assert!(len <= WINDOW && at <= buf.len() && buf.len() - at >= len);
        let block;
        let window = if buf.len() - at >= WINDOW {
            buf[at..].as_ptr()
        } else {
            block = padded(&buf[at..at + len]);
            block.as_ptr()
        };
        // SAFETY: `self` proves that the features are there; 64 bytes from `window` on lie in `buf` or in `block`.
        unsafe { classify(window, len) }
    }
}

/// The last bytes of a buffer, where reading a whole window would leave it.
#[cold]
#[inline(never)]
fn padded(tail: &[u8]) -> [u8; WINDOW] {
    let mut block = [0; WINDOW];
    block[..tail.len()].copy_from_slice(tail);
    block
}

/// Always inline, so that the masks stay in registers; hence without a target feature of its own.
///
/// # Safety
/// The features of [`Avx2`] are there, and `WINDOW` bytes are readable from `window` on.
#[inline(always)]
unsafe fn classify(window: *const u8, len: usize) -> Masks {
    // SAFETY: as the caller promises.
    unsafe {
        let valid = _bzhi_u64(!0, len as u32);
        let low = half(_mm256_loadu_si256(window.cast()));
        if len <= 32 {
            return low.and(valid);
        }
        let high = half(_mm256_loadu_si256(window.add(32).cast()));
        low.or(high.shifted_by_32()).and(valid)
    }
}

// One bit a class in the product of two nibble tables: a byte belongs where both its nibbles do. Letters need two bits,
// for their last column is shorter.
const LETTER_FIRST: u8 = 1 << 0; // rows 4 and 6: A–O, a–o
const LETTER_SECOND: u8 = 1 << 1; // rows 5 and 7: P–Z, p–z
const DIGIT: u8 = 1 << 2;
const DOT: u8 = 1 << 3;
const COLON: u8 = 1 << 4;
const AT: u8 = 1 << 5;
const PERCENT: u8 = 1 << 6;
const HEX_LETTER: u8 = 1 << 7; // A–F, a–f

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
        if low >= 1 && low <= 6 {
            table[low] |= HEX_LETTER;
        }
        low += 1;
    }
    table[0xE] |= DOT;
    table[0xA] |= COLON;
    table[0x0] |= AT;
    table[0x5] |= PERCENT;
    table
};

const BY_HIGH_NIBBLE: [u8; 16] = {
    let mut table = [0; 16];
    table[2] = DOT | PERCENT;
    table[3] = DIGIT | COLON;
    table[4] = LETTER_FIRST | HEX_LETTER | AT;
    table[5] = LETTER_SECOND;
    table[6] = LETTER_FIRST | HEX_LETTER;
    table[7] = LETTER_SECOND;
    table
};

/// # Safety
/// The features of [`Avx2`] are there.
#[inline(always)]
unsafe fn half(bytes: __m256i) -> Masks {
    // SAFETY: as the caller promises; the tables are 16 bytes long.
    unsafe {
        let nibble = _mm256_set1_epi8(0x0f);
        let (by_low, by_high) =
            (_mm_loadu_si128(BY_LOW_NIBBLE.as_ptr().cast()), _mm_loadu_si128(BY_HIGH_NIBBLE.as_ptr().cast()));
        let (by_low, by_high) = (_mm256_broadcastsi128_si256(by_low), _mm256_broadcastsi128_si256(by_high));
        // A shuffle yields 0 where the index's top bit is set, so bytes above 0x7f are in no class but `high` and `word`.
        let low = _mm256_shuffle_epi8(by_low, bytes);
        let high = _mm256_shuffle_epi8(by_high, _mm256_and_si256(_mm256_srli_epi16::<4>(bytes), nibble));
        let class = _mm256_and_si256(low, high);

        let dash = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(b'-' as i8));
        let underscore = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(b'_' as i8));
        let alphanumeric = _mm256_cmpgt_epi8(
            _mm256_and_si256(class, _mm256_set1_epi8((LETTER_FIRST | LETTER_SECOND | DIGIT) as i8)),
            _mm256_setzero_si256(),
        );
        let word = _mm256_or_si256(_mm256_or_si256(dash, underscore), _mm256_or_si256(alphanumeric, bytes));
        Masks {
            word: mask(word),
            dot: mask(_mm256_slli_epi16::<4>(class)),
            digit: mask(_mm256_slli_epi16::<5>(class)),
            hex: mask(_mm256_or_si256(class, _mm256_slli_epi16::<5>(class))),
            colon: mask(_mm256_slli_epi16::<3>(class)),
            at: mask(_mm256_slli_epi16::<2>(class)),
            percent: mask(_mm256_slli_epi16::<1>(class)),
            high: mask(bytes),
            lead: mask(_mm256_cmpeq_epi8(
                _mm256_and_si256(bytes, _mm256_set1_epi8(LEAD_BITS as i8)),
                _mm256_set1_epi8(LEAD as i8),
            )),
            brace: mask(_mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(b'{' as i8))),
        }
    }
}

/// The top bit of each byte. The assembly pins `movemask`: LLVM takes the intrinsic apart into byte-wise extracts when its
/// result is shifted and combined to 64 bits.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
#[inline]
fn mask(bytes: __m256i) -> u64 {
    let mask: u32;
    // SAFETY: the instruction reads and writes the two registers only; AVX2 is enabled here.
    unsafe {
        std::arch::asm!("vpmovmskb {mask:e}, {bytes}", mask = lateout(reg) mask, bytes = in(ymm_reg) bytes,
            options(pure, nomem, nostack, preserves_flags));
    }
    u64::from(mask)
}

impl Masks {
    #[inline(always)]
    fn each(self, other: Masks, f: impl Fn(u64, u64) -> u64) -> Masks {
        Masks {
            word: f(self.word, other.word),
            dot: f(self.dot, other.dot),
            digit: f(self.digit, other.digit),
            hex: f(self.hex, other.hex),
            colon: f(self.colon, other.colon),
            at: f(self.at, other.at),
            percent: f(self.percent, other.percent),
            high: f(self.high, other.high),
            lead: f(self.lead, other.lead),
            brace: f(self.brace, other.brace),
        }
    }

    #[inline(always)]
    fn or(self, other: Masks) -> Masks {
        self.each(other, |a, b| a | b)
    }

    #[inline(always)]
    fn shifted_by_32(self) -> Masks {
        self.each(self, |a, _| a << 32)
    }

    #[inline(always)]
    fn and(self, valid: u64) -> Masks {
        self.each(self, |a, _| a & valid)
    }
}
