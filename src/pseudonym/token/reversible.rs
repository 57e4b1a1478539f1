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
    (padded[end] == 0x80).then(|| Zeroizing::new(padded[..end].to_vec()))
}

pub fn is_token(text: &[u8]) -> bool {
    parse(text).is_some()
}
