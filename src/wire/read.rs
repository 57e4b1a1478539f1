//! Strict reading of the wire format: what two parsers could read differently is an error.

/// Why bytes are not a message that every parser reads alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// The message ends inside a tag, a number or a length.
    Truncated,
    /// A tag of more than five bytes, longer than it need be, or with field number 0.
    Tag,
    /// Wire types 3, 4, 6 and 7.
    WireType,
    /// A number of more than ten bytes or 64 bits.
    Varint,
    /// A length of more than five bytes, above `i32::MAX` or past the end of what holds it.
    Length,
}

impl Malformed {
    /// A short fixed word for metrics and error texts.
    pub const fn reason(self) -> &'static str {
        match self {
            Malformed::Truncated => "truncated",
            Malformed::Tag => "bad_tag",
            Malformed::WireType => "bad_wire_type",
            Malformed::Varint => "bad_varint",
            Malformed::Length => "bad_length",
        }
    }
}

/// A field's number and wire type (0, 1, 2 or 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag {
    pub number: u32,
    pub wire_type: u8,
}

/// Reads the tag at `pos` of a message that ends at `end`; returns it and where its value begins.
pub fn tag(buf: &[u8], pos: usize, end: usize) -> Result<(Tag, usize), Malformed> {
    let mut value = 0u64;
    for (index, &byte) in buf[pos..end].iter().take(5).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte < 0x80 {
            let minimal = index == 0 || byte != 0;
            if !minimal || value >> 3 == 0 || value > u64::from(u32::MAX) {
                return Err(Malformed::Tag);
            }
            let tag = Tag { number: (value >> 3) as u32, wire_type: (value & 7) as u8 };
            return match tag.wire_type {
                0 | 1 | 2 | 5 => Ok((tag, pos + index + 1)),
                _ => Err(Malformed::WireType),
            };
        }
    }
    Err(if end - pos >= 5 { Malformed::Tag } else { Malformed::Truncated })
}

/// Reads the number at `pos`; returns it and where the next field begins.
#[inline]
pub fn varint(buf: &[u8], pos: usize, end: usize) -> Result<(u64, usize), Malformed> {
    match buf[..end].get(pos) {
        Some(&byte) if byte < 0x80 => Ok((u64::from(byte), pos + 1)),
        _ => long_varint(buf, pos, end),
    }
}

#[cold]
#[inline(never)]
fn long_varint(buf: &[u8], pos: usize, end: usize) -> Result<(u64, usize), Malformed> {
    let mut value = 0u64;
    for (index, &byte) in buf[pos.min(end)..end].iter().take(10).enumerate() {
        if index == 9 && byte > 1 {
            return Err(Malformed::Varint);
        }
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte < 0x80 {
            return Ok((value, pos + index + 1));
        }
    }
    Err(if end - pos.min(end) >= 10 { Malformed::Varint } else { Malformed::Truncated })
}

/// Reads the length at `pos`; returns where its content begins and ends. Padded lengths of up to five bytes are legal:
/// a widely used SDK writes them.
#[inline]
pub fn length(buf: &[u8], pos: usize, end: usize) -> Result<(usize, usize), Malformed> {
    match buf[..end].get(pos) {
        Some(&byte) if byte < 0x80 => {
            let stop = pos + 1 + usize::from(byte);
            if stop <= end { Ok((pos + 1, stop)) } else { Err(Malformed::Length) }
        }
        Some(&low) => match buf[..end].get(pos + 1) {
            Some(&high) if high < 0x80 => {
                let stop = pos + 2 + (usize::from(low & 0x7f) | usize::from(high) << 7);
                if stop <= end { Ok((pos + 2, stop)) } else { Err(Malformed::Length) }
            }
            _ => long_length(buf, pos, end),
        },
        None => long_length(buf, pos, end),
    }
}

#[cold]
#[inline(never)]
fn long_length(buf: &[u8], pos: usize, end: usize) -> Result<(usize, usize), Malformed> {
    let mut value = 0u64;
    for (index, &byte) in buf[pos.min(end)..end].iter().take(5).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte < 0x80 {
            let start = pos + index + 1;
            return match usize::try_from(value) {
                Ok(len) if value <= i32::MAX as u64 && len <= end - start => Ok((start, start + len)),
                _ => Err(Malformed::Length),
            };
        }
    }
    Err(if end - pos.min(end) >= 5 { Malformed::Length } else { Malformed::Truncated })
}

