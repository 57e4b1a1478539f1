//! The tokens of one recipient in one epoch.

use std::fmt;
use std::net::IpAddr;
use std::time::SystemTime;

use ring::hmac;
use zeroize::Zeroizing;

use super::canon;
use super::derive::{EpochKeys, Purpose};
use super::keyring::{Epoch, Keyring};
use super::recipe::{KindId, Recipe, Value};
use super::token::address::AddressCipher;
use super::token::host::{Ending, Parents};
use super::token::subnet::SubnetCipher;
use super::token::{email, generalise, generic, host, is_kind, is_token, mask, reversible};

/// The longest name of a recipient, in bytes.
const MAX_RECIPIENT: usize = 255;
/// The most kinds of identifiers.
const MAX_KINDS: usize = 1 << 15;
/// Parent domains whose tokens are remembered: 200 KB, shared by all workers.
const PARENTS: usize = 1_024;

/// Makes the tokens of one recipient: all keys, derived beforehand. Immutable and shared.
pub struct Pseudonyms {
    recipient: Box<str>,
    epoch: u32,
    check_value: String,
    kinds: Box<[KindKeys]>,
    series: hmac::Key,
    parents: Parents,
}

/// What a kind's values are, so that each recipe knows their canonical form. An address is an address in every kind.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Host,
    Email,
    Other,
}

struct KindKeys {
    name: Box<str>,
    form: Form,
    token: hmac::Key,
    email_address: hmac::Key,
    host_label: hmac::Key,
    ip_address: AddressCipher,
    ip_subnet: SubnetCipher,
    reversible: Zeroizing<[u8; 64]>,
}

impl Pseudonyms {
    /// The tokens of `recipient` in the epoch that `keyring` has for `now`; `kinds` are the kinds' names by [`KindId`].
    pub fn new(
        keyring: &Keyring,
        recipient: &str,
        kinds: &[String],
        now: SystemTime,
    ) -> Result<Pseudonyms, PseudonymsError> {
        let epoch = keyring.epoch_at(now).ok_or(PseudonymsError::NoEpoch)?;
        Pseudonyms::of_epoch(epoch, recipient, kinds)
    }

    /// The tokens of `recipient` in a certain epoch, whatever its state: to reveal or to match what was written in it.
    pub fn of_epoch(epoch: &Epoch, recipient: &str, kinds: &[String]) -> Result<Pseudonyms, PseudonymsError> {
        let keys = epoch.keys().ok_or(PseudonymsError::Destroyed { epoch: epoch.id() })?;
        if recipient.is_empty() || recipient.len() > MAX_RECIPIENT {
            return Err(PseudonymsError::Recipient { length: recipient.len() });
        }
        if kinds.len() > MAX_KINDS {
            return Err(PseudonymsError::TooManyKinds { count: kinds.len() });
        }
        if let Some(kind) = kinds.iter().find(|kind| !is_kind(kind.as_bytes())) {
            return Err(PseudonymsError::Kind { name: kind.clone() });
        }
        Ok(Pseudonyms {
            recipient: recipient.into(),
            epoch: epoch.id(),
            check_value: keys.check_value(),
            kinds: kinds.iter().map(|kind| KindKeys::derive(&keys, recipient, kind)).collect(),
            series: keys.mac(recipient, "", Purpose::Series),
            parents: Parents::new(PARENTS),
        })
    }

    /// Whose tokens they are.
    pub fn recipient(&self) -> &str {
        &self.recipient
    }

    /// The epoch in which tokens are made; 0 for a throw-away key.
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Eight characters that tell apart replicas with different keys, and say nothing about the key.
    pub fn check_value(&self) -> String {
        self.check_value.clone()
    }

