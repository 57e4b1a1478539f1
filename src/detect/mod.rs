//! Text in, spans out. Knows nothing of OTLP, of policy or of tokens.

#[cfg(test)]
pub(crate) mod cases;
pub mod context;
pub mod dictionary;
mod email;
pub mod embedded;
mod host;
mod ip;
mod known;
mod overlap;
pub mod pattern;
mod percent;
mod search;
mod text;
mod tld;

use std::ops::BitOr;

use crate::scan::Best;
pub use dictionary::{Dictionaries, DictionarySpec};
pub use known::{Known, Pairs};
pub use pattern::{PatternError, PatternScratch, PatternSpec, Patterns, Validator};

use search::Finder;
use text::Text;

/// What a span was recognised as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Entity {
    /// An IPv4 or IPv6 address.
    Ip,
    /// An e-mail address.
    Email,
    /// A host name, dotted or short.
    Host,
    /// An account name, known by its context: `CORP\alice`, the user of a URL.
    User,
    /// A password or key, known by its context: the password of a URL.
    Credential,
    /// A user pattern or keyword dictionary, by its index in the detector.
    Pattern(u16),
}

/// Which recognisers a text is searched with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Wanted(pub u8);

impl Wanted {
    pub const NONE: Wanted = Wanted(0);
    pub const IP: Wanted = Wanted(1);
    pub const EMAIL: Wanted = Wanted(2);
    pub const HOST: Wanted = Wanted(4);
    pub const USER: Wanted = Wanted(8);
    pub const CREDENTIAL: Wanted = Wanted(16);
    /// User patterns and keyword dictionaries, all of them; the policy sorts out which of their spans it acts on.
    pub const PATTERNS: Wanted = Wanted(32);
    pub const ALL: Wanted = Wanted(63);

    pub const fn has(self, other: Wanted) -> bool {
        self.0 & other.0 != 0
    }
}

impl BitOr for Wanted {
    type Output = Wanted;
    fn bitor(self, other: Wanted) -> Wanted {
        Wanted(self.0 | other.0)
    }
}

/// How the identifier was written, so that whoever replaces it can read its value and keep the text well-formed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writing {
    /// As it is.
    Plain,
    /// With percent escapes: `alice%40example.com`.
    Percent,
}

/// A found identifier: `start..end` are offsets into the searched buffer (not into the text).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub start: u32,
    pub end: u32,
    pub entity: Entity,
    pub writing: Writing,
    /// For [`Entity::Ip`]: the address as 128 bits, IPv4 as v4-mapped (`::ffff:a.b.c.d`); otherwise 0.
    pub address: u128,
}

/// What stands around a text and helps to judge it.
#[derive(Clone, Copy, Default)]
pub struct Context<'a> {
    pub wanted: Wanted,
    /// Names that the batch gave away.
    pub known: Option<&'a Known>,
    pub place: Place,
}

/// What kind of place a text stands at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Place {
    /// Nothing is known of it.
    #[default]
    Text,
    /// A log record's body or a line of a file: may begin with a syslog header.
    LogBody,
    /// The value of a key that names a host or a URL: what it begins with is a host's name if it looks like one.
    HostByKey,
    /// The value of a key that names a version: no address, whatever it looks like.
    Version,
    /// A key or a name (attribute key, metric or span name): dotted words are its namespace.
    Name,
}

impl Place {
    /// What a key says of its value, as a word does that stands before a value in a text (`url=`, `version:`).
    pub fn under(key: &[u8]) -> Place {
        if ip::ends_as_version(key) {
            Place::Version
        } else if text::ends_as_host(key) {
            Place::HostByKey
        } else {
            Place::Text
        }
    }
}

/// What a search found. Reused from text to text, so that a search allocates nothing.
#[derive(Default)]
pub struct Found {
    /// Appended to by every search; one search's are sorted by where they begin, and overlap only where a pattern's do.
    pub spans: Vec<Span>,
    patterns: PatternScratch,
    decoded: percent::Decoded,
    versions: Vec<ip::Address>,
    /// Where the context may name something.
    leads: Vec<u32>,
}

/// What a search saw on its way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Seen {
    /// A byte above 0x7f stands in the text: the caller must check that it is UTF-8.
    pub non_ascii: bool,
    /// A `{` stands in the text.
    pub brace: bool,
}

/// The recognisers, compiled: immutable, shared by all workers.
#[derive(Debug, Default)]
pub struct Detector {
    scanner: Best,
    patterns: Patterns,
    dictionaries: Dictionaries,
}

impl Detector {
    /// Only what is built in: addresses, e-mails, host names, users and passwords in URLs.
    pub fn builtin() -> Detector {
        Detector::default()
    }

    /// With a policy's patterns and dictionaries beside what is built in.
    pub fn new(patterns: Patterns, dictionaries: Dictionaries) -> Detector {
        Detector { scanner: Best::new(), patterns, dictionaries }
    }

    pub fn patterns(&self) -> &Patterns {
        &self.patterns
    }

    /// Searches `buf[start..end]` and appends what it finds to `found.spans`, as offsets into `buf`.
    ///
    /// Linear in the text's length, whatever the bytes; never panics on content. Reads beyond `end`, but within `buf`,
    /// to load whole vectors: give the whole request as `buf`, not a copy of the string.
    ///
    /// # Panics
    /// If `start..end` does not lie in `buf`, or `buf` is longer than `u32::MAX`.
    pub fn find(&self, buf: &[u8], start: usize, end: usize, context: &Context<'_>, found: &mut Found) -> Seen {
        assert!(start <= end && end <= buf.len() && buf.len() <= u32::MAX as usize, "a text outside its buffer");
        let text = Text { buf, start, end, wanted: context.wanted, place: context.place };
        let first = found.spans.len();
        let leads = context.wanted.has(Wanted::HOST) && context.place != Place::Name;
        found.leads.clear();
        let seen = self.scanner.run(&mut Finder::new(text, leads, found));
        let by_shape = found.spans.len();
        // A value that is one identifier through and through leaves nothing to name.
        let is_one =
            matches!(&found.spans[first..], [span] if span.start as usize == start && span.end as usize == end);
        if context.wanted.has(Wanted::HOST) && !is_one {
            if context.place != Place::Name {
                context::find_in(buf, start, end, context.wanted, &found.leads, &mut found.spans);
            }
            if let Some(known) = context.known {
                known.find_in(buf, start, end, &mut found.spans);
            }
        }
        self.dictionaries.find_in(buf, start, end, context.wanted, &mut found.spans);
        if context.wanted.has(Wanted::PATTERNS) {
            self.patterns.find_in(buf, start, end, &mut found.patterns, &mut found.spans);
        }
        if found.spans.len() > by_shape {
            overlap::resolve(&mut found.spans, first);
        }
        seen
    }
}

#[cfg(test)]
mod tests;
