//! Edits of a message: the output is written while the message is walked.
//!
//! What stays as it is gets copied in long stretches, up to the next edit. Whoever walks remembers at every length-delimited
//! field that it goes into how far output and input are apart there, and mends the length when it leaves, if that changed.
//! So a field in which nothing changes costs nothing, and there is no list of edits to settle at the end. Edits come in
//! the order in which they stand; what is decided later than it was written is rolled back.
//!
//! A changed length keeps its old width where the new value fits (an over-long varint is legal), so that a change below
//! does not ripple upwards.

/// The edited form of one message, as far as it has been walked. Reused from message to message.
#[derive(Debug, Default)]
pub struct Edits {
    /// The output so far: of `input[..copied]`.
    out: Vec<u8>,
    copied: usize,
    /// Where in the input began what was replaced last, up to `copied`.
    replaced: usize,
}

/// A length-delimited field whose content is being walked: to be closed by [`Edits::close`], unless it is rolled back.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct Open {
    /// See [`Edits::shift`].
    shift: usize,
}

/// A state to go back to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    out: usize,
    copied: usize,
}

impl Edits {
    /// The edits of a part of a message by itself: of what begins at `start`.
    pub fn of_part(start: usize) -> Edits {
        Edits { out: Vec::with_capacity(2 * BLOCK), copied: start, replaced: start }
    }

    pub fn clear(&mut self) {
        *self = Edits::default();
    }

    /// Whether the message stays as it is.
    pub fn is_empty(&self) -> bool {
        self.copied == 0 && self.out.is_empty()
    }

    /// Goes into a length-delimited field, or into several within each other.
    #[inline]
    pub fn open(&self) -> Open {
        Open { shift: self.shift() }
    }

    /// Leaves a field: its length stands at `prefix..content`, its content at `content..end`.
    #[inline]
    pub fn close(&mut self, open: Open, prefix: usize, content: usize, end: usize) {
        let shift = self.shift();
        if shift != open.shift {
            self.mend(open, prefix, content, (end - content).wrapping_add(shift).wrapping_sub(open.shift));
        }
    }

    /// Leaves fields within each other that all end at `end`, and of which only the innermost has been edited: where the
    /// length of each stands and its content begins, from the outermost to the innermost.
    #[inline]
    pub fn close_all<const N: usize>(&mut self, open: Open, input: &[u8], fields: [(usize, usize); N], end: usize) {
        let growth = self.shift().wrapping_sub(open.shift);
        let outermost = (end - fields[0].1).wrapping_add(growth);
        // Most often each length is one byte, and remains it.
        if outermost < 0x80 && fields.iter().all(|(prefix, content)| content - prefix == 1) {
            for (prefix, _) in fields {
                let length = &mut self.out[prefix.wrapping_add(open.shift)];
                *length = length.wrapping_add(growth as u8);
            }
        } else {
            self.mend_all(open, input, fields, end, growth);
        }
    }

    /// Replaces `start..end` of the input.
    ///
    /// # Panics
    /// If it begins before the end of an earlier edit.
    #[inline]
    pub fn replace(&mut self, input: &[u8], start: usize, end: usize, with: &[u8]) {
        self.replace_with(input, start, end, |out| out.extend_from_slice(with));
    }

    /// As [`Edits::replace`], by `from..to` of a buffer: faster where that goes on for a while.
    #[inline(always)]
    pub fn replace_by(&mut self, input: &[u8], start: usize, end: usize, with: &[u8], from: usize, to: usize) {
        self.replace_with(input, start, end, |out| put(out, with, from, to));
    }

    /// As [`Edits::replace`], by what `write` appends.
    #[inline(always)]
    pub fn replace_with(&mut self, input: &[u8], start: usize, end: usize, write: impl FnOnce(&mut Vec<u8>)) {
        self.copy(input, start);
        write(&mut self.out);
        (self.replaced, self.copied) = (start, end);
    }

    /// As [`Edits::replace`], unless there is nothing to replace it by. Says whether there was.
    #[inline(always)]
    pub fn replace_unless_empty(&mut self, input: &[u8], (start, end): (usize, usize), with: &[u8]) -> bool {
        if with.is_empty() {
            return false;
        }
        self.replace(input, start, end, with);
        true
    }