    /// Whether a text is, as a whole, a token of Privet's: of any recipient, kind and epoch. Tokens that are addresses again
    /// ([`Recipe::IpAddress`], [`Recipe::IpSubnet`]) cannot be told from addresses; `[ip]` and the like are no tokens, see
    /// [`Pseudonyms::is_own_mark`].
    pub fn is_own_token(text: &[u8]) -> bool {
        is_token(text)
    }

    /// Whether a text is, as a whole, what [`Recipe::Redacted`] writes for one of the kinds here: `[ip]`.
    pub fn is_own_mark(&self, text: &[u8]) -> bool {
        let Some(kind) = text.strip_prefix(b"[").and_then(|text| text.strip_suffix(b"]")) else { return false };
        self.kinds.iter().any(|keys| keys.name.as_bytes() == kind)
    }

    /// Appends what `recipe` makes of a value. Never fails: what has no canonical form gets a generic token over the bytes
    /// as they are, and what cannot be generalised is redacted.
    pub fn write(&self, kind: KindId, recipe: &Recipe, value: Value<'_>, out: &mut Vec<u8>) {
        let Some(keys) = self.kinds.get(usize::from(kind.0)) else {
            return mask::write_redacted("redacted", out);
        };
        match value {
            Value::Ip(address) => self.write_ip(keys, recipe, address, out),
            Value::Text(text) => match canon::parse_ip(text) {
                Some(address) => self.write_ip(keys, recipe, address, out),
                None => self.write_text(kind, keys, recipe, text, out),
            },
        }
    }

    fn write_ip(&self, keys: &KindKeys, recipe: &Recipe, address: u128, out: &mut Vec<u8>) {
        let text = canon::ip_text(address);
        match *recipe {
            Recipe::IpAddress => write_address(keys.ip_address.encrypt(canon::ip(address)), out),
            Recipe::IpSubnet => write_address(keys.ip_subnet.encrypt(canon::ip(address)), out),
            Recipe::Token | Recipe::Email { .. } | Recipe::Host { .. } => {
                self.write_generic(keys, text.as_bytes(), out)
            }
            Recipe::Reversible => reversible::write(&keys.reversible, &self.binding(keys), text.as_bytes(), out),
            Recipe::Network { v4_prefix, v6_prefix } => generalise::write_network(address, v4_prefix, v6_prefix, out),
            Recipe::MaskAllBut { last } => mask::write_all_but(text.as_bytes(), last, out),
            Recipe::Redacted | Recipe::Domain | Recipe::Day => mask::write_redacted(&keys.name, out),
        }
    }

    fn write_text(&self, kind: KindId, keys: &KindKeys, recipe: &Recipe, text: &[u8], out: &mut Vec<u8>) {
        match *recipe {
            Recipe::Email { fold_local } => match canon::email(text, fold_local) {
                Some(address) => {
                    let keys = email::Keys { address: &keys.email_address, label: &keys.host_label };
                    email::write(keys, self.epoch, &address, &self.parents, kind.0, out);
                }
                None => self.write_generic(keys, text, out),
            },
            Recipe::Host { keep_public_suffix } => match canon::host(text) {
                Some(name) => {
                    let ending = if keep_public_suffix { Ending::PublicSuffix } else { Ending::Nothing };
                    host::write(&keys.host_label, self.epoch, &name, ending, &self.parents, kind.0, out);
                }
                None => self.write_generic(keys, text, out),
            },
            Recipe::Token | Recipe::IpAddress | Recipe::IpSubnet => {
                keys.with_canonical(text, |canonical| self.write_generic(keys, canonical, out));
            }
            Recipe::Reversible => keys.with_canonical(text, |canonical| {
                reversible::write(&keys.reversible, &self.binding(keys), canonical, out);
            }),
            Recipe::Domain if generalise::write_domain(text, out) => {}
            Recipe::Day if generalise::write_day(text, out) => {}
            Recipe::MaskAllBut { last } => mask::write_all_but(text, last, out),
            Recipe::Redacted | Recipe::Network { .. } | Recipe::Domain | Recipe::Day => {
                mask::write_redacted(&keys.name, out);
            }
        }
    }

