//! Edits of a message: the output is written while the message is walked.
//!
//! What stays as it is gets copied in long stretches, up to the next edit. Whoever walks remembers at every length-delimited
//! field that it goes into how far output and input are apart there, and mends the length when it leaves, if that changed.
//! So a field in which nothing changes costs nothing, and there is no list of edits to settle at the end. Edits come in
//! the order in which they stand.
//!
//! A changed length keeps its old width where the new value fits (an over-long varint is legal), so that a change below
//! does not ripple upwards.

/// The edited form of one message, as far as it has been walked. Reused from message to message.
#[derive(Debug, Default)]
pub struct Edits {
    /// The output so far: of `input[..copied]`.
    out: Vec<u8>,
    copied: usize,
    /// The last text or attribute of which nothing was left, and where in the output what replaced it begins.
    last: (usize, usize, usize),
    /// Replacements not yet placed: see [`Edits::stage`].
    staged: Vec<Staged>,
    /// The replacing bytes of what is staged.
    bytes: Vec<u8>,
}

/// `start..end` of the input becomes `bytes[at..][..len]`.
#[derive(Clone, Copy, Debug)]
struct Staged {
    start: u32,
    end: u32,
    at: u32,
    len: u32,
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
    pub fn clear(&mut self) {
        self.out = Vec::new();
        self.copied = 0;
        self.last = (0, 0, 0);
        self.unstage();
    }

    /// Whether the message stays as it is.
    pub fn is_empty(&self) -> bool {
        self.copied == 0 && self.out.is_empty()
    }

    /// Goes into a length-delimited field.
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

    /// Replaces `start..end` of the input.
    ///
    /// # Panics
    /// If it begins before the end of an earlier edit.
    #[inline]
    pub fn replace(&mut self, input: &[u8], start: usize, end: usize, with: &[u8]) {
        self.copy(input, start);
        self.out.extend_from_slice(with);
        self.copied = end;
    }

    /// As [`Edits::replace`], by `from..to` of a buffer: faster where that goes on for a while.
    #[inline]
    pub fn replace_by(&mut self, input: &[u8], start: usize, end: usize, with: &[u8], from: usize, to: usize) {
        self.copy(input, start);
        put(&mut self.out, with, from, to);
        self.copied = end;
    }

    /// Deletes `start..end` of the input.
    pub fn delete(&mut self, input: &[u8], start: usize, end: usize) {
        self.copy(input, start);
        self.copied = end;
    }

    /// Lays a replacement of `start..end` aside: it counts only when [`Edits::place`] follows. For whoever has to know
    /// what a text becomes before it can say what is written around it.
    #[inline]
    pub fn stage(&mut self, start: usize, end: usize, write: impl FnOnce(&mut Vec<u8>)) {
        let at = self.bytes.len();
        write(&mut self.bytes);
        let len = self.bytes.len() - at;
        self.staged.push(Staged { start: start as u32, end: end as u32, at: at as u32, len: len as u32 });
    }

    /// How many replacements are staged.
    pub fn staged(&self) -> usize {
        self.staged.len()
    }

    /// The replacement of all of `start..end`, if it is the only one that is staged.
    pub fn only_staged(&self, start: usize, end: usize) -> Option<&[u8]> {
        match self.staged[..] {
            [one] if (one.start, one.end) == (start as u32, end as u32) => {
                Some(&self.bytes[one.at as usize..][..one.len as usize])
            }
            _ => None,
        }
    }

    /// Forgets what was staged.
    pub fn unstage(&mut self) {
        self.staged.clear();
        self.bytes.clear();
    }

    /// Forgets what was staged beyond the first so many.
    pub fn unstage_to(&mut self, count: usize) {
        self.staged.truncate(count);
    }

    /// Rewrites the replacement that was staged last, byte by byte.
    pub fn map_last_staged(&mut self, each: impl Fn(u8, &mut Vec<u8>)) {
        if let Some(last) = self.staged.last_mut() {
            let old = self.bytes.split_off(last.at as usize);
            old.iter().for_each(|byte| each(*byte, &mut self.bytes));
            last.len = self.bytes.len() as u32 - last.at;
        }
    }

    /// Appends to the replacement that was staged last.
    pub fn extend_last_staged(&mut self, parts: &[&[u8]]) {
        if let Some(last) = self.staged.last_mut() {
            self.bytes.truncate((last.at + last.len) as usize);
            parts.iter().for_each(|part| self.bytes.extend_from_slice(part));
            last.len = self.bytes.len() as u32 - last.at;
        }
    }

    /// What `start..end` of the input would be with the staged replacements beyond the first so many, which must be sorted
    /// and inside.
    pub fn render_staged(&self, from: usize, input: &[u8], start: usize, end: usize, out: &mut Vec<u8>) {
        let mut copied = start;
        for one in &self.staged[from..] {
            out.extend_from_slice(&input[copied..one.start as usize]);
            out.extend_from_slice(&self.bytes[one.at as usize..][..one.len as usize]);
            copied = one.end as usize;
        }
        out.extend_from_slice(&input[copied..end]);
    }

    /// Sorts what was staged.
    pub fn sort_staged(&mut self) {
        self.staged.sort_by_key(|one| one.start);
    }

