//! Short host names that only what stands around them gives away: a key, a syslog header, an address of a firewall line,
//! `user@name`, `\\name\share`, `DOMAIN\user`.
//!
//! What is found here holds for the whole record: the caller adds it to the record's [`Known`](super::Known) names.

mod bytes;
mod header;
mod keys;
mod leads;
mod windows;

use super::known::{is_placeholder, is_word};
use super::{Entity, Span, Wanted, Writing, host};
use bytes::{HOST, KEY};
use keys::{KeyClass, class_of, names};
pub use leads::note;

/// A text's first brackets: HAProxy's lines have what they say of servers behind one of them.
const BRACKETS: usize = 4;

/// Appends the spans of hosts and users that the context gives away in `buf[start..end]`; in no order, and also such as
/// other recognisers find by their shape. `leads` are the offsets that [`note`] took down of all `=`, `<`, `\`, `]` and `@` in
/// the text, e-mail addresses' apart, and of its colons but those between digits; other bytes there do no harm.
#[inline]
pub fn find_in(buf: &[u8], start: usize, end: usize, wanted: Wanted, leads: &[u32], spans: &mut Vec<Span>) {
    if !leads.is_empty() || header::may_begin(&buf[start..end]) {
        judge(buf, start, end, wanted, leads, spans);
    }
}

#[inline(never)]
fn judge(buf: &[u8], start: usize, end: usize, wanted: Wanted, leads: &[u32], spans: &mut Vec<Span>) {
    let text = &buf[start..end];
    let mut sink = Sink { spans, offset: start, text, wanted };
    if header::may_begin(text)
        && let Some((start, end)) = header::host(text)
    {
        sink.host(start, end);
    }
    let mut brackets = 0;
    for at in leads.iter().map(|at| *at as usize - start) {
        match text[at] {
            b'=' => equals(text, at, &mut sink),
            b':' => colon(text, at, &mut sink),
            b'\\' => windows::backslash(text, at, &mut sink),
            b'<' => element(text, at, &mut sink),
            b'@' => at_sign(text, at, &mut sink),
            b']' => {
                brackets += 1;
                if brackets <= BRACKETS {
                    balanced_server(text, at, &mut sink);
                }
            }
            _ => {}
        }
    }
}

/// Where spans go, as offsets into the buffer.
struct Sink<'a> {
    spans: &'a mut Vec<Span>,
    offset: usize,
    text: &'a [u8],
    wanted: Wanted,
}

impl Sink<'_> {
    fn host(&mut self, start: usize, end: usize) {
        if self.wanted.has(Wanted::HOST) && !host::is_token(&self.text[start..end]) {
            self.push(start, end, Entity::Host);
        }
    }

    /// Whether what begins right behind a separator was found to be a host's name by its shape, all of it.
    fn knows_host_behind(&self, at: usize) -> bool {
        let start = (self.offset + at + 1) as u32;
        self.spans.iter().any(|span| {
            span.start == start
                && span.entity == Entity::Host
                && self.text.get(span.end as usize - self.offset).is_none_or(|b| !is_host_byte(*b))
        })
    }

    /// Whether these very bytes were found to be a host's name by their shape.
    fn knows_host(&self, start: usize, end: usize) -> bool {
        let (start, end) = ((self.offset + start) as u32, (self.offset + end) as u32);
        self.spans.iter().any(|span| (span.start, span.end, span.entity) == (start, end, Entity::Host))
    }

    fn user(&mut self, start: usize, end: usize) {
        if self.wanted.has(Wanted::USER) {
            self.push(start, end, Entity::User);
        }
    }

    fn push(&mut self, start: usize, end: usize, entity: Entity) {
        let (start, end) = ((self.offset + start) as u32, (self.offset + end) as u32);
        self.spans.push(Span { start, end, entity, writing: Writing::Plain, address: 0 });
    }
}

#[inline(always)]
fn is_host_byte(b: u8) -> bool {
    bytes::is(b, HOST)
}

/// `hostname=fw01`, `dvchost="fw01"`.
fn equals(text: &[u8], at: usize, sink: &mut Sink<'_>) {
    if sink.knows_host_behind(at) {
        return;
    }
    if let Some(class) = key_before(text, at, false) {
        value_behind(text, at + 1, class, Separator::Equals, sink);
    }
}

