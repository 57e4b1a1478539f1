//! E-mail addresses, and the authority of a URL that carries a user: what an `@` gives away.

use super::text::Text;
use super::tld;

/// What stands around an `@`.
#[derive(Debug, PartialEq, Eq)]
pub enum AtSign {
    Nothing,
    Email {
        start: usize,
        end: usize,
    },
    /// `git@host:path`, where only the host is worth hiding; it is searched on its own.
    Login,
    /// One of our own tokens, up to `end`: let alone.
    Token {
        start: usize,
        end: usize,
    },
    /// `scheme://user:password@`, the last `@` at `end - 1`.
    Userinfo {
        user: (usize, usize),
        password: Option<(usize, usize)>,
        end: usize,
    },
}

/// Judges the `@` at offset `at`. Nothing left of `floor` is looked at, so that many `@` cost no more than few.
pub fn around(text: &Text<'_>, at: usize, floor: usize) -> AtSign {
    if let Some(userinfo) = userinfo(text, at, floor) {
        return userinfo;
    }
    let Some(start) = local_part(text, at, floor) else { return AtSign::Nothing };
    match domain(text, at + 1) {
        Some(end) => between(text, start, at, end),
        None => AtSign::Nothing,
    }
}

/// The same of the `@` that is bit `i` of a window at `window`, of whose bytes `run` are parts of words or dots: quickly told where
/// nothing else stands right beside it on either side, up to white space or a bracket. None where more must be looked at.
#[inline]
pub fn plain(text: &Text<'_>, window: usize, i: u32, run: u64, dots: u64, floor: usize) -> Option<AtSign> {
    let start = window + 64 - (!run & !(!0 << i)).leading_zeros() as usize;
    let at = window + i as usize;
    let length = (!(run >> i >> 1)).trailing_zeros();
    let end = at + 1 + length as usize;
    let before = |bytes| text.at(start.wrapping_sub(bytes));
    // A quote ends an authority, and is none of an address that it leads.
    let opens = is(before(1), OPENS) || before(1) == b'\'' && is(before(2), OPENS);
    if start == at || length == 0 || start < floor || !opens {
        return None;
    }
    let dots = dots >> i >> 1 & !(!0 << length);
    let edges = [text.buf[start], text.buf[at + 1], text.buf[end - 1]];
    if dots & dots >> 1 != 0 || edges.iter().any(|edge| matches!(edge, b'.' | b'-' | b'_')) {
        return None;
    }
    if dots == 0 || !is_tail(&text.buf[at + 1 + 64 - dots.leading_zeros() as usize..end]) {
        return Some(AtSign::Nothing);
    }
    Some(between(text, start, at, end))
}

/// What an address is that has been found.
#[inline]
fn between(text: &Text<'_>, start: usize, at: usize, end: usize) -> AtSign {
    let local = &text.buf[start..at];
    if is_token(local, &text.buf[at + 1..end]) {
        return AtSign::Token { start, end };
    }
    if text.at(end) == b':' && matches!(local, b"git" | b"hg" | b"svn") {
        return AtSign::Login;
    }
    AtSign::Email { start, end }
}

/// What a byte may be in an address or authority, a bit each.
const LOCAL: u8 = 1;
const DOMAIN: u8 = 2;
const ENDS_AUTHORITY: u8 = 4;
/// What ends an authority on its left, but begins none, is no part of an address, and no escape.
const OPENS: u8 = 8;
/// Letters of any script.
const LETTER: u8 = 16;

static BYTES: [u8; 256] = {
    let mut bytes = [0; 256];
    let mut b = 0;
    while b < 256 {
        let byte = b as u8;
        let word = byte.is_ascii_alphanumeric() || byte >= 0x80 || matches!(byte, b'.' | b'-' | b'_');
        bytes[b] = if is_local(byte) { LOCAL } else { 0 }
            | if word { DOMAIN } else { 0 }
            | if ends_authority(byte) { ENDS_AUTHORITY } else { 0 }
            | if ends_authority(byte) && !is_local(byte) && !matches!(byte, b'/' | b'\\') { OPENS } else { 0 }
            | if byte.is_ascii_alphabetic() || byte >= 0x80 { LETTER } else { 0 };
        b += 1;
    }
    bytes
};

#[inline(always)]
fn is(byte: u8, class: u8) -> bool {
    BYTES[usize::from(byte)] & class != 0
}

/// Characters of an unquoted local part that are worth the risk: `=`, `/`, `&` and the like belong to the text around it
/// more often.
const fn is_local(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || byte >= 0x80
        || matches!(byte, b'.' | b'_' | b'-' | b'+' | b'\'' | b'%' | b'$' | b'~' | b'!' | b'#' | b'*')
}

fn local_part(text: &Text<'_>, at: usize, floor: usize) -> Option<usize> {
    if at > floor && text.buf[at - 1] == b'"' {
        return quoted_local_part(text, at - 1, floor);
    }
    let mut start = at;
    while start > floor && is(text.buf[start - 1], LOCAL) {
        start -= 1;
    }
    start = text.past_escape(start);
    while start < at && matches!(text.buf[start], b'.' | b'\'' | b'*' | b'!' | b'#' | b'~' | b'-' | b'%') {
        start += 1;
    }
    (start < at).then_some(start)
}