    /// Puts what was staged for a text into the message, through the lengths of `N` fields around it that all end where it
    /// ends, at `end`: where each stands and its content begins, from the outermost to the text's own.
    #[inline]
    pub fn place<const N: usize>(&mut self, input: &[u8], fields: [(usize, usize); N], end: usize) {
        if self.staged.is_empty() {
            return;
        }
        let (outermost, text) = (fields[0].0, fields[N - 1].1);
        // So that short replacements can be copied in blocks.
        self.bytes.extend_from_slice(&[0; BLOCK]);
        let mut growth: usize = self.staged.iter().fold(0, |growth, one| growth.wrapping_add(one.growth()));
        let (mut lengths, mut widened) = ([(0, 0); N], false);
        for index in (0..N).rev() {
            let (prefix, content) = fields[index];
            let (length, width) = ((end - content).wrapping_add(growth), content - prefix);
            lengths[index] = (length, width_of(length).max(width));
            widened |= lengths[index].1 != width;
            growth = growth.wrapping_add(lengths[index].1 - width);
        }
        self.copy(input, outermost);
        let at = self.out.len();
        if widened {
            for ((length, width), (prefix, content)) in lengths.into_iter().zip(fields) {
                put(&mut self.out, input, self.copied, prefix);
                let from = self.out.len();
                self.out.extend_from_slice(&[0; MAX_WIDTH]);
                self.out.truncate(from + width);
                write_length(&mut self.out[from..], length);
                self.copied = content;
            }
        } else {
            // Up to the text it all stays where it is.
            put(&mut self.out, input, outermost, text);
            for ((length, width), (prefix, _)) in lengths.into_iter().zip(fields) {
                write_length(&mut self.out[at + prefix - outermost..][..width], length);
            }
        }
        self.copied = text;
        for one in &self.staged {
            put(&mut self.out, input, self.copied, one.start as usize);
            put(&mut self.out, &self.bytes, one.at as usize, (one.at + one.len) as usize);
            self.copied = one.end as usize;
        }
        if let [one] = self.staged[..]
            && (one.start as usize, one.end as usize) == (text, end)
        {
            self.last = (outermost, end, at);
        }
        self.unstage();
    }

    /// What stands in the place of `start..end`, if the last that was placed is one replacement that left nothing of its text.
    pub fn last_replacing(&self, start: usize, end: usize) -> Option<&[u8]> {
        let (from, to, at) = self.last;
        if (from, to) == (start, end) && self.copied == end { self.out.get(at..) } else { None }
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
        self.copied = mark.copied;
        self.last = (0, 0, 0);
        self.unstage();
    }

    /// The edited input, when all of it has been walked.
    pub fn finish(&mut self, input: &[u8]) -> Vec<u8> {
        self.copy(input, input.len());
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
            self.out.splice(from..to, std::iter::repeat_n(0, width));
        }
        write_length(&mut self.out[from..from + width.max(to - from)], len);
    }
}

impl Staged {
    /// Modulo the range of `usize`.
    #[inline]
    fn growth(&self) -> usize {
        (self.len as usize).wrapping_sub((self.end - self.start) as usize)
    }
}

/// Bytes that a length takes: five hold more than any message's.
const MAX_WIDTH: usize = 5;

#[inline]
fn width_of(length: usize) -> usize {
    match length {
        0..0x80 => 1,
        0x80..0x4000 => 2,
        0x4000..0x20_0000 => 3,
        0x20_0000..0x1000_0000 => 4,
        _ => MAX_WIDTH,
    }
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
        edits.stage(4, 5, |out| out.push(1));
        edits.roll_back(mark);
        edits.close(outer, 1, 2, 6);
        assert!(edits.is_empty() && edits.staged() == 0);
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
    fn a_text_is_placed_through_the_lengths_around_it_as_if_each_were_opened() {
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
            fast.stage(text_at, end, |out| out.extend_from_slice(&replacement));
            fast.place(&input, fields, end);
            assert_eq!(fast.last_replacing(1, end), Some(&slow[1..]));
            assert_eq!(fast.last_replacing(2, end), None);
            assert_eq!(fast.finish(&input), slow, "{text} {token}");

            if text.len() > 1 {
                let mut pieces = Edits::default();
                pieces.stage(text_at, text_at + 1, |out| out.extend_from_slice(&replacement));
                pieces.stage(text_at + 1, end, |_| {});
                pieces.place(&input, fields, end);
                assert_eq!(pieces.last_replacing(1, end), None, "it was not one replacement");
                assert_eq!(pieces.finish(&input), slow, "{text} {token}");
            }
        }
    }

    #[test]
    fn what_was_placed_is_forgotten_with_what_is_rolled_back() {
        let input = [0x0a, 1, b'a'];
        let mut edits = Edits::default();
        let mark = edits.mark();
        edits.stage(2, 3, |out| out.push(b'b'));
        edits.place(&input, [(1, 2)], 3);
        assert_eq!(edits.last_replacing(1, 3), Some(&[1, b'b'][..]));
        edits.roll_back(mark);
        assert_eq!(edits.last_replacing(1, 3), None);
        edits.delete(&input, 1, 3);
        assert_eq!(edits.last_replacing(1, 3), None);
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
