//! What a value that its key decides turns out to be: an address, an e-mail, a host, or anything else.

use std::net::{IpAddr, Ipv6Addr};

use crate::detect::Entity;

/// An identifier that makes up a value, port and brackets left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shaped {
    pub start: usize,
    pub end: usize,
    pub entity: Entity,
    /// As in [`crate::detect::Span`].
    pub address: u128,
}

/// Longest host name that DNS allows.
const MAX_HOST: usize = 253;

/// The identifiers that make up a value: seldom more than one, never many.
pub(super) enum Shapes {
    Nothing,
    One(Shaped),
    Addresses(Vec<Shaped>),
}

/// Addresses in a list, of which a value with more is nothing known.
const MAX_LIST: usize = 16;

impl Shapes {
    pub fn as_slice(&self) -> &[Shaped] {
        match self {
            Shapes::Nothing => &[],
            Shapes::One(one) => std::slice::from_ref(one),
            Shapes::Addresses(all) => all,
        }
    }
}

/// Says what the value is: one identifier, or addresses separated by commas; none if it is nothing known as a whole.
pub(super) fn shapes(text: &[u8]) -> Shapes {
    match shape(text, 0) {
        Some(one) => Shapes::One(one),
        None if text.contains(&b',') => addresses(text).map_or(Shapes::Nothing, Shapes::Addresses),
        None => trimmed(text).map_or(Shapes::Nothing, Shapes::One),
    }
}

/// What white space stands around (` 203.0.113.7`, a line's end behind a name) is the same as without it, and has the same token.
fn trimmed(text: &[u8]) -> Option<Shaped> {
    let inner = text.trim_ascii();
    let from = text.len() - text.trim_ascii_start().len();
    if inner.len() < text.len() { shape(inner, from) } else { None }
}

fn addresses(text: &[u8]) -> Option<Vec<Shaped>> {
    let mut all = Vec::new();
    let mut at = 0;
    for element in text.split(|byte| *byte == b',') {
        let from = at + element.len() - element.trim_ascii_start().len();
        let known = shape(element.trim_ascii(), from).filter(|shaped| shaped.entity == Entity::Ip);
        if all.len() == MAX_LIST {
            return None;
        }
        all.push(known?);
        at += element.len() + 1;
    }
    Some(all)
}

/// What a byte can be part of.
mod class {
    /// A host's name, and an address.
    pub const BODY: u8 = 1;
    /// A host's name only.
    pub const LETTER: u8 = 2;
    /// What stands between the parts of other identifiers.
    pub const SEPARATOR: u8 = 4;
    pub const OTHER: u8 = 8;

    pub static OF: [u8; 256] = {
        let mut of = [OTHER; 256];
        let mut byte = 0;
        while byte < 256 {
            of[byte] = match byte as u8 {
                b'0'..=b'9' | b'-' | b'_' | b'.' => BODY,
                b'a'..=b'z' | b'A'..=b'Z' | 0x80.. => LETTER,
                b':' | b'@' | b'[' => SEPARATOR,
                _ => OTHER,
            };
            byte += 1;
        }
        of
    };

    pub fn of_all(text: &[u8]) -> u8 {
        text.iter().fold(0, |all, byte| all | OF[usize::from(*byte)])
    }
}

fn shape(text: &[u8], at: usize) -> Option<Shaped> {
    let whole = |entity, address| Some(Shaped { start: at, end: at + text.len(), entity, address });
    let first = *text.first()?;
    let classes = class::of_all(text);
    if classes & class::SEPARATOR == 0 {
        return match classes {
            class::BODY => whole(Entity::Ip, parse_v4(text)?),
            _ if is_host_of(text, classes) => whole(Entity::Host, 0),
            _ => None,
        };
    }
    if first == b'[' {
        let close = text.iter().position(|byte| *byte == b']')?;
        if !text[close + 1..].is_empty() && !is_port(&text[close + 1..]) {
            return None;
        }
        let address = parse_v6(&text[1..close])?;
        return Some(Shaped { start: at + 1, end: at + close, entity: Entity::Ip, address });
    }
    if let Some(address) = parse_v6(text) {
        return whole(Entity::Ip, address);
    }
    if let Some(colon) = text.iter().position(|byte| *byte == b':') {
        if !is_port(&text[colon..]) {
            return None;
        }
        let before = shape(&text[..colon], at)?;
        return matches!(before.entity, Entity::Ip | Entity::Host).then_some(before);
    }
    if let Some(at_sign) = text.iter().rposition(|byte| *byte == b'@') {
        let (local, domain) = (&text[..at_sign], &text[at_sign + 1..]);
        let plain = !local.is_empty() && !local.iter().any(|byte| byte.is_ascii_whitespace() || *byte == b',');
        return if plain && is_host(domain) { whole(Entity::Email, 0) } else { None };
    }
    None
}

fn v4(address: u32) -> u128 {
    0xffff << 32 | u128::from(address)
}

