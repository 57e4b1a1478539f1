//! The host place of a syslog header: RFC 3164 and 5424, with and without priority, with a year or an ISO timestamp.

use super::is_host_byte;

/// Words that stand behind a timestamp and are no host.
const NOT_HOSTS: [&[u8]; 38] = [
    b"info",
    b"warn",
    b"warning",
    b"error",
    b"err",
    b"debug",
    b"trace",
    b"fatal",
    b"notice",
    b"critical",
    b"crit",
    b"alert",
    b"emerg",
    b"severe",
    b"verbose",
    b"log",
    b"stdout",
    b"stderr",
    b"last",
    b"message",
    b"localhost",
    b"unknown",
    b"none",
    b"null",
    b"utc",
    b"gmt",
    b"cet",
    b"cest",
    b"est",
    b"edt",
    b"pst",
    b"pdt",
    b"cst",
    b"mst",
    b"bst",
    b"am",
    b"pm",
    b"kernel",
];

const MONTHS: [&[u8]; 12] =
    [b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec"];

/// How sure the timestamp makes that a host follows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stamp {
    /// `Jan  2 15:04:05`: nobody but syslog writes so.
    Month,
    /// ISO 8601 with `T` and zone, as rsyslog writes it.
    Iso,
    /// A date and a time, as anyone writes it.
    Loose,
}

/// Whether a text may begin with a header: with a month, a date or a priority.
#[inline]
pub fn may_begin(text: &[u8]) -> bool {
    text.len() > 16
        && match text[0] {
            b'<' => text[1].is_ascii_digit(),
            b'0'..=b'9' => matches!(text[4], b'-' | b'/' | b':'),
            b'A'..=b'Z' => text[3] == b' ' && may_be_month(text[1], text[2]),
            _ => false,
        }
}

/// Whether a month's second and third letters may be these. True too often, never too seldom.
fn may_be_month(second: u8, third: u8) -> bool {
    const THIRDS: [u32; 32] = {
        let mut thirds = [0; 32];
        let mut month = 0;
        while month < MONTHS.len() {
            let [_, second, third] = MONTHS[month] else { panic!("a month has three letters here") };
            thirds[(*second & 31) as usize] |= 1 << (*third & 31);
            month += 1;
        }
        thirds
    };
    THIRDS[usize::from(second & 31)] >> (third & 31) & 1 != 0
}

/// The range of the header's host within `text`.
pub fn host(text: &[u8]) -> Option<(usize, usize)> {
    let mut cursor = Cursor { text, at: 0 };
    let priority = cursor.priority();
    let version = priority && cursor.version();
    let stamp = cursor.timestamp(version)?;
    if !cursor.spaces() {
        return None;
    }
    let (stamp, priority) =
        cursor.header_within().map_or((stamp, priority), |(stamp, within)| (stamp, priority | within));
    let start = cursor.at;
    let length = text[start..].iter().take_while(|b| is_host_byte(**b)).count();
    let (host, rest) = (&text[start..start + length], &text[start + length..]);
    // Cisco writes `host : %ASA-…` and `host: %ASA-…`.
    let ends = rest.first() == Some(&b' ') || rest.starts_with(b": %");
    let shaped = host.first().is_some_and(|b| b.is_ascii_alphanumeric() || *b >= 0x80)
        && host.iter().any(|b| b.is_ascii_alphabetic() || *b >= 0x80)
        && length <= 253;
    if !ends || !shaped || NOT_HOSTS.iter().any(|word| word.eq_ignore_ascii_case(host)) {
        return None;
    }
    let rest = rest.trim_ascii_start();
    let sure = match stamp {
        _ if version => true,
        Stamp::Month => priority || tag_follows(rest) || is_marked(host),
        Stamp::Iso => priority || tag_follows(rest),
        Stamp::Loose => priority && tag_follows(rest) || process_follows(rest),
    };
    sure.then_some((start, start + length))
}

/// A program's name with a process id or a colon, or one of the words that stand in its place.
fn tag_follows(rest: &[u8]) -> bool {
    let mut words = rest.split(|b| *b == b' ').filter(|word| !word.is_empty());
    let first = words.next().unwrap_or_default();
    let lead = [&b"CEF"[..], b"LEEF", b"last", b"message", b":", b"-"].contains(&first);
    // PAN-OS has no tag: `1,2023/07/06 08:11:40,…`.
    let csv = first.starts_with(b"1,20") && first.get(6) == Some(&b'/');
    // `host=2001:db8::1` is no tag.
    let tag = || first.iter().take_while(|b| **b != b'=').any(|b| matches!(b, b':' | b'['));
    lead || csv || tag() || words.take(3).any(is_process)
}

