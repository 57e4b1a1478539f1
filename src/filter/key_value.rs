//! The bytes of a `KeyValue`, without a look at what they say.

use crate::wire::read::{self, Field};

use super::stop::{Fault, Stop};

/// A `KeyValue`, taken apart.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pair {
    pub key: Option<Field>,
    pub value: Option<Field>,
    pub key_index: Option<Field>,
}

/// The content of a field whose tag stands at `pos`, if its length has one byte.
#[inline]
pub(super) fn short_pair(buf: &[u8], pos: usize) -> Option<&[u8]> {
    let len = *buf.get(pos + 1).filter(|len| **len < 0x80)?;
    buf[pos + 2..].get(..usize::from(len))
}

/// Whether the value that stands behind a key of the usual length is a text; numbers are told apart here before anything is
/// looked up. (Of another shape it may say anything.)
#[inline]
pub(super) fn may_hold_text(pair: &[u8]) -> bool {
    pair.get(1).is_some_and(|len| pair.get(4 + usize::from(*len)) == Some(&0x0a))
}

/// Where in an attribute of the usual shape the key ends, and where the lengths of value and text stand and end.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    pub key_end: usize,
    pub value: (usize, usize),
    pub text: (usize, usize),
}

/// Where the key ends that a pair begins with, of the usual length.
#[inline(always)]
fn key_end(pair: &[u8]) -> Option<usize> {
    match pair {
        [0x0a, len @ 0..0x80, _, _, _, _, ..] => Some(2 + usize::from(*len)),
        _ => None,
    }
}

/// The shape that nearly every attribute has: one key, one text value, all lengths in agreement. Proves by itself that there
/// is one key, one value and one field in it.
#[inline]
pub(super) fn usual_shape(buf: &[u8], content: usize, end: usize) -> Option<Shape> {
    let pair = &buf[content..end];
    let key_end = key_end(pair)?;
    let header = pair.get(key_end..key_end + 4)?;
    let rest = pair.len() - key_end;
    if header[0] != 0x12 {
        return None;
    }
    if rest >= 0x80 + 2 {
        return long_shape(buf, content + key_end, end);
    }
    let usual = header[2] == 0x0a && usize::from(header[1]) + 2 == rest && usize::from(header[3]) + 4 == rest;
    let key_end = content + key_end;
    usual.then_some(Shape { key_end, value: (key_end + 1, key_end + 2), text: (key_end + 3, key_end + 4) })
}

/// The same, of a value whose lengths take more than a byte.
#[inline(never)]
pub(super) fn long_shape(buf: &[u8], key_end: usize, end: usize) -> Option<Shape> {
    let rest_of = |tag: u8, pos: usize| {
        let (content, stop) = read::length(buf, pos + 1, end).ok()?;
        (buf[pos] == tag && stop == end).then_some((pos + 1, content))
    };
    let value = rest_of(0x12, key_end)?;
    let text = rest_of(0x0a, value.1)?;
    Some(Shape { key_end, value, text })
}

/// The other shape that many attributes have: one key, one number or truth value. Returns where the key ends.
#[inline]
pub(super) fn scalar_shape(buf: &[u8], content: usize, end: usize) -> Option<usize> {
    let pair = &buf[content..end];
    let key_end = key_end(pair)?;
    let [0x12, len, tag, number @ ..] = pair.get(key_end..)? else { return None };
    let whole = match tag {
        // bool_value, int_value
        0x10 | 0x18 => read::varint(number, 0, number.len()).is_ok_and(|(_, next)| next == number.len()),
        // double_value
        0x21 => number.len() == 8,
        _ => false,
    };
    (whole && usize::from(*len) == 1 + number.len()).then_some(content + key_end)
}

/// A `KeyValue`'s fields: at most one of each, and of the right type. (Unknown ones are for the caller to delete.)
pub(super) fn take_apart(buf: &[u8], content: usize, end: usize) -> Result<Pair, Stop> {
    let mut pair = Pair::default();
    for field in read::fields(buf, content, end) {
        let field = field?;
        let (slot, wire_type) = match field.tag.number {
            1 => (&mut pair.key, 2),
            2 => (&mut pair.value, 2),
            3 => (&mut pair.key_index, 0),
            _ => continue,
        };
        if field.tag.wire_type != wire_type {
            return Err(Fault::WrongWireType.into());
        }
        if slot.replace(field).is_some() {
            return Err(Fault::RepeatedField.into());
        }
    }
    if pair.key.is_some() && pair.key_index.is_some() {
        return Err(Fault::RepeatedField.into());
    }
    Ok(pair)
}