/// A dotted quad without leading zeros.
fn parse_v4(text: &[u8]) -> Option<u128> {
    let (mut address, mut octet, mut digits, mut dots) = (0, 0, 0, 0);
    for byte in text {
        match byte {
            b'0'..=b'9' if digits == 0 || octet != 0 => {
                octet = octet * 10 + u32::from(byte - b'0');
                digits += 1;
                if octet > 255 {
                    return None;
                }
            }
            b'.' if digits > 0 && dots < 3 => {
                address = address << 8 | octet;
                dots += 1;
                (octet, digits) = (0, 0);
            }
            _ => return None,
        }
    }
    (dots == 3 && digits > 0).then_some(v4(address << 8 | octet))
}

/// An IPv6 address, with or without zone.
fn parse_v6(text: &[u8]) -> Option<u128> {
    if text.len() > 64 || text.iter().take(5).all(|byte| *byte != b':') {
        return None;
    }
    let address = text.split(|byte| *byte == b'%').next()?;
    let address: Ipv6Addr = std::str::from_utf8(address).ok()?.parse().ok()?;
    Some(match IpAddr::V6(address).to_canonical() {
        IpAddr::V4(address) => v4(u32::from(address)),
        IpAddr::V6(address) => u128::from(address),
    })
}

fn is_port(text: &[u8]) -> bool {
    matches!(text, [b':', digits @ ..] if (1..=5).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit))
}

fn is_host(text: &[u8]) -> bool {
    is_host_of(text, class::of_all(text))
}

fn is_host_of(text: &[u8], classes: u8) -> bool {
    classes & !class::BODY == class::LETTER && text.len() <= MAX_HOST && text[0] != b'.'
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use proptest::prelude::*;

    use super::*;

    fn found(text: &str) -> Vec<(&str, Entity)> {
        shapes(text.as_bytes())
            .as_slice()
            .iter()
            .map(|shaped| (&text[shaped.start..shaped.end], shaped.entity))
            .collect()
    }

    #[test]
    fn a_value_is_read_as_what_it_is_and_its_port_left_out() {
        for (text, expected) in [
            ("10.0.0.1", ("10.0.0.1", Entity::Ip)),
            ("10.0.0.1:443", ("10.0.0.1", Entity::Ip)),
            ("2001:db8::1", ("2001:db8::1", Entity::Ip)),
            ("fe80::1%eth0", ("fe80::1%eth0", Entity::Ip)),
            ("[2001:db8::1]:443", ("2001:db8::1", Entity::Ip)),
            ("::ffff:192.0.2.1", ("::ffff:192.0.2.1", Entity::Ip)),
            ("web-1", ("web-1", Entity::Host)),
            ("web-1.corp.example:8080", ("web-1.corp.example", Entity::Host)),
            ("alice@example.com", ("alice@example.com", Entity::Email)),
            ("büro-3", ("büro-3", Entity::Host)),
            (" 10.0.0.1", ("10.0.0.1", Entity::Ip)),
            ("\talice@example.com \n", ("alice@example.com", Entity::Email)),
        ] {
            assert_eq!(found(text), [expected], "{text}");
        }
    }

    #[test]
    fn lists_of_addresses_are_taken_apart_and_other_lists_are_not() {
        assert_eq!(found("203.0.113.5, 10.0.0.2"), [("203.0.113.5", Entity::Ip), ("10.0.0.2", Entity::Ip)]);
        assert_eq!(found("Smith, John"), []);
        assert_eq!(found("10.0.0.1, web"), []);
    }

    #[test]
    fn what_is_nothing_known_is_nothing() {
        for text in
            ["", "unix:/run/a.sock", "12345", "a b", "aa:bb:cc:dd:ee:ff", "[::1", "[::1]x", "@", "a@", ".", "/path"]
        {
            assert_eq!(found(text), [], "{text}");
        }
    }

    #[test]
    fn a_mapped_address_has_the_value_of_its_v4() {
        let texts = ["::ffff:192.0.2.1", "192.0.2.1", "::FFFF:c000:201"];
        let values: Vec<_> = texts.iter().map(|text| shapes(text.as_bytes()).as_slice()[0].address).collect();
        assert_eq!(values, [u128::from(Ipv4Addr::new(192, 0, 2, 1).to_ipv6_mapped()); 3]);
    }

    proptest! {
        #[test]
        fn dotted_quads_are_those_of_the_standard_library(
            text in "[0-9]{0,3}(\\.[0-9]{0,3}){0,4}|([0-9]|1?[0-9]{2}|2[0-5]{2}|0[0-9])(\\.([0-9]|[0-9]{2})){3}"
        ) {
            let standard = text.parse::<Ipv4Addr>().ok().map(|address| u128::from(address.to_ipv6_mapped()));
            prop_assert_eq!(parse_v4(text.as_bytes()), standard);
        }
    }
}