/// `"john doe"@example.com`; `closing` is the offset of the second quote.
fn quoted_local_part(text: &Text<'_>, closing: usize, floor: usize) -> Option<usize> {
    let limit = floor.max(closing.saturating_sub(66));
    let inner_end = if closing > floor && text.buf[closing - 1] == b'\\' { closing - 1 } else { closing };
    let opening = (limit..inner_end).rev().find(|&i| matches!(text.buf[i], b'"' | b'\n'))?;
    let inner = &text.buf[opening + 1..inner_end];
    let opens = !text.at(opening.wrapping_sub(1)).is_ascii_alphanumeric();
    (text.buf[opening] == b'"' && opens && inner.iter().any(u8::is_ascii_alphanumeric)).then_some(opening)
}

/// Where the domain that begins at `start` ends.
fn domain(text: &Text<'_>, start: usize) -> Option<usize> {
    if text.at(start) == b'[' {
        return literal(text, start);
    }
    let mut end = start;
    while end < text.end && is(text.buf[end], DOMAIN) {
        // Two dots end the address, not the name.
        if text.buf[end] == b'.' && text.at(end + 1) == b'.' {
            break;
        }
        end += 1;
    }
    while end > start && matches!(text.buf[end - 1], b'.' | b'-' | b'_') {
        end -= 1;
    }
    let name = &text.buf[start..end];
    if name.len() > 1024 || name.first().is_none_or(|&first| first == b'.' || first == b'-') {
        return (name.len() > 1024).then_some(end);
    }
    let dot = name.iter().rposition(|&byte| byte == b'.')?;
    is_tail(&name[dot + 1..]).then_some(end)
}

/// Any word may be a mail domain's last label, for internal and made-up ones leak as well; but not a number, a file's
/// extension or a unit's kind.
fn is_tail(tail: &[u8]) -> bool {
    tail.len() >= 2
        && (tail.iter().all(|byte| is(*byte, LETTER)) || tld::of(tail) != tld::Tail::No)
        && !is_no_tail(tail)
}

fn is_no_tail(tail: &[u8]) -> bool {
    let mut folded = [0; 8];
    let Some(folded) = folded.get_mut(..tail.len()) else { return false };
    folded.iter_mut().zip(tail).for_each(|(folded, byte)| *folded = byte.to_ascii_lowercase());
    matches!(
        &*folded,
        b"txt"
            | b"snap"
            | b"dll"
            | b"service"
            | b"socket"
            | b"target"
            | b"timer"
            | b"mount"
            | b"slice"
            | b"scope"
            | b"path"
            | b"device"
            | b"swap"
            | b"png"
            | b"jpg"
            | b"jpeg"
            | b"gif"
            | b"svg"
            | b"webp"
            | b"css"
            | b"js"
            | b"ts"
            | b"json"
            | b"html"
            | b"xml"
            | b"yaml"
            | b"tgz"
    )
}

/// `[IPv6:2001:db8::1]`, `[192.0.2.1]`
fn literal(text: &Text<'_>, start: usize) -> Option<usize> {
    let limit = text.end.min(start + 60);
    let close = (start..limit).find(|&i| text.buf[i] == b']')?;
    let inner = &text.buf[start + 1..close];
    let address = match inner.get(..5) {
        Some(tag) if tag.eq_ignore_ascii_case(b"IPv6:") => &inner[5..],
        _ => inner,
    };
    let is_address = super::ip::parse_v4(address).is_some() || super::ip::parse_v6(address).is_some();
    is_address.then_some(close + 1)
}

const fn ends_authority(byte: u8) -> bool {
    byte <= b' ' || matches!(byte, b'/' | b'?' | b'#' | b'"' | b'\'' | b'<' | b'>' | b'\\' | b'`' | b'|' | b'{' | b'}')
}

/// `//user:password@`: whatever stands between the slashes and the authority's last `@`.
fn userinfo(text: &Text<'_>, at: usize, floor: usize) -> Option<AtSign> {
    let mut start = at;
    while start > floor && !is(text.buf[start - 1], ENDS_AUTHORITY) {
        start -= 1;
    }
    // The slashes themselves may lie left of the floor, where an earlier search has been.
    if !(text.at(start.wrapping_sub(1)) == b'/' && text.at(start.wrapping_sub(2)) == b'/' && start < at) {
        return None;
    }
    let mut last = at;
    let mut end = at + 1;
    while end < text.end && !is(text.buf[end], ENDS_AUTHORITY) && text.buf[end] != b',' {
        if text.buf[end] == b'@' {
            last = end;
        }
        end += 1;
    }
    let colon = (start..last).find(|&i| text.buf[i] == b':');
    Some(AtSign::Userinfo {
        user: (start, colon.unwrap_or(last)),
        password: colon.map(|colon| (colon + 1, last)).filter(|(from, to)| from < to),
        end: last + 1,
    })
}

/// `u7<20 characters>@<host tokens>.invalid`, as our own e-mail tokens are made.
fn is_token(local: &[u8], domain: &[u8]) -> bool {
    super::host::is_token_label(local, b'u', 20) && super::host::is_token(domain)
}
