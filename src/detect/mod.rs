//! Text in, spans out. Knows nothing of OTLP, of policy or of tokens.

use std::ops::BitOr;

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