/// Where the value of a field of that wire type ends.
#[inline]
pub fn skip(buf: &[u8], wire_type: u8, pos: usize, end: usize) -> Result<usize, Malformed> {
    match wire_type {
        0 => varint(buf, pos, end).map(|(_, next)| next),
        1 => fixed(pos, 8, end),
        2 => length(buf, pos, end).map(|(_, next)| next),
        5 => fixed(pos, 4, end),
        _ => Err(Malformed::WireType),
    }
}

/// Where a number of `width` bytes ends.
#[inline]
pub fn fixed(pos: usize, width: usize, end: usize) -> Result<usize, Malformed> {
    if end - pos >= width { Ok(pos + width) } else { Err(Malformed::Truncated) }
}

/// Whether `buf[pos..end]` is whole packed numbers of that wire type.
pub fn packed(buf: &[u8], wire_type: u8, mut pos: usize, end: usize) -> Result<(), Malformed> {
    if wire_type == 1 {
        return if (end - pos).is_multiple_of(8) { Ok(()) } else { Err(Malformed::Truncated) };
    }
    while pos < end {
        pos = skip(buf, wire_type, pos, end)?;
    }
    Ok(())
}

/// A field with its tag and value located: `start` is the tag's first byte, `value..end` the value (for wire type 2 the
/// content, without its length).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    pub tag: Tag,
    pub start: usize,
    /// Where the length of a length-delimited field stands; otherwise as `value`.
    pub prefix: usize,
    pub value: usize,
    pub end: usize,
}

/// The fields of `buf[start..end]`, one after the other, as far as they are well-formed.
pub fn fields(buf: &[u8], start: usize, end: usize) -> impl Iterator<Item = Result<Field, Malformed>> + '_ {
    let mut pos = start;
    std::iter::from_fn(move || {
        if pos >= end {
            return None;
        }
        let field = field(buf, pos, end);
        pos = field.map_or(end, |field| field.end);
        Some(field)
    })
}

