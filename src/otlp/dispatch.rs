//! The schema, folded so that a walk decides by one load on a tag's byte what to do.
//!
//! Fields 1 to 15 have tags of one byte, which hold the wire type too: a known field with a wire type that it cannot have
//! is [`Step::Other`], like every unknown field and every longer tag. What is `Other` is looked up in the schema proper.

use super::Part;
use super::schema::{Field, Kind, MESSAGES, Message};

/// What a walk does with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Look in the schema.
    Other,
    Varint,
    Fixed64,
    Fixed32,
    /// A `fixed64` that is a member of a oneof.
    Chosen64,
    /// One of repeated `fixed64`s, by its field's number,
    Item64(u8),
    /// or all of them packed.
    Packed64(u8),
    /// Varints, one after the other.
    PackedVarint,
    /// An index into a profile's string table.
    StringIndex,
    Text(Part),
    Bytes(Part),
    /// An identifier of so many bytes.
    Id(u8),
    Attributes(Part),
    /// A message, by its id.
    Message(u8),
}

/// Whatever a tag's first byte is; from 128 on it goes on.
const BYTES: usize = 256;

static ROWS: [[Step; BYTES]; MESSAGES.len()] = rows();

/// The steps of a message's one-byte tags.
#[inline]
pub fn row(message: u8) -> &'static [Step; BYTES] {
    &ROWS[usize::from(message)]
}

/// What to do with a field of that wire type; `None` if the field cannot have it.
pub const fn step(field: &Field, wire_type: u8) -> Option<Step> {
    match (field.kind.scalar_wire_type(), wire_type) {
        (Some(0), 2) if field.repeated => Some(Step::PackedVarint),
        (Some(1), 2) if field.repeated => Some(Step::Packed64(field.number as u8)),
        (Some(own), _) if own != wire_type => None,
        (Some(0), _) => Some(if matches!(field.kind, Kind::StringIndex) { Step::StringIndex } else { Step::Varint }),
        (Some(1), _) if field.oneof => Some(Step::Chosen64),
        (Some(1), _) if field.repeated => Some(Step::Item64(field.number as u8)),
        (Some(1), _) => Some(Step::Fixed64),
        (Some(_), _) => Some(Step::Fixed32),
        (None, 2) => Some(match field.kind {
            Kind::String(part) => Step::Text(part),
            Kind::Bytes(part) => Step::Bytes(part),
            Kind::Id(len) => Step::Id(len),
            Kind::Attributes(part) => Step::Attributes(part),
            Kind::Message(message) => Step::Message(message.id),
            _ => return None,
        }),
        (None, _) => None,
    }
}

/// The one-byte tags of a message's first `N` fields, by number, and their steps: the order in which encoders write them.
pub const fn in_order<const N: usize>(message: &Message) -> [(u8, Step); N] {
    let mut fields = [(0, Step::Other); N];
    let (mut count, mut tag) = (0, 8);
    while count < N && tag < 0x80 {
        let mut index = 0;
        while index < message.fields.len() {
            let field = &message.fields[index];
            // A number that may be packed or not has two.
            if field.number == (tag >> 3) as u32
                && !(field.repeated && field.kind.scalar_wire_type().is_some())
                && let Some(step) = step(field, tag & 7)
                && count < N
            {
                fields[count] = (tag, step);
                count += 1;
            }
            index += 1;
        }
        tag += 1;
    }
    assert!(count == N, "the message has fewer fields");
    fields
}

const fn rows() -> [[Step; BYTES]; MESSAGES.len()] {
    let mut rows = [[Step::Other; BYTES]; MESSAGES.len()];
    let mut id = 0;
    while id < MESSAGES.len() {
        let message: &Message = MESSAGES[id];
        let mut index = 0;
        while index < message.fields.len() {
            let field = &message.fields[index];
            let mut wire_type = 0;
            while field.number < 16 && wire_type < 6 {
                if let Some(step) = step(field, wire_type) {
                    rows[id][(field.number as usize) << 3 | wire_type as usize] = step;
                }
                wire_type += 1;
            }
            index += 1;
        }
        id += 1;
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tag_byte_does_what_the_schema_says() {
        for message in MESSAGES {
            for tag in 0..=u8::MAX {
                let (number, wire_type) = (u32::from(tag >> 3), tag & 7);
                let known =
                    message.field(number).filter(|_| tag < 0x80 && number > 0).and_then(|field| step(field, wire_type));
                assert_eq!(row(message.id)[usize::from(tag)], known.unwrap_or(Step::Other), "{} {tag}", message.name);
            }
        }
    }

    #[test]
    fn in_order_are_the_tags_that_the_row_knows_too() {
        let fields: [(u8, Step); 9] = in_order(&crate::otlp::schema::LOG_RECORD);
        assert_eq!(fields.map(|(tag, _)| tag), [0x09, 0x10, 0x1a, 0x2a, 0x32, 0x38, 0x45, 0x4a, 0x52]);
        assert!(fields.iter().all(|(tag, step)| row(crate::otlp::schema::LOG_RECORD.id)[usize::from(*tag)] == *step));
    }

    #[test]
    fn no_field_needs_a_step_that_there_is_not() {
        for field in MESSAGES.iter().flat_map(|message| message.fields) {
            assert!(field.number < 64, "items are told apart by one bit a field");
            assert!(!field.repeated || field.kind.scalar_wire_type() != Some(5), "packed fixed32");
        }
    }

    #[test]
    fn groups_and_reserved_wire_types_have_no_step() {
        for message in MESSAGES {
            for (tag, step) in row(message.id).iter().enumerate() {
                assert!(!matches!(tag & 7, 3 | 4 | 6 | 7) || *step == Step::Other);
            }
        }
    }
}
