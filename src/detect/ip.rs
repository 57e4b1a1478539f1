//! Addresses: strict parsing, and what their surroundings say.

use memchr::memmem;

use super::Place;
use super::text::Text;

/// An address that was found: where, and its value, IPv4 as v4-mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    pub start: usize,
    pub end: usize,
    pub value: u128,
}

pub const V4_MAPPED: u128 = 0xffff_0000_0000;

/// Four decimal numbers without leading zeros, each at most 255.
pub fn parse_v4(text: &[u8]) -> Option<u32> {
    if text.len() > 15 {
        return None;
    }
    let mut value = 0;
    let mut parts = 0;
    for part in text.split(|&byte| byte == b'.') {
        parts += 1;
        value = value << 8 | octet(part)?;
    }
    (parts == 4).then_some(value)
}

fn octet(digits: &[u8]) -> Option<u32> {
    let digit = |i: usize| u32::from(digits[i].wrapping_sub(b'0'));
    let (value, ok) = match digits.len() {
        1 => (digit(0), digit(0) <= 9),
        2 => (digit(0) * 10 + digit(1), digit(0).wrapping_sub(1) <= 8 && digit(1) <= 9),
        3 => {
            (digit(0) * 100 + digit(1) * 10 + digit(2), digit(0).wrapping_sub(1) <= 1 && digit(1) <= 9 && digit(2) <= 9)
        }
        _ => return None,
    };
    (ok && value <= 255).then_some(value)
}

/// How many bytes stand before, between and behind three dots (a bit each) in `start..end` of a window.
#[inline(always)]
pub fn digits_between(dots: u64, start: u32, end: u32) -> [u32; 4] {
    let first = dots.trailing_zeros();
    let dots = dots & (dots - 1);
    let second = dots.trailing_zeros();
    let third = (dots & (dots - 1)).trailing_zeros();
    [first - start, second - first - 1, third - second - 1, end - third - 1]
}

/// Any of the notations of RFC 4291, the last 32 bits as IPv4 too.
pub fn parse_v6(text: &[u8]) -> Option<u128> {
    if text.len() > 45 {
        return None;
    }
    let mut value = 0u128;
    let mut groups = 0;
    let mut gap = None;
    let mut at = 0;
    if text.starts_with(b"::") {
        gap = Some(0);
        at = 2;
    }
    while at < text.len() {
        let group_at = at;
        let mut group = 0u32;
        while at < text.len() && at - group_at < 5 {
            let Some(digit) = (text[at] as char).to_digit(16) else { break };
            group = group << 4 | digit;
            at += 1;
        }
        if at == group_at || at - group_at > 4 && text.get(at) != Some(&b'.') || groups == 8 {
            return None;
        }
        if text.get(at) == Some(&b'.') {
            if groups > 6 {
                return None;
            }
            value = value << 32 | u128::from(parse_v4(&text[group_at..])?);
            groups += 2;
            break;
        }
        value = value << 16 | u128::from(group);
        groups += 1;
        match &text[at..] {
            [] => {}
            [b':', b':', ..] if gap.is_none() => {
                gap = Some(groups);
                at += 2;
            }
            [b':', next, ..] if *next != b':' => at += 1,
            _ => return None,
        }
    }
    match gap {
        None => (groups == 8).then_some(value),
        Some(_) if groups > 7 => None,
        Some(before) => {
            let after = groups - before;
            let low = if after == 0 { 0 } else { value & (!0u128 >> (128 - 16 * after)) };
            let high = if before == 0 { 0 } else { value >> (16 * after) << (128 - 16 * before) };
            Some(high | low)
        }
    }
}

/// `start..end` is a dotted quad by its digits; is it an address, or a version by what stands around it?
#[inline(always)]
pub fn is_address_here(text: &Text<'_>, start: usize, end: usize, value: u32) -> bool {
    let before = |bytes| BEFORE[usize::from(text.at(start.wrapping_sub(bytes)))];
    let tells_nothing = (before(1) | before(1) >> 1 & before(2)) & NEUTRAL != 0;
    tells_nothing && text.at(end) != b'.' && text.place != Place::Version
        || is_meant_as_address(text, start, end, value)
}

