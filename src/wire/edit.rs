//! Edits of a message: collected while it is walked, written out in one copy.
//!
//! Whoever walks opens a frame for every length-delimited field that it goes into and closes it again. A frame costs
//! nothing more until something below it changes: then the lengths of all open frames join the list, in the order in
//! which they stand, and are filled in as the frames close. So the list stays sorted, and the output is the input's
//! stretches between the edits.
//!
//! A changed length keeps its old width where the new value fits (an over-long varint is legal), so that a change below
//! does not ripple upwards.

/// Edits of one message, reused from message to message.
#[derive(Debug, Default)]
pub struct Edits {
    entries: Vec<Entry>,
    /// Replacements not yet placed: see [`Edits::stage`].
    staged: Vec<Entry>,
    /// The replacing bytes of all entries.
    bytes: Vec<u8>,
    frames: Vec<Frame>,
    /// So many of the outermost frames have their length in `entries`.
    touched: usize,
    /// By how much the message outside all frames has grown.
    growth: i64,
    /// An entry was placed before an earlier one.
    unsorted: bool,
}

/// `start..end` of the input becomes `bytes[at..][..len]`.
#[derive(Clone, Copy, Debug)]
struct Entry {
    start: u32,
    end: u32,
    at: u32,
    len: u32,
}

/// A length-delimited field whose content is being walked.
#[derive(Clone, Copy, Debug)]
struct Frame {
    /// Where its length stands and its content begins and ends.
    prefix: u32,
    content: u32,
    end: u32,
    /// The entry that will hold the new length, once touched.
    entry: u32,
    growth: i64,
}

/// A state to go back to.
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    entries: usize,
    bytes: usize,
    frames: usize,
    touched: usize,
    growth: i64,
}

/// The longest varint that a length takes: five bytes hold more than any message.
const MAX_LENGTH_WIDTH: usize = 5;

impl Edits {
    pub fn clear(&mut self) {
        self.entries.clear();
        self.staged.clear();
        self.bytes.clear();
        self.frames.clear();
        self.touched = 0;
        self.growth = 0;
        self.unsorted = false;
    }

    /// Whether the message stays as it is.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Goes into a length-delimited field: its length stands at `prefix..content`, its content at `content..end`.
    #[inline]
    pub fn open(&mut self, prefix: usize, content: usize, end: usize) {
        self.frames.push(Frame {
            prefix: prefix as u32,
            content: content as u32,
            end: end as u32,
            entry: 0,
            growth: 0,
        });
    }

    /// Leaves the innermost field.
    ///
    /// # Panics
    /// If none is open.
    #[inline]
    pub fn close(&mut self) {
        let frame = self.frames.pop().expect("every close has its open");
        if self.touched > self.frames.len() {
            self.touched = self.frames.len();
            self.settle(frame);
        }
    }

    /// Replaces `start..end` of the input, which lies in the innermost open field.
    #[inline]
    pub fn replace(&mut self, start: usize, end: usize, with: &[u8]) {
        self.touch();
        let at = self.bytes.len();
        self.bytes.extend_from_slice(with);
        self.push(Entry { start: start as u32, end: end as u32, at: at as u32, len: with.len() as u32 });
        *self.grown() += with.len() as i64 - (end - start) as i64;
    }

    /// Deletes `start..end` of the input.
    pub fn delete(&mut self, start: usize, end: usize) {
        self.replace(start, end, &[]);
    }

    /// Lays a replacement of `start..end` aside: it counts only when [`Edits::place`] follows. For whoever has to know
    /// what a text becomes before it can say which frames stand around it.
    #[inline]
    pub fn stage(&mut self, start: usize, end: usize, write: impl FnOnce(&mut Vec<u8>)) {
        let at = self.bytes.len();
        write(&mut self.bytes);
        let len = self.bytes.len() - at;
        self.staged.push(Entry { start: start as u32, end: end as u32, at: at as u32, len: len as u32 });
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
        write_out(input, start, end, &self.staged[from..], &self.bytes, out);
    }

    /// Sorts what was staged.
    pub fn sort_staged(&mut self) {
        self.staged.sort_by_key(|entry| entry.start);
    }

    /// Puts what was staged into the innermost open field.
    pub fn place(&mut self) {
        if self.staged.is_empty() {
            return;
        }
        self.touch();
        let growth: i64 = self.staged.iter().map(Entry::growth).sum();
        *self.grown() += growth;
        if let (Some(last), Some(first)) = (self.entries.last(), self.staged.first()) {
            self.unsorted |= first.start < last.start;
        }
        self.entries.append(&mut self.staged);
    }

