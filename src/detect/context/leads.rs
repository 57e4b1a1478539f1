//! Which marks of a text (`=`, `:`, `<`, `\`, `]`, `@`) may lead to a name, told by the bytes beside them: most do not, and are
//! passed over while the text is scanned.

use super::bytes::{self, AFTER_KEY, HOST, LEADS};
use super::{chosen_server, firewall_interface, key_end, keys, tag_of_key};
use crate::detect::text::Text;
use crate::scan::Masks;

/// Takes down those of a window's marks (a bit each, from `at` on) that may lead to a name. Too many, never too few.
#[inline(always)]
pub fn note(text: &Text<'_>, at: usize, masks: &Masks, marks: u64, leads: &mut Vec<u32>) {
    // What stands there varies too much for a branch on each.
    let mut left = marks;
    let mut leading = 0;
    while left != 0 {
        let i = left.trailing_zeros();
        left &= left - 1;
        leading |= u64::from(may_lead_behind(text.buf, at + i as usize)) << i;
    }
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

/// Whether a mark may lead to a name by what stands right before it, which may lie before the text: a key is known by three
/// bytes.
#[inline(always)]
fn may_lead_behind(buf: &[u8], mark: usize) -> bool {
    let Some(five) = mark.checked_sub(4).and_then(|from| buf.get(from..from + 5)) else { return true };
    let [four @ .., byte]: [u8; 5] = five.try_into().expect("five bytes were taken");
    let last = u32::from_le_bytes(four);
    // One space or quote may stand behind the key; there may be more, but seldom.
    let skipped = bytes::is(four[3], AFTER_KEY);
    let last = if skipped { last } else { last >> 8 } & 0xff_ffff;
    let is_key = keys::may_end_with(last, byte == b':') | skipped & bytes::is(four[2], AFTER_KEY);
    is_key & matches!(byte, b'=' | b':') | bytes::is(byte, LEADS)
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
