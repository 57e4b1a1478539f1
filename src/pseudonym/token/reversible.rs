//! `user_7~…`: kind, epoch, and AES-256-SIV (RFC 5297) over the canonical form, in base32. Deterministic: equal values
//! have equal tokens. Recipient, kind and epoch are associated data, so a token cannot be passed off as another's.
//!
//! The value is padded to a multiple of 16 bytes (a byte 0x80, then zeros) to blur its length.

use aes_siv::KeyInit;
use aes_siv::siv::Aes256Siv;
use zeroize::Zeroizing;

use super::{base32, is_kind, parse_epoch, write_epoch};

const BLOCK: usize = 16;
/// The synthetic IV in front of the ciphertext.
const IV: usize = 16;

/// What a token is bound to.
pub struct Binding<'a> {
    pub recipient: &'a str,
    pub kind: &'a str,
    pub epoch: u32,
}

impl Binding<'_> {
    fn headers<'a>(&'a self, epoch: &'a [u8; 4]) -> [&'a [u8]; 3] {
        [self.recipient.as_bytes(), self.kind.as_bytes(), epoch]
    }
}

pub fn write(key: &[u8; 64], binding: &Binding<'_>, value: &[u8], out: &mut Vec<u8>) {
    let mut sealed = Vec::with_capacity(IV + value.len() + BLOCK);
    sealed.extend_from_slice(&[0; IV]);
    sealed.extend_from_slice(value);
    sealed.push(0x80);
    sealed.resize(sealed.len().next_multiple_of(BLOCK), 0);
    let (iv, text) = sealed.split_at_mut(IV);
    let tag = Aes256Siv::new(key.into())
        .encrypt_in_place_detached(binding.headers(&binding.epoch.to_be_bytes()), text)
        .expect("three headers are fewer than 126");
    iv.copy_from_slice(&tag);

    out.extend_from_slice(binding.kind.as_bytes());
    out.push(b'_');
    write_epoch(binding.epoch, out);
    out.push(b'~');
    base32::encode(&sealed, out);
}

/// What a token consists of.
pub struct Parsed<'a> {
    pub kind: &'a str,
    pub epoch: u32,
    sealed: Vec<u8>,
}

pub fn parse(token: &[u8]) -> Option<Parsed<'_>> {
    let token = str::from_utf8(token).ok()?;
    let (head, body) = token.split_once('~')?;
    let (kind, epoch) = head.rsplit_once('_')?;
    let epoch = parse_epoch(epoch.as_bytes())?;
    let sealed = base32::decode(body.as_bytes())?;
    let well_formed = is_kind(kind.as_bytes()) && sealed.len() >= IV + BLOCK && sealed.len() % BLOCK == 0;
    well_formed.then_some(Parsed { kind, epoch, sealed })
}

/// The value, or `None` if the token was not made with this key and binding.
pub fn open(key: &[u8; 64], binding: &Binding<'_>, token: &Parsed<'_>) -> Option<Zeroizing<Vec<u8>>> {
    let padded = Aes256Siv::new(key.into())
        .decrypt(binding.headers(&binding.epoch.to_be_bytes()), &token.sealed)
        .ok()
        .map(Zeroizing::new)?;
    let end = padded.iter().rposition(|&b| b != 0)?;
    Some(Zeroizing::new(padded[..end].to_vec()))
}

pub fn is_token(text: &[u8]) -> bool {
    parse(text).is_some()
}

#[cfg(test)]
mod tests {
    use aes_siv::siv::Aes128Siv;

    use super::*;
    use crate::pseudonym::vectors::{self, bytes, hex, unhex};

    const BINDING: Binding<'_> = Binding { recipient: "vendor", kind: "user", epoch: 7 };
    const KEY: &[u8; 64] = &[5; 64];

    fn token(value: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        write(KEY, &BINDING, value, &mut out);
        out
    }

    fn reveal(binding: &Binding<'_>, token: &[u8]) -> Option<Vec<u8>> {
        open(KEY, binding, &parse(token)?).map(|value| value.to_vec())
    }