    /// Puts what was staged into the innermost open field, through three lengths at once: that of a message whose length
    /// stands at `outer..outer_content` and ends with the text, and within it a message that holds nothing but the text,
    /// `inner..text` being its length, the text's tag and the text's length. (An attribute with a text value.)
    pub fn place_in_value(
        &mut self,
        input: &[u8],
        outer: usize,
        outer_content: usize,
        inner: usize,
        text: usize,
        end: usize,
    ) {
        self.touch();
        let growth: i64 = self.staged.iter().map(Entry::growth).sum();
        let text_len = ((end - text) as i64 + growth) as u64;
        let header = self.value_header(text_len);
        let header_growth = header.len() as i64 - (text - inner) as i64;
        let content = (end - outer_content) as i64 + growth + header_growth;
        if let [one] = self.staged[..]
            && (one.start, one.end) == (text as u32, end as u32)
        {
            // One token for the whole text. Writing the key out again costs less than an edit for each length.
            let length = Varint::at_least(content as u64, outer_content - outer);
            let at = self.bytes.len();
            self.bytes.extend_from_slice(length.as_slice());
            self.bytes.extend_from_slice(&input[outer_content..inner]);
            self.bytes.extend_from_slice(header.as_slice());
            self.bytes.extend_from_within(one.at as usize..(one.at + one.len) as usize);
            let len = (self.bytes.len() - at) as u32;
            let entry = Entry { start: outer as u32, end: end as u32, at: at as u32, len };
            *self.grown() += entry.growth();
            self.staged.clear();
            return self.push(entry);
        }
        let outer_length = self.length_entry(outer, outer_content, content as u64);
        *self.grown() += outer_length.growth() + growth + header_growth;
        self.push(outer_length);
        let at = self.bytes.len() as u32;
        self.bytes.extend_from_slice(header.as_slice());
        self.push(Entry { start: inner as u32, end: text as u32, at, len: header.len() as u32 });
        self.entries.append(&mut self.staged);
    }

    /// How many edits there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// What the last edit put in the place of `start..end`, if it replaced that and no less.
    pub fn last_replacing(&self, start: usize, end: usize) -> Option<&[u8]> {
        let last = self.entries.last().filter(|last| (last.start, last.end) == (start as u32, end as u32))?;
        Some(&self.bytes[last.at as usize..][..last.len as usize])
    }

    /// A state to [`roll back`](Edits::roll_back) to, as long as the frames that are open now stay open.
    pub fn mark(&self) -> Mark {
        Mark {
            entries: self.entries.len(),
            bytes: self.bytes.len(),
            frames: self.frames.len(),
            touched: self.touched,
            growth: self.frames.last().map_or(self.growth, |frame| frame.growth),
        }
    }

    /// Forgets every edit since `mark`, and leaves the fields that were opened since.
    pub fn roll_back(&mut self, mark: Mark) {
        self.staged.clear();
        self.entries.truncate(mark.entries);
        self.bytes.truncate(mark.bytes);
        self.frames.truncate(mark.frames);
        self.touched = mark.touched;
        *self.grown() = mark.growth;
    }

    /// The length of the output for an input of `len` bytes.
    pub fn output_len(&self, len: usize) -> usize {
        (len as i64 + self.growth) as usize
    }

    /// Appends the edited input to `out`.
    ///
    /// # Panics
    /// If a field is still open.
    pub fn write(&mut self, input: &[u8], out: &mut Vec<u8>) {
        assert!(self.frames.is_empty(), "a field was left open");
        if self.unsorted {
            // Stable: an insertion stays before the replacement that was made at the same place after it.
            self.entries.sort_by_key(|entry| entry.start);
            self.unsorted = false;
        }
        out.reserve(self.output_len(input.len()));
        write_out(input, 0, input.len(), &self.entries, &self.bytes, out);
    }

    /// Gives the lengths of all open frames their place in the list.
    #[inline]
    fn touch(&mut self) {
        if self.touched < self.frames.len() {
            self.touch_frames();
        }
    }

    #[inline(never)]
    fn touch_frames(&mut self) {
        for index in self.touched..self.frames.len() {
            let entry = self.entries.len() as u32;
            let Frame { prefix, content, .. } = self.frames[index];
            self.push(Entry { start: prefix, end: content, at: 0, len: 0 });
            self.frames[index].entry = entry;
        }
        self.touched = self.frames.len();
    }

