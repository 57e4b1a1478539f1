//! From an epoch's secret to the key of one purpose: HKDF-SHA256 (RFC 5869).
//!
//! ```text
//! PRK = HKDF-Extract(salt = "privet/v1", secret)
//! K   = HKDF-Expand(PRK, info)
//! info = each of "privet/v1", recipient, kind, purpose, canon version (decimal), preceded by its length as 4 bytes, big-endian
//! ```
//!
//! The lengths keep fields apart: no two lists of fields have the same `info`. `ring` does not wipe what it derives when
//! it is dropped; every key that is held here as bytes is wiped.

use ring::{hkdf, hmac};
use zeroize::Zeroizing;

use super::canon;
use super::token::base32;

const DOMAIN: &[u8] = b"privet/v1";

/// What a key is used for. No key serves two purposes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    Token,
    EmailAddress,
    HostLabel,
    IpAddress,
    IpSubnet,
    Reversible,
    Series,
    Check,
}

impl Purpose {
    const fn name(self) -> &'static str {
        match self {
            Purpose::Token => "token",
            Purpose::EmailAddress => "email-address",
            Purpose::HostLabel => "host-label",
            Purpose::IpAddress => "ip-address",
            Purpose::IpSubnet => "ip-subnet",
            Purpose::Reversible => "reversible",
            Purpose::Series => "series",
            Purpose::Check => "check",
        }
    }
}

/// The keys of one epoch.
pub struct EpochKeys(hkdf::Prk);

impl EpochKeys {
    pub fn new(secret: &[u8; 32]) -> EpochKeys {
        EpochKeys(hkdf::Salt::new(hkdf::HKDF_SHA256, DOMAIN).extract(secret))
    }

    /// `N` bytes of key, at most 255 × 32.
    pub fn bytes<const N: usize>(&self, recipient: &str, kind: &str, purpose: Purpose) -> Zeroizing<[u8; N]> {
        let info = info(recipient, kind, purpose);
        let mut key = Zeroizing::new([0; N]);
        self.0
            .expand(&[&info], Length(N))
            .and_then(|okm| okm.fill(key.as_mut()))
            .expect("HKDF gives up to 255 blocks, and the length asked for is the one filled");
        key
    }

    /// An HMAC-SHA256 key whose pads are already hashed.
    pub fn mac(&self, recipient: &str, kind: &str, purpose: Purpose) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, self.bytes::<32>(recipient, kind, purpose).as_ref())
    }

    /// 40 bits that tell apart different secrets and say nothing else about them.
    pub fn check_value(&self) -> String {
        let mut text = Vec::with_capacity(8);
        base32::encode(self.bytes::<5>("", "", Purpose::Check).as_ref(), &mut text);
        String::from_utf8(text).expect("base32 is ASCII")
    }
}

fn info(recipient: &str, kind: &str, purpose: Purpose) -> Vec<u8> {
    let version = canon::VERSION.to_string();
    let mut info = Vec::with_capacity(64 + recipient.len() + kind.len());
    for field in [DOMAIN, recipient.as_bytes(), kind.as_bytes(), purpose.name().as_bytes(), version.as_bytes()] {
        let length = u32::try_from(field.len()).expect("recipient and kind are bounded when Pseudonyms are made");
        info.extend_from_slice(&length.to_be_bytes());
        info.extend_from_slice(field);
    }
    info
}

struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}
