//! What a value that its key decides turns out to be: an address, an e-mail, a host, or anything else.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

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
#[derive(Default)]
pub(super) struct Shapes {
    found: [Option<Shaped>; MAX_LIST],
}

/// Addresses in a list, of which a value with more is nothing known.
const MAX_LIST: usize = 16;

impl Shapes {
    pub fn iter(&self) -> impl Iterator<Item = &Shaped> {
        self.found.iter().flatten()
    }
}

/// Says what the value is: one identifier, or addresses separated by commas; none if it is nothing known as a whole.
pub(super) fn shapes(text: &[u8]) -> Shapes {
    let mut shapes = Shapes::default();
    if let Some(one) = shape(text, 0) {
        shapes.found[0] = Some(one);
    } else if text.contains(&b',') {
        let mut at = 0;
        for (index, element) in text.split(|byte| *byte == b',').enumerate() {
            let from = at + element.len() - element.trim_ascii_start().len();
            let known = shape(element.trim_ascii(), from).filter(|shaped| shaped.entity == Entity::Ip);
            match shapes.found.get_mut(index) {
                Some(slot) if known.is_some() => *slot = known,
                _ => return Shapes::default(),
            }
            at += element.len() + 1;
        }
    }
    shapes
}

fn shape(text: &[u8], at: usize) -> Option<Shaped> {
    let whole = |entity, address| Some(Shaped { start: at, end: at + text.len(), entity, address });
    let first = *text.first()?;
    if first.is_ascii_digit()
        && let Some(address) = parse_v4(text)
    {
        return whole(Entity::Ip, v4(address));
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
    if is_host(text) { whole(Entity::Host, 0) } else { None }
}

fn v4(address: Ipv4Addr) -> u128 {
    u128::from(address.to_ipv6_mapped())
}

fn parse_v4(text: &[u8]) -> Option<Ipv4Addr> {
    if text.len() > 15 { None } else { std::str::from_utf8(text).ok()?.parse().ok() }
}

/// An IPv6 address, with or without zone.
fn parse_v6(text: &[u8]) -> Option<u128> {
    if text.len() > 64 || text.iter().take(5).all(|byte| *byte != b':') {
        return None;
    }
    let address = text.split(|byte| *byte == b'%').next()?;
    let address: Ipv6Addr = std::str::from_utf8(address).ok()?.parse().ok()?;
    Some(match IpAddr::V6(address).to_canonical() {
        IpAddr::V4(address) => v4(address),
        IpAddr::V6(address) => u128::from(address),
    })
}

fn is_port(text: &[u8]) -> bool {
    matches!(text, [b':', digits @ ..] if (1..=5).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit))
}

fn is_host(text: &[u8]) -> bool {
    let body = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.') || !byte.is_ascii();
    (1..=MAX_HOST).contains(&text.len())
        && text.iter().all(body)
        && text[0] != b'.'
        && text.iter().any(|byte| byte.is_ascii_alphabetic() || !byte.is_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(&str, Entity)> {
        shapes(text.as_bytes()).iter().map(|shaped| (&text[shaped.start..shaped.end], shaped.entity)).collect()
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
        let values: Vec<_> =
            texts.iter().flat_map(|text| shapes(text.as_bytes()).found[0]).map(|s| s.address).collect();
        assert_eq!(values, [v4(Ipv4Addr::new(192, 0, 2, 1)); 3]);
    }
}
