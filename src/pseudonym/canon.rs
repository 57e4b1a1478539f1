//! One spelling for equal values. A canonical form of a canonical form is itself.
//!
//! Percent escapes and the like are undone by whoever found the value.

use std::borrow::Cow;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Part of every key derivation: a change of these rules changes all tokens, and is seen.
pub const VERSION: u32 = 1;

/// The longest host name, in bytes, without the final dot (RFC 1035).
pub const MAX_HOST: usize = 253;

/// An address's text, held inline.
pub struct IpText {
    bytes: [u8; 45],
    len: u8,
}

impl IpText {
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

/// An address's text: dotted for IPv4, which includes v4-mapped (`::ffff:0:0/96`), RFC 5952 for IPv6.
pub fn ip_text(address: u128) -> IpText {
    match ip(address) {
        IpAddr::V4(v4) => ipv4_text(v4.octets()),
        IpAddr::V6(v6) => ipv6_text(v6),
    }
}

/// An address of 128 bits as what it is.
pub fn ip(address: u128) -> IpAddr {
    Ipv6Addr::from_bits(address).to_canonical()
}

/// An address as 128 bits, IPv4 as v4-mapped.
pub fn ip_bits(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

/// Reads an address in any of its usual spellings. IPv4 octets with leading zeros are no address: readers disagree
/// whether they are octal.
pub fn parse_ip(text: &[u8]) -> Option<u128> {
    let looks_like_one = text.len() <= 45
        && text.iter().all(|b| b.is_ascii_hexdigit() || matches!(b, b'.' | b':'))
        && text.iter().any(|b| matches!(b, b'.' | b':'));
    if !looks_like_one {
        return None;
    }
    let ip: IpAddr = str::from_utf8(text).ok()?.parse().ok()?;
    Some(ip_bits(ip))
}

/// A host name in ASCII (UTS #46), lower case, without the final dot. `None` if it is no host name.
pub fn host(text: &[u8]) -> Option<Cow<'_, str>> {
    let text = str::from_utf8(text).ok()?;
    let text = text.strip_suffix('.').unwrap_or(text);
    let ascii = if text.is_ascii() && !text.as_bytes().windows(4).any(|w| w.eq_ignore_ascii_case(b"xn--")) {
        lower(text)
    } else {
        // A label that claims to be punycode and is not is still a name that somebody uses.
        match idna::domain_to_ascii_cow(text.as_bytes(), idna::AsciiDenyList::EMPTY) {
            Ok(Cow::Owned(ascii)) => Cow::Owned(ascii.strip_suffix('.').unwrap_or(&ascii).to_owned()),
            Ok(Cow::Borrowed(ascii)) => Cow::Borrowed(ascii.strip_suffix('.').unwrap_or(ascii)),
            Err(_) if text.is_ascii() => lower(text),
            Err(_) => return None,
        }
    };
    let well_formed = ascii.len() <= MAX_HOST
        && ascii.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'))
        });
    well_formed.then_some(ascii)
}

/// An e-mail address: the domain as a host name, the local part as it is or, folded, in lower case. `None` if it is no
/// address with a domain name.
pub fn email(text: &[u8], fold_local: bool) -> Option<String> {
    let text = str::from_utf8(text).ok()?;
    let (local, domain) = text.rsplit_once('@')?;
    let domain = host(domain.as_bytes())?;
    if local.is_empty() || parse_ip(domain.as_bytes()).is_some() {
        return None;
    }
    Some(if fold_local { format!("{}@{domain}", local.to_lowercase()) } else { format!("{local}@{domain}") })
}

fn lower(text: &str) -> Cow<'_, str> {
    match text.bytes().any(|b| b.is_ascii_uppercase()) {
        true => Cow::Owned(text.to_ascii_lowercase()),
        false => Cow::Borrowed(text),
    }
}

/// By hand: `Display` would cost a third of a token.
fn ipv4_text(octets: [u8; 4]) -> IpText {
    let mut text = IpText { bytes: [0; 45], len: 0 };
    let mut at = 0;
    let mut put = |byte| {
        text.bytes[at] = byte;
        at += 1;
    };
    for (i, octet) in octets.into_iter().enumerate() {
        if i > 0 {
            put(b'.');
        }
        if octet >= 100 {
            put(b'0' + octet / 100);
        }
        if octet >= 10 {
            put(b'0' + octet / 10 % 10);
        }
        put(b'0' + octet % 10);
    }
    text.len = at as u8;
    text
}

fn ipv6_text(address: Ipv6Addr) -> IpText {
    let mut text = IpText { bytes: [0; 45], len: 0 };
    let mut rest = &mut text.bytes[..];
    write!(rest, "{address}").expect("the longest IPv6 text has 45 bytes");
    text.len = 45 - rest.len() as u8;
    text
}