/// A byte that announces no version, neither right before the number nor behind what joins them.
const NEUTRAL: u8 = 1;
/// A byte that joins what announces a version and the number, [`NEUTRAL`]'s bit one higher. A slash and a second `=` are asked
/// about apart.
const JOINS: u8 = 2;

static BEFORE: [u8; 256] = {
    let mut before = [0; 256];
    let mut b = 0;
    while b < 256 {
        before[b] = match b as u8 {
            b' ' | b'"' | b'\'' | b':' | b'=' | b'\\' => JOINS,
            b'/' | b'~' | b'n' | b'r' | b'e' | b'd' | b'v' | b'N' | b'R' | b'E' | b'D' | b'V' => 0,
            _ => NEUTRAL,
        };
        b += 1;
    }
    before
};

#[inline(never)]
fn is_meant_as_address(text: &Text<'_>, start: usize, end: usize, value: u32) -> bool {
    if text.at(end) == b'.' && text.at(end + 1).is_ascii_digit() {
        return false;
    }
    if text.place == Place::Version && text.buf[text.start..start].iter().all(|byte| leads_version(*byte)) {
        return is_no_version(value);
    }
    // The last letter that leads to it: versions are led to by `version`, `ver`, `release`, `build` and product tokens.
    let mut before = start.wrapping_sub(1);
    let mut lead = text.at(before);
    while leads_version(lead) {
        before = before.wrapping_sub(1);
        lead = text.at(before);
    }
    match lead | 0x20 {
        b'n' | b'r' | b'e' | b'd' | b'v' if is_version(text, before.wrapping_add(1)) => false,
        _ if lead == b'~' && before.wrapping_add(1) == start => !ends_an_assembly(text, before),
        _ if before.wrapping_add(1) == start => true,
        _ => match text.buf[start - 1] {
            b'/' => !is_product_version(text, start - 1, end, value),
            b'=' if text.at(start.wrapping_sub(2)) == b'=' => is_private(value) || text.names_address(start),
            _ => true,
        },
    }
}

/// `Package~31bf3856ad364e35~amd64~~6.1.1.0`: Windows joins an assembly's name, key, platform, language and version by tildes.
#[cold]
fn ends_an_assembly(text: &Text<'_>, tilde: usize) -> bool {
    let word = text.buf[text.start..tilde].iter().rev().take(120);
    word.take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~'))
        .filter(|byte| **byte == b'~')
        .count()
        > 1
}

/// What may stand between a word that announces a version and the number.
const fn leads_version(byte: u8) -> bool {
    matches!(byte, b' ' | b'"' | b'\'' | b':' | b'=' | b'\\' | b'/')
}

/// Words that announce a version.
const VERSIONS: [&[u8]; 8] = [b"version", b"ver", b"release", b"build", b"revision", b"v", b"firmware_version", b"oid"];

/// Whether a key ends with a word that announces a version: `service.version`, `kernelVersion`.
pub fn ends_as_version(key: &[u8]) -> bool {
    let word = key.iter().rposition(|byte| !byte.is_ascii_alphabetic()).map_or(key, |at| &key[at + 1..]);
    announces_version(word)
}

fn announces_version(word: &[u8]) -> bool {
    VERSIONS.iter().any(|version| {
        word.eq_ignore_ascii_case(version)
            || (version.len() > 3 || *version == b"oid")
                && word.len() > version.len()
                && word[word.len() - version.len()..].eq_ignore_ascii_case(version)
                && word[word.len() - version.len()].is_ascii_uppercase()
    })
}

