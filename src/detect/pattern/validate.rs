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
    /// How much of the text holds, from its beginning; none of it, if `None`. A grouped number's expression cannot know where
    /// it ends (`4111 1111 1111 1111 12/27`), its check can.
    pub fn accepts(&self, text: &[u8]) -> Option<usize> {
        match *self {
            Validator::Luhn => group_ends(text).find(|end| luhn(&text[..*end])),
            Validator::Iban => iban_end(text).filter(|end| iban(&text[..*end])),
            Validator::Jwt => jwt(text).then_some(text.len()),
            Validator::Entropy(least) => (entropy(text) >= least).then_some(text.len()),
        }
    }
}

/// Card numbers have 12 digits and more, and those of 12 are few.
const LEAST_CARD: usize = 13;
/// The longest has 19, with a sign between each two of them.
const LONGEST_CARD: usize = 37;

/// The whole text's end, and the ends of its groups that leave a card number, longest first.
fn group_ends(text: &[u8]) -> impl Iterator<Item = usize> {
    let is_digit = |at: usize| text.get(at).is_some_and(u8::is_ascii_digit);
    let digits = |end: usize| text[..end].iter().filter(|b| b.is_ascii_digit()).count();
    let is_end = move |end: &usize| is_digit(end - 1) && !is_digit(*end) && digits(*end) >= LEAST_CARD;
    std::iter::once(text.len()).chain((1..text.len().min(LONGEST_CARD + 1)).rev().filter(is_end))
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

/// By length, the countries whose numbers have it (SWIFT's IBAN registry, release 98).
const IBAN_LENGTHS: [(usize, &[u8]); 18] = [
    (15, b"NO"),
    (16, b"BE"),
    (18, b"DKFIFKFOGLNLSD"),
    (19, b"MKSI"),
    (20, b"ATBAEEKZLTLUMNXK"),
    (21, b"CHHRLILV"),
    (22, b"BGBHCRDEGBGEIEMERSVA"),
    (23, b"AEGIILIQOMSOTL"),
    (24, b"ADCZESMDPKROSASESKTNVG"),
    (25, b"LYPTST"),
    (26, b"ISTR"),
    (27, b"BIDJFRGRITMCMRSM"),
    (28, b"ALAZBYCYDOGTHNHULBNIPLSV"),
    (29, b"BREGPSQAUA"),
    (30, b"JOKWMUYE"),
    (31, b"MTSC"),
    (32, b"LC"),
    (33, b"RU"),
];

/// Where the number that begins a text ends, by its country.
fn iban_end(text: &[u8]) -> Option<usize> {
    let country = text.get(..2)?.to_ascii_uppercase();
    let has_country = |(_, countries): &&(usize, &[u8])| countries.chunks(2).any(|code| code == country);
    let (length, _) = IBAN_LENGTHS.iter().find(has_country)?;
    let mut signs = text.iter().enumerate().filter(|(_, b)| !matches!(b, b' ' | b'-')).map(|(at, _)| at);
    let end = 1 + signs.nth(length - 1)?;
    // What goes on is another number.
    (!text.get(end).is_some_and(u8::is_ascii_alphanumeric)).then_some(end)
}

fn iban(text: &[u8]) -> bool {
    let signs = || text.iter().filter(|b| !matches!(b, b' ' | b'-'));
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
            assert_eq!(Validator::Luhn.accepts(text.as_bytes()), holds.then_some(text.len()), "{text}");
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
            assert_eq!(Validator::Iban.accepts(text.as_bytes()), holds.then_some(text.len()), "{text}");
        }
    }

    #[test]
    fn a_grouped_number_ends_where_its_check_holds() {
        for (validator, text, number) in [
            (Validator::Luhn, "4111 1111 1111 1111 12", "4111 1111 1111 1111"),
            (Validator::Luhn, "4111-1111-1111-1111 123", "4111-1111-1111-1111"),
            (Validator::Iban, "GB82 WEST 1234 5698 7654 32 OF JANE", "GB82 WEST 1234 5698 7654 32"),
            (Validator::Iban, "NO93 8601 1117 947 2026", "NO93 8601 1117 947"),
        ] {
            assert_eq!(validator.accepts(text.as_bytes()), Some(number.len()), "{text}");
        }
        assert_eq!(Validator::Iban.accepts(b"DE893704004405320130001"), None);
    }

    #[test]
    fn a_jwt_has_three_parts_and_an_object_first() {
        for (text, holds) in [
            ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", true),
            ("eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.", true),
            ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0", false),
            ("abc.def.ghi", false),
        ] {
            assert_eq!(Validator::Jwt.accepts(text.as_bytes()), holds.then_some(text.len()), "{text}");
        }
    }

    #[test]
    fn entropy_is_counted_in_bits_a_byte() {
        assert_eq!(Validator::Entropy(2.0).accepts(b"abcd"), Some(4));
        assert_eq!(Validator::Entropy(2.01).accepts(b"abcd"), None);
        assert_eq!(Validator::Entropy(0.1).accepts(b"aaaa"), None);
    }
}
