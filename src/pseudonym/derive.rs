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
        EpochKeys(extract(DOMAIN, secret))
    }

    /// `N` bytes of key, at most 255 × 32.
    pub fn bytes<const N: usize>(&self, recipient: &str, kind: &str, purpose: Purpose) -> Zeroizing<[u8; N]> {
        let mut key = Zeroizing::new([0; N]);
        expand(&self.0, &info(recipient, kind, purpose), key.as_mut());
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

fn extract(salt: &[u8], secret: &[u8]) -> hkdf::Prk {
    hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(secret)
}

fn expand(prk: &hkdf::Prk, info: &[u8], key: &mut [u8]) {
    prk.expand(&[info], Length(key.len()))
        .and_then(|okm| okm.fill(key))
        .expect("HKDF gives up to 255 blocks, and the length asked for is the one filled");
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pseudonym::vectors::{self, bytes, hex};

    #[test]
    fn rfc_5869_derivations_are_reproduced() {
        let run = |from: u8, to: u8| (from..=to).collect::<Vec<u8>>();
        let cases = [
            (
                vec![0x0b; 22],
                run(0x00, 0x0c),
                run(0xf0, 0xf9),
                "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
            ),
            (
                run(0x00, 0x4f),
                run(0x60, 0xaf),
                run(0xb0, 0xff),
                "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09\
                 da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87",
            ),
            (
                vec![0x0b; 22],
                vec![],
                vec![],
                "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
            ),
        ];
        for (secret, salt, info, expected) in cases {
            let mut key = vec![0; expected.len() / 2];
            expand(&extract(&salt, &secret), &info, &mut key);
            assert_eq!(hex(&key), expected);
        }
    }

    #[test]
    fn rfc_4231_macs_are_reproduced() {
        let long_data = "This is a test using a larger than block-size key and a larger than block-size data. \
                         The key needs to be hashed before being used by the HMAC algorithm.";
        let cases: [(Vec<u8>, Vec<u8>, &str); 6] = [
            (vec![0x0b; 20], b"Hi There".into(), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
            (
                b"Jefe".into(),
                b"what do ya want for nothing?".into(),
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (vec![0xaa; 20], vec![0xdd; 50], "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
            ((1..=25).collect(), vec![0xcd; 50], "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"),
            (
                vec![0xaa; 131],
                b"Test Using Larger Than Block-Size Key - Hash Key First".into(),
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            ),
            (vec![0xaa; 131], long_data.into(), "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"),
        ];
        for (key, data, expected) in cases {
            assert_eq!(hex(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), &data).as_ref()), expected);
        }
    }

    #[test]
    fn wycheproof_derivations_and_macs_are_reproduced() {
        vectors::wycheproof("hkdf_sha256_test.json", |test| {
            let size = test["size"].as_u64().unwrap() as usize;
            let valid = test["result"] == "valid";
            assert_eq!(valid, size <= 255 * 32);
            if valid {
                let mut key = vec![0; size];
                expand(&extract(&bytes(&test["salt"]), &bytes(&test["ikm"])), &bytes(&test["info"]), &mut key);
                assert_eq!(key, bytes(&test["okm"]));
            }
        });
        vectors::wycheproof("hmac_sha256_test.json", |test| {
            let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &bytes(&test["key"])), &bytes(&test["msg"]));
            let tag = bytes(&test["tag"]);
            assert_eq!(mac.as_ref()[..tag.len()] == tag[..], test["result"] == "valid");
        });
    }

    #[test]
    fn fields_of_the_derivation_cannot_run_into_each_other() {
        assert_ne!(info("ab", "c", Purpose::Token), info("a", "bc", Purpose::Token));
        let expected = b"\0\0\0\x09privet/v1\0\0\0\x06vendor\0\0\0\x02ip\0\0\0\x05token\0\0\0\x011";
        assert_eq!(info("vendor", "ip", Purpose::Token), expected);
    }

    #[test]
    fn every_input_of_the_derivation_changes_the_key() {
        let keys = EpochKeys::new(&[1; 32]);
        let base = keys.bytes::<32>("vendor", "ip", Purpose::Token);
        assert_eq!(*base, *EpochKeys::new(&[1; 32]).bytes::<32>("vendor", "ip", Purpose::Token));
        for other in [
            EpochKeys::new(&[2; 32]).bytes("vendor", "ip", Purpose::Token),
            keys.bytes("other", "ip", Purpose::Token),
            keys.bytes("vendor", "host", Purpose::Token),
            keys.bytes("vendor", "ip", Purpose::Series),
        ] {
            assert_ne!(*base, *other);
        }
    }

    #[test]
    fn no_two_purposes_share_a_name() {
        let purposes = [
            Purpose::Token,
            Purpose::EmailAddress,
            Purpose::HostLabel,
            Purpose::IpAddress,
            Purpose::IpSubnet,
            Purpose::Reversible,
            Purpose::Series,
            Purpose::Check,
        ];
        let names: std::collections::HashSet<_> = purposes.into_iter().map(Purpose::name).collect();
        assert_eq!(names.len(), purposes.len());
    }
}