/// A word that announces a version ends at `end`.
fn is_version(text: &Text<'_>, end: usize) -> bool {
    // Each ends with `on`, `er`, `se`, `ld`, `id`, or is a `v` alone.
    let before = text.at(end.wrapping_sub(2)) | 0x20;
    let ends_so = match text.at(end.wrapping_sub(1)) | 0x20 {
        b'n' => before == b'o',
        b'r' => before == b'e',
        b'e' => before == b's',
        b'd' => matches!(before, b'l' | b'i'),
        _ => true,
    };
    if !ends_so {
        return false;
    }
    let mut from = end;
    while from > text.start && end - from < 40 && text.buf[from - 1].is_ascii_alphabetic() {
        from -= 1;
    }
    announces_version(&text.buf[from..end])
}

fn is_private(value: u32) -> bool {
    matches!(value >> 24, 10 | 127) || value >> 16 == 0xc0a8 || value >> 20 == 0xac1 || value >> 16 == 0xa9fe
}

/// `Chrome/120.0.0.0`: a word right before the slash that is no host, and numbers as versions have them. Java writes
/// addresses so too (`db-1/10.0.0.1:5432`), with nothing or a host's name before the slash.
fn is_product_version(text: &Text<'_>, slash: usize, end: usize, value: u32) -> bool {
    if is_private(value) {
        return false;
    }
    let left = &text.buf[text.start.max(slash.saturating_sub(40))..slash];
    let from = slash - left.iter().rev().take_while(|byte| byte.is_ascii_alphanumeric()).count();
    let word = &text.buf[from..slash];
    let starts_a_token =
        matches!(text.at(from.wrapping_sub(1)), 0 | b' ' | b'"' | b'\'' | b'(' | b'+' | b'[' | b';' | b'\t');
    if word.is_empty() || !starts_a_token || port_follows(text, end) {
        return false;
    }
    // `DIRECT/198.51.100.7`, `OUTSIDE/198.51.100.7`: proxies' ways and firewalls' interfaces are shouted, products seldom.
    let shouted = word.len() > 2 && word.iter().all(u8::is_ascii_uppercase);
    if shouted && value & 0xffff != 0 && memmem::find(&text.buf[text.start..slash], b"Mozilla/").is_none() {
        return false;
    }
    // Product tokens begin with a capital, or the version does not look like an address of the wide net.
    word[0].is_ascii_uppercase() && !word.iter().any(u8::is_ascii_digit) || value & 0xffff == 0
}

/// `Outside/198.51.100.7(443)`, `Outside/198.51.100.7:443`, `Outside/198.51.100.7/443`.
fn port_follows(text: &Text<'_>, end: usize) -> bool {
    matches!(text.at(end), b'(' | b':' | b'/') && text.at(end + 1).is_ascii_digit()
}

/// Numbers that no version has: those of a private network that does not begin as versions do, or large ones.
fn is_no_version(value: u32) -> bool {
    let octets = value.to_be_bytes();
    let large = octets[1..].iter().filter(|octet| **octet >= 100).count();
    match octets[0] {
        10 => large > 0,
        127 => false,
        _ => is_private(value) || large + usize::from(octets[0] >= 100) > 1,
    }
}

/// A dotted quad somewhere in a run of labels that is more than one: `conn_10.0.0.1_443`, `10.0.0.1-10.0.0.9`.
/// Calls back for each, in order, and says whether it is an address by what stands around it.
pub fn v4_within(text: &Text<'_>, start: usize, end: usize, found: &mut impl FnMut(Address, bool)) {
    let mut at = start;
    while at < end {
        if !text.buf[at].is_ascii_digit() {
            at += 1;
            continue;
        }
        let mut to = at;
        let mut dots = 0;
        while to < end && (text.buf[to].is_ascii_digit() || text.buf[to] == b'.') {
            dots += usize::from(text.buf[to] == b'.');
            to += 1;
        }
        let mut quad_end = to;
        if text.buf[to - 1] == b'.' {
            quad_end -= 1;
            dots -= 1;
        }
        let port = (dots == 4).then(|| port_of_tcpdump(text, at, quad_end)).flatten();
        quad_end = port.unwrap_or(quad_end);
        if (dots == 3 || port.is_some())
            && let Some(value) = parse_v4(&text.buf[at..quad_end])
        {
            let is_address = is_loose_before(text, at, start, value)
                && is_loose_after(text, quad_end, value)
                && (port.is_some() || is_address_here(text, at, quad_end, value));
            found(Address { start: at, end: quad_end, value: V4_MAPPED | u128::from(value) }, is_address);
        }
        at = to;
    }
}

