//! Constants, and values of which only the end is left.

/// No more than so many characters are written, so that a mask does not tell how long a long value was.
const MAX: usize = 32;

/// `[kind]`: names the kind and nothing else.
pub fn write_redacted(kind: &str, out: &mut Vec<u8>) {
    out.push(b'[');
    out.extend_from_slice(kind.as_bytes());
    out.push(b']');
}

/// `****1234`: all but the last characters as `*`, and never more than half of them left. Characters that could break the
/// text around them (not ASCII, quotes, backslashes, spaces, control characters) are masked wherever they stand.
pub fn write_all_but(text: &[u8], last: u8, out: &mut Vec<u8>) {
    let text = String::from_utf8_lossy(text);
    let characters = text.chars().count();
    let kept = usize::from(last).min(characters.min(MAX) / 2);
    let stars = characters.min(MAX) - kept;
    out.extend(std::iter::repeat_n(b'*', stars));
    out.extend(text.chars().skip(characters - kept).map(|character| match character {
        '"' | '\'' | '`' | '\\' => b'*',
        '!'..='~' => character as u8,
        _ => b'*',
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(text: &str, last: u8) -> String {
        let mut out = Vec::new();
        write_all_but(text.as_bytes(), last, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn only_the_end_is_left_and_at_most_half() {
        assert_eq!(masked("4111111111111234", 4), "************1234");
        assert_eq!(masked("123456", 4), "***456");
        assert_eq!(masked("1", 4), "*");
        assert_eq!(masked("", 4), "");
        assert_eq!(masked("secret", 0), "******");
    }

    #[test]
    fn a_mask_is_bounded_and_masking_it_again_changes_nothing() {
        let long = "x".repeat(1000) + "1234";
        assert_eq!(masked(&long, 4), "*".repeat(28) + "1234");
        assert_eq!(masked(&long, 255).len(), 32);
        for (text, last) in [(&*long, 4), ("123456", 4), ("4111111111111234", 4), (&*long, 255)] {
            assert_eq!(masked(&masked(text, last), last), masked(text, last));
        }
    }

    #[test]
    fn what_could_break_the_text_around_is_masked_too() {
        assert_eq!(masked("aaaaaaaaaaaaé\"' \\`\n\0\u{7f}z", 10), "*********************z");
        assert_eq!(masked("aaaa!~", 2), "****!~");
    }
}
