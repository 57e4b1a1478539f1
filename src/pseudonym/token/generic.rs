//! `ip_7_j3x9evzg88gbbcpj0aprmscjp`: kind, epoch, 125 bits of HMAC-SHA256 over the canonical form.

use ring::hmac;

use super::{base32, is_epoch, is_kind, write_epoch};

const BODY: usize = 25;

pub fn write(kind: &str, epoch: u32, mac: &hmac::Tag, out: &mut Vec<u8>) {
    out.extend_from_slice(kind.as_bytes());
    out.push(b'_');
    write_epoch(epoch, out);
    out.push(b'_');
    base32::encode_body::<BODY>(mac.as_ref().try_into().expect("HMAC-SHA256 gives 32 bytes"), out);
}

pub fn is_token(text: &[u8]) -> bool {
    let Some((head, body)) = text.split_at_checked(text.len().saturating_sub(BODY)) else { return false };
    let Some(head) = head.strip_suffix(b"_") else { return false };
    let Some(cut) = head.iter().rposition(|&b| b == b'_') else { return false };
    is_kind(&head[..cut]) && is_epoch(&head[cut + 1..]) && body.len() == BODY && base32::is_body(body)
}