/// `192.0.2.1.443 > 198.51.100.7.51544`: where the port begins, its dot included, if one of these two stands at `start..end`.
#[cold]
fn port_of_tcpdump(text: &Text<'_>, start: usize, end: usize) -> Option<usize> {
    let around = |at: usize| [at, at.wrapping_add(1), at.wrapping_add(2)].map(|at| text.at(at)) == *b" > ";
    if !around(end) && !around(start.wrapping_sub(3)) {
        return None;
    }
    let dot = start + memchr::memrchr(b'.', &text.buf[start..end])?;
    let port = &text.buf[dot + 1..end];
    ((1..=5).contains(&port.len()) && port.iter().all(u8::is_ascii_digit)).then_some(dot)
}

/// No letter is glued to the quad's left, save that of an escape (`\n10.0.0.1`), and it does not go on a run of labels.
fn is_loose_before(text: &Text<'_>, at: usize, run: usize, value: u32) -> bool {
    if at == run {
        return true;
    }
    match text.buf[at - 1] {
        // `noise.203.0.113.7.ip`: a flattened map's key; elsewhere the numbers of a name, such as a library's.
        b'.' => text.place == Place::Name,
        // `SkypeApp_14.44.40.0_x64`, but `conn_10.0.0.1_443`
        b'_' => true,
        // `libfoo-1.2.3.4`, but `10.0.0.1-10.0.0.9`, `ip-10.0.0.1` and `Linux-SSH-198.51.100.7-root`
        b'-' => {
            at - run < 2
                || text.buf[at - 2].is_ascii_digit()
                || ends_with_address_word(&text.buf[run..at - 1])
                || is_no_version(value)
        }
        byte if byte.is_ascii_alphabetic() => text.may_be_escape(at - 1),
        byte => byte >= 0x80,
    }
}

fn ends_with_address_word(before: &[u8]) -> bool {
    [&b"ip"[..], b"addr", b"address", b"host", b"from", b"to", b"src", b"dst", b"client", b"conn", b"peer", b"node"]
        .iter()
        .any(|word| before.len() >= word.len() && before[before.len() - word.len()..].eq_ignore_ascii_case(word))
}

/// What follows does not make a version, a file or a host name of the quad.
fn is_loose_after(text: &Text<'_>, end: usize, value: u32) -> bool {
    match text.at(end) {
        b'-' if is_private(value) || is_no_version(value) => true,
        // `1.2.5.1-2` is a package's version, `1.2.5.1-1.2.5.9` a range.
        b'-' if text.at(end + 1).is_ascii_digit() => {
            let digits = (end + 1..text.end).take_while(|&i| text.buf[i].is_ascii_digit()).count();
            text.at(end + 1 + digits) == b'.'
        }
        b'-' => !text.at(end + 1).is_ascii_lowercase(),
        b'_' => is_private(value) || !names_a_build(&text.buf[end + 1..text.end]),
        // The end of a sentence, not an extension.
        b'.' => text.place == Place::Name || !text.at(end + 1).is_ascii_lowercase(),
        byte => !byte.is_ascii_alphabetic(),
    }
}

/// `4.0.0.0__b77a5c5619`, `14.44.40.0_x64`: what stands behind the versions of assemblies and packages. Any other word may
/// stand behind an address (`conn_203.0.113.7_open`).
fn names_a_build(after: &[u8]) -> bool {
    const BUILDS: [&[u8]; 20] = [
        b"x64",
        b"x86",
        b"amd64",
        b"arm",
        b"arm64",
        b"armhf",
        b"armv7",
        b"aarch64",
        b"i386",
        b"i686",
        b"ia64",
        b"noarch",
        b"neutral",
        b"any",
        b"all",
        b"none",
        b"universal",
        b"linux",
        b"win32",
        b"win64",
    ];
    let word = after.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
    after.first() == Some(&b'_') || BUILDS.iter().any(|build| after[..word].eq_ignore_ascii_case(build))
}