    /// Deletes `start..end` of the input.
    pub fn delete(&mut self, input: &[u8], start: usize, end: usize) {
        self.replace_with(input, start, end, |_| {});
    }

    /// Appends to what was replaced last.
    pub fn append(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// Puts the same before and behind what became of `start..end` of the input since `open`.
    pub fn surround(&mut self, open: Open, input: &[u8], start: usize, end: usize, with: &[u8]) {
        self.copy(input, end);
        let at = start.wrapping_add(open.shift);
        self.make_gap(at, with.len());
        self.out[at..at + with.len()].copy_from_slice(with);
        self.append(with);
    }

    /// Whether the last edit replaced all of `start..end` of the input by one thing.
    #[inline]
    pub fn is_replaced(&self, start: usize, end: usize) -> bool {
        (self.replaced, self.copied) == (start, end)
    }

    /// What stands in the output from `start` of the input on, of which nothing was edited before `open`.
    #[inline]
    pub fn written_since(&self, open: Open, start: usize) -> &[u8] {
        &self.out[start.wrapping_add(open.shift)..]
    }

    /// A state to [`roll back`](Edits::roll_back) to, or to tell whether anything was edited since.
    #[inline]
    pub fn mark(&self) -> Mark {
        Mark { out: self.out.len(), copied: self.copied }
    }

    /// What became of `start..end`, before which nothing was edited since `mark`: two pieces, or nothing if it stays as it is.
    pub fn since<'a>(&'a self, mark: Mark, input: &'a [u8], start: usize, end: usize) -> Option<[&'a [u8]; 2]> {
        (self.mark() != mark).then(|| [&self.out[mark.out + (start - mark.copied)..], &input[self.copied..end]])
    }

    /// Forgets every edit since `mark`. The fields that were open then stay open, those opened since are not to be closed.
    pub fn roll_back(&mut self, mark: Mark) {
        self.out.truncate(mark.out);
        (self.copied, self.replaced) = (mark.copied, mark.copied);
    }

    /// The edited input, when all of it has been walked.
    pub fn finish(&mut self, input: &[u8]) -> Vec<u8> {
        self.finish_at(input, input.len())
    }

    /// The edited input up to `end`.
    pub fn finish_at(&mut self, input: &[u8], end: usize) -> Vec<u8> {
        self.copy(input, end);
        std::mem::take(&mut self.out)
    }

    /// How far the output is ahead of the input (modulo the range of `usize`): what is copied next stands so much later there.
    #[inline]
    fn shift(&self) -> usize {
        self.out.len().wrapping_sub(self.copied)
    }

    /// Copies what stays as it is, up to `to`.
    #[inline]
    fn copy(&mut self, input: &[u8], to: usize) {
        if self.out.capacity() == 0 {
            self.make_room(input.len());
        }
        put(&mut self.out, input, self.copied, to);
        self.copied = to;
    }

    #[cold]
    #[inline(never)]
    fn make_room(&mut self, len: usize) {
        // Tokens are longer than what they replace. What is not written to takes no memory.
        self.out.reserve(len + len / 2);
    }

    /// Writes a field's new length.
    #[inline(never)]
    fn mend(&mut self, open: Open, prefix: usize, content: usize, len: usize) {
        let (from, to) = (prefix.wrapping_add(open.shift), content.wrapping_add(open.shift));
        let width = width_of(len);
        if width > to - from {
            self.make_gap(to, width - (to - from));
        }
        write_length(&mut self.out[from..from + width.max(to - from)], len);
    }

    /// Writes the new lengths of fields within each other.
    #[inline(never)]
    fn mend_all<const N: usize>(
        &mut self,
        open: Open,
        input: &[u8],
        fields: [(usize, usize); N],
        end: usize,
        growth: usize,
    ) {
        let (mut lengths, mut widening) = ([(0, 0); N], 0);
        for index in (0..N).rev() {
            let (prefix, content) = fields[index];
            let length = (end - content + widening).wrapping_add(growth);
            let width = width_of(length).max(content - prefix);
            lengths[index] = (length, width);
            widening += width - (content - prefix);
        }
        if widening > 0 {
            self.make_gap(fields[N - 1].1.wrapping_add(open.shift), widening);
        }
        let mut rest = &mut self.out[fields[0].0.wrapping_add(open.shift)..];
        for index in 0..N {
            let (length, width) = lengths[index];
            let (here, behind) = rest.split_at_mut(width);
            write_length(here, length);
            rest = behind;
            if index + 1 < N {
                let between = &input[fields[index].1..fields[index + 1].0];
                let (here, behind) = rest.split_at_mut(between.len());
                if widening > 0 {
                    here.copy_from_slice(between);
                }
                rest = behind;
            }
        }
    }

