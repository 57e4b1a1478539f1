//! JSON that stands inside a text: walked, so that keys decide inside it as they do outside, and so that what is
//! replaced leaves valid JSON behind.
//!
//! Strict in syntax (what another parser would refuse is not walked), tolerant of white space, of several documents one
//! after the other, and of text before the first `{` or behind the last `}`. The text is parsed into a tape first and
//! visited only if all of it holds, so a truncated document is never half treated. Strings with escapes are shown
//! unescaped; [`Leaf::raw`] leads offsets in them back to the raw text, through any number of levels.

/// JSON in a JSON string in a JSON string …: so many levels are opened, deeper ones are plain text.
pub const MAX_LEVELS: usize = 8;
/// Objects and arrays within each other, on one level. Deeper documents are not taken for JSON.
pub const MAX_DEPTH: usize = 128;
/// How many `{` of a text are tried as the beginning of a document.
const MAX_STARTS: usize = 4;

/// What stands at a place of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The key of an object's member.
    Key,
    String,
    Number,
    /// `true`, `false`, `null`.
    Word,
}

/// What a visitor makes of a key: it gets it back with all that stands under that key.
pub type Note = u32;

/// A key or scalar, shown to the visitor.
pub struct Leaf<'a> {
    /// The buffer in which the text stands: the searched buffer itself, or an unescaped copy.
    pub buf: &'a [u8],
    /// The text's offsets in `buf`, without quotes.
    pub start: usize,
    pub end: usize,
    pub kind: Kind,
    /// What the visitor made of the key it stands under: a scalar's own (through arrays), for a key that of the object it
    /// belongs to.
    pub under: Option<Note>,
    /// Levels of JSON in strings above this one.
    pub level: usize,
    maps: &'a [OffsetMap],
}

impl Leaf<'_> {
    pub fn text(&self) -> &[u8] {
        &self.buf[self.start..self.end]
    }

    /// Where offsets `start..end` of [`Leaf::buf`] stand in the buffer that was searched. Never splits an escape.
    pub fn raw(&self, start: usize, end: usize) -> (usize, usize) {
        self.maps.iter().rev().fold((start, end), |(start, end), map| (map.raw_start(start), map.raw_end(end)))
    }

    /// Whether [`Leaf::buf`] is the very buffer that was searched.
    pub fn is_verbatim(&self) -> bool {
        self.maps.is_empty()
    }
}

/// Reused memory of [`find`] and [`visit`].
#[derive(Default)]
pub struct Scratch {
    tapes: Vec<Tape>,
    texts: Vec<Vec<u8>>,
    /// Maps of the levels that are open, outermost first; those behind `open` are kept for reuse.
    maps: Vec<OffsetMap>,
    open: usize,
}

/// Finds the JSON of `buf[start..end]`: the range of `buf` that the documents cover. `None` where there is no valid JSON: then
/// the text is to be searched as plain text, as is whatever stands outside the range.
pub fn find(buf: &[u8], start: usize, end: usize, scratch: &mut Scratch) -> Option<(usize, usize)> {
    let mut tape = scratch.tapes.pop().unwrap_or_default();
    let covered = find_documents(buf, start, end, &mut tape);
    scratch.tapes.push(tape);
    covered
}

