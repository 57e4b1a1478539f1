//! Checks behind a pattern: what a shape alone does not tell.

/// A check of what a pattern found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Validator {
    /// ISO/IEC 7812: the check digit of card numbers. Spaces and hyphens between digits are passed over.
    Luhn,
    /// ISO 13616: the whole number, letters as 10–35 and country and check digits moved behind, is 1 modulo 97.
    Iban,
    /// Three parts of base64url, of which the first holds a JSON object (RFC 7519).
    Jwt,
    /// At least so many bits of Shannon entropy a byte.
    Entropy(f64),
}

impl Validator {
    pub fn holds(&self, text: &[u8]) -> bool {
        match *self {
            Validator::Luhn => luhn(text),
            Validator::Iban => iban(text),
            Validator::Jwt => jwt(text),
            Validator::Entropy(least) => entropy(text) >= least,
        }
    }
}

fn luhn(text: &[u8]) -> bool {
    let mut sum = 0_u32;
    let mut count = 0;
    for &b in text.iter().rev() {
        match b {
            b'0'..=b'9' => {
                let digit = u32::from(b - b'0');
                let doubled = if count % 2 == 1 { digit * 2 } else { digit };
                sum += if doubled > 9 { doubled - 9 } else { doubled };
                count += 1;
            }
            b' ' | b'-' => {}
            _ => return false,
        }
    }
    count >= 2 && sum.is_multiple_of(10)
}

fn iban(text: &[u8]) -> bool {
    let signs = || text.iter().filter(|b| !matches!(b, b' ' | b'-'));
    let length = signs().count();
    if !(15..=34).contains(&length) {
        return false;
    }
    let country = signs().take(2).all(u8::is_ascii_alphabetic);
    let checks = signs().skip(2).take(2).all(u8::is_ascii_digit);
    let rest = signs().skip(4).chain(signs().take(4)).try_fold(0_u32, |rest, b| match b.to_ascii_uppercase() {
        b @ b'0'..=b'9' => Some((rest * 10 + u32::from(b - b'0')) % 97),
        b @ b'A'..=b'Z' => Some((rest * 100 + u32::from(b - b'A') + 10) % 97),
        _ => None,
    });
    country && checks && rest == Some(1)
}

fn jwt(text: &[u8]) -> bool {
    let mut parts = text.split(|b| *b == b'.');
    let (Some(header), Some(claims), Some(signature), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    let is_base64url = |part: &[u8]| part.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'='));
    // `{"` is `eyJ` in base64; with white space behind the brace `ew` or `eyA`.
    let is_object = |part: &[u8]| part.starts_with(b"ey") || part.starts_with(b"ew");
    is_object(header) && !claims.is_empty() && [header, claims, signature].into_iter().all(is_base64url)
}

fn entropy(text: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    for &b in text {
        counts[usize::from(b)] += 1;
    }
    let length = text.len() as f64;
    let bits = |count: u32| {
        let share = f64::from(count) / length;
        -share * share.log2()
    };
    counts.into_iter().filter(|count| *count > 0).map(bits).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn card_numbers_need_their_check_digit() {
        for (text, holds) in [
            ("4111 1111 1111 1111", true),
            ("378282246310005", true),
            ("5555 5555 5555 4444", true),
            ("4111-1111-1111-1112", false),
            ("4111x1111", false),
            ("", false),
        ] {
            assert_eq!(Validator::Luhn.holds(text.as_bytes()), holds, "{text}");
        }
    }

    #[test]
    fn ibans_are_1_modulo_97() {
        for (text, holds) in [
            ("GB82 WEST 1234 5698 7654 32", true),
            ("DE89370400440532013000", true),
            ("de89370400440532013000", true),
            ("DE88370400440532013000", false),
            ("DE791234567890", false),
            ("DEA7370400440532000076", false),
            ("1234", false),
        ] {
            assert_eq!(Validator::Iban.holds(text.as_bytes()), holds, "{text}");
        }
    }

    #[test]
    fn a_jwt_has_three_parts_and_an_object_first() {
        for (text, holds) in [
            ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", true),
            ("eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.", true),
            ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0", false),
            ("abc.def.ghi", false),
        ] {
            assert_eq!(Validator::Jwt.holds(text.as_bytes()), holds, "{text}");
        }
    }

    #[test]
    fn entropy_is_counted_in_bits_a_byte() {
        assert!(Validator::Entropy(2.0).holds(b"abcd"));
        assert!(!Validator::Entropy(2.01).holds(b"abcd"));
        assert!(!Validator::Entropy(0.1).holds(b"aaaa"));
    }
}
