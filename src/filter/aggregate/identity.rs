//! What identifies a series, as bytes that are equal where it is: attributes in any order, lengths of any width.

use crate::otlp::schema::{self, Kind, Message};
use crate::wire::Malformed;
use crate::wire::edit::{put_field, put_varint};
use crate::wire::read::{self, Field};

/// Of an envelope (`ResourceMetrics`, `ScopeMetrics`): its resource or scope, in however many parts it comes.
pub fn of_source(buf: &[u8], envelope: Field, source: &Message) -> Result<Vec<u8>, Malformed> {
    let mut attributes = Vec::new();
    let mut out = Vec::new();
    for part in read::fields(buf, envelope.value, envelope.end) {
        let part = part?;
        if part.tag.number != 1 {
            continue;
        }
        for field in read::fields(buf, part.value, part.end) {
            let field = field?;
            match source.field(field.tag.number).map(|known| known.kind) {
                Some(Kind::Attributes(_)) => attributes.push(field),
                Some(Kind::String(_)) => put_field(&mut out, field.tag.number, &buf[field.value..field.end]),
                _ => {}
            }
        }
    }
    put_attributes(buf, &attributes, &mut out)?;
    Ok(length_first(&out))
}

/// Of a metric: its source, name, unit, and what kind of data it has.
pub fn of_metric(buf: &[u8], metric: Field, source: &[u8]) -> Result<Vec<u8>, Malformed> {
    let mut out = source.to_vec();
    for wanted in [1, 3] {
        for field in read::fields(buf, metric.value, metric.end) {
            let field = field?;
            if field.tag.number == wanted {
                put_field(&mut out, wanted, &buf[field.value..field.end]);
            }
        }
    }
    for data in read::fields(buf, metric.value, metric.end) {
        let data = data?;
        if super::DATA.contains(&data.tag.number) && data.tag.wire_type == 2 {
            put_varint(&mut out, data.tag.number.into());
            // Temporality, and whether a sum is monotonic.
            put_varint(&mut out, number(buf, data, 2)?);
            put_varint(&mut out, number(buf, data, 3)?);
        }
    }
    Ok(length_first(&out))
}

/// The last varint field of that number in a message; 0, if there is none.
pub fn number(buf: &[u8], message: Field, number: u32) -> Result<u64, Malformed> {
    let mut value = 0;
    for field in read::fields(buf, message.value, message.end) {
        let field = field?;
        if (field.tag.number, field.tag.wire_type) == (number, 0) {
            value = read::varint(buf, field.value, field.end)?.0;
        }
    }
    Ok(value)
}

/// Attributes as a set.
pub fn put_attributes(buf: &[u8], attributes: &[Field], out: &mut Vec<u8>) -> Result<(), Malformed> {
    let canonical = |field: &Field| canonical(&schema::KEY_VALUE, buf, field.value, field.end);
    let mut all = attributes.iter().map(canonical).collect::<Result<Vec<_>, Malformed>>()?;
    all.sort_unstable();
    all.iter().for_each(|attribute| put_field(out, 1, attribute));
    Ok(())
}

/// A message with its fields by number, and lengths and numbers as short as they can be.
fn canonical(message: &Message, buf: &[u8], start: usize, end: usize) -> Result<Vec<u8>, Malformed> {
    let mut fields: Vec<(u32, Vec<u8>)> = Vec::new();
    for field in read::fields(buf, start, end) {
        let field = field?;
        let mut out = Vec::new();
        match (field.tag.wire_type, message.field(field.tag.number).map(|known| known.kind)) {
            (0, _) => put_varint(&mut out, read::varint(buf, field.value, field.end)?.0),
            (2, Some(Kind::Message(child))) => {
                put_field(&mut out, 0, &canonical(child, buf, field.value, field.end)?);
            }
            (2, Some(Kind::Attributes(_))) => {
                put_field(&mut out, 0, &canonical(&schema::KEY_VALUE, buf, field.value, field.end)?);
            }
            _ => put_field(&mut out, 0, &buf[field.value..field.end]),
        }
        fields.push((field.tag.number, out));
    }
    // Stable: the items of a list keep their order.
    fields.sort_by_key(|(number, _)| *number);
    let mut out = Vec::new();
    for (number, field) in fields {
        put_varint(&mut out, number.into());
        out.extend(field);
    }
    Ok(out)
}

fn length_first(content: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    put_field(&mut out, 0, content);
    out
}
