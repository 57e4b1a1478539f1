//! Values that identify nobody and are left as they are: loopback, `localhost`, well-known schema hosts.

use std::net::IpAddr;

use crate::detect::Entity;
use crate::pseudonym::Value;

/// One value, or a set of them, that a `keep:` list or an exception names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Kept {
    /// Addresses whose first `bits` (of 128, IPv4 as v4-mapped) are those of `network`.
    Network { network: u128, bits: u8 },
    /// A host name, lower case.
    Host(String),
    /// Every host below a domain; with the leading dot, lower case.
    Below(String),
    /// An e-mail address, lower case.
    Email(String),
}

impl Kept {
    /// Reads `10.0.0.0/8`, `::1`, `localhost`, `*.example.com`, `postmaster@example.com`.
    pub fn parse(text: &str) -> Result<Kept, &'static str> {
        let lower = text.trim_end_matches('.').to_lowercase();
        if let Some((address, bits)) = lower.split_once('/') {
            let address: IpAddr = address.parse().map_err(|_| "not an IP network")?;
            let bits: u8 = bits.parse().map_err(|_| "not a prefix length")?;
            let (width, offset) = if address.is_ipv4() { (32, 96) } else { (128, 0) };
            if bits > width {
                return Err("the prefix is longer than the address");
            }
            let network = mapped(address);
            if network & !mask(bits + offset) != 0 {
                return Err("bits are set beyond the prefix");
            }
            return Ok(Kept::Network { network, bits: bits + offset });
        }
        if let Ok(address) = lower.parse::<IpAddr>() {
            return Ok(Kept::Network { network: mapped(address), bits: 128 });
        }
        if let Some((local, domain)) = lower.rsplit_once('@') {
            return match !local.is_empty() && is_host(domain) {
                true => Ok(Kept::Email(lower)),
                false => Err("not an e-mail address"),
            };
        }
        match lower.strip_prefix('*') {
            Some(below) if below.starts_with('.') && is_host(&below[1..]) => Ok(Kept::Below(below.to_owned())),
            None if is_host(&lower) => Ok(Kept::Host(lower)),
            _ => Err("neither an address, a network, a host, `*.domain` nor an e-mail address"),
        }
    }

    /// Whether all that it names is named by `other`, too.
    pub fn lies_in(&self, other: &Kept) -> bool {
        match (self, other) {
            (Kept::Network { network, bits }, Kept::Network { network: around, bits: fewer }) => {
                fewer <= bits && network & mask(*fewer) == *around
            }
            (Kept::Host(host), Kept::Below(suffix)) => host.len() > suffix.len() && host.ends_with(suffix),
            (Kept::Below(below), Kept::Below(suffix)) => below.ends_with(suffix),
            _ => self == other,
        }
    }

    pub fn covers(&self, entity: Entity, value: Value<'_>) -> bool {
        match (self, value) {
            (Kept::Network { network, bits }, Value::Ip(address)) => {
                entity == Entity::Ip && address & mask(*bits) == *network
            }
            (Kept::Host(host), Value::Text(text)) => {
                entity == Entity::Host && trim_dot(text).eq_ignore_ascii_case(host.as_bytes())
            }
            (Kept::Below(suffix), Value::Text(text)) => {
                let (text, suffix) = (trim_dot(text), suffix.as_bytes());
                entity == Entity::Host
                    && text.len() > suffix.len()
                    && text[text.len() - suffix.len()..].eq_ignore_ascii_case(suffix)
            }
            (Kept::Email(email), Value::Text(text)) => {
                entity == Entity::Email && trim_dot(text).eq_ignore_ascii_case(email.as_bytes())
            }
            _ => false,
        }
    }
}

fn mapped(address: IpAddr) -> u128 {
    u128::from(match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    })
}

fn mask(bits: u8) -> u128 {
    u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0)
}

fn trim_dot(text: &[u8]) -> &[u8] {
    text.strip_suffix(b".").unwrap_or(text)
}

fn is_host(text: &str) -> bool {
    !text.is_empty()
        && text
            .split('.')
            .all(|label| !label.is_empty() && label.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> Value<'static> {
        Value::Ip(mapped(text.parse().unwrap()))
    }

    #[test]
    fn what_lies_in_another_is_named_by_it_too() {
        let lies_in = |one, other| Kept::parse(one).unwrap().lies_in(&Kept::parse(other).unwrap());
        for (one, other) in [
            ("127.0.0.1", "127.0.0.0/8"),
            ("10.0.0.0/9", "10.0.0.0/8"),
            ("2001:db8::1", "2001:db8::/32"),
            ("a.example.com", "*.example.com"),
            ("*.b.example.com", "*.example.com"),
            ("Localhost", "localhost"),
            ("a@example.com", "a@example.com"),
        ] {
            assert!(lies_in(one, other) && (one.eq_ignore_ascii_case(other) || !lies_in(other, one)), "{one} {other}");
        }
        for (one, other) in
            [("example.com", "*.example.com"), ("11.0.0.1", "10.0.0.0/8"), ("badexample.com", "*.example.com")]
        {
            assert!(!lies_in(one, other), "{one} {other}");
        }
    }

    #[test]
    fn networks_cover_their_addresses_and_no_others() {
        let loopback = Kept::parse("127.0.0.0/8").unwrap();
        assert!(loopback.covers(Entity::Ip, ip("127.1.2.3")));
        assert!(!loopback.covers(Entity::Ip, ip("128.0.0.1")));
        assert!(!loopback.covers(Entity::Ip, ip("::1")));
        assert!(Kept::parse("::1").unwrap().covers(Entity::Ip, ip("::1")));
        assert!(Kept::parse("::/0").unwrap().covers(Entity::Ip, ip("2001:db8::1")));
    }

    #[test]
    fn hosts_are_compared_without_case_and_final_dot() {
        assert!(Kept::parse("localhost").unwrap().covers(Entity::Host, Value::Text(b"LOCALHOST.")));
        let below = Kept::parse("*.example.com").unwrap();
        assert!(below.covers(Entity::Host, Value::Text(b"a.Example.com")));
        assert!(!below.covers(Entity::Host, Value::Text(b"example.com")));
        assert!(!below.covers(Entity::Host, Value::Text(b"badexample.com")));
    }

    #[test]
    fn an_entity_is_kept_only_by_an_entry_of_its_kind() {
        assert!(!Kept::parse("localhost").unwrap().covers(Entity::User, Value::Text(b"localhost")));
        let email = Kept::parse("postmaster@example.com").unwrap();
        assert!(email.covers(Entity::Email, Value::Text(b"postmaster@EXAMPLE.com")));
        assert!(!email.covers(Entity::Email, Value::Text(b"bob@example.com")));
    }

    #[test]
    fn a_network_with_host_bits_is_refused() {
        for bad in ["10.0.0.1/8", "10.0.0.0/33", "x/8", "a b", "@x", "*example.com", ""] {
            assert!(Kept::parse(bad).is_err(), "{bad}");
        }
    }
}