/// The text form of an address, for whoever holds an [`IpAddr`].
pub fn ip_text_of(ip: IpAddr) -> IpText {
    match ip {
        IpAddr::V4(v4) => ipv4_text(Ipv4Addr::octets(&v4)),
        IpAddr::V6(v6) => ipv6_text(v6),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_spelling_of_an_address_has_one_text() {
        for (spellings, canonical) in [
            (&["2001:DB8:0:0:0:0:0:1", "2001:db8::1", "2001:0db8::0001", "2001:db8:0::0:1"][..], "2001:db8::1"),
            (&["192.0.2.1", "::ffff:192.0.2.1", "::FFFF:c000:201", "0:0:0:0:0:ffff:192.0.2.1"], "192.0.2.1"),
            (&["::", "0:0:0:0:0:0:0:0", "::0"], "::"),
            (&["2001:db8:0:1:1:1:1:1"], "2001:db8:0:1:1:1:1:1"),
            (&["64:ff9b::192.0.2.1"], "64:ff9b::c000:201"),
            (&["255.255.255.255"], "255.255.255.255"),
            (&["0.0.0.0"], "0.0.0.0"),
            (&["10.20.30.100"], "10.20.30.100"),
        ] {
            for spelling in spellings {
                let address = parse_ip(spelling.as_bytes()).unwrap_or_else(|| panic!("{spelling}"));
                assert_eq!(str::from_utf8(ip_text(address).as_bytes()).unwrap(), canonical, "{spelling}");
            }
        }
    }

    #[test]
    fn what_only_resembles_an_address_is_none() {
        for text in [
            "",
            "1",
            "abc",
            "1.2.3",
            "1.2.3.4.5",
            "01.2.3.4",
            "1.2.3.256",
            "1:2",
            "::1%eth0",
            "[::1]",
            "1.2.3.4 ",
            ":",
            ".",
        ] {
            assert_eq!(parse_ip(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn every_spelling_of_a_host_has_one_form() {
        for (text, canonical) in [
            ("WEB-1.Example.COM", "web-1.example.com"),
            ("web-1.example.com.", "web-1.example.com"),
            ("localhost", "localhost"),
            ("_dmarc.example.com", "_dmarc.example.com"),
            ("B\u{fc}cher.example", "xn--bcher-kva.example"),
            ("b\u{fc}cher.example.", "xn--bcher-kva.example"),
            ("XN--BCHER-KVA.example", "xn--bcher-kva.example"),
            ("b\u{fc}cher\u{3002}example\u{3002}", "xn--bcher-kva.example"),
            ("xn--a.Example", "xn--a.example"),
        ] {
            assert_eq!(host(text.as_bytes()).as_deref(), Some(canonical), "{text}");
            assert_eq!(host(canonical.as_bytes()).as_deref(), Some(canonical));
        }
    }

    #[test]
    fn what_is_no_host_name_has_no_form() {
        let long_label = "a".repeat(64);
        let long_name = ["abcdefghi"; 26].join(".");
        for text in [
            "",
            ".",
            "..",
            "a..b",
            ".a",
            "a b",
            "*.example.com",
            "a:80",
            "a@b",
            "caf\u{e9} bar",
            &long_label,
            &long_name,
        ] {
            assert_eq!(host(text.as_bytes()), None, "{text}");
        }
        assert_eq!(host(b"\xff\xfe"), None);
        assert!(host(&long_label.as_bytes()[..63]).is_some());
        assert!(host(&long_name.as_bytes()[..253]).is_some());
        assert!(host(&long_name.as_bytes()[..254]).is_none());
    }

    #[test]
    fn the_domain_of_an_email_folds_and_the_local_part_does_on_request() {
        assert_eq!(email(b"Alice@Example.COM", false).as_deref(), Some("Alice@example.com"));
        assert_eq!(email(b"Alice@Example.COM.", true).as_deref(), Some("alice@example.com"));
        assert_eq!(
            email("J\u{dc}rgen@b\u{fc}cher.example".as_bytes(), true).as_deref(),
            Some("j\u{fc}rgen@xn--bcher-kva.example")
        );
        assert_eq!(email(b"\"a@b\"@example.com", false).as_deref(), Some("\"a@b\"@example.com"));
        for text in ["alice", "@example.com", "alice@", "alice@[192.0.2.1]", "alice@192.0.2.1", "alice@a..b"] {
            assert_eq!(email(text.as_bytes(), false), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn the_text_of_an_address_is_its_standard_one(bits: u128, v4: u32) {
            for ip in [IpAddr::V6(Ipv6Addr::from_bits(bits)), IpAddr::V4(Ipv4Addr::from_bits(v4))] {
                let text = ip_text(ip_bits(ip));
                prop_assert_eq!(str::from_utf8(text.as_bytes()).unwrap(), ip.to_canonical().to_string());
                prop_assert_eq!(parse_ip(text.as_bytes()), Some(ip_bits(ip)));
            }
        }

        #[test]
        fn a_canonical_form_is_its_own(text in "\\PC{0,40}", name in "[a-zA-Z0-9\u{e0}-\u{ff}.-]{1,40}") {
            for text in [text, name] {
                if let Some(once) = host(text.as_bytes()) {
                    prop_assert_eq!(host(once.as_bytes()), Some(once.clone()));
                }
                let address = format!("{text}@{text}");
                if let Some(once) = email(address.as_bytes(), true) {
                    prop_assert_eq!(email(once.as_bytes(), true), Some(once.clone()));
                }
            }
        }
    }
}