    /// Moves what stands in the output from `at` on so many bytes further.
    #[inline]
    fn make_gap(&mut self, at: usize, by: usize) {
        let end = self.out.len();
        self.out.resize(end + by, 0);
        self.out.copy_within(at..end, at + by);
    }
}

/// Bytes that a length takes.
#[inline]
fn width_of(length: usize) -> usize {
    (length.max(1).ilog2() / 7 + 1) as usize
}

/// Writes a length as a varint that takes all of `out`.
#[inline]
fn write_length(out: &mut [u8], mut length: usize) {
    if let Some((last, others)) = out.split_last_mut() {
        for byte in others {
            *byte = length as u8 | 0x80;
            length >>= 7;
        }
        *last = length as u8;
    }
}

/// What is copied in one go.
const BLOCK: usize = 64;

/// Appends `from..to` of a buffer. Most stretches are short, and a call costs more than to move a few bytes too many.
#[inline]
fn put(out: &mut Vec<u8>, buf: &[u8], from: usize, to: usize) {
    let len = to.wrapping_sub(from);
    if len <= BLOCK
        && let Some(rest) = buf.get(from..)
        && let Some(block) = rest.first_chunk::<BLOCK>()
    {
        out.extend_from_slice(block);
        out.truncate(out.len() - (BLOCK - len));
    } else {
        out.extend_from_slice(&buf[from..to]);
    }
}

