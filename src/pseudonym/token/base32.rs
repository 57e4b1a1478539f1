//! Crockford's base32, lower case: digits and letters without i, l, o, u.

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// The value of each character, 0xff for what is none.
const VALUES: [u8; 256] = {
    let mut values = [0xff; 256];
    let mut i = 0;
    while i < 32 {
        values[ALPHABET[i] as usize] = i as u8;
        i += 1;
    }
    values
};

/// Characters that `bytes` bytes take.
pub const fn encoded_len(bytes: usize) -> usize {
    (bytes * 8).div_ceil(5)
}

/// Appends all bytes, five bits a character from the highest bit on; the last character is filled up with zeros.
pub fn encode(bytes: &[u8], out: &mut Vec<u8>) {
    out.reserve(encoded_len(bytes.len()));
    for group in bytes.chunks(5) {
        let mut padded = [0; 8];
        padded[..group.len()].copy_from_slice(group);
        let bits = u64::from_be_bytes(padded);
        let mut characters = [0; 8];
        for (i, character) in characters.iter_mut().enumerate() {
            *character = ALPHABET[(bits >> (59 - 5 * i)) as usize & 31];
        }
        out.extend_from_slice(&characters[..encoded_len(group.len())]);
    }
}

/// The bytes that [`encode`] made this of, or `None`: wrong characters, wrong length, filling bits that are not zero.
pub fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() * 5 / 8);
    let (mut bits, mut held) = (0u32, 0);
    for &character in text {
        let value = VALUES[usize::from(character)];
        if value == 0xff {
            return None;
        }
        bits = bits << 5 | u32::from(value);
        held += 5;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
            bits &= (1 << held) - 1;
        }
    }
    (bits == 0 && held < 5).then_some(bytes)
}

/// Appends the first `N` characters of a MAC so that [`is_body`] holds.
///
/// One body in 65,536 (of 16 characters) would be all hexadecimal and one in 400 without a digit: their first or second
/// character is moved into the missing class. Fewer than four bits of a few tokens are lost.
pub fn encode_body<const N: usize>(mac: &[u8; 32], out: &mut Vec<u8>) {
    const { assert!(N >= 2 && N <= 25 && encoded_len(16) >= N) };
    let mut high = u128::from_be_bytes(mac[..16].try_into().expect("16 of 32 bytes"));
    let mut values = [0u8; N];
    for value in &mut values {
        *value = (high >> 123) as u8;
        high <<= 5;
    }
    if values.iter().all(|&value| value > 9) {
        values[1] &= 7;
    }
    if values.iter().all(|&value| value < 16) {
        // The only digit is left alone.
        let at = usize::from(values[1..].iter().all(|&value| value > 9));
        values[at] |= 16;
    }
    out.extend_from_slice(&values.map(|value| ALPHABET[usize::from(value)]));
}

/// Whether the text can be what [`encode_body`] writes: base32 with a digit and a letter beyond `f`.
pub fn is_body(text: &[u8]) -> bool {
    let (mut digit, mut beyond_hex) = (false, false);
    for &character in text {
        let value = VALUES[usize::from(character)];
        if value == 0xff {
            return false;
        }
        digit |= value <= 9;
        beyond_hex |= value >= 16;
    }
    digit && beyond_hex
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn body(mac: &[u8]) -> String {
        let mut padded = [0; 32];
        padded[..mac.len()].copy_from_slice(mac);
        let mut out = Vec::new();
        encode_body::<16>(&padded, &mut out);
        String::from_utf8(out).unwrap()
    }

    /// A MAC that encodes to these characters.
    fn mac_of(characters: &str) -> Vec<u8> {
        decode(characters.as_bytes()).unwrap()
    }

    #[test]
    fn letters_that_look_like_others_do_not_occur() {
        for character in "ilouABCXYZ-_=".bytes() {
            assert_eq!(decode(&[b'0', character]), None, "{}", character as char);
        }
    }

    #[test]
    fn filling_bits_that_are_not_zero_are_refused() {
        assert_eq!(decode(b"zw"), Some(vec![0xff]));
        assert_eq!(decode(b"zz"), None);
        assert_eq!(decode(b"zw0"), None, "a character too many");
    }

    #[test]
    fn a_body_without_a_digit_or_without_a_letter_beyond_f_gets_one() {
        assert_eq!(body(&mac_of("0123456789abcdeg")), "0123456789abcdeg", "is left alone");
        assert_eq!(body(&mac_of("0123456789abcdef")), "g123456789abcdef");
        assert_eq!(body(&mac_of("ghjkghjkghjkghjk")), "g1jkghjkghjkghjk", "h is 17, and 17 & 7 is 1");
        assert_eq!(body(&mac_of("0aaaaaaaaaaaaaaa")), "0taaaaaaaaaaaaaa", "the only digit stays");
        assert_eq!(body(&mac_of("aaaaaaaaaaaaaaaa")), "t2aaaaaaaaaaaaaa");
        assert_eq!(body(&mac_of("aqaaaaaaaaaaaaaa")), "t7aaaaaaaaaaaaaa", "the only letter became the digit");
    }

    #[test]
    fn words_and_hexadecimal_identifiers_are_no_bodies() {
        for text in [
            "deadbeef01234567",
            "0123456789012345",
            "xxxxxxxxxxxxxxxx",
            "axaxaxaxaxaxaxax",
            "whgwhgwhgwhgwhg-",
            "WHGWHGWHGWHGWHG1",
        ] {
            assert!(!is_body(text.as_bytes()), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_encoded_decodes(bytes: Vec<u8>) {
            let mut text = Vec::new();
            encode(&bytes, &mut text);
            prop_assert_eq!(text.len(), encoded_len(bytes.len()));
            prop_assert_eq!(decode(&text), Some(bytes));
        }

        #[test]
        fn every_body_is_known_as_one(mac: [u8; 32], small in proptest::collection::vec(0u8..4, 32)) {
            for mac in [mac, small.try_into().unwrap()] {
                let mut out = Vec::new();
                encode_body::<25>(&mac, &mut out);
                prop_assert!(is_body(&out));
            }
        }
    }
}