    #[test]
    fn rfc_5297_vectors_are_reproduced() {
        let key = unhex("fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff");
        let headers = [unhex("101112131415161718191a1b1c1d1e1f2021222324252627")];
        let sealed = Aes128Siv::new(key.as_slice().into()).encrypt(headers, &unhex("112233445566778899aabbccddee"));
        assert_eq!(hex(&sealed.unwrap()), "85632d07c6e8f37f950acd320a2ecc9340c02b9690c4dc04daef7f6afe5c");

        let key = unhex("7f7e7d7c7b7a79787776757473727170404142434445464748494a4b4c4d4e4f");
        let headers = [
            unhex("00112233445566778899aabbccddeeffdeaddadadeaddadaffeeddccbbaa99887766554433221100"),
            unhex("102030405060708090a0"),
            unhex("09f911029d74e35bd84156c5635688c0"),
        ];
        let text = b"this is some plaintext to encrypt using SIV-AES";
        let sealed = Aes128Siv::new(key.as_slice().into()).encrypt(headers, text).unwrap();
        assert_eq!(
            hex(&sealed),
            "7bdb6e3b432667eb06f4d14bff2fbd0fcb900f2fddbe404326601965c889bf17\
             dba77ceb094fa663b7a3f748ba8af829ea64ad544a272e9c485b62a3fd5c0d"
        );
    }

    #[test]
    fn wycheproof_vectors_are_reproduced() {
        vectors::wycheproof("aes_siv_cmac_test.json", |test| {
            let key = bytes(&test["key"]);
            let Ok(key) = <[u8; 64]>::try_from(key) else { return };
            let (aad, sealed) = (bytes(&test["aad"]), bytes(&test["ct"]));
            let opened = Aes256Siv::new((&key).into()).decrypt([&aad], &sealed);
            assert_eq!(opened.is_ok(), test["result"] == "valid");
            if let Ok(opened) = opened {
                assert_eq!(opened, bytes(&test["msg"]));
                assert_eq!(Aes256Siv::new((&key).into()).encrypt([&aad], &opened).unwrap(), sealed);
            }
        });
    }

    #[test]
    fn every_length_comes_back_and_is_blurred_to_sixteen_bytes() {
        for length in 0..70 {
            let value = vec![0x80; length];
            let made = token(&value);
            assert_eq!(reveal(&BINDING, &made).as_deref(), Some(&value[..]));
            let sealed = parse(&made).unwrap().sealed;
            assert_eq!(sealed.len(), 16 + (length / 16 + 1) * 16);
        }
    }

    #[test]
    fn values_that_end_in_zeros_come_back() {
        for value in [&b"a\0\0"[..], b"\0", &[0; 16]] {
            assert_eq!(reveal(&BINDING, &token(value)).as_deref(), Some(value));
        }
    }

    #[test]
    fn nothing_is_revealed_under_another_binding_or_of_an_altered_token() {
        let made = token(b"alice");
        for binding in [
            Binding { recipient: "other", ..BINDING },
            Binding { kind: "host", ..BINDING },
            Binding { epoch: 8, ..BINDING },
        ] {
            assert_eq!(reveal(&binding, &made), None);
        }
        for at in made.len() - 52..made.len() {
            let mut altered = made.clone();
            altered[at] = if altered[at] == b'0' { b'1' } else { b'0' };
            assert_eq!(reveal(&BINDING, &altered), None, "{at}");
        }
    }

    #[test]
    fn a_token_is_known_by_its_form() {
        let made = token(b"alice");
        assert!(is_token(&made));
        for wrong in [
            &made[..made.len() - 1],
            &[&made[..], b"0"].concat(),
            b"user_7~",
            b"user_07~ca4dzpqta4vq93shk880wba8q5evfew1yc5ts2jqg95hbdprwhw0",
            b"User_7~ca4dzpqta4vq93shk880wba8q5evfew1yc5ts2jqg95hbdprwhw0",
            b"user_7~ca4dzpqta4vq93shk880wba8q5evfew1yc5ts2jqg95hbdprwhwu",
            b"user_7~ca4dzpqta4vq93shk880wb",
            b"~",
            b"a_1~0",
        ] {
            assert!(!is_token(wrong), "{}", String::from_utf8_lossy(wrong));
        }
    }
}
