//! A text as the recognisers see it: a part of a buffer, with nothing readable beyond its ends.

use super::{Place, Wanted};

#[derive(Clone, Copy)]
pub struct Text<'a> {
    pub buf: &'a [u8],
    pub start: usize,
    pub end: usize,
    pub wanted: Wanted,
    pub place: Place,
}

impl Text<'_> {
    /// The byte at an offset, 0 outside the text.
    #[inline(always)]
    pub fn at(&self, offset: usize) -> u8 {
        if offset >= self.start && offset < self.end { self.buf[offset] } else { 0 }
    }

    /// Whether the letter at `offset` belongs to an escape: an odd number of backslashes stands before it.
    pub fn is_escape(&self, offset: usize) -> bool {
        if !matches!(self.at(offset), b'n' | b't' | b'r' | b'u' | b'b' | b'f' | b'v') {
            return false;
        }
        let backslashes = (self.start..offset).rev().take(16).take_while(|&i| self.buf[i] == b'\\').count();
        backslashes % 2 == 1
    }

    /// The same of a text that may have been escaped more than once, as JSON within JSON is: any backslash before an `n`, `t` or
    /// `r` will do. For what a letter glued to it would otherwise hide.
    #[inline(always)]
    pub fn may_be_escape(&self, offset: usize) -> bool {
        let escapes = self.at(offset.wrapping_sub(1)) == b'\\';
        escapes && (matches!(self.at(offset), b'n' | b't' | b'r') || self.is_escape(offset))
    }

    /// Where the text really begins that was cut at `offset`: past an escape's letters (`\n`, `\u003c`).
    #[inline(always)]
    pub fn past_escape(&self, offset: usize) -> usize {
        if self.at(offset.wrapping_sub(1)) == b'\\' { self.past_escape_letters(offset) } else { offset }
    }

    #[cold]
    fn past_escape_letters(&self, offset: usize) -> usize {
        if !self.is_escape(offset) {
            return offset;
        }
        if self.at(offset) == b'u' && (1..=4).all(|i| self.at(offset + i).is_ascii_hexdigit()) {
            return offset + 5;
        }
        offset + 1
    }

    /// Whether [`names_address`](Self::names_address) may hold, by the three bytes before. True too often, never too seldom.
    #[inline(always)]
    pub fn may_name_address(&self, offset: usize) -> bool {
        let before = |bytes| self.at(offset.wrapping_sub(bytes));
        let may_end = |byte| byte == b't' || joins(byte);
        before(1) == b't' || joins(before(1)) && (may_end(before(2)) || may_end_word(&[before(3), before(2)]))
    }

    /// Whether the word that leads to `offset` (`host=`, `"server_name": "`, `addr==`) names an address or a host.
    pub fn names_address(&self, offset: usize) -> bool {
        let limit = self.start.max(offset.saturating_sub(40));
        let mut to = offset;
        let mut joined = false;
        while to > limit {
            match self.buf[to - 1] {
                byte if joins(byte) => joined = true,
                // An escaped tab between a name and its value.
                b't' if to >= limit + 2 && self.buf[to - 2] == b'\\' => to -= 1,
                _ => break,
            }
            to -= 1;
        }
        if to == self.start {
            return self.place == Place::HostByKey;
        }
        if !joined || !may_end_word(&self.buf[limit.min(to)..to]) {
            return false;
        }
        let mut from = to;
        while from > limit && (self.buf[from - 1].is_ascii_alphanumeric() || self.buf[from - 1] == b'_') {
            from -= 1;
        }
        ends_with_one_of(&self.buf[from..to], &WORDS)
    }
}

/// Whether a key ends with a word that names a host or a URL, and little else.
pub fn ends_as_host(key: &[u8]) -> bool {
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let word = key.iter().rposition(|byte| !is_word(byte)).map_or(key, |at| &key[at + 1..]);
    ends_with_one_of(word, &WORDS[..KEYS])
}

fn ends_with_one_of(word: &[u8], ends: &[&[u8]]) -> bool {
    ends.iter().any(|end| {
        word.len() >= end.len()
            && word[word.len() - end.len()..].eq_ignore_ascii_case(end)
            && (word.len() == end.len() || end.len() > 3 || is_boundary(word, word.len() - end.len()))
    })
}

/// Whether a byte may stand between a word and what it names.
const fn joins(byte: u8) -> bool {
    matches!(byte, b'=' | b':' | b'"' | b'\'' | b' ' | b'\\' | b'[' | b'(' | b'<' | b'\t')
}

/// So many of [`WORDS`] say of a key's value that it is a host or a URL.
const KEYS: usize = 17;

/// What leads to an address or a host.
const WORDS: [&[u8]; 27] = [
    b"host",
    b"hostname",
    b"server",
    b"servername",
    b"domain",
    b"sni",
    b"fqdn",
    b"url",
    b"uri",
    b"addr",
    b"address",
    b"vhost",
    b"authority",
    b"referer",
    b"referrer",
    b"rhost",
    b"upstream",
    // In a text only.
    b"site",
    b"dns",
    b"query",
    b"dst",
    b"src",
    b"ip",
    b"peer",
    b"node",
    b"origin",
    b"endpoint",
];

/// Whether a word may end with one of [`WORDS`]: by its last two letters.
fn may_end_word(word: &[u8]) -> bool {
    const ENDS: [u32; 32] = {
        let mut ends = [0; 32];
        let mut index = 0;
        while index < WORDS.len() {
            let word = WORDS[index];
            ends[(word[word.len() - 1] & 31) as usize] |= 1 << (word[word.len() - 2] & 31);
            index += 1;
        }
        ends
    };
    word.last_chunk::<2>().is_some_and(|[before, last]| ENDS[usize::from(last & 31)] >> (before & 31) & 1 != 0)
}

/// Whether a new word begins there: `client_ip`, `clientIp`.
fn is_boundary(word: &[u8], at: usize) -> bool {
    word[at - 1] == b'_' || word[at].is_ascii_uppercase() && word[at - 1].is_ascii_lowercase()
}
