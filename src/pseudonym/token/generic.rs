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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_known_by_its_form() {
        for token in [
            "ip_7_9b6t9as24h3rqh6x49nf1915a",
            "a_0_9b6t9as24h3rqh6x49nf1915a",
            "k8s_pod-x_4294967295_9b6t9as24h3rqh6x49nf1915a",
        ] {
            assert!(is_token(token.as_bytes()), "{token}");
        }
        for text in [
            "",
            "ip_7_",
            "ip_7_9b6t9as24h3rqh6x49nf1915",
            "ip_7_9b6t9as24h3rqh6x49nf1915aa",
            "ip_7-9b6t9as24h3rqh6x49nf1915a",
            "ip7_9b6t9as24h3rqh6x49nf1915a",
            "_7_9b6t9as24h3rqh6x49nf1915a",
            "7_7_9b6t9as24h3rqh6x49nf1915a",
            "ip_07_9b6t9as24h3rqh6x49nf1915a",
            "ip__9b6t9as24h3rqh6x49nf1915a",
            "ip_4294967296_9b6t9as24h3rqh6x49nf1915a",
            "IP_7_9b6t9as24h3rqh6x49nf1915a",
            "ip_7_9B6T9AS24H3RQH6X49NF1915A",
            "ip_7_0123456789abcdef012345678",
            "a.b_7_9b6t9as24h3rqh6x49nf1915a",
            "a23456789012345678901234567890123_7_9b6t9as24h3rqh6x49nf1915a",
            " ip_7_9b6t9as24h3rqh6x49nf1915a",
        ] {
            assert!(!is_token(text.as_bytes()), "{text}");
        }
    }
}
