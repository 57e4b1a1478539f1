//! Which marks of a text (`=`, `:`, `<`, `\`, `]`, `@`) may lead to a name, told by the bytes beside them: most do not, and are
//! passed over while the text is scanned.

use super::bytes::{self, HOST};
use super::{chosen_server, firewall_interface, key_end, keys, tag_of_key};

/// Takes down those of a window's marks (a bit each, from `at` on) that may lead to a name in `buf[start..end]`. Too many,
/// never too few.
#[inline(always)]
pub fn note(buf: &[u8], start: usize, end: usize, at: usize, marks: u64, leads: &mut Vec<u32>) {
    let mut left = marks;
    while left != 0 {
        let mark = at + left.trailing_zeros() as usize;
        left &= left - 1;
        // Most marks are the `=` of `key=value`.
        if mark > start && mark >= 8 && buf[mark] == b'=' {
            let last = u64::from_le_bytes(buf[mark - 8..mark].try_into().expect("eight bytes were taken"));
            // What stands before the text is none of it.
            let outside = 8usize.saturating_sub(mark - start);
            if keys::is_no_end(last & !0 << (8 * outside)) {
                continue;
            }
        }
        if may_lead(&buf[start..end], mark - start) {
            leads.push(mark as u32);
        }
    }
}

#[inline(never)]
fn may_lead(text: &[u8], at: usize) -> bool {
    match text[at] {
        b'=' => may_end_key(text, at, false),
        b':' => match text.get(at + 1) {
            Some(b':' | b'/') => false,
            behind => {
                may_end_key(text, at, true)
                    || behind.is_some_and(|b| bytes::is(*b, HOST)) && firewall_interface(text, at).is_some()
            }
        },
        b']' => chosen_server(text, at).is_some(),
        b'<' => tag_of_key(text, at).is_some(),
        b'\\' | b'@' => true,
        _ => false,
    }
}

/// Whether a key that is known may end before the separator at `at`.
#[inline(always)]
fn may_end_key(text: &[u8], at: usize, prose: bool) -> bool {
    let (end, _) = key_end(text, at);
    keys::may_end(&text[..end], prose)
}
