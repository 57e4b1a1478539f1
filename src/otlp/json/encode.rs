//! From wire bytes straight to JSON text.
//!
//! Fields may stand in any order on the wire and elements of one list need not stand together, so a message is first cut
//! into entries, these are put in the table's order, and then written: one pass and, as senders write in order anyway,
//! nearly never a sort.

use std::io::Write;
use std::ops::Range;

use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;

use super::names::push_camel;
use super::{Error, MAX_DEPTH, Signal, child, has_oneof};
use crate::otlp::schema::{Field, Kind, Message};

pub(super) fn request(signal: Signal, request: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
    let mut encoder = Encoder { input: request, out, entries: Vec::new() };
    encoder.entries.push(Entry { field: 0, packed: false, start: 0, end: request.len() });
    encoder.message(signal.request(), 0..1, MAX_DEPTH)
}

/// One occurrence of a field: where its value stands, without tag and length.
#[derive(Clone, Copy)]
struct Entry {
    /// The index in the message's `fields`.
    field: usize,
    /// A length-delimited list of numbers.
    packed: bool,
    start: usize,
    end: usize,
}

struct Encoder<'a> {
    input: &'a [u8],
    out: &'a mut Vec<u8>,
    /// A stack: the entries of a message stand above those of its parents.
    entries: Vec<Entry>,
}

impl Encoder<'_> {
    /// Writes a message, made of all its occurrences: protobuf merges them.
    fn message(&mut self, message: &'static Message, occurrences: Range<usize>, depth: usize) -> Result<(), Error> {
        let base = self.entries.len();
        for occurrence in occurrences {
            let Entry { start, end, .. } = self.entries[occurrence];
            if depth == 0 {
                return wrong("nested too deep", start);
            }
            self.collect(message, start, end)?;
        }
        if has_oneof(message) {
            self.settle_oneof(message, base);
        }
        if !self.entries[base..].is_sorted_by_key(|entry| entry.field) {
            self.entries[base..].sort_by_key(|entry| entry.field);
        }
        self.out.push(b'{');
        let top = self.entries.len();
        let mut from = base;
        while from < top {
            let index = self.entries[from].field;
            let run = self.entries[from..top].iter().take_while(|entry| entry.field == index).count();
            self.field(&message.fields[index], from..from + run, depth - 1)?;
            from += run;
        }
        self.out.push(b'}');
        self.entries.truncate(base);
        Ok(())
    }

    /// Cuts a message's bytes into entries.
    fn collect(&mut self, message: &'static Message, start: usize, end: usize) -> Result<(), Error> {
        let mut at = start;
        while at < end {
            let (tag, value) = varint(self.input, at, end)?;
            let (number, wire_type) = (tag >> 3, tag & 7);
            if number == 0 || tag > u64::from(u32::MAX) {
                return wrong("a field number is out of range", at);
            }
            let (from, to) = match wire_type {
                0 => (value, varint(self.input, value, end)?.1),
                1 => (value, value + 8),
                5 => (value, value + 4),
                2 => {
                    let (len, from) = varint(self.input, value, end)?;
                    (from, usize::try_from(len).ok().and_then(|len| from.checked_add(len)).unwrap_or(usize::MAX))
                }
                _ => return wrong("a wire type is not allowed", at),
            };
            if to > end {
                return wrong("a value goes past its message", at);
            }
            if let Some(index) = message.fields.iter().position(|field| u64::from(field.number) == number) {
                let field = &message.fields[index];
                let packed = wire_type == 2 && field.packable();
                if !packed && wire_type != field.kind.scalar_wire_type().map_or(2, u64::from) {
                    return wrong("a field has another field's wire type", at);
                }
                self.entries.push(Entry { field: index, packed, start: from, end: to });
            }
            at = to;
        }
        Ok(())
    }

    /// Of a oneof's members the last one on the wire counts, and takes away what stood before another member.
    fn settle_oneof(&mut self, message: &Message, base: usize) {
        let is_member = |entry: &Entry| message.fields[entry.field].presence;
        let entries = &self.entries[base..];
        let Some(last) = entries.iter().rfind(|entry| is_member(entry)) else { return };
        if let Some(cut) = entries.iter().rposition(|entry| is_member(entry) && entry.field != last.field) {
            let entries = self.entries.split_off(base);
            let valid = |(index, entry): &(usize, Entry)| *index > cut || !is_member(entry);
            self.entries.extend(entries.into_iter().enumerate().filter(valid).map(|(_, entry)| entry));
        }
    }

    /// Writes a member of an object, all the field's occurrences; nothing where the value says no more than its absence.
    fn field(&mut self, field: &'static Field, occurrences: Range<usize>, depth: usize) -> Result<(), Error> {
        let last = self.entries[occurrences.end - 1];
        let message = child(field);
        let absent = if field.repeated {
            self.entries[occurrences.clone()].iter().all(|entry| entry.packed && entry.start == entry.end)
        } else {
            message.is_none() && !field.presence && is_default(field, &self.input[last.start..last.end])
        };
        if absent {
            return Ok(());
        }
        if self.out.last() != Some(&b'{') {
            self.out.push(b',');
        }
        self.out.push(b'"');
        push_camel(field.name, self.out);
        self.out.extend_from_slice(b"\":");
        match message {
            _ if field.repeated => self.list(field, occurrences, depth),
            Some(message) => self.message(message, occurrences, depth),
            None => self.scalar(field, last.start, last.end),
        }
    }

    /// Writes a list of one element or more.
    fn list(&mut self, field: &'static Field, occurrences: Range<usize>, depth: usize) -> Result<(), Error> {
        self.out.push(b'[');
        for occurrence in occurrences {
            let Entry { packed, start, end, .. } = self.entries[occurrence];
            if let Some(message) = child(field) {
                self.message(message, occurrence..occurrence + 1, depth)?;
                self.out.push(b',');
            } else if packed {
                let mut at = start;
                while at < end {
                    let next = match field.kind.scalar_wire_type() {
                        Some(0) => varint(self.input, at, end)?.1,
                        Some(1) => at + 8,
                        _ => at + 4,
                    };
                    if next > end {
                        return wrong("a value goes past its message", at);
                    }
                    self.scalar(field, at, next)?;
                    self.out.push(b',');
                    at = next;
                }
            } else {
                self.scalar(field, start, end)?;
                self.out.push(b',');
            }
        }
        // In place of the last comma.
        *self.out.last_mut().expect("an element was written") = b']';
        Ok(())
    }

    /// Writes a number, text or bytes.
    fn scalar(&mut self, field: &Field, start: usize, end: usize) -> Result<(), Error> {
        let bytes = &self.input[start..end];
        let fixed = || bytes.iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte));
        let number = || varint(self.input, start, end).map(|(value, _)| value);
        let out = &mut *self.out;
        match field.kind {
            Kind::String(_) => match str::from_utf8(bytes) {
                Ok(text) => push_string(text, out),
                Err(_) => return wrong("text is not UTF-8", start),
            },
            Kind::Bytes(_) => push(out, format_args!("\"{}\"", Base64Display::new(bytes, &STANDARD))),
            Kind::Id(_) => {
                out.push(b'"');
                for byte in bytes {
                    out.extend([byte >> 4, byte & 15].map(|digit| b"0123456789abcdef"[usize::from(digit)]));
                }
                out.push(b'"');
            }
            Kind::Double => push_double(f64::from_bits(fixed()), out),
            Kind::Fixed64 => push(out, format_args!("\"{}\"", fixed())),
            Kind::Sfixed64 => push(out, format_args!("\"{}\"", fixed().cast_signed())),
            Kind::Fixed32 => push(out, format_args!("{}", fixed())),
            Kind::Int64 => push(out, format_args!("\"{}\"", number()?.cast_signed())),
            Kind::Uint64 => push(out, format_args!("\"{}\"", number()?)),
            // Of a 32-bit number parsers take the low half of what is on the wire.
            Kind::Uint32 => push(out, format_args!("{}", number()? as u32)),
            Kind::Int32 | Kind::Enum(_) | Kind::StringIndex => push(out, format_args!("{}", number()? as i32)),
            Kind::Sint32 => {
                let zigzag = number()? as u32;
                push(out, format_args!("{}", (zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed()));
            }
            Kind::Bool => out.extend_from_slice(if number()? != 0 { b"true" } else { b"false" }),
            Kind::Attributes(_) | Kind::Message(_) => unreachable!("`message` writes these"),
        }
        Ok(())
    }
}