/// The IPv6 address around the colon at `colon`, if there is one. Returns too how far the run of its characters reaches,
/// so that nothing in it need be looked at again.
pub fn v6_around(text: &Text<'_>, colon: usize, floor: usize) -> (Option<Address>, usize) {
    let belongs = |byte: u8| byte.is_ascii_hexdigit() || byte == b':' || byte == b'.';
    let mut start = colon;
    while start > floor && colon - start <= 46 && belongs(text.buf[start - 1]) {
        start -= 1;
    }
    let mut end = colon + 1;
    while end < text.end && belongs(text.buf[end]) {
        end += 1;
    }
    (v6_in(text, start, end), end)
}

fn v6_in(text: &Text<'_>, mut start: usize, mut end: usize) -> Option<Address> {
    let run_end = end;
    // What is glued to a word on the left is the word's: `src:2001:db8::1`, but not `std::cout`.
    let glued = text.at(start.wrapping_sub(1)).is_ascii_alphanumeric() && !text.may_be_escape(start - 1);
    if glued {
        while start < end && text.buf[start] != b':' {
            start += 1;
        }
        if text.buf[start..end].starts_with(b"::") {
            return None;
        }
    }
    while end > start && text.buf[end - 1] == b'.' {
        end -= 1;
    }
    if text.buf[start..end].starts_with(b":") && !text.buf[start..end].starts_with(b"::") {
        start += 1;
    }
    if text.buf[start..end].ends_with(b":") && !text.buf[start..end].ends_with(b"::") {
        end -= 1;
    }
    let mut written = &text.buf[start..end];
    let mut value = parse_v6(written);
    if value.is_none()
        && let Some(port) = port_of_tcpdump(text, start, end)
    {
        written = &text.buf[start..port];
        value = parse_v6(written);
        end = port;
    }
    if value.is_none() {
        // Some write a port behind it without brackets: `[client ::1:37752]`.
        let colon = written.iter().rposition(|&byte| byte == b':')?;
        let port = &written[colon + 1..];
        // Behind eight groups that hide none, a ninth can be nothing else.
        let sure = port.len() == 5 || (1..=4).contains(&port.len()) && memmem::find(written, b"::").is_none();
        if sure && port.iter().all(u8::is_ascii_digit) {
            value = parse_v6(&written[..colon]);
            written = &written[..colon];
            end = start + colon;
        }
    }
    let value = value?;
    let after = text.at(end);
    if end == run_end && (after.is_ascii_alphanumeric() || after >= 0x80) {
        return None;
    }
    is_meant_as_v6(text, start, end, written).then_some(Address { start, end, value })
}

/// Scope operators (`ad::Foo`, `bed::`), world-wide names and fingerprints parse as addresses too.
fn is_meant_as_v6(text: &Text<'_>, start: usize, end: usize, written: &[u8]) -> bool {
    let has_digit = written.iter().any(u8::is_ascii_digit);
    let groups = || written.split(|&byte| byte == b':').filter(|group| !group.is_empty());
    let network_follows = text.at(end) == b'/' && text.at(end + 1).is_ascii_digit();
    let bracketed = text.at(start.wrapping_sub(1)) == b'[' && text.at(end) == b']';
    match groups().count() {
        0 => network_follows || bracketed || text.names_address(start),
        1 if written.ends_with(b"::") => {
            network_follows || bracketed || groups().all(|g| g.len() == 4 && (has_digit || g[0] | 0x20 == b'f'))
        }
        1 | 2 => has_digit || bracketed || groups().all(|group| group.len() == 4),
        8 => !groups().all(|group| group.len() == 2),
        _ => true,
    }
}