/// `"computer_name": "DC-2"`, `Computer: DC-2`, `Workstation Name:\t\tDC-2`, `inside:DC-2/443`.
fn colon(text: &[u8], at: usize, sink: &mut Sink<'_>) {
    // `::` is no separator, nor is that of a URL.
    if at == 0 || matches!(text.get(at + 1), Some(b':' | b'/')) {
        return;
    }
    if firewall_address(text, at, sink) {
        return;
    }
    let quoted = matches!(text[at - 1], b'"' | b'\'');
    if let Some(class) = key_before(text, at, !quoted) {
        value_behind(text, at + 1, class, if quoted { Separator::Member } else { Separator::Colon }, sink);
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Separator {
    Equals,
    /// The colon of a JSON member.
    Member,
    /// The colon of prose and of Windows messages.
    Colon,
}

/// What the key that ends before the separator at `at` names. In prose a key may be of several words.
fn key_before(text: &[u8], at: usize, prose: bool) -> Option<KeyClass> {
    const LONGEST: usize = 40;
    let (end, quoted) = key_end(text, at);
    if !keys::may_end(&text[..end], prose) {
        return None;
    }
    let floor = end.saturating_sub(LONGEST);
    let word_before = |end: usize| (floor..end).rev().find(|&i| !bytes::is(text[i], KEY)).map_or(floor, |i| i + 1);
    let mut start = past_escape(text, word_before(end), end);
    if !prose || quoted {
        return class_of(&text[start..end]);
    }
    // `host:` begins many a sentence.
    if text[start..end].eq_ignore_ascii_case(b"host") {
        return Some(KeyClass::MaybeHost);
    }
    // Of `Source Workstation:` the longest known phrase counts, and of `a host:` the last word.
    let mut class = class_of(&text[start..end]);
    for _ in 0..2 {
        if start < 2 || start <= floor || text[start - 1] != b' ' || !text[start - 2].is_ascii_alphabetic() {
            break;
        }
        start = past_escape(text, word_before(start - 1), start - 1);
        class = class_of(&text[start..end]).or(class);
    }
    class
}

/// Where the key ends that stands before the separator at `at`, behind a space or a quote, escaped or not; whether it is
/// quoted.
#[inline(always)]
fn key_end(text: &[u8], at: usize) -> (usize, bool) {
    let mut end = at;
    if end > 0 && text[end - 1] == b' ' {
        end -= 1;
    }
    let quoted = end > 0 && matches!(text[end - 1], b'"' | b'\'');
    if quoted {
        end -= 1;
        while end > 0 && text[end - 1] == b'\\' {
            end -= 1;
        }
    }
    (end, quoted)
}

/// `start`, or behind the letter of an escape such as the `\n` that a key seems to begin with.
fn past_escape(text: &[u8], start: usize, end: usize) -> usize {
    let escape = start > 0 && text[start - 1] == b'\\' && start + 1 < end && matches!(text[start], b'n' | b'r' | b't');
    start + usize::from(escape)
}

/// Reports the value that begins behind a separator, if it has a host's shape.
fn value_behind(text: &[u8], from: usize, class: KeyClass, separator: Separator, sink: &mut Sink<'_>) {
    let (start, quoted) = skip_lead(text, from);
    let end = host_end(text, start);
    if sink.knows_host(start, end) {
        return;
    }
    let name = &text[start..end];
    let behind = text.get(end).copied();
    let marked = is_marked(name);
    let believable = match (class, separator) {
        (KeyClass::MaybeHost, _) => marked && !name.contains(&b'.') && name.len() <= 63 && !is_uuid(name),
        (_, Separator::Colon) if !quoted => marked || ends_clause(text, end),
        _ => true,
    };
    let goes_on = matches!(behind, Some(b'(' | b'=' | b'@' | b'$' | b'%' | b'*'));
    if believable && !goes_on && is_short_host(name) && !begins_ipv6(text, start, end) {
        sink.host(start, end);
    }
}

/// Behind the white space (escaped too), quotes and brackets that lead a value; whether there was a quote.
fn skip_lead(text: &[u8], from: usize) -> (usize, bool) {
    let mut at = from;
    let mut quoted = false;
    while at < text.len() && at < from + 16 {
        match text[at] {
            b' ' | b'\t' | b'[' | b'=' => at += 1,
            b'"' | b'\'' => {
                quoted = true;
                at += 1;
            }
            b'\\' if text.get(at + 1) == Some(&b't') => at += 2,
            b'\\' if matches!(text.get(at + 1), Some(b'"' | b'\\')) => at += 1,
            _ => break,
        }
    }
    (at, quoted)
}

/// Where the run of host bytes from `start` on ends; a dot or hyphen at its end is none of it.
fn host_end(text: &[u8], start: usize) -> usize {
    let mut end = start + text[start..].iter().take_while(|b| is_host_byte(**b)).count();
    while end > start && !is_word(text[end - 1]) {
        end -= 1;
    }
    end
}

/// Nothing of a sentence follows: the line, the list or the text ends here.
fn ends_clause(text: &[u8], end: usize) -> bool {
    match text.get(end) {
        None | Some(b'\r' | b'\n' | b'\t' | b',' | b';' | b')' | b']' | b'|' | b'"' | b'\'' | b'\\' | b'<' | b':') => {
            true
        }
        Some(b' ') => matches!(text.get(end + 1), None | Some(b' ' | b'[' | b'(' | b'|')),
        _ => false,
    }
}

/// Letters and digits of a name, not a number, not a placeholder.
fn is_short_host(name: &[u8]) -> bool {
    let letter = |b: &u8| b.is_ascii_alphabetic() || *b >= 0x80;
    (2..=253).contains(&name.len())
        && is_word(name[0])
        && name.iter().any(letter)
        && !is_placeholder(name)
        && !name.starts_with(b"0x")
}

/// Has what machines' names have and words have not: a digit or hyphen between letters, or nothing but capitals.
fn is_marked(name: &[u8]) -> bool {
    let digits = name.iter().filter(|b| b.is_ascii_digit()).count();
    let letters = name.iter().filter(|b| b.is_ascii_alphabetic()).count();
    let hyphen = name.contains(&b'-');
    letters >= 2 && (digits > 0 || hyphen) && digits <= 2 * letters + 4
}

/// `[instance: 7e7cc42f-…]`: a number, not a name.
fn is_uuid(name: &[u8]) -> bool {
    let hyphen = |at| matches!(at, 8 | 13 | 18 | 23);
    name.len() == 36
        && name.iter().enumerate().all(|(at, b)| if hyphen(at) { *b == b'-' } else { b.is_ascii_hexdigit() })
}

/// `fe80::1`, `2001:db8:…`: an address, of which the first group looks like a name.
fn begins_ipv6(text: &[u8], start: usize, end: usize) -> bool {
    let group = end - start <= 4 && text[start..end].iter().all(u8::is_ascii_hexdigit);
    group
        && text.get(end) == Some(&b':')
        && text[end + 1..].iter().take(5).any(|b| b.is_ascii_alphabetic() || *b == b':')
}

/// `<Computer>DC-2</Computer>`, `<Data Name="WorkstationName">DC-2</Data>`.
fn element(text: &[u8], at: usize, sink: &mut Sink<'_>) {
    let Some(tag) = tag_of_key(text, at) else { return };
    let named = memchr::memchr_iter(b'=', tag).find(|at| tag[..*at].ends_with(b"Name"));
    let key = named.map_or(tag, |at| tag[at + 1..].trim_ascii_end());
    let from = key.iter().position(|b| !is_quote(*b)).unwrap_or(key.len());
    let to = key.iter().rposition(|b| !is_quote(*b)).map_or(from, |i| i + 1);
    if names(&key[from..to]) != Some(KeyClass::Host) {
        return;
    }
    let start = at + 1 + tag.len() + 1;
    let end = host_end(text, start);
    if text.get(end) == Some(&b'<') && is_short_host(&text[start..end]) {
        sink.host(start, end);
    }
}

/// What stands between the `<` at `at` and the next `>`, if a key that is known may end there.
fn tag_of_key(text: &[u8], at: usize) -> Option<&[u8]> {
    const LONGEST: usize = 80;
    let inside = &text[at + 1..text.len().min(at + 1 + LONGEST)];
    let tag = &inside[..memchr::memchr(b'>', inside)?];
    let mut key = tag.trim_ascii_end();
    while let [rest @ .., last] = key
        && is_quote(*last)
    {
        key = rest;
    }
    keys::may_end(key, true).then_some(tag)
}

const fn is_quote(b: u8) -> bool {
    matches!(b, b'"' | b'\'' | b'\\')
}

/// `src inside:DC-2/443`, as firewalls write who talks to whom. Whether there was one.
fn firewall_address(text: &[u8], at: usize, sink: &mut Sink<'_>) -> bool {
    if firewall_interface(text, at).is_none() {
        return false;
    }
    let end = host_end(text, at + 1);
    if text.get(end) != Some(&b'/') || end == at + 1 {
        return false;
    }
    let port = text[end + 1..].iter().take(6).take_while(|b| b.is_ascii_digit()).count();
    let is = (1..=5).contains(&port) && is_short_host(&text[at + 1..end]);
    if is {
        sink.host(at + 1, end);
    }
    is
}

/// Where the interface begins that stands before the colon at `at`, if a word such as `src` leads it.
fn firewall_interface(text: &[u8], at: usize) -> Option<usize> {
    const LEADS: [&[u8]; 8] = [b"src", b"dst", b"to", b"from", b"for", b"faddr", b"gaddr", b"laddr"];
    const LONGEST: usize = 32;
    let interface = text[..at].iter().rev().take(LONGEST).take_while(|b| is_host_byte(**b)).count();
    let start = at - interface;
    if interface < LONGEST && !text[..start].last().is_some_and(u8::is_ascii_whitespace) {
        return None;
    }
    let before = text[..start].trim_ascii_end();
    let lead = before.iter().rev().take(6).take_while(|b| b.is_ascii_alphabetic()).count();
    let word = &before[before.len() - lead..];
    (interface > 0 && LEADS.iter().any(|lead| lead.eq_ignore_ascii_case(word))).then_some(start)
}

/// `[12/Mar/2021:06:56:28.088] front~ back/web-1 0/0/0/1263/1264 200`: the server that HAProxy chose, between its date and
/// its timers.
fn balanced_server(text: &[u8], at: usize, sink: &mut Sink<'_>) {
    if let Some((start, end)) = chosen_server(text, at) {
        sink.host(start, end);
    }
}

/// The range of that server behind the bracket at `at`.
fn chosen_server(text: &[u8], at: usize) -> Option<(usize, usize)> {
    let rest = text[at + 1..].strip_prefix(b" ")?;
    let frontend = &rest[..memchr::memchr(b' ', rest)?];
    let chosen = &rest[frontend.len() + 1..];
    let slash = memchr::memchr2(b' ', b'/', chosen).filter(|at| chosen[*at] == b'/')?;
    let timers = chosen[slash..].splitn(3, |b| *b == b' ').nth(1)?;
    let is_timer = |timer: &[u8]| {
        let digits = timer.strip_prefix(b"-").or(timer.strip_prefix(b"+")).unwrap_or(timer);
        !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)
    };
    let timed = timers.iter().filter(|b| **b == b'/').count() >= 2 && timers.split(|b| *b == b'/').all(is_timer);
    let start = at + 1 + 1 + frontend.len() + 1 + slash + 1;
    let end = host_end(text, start);
    (timed && text.get(end) == Some(&b' ') && is_short_host(&text[start..end])).then_some((start, end))
}

/// `root@fw01`, `'app'@'fw01'`, `[app] @ fw01 [10.0.0.1]`. A name with dots is the e-mail recogniser's.
fn at_sign(text: &[u8], at: usize, sink: &mut Sink<'_>) {
    let quoted = at > 0 && matches!(text[at - 1], b'\'' | b'`') && text.get(at + 1) == Some(&text[at - 1]);
    let spaced = text[..at].ends_with(b"] ") && text.get(at + 1) == Some(&b' ');
    let start = at + 1 + usize::from(quoted || spaced);
    if start > text.len() {
        return;
    }
    let end = host_end(text, start);
    let name = &text[start..end];
    if !is_short_host(name) || (!quoted && name.contains(&b'.')) {
        return;
    }
    let behind = &text[end..];
    let led = if quoted {
        behind.first() == Some(&text[at - 1])
    } else if spaced {
        behind.starts_with(b" [")
    } else {
        let goes_on = behind.first().is_some_and(|b| matches!(b, b'/' | b'=' | b'(' | b'@' | b'%'));
        let digest =
            behind.first() == Some(&b':') && behind.len() > 17 && behind[1..17].iter().all(u8::is_ascii_hexdigit);
        !goes_on && !digest && is_login(text, at, name)
    };
    if led {
        sink.host(start, end);
    }
}

/// Whether the `@` before `name` joins an account to a host, and not a package to its version.
fn is_login(text: &[u8], at: usize, name: &[u8]) -> bool {
    const ACCOUNTS: [&[u8]; 8] =
        [b"root", b"admin", b"administrator", b"ubuntu", b"ec2-user", b"centos", b"debian", b"deploy"];
    const COMMANDS: [&[u8]; 5] = [b"ssh ", b"scp ", b"sftp ", b"rsync ", b"mosh "];
    const TAGS: [&[u8]; 7] = [b"latest", b"next", b"beta", b"alpha", b"canary", b"stable", b"sha256"];
    let is_account = |b: u8| is_host_byte(b) || b == b'+';
    let length = text[..at].iter().rev().take(64).take_while(|b| is_account(**b)).count();
    let account = &text[at - length..at];
    let before = &text[..at - length];
    if length == 0 || before.last().is_some_and(|b| matches!(b, b'/' | b'@' | b':')) || TAGS.contains(&name) {
        return false;
    }
    let commanded =
        COMMANDS.iter().any(|word| memchr::memmem::find(&before[before.len().saturating_sub(48)..], word).is_some());
    // Java names a process `<pid>@<host>`; a machine without a name of its own has its container's id, of twelve digits.
    let is_process = length >= 3 && account.iter().all(u8::is_ascii_digit) && !name[0].is_ascii_digit();
    let is_container = name.len() == 12 && name.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let version = name[0].is_ascii_digit() && !is_container
        || (name[0] == b'v' && name[1].is_ascii_digit())
        || name.starts_with(b"sha");
    let terminal = name.starts_with(b"tty") || name.starts_with(b"pts");
    commanded || ACCOUNTS.contains(&account) || (is_marked(name) || is_process) && !version && !terminal
}

#[cfg(test)]
mod tests;