/// Whether a value is what an absent field stands for.
fn is_default(field: &Field, value: &[u8]) -> bool {
    match field.kind.scalar_wire_type() {
        Some(0) => value.iter().all(|byte| byte & 0x7f == 0),
        Some(_) => value.iter().all(|&byte| byte == 0),
        None => value.is_empty(),
    }
}

fn push(out: &mut Vec<u8>, formatted: std::fmt::Arguments) {
    out.write_fmt(formatted).expect("a Vec takes all that is written");
}

fn push_double(value: f64, out: &mut Vec<u8>) {
    match value {
        _ if value.is_nan() => push(out, format_args!("\"NaN\"")),
        f64::INFINITY => push(out, format_args!("\"Infinity\"")),
        f64::NEG_INFINITY => push(out, format_args!("\"-Infinity\"")),
        // The shortest digits that read back to the same bits.
        _ => push(out, format_args!("{value:?}")),
    }
}

fn push_string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let mut rest = text.as_bytes();
    while let Some(run) = rest.iter().position(|&byte| byte < b' ' || byte == b'"' || byte == b'\\') {
        out.extend_from_slice(&rest[..run]);
        match rest[run] {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            control => push(out, format_args!("\\u{control:04x}")),
        }
        rest = &rest[run + 1..];
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

/// Reads a varint that ends before `end`; its value and where the next thing starts.
fn varint(input: &[u8], at: usize, end: usize) -> Result<(u64, usize), Error> {
    let mut value = 0;
    for (index, &byte) in input[at..end].iter().take(10).enumerate() {
        if index == 9 && byte > 1 {
            break;
        }
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte < 0x80 {
            return Ok((value, at + index + 1));
        }
    }
    wrong("a varint is malformed", at)
}

fn wrong<T>(reason: &'static str, offset: usize) -> Result<T, Error> {
    Err(Error::Protobuf { reason, offset })
}
