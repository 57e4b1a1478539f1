//! The forms that a value can take, one file each. All are plain ASCII without quotes, backslashes and spaces.
//!
//! | recipe | form | file |
//! |---|---|---|
//! | `Token`, series | `ip_7_j3x9evzg88gbbcpj0aprmscjp`: kind, epoch, 125 bits | `generic` |
//! | `Host` | `h7q2m….h7x0w…`: per label `h`, epoch, 80 bits | `host` |
//! | `Email` | `u7<100 bits>@h7….h7….invalid` | `email` |
//! | `IpAddress`, `IpSubnet` | an address | `address`, `subnet` |
//! | `Reversible` | `user_7~…`: kind, epoch, ciphertext | `reversible` |
//! | `Network`, `Domain`, `Day` | less of the value | `generalise` |
//! | `Redacted`, `MaskAllBut` | `[ip]`, `****1234` | `mask` |
//!
//! A body of MAC characters always holds a digit and a letter beyond `f` (see [`base32::encode_body`]), so neither words
//! nor hexadecimal identifiers are mistaken for tokens.

pub mod address;
pub mod base32;
pub mod email;
pub mod generalise;
pub mod generic;
pub mod host;
pub mod mask;
pub mod public_suffix;
pub mod reversible;
pub mod subnet;

/// Whether a text is, from its first to its last byte, a token of any recipient and epoch.
pub fn is_token(text: &[u8]) -> bool {
    generic::is_token(text) || host::is_token(text) || email::is_token(text) || reversible::is_token(text)
}

/// Writes a number in decimal.
fn write_epoch(mut epoch: u32, out: &mut Vec<u8>) {
    let mut digits = [0; 10];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (epoch % 10) as u8;
        epoch /= 10;
        if epoch == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// Whether the digits are an epoch as it is written: no leading zeros, 32 bits.
fn is_epoch(digits: &[u8]) -> bool {
    parse_epoch(digits).is_some()
}

fn parse_epoch(digits: &[u8]) -> Option<u32> {
    let well_formed = digits.iter().all(u8::is_ascii_digit) && (digits.len() == 1 || !digits.starts_with(b"0"));
    if !well_formed {
        return None;
    }
    str::from_utf8(digits).ok()?.parse().ok()
}

/// The longest name of a kind, in bytes.
pub const MAX_KIND: usize = 32;

/// Whether a name can stand in front of a token: `[a-z][a-z0-9_-]*`, at most [`MAX_KIND`] bytes.
pub fn is_kind(name: &[u8]) -> bool {
    name.len() <= MAX_KIND
        && name.first().is_some_and(u8::is_ascii_lowercase)
        && name.iter().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-'))
}
