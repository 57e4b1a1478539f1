//! Less of a value, without a key. What cannot be made less of is not written at all (`false`): the caller redacts it.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::super::canon;
use super::public_suffix;

/// The network's address, `203.0.113.0` of `203.0.113.7/24`, without the prefix length: it stays an address for columns
/// of addresses, `203.0.113.7/24` in a text becomes `203.0.113.0/24`, and the network of a network is itself.
pub fn write_network(address: u128, v4_prefix: u8, v6_prefix: u8, out: &mut Vec<u8>) {
    let is_v4 = canon::ip(address).is_ipv4();
    let prefix = if is_v4 { 96 + u32::from(v4_prefix.min(32)) } else { u32::from(v6_prefix.min(128)) };
    let mask = u128::MAX.checked_shl(128 - prefix).unwrap_or(0);
    out.extend_from_slice(canon::ip_text(address & mask).as_bytes());
}

/// The registrable domain (`example.co.uk`) of an e-mail address or a host name under a public suffix.
pub fn write_domain(text: &[u8], out: &mut Vec<u8>) -> bool {
    let at = text.iter().rposition(|&b| b == b'@').map_or(0, |at| at + 1);
    let Some(name) = canon::host(&text[at..]) else { return false };
    let Some(suffix) = public_suffix::of(&name) else { return false };
    let front = &name[..name.len() - suffix.len() - 1];
    let from = front.rfind('.').map_or(0, |dot| dot + 1);
    out.extend_from_slice(&name.as_bytes()[from..]);
    true
}

/// The day, `2026-11-21`, of an RFC 3339 timestamp as it is written there, or of seconds, milli-, micro- or nanoseconds since
/// 1970 in UTC.
pub fn write_day(text: &[u8], out: &mut Vec<u8>) -> bool {
    let Ok(text) = str::from_utf8(text) else { return false };
    let Some(day) = written_day(text).or_else(|| unix_day(text)) else { return false };
    out.extend_from_slice(day.to_string().as_bytes());
    true
}

fn written_day(text: &str) -> Option<Date> {
    let (day, rest) = text.split_at_checked(10)?;
    let shaped = day.bytes().enumerate().all(|(i, b)| if i == 4 || i == 7 { b == b'-' } else { b.is_ascii_digit() });
    let separated = rest.is_empty() || rest.starts_with(['T', 't', ' ']);
    if shaped && separated { day.parse().ok() } else { None }
}

fn unix_day(text: &str) -> Option<Date> {
    if !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let number: i64 = text.parse().ok()?;
    let time = match text.len() {
        9..=10 => Timestamp::from_second(number),
        12..=13 => Timestamp::from_millisecond(number),
        15..=16 => Timestamp::from_microsecond(number),
        18..=19 => Timestamp::from_nanosecond(i128::from(number)),
        _ => return None,
    };
    Some(time.ok()?.to_zoned(TimeZone::UTC).date())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>) -> bool) -> Option<String> {
        let mut out = Vec::new();
        let done = write(&mut out);
        assert!(done || out.is_empty());
        done.then(|| String::from_utf8(out).unwrap())
    }

    #[test]
    fn a_network_is_its_first_address() {
        for (ip, v4, v6, network) in [
            ("203.0.113.77", 24, 48, "203.0.113.0"),
            ("203.0.113.77", 32, 48, "203.0.113.77"),
            ("203.0.113.77", 255, 48, "203.0.113.77"),
            ("203.0.113.77", 0, 48, "0.0.0.0"),
            ("203.0.113.77", 9, 48, "203.0.0.0"),
            ("2001:db8:1:2:3:4:5:6", 24, 48, "2001:db8:1::"),
            ("2001:db8:1:2:3:4:5:6", 24, 0, "::"),
            ("2001:db8:1:2:3:4:5:6", 24, 200, "2001:db8:1:2:3:4:5:6"),
            ("::ffff:203.0.113.77", 24, 48, "203.0.113.0"),
        ] {
            let address = canon::ip_bits(ip.parse().unwrap());
            let text = written(|out| {
                write_network(address, v4, v6, out);
                true
            });
            assert_eq!(text.as_deref(), Some(network), "{ip}");
        }
    }

    #[test]
    fn a_domain_is_one_label_under_a_registrys_suffix() {
        for (text, domain) in [
            ("alice@mail.Example.co.uk", Some("example.co.uk")),
            ("web-1.prod.example.com", Some("example.com")),
            ("example.com", Some("example.com")),
            ("alice.github.io", Some("github.io")),
            ("web-1.corp", None),
            ("web-1", None),
            ("com", None),
            ("not a host", None),
            ("alice@", None),
        ] {
            assert_eq!(written(|out| write_domain(text.as_bytes(), out)).as_deref(), domain, "{text}");
        }
    }

    #[test]
    fn a_day_is_read_out_of_the_usual_timestamps() {
        for (text, day) in [
            ("2026-11-21T23:59:59.123Z", Some("2026-11-21")),
            ("2026-11-21 23:59:59", Some("2026-11-21")),
            ("2026-11-21", Some("2026-11-21")),
            ("1700000000", Some("2023-11-14")),
            ("1700000000123", Some("2023-11-14")),
            ("1700000000123456", Some("2023-11-14")),
            ("1700000000123456789", Some("2023-11-14")),
            ("2026-13-21", None),
            ("2026-11-211", None),
            ("2026-11-21alice", None),
            ("+999999-01-01", None),
            ("4111111111111111111111", None),
            ("12345", None),
            ("", None),
            ("yesterday", None),
        ] {
            assert_eq!(written(|out| write_day(text.as_bytes(), out)).as_deref(), day, "{text}");
        }
        assert_eq!(written(|out| write_day(b"\xff", out)), None);
    }
}
