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