    /// Appends an opaque token for a series' identity: `series_7_…` over its parts, each preceded by its length.
    pub fn series(&self, parts: &mut dyn Iterator<Item = &[u8]>, out: &mut Vec<u8>) {
        let mut mac = hmac::Context::with_key(&self.series);
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        generic::write("series", self.epoch, &mac.sign(), out);
    }

    /// The value, in canonical form, of a token that [`Recipe::Reversible`] made.
    pub fn reveal(&self, token: &[u8]) -> Result<Zeroizing<Vec<u8>>, RevealError> {
        let token = reversible::parse(token).ok_or(RevealError::NoToken)?;
        if token.epoch != self.epoch {
            return Err(RevealError::OtherEpoch { epoch: token.epoch });
        }
        let keys = self.kinds.iter().find(|keys| *keys.name == *token.kind).ok_or(RevealError::OtherKind)?;
        reversible::open(&keys.reversible, &self.binding(keys), &token).ok_or(RevealError::NotOurs)
    }

    /// The address that [`Recipe::IpAddress`] turned into this one, if it did: every address decrypts to some address.
    pub fn reveal_address(&self, kind: KindId, ip: IpAddr) -> Option<IpAddr> {
        Some(self.kinds.get(usize::from(kind.0))?.ip_address.decrypt(ip))
    }

    /// The address that [`Recipe::IpSubnet`] turned into this one, if it did.
    pub fn reveal_subnet(&self, kind: KindId, ip: IpAddr) -> Option<IpAddr> {
        Some(self.kinds.get(usize::from(kind.0))?.ip_subnet.decrypt(ip))
    }

    fn write_generic(&self, keys: &KindKeys, canonical: &[u8], out: &mut Vec<u8>) {
        generic::write(&keys.name, self.epoch, &hmac::sign(&keys.token, canonical), out);
    }

    fn binding<'a>(&'a self, keys: &'a KindKeys) -> reversible::Binding<'a> {
        reversible::Binding { recipient: &self.recipient, kind: &keys.name, epoch: self.epoch }
    }
}

impl KindKeys {
    fn derive(keys: &EpochKeys, recipient: &str, kind: &str) -> KindKeys {
        KindKeys {
            name: kind.into(),
            form: match kind {
                "host" => Form::Host,
                "email" => Form::Email,
                _ => Form::Other,
            },
            token: keys.mac(recipient, kind, Purpose::Token),
            email_address: keys.mac(recipient, kind, Purpose::EmailAddress),
            host_label: keys.mac(recipient, kind, Purpose::HostLabel),
            ip_address: AddressCipher::new(&keys.bytes(recipient, kind, Purpose::IpAddress)),
            ip_subnet: SubnetCipher::new(keys.bytes(recipient, kind, Purpose::IpSubnet)),
            reversible: keys.bytes(recipient, kind, Purpose::Reversible),
        }
    }

    /// Calls `with` with the text's canonical form in this kind, or with the text if it has none.
    fn with_canonical(&self, text: &[u8], with: impl FnOnce(&[u8])) {
        match self.form {
            Form::Host => with(canon::host(text).as_deref().map_or(text, str::as_bytes)),
            Form::Email => with(canon::email(text, false).as_deref().map_or(text, str::as_bytes)),
            Form::Other => with(text),
        }
    }
}

fn write_address(ip: IpAddr, out: &mut Vec<u8>) {
    out.extend_from_slice(canon::ip_text_of(ip).as_bytes());
}

/// Never shows a key.
impl fmt::Debug for Pseudonyms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pseudonyms")
            .field("recipient", &self.recipient)
            .field("epoch", &self.epoch)
            .field("check_value", &self.check_value)
            .finish_non_exhaustive()
    }
}

