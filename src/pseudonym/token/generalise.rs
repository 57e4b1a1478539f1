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
