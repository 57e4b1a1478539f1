//! `u7<20 characters>@<host tokens>.invalid`: parsers still see an address; 100 bits of HMAC-SHA256 over the whole of it,
//! and the domain as `host` writes it, so addresses of one domain are seen to be of one domain.

use ring::hmac;

use super::host::{self, Ending, Parents};
use super::{base32, is_epoch, write_epoch};

const BODY: usize = 20;

/// The keys of one kind: for the whole address, and for the labels of its domain.
pub struct Keys<'a> {
    pub address: &'a hmac::Key,
    pub label: &'a hmac::Key,
}

/// Writes the token of a canonical address.
pub fn write(keys: Keys<'_>, epoch: u32, address: &str, parents: &Parents, namespace: u16, out: &mut Vec<u8>) {
    let mac = hmac::sign(keys.address, address.as_bytes());
    out.push(b'u');
    write_epoch(epoch, out);
    base32::encode_body::<BODY>(mac.as_ref().try_into().expect("HMAC-SHA256 gives 32 bytes"), out);
    out.push(b'@');
    let (_, domain) = address.rsplit_once('@').expect("a canonical e-mail address has an at sign");
    host::write(keys.label, epoch, domain, Ending::Invalid, parents, namespace, out);
}

pub fn is_token(text: &[u8]) -> bool {
    let Some(text) = text.strip_prefix(b"u") else { return false };
    let Some(at) = text.iter().position(|&b| b == b'@') else { return false };
    let (user, domain) = (&text[..at], &text[at + 1..]);
    let Some((epoch, body)) = user.split_at_checked(user.len().saturating_sub(BODY)) else { return false };
    let (labels, rest) = host::tokens(domain);
    is_epoch(epoch) && body.len() == BODY && base32::is_body(body) && labels > 0 && rest == b"invalid"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_known_by_its_form() {
        assert!(is_token(b"u7fkcqmyne34jxv0prsh8n@h7ervrn7rp8z5xsv34.h7ew50x0xypyxjrgd7.invalid"));
        for text in [
            "",
            "u7fkcqmyne34jxv0prsh8n",
            "u7fkcqmyne34jxv0prsh8n@",
            "u7fkcqmyne34jxv0prsh8n@invalid",
            "u7fkcqmyne34jxv0prsh8n@example.com",
            "u7fkcqmyne34jxv0prsh8n@h7ervrn7rp8z5xsv34",
            "u7fkcqmyne34jxv0prsh8n@h7ervrn7rp8z5xsv34.com",
            "u7fkcqmyne34jxv0prsh8n@h7ervrn7rp8z5xsv34.invalid.invalid",
            "u7fkcqmyne34jxv0prsh8n@mail.h7ervrn7rp8z5xsv34.invalid",
            "7fkcqmyne34jxv0prsh8n@h7ervrn7rp8z5xsv34.invalid",
            "ufkcqmyne34jxv0prsh8n@h7ervrn7rp8z5xsv34.invalid",
            "u7fkcqmyne34jxv0prsh8nn@h7ervrn7rp8z5xsv34.invalid",
            "u7deadbeef0123456789ab@h7ervrn7rp8z5xsv34.invalid",
            "alice@h7ervrn7rp8z5xsv34.invalid",
        ] {
            assert!(!is_token(text.as_bytes()), "{text}");
        }
    }
}