/// Why there are no pseudonyms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PseudonymsError {
    /// The keyring has no active (or by now due) epoch.
    NoEpoch,
    Destroyed {
        epoch: u32,
    },
    Recipient {
        length: usize,
    },
    TooManyKinds {
        count: usize,
    },
    Kind {
        name: String,
    },
}

impl fmt::Display for PseudonymsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PseudonymsError::NoEpoch => f.write_str(
                "the keyring has no epoch for now: one must be `active` (or `pending` and due) and not past its `not_after`",
            ),
            PseudonymsError::Destroyed { epoch } => write!(f, "the secret of epoch {epoch} is destroyed"),
            PseudonymsError::Recipient { length } => {
                write!(f, "a recipient's name has 1 to {MAX_RECIPIENT} bytes; this one has {length}")
            }
            PseudonymsError::TooManyKinds { count } => write!(f, "{count} kinds are more than {MAX_KINDS}"),
            PseudonymsError::Kind { name } => write!(
                f,
                "`{name}` cannot name a kind: a lower-case letter, then lower-case letters, digits, `_` and `-`, at most {} in all",
                super::token::MAX_KIND,
            ),
        }
    }
}

impl std::error::Error for PseudonymsError {}

/// Why a token was not revealed. Never carries the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevealError {
    /// The text is no reversible token.
    NoToken,
    OtherEpoch {
        epoch: u32,
    },
    /// No kind of that name is known here.
    OtherKind,
    /// Made with another key or for another recipient, or altered.
    NotOurs,
}

impl fmt::Display for RevealError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RevealError::NoToken => f.write_str("this is no reversible token"),
            RevealError::OtherEpoch { epoch } => write!(f, "the token is of epoch {epoch}"),
            RevealError::OtherKind => f.write_str("the token is of a kind that is not known here"),
            RevealError::NotOurs => {
                f.write_str("the token was made with another key or for another recipient, or was altered")
            }
        }
    }
}

impl std::error::Error for RevealError {}

#[cfg(test)]
mod tests {
    use super::*;

    const IP: KindId = KindId(0);
    const HOST: KindId = KindId(1);
    const EMAIL: KindId = KindId(2);
    const USER: KindId = KindId(3);

    /// Epoch 7 with the secret 00 01 02 … 1f.
    fn pseudonyms(recipient: &str) -> Pseudonyms {
        let kinds = ["ip", "host", "email", "user"].map(str::to_owned);
        let keyring = Keyring::parse(
            "version = 1\n[[epoch]]\nid = 7\nstate = \"active\"\nsecret = \"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\"\n",
            "keyring".as_ref(),
        )
        .unwrap();
        Pseudonyms::new(&keyring, recipient, &kinds, SystemTime::UNIX_EPOCH).unwrap()
    }

    fn token(kind: KindId, recipe: Recipe, value: Value<'_>) -> String {
        written(&pseudonyms("vendor"), kind, recipe, value)
    }

    fn written(pseudonyms: &Pseudonyms, kind: KindId, recipe: Recipe, value: Value<'_>) -> String {
        let mut out = b"before ".to_vec();
        pseudonyms.write(kind, &recipe, value, &mut out);
        String::from_utf8(out).unwrap().strip_prefix("before ").unwrap().to_owned()
    }