/// Shows every key and scalar of the documents that [`find`] found last to `visit`, in order. What it returns of a key comes
/// back with what stands under it; what it returns of a scalar is nothing.
pub fn visit(buf: &[u8], scratch: &mut Scratch, visit: &mut dyn FnMut(&Leaf<'_>) -> Note) {
    let mut tape = scratch.tapes.pop().unwrap_or_default();
    scratch.open = 0;
    visit_tape(buf, &mut tape, scratch, visit);
    scratch.tapes.push(tape);
}

/// Shows the items of a tape; strings with escapes are unescaped, and strings that hold documents opened, first.
fn visit_tape(buf: &[u8], tape: &mut Tape, scratch: &mut Scratch, visit: &mut dyn FnMut(&Leaf<'_>) -> Note) {
    let level = scratch.open;
    for index in 0..tape.items.len() {
        let Item { start, end, key, kind, escaped, .. } = tape.items[index];
        let (start, end) = (start as usize, end as usize);
        let under = tape.items.get(key as usize).map(|key| key.note);
        let may_nest = kind == Kind::String && opens_document(&buf[start..end]) && level < MAX_LEVELS;
        let note = if escaped || may_nest {
            visit_string(&Leaf { buf, start, end, kind, under, level, maps: &[] }, escaped, may_nest, scratch, visit)
        } else {
            visit(&Leaf { buf, start, end, kind, under, level, maps: &scratch.maps[..level] })
        };
        tape.items[index].note = note;
    }
}

/// Shows a string that is not simply what stands there.
fn visit_string(
    raw: &Leaf<'_>,
    escaped: bool,
    may_nest: bool,
    scratch: &mut Scratch,
    visit: &mut dyn FnMut(&Leaf<'_>) -> Note,
) -> Note {
    let Leaf { level, kind, under, .. } = *raw;
    if scratch.maps.len() == level {
        scratch.maps.push(OffsetMap::default());
    }
    let mut text = scratch.texts.pop().unwrap_or_default();
    let mut inner = scratch.tapes.pop().unwrap_or_default();
    unescape(raw.buf, raw.start, raw.end, &mut text, &mut scratch.maps[level]);
    let mut note = 0;
    if may_nest && find_documents(&text, 0, text.len(), &mut inner) == Some((0, text.len())) {
        scratch.open = level + 1;
        visit_tape(&text, &mut inner, scratch, visit);
        scratch.open = level;
    } else if escaped {
        let maps = &scratch.maps[..=level];
        note = visit(&Leaf { buf: &text, start: 0, end: text.len(), kind, under, level, maps });
    } else {
        note = visit(&Leaf { maps: &scratch.maps[..level], ..*raw });
    }
    scratch.tapes.push(inner);
    scratch.texts.push(text);
    note
}

/// Whether the first thing in a text is an object or array.
fn opens_document(text: &[u8]) -> bool {
    matches!(text.iter().find(|b| !is_space(**b)), Some(b'{' | b'['))
}

const fn is_space(b: u8) -> bool {
    b <= b' ' && matches!(b, b' ' | b'\t' | b'\n' | b'\r')
}

/// Leads offsets in an unescaped text back to the raw one.
#[derive(Default)]
pub struct OffsetMap {
    /// Where a run of equal bytes begins: (offset in the text, offset in the raw buffer). An escape is a run of its own.
    runs: Vec<(u32, u32)>,
    text_end: u32,
    raw_end: u32,
}

impl OffsetMap {
    /// The raw offset at which the byte `offset` of the text, or the escape that it came from, begins.
    pub fn raw_start(&self, offset: usize) -> usize {
        if offset >= self.text_end as usize {
            return self.raw_end as usize;
        }
        let run = self.runs.partition_point(|&(text, _)| text as usize <= offset) - 1;
        let (text, raw) = self.runs[run];
        if self.is_escape(run) { raw as usize } else { raw as usize + (offset - text as usize) }
    }

    /// The raw offset at which the byte before `offset`, or the escape that it came from, ends.
    pub fn raw_end(&self, offset: usize) -> usize {
        let Some(last) = offset.checked_sub(1) else { return self.raw_start(0) };
        let run = self.runs.partition_point(|&(text, _)| text as usize <= last).saturating_sub(1);
        let Some(&(text, raw)) = self.runs.get(run) else { return self.raw_end as usize };
        if self.is_escape(run) { self.run_end(run).1 } else { raw as usize + (offset - text as usize) }
    }

    /// A run of plain bytes is as long raw as unescaped; an escape never is.
    fn is_escape(&self, run: usize) -> bool {
        let (text, raw) = self.runs[run];
        let (text_end, raw_end) = self.run_end(run);
        text_end - text as usize != raw_end - raw as usize
    }

    fn run_end(&self, run: usize) -> (usize, usize) {
        match self.runs.get(run + 1) {
            Some(&(text, raw)) => (text as usize, raw as usize),
            None => (self.text_end as usize, self.raw_end as usize),
        }
    }
}

/// Unescapes `buf[start..end]`, the inside of a JSON string that the parser has accepted, into `text`, and fills `map`
/// with the way back. A lone surrogate becomes U+FFFD.
pub fn unescape(buf: &[u8], start: usize, end: usize, text: &mut Vec<u8>, map: &mut OffsetMap) {
    text.clear();
    map.runs.clear();
    let mut at = start;
    while at < end {
        map.runs.push((text.len() as u32, at as u32));
        let plain = memchr::memchr(b'\\', &buf[at..end]).unwrap_or(end - at);
        text.extend_from_slice(&buf[at..at + plain]);
        at += plain;
        if plain == 0 {
            at += push_escape(&buf[at..end], text);
        }
    }
    map.text_end = text.len() as u32;
    map.raw_end = end as u32;
}

/// Decodes the escape at the beginning of `raw`; returns how long it is.
fn push_escape(raw: &[u8], text: &mut Vec<u8>) -> usize {
    let plain = match raw.get(1) {
        Some(b'n') => b'\n',
        Some(b't') => b'\t',
        Some(b'r') => b'\r',
        Some(b'b') => 8,
        Some(b'f') => 12,
        Some(b'u') => return push_unicode(raw, text),
        Some(&other) => other,
        None => b'\\',
    };
    text.push(plain);
    raw.len().min(2)
}

fn push_unicode(raw: &[u8], text: &mut Vec<u8>) -> usize {
    let high = hex4(raw, 2).unwrap_or(0xfffd);
    let (mut code, mut length) = (high, raw.len().min(6));
    if (0xd800..0xdc00).contains(&high)
        && raw.get(6..8) == Some(b"\\u")
        && let Some(low @ 0xdc00..0xe000) = hex4(raw, 8)
    {
        (code, length) = (0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00), 12);
    }
    let c = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
    text.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    length
}

fn hex4(raw: &[u8], at: usize) -> Option<u32> {
    let digits = raw.get(at..at + 4)?;
    digits.iter().try_fold(0, |value, &b| Some(value << 4 | (b as char).to_digit(16)?))
}

/// Index of no key in a [`Tape`].
const NO_KEY: u32 = u32::MAX;

/// The keys and scalars of one level, in order.
#[derive(Default)]
struct Tape {
    items: Vec<Item>,
}

#[derive(Clone, Copy)]
struct Item {
    /// Without quotes.
    start: u32,
    end: u32,
    /// Index of the key item that it stands under.
    key: u32,
    /// Of a key that has been visited.
    note: Note,
    kind: Kind,
    escaped: bool,
}

/// Parses the documents of `buf[start..end]` onto the tape; returns the range that they and the white space behind them
/// cover. A `[` opens one only at the text's beginning, for `job [1, 2]` is no document.
fn find_documents(buf: &[u8], start: usize, end: usize, tape: &mut Tape) -> Option<(usize, usize)> {
    if end - start < 2 || end > u32::MAX as usize {
        return None;
    }
    if opens_document(&buf[start..end])
        && let Some(covered) = parse_documents(buf, start, end, tape)
    {
        return Some((start, covered));
    }
    let opens_member = |at: &usize| matches!(buf[at + 1..end].iter().find(|b| !is_space(**b)), Some(b'"'));
    memchr::memchr_iter(b'{', &buf[start..end])
        .map(|at| start + at)
        .take(MAX_STARTS)
        .filter(opens_member)
        .find_map(|at| Some((at, parse_documents(buf, at, end, tape)?)))
}

/// Parses documents as long as they come; `None` if one of them does not hold.
fn parse_documents(buf: &[u8], start: usize, end: usize, tape: &mut Tape) -> Option<usize> {
    tape.items.clear();
    let mut parser = Parser { text: &buf[..end], at: start, tape };
    parser.spaces();
    loop {
        parser.container()?;
        parser.spaces();
        if !matches!(parser.peek(), Some(b'{' | b'[')) {
            return Some(parser.at);
        }
    }
}

/// How many bytes of a string's inside stand before the first quote, backslash or control character.
#[inline]
fn plain_length(text: &[u8]) -> usize {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const TOPS: u64 = u64::from_ne_bytes([0x80; 8]);
    // The top bit of the first byte below `limit`, at most 128; bits above the first mean nothing.
    let below = |eight: u64, limit: u64| eight.wrapping_sub(ONES * limit) & !eight & TOPS;
    let is = |eight: u64, byte: u8| below(eight ^ (ONES * u64::from(byte)), 1);
    let mut at = 0;
    while let Some(eight) = text[at..].first_chunk() {
        let eight = u64::from_le_bytes(*eight);
        let stops = below(eight, 0x20) | is(eight, b'"') | is(eight, b'\\');
        if stops != 0 {
            return at + stops.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    at + text[at..].iter().take_while(|b| !matches!(b, 0..0x20 | b'"' | b'\\')).count()
}

struct Parser<'a> {
    text: &'a [u8],
    at: usize,
    tape: &'a mut Tape,
}

impl Parser<'_> {
    #[inline(always)]
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    #[inline(always)]
    fn take(&mut self, wanted: u8) -> Option<()> {
        (self.peek()? == wanted).then(|| self.at += 1)
    }

    #[inline(always)]
    fn spaces(&mut self) {
        while self.peek().is_some_and(is_space) {
            self.at += 1;
        }
    }

    /// One object or array with all that is in it, without recursion.
    fn container(&mut self) -> Option<()> {
        // Which of the open containers are objects, the outermost first.
        let mut objects = [false; MAX_DEPTH];
        let mut depth = 0;
        // The keys that the innermost of them, and the value at hand, stand under.
        let (mut outer, mut key) = (NO_KEY, NO_KEY);
        loop {
            // Here stands a value, under `key`.
            let mut first = false;
            match self.peek()? {
                b @ (b'{' | b'[') => {
                    *objects.get_mut(depth)? = b == b'{';
                    depth += 1;
                    outer = key;
                    self.at += 1;
                    first = true;
                }
                b'"' => self.string(Kind::String, key)?,
                _ => self.bare(key)?,
            }
            // Close whatever ends here, then go on to the next value.
            loop {
                self.spaces();
                let is_object = objects[depth - 1];
                if self.take(if is_object { b'}' } else { b']' }).is_some() {
                    depth -= 1;
                    if depth == 0 {
                        return Some(());
                    }
                    if objects[depth - 1] {
                        // It was a member, under the key that the member's key says.
                        outer = self.tape.items[outer as usize].key;
                    }
                    first = false;
                    continue;
                }
                if !first {
                    self.take(b',')?;
                    self.spaces();
                }
                key = outer;
                if is_object {
                    key = self.tape.items.len() as u32;
                    self.string(Kind::Key, outer)?;
                    self.spaces();
                    self.take(b':')?;
                    self.spaces();
                }
                break;
            }
        }
    }

    /// A number or a word.
    fn bare(&mut self, key: u32) -> Option<()> {
        let start = self.at;
        let kind = match self.peek()? {
            b'-' | b'0'..=b'9' => {
                self.number()?;
                Kind::Number
            }
            _ => {
                let rest = &self.text[start..];
                let word = [&b"true"[..], b"false", b"null"].into_iter().find(|word| rest.starts_with(word))?;
                self.at += word.len();
                Kind::Word
            }
        };
        self.push(start, kind, key, false);
        Some(())
    }

    fn number(&mut self) -> Option<()> {
        let _ = self.take(b'-');
        match self.peek()? {
            b'0' => self.at += 1,
            _ => self.digits()?,
        }
        if self.take(b'.').is_some() {
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        Some(())
    }

    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while self.peek().is_some_and(|b| b.is_ascii_digit()) {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }

    #[inline(always)]
    fn string(&mut self, kind: Kind, key: u32) -> Option<()> {
        self.take(b'"')?;
        let start = self.at;
        let mut escaped = false;
        loop {
            self.at += plain_length(&self.text[self.at..]);
            match self.peek()? {
                b'"' => break,
                b'\\' => self.escape()?,
                // JSON has no raw control characters; a raw line break would let a truncated line swallow the next.
                _ => return None,
            }
            escaped = true;
        }
        self.push(start, kind, key, escaped);
        self.at += 1;
        Some(())
    }

    fn escape(&mut self) -> Option<()> {
        self.at += match self.text.get(self.at + 1)? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => 2,
            b'u' => hex4(self.text, self.at + 2).map(|_| 6)?,
            _ => return None,
        };
        Some(())
    }

    /// What stands from `start` to where the parser is.
    #[inline(always)]
    fn push(&mut self, start: usize, kind: Kind, key: u32, escaped: bool) {
        self.tape.items.push(Item { start: start as u32, end: self.at as u32, key, note: 0, kind, escaped });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(text: &[u8], each: &mut dyn FnMut(&Leaf<'_>) -> Note) -> Option<(usize, usize)> {
        let mut scratch = Scratch::default();
        let covered = find(text, 0, text.len(), &mut scratch)?;
        visit(text, &mut scratch, each);
        Some(covered)
    }

    fn leaves(text: &str) -> Option<Vec<String>> {
        let mut seen = Vec::new();
        let mut keys: Vec<String> = Vec::new();
        walk(text.as_bytes(), &mut |leaf| {
            let (start, end) = leaf.raw(leaf.start, leaf.end);
            let shown = String::from_utf8_lossy(leaf.text()).into_owned();
            let key = leaf.under.map_or("", |note| keys[note as usize].as_str());
            seen.push(format!("{:?} {key} {shown} <{}>", leaf.kind, &text[start..end]));
            keys.push(shown);
            keys.len() as Note - 1
        })?;
        Some(seen)
    }

    fn is_json(text: &str) -> bool {
        walk(text.as_bytes(), &mut |_| 0) == Some((0, text.len()))
    }

    #[test]
    fn keys_and_scalars_come_with_the_key_they_stand_under() {
        let seen = leaves(r#" {"a": {"b" : [1, "x", [null]]}, "c":-1.5e+3} "#).expect("valid");
        let wanted = ["Key  a <a>", "Key a b <b>", "Number b 1 <1>", "String b x <x>", "Word b null <null>"];
        assert_eq!(seen[..5], wanted);
        assert_eq!(seen[5..], ["Key  c <c>", "Number c -1.5e+3 <-1.5e+3>"]);
    }

    #[test]
    fn a_string_with_escapes_is_shown_unescaped_and_led_back_to_the_raw_text() {
        let text = r#"{"k":"a\u0040b\\\n\ud83d\ude00z"}"#;
        assert_eq!(leaves(text).expect("valid")[1], "String k a@b\\\n😀z <a\\u0040b\\\\\\n\\ud83d\\ude00z>");
        let mut cut = Vec::new();
        walk(text.as_bytes(), &mut |leaf| {
            if leaf.kind == Kind::String {
                for (start, end) in [(0, 1), (1, 2), (2, 4), (5, 9), (9, 10), (0, 10)] {
                    let (start, end) = leaf.raw(start, end);
                    cut.push(&text[start..end]);
                }
            }
            0
        });
        assert_eq!(cut[..5], ["a", "\\u0040", "b\\\\", "\\ud83d\\ude00", "z"]);
        assert_eq!(cut[5], r"a\u0040b\\\n\ud83d\ude00z");
    }

    #[test]
    fn json_in_a_json_string_is_opened_and_led_back() {
        let inner = r#"{"host":"db\t1","list":[{"ip":"10.0.0.1"}]}"#;
        let text = format!(r#"{{"message":{}}}"#, serde_json::to_string(inner).expect("string"));
        let seen = leaves(&text).expect("valid");
        assert!(seen.contains(&"String host db\t1 <db\\\\t1>".to_owned()), "{seen:?}");
        assert!(seen.contains(&"String ip 10.0.0.1 <10.0.0.1>".to_owned()));
    }

    #[test]
    fn a_string_without_escapes_that_only_begins_like_a_document_is_verbatim() {
        let text = br#"{"agent":"[Mozilla/5.0]"}"#;
        let mut verbatim = Vec::new();
        walk(text, &mut |leaf| {
            verbatim.push(leaf.is_verbatim());
            0
        });
        assert_eq!(verbatim, [true, true]);
    }

    #[test]
    fn nesting_stops_at_the_limit_and_shows_the_rest_as_text() {
        let mut text = r#"{"ip":"10.0.0.1"}"#.to_owned();
        for _ in 0..MAX_LEVELS + 2 {
            text = format!(r#"{{"m":{}}}"#, serde_json::to_string(&text).expect("string"));
        }
        let seen = leaves(&text).expect("valid");
        assert!(seen.last().expect("some").starts_with("String m {\"m\":"), "{seen:?}");
    }

    #[test]
    fn what_is_no_json_is_not_visited() {
        let wrong =
            [r#"{"a":"b"#, r#"{"a":1,}"#, r#"{"a" 1}"#, "{a:1}", r#"{"a":01}"#, r#"{"a":"\x"}"#, "[INFO] x", "x"];
        for text in wrong {
            assert_eq!(leaves(text), None, "{text}");
        }
        assert_eq!(leaves("{\"a\":\"line\nbreak\"}"), None);
        assert_eq!(leaves(&("[".repeat(MAX_DEPTH + 1) + &"]".repeat(MAX_DEPTH + 1))), None);
        assert!(is_json(&("[".repeat(MAX_DEPTH) + &"]".repeat(MAX_DEPTH))));
    }

    #[test]
    fn text_around_documents_is_left_out_of_the_range() {
        let text = r#"CEF:0|x {y} {"a":1} {"b":"2"} end"#;
        let range = walk(text.as_bytes(), &mut |_| 0);
        let (start, end) = range.expect("found");
        assert_eq!(&text[start..end], r#"{"a":1} {"b":"2"} "#);
    }

    #[test]
    fn it_agrees_with_serde_json_on_mutated_documents() {
        let seed = r#"{"a":[1,-0.5e3,true,null,"x\n\u00e9"],"b":{"c":{},"d":[]},"e":"ü"}"#;
        let mut valid = 0;
        for cut in (0..seed.len()).filter(|&cut| seed.is_char_boundary(cut) && seed.is_char_boundary(cut + 1)) {
            for with in ["", "\"", "{", "}", ",", "0", ":", "\\", " ", "]", "nn"] {
                let text = format!("{}{with}{}", &seed[..cut], &seed[cut + 1..]);
                // A sequence of documents is more than serde's one value; a bare scalar less.
                let theirs = serde_json::Deserializer::from_str(&text)
                    .into_iter::<serde_json::Value>()
                    .all(|value| value.is_ok_and(|value| value.is_object() || value.is_array()));
                assert_eq!(is_json(&text), theirs, "{text}");
                valid += usize::from(theirs);
            }
        }
        assert!(valid > 50, "the seed's mutations hardly ever hold: {valid}");
    }
}