    /// Fills in a closed frame's length and passes its growth on.
    fn settle(&mut self, frame: Frame) {
        let content = (i64::from(frame.end - frame.content) + frame.growth) as u64;
        let entry = self.length_entry(frame.prefix as usize, frame.content as usize, content);
        *self.grown() += frame.growth + entry.growth();
        // Only where an entry was placed out of order can this frame's entry not be where it was put; entries are never
        // moved before `write`.
        self.entries[frame.entry as usize] = entry;
    }

    #[inline]
    fn length_entry(&mut self, prefix: usize, content: usize, value: u64) -> Entry {
        let varint = Varint::at_least(value, content - prefix);
        let at = self.bytes.len() as u32;
        self.bytes.extend_from_slice(varint.as_slice());
        Entry { start: prefix as u32, end: content as u32, at, len: varint.len as u32 }
    }

    /// `[message length] 0A [text length]`.
    #[inline]
    fn value_header(&self, text_len: u64) -> Header {
        let text = Varint::at_least(text_len, 1);
        let message = Varint::at_least(text_len + 1 + text.len as u64, 1);
        let mut header = Header { bytes: [0; 2 * MAX_LENGTH_WIDTH + 1], len: message.len + 1 + text.len };
        header.bytes[..message.len].copy_from_slice(message.as_slice());
        header.bytes[message.len] = 0x0a;
        header.bytes[message.len + 1..header.len].copy_from_slice(text.as_slice());
        header
    }

    #[inline]
    fn push(&mut self, entry: Entry) {
        if let Some(last) = self.entries.last() {
            self.unsorted |= entry.start < last.start;
        }
        self.entries.push(entry);
    }

    #[inline]
    fn grown(&mut self) -> &mut i64 {
        match self.frames.last_mut() {
            Some(frame) => &mut frame.growth,
            None => &mut self.growth,
        }
    }
}

impl Entry {
    #[inline]
    fn growth(&self) -> i64 {
        i64::from(self.len) - i64::from(self.end - self.start)
    }
}

struct Header {
    bytes: [u8; 2 * MAX_LENGTH_WIDTH + 1],
    len: usize,
}

impl Header {
    fn len(&self) -> usize {
        self.len
    }

    fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// A varint of up to ten bytes, padded on request.
#[derive(Clone, Copy, Debug)]
pub struct Varint {
    bytes: [u8; 10],
    len: usize,
}

impl Varint {
    /// `value` in at least `width` bytes.
    #[inline]
    pub fn at_least(mut value: u64, width: usize) -> Varint {
        let mut bytes = [0; 10];
        if value < 0x80 && width <= 1 {
            bytes[0] = value as u8;
            return Varint { bytes, len: 1 };
        }
        let mut len = 0;
        loop {
            let more = value > 0x7f || len + 1 < width;
            bytes[len] = (value & 0x7f) as u8 | if more { 0x80 } else { 0 };
            len += 1;
            value >>= 7;
            if !more {
                return Varint { bytes, len };
            }
        }
    }