/// `name[123]` or `name[123]:`.
fn process_follows(rest: &[u8]) -> bool {
    rest.split(|b| *b == b' ').next().is_some_and(is_process)
}

fn is_process(word: &[u8]) -> bool {
    let word = word.strip_suffix(b":").unwrap_or(word);
    let Some(inside) = word.strip_suffix(b"]") else { return false };
    let Some(open) = memchr::memrchr(b'[', inside) else { return false };
    open > 0 && open + 1 < inside.len() && inside[open + 1..].iter().all(u8::is_ascii_digit)
}

/// Has what machines' names have and words have not.
fn is_marked(host: &[u8]) -> bool {
    host.iter().any(u8::is_ascii_digit) || memchr::memchr2(b'-', b'.', host).is_some()
}

struct Cursor<'a> {
    text: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn peek(&self) -> u8 {
        self.text.get(self.at).copied().unwrap_or(0)
    }

    fn take(&mut self, wanted: u8) -> bool {
        let is = self.peek() == wanted;
        self.at += usize::from(is);
        is
    }

    fn spaces(&mut self) -> bool {
        let start = self.at;
        while self.take(b' ') {}
        self.at > start
    }

    /// Takes `from..=to` digits, or none at all.
    fn digits(&mut self, from: usize, to: usize) -> bool {
        let count =
            self.text[self.at.min(self.text.len())..].iter().take(to + 1).take_while(|b| b.is_ascii_digit()).count();
        let fits = (from..=to).contains(&count);
        self.at += if fits { count } else { 0 };
        fits
    }

    /// Runs `parse`; goes back if it does not hold.
    fn attempt(&mut self, parse: impl FnOnce(&mut Self) -> bool) -> bool {
        let start = self.at;
        let holds = parse(self);
        if !holds {
            self.at = start;
        }
        holds
    }

    fn priority(&mut self) -> bool {
        self.attempt(|c| c.take(b'<') && c.digits(1, 3) && c.take(b'>'))
    }

    fn version(&mut self) -> bool {
        self.attempt(|c| c.digits(1, 2) && c.take(b' ') && (c.peek().is_ascii_digit() || c.peek() == b'-'))
    }

    fn timestamp(&mut self, version: bool) -> Option<Stamp> {
        if version && self.attempt(|c| c.take(b'-') && c.peek() == b' ') {
            return Some(Stamp::Iso);
        }
        if self.attempt(Self::month_stamp) {
            return Some(Stamp::Month);
        }
        self.date_stamp()
    }

    /// Collectors put their own time before a line's header (`2024-01-02T03:04:05Z Jan  2 03:04:04 fw sshd[1]: …`): how sure the
    /// second one makes, and whether it has a priority. Takes the spaces behind it, too.
    fn header_within(&mut self) -> Option<(Stamp, bool)> {
        let start = self.at;
        let priority = self.priority();
        let version = priority && self.version();
        let stamp = self.timestamp(version);
        if stamp.is_some() && self.spaces() {
            return stamp.map(|stamp| (stamp, priority));
        }
        self.at = start;
        None
    }

    fn month_stamp(&mut self) -> bool {
        let _ = self.take(b'*');
        let Some(month) = self.text.get(self.at..self.at + 3) else { return false };
        self.at += 3;
        let named = MONTHS.iter().any(|name| name.eq_ignore_ascii_case(month));
        let day = named && self.spaces() && self.digits(1, 2) && self.spaces();
        let _ = day && self.attempt(|c| c.digits(4, 4) && c.spaces());
        let timed = day && self.clock();
        let _ = timed && self.attempt(|c| c.spaces() && c.digits(4, 4) && c.peek() == b' ');
        let _ = timed && self.attempt(Self::zone_name);
        timed
    }

    fn clock(&mut self) -> bool {
        let holds = self.digits(1, 2) && self.take(b':') && self.digits(2, 2) && self.take(b':') && self.digits(2, 2);
        let _ = holds && self.attempt(|c| (c.take(b'.') || c.take(b',')) && c.digits(1, 9));
        holds
    }

    fn zone_name(&mut self) -> bool {
        const ZONES: [&[u8]; 11] =
            [b"UTC", b"GMT", b"CET", b"CEST", b"EST", b"EDT", b"PST", b"PDT", b"CST", b"MST", b"BST"];
        let spaced = self.spaces();
        let length = self.text[self.at..].iter().take_while(|b| b.is_ascii_uppercase()).count();
        let named = ZONES.contains(&&self.text[self.at..self.at + length]);
        self.at += length;
        spaced && named && self.peek() == b' '
    }

    fn date_stamp(&mut self) -> Option<Stamp> {
        let separator = *self.text.get(self.at + 4)?;
        let date = matches!(separator, b'-' | b'/' | b':')
            && self.digits(4, 4)
            && self.take(separator)
            && self.digits(2, 2)
            && self.take(separator)
            && self.digits(2, 2);
        // `2024:01:02-03:04:05`: nobody but Sophos writes so, and always as syslog's header.
        if separator == b':' {
            return (date && self.take(b'-') && self.clock()).then_some(Stamp::Month);
        }
        let joined = date && self.take(b'T');
        if !date || !(joined || self.take(b' ')) || !self.clock() {
            return None;
        }
        let zoned = self.take(b'Z')
            || self.attempt(|c| (c.take(b'+') || c.take(b'-')) && c.digits(2, 2) && c.take(b':') && c.digits(2, 2))
            || self.attempt(|c| (c.take(b'+') || c.take(b'-')) && c.digits(4, 4));
        let _ = self.attempt(Self::zone_name);
        Some(if joined && zoned { Stamp::Iso } else { Stamp::Loose })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Option<&str> {
        may_begin(text.as_bytes()).then(|| host(text.as_bytes()).map(|(start, end)| &text[start..end])).flatten()
    }

    #[test]
    fn the_host_place_of_every_header_is_found() {
        for text in [
            "Feb  9 21:19:40 fw sshd[8317]: subsystem request",
            "Feb 19 10:38:14 fw last message repeated 2 times",
            "Oct 10 2018 12:34:56 fw CiscoASA[999]: %ASA-6-305011: Built",
            "Oct 10 2018 12:34:56 fw : %ASA-6-305011: Built",
            "Oct 10 2018 12:34:56 fw: %ASA-6-305011: Built",
            "Dec 13 11:35:28 fw Google Chrome[85294]: objc",
            "Sep  8 08:32:20 fw CEF: 0|Ubiquiti|UniFi",
            "<134>1 2022-09-06T18:37:34+02:00 fw filterlog 69805 - [meta] x",
            "<34>Oct 11 22:14:15 fw su: 'su root' failed",
            "<165>1 - fw app - - - x",
            "<34>1 2022-09-06 18:37:34 fw app 12 - - started",
            "2018-08-14T14:30:02.203151+02:00 fw systemd[4179]: Stopped",
            "1986-04-26T01:23:45.101+0400 fw shutdown[2649]: shutting down",
            "2021-05-28 18:08:01,124 fw proftpd[498625] x",
            "2024-01-02T03:04:05Z fw dovecot: auth",
            "2023-07-06T08:11:40+02:00 fw 1,2023/07/06 08:11:40,016401002737,THREAT",
            "2020-02-20T07:02:18.000Z Feb 20 07:02:18 fw sshd[12]: behind a collector's time",
            "2020-02-20 07:02:18 <34>Oct 11 22:14:15 fw su: 'su root' failed",
            "Feb 20 07:02:18 2020-02-20T07:02:18+01:00 fw sshd[12]: twice",
            "2019:02:02-20:27:57 fw httpproxy[123]: id=1",
            "2019:02:02-20:27:57 fw reverseproxy: [x] [y:z]",
        ] {
            assert_eq!(found(text), Some("fw"), "{text}");
        }
        assert_eq!(found("Jun 27 09:02:22 Dream-Machine-Pro started"), Some("Dream-Machine-Pro"));
    }

    #[test]
    fn other_lines_with_a_timestamp_have_no_host_place() {
        for text in [
            "2023-01-01T10:00:00Z INFO main: started",
            "2023-01-01 10:00:00 Starting worker: 3",
            "2017-07-31 13:36:42.585 CEST [4974] postgres@mydb LOG: x",
            "Jan 02 15:04:05 Starting the server",
            "Jan 12 06:49:42: %SYS-5-CONFIG_I: x",
            "Feb 19 10:38:14 localhost sshd[1]: x",
            "Mar  3 12:00:00 10.0.0.1 : %ASA-6-1: x",
            "Oct 10 2018 12:34:56",
            "May be 12:00:00 x",
            "2018-08-14T14:30:02Z",
            "2022-02-13T10:42:37.830Z CLOSE host=2001:db8::1 port=5",
            "2020-02-20T07:02:18.000Z Feb 20 07:02:18",
            "2019:02:02-20:27:57",
        ] {
            assert_eq!(found(text), None, "{text}");
        }
    }

    #[test]
    fn no_cut_of_a_header_is_read_beyond_its_end() {
        let text = b"<134>1 2022-09-06T18:37:34.123+02:00 fw filterlog 69805 - [meta] x";
        for end in 0..text.len() {
            for start in 0..end {
                let _ = host(&text[start..end]);
            }
        }
    }
}
