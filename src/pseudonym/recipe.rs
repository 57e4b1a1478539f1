//! What a value is turned into.

/// A kind of identifier (`ip`, `host`, `email`, `user`, or a rule's own), by its index in the policy's list of kinds.
/// The kind's name is part of the key derivation: equal values of different kinds have unrelated tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KindId(pub u16);

impl KindId {
    /// The built-in kind of hosts.
    pub const HOST: KindId = KindId(1);
}

/// A value in the form that its token is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// An address as 128 bits, IPv4 as v4-mapped (`::ffff:a.b.c.d`).
    Ip(u128),
    /// Any other text, as it was written (percent escapes decoded).
    Text(&'a [u8]),
}

/// How a replacement is made. The first group needs a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Recipe {
    /// `ip_7_j3x9evzg88gbbcpj0aprmscjp`: kind, epoch, 125 bits of HMAC-SHA256 over the canonical form.
    Token,
    /// An address of tokens that parsers still see as one.
    Email { fold_local: bool },
    /// A token for each label, made of the label's whole suffix.
    Host { keep_public_suffix: bool },
    /// An IP address again, that the key holder can decrypt (ipcrypt-deterministic).
    IpAddress,
    /// An IP address again, prefix-preserving (ipcrypt-pfx).
    IpSubnet,
    /// AES-SIV: the key holder can decrypt.
    Reversible,

    /// A constant that names the kind and nothing else: `[ip]`.
    Redacted,
    /// The network of an address; for other values as [`Recipe::Redacted`].
    Network { v4_prefix: u8, v6_prefix: u8 },
    /// An e-mail's or a host's registrable domain only.
    Domain,
    /// A timestamp's day only.
    Day,
    /// All but the last so many characters, as `*`.
    MaskAllBut { last: u8 },
}
