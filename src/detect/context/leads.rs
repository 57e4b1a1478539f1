//! Which marks of a text (`=`, `:`, `<`, `\`, `]`, `@`) may lead to a name, told by the bytes beside them: most do not, and are
//! passed over while the text is scanned.

use super::bytes::{self, HOST};
use super::{chosen_server, firewall_interface, key_end, keys, tag_of_key};
use crate::detect::text::Text;
use crate::scan::{Masks, Scanner};

/// Takes down those of a window's marks (a bit each, from `at` on) that may lead to a name. Too many, never too few.
#[inline(always)]
pub fn note<S: Scanner>(scanner: S, text: &Text<'_>, at: usize, masks: &Masks, marks: u64, leads: &mut Vec<u32>) {
    // What stands before a mark varies too much for a branch on each. It may lie before the text: a key has three bytes of its own.
    let mut leading = marks & scanner.led(text.buf, at, &keys::BEFORE_SEPARATORS);
    // The address of a firewall's line: `inside:DC-2/443`.
    let host = masks.word | masks.dot;
    let mut left = marks & masks.colon & host << 1 & host >> 1;
    while left != 0 {
        let i = left.trailing_zeros();
        left &= left - 1;
        let end = at + (i + 1 + (host >> i >> 1).trailing_ones()) as usize;
        leading |= u64::from(text.at(end) == b'/') << i;
    }
    while leading != 0 {
        let mark = at + leading.trailing_zeros() as usize;
        leading &= leading - 1;
        if may_lead(&text.buf[text.start..text.end], mark - text.start) {
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
