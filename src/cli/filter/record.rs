//! A line of text as a request of one log record, and back.

use crate::wire::read;

/// Stands for a line that could not be read, or that the filter refused.
pub(super) const REDACTED: &str = "[redacted]";
/// Stands for a line that a rule dropped.
pub(super) const DROPPED: &str = "[dropped]";

/// The way to a record's text: resource_logs, scope_logs, log_records, body, string_value.
const PATH: [u8; 5] = [1, 2, 2, 5, 1];

/// A request of one log record of that body.
pub(super) fn with_body(text: &str) -> Vec<u8> {
    let mut lens = [text.len(); PATH.len()];
    for level in (0..PATH.len() - 1).rev() {
        lens[level] = 1 + prost::length_delimiter_len(lens[level + 1]) + lens[level + 1];
    }
    let mut request = Vec::with_capacity(lens[0] + 8);
    for (field, len) in PATH.into_iter().zip(lens) {
        request.push(field << 3 | 2);
        prost::encode_length_delimiter(len, &mut request).expect("a Vec grows");
    }
    request.extend_from_slice(text.as_bytes());
    request
}

/// The text of a filtered request's log record; `None` if the record or its text is gone.
pub(super) fn body(request: &[u8]) -> Option<&str> {
    let bytes = PATH.into_iter().try_fold(request, |message, number| {
        // Beside what `with_body` made may stand what the policy stamps on a record.
        let mut fields = read::fields(message, 0, message.len()).map_while(Result::ok);
        let field = fields.find(|field| (field.tag.number, field.tag.wire_type) == (u32::from(number), 2))?;
        Some(&message[field.value..field.end])
    })?;
    str::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_comes_back_as_it_was() {
        for len in [0, 1, 100, 127, 128, 16_383, 16_384, 3_000_000] {
            let text = "é".repeat(len);
            assert_eq!(body(&with_body(&text)), Some(text.as_str()));
        }
        assert_eq!(body(b""), None);
        assert_eq!(body(b"\x0a\x00"), None);
    }
}
