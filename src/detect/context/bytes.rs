//! What a byte may be part of, a bit each: one load instead of a chain of comparisons.

use super::is_word;

/// `A`–`Z`, `a`–`z`
pub const LETTER: u8 = 1;
/// What may stand between a key's letters besides spaces: `_`, `-`, `.`, `/`, `:`.
pub const JOINT: u8 = 2;
pub const SPACE: u8 = 4;
/// Of hosts' names: letters, digits, bytes above ASCII, `-`, `_`, `.`
pub const HOST: u8 = 8;
/// Of a key's one word: ASCII letters and digits, `_`, `-`, `.`
pub const KEY: u8 = 16;

static CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut b = 0;
    while b < 256 {
        let byte = b as u8;
        let joins_word = matches!(byte, b'-' | b'_' | b'.');
        classes[b] = if byte.is_ascii_alphabetic() { LETTER } else { 0 }
            | if joins_word || matches!(byte, b'/' | b':') { JOINT } else { 0 }
            | if byte == b' ' { SPACE } else { 0 }
            | if is_word(byte) || joins_word { HOST } else { 0 }
            | if byte.is_ascii_alphanumeric() || joins_word { KEY } else { 0 };
        b += 1;
    }
    classes
};

#[inline(always)]
pub fn class(byte: u8) -> u8 {
    CLASSES[usize::from(byte)]
}

#[inline(always)]
pub fn is(byte: u8, classes: u8) -> bool {
    class(byte) & classes != 0
}