    fn ip(text: &str) -> Value<'static> {
        Value::Ip(canon::ip_bits(text.parse().unwrap()))
    }

    fn text(text: &str) -> Value<'_> {
        Value::Text(text.as_bytes())
    }

    /// What an independent implementation (Python's hmac, hashlib and cryptography) makes of the same secret.
    #[test]
    fn tokens_are_those_of_an_independent_implementation() {
        let host = Recipe::Host { keep_public_suffix: false };
        let keep = Recipe::Host { keep_public_suffix: true };
        let email = Recipe::Email { fold_local: false };
        let cases = [
            (IP, Recipe::Token, ip("192.0.2.1"), "ip_7_9b6t9as24h3rqh6x49nf1915a"),
            (IP, Recipe::Token, ip("2001:db8::1"), "ip_7_68p5jvfypg5c63tn5mynthqwx"),
            (USER, Recipe::Token, text("alice"), "user_7_9kkp2q85adf6gdx3epyc8qs5x"),
            (
                HOST,
                host,
                text("web-1.prod.example.co.uk"),
                "h7x2r22kv5exkfgt8b.h7xza4pcb6kke7hatw.h7g2wbv2vx7jysm781.h7tfygq23tbpd6006n.h7xhshc7h3m909y251",
            ),
            (
                HOST,
                keep,
                text("web-1.prod.example.co.uk"),
                "h7x2r22kv5exkfgt8b.h7xza4pcb6kke7hatw.h7g2wbv2vx7jysm781.co.uk",
            ),
            (
                EMAIL,
                email,
                text("alice@example.com"),
                "u7fkcqmyne34jxv0prsh8n@h7ervrn7rp8z5xsv34.h7ew50x0xypyxjrgd7.invalid",
            ),
            (USER, Recipe::Reversible, text("alice"), "user_7~ca4dzpqta4vq93shk880wba8q5evfew1yc5ts2jqg95hbdprwhw0"),
            (IP, Recipe::IpAddress, ip("192.0.2.1"), "5ffe:bf96:4214:ec7d:b5b3:ca71:1e18:d2f0"),
            (IP, Recipe::IpAddress, ip("2001:db8::1"), "80a1:ffa4:3da5:65f1:7eb8:5180:cf7a:b3a8"),
            (IP, Recipe::IpSubnet, ip("192.0.2.1"), "215.67.84.122"),
            (IP, Recipe::IpSubnet, ip("2001:db8::1"), "b306:38d1:b7cf:25a0:3312:47ae:2c78:52e"),
        ];
        for (kind, recipe, value, expected) in cases {
            assert_eq!(token(kind, recipe, value), expected, "{recipe:?} of {value:?}");
        }
        let mut series = Vec::new();
        pseudonyms("vendor").series(&mut [&b"a"[..], b"", b"bc"].into_iter(), &mut series);
        assert_eq!(String::from_utf8(series).unwrap(), "series_7_s9cr8ra7bqnceqf5qgb1gepwp");
        assert_eq!(pseudonyms("vendor").check_value(), "vk91k0k6");
    }

    const ALL: [Recipe; 12] = [
        Recipe::Token,
        Recipe::Email { fold_local: true },
        Recipe::Email { fold_local: false },
        Recipe::Host { keep_public_suffix: true },
        Recipe::Host { keep_public_suffix: false },
        Recipe::IpAddress,
        Recipe::IpSubnet,
        Recipe::Reversible,
        Recipe::Redacted,
        Recipe::Network { v4_prefix: 24, v6_prefix: 48 },
        Recipe::Day,
        Recipe::MaskAllBut { last: 4 },
    ];
    const KEYED_TEXT: [Recipe; 6] = [ALL[0], ALL[1], ALL[2], ALL[3], ALL[4], ALL[7]];

    #[test]
    fn one_value_in_many_spellings_has_one_token() {
        let all = |kind, recipe, values: &[Value<'_>]| {
            let first = token(kind, recipe, values[0]);
            for &value in values {
                assert_eq!(token(kind, recipe, value), first, "{recipe:?} of {value:?}");
            }
            first
        };
        for recipe in ALL {
            let six = all(IP, recipe, &[text("2001:DB8:0:0:0:0:0:1"), text("2001:db8::1"), ip("2001:db8::1")]);
            let four = all(
                IP,
                recipe,
                &[text("::ffff:192.0.2.1"), text("192.0.2.1"), ip("192.0.2.1"), ip("::ffff:192.0.2.1")],
            );
            assert!(six != four || matches!(recipe, Recipe::Redacted | Recipe::Day), "{recipe:?}");
        }
        for recipe in [Recipe::Token, Recipe::Reversible, Recipe::Host { keep_public_suffix: true }, Recipe::Domain] {
            all(HOST, recipe, &[text("Web-1.B\u{fc}cher.COM."), text("web-1.xn--bcher-kva.com")]);
        }
        for recipe in [Recipe::Token, Recipe::Reversible, Recipe::Email { fold_local: false }] {
            let upper =
                all(EMAIL, recipe, &[text("ALICE@Example.COM"), text("ALICE@example.com"), text("ALICE@EXAMPLE.com.")]);
            assert_ne!(upper, token(EMAIL, recipe, text("alice@example.com")), "{recipe:?}");
        }
        all(EMAIL, Recipe::Email { fold_local: true }, &[text("ALICE@Example.COM"), text("alice@example.com")]);
    }

    #[test]
    fn tokens_of_other_recipients_kinds_and_epochs_share_nothing() {
        let kinds = ["ip", "host", "email", "user"].map(str::to_owned);
        let line = |id, byte: char, state| {
            format!("[[epoch]]\nid = {id}\nstate = \"{state}\"\nsecret = \"{byte}{}=\"\n", "AEA".repeat(14))
        };
        let keyring = format!("version = 1\n{}{}", line(1, 'A', "active"), line(2, 'B', "retired"));
        let keyring = Keyring::parse(&keyring, "keyring".as_ref()).unwrap();
        let mut seen = std::collections::HashMap::new();
        for recipient in ["vendor", "vendor2"] {
            for epoch in keyring.epochs() {
                let made = Pseudonyms::of_epoch(epoch, recipient, &kinds).unwrap();
                for kind in [IP, HOST, EMAIL, USER] {
                    for (recipe, value) in [
                        (Recipe::Token, ip("192.0.2.1")),
                        (Recipe::IpAddress, ip("192.0.2.1")),
                        (Recipe::Reversible, text("a.example.com")),
                        (Recipe::Host { keep_public_suffix: false }, text("a.example.com")),
                        (Recipe::Email { fold_local: false }, text("a@a.example.com")),
                    ] {
                        let token = written(&made, kind, recipe, value);
                        // Each part that comes of a MAC, without kind, marker and epoch.
                        for part in token.split(['.', '@', '_', '~', ':']).filter(|part| part.len() >= 18) {
                            let body = part[part.len() - 16..].to_owned();
                            let origin = (recipient, epoch.id(), kind);
                            assert_eq!(*seen.entry(body).or_insert(origin), origin, "{token}");
                        }
                        if recipe == Recipe::IpAddress {
                            let origin = (recipient, epoch.id(), kind);
                            assert_eq!(*seen.entry(token).or_insert(origin), origin);
                        }
                    }
                }
                let mut series = Vec::new();
                made.series(&mut [&b"a"[..]].into_iter(), &mut series);
                let origin = (recipient, epoch.id(), KindId(99));
                assert_eq!(*seen.entry(String::from_utf8(series).unwrap()).or_insert(origin), origin);
            }
        }
        assert!(seen.len() > 100, "{}", seen.len());
    }

    #[test]
    fn a_series_token_depends_on_every_part_and_on_where_it_ends() {
        let made = pseudonyms("vendor");
        let series = |parts: &[&[u8]]| {
            let mut out = Vec::new();
            made.series(&mut parts.iter().copied(), &mut out);
            assert!(Pseudonyms::is_own_token(&out));
            out
        };
        let all = [
            series(&[b"ab", b"c"]),
            series(&[b"a", b"bc"]),
            series(&[b"abc"]),
            series(&[b"c", b"ab"]),
            series(&[b"ab", b"c", b""]),
            series(&[]),
        ];
        let different: std::collections::HashSet<_> = all.iter().collect();
        assert_eq!(different.len(), all.len());
    }

    #[test]
    fn every_token_is_known_as_one_and_real_names_are_not() {
        let made = pseudonyms("vendor");
        for i in 0..5_000 {
            for recipe in KEYED_TEXT {
                for value in [
                    format!("user{i}"),
                    format!("user{i}@mail{i}.example.com"),
                    format!("web-{i}.prod.example.co.uk"),
                    format!("10.0.{}.{}", i / 256, i % 256),
                    format!("any {i} text"),
                ] {
                    for kind in [IP, HOST] {
                        let token = written(&made, kind, recipe, text(&value));
                        assert!(Pseudonyms::is_own_token(token.as_bytes()), "{recipe:?} of {value}: {token}");
                        assert!(!token.contains(&value));
                    }
                }
            }
        }
        for name in [
            "web-1.prod.example.com",
            "deadbeefdeadbeef",
            "h1deadbeefdeadbeef",
            "h2consoleapplication",
            "ip-10-0-0-1.ec2.internal",
            "i-0abcd1234efgh5678",
            "4f2a9c1e7b3d5f60.example.com",
            "host_1_name",
            "ip_7_address",
            "alice@example.com",
            "u7@example.com",
            "2001:db8::1",
            "user_7~backup",
            "[ip]",
            "",
        ] {
            assert!(!Pseudonyms::is_own_token(name.as_bytes()), "{name}");
        }
        assert!(made.is_own_mark(b"[ip]") && made.is_own_mark(b"[user]"));
        assert!(!made.is_own_mark(b"[alice]") && !made.is_own_mark(b"ip]") && !made.is_own_mark(b"[ip"));
    }

    #[test]
    fn what_a_recipe_does_not_fit_gets_a_generic_token_or_is_redacted() {
        for (kind, recipe, value) in [
            (IP, Recipe::Host { keep_public_suffix: true }, ip("192.0.2.1")),
            (IP, Recipe::Email { fold_local: true }, text("192.0.2.1")),
            (HOST, Recipe::Host { keep_public_suffix: true }, text("not a host")),
            (HOST, Recipe::Host { keep_public_suffix: true }, Value::Text(b"\xff")),
            (EMAIL, Recipe::Email { fold_local: false }, text("alice")),
            (EMAIL, Recipe::Email { fold_local: false }, text("alice@[192.0.2.1]")),
            (USER, Recipe::IpAddress, text("alice")),
            (USER, Recipe::IpSubnet, text("alice")),
        ] {
            let token = token(kind, recipe, value);
            assert!(generic::is_token(token.as_bytes()), "{token}");
        }
        assert_eq!(
            token(HOST, Recipe::Token, text("not a host")),
            token(HOST, Recipe::Host { keep_public_suffix: true }, text("not a host"))
        );
        for recipe in [Recipe::Network { v4_prefix: 24, v6_prefix: 48 }, Recipe::Domain, Recipe::Day, Recipe::Redacted]
        {
            assert_eq!(token(USER, recipe, text("alice")), "[user]");
        }
        for recipe in [Recipe::Domain, Recipe::Day, Recipe::Redacted] {
            assert_eq!(token(IP, recipe, ip("192.0.2.1")), "[ip]");
        }
        assert_eq!(token(KindId(99), Recipe::Token, text("alice")), "[redacted]");
        assert_eq!(token(IP, Recipe::Network { v4_prefix: 24, v6_prefix: 48 }, ip("192.0.2.1")), "192.0.2.0");
        assert_eq!(token(EMAIL, Recipe::Domain, text("a@b.example.com")), "example.com");
        assert_eq!(token(USER, Recipe::Day, text("2026-11-21T10:00:00Z")), "2026-11-21");
        assert_eq!(token(USER, Recipe::MaskAllBut { last: 4 }, text("4111111111111234")), "************1234");
        assert_eq!(token(IP, Recipe::MaskAllBut { last: 2 }, ip("2001:db8::1")), "*********:1");
    }

    #[test]
    fn the_key_holder_reveals_what_was_made_to_be_revealed() {
        let made = pseudonyms("vendor");
        let token = token(EMAIL, Recipe::Reversible, text("ALICE@Example.COM"));
        assert_eq!(made.reveal(token.as_bytes()).unwrap().as_slice(), b"ALICE@example.com");
        assert_eq!(pseudonyms("other").reveal(token.as_bytes()), Err(RevealError::NotOurs));
        assert_eq!(made.reveal(token.replace("email_7", "user_7").as_bytes()), Err(RevealError::NotOurs));
        assert_eq!(made.reveal(token.replace("email_7", "mail_7").as_bytes()), Err(RevealError::OtherKind));
        assert_eq!(
            made.reveal(token.replace("email_7", "email_8").as_bytes()),
            Err(RevealError::OtherEpoch { epoch: 8 })
        );
        assert_eq!(made.reveal(b"alice"), Err(RevealError::NoToken));
        for address in ["192.0.2.1", "2001:db8::1"] {
            let address: IpAddr = address.parse().unwrap();
            let of = |recipe| written(&made, IP, recipe, Value::Ip(canon::ip_bits(address))).parse().unwrap();
            assert_eq!(made.reveal_address(IP, of(Recipe::IpAddress)), Some(address));
            assert_eq!(made.reveal_subnet(IP, of(Recipe::IpSubnet)), Some(address));
            assert_eq!(made.reveal_subnet(KindId(99), address), None);
        }
    }

    #[test]
    fn wrong_names_are_refused() {
        let keyring = Keyring::ephemeral().unwrap();
        let new = |recipient: &str, kinds: &[&str]| {
            let kinds: Vec<String> = kinds.iter().map(|&kind| kind.to_owned()).collect();
            Pseudonyms::new(&keyring, recipient, &kinds, SystemTime::UNIX_EPOCH)
        };
        assert_eq!(new("vendor", &["ip"]).unwrap().epoch(), 0);
        assert_eq!(new("", &["ip"]).unwrap_err(), PseudonymsError::Recipient { length: 0 });
        assert!(new(&"r".repeat(255), &[]).is_ok());
        assert_eq!(new(&"r".repeat(256), &[]).unwrap_err(), PseudonymsError::Recipient { length: 256 });
        for name in ["", "IP", "1p", "a b", "a.b", "\u{fc}", &"k".repeat(33)] {
            assert_eq!(new("vendor", &["ip", name]).unwrap_err(), PseudonymsError::Kind { name: name.to_owned() });
        }
    }

    #[test]
    fn nothing_shows_a_key() {
        let keyring = Keyring::ephemeral().unwrap();
        assert_eq!(
            format!("{keyring:?}"),
            "Keyring { epochs: [Epoch { id: 0, state: Active, not_before: None, not_after: None, secret: Some((secret)) }] }"
        );
        assert_eq!(
            format!("{:?}", pseudonyms("vendor")),
            "Pseudonyms { recipient: \"vendor\", epoch: 7, check_value: \"vk91k0k6\", .. }"
        );
    }

    proptest::proptest! {
        #[test]
        fn nothing_makes_write_panic_or_write_what_breaks_a_text(value: Vec<u8>, name in "[a-zA-Z0-9.@:\u{e0}-\u{ff}-]{0,80}", address: u128, last: u8) {
            let made = pseudonyms("vendor");
            for recipe in ALL.into_iter().chain([Recipe::Domain, Recipe::MaskAllBut { last }]) {
                for kind in [IP, HOST, EMAIL, USER, KindId(4)] {
                    for value in [Value::Text(&value), Value::Text(name.as_bytes()), Value::Ip(address)] {
                        let token = written(&made, kind, recipe, value);
                        proptest::prop_assert!(token.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'"' | b'\'' | b'\\')), "{}", token);
                    }
                }
            }
        }
    }
}