    pub fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// Appends `value` as a varint.
pub fn put_varint(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(Varint::at_least(value, 1).as_slice());
}

/// Appends a length-delimited field.
pub fn put_field(out: &mut Vec<u8>, number: u32, content: &[u8]) {
    put_varint(out, u64::from(number) << 3 | 2);
    put_varint(out, content.len() as u64);
    out.extend_from_slice(content);
}

fn write_out(input: &[u8], start: usize, end: usize, entries: &[Entry], bytes: &[u8], out: &mut Vec<u8>) {
    let mut from = start;
    for entry in entries {
        out.extend_from_slice(&input[from..entry.start as usize]);
        out.extend_from_slice(&bytes[entry.at as usize..][..entry.len as usize]);
        from = entry.end as usize;
    }
    out.extend_from_slice(&input[from..end]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(edits: &mut Edits, input: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        edits.write(input, &mut out);
        assert_eq!(out.len(), edits.output_len(input.len()));
        out
    }

    #[test]
    fn a_change_mends_the_lengths_of_everything_around_it_and_of_nothing_else() {
        // 1: { 1: "ab" } 2: { 1: "cd" }
        let input = [0x0a, 4, 0x0a, 2, b'a', b'b', 0x12, 4, 0x0a, 2, b'c', b'd'];
        let mut edits = Edits::default();
        edits.open(1, 2, 6);
        edits.open(3, 4, 6);
        edits.replace(4, 5, b"xyz");
        edits.close();
        edits.close();
        edits.open(7, 8, 12);
        edits.close();
        assert_eq!(
            written(&mut edits, &input),
            [0x0a, 6, 0x0a, 4, b'x', b'y', b'z', b'b', 0x12, 4, 0x0a, 2, b'c', b'd']
        );
    }

    #[test]
    fn a_padded_length_keeps_its_width_and_a_short_one_grows() {
        let padded = [0x0a, 0x81, 0x80, 0x00, b'a'];
        let mut edits = Edits::default();
        edits.open(1, 4, 5);
        edits.replace(4, 5, b"bc");
        edits.close();
        assert_eq!(written(&mut edits, &padded), [0x0a, 0x82, 0x80, 0x00, b'b', b'c']);

        let short = [0x0a, 1, b'a'];
        edits.clear();
        edits.open(1, 2, 3);
        edits.replace(2, 3, &[b'b'; 200]);
        edits.close();
        let out = written(&mut edits, &short);
        assert_eq!((out.len(), &out[..3]), (203, &[0x0a, 0xc8, 0x01][..]));
    }

    #[test]
    fn what_is_rolled_back_leaves_no_trace() {
        let input = [0x0a, 4, 0x0a, 2, b'a', b'b'];
        let mut edits = Edits::default();
        edits.open(1, 2, 6);
        let mark = edits.mark();
        edits.open(3, 4, 6);
        edits.replace(4, 6, b"longer");
        edits.stage(4, 5, |out| out.push(1));
        edits.roll_back(mark);
        edits.close();
        assert!(edits.is_empty());
        assert_eq!(written(&mut edits, &input), input);
    }

    #[test]
    fn a_record_can_be_deleted_after_its_content_was_edited() {
        let input = [0x0a, 6, 0x12, 4, 0x0a, 2, b'a', b'b'];
        let mut edits = Edits::default();
        edits.open(1, 2, 8);
        let mark = edits.mark();
        edits.open(3, 4, 8);
        edits.replace(6, 8, b"");
        edits.roll_back(mark);
        edits.delete(2, 8);
        edits.close();
        assert_eq!(written(&mut edits, &input), [0x0a, 0]);
    }

    #[test]
    fn the_attribute_short_cut_writes_what_three_frames_would() {
        let key = b"k";
        for (text, token) in [("10.0.0.1", 30), ("x", 1), ("x", 121), ("x", 126), ("x", 127), ("abcdef", 0)] {
            // KeyValue { key, value: AnyValue { string_value } } as field 6
            let mut value = Vec::new();
            put_field(&mut value, 1, text.as_bytes());
            let mut pair = Vec::new();
            put_field(&mut pair, 1, key);
            put_field(&mut pair, 2, &value);
            let mut input = Vec::new();
            put_field(&mut input, 6, &pair);
            let (end, text_at) = (input.len(), input.len() - text.len());
            let replacement = vec![b't'; token];

            let mut slow = Edits::default();
            slow.open(1, 2, end);
            slow.open(text_at - 3, text_at - 2, end);
            slow.open(text_at - 1, text_at, end);
            slow.replace(text_at, end, &replacement);
            (0..3).for_each(|_| slow.close());

            let mut fast = Edits::default();
            fast.stage(text_at, end, |out| out.extend_from_slice(&replacement));
            fast.place_in_value(&input, 1, 2, text_at - 3, text_at, end);
            assert_eq!(written(&mut slow, &input), written(&mut fast, &input), "{text} {token}");

            // In two pieces, which makes edits of their own for the lengths.
            if text.len() > 1 {
                let mut pieces = Edits::default();
                pieces.stage(text_at, text_at + 1, |out| out.extend_from_slice(&replacement));
                pieces.stage(text_at + 1, end, |_| {});
                pieces.place_in_value(&input, 1, 2, text_at - 3, text_at, end);
                assert_eq!(written(&mut slow, &input), written(&mut pieces, &input), "{text} {token}");
            }
        }
    }

    #[test]
    fn edits_may_come_out_of_order() {
        let input = [0x0a, 1, b'a', 0x12, 1, b'b'];
        let mut edits = Edits::default();
        edits.open(4, 5, 6);
        edits.replace(5, 6, b"BB");
        edits.close();
        edits.open(1, 2, 3);
        edits.replace(2, 3, b"AA");
        edits.close();
        assert_eq!(written(&mut edits, &input), [0x0a, 2, b'A', b'A', 0x12, 2, b'B', b'B']);
    }
}