/// Appends `value` as a varint.
pub fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value > 0x7f {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a length-delimited field.
pub fn put_field(out: &mut Vec<u8>, number: u32, content: &[u8]) {
    put_varint(out, u64::from(number) << 3 | 2);
    put_varint(out, content.len() as u64);
    out.extend_from_slice(content);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_change_mends_the_lengths_of_everything_around_it_and_of_nothing_else() {
        // 1: { 1: "ab" } 2: { 1: "cd" }
        let input = [0x0a, 4, 0x0a, 2, b'a', b'b', 0x12, 4, 0x0a, 2, b'c', b'd'];
        let mut edits = Edits::default();
        let outer = edits.open();
        let inner = edits.open();
        edits.replace(&input, 4, 5, b"xyz");
        edits.close(inner, 3, 4, 6);
        edits.close(outer, 1, 2, 6);
        let other = edits.open();
        edits.close(other, 7, 8, 12);
        assert_eq!(edits.finish(&input), [0x0a, 6, 0x0a, 4, b'x', b'y', b'z', b'b', 0x12, 4, 0x0a, 2, b'c', b'd']);
    }

    #[test]
    fn a_padded_length_keeps_its_width_and_a_short_one_grows() {
        let padded = [0x0a, 0x81, 0x80, 0x00, b'a'];
        let mut edits = Edits::default();
        let open = edits.open();
        edits.replace(&padded, 4, 5, b"bc");
        edits.close(open, 1, 4, 5);
        assert_eq!(edits.finish(&padded), [0x0a, 0x82, 0x80, 0x00, b'b', b'c']);

        let short = [0x0a, 1, b'a'];
        edits.clear();
        let open = edits.open();
        edits.replace(&short, 2, 3, &[b'b'; 200]);
        edits.close(open, 1, 2, 3);
        let out = edits.finish(&short);
        assert_eq!((out.len(), &out[..3]), (203, &[0x0a, 0xc8, 0x01][..]));
    }

    #[test]
    fn what_is_rolled_back_leaves_no_trace() {
        let input = [0x0a, 4, 0x0a, 2, b'a', b'b'];
        let mut edits = Edits::default();
        let outer = edits.open();
        let mark = edits.mark();
        let _ = edits.open();
        edits.replace(&input, 4, 6, b"longer");
        edits.roll_back(mark);
        edits.close(outer, 1, 2, 6);
        assert!(edits.is_empty());
        assert_eq!(edits.finish(&input), input);
    }

    #[test]
    fn a_record_can_be_deleted_after_its_content_was_edited() {
        let input = [0x0a, 6, 0x12, 4, 0x0a, 2, b'a', b'b'];
        let mut edits = Edits::default();
        let outer = edits.open();
        let mark = edits.mark();
        let _ = edits.open();
        edits.replace(&input, 6, 8, b"");
        edits.roll_back(mark);
        edits.delete(&input, 2, 8);
        edits.close(outer, 1, 2, 8);
        assert_eq!(edits.finish(&input), [0x0a, 0]);
    }

    #[test]
    fn fields_that_end_together_are_closed_as_if_one_by_one() {
        for (text, token) in [("10.0.0.1", 30), ("x", 1), ("x", 121), ("x", 126), ("x", 127), ("abcdef", 0)] {
            // KeyValue { key, value: AnyValue { string_value } } as field 6
            let mut value = Vec::new();
            put_field(&mut value, 1, text.as_bytes());
            let mut pair = Vec::new();
            put_field(&mut pair, 1, b"k");
            put_field(&mut pair, 2, &value);
            let mut input = Vec::new();
            put_field(&mut input, 6, &pair);
            let (end, text_at) = (input.len(), input.len() - text.len());
            let replacement = vec![b't'; token];
            let fields = [(1, 2), (text_at - 3, text_at - 2), (text_at - 1, text_at)];

            let mut slow = Edits::default();
            let opens = fields.map(|_| slow.open());
            slow.replace(&input, text_at, end, &replacement);
            for (open, (prefix, content)) in opens.into_iter().zip(fields).rev() {
                slow.close(open, prefix, content, end);
            }
            let slow = slow.finish(&input);

            let mut fast = Edits::default();
            let open = fast.open();
            fast.replace(&input, text_at, end, &replacement);
            fast.close_all(open, &input, fields, end);
            assert!(fast.is_replaced(text_at, end) && !fast.is_replaced(1, end));
            assert_eq!(fast.written_since(open, 1), &slow[1..]);
            assert_eq!(fast.finish(&input), slow, "{text} {token}");

            if text.len() > 1 {
                let mut pieces = Edits::default();
                let open = pieces.open();
                pieces.replace(&input, text_at, text_at + 1, &replacement);
                pieces.delete(&input, text_at + 1, end);
                pieces.close_all(open, &input, fields, end);
                assert!(!pieces.is_replaced(text_at, end), "it was not one replacement");
                assert_eq!(pieces.finish(&input), slow, "{text} {token}");
            }
        }
    }

    #[test]
    fn what_was_replaced_is_forgotten_with_what_is_rolled_back() {
        let input = [0x0a, 1, b'a'];
        let mut edits = Edits::default();
        let (mark, open) = (edits.mark(), edits.open());
        edits.replace(&input, 2, 3, b"b");
        edits.close(open, 1, 2, 3);
        assert!(edits.is_replaced(2, 3));
        edits.roll_back(mark);
        assert!(!edits.is_replaced(2, 3));
        edits.delete(&input, 1, 3);
        assert!(!edits.is_replaced(2, 3));
    }

    #[test]
    fn what_a_part_became_can_be_had_by_itself_and_be_surrounded() {
        let input = b"ab 10 cd";
        let mut part = Edits::of_part(3);
        part.replace(input, 3, 4, b"xyz");
        assert_eq!(part.finish_at(input, 5), b"xyz0");

        let mut edits = Edits::default();
        edits.replace(input, 0, 1, b"longer");
        let open = edits.open();
        edits.replace(input, 4, 5, b"_");
        edits.append(b"7");
        edits.surround(open, input, 3, 5, b"''");
        assert_eq!(edits.finish(input), b"longerb ''1_7'' cd");
    }

    #[test]
    #[should_panic]
    fn an_edit_before_an_earlier_one_stops_the_request() {
        let mut edits = Edits::default();
        edits.replace(b"abcd", 2, 3, b"x");
        edits.replace(b"abcd", 1, 2, b"y");
    }

    proptest! {
        #[test]
        fn stretches_of_any_length_are_copied_whole(len in 0usize..200, from in 0usize..200, to in 0usize..200) {
            let buf: Vec<u8> = (0..len).map(|index| index as u8).collect();
            let (from, to) = (from.min(to).min(len), from.max(to).min(len));
            let mut out = vec![7];
            put(&mut out, &buf, from, to);
            prop_assert_eq!(&out[1..], &buf[from..to]);
        }
    }
}
