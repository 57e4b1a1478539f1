//! Percent escapes: a stretch of text is decoded and searched again, and what is found there is led back.

use super::search::Finder;
use super::text::Text;
use super::{Found, Place, Writing};
use crate::scan::Best;

/// A stretch as it reads decoded. Kept from search to search.
#[derive(Default)]
pub struct Decoded {
    bytes: Vec<u8>,
    /// For each decoded byte, and for the end: where it stood.
    offsets: Vec<u32>,
    depth: u8,
    /// For what is found in it.
    nested: Option<Box<Found>>,
}

/// Escapes inside escapes are followed this deep (`%2540`).
const MAX_DEPTH: u8 = 3;

/// Searches `start..end` decoded and appends what is found. False, and nothing done, if nothing in it decodes.
pub fn search(text: &Text<'_>, start: usize, end: usize, found: &mut Found) -> bool {
    let Found { spans, decoded, .. } = found;
    if decoded.depth >= MAX_DEPTH {
        return false;
    }
    decoded.bytes.clear();
    decoded.offsets.clear();
    if !decode(&text.buf[start..end], start, &mut decoded.bytes, &mut decoded.offsets) {
        return false;
    }
    let begins_value = text.place == Place::HostByKey && start == text.start;
    let place = if begins_value { Place::HostByKey } else { Place::Text };
    let bytes = &decoded.bytes;
    let inner = Text { buf: bytes, start: 0, end: bytes.len(), wanted: text.wanted, place };
    let nested = decoded.nested.get_or_insert_default();
    nested.decoded.depth = decoded.depth + 1;
    let _ = Best::new().run(&mut Finder::new(inner, false, nested));
    for mut span in nested.spans.drain(..) {
        let len = span.end - span.start;
        span.start = decoded.offsets[span.start as usize];
        span.end = decoded.offsets[span.end as usize];
        if span.end - span.start != len {
            span.writing = Writing::Percent;
        }
        spans.push(span);
    }
    true
}

/// Only what can be part of a text is decoded: no control characters.
fn decode(from: &[u8], base: usize, bytes: &mut Vec<u8>, offsets: &mut Vec<u32>) -> bool {
    let hex = |i: usize| from.get(i).and_then(|&byte| (byte as char).to_digit(16));
    let mut any = false;
    let mut at = 0;
    while at < from.len() {
        offsets.push((base + at) as u32);
        match (from[at], hex(at + 1), hex(at + 2)) {
            (b'%', Some(high), Some(low)) if high << 4 | low >= 0x20 && high << 4 | low != 0x7f => {
                bytes.push((high << 4 | low) as u8);
                any = true;
                at += 3;
            }
            (byte, ..) => {
                bytes.push(byte);
                at += 1;
            }
        }
    }
    offsets.push((base + from.len()) as u32);
    any
}