/// The field that begins at `pos`.
pub fn field(buf: &[u8], pos: usize, end: usize) -> Result<Field, Malformed> {
    let (tag, prefix) = tag(buf, pos, end)?;
    let (value, end) = match tag.wire_type {
        2 => length(buf, prefix, end)?,
        wire_type => (prefix, skip(buf, wire_type, prefix, end)?),
    };
    Ok(Field { tag, start: pos, prefix, value, end })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_must_be_minimal_and_within_protobufs_numbers() {
        assert_eq!(tag(&[0x0a], 0, 1), Ok((Tag { number: 1, wire_type: 2 }, 1)));
        assert_eq!(tag(&[0x85, 0x01], 0, 2), Ok((Tag { number: 16, wire_type: 5 }, 2)));
        assert_eq!(tag(&[0xff, 0xff, 0xff, 0xff, 0x0f], 0, 5).unwrap_err(), Malformed::WireType);
        assert_eq!(tag(&[0xfa, 0xff, 0xff, 0xff, 0x0f], 0, 5).unwrap().0.number, (1 << 29) - 1);
        assert_eq!(tag(&[0x8a, 0x00], 0, 2), Err(Malformed::Tag), "longer than it need be");
        assert_eq!(tag(&[0x02], 0, 1), Err(Malformed::Tag), "field number 0");
        assert_eq!(tag(&[0xfa, 0xff, 0xff, 0xff, 0x1f], 0, 5), Err(Malformed::Tag), "above 2^29 - 1");
        assert_eq!(tag(&[0x8a, 0x80, 0x80, 0x80, 0x80, 0x01], 0, 6), Err(Malformed::Tag), "six bytes");
        assert_eq!(tag(&[0x8a], 0, 1), Err(Malformed::Truncated));
        assert_eq!(tag(&[0x8a; 4], 0, 4), Err(Malformed::Truncated));
        assert_eq!(tag(&[0x8a; 5], 0, 5), Err(Malformed::Tag), "no fifth byte may go on");
        for wire_type in [3, 4, 6, 7] {
            assert_eq!(tag(&[8 | wire_type], 0, 1), Err(Malformed::WireType));
        }
    }

    #[test]
    fn lengths_may_be_padded_to_five_bytes_and_must_stay_inside() {
        assert_eq!(length(&[0x80, 0x80, 0x80, 0x00], 0, 4), Ok((4, 4)));
        assert_eq!(length(&[0x81, 0x80, 0x80, 0x80, 0x00, 7], 0, 6), Ok((5, 6)));
        assert_eq!(length(&[0x81, 0x80, 0x80, 0x80, 0x80, 0x00, 7], 0, 7), Err(Malformed::Length));
        assert_eq!(length(&[2, 1], 0, 2), Err(Malformed::Length));
        assert_eq!(length(&[2, 1, 1], 0, 2), Err(Malformed::Length), "the parent ends before the buffer does");
        assert_eq!(length(&[0x82, 0x00, 1], 0, 3), Err(Malformed::Length));
        assert_eq!(length(&[0xff, 0xff, 0xff, 0xff, 0x7f], 0, 5), Err(Malformed::Length));
        assert_eq!(
            length(&[0x82, 0x80, 0x00, 1, 1], 0, 4),
            Err(Malformed::Length),
            "padded, and the parent ends before"
        );
        assert_eq!(length(&[0x80], 0, 1), Err(Malformed::Truncated));
        assert_eq!(length(&[0x80; 4], 0, 4), Err(Malformed::Truncated));
        assert_eq!(length(&[0x80; 5], 0, 5), Err(Malformed::Length), "no fifth byte may go on");
        assert_eq!(length(&[], 0, 0), Err(Malformed::Truncated));
    }

    #[test]
    fn numbers_may_take_ten_bytes_and_no_more_than_64_bits() {
        let max = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        assert_eq!(varint(&max, 0, 10), Ok((u64::MAX, 10)));
        let over = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02];
        assert_eq!(varint(&over, 0, 10), Err(Malformed::Varint));
        assert_eq!(varint(&[0x80; 11], 0, 11), Err(Malformed::Varint));
        assert_eq!(varint(&[0x80], 0, 1), Err(Malformed::Truncated));
        assert_eq!(varint(&[0x00], 0, 0), Err(Malformed::Truncated));
        assert_eq!(varint(&[0x96, 0x01], 0, 2), Ok((150, 2)));
    }

    #[test]
    fn fixed_numbers_and_packed_ones_must_be_whole() {
        assert_eq!(skip(&[0; 8], 1, 0, 8), Ok(8));
        assert_eq!(skip(&[0; 8], 1, 1, 8), Err(Malformed::Truncated));
        assert_eq!(skip(&[0; 4], 5, 0, 4), Ok(4));
        assert_eq!(skip(&[0; 4], 5, 0, 3), Err(Malformed::Truncated));
        assert_eq!(packed(&[0; 16], 1, 0, 16), Ok(()));
        assert_eq!(packed(&[0; 15], 1, 0, 15), Err(Malformed::Truncated));
        assert_eq!(packed(&[1, 0x80], 0, 0, 2), Err(Malformed::Truncated));
    }

    #[test]
    fn fields_are_located_with_their_lengths() {
        let bytes = [0x08, 0x01, 0x12, 0x82, 0x00, b'h', b'i'];
        let found: Vec<_> = fields(&bytes, 0, bytes.len()).collect::<Result<_, _>>().unwrap();
        assert_eq!((found[0].tag.number, found[0].value, found[0].end), (1, 1, 2));
        assert_eq!((found[1].start, found[1].prefix, found[1].value, found[1].end), (2, 3, 5, 7));
        assert_eq!(fields(&[0x12, 9], 0, 2).collect::<Vec<_>>(), [Err(Malformed::Length)]);
        let last = fields(&[0x08, 0x01, 0x12], 0, 3).last();
        assert_eq!(last, Some(Err(Malformed::Truncated)), "a single byte is left");
    }
}
