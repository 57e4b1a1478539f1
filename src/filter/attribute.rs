//! Attributes and the values under them: the key decides, or the text is searched, in every shape that a value can have.

use crate::otlp::schema::{self, Message};
use crate::otlp::{Part, Signal};
use crate::policy::{Action, FieldId, Plan};
use crate::wire::read::{self, Field};

use super::identity::{self, Identity};
use super::keys::{self, KeyText};
use super::recall::{Recall, hides, recall};
use super::text::Outcome;
use super::walk::{Fault, Stop, Walk};
use super::{Worker, memo};

/// A `KeyValue`, taken apart.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pair {
    pub key: Option<Field>,
    pub value: Option<Field>,
    pub key_index: Option<Field>,
}

/// Where an attribute stands, for what is nested in it.
#[derive(Clone, Copy)]
pub(super) struct Under {
    pub part: Part,
    pub plan: Plan,
    pub identity: Identity,
}

impl Walk<'_> {
    /// Attributes, `KeyValue` fields of any message: the first one's tag, of one byte, stands at `pos`. Returns where a field
    /// begins that has not been dealt with.
    #[inline]
    pub fn attributes(&mut self, part: Part, pos: usize, end: usize) -> Result<usize, Stop> {
        if part == Part::PointAttributes && self.remembers {
            return self.series(pos, end);
        }
        self.each_attribute(part, pos, end)
    }

    /// Attributes one after the other.
    #[inline(never)]
    pub fn each_attribute(&mut self, part: Part, mut pos: usize, end: usize) -> Result<usize, Stop> {
        self.w.learned.keys_elsewhere |= part != Part::RecordAttributes;
        let place = self.place(part).of_pair().number();
        let (buf, signal) = (&self.buf[..end], self.signal);
        let tag = buf[pos];
        while pos < end && buf[pos] == tag {
            // What is remembered has the usual shape, and most often a length of one byte.
            if let Some(pair) = short_pair(buf, pos)
                && self.remembers
            {
                let (content, stop) = (pos + 2, pos + 2 + pair.len());
                if !may_hold_text(pair) && self.is_plain_number(part, content, stop)? {
                    pos = stop;
                    continue;
                }
                let Worker { memo, known, counts, learned, identity, edits, .. } = &mut *self.w;
                match recall(memo, known, place, pair) {
                    Recall::Seen(seen) => {
                        if let Some(token) = seen.token() {
                            let of = || identity::of_attribute(signal, part, content, stop);
                            token.act(pair, counts, learned, identity, of);
                            let (bytes, from, to) = seen.replacement();
                            edits.replace_by(buf, pos + 1, stop, bytes, from, to);
                        }
                    }
                    Recall::New(asked) => self.new_attribute(Some(asked), part, pos, pos + 1, content, stop)?,
                    Recall::Unsure => self.new_attribute(None, part, pos, pos + 1, content, stop)?,
                }
                pos = stop;
            } else {
                let (content, stop) = read::length(buf, pos + 1, end)?;
                self.long_attribute(place, part, pos, content, stop)?;
                pos = stop;
            }
        }
        Ok(pos)
    }

    /// An attribute of more than 127 bytes, or of which nothing is to be remembered. Those long ones that come again are user
    /// agents.
    #[inline(never)]
    fn long_attribute(&mut self, place: u64, part: Part, start: usize, content: usize, end: usize) -> Result<(), Stop> {
        let pair = &self.buf[content..end];
        let recalled = if self.remembers && pair.len() <= memo::MAX {
            recall(&mut self.w.memo, &self.w.known, place, pair)
        } else {
            Recall::Unsure
        };
        match recalled {
            Recall::Seen(seen) if seen.token().is_none() => Ok(()),
            Recall::New(asked) => self.new_attribute(Some(asked), part, start, start + 1, content, end),
            _ => self.new_attribute(None, part, start, start + 1, content, end),
        }
    }

    /// An attribute not seen before, or not lately. What becomes of it is entered if that was asked for.
    #[inline(never)]
    pub fn new_attribute(
        &mut self,
        asked: Option<memo::Asked>,
        part: Part,
        start: usize,
        prefix: usize,
        content: usize,
        end: usize,
    ) -> Result<(), Stop> {
        let (before, mark, open) = (self.before(), self.w.edits.mark(), self.w.edits.open());
        let Some(shape) = usual_shape(self.buf, content, end) else {
            if !self.is_plain_number(part, content, end)? {
                self.w.memorable = false;
                self.unusual_attribute(part, start, prefix, content, end)?;
            }
            return Ok(());
        };
        self.judge_attribute(shape, part, start, prefix, content, end)?;
        let w = &mut *self.w;
        w.memorable &= w.turned_out.memorable;
        let replaced = w.edits.is_replaced(shape.text.1, end).then(|| w.edits.written_since(open, prefix));
        let became = replaced.filter(|bytes| bytes[0] < 0x80);
        let is_whole = became.is_some() || w.edits.mark() == mark;
        if let Some(asked) = asked
            && is_whole
            && w.turned_out.memorable
            && !w.known.may_stand(self.buf, content, end)
        {
            let host = w.turned_out.host.then_some((shape.text.1 - content) as u8);
            before.remember(&mut w.memo, &w.counts, &w.identity, asked, &self.buf[content..end], became, host);
        }
        Ok(())
    }

    /// An attribute of the usual shape, by its key and value.
    #[inline(always)]
    fn judge_attribute(
        &mut self,
        shape: Shape,
        part: Part,
        start: usize,
        prefix: usize,
        content: usize,
        end: usize,
    ) -> Result<(), Stop> {
        let Shape { key_end, value, text } = shape;
        let place = self.place(part);
        let key = self.key(place, part, content + 2, key_end)?;
        let known = self.w.keys.get(key);
        if !known.is_as_is() {
            return self.unusual_attribute(part, start, prefix, content, end);
        }
        let plan = known.plan;
        self.w.turned_out.memorable &= !hides(plan);
        let identity = identity::of_attribute(self.signal, part, content, end).under(plan, part);
        let open = self.w.edits.open();
        match self.text(text.1, end, plan, part, identity)? {
            Outcome::Untouched => {}
            Outcome::Edited => self.w.edits.close_all(open, self.buf, [(prefix, content), value, text], end),
            Outcome::Removed => {
                self.w.identity.add(identity);
                self.w.edits.delete(self.buf, start, end);
            }
        }
        Ok(())
    }

    /// Whether an attribute holds a number or truth value that its key does not decide: there is nothing to do.
    #[inline(never)]
    fn is_plain_number(&mut self, part: Part, content: usize, end: usize) -> Result<bool, Stop> {
        let Some(key_end) = scalar_shape(self.buf, content, end) else { return Ok(false) };
        let place = self.place(part);
        let key = self.key(place, part, content + 2, key_end)?;
        let known = self.w.keys.get(key);
        let decided = known.plan.whole.is_some_and(|whole| whole.action > Action::Keep);
        Ok(known.is_as_is() && !decided)
    }

    /// An attribute of any shape: nothing that is remembered.
    #[inline(never)]
    fn unusual_attribute(
        &mut self,
        part: Part,
        start: usize,
        prefix: usize,
        content: usize,
        end: usize,
    ) -> Result<(), Stop> {
        self.w.turned_out.memorable = false;
        let pair = take_apart(self.buf, content, end)?;
        let place = self.place(part);
        let field = pair.key.or(self.profiles.key(self.buf, &pair));
        let (from, to) = field.map_or((content, content), |field| (field.value, field.end));
        let key = self.key(place, part, from, to)?;
        let plan = self.w.keys.get(key).plan;
        let identity = identity::of_attribute(self.signal, part, content, end).under(plan, part);
        let under = Under { part, plan, identity };
        let depth = self.w.path.len();
        self.w.path.extend_from_slice(&self.buf[from..to]);
        let walked = self.pair(under, key, &pair, start, prefix, content, end);
        self.w.path.truncate(depth);
        walked
    }

    /// The entry of the key at `start..end`, whose whole path that is.
    #[inline]
    fn key(&mut self, place: keys::Place, part: Part, start: usize, end: usize) -> Result<u32, Stop> {
        match self.w.keys.find(place, &self.buf[start..end]) {
            Some(key) if self.key_holds(key) => Ok(key),
            found => self.new_key(place, part, found, start, end),
        }
    }

    /// Whether what became of a key's text holds with the names that are known now.
    #[inline]
    fn key_holds(&mut self, key: u32) -> bool {
        self.w.keys.holds(key, self.w.names, &self.w.known)
    }

    #[cold]
    #[inline(never)]
    fn new_key(
        &mut self,
        place: keys::Place,
        part: Part,
        found: Option<u32>,
        start: usize,
        end: usize,
    ) -> Result<u32, Stop> {
        let path = std::str::from_utf8(&self.buf[start..end]).map_err(|_| Fault::InvalidUtf8)?;
        let searched = self.search_key(start, end, part)?;
        if let Some(key) = found {
            self.w.keys.set_text(key, searched);
            return Ok(key);
        }
        let plan = self.policy.plan(self.signal, part, Some(path), self.active);
        Ok(self.w.keys.insert(place, path.as_bytes(), plan, searched))
    }

    /// The entry of a key inside a value's map: the path to it stands in `w.path`, its own text at `start..end`.
    fn nested_key(&mut self, under: Under, start: usize, end: usize) -> Result<u32, Stop> {
        let place = self.place(under.part).nested();
        self.w.learned.keys_elsewhere = true;
        let found = self.w.keys.find(place, &self.w.path);
        if let Some(key) = found
            && self.key_holds(key)
        {
            return Ok(key);
        }
        let searched = self.search_key(start, end, under.part)?;
        if let Some(key) = found {
            self.w.keys.set_text(key, searched);
            return Ok(key);
        }
        let path = std::str::from_utf8(&self.w.path).map_err(|_| Fault::InvalidUtf8)?;
        let plan = self.policy.plan(self.signal, under.part, Some(path), self.active);
        Ok(self.w.keys.insert(place, path.as_bytes(), plan, searched))
    }

    /// A pair whose key has been looked up.
    #[allow(clippy::too_many_arguments)] // a field's place, in one call
    fn pair(
        &mut self,
        under: Under,
        key: u32,
        pair: &Pair,
        start: usize,
        prefix: usize,
        content: usize,
        end: usize,
    ) -> Result<(), Stop> {
        // A key's own text counts where it stands: the string table is searched by itself.
        if pair.key.is_some() {
            self.w.counts.at(FieldId::of(Part::AttributeKeys));
            let (text, hits) = self.w.keys.text_of(key, self.w.names).expect("looked up with these names");
            hits.iter().for_each(|rule| self.w.counts.rule(*rule));
            match text {
                KeyText::AsIs | KeyText::Replaced(_) => {}
                KeyText::Removed => {
                    self.w.identity.add(under.identity);
                    self.w.edits.delete(self.buf, start, end);
                    return Ok(());
                }
                KeyText::Drops(rule) => return Err(Stop::Drop(*rule)),
            }
        }
        let (mark, depth) = (self.w.edits.mark(), self.depth);
        let mut removed = false;
        self.inside(prefix, content, end, |walk| {
            let mut pos = content;
            while pos < end {
                let field = read::field(walk.buf, pos, end)?;
                match field.tag.number {
                    1 => walk.replace_key(key, &field),
                    2 if walk.value(under, field.prefix, field.value, field.end)? == Outcome::Removed => {
                        removed = true;
                        return Ok(());
                    }
                    2 => {}
                    3 if walk.signal == Signal::Profiles => walk.check_index(&field, true)?,
                    3 => walk.w.edits.delete(walk.buf, field.start, field.end),
                    number => walk.unknown(&schema::KEY_VALUE, number, field.start, field.end),
                }
                pos = field.end;
            }
            Ok(())
        })?;
        if removed {
            self.w.edits.roll_back(mark);
            self.depth = depth;
            self.w.identity.add(under.identity);
            self.w.edits.delete(self.buf, start, end);
        }
        Ok(())
    }

    fn replace_key(&mut self, key: u32, field: &Field) {
        if let Some((KeyText::Replaced(text), _)) = self.w.keys.text_of(key, self.w.names) {
            let open = self.w.edits.open();
            self.w.edits.replace(self.buf, field.value, field.end, text);
            self.w.edits.close(open, field.prefix, field.value, field.end);
        }
    }

    /// A log record's body: a value under no key. (`start` is its tag, should it have to go.)
    pub fn body(
        &mut self,
        part: Part,
        plan: Plan,
        start: usize,
        prefix: usize,
        content: usize,
        end: usize,
    ) -> Result<(), Stop> {
        // A text, and nothing else.
        if let Some(&0x0a) = self.buf[..end].get(content) {
            let (text, stop) = read::length(self.buf, content + 1, end)?;
            if stop == end {
                let open = self.w.edits.open();
                match self.text(text, end, plan, part, Identity::None)? {
                    Outcome::Untouched => {}
                    Outcome::Edited => {
                        self.w.edits.close_all(open, self.buf, [(prefix, content), (content + 1, text)], end);
                    }
                    Outcome::Removed => self.w.edits.delete(self.buf, start, end),
                }
                return Ok(());
            }
        }
        let (mark, depth) = (self.w.edits.mark(), self.depth);
        if self.value(Under { part, plan, identity: Identity::None }, prefix, content, end)? == Outcome::Removed {
            self.w.edits.roll_back(mark);
            self.depth = depth;
            self.w.edits.delete(self.buf, start, end);
        }
        Ok(())
    }

    /// An `AnyValue`. [`Outcome::Removed`] asks the caller to delete whatever holds it; the edits made so far are then for
    /// the caller to roll back.
    pub fn value(&mut self, under: Under, prefix: usize, content: usize, end: usize) -> Result<Outcome, Stop> {
        let mut only = None;
        for field in read::fields(self.buf, content, end) {
            let field = field?;
            if (1..=8).contains(&field.tag.number) && only.replace(field).is_some() {
                // Parsers take the last; an earlier one would be smuggled past whoever looks at one only.
                return Err(Fault::AmbiguousValue.into());
            }
        }
        let mut outcome = Outcome::Untouched;
        self.inside(prefix, content, end, |walk| {
            for field in read::fields(walk.buf, content, end) {
                let field = field?;
                if only == Some(field) {
                    outcome = walk.value_field(under, &field)?;
                } else {
                    walk.unknown(&schema::ANY_VALUE, field.tag.number, field.start, field.end);
                }
            }
            Ok(())
        })?;
        Ok(outcome)
    }

    /// The one field of an `AnyValue`.
    fn value_field(&mut self, under: Under, field: &Field) -> Result<Outcome, Stop> {
        let expected = match field.tag.number {
            2 | 3 | 8 => 0,
            4 => 1,
            _ => 2,
        };
        if field.tag.wire_type != expected {
            return Err(Fault::WrongWireType.into());
        }
        match field.tag.number {
            1 | 7 => {
                let open = self.w.edits.open();
                let outcome = match field.tag.number {
                    1 => self.text(field.value, field.end, under.plan, under.part, under.identity)?,
                    _ => self.bytes(field.value, field.end, under.plan, under.part, under.identity)?,
                };
                self.w.edits.close(open, field.prefix, field.value, field.end);
                Ok(outcome)
            }
            2..=4 => self.scalar(under, field),
            5 => self.list(under, field),
            6 => self.map(under, field),
            _ if self.signal == Signal::Profiles => {
                self.check_index(field, false)?;
                Ok(Outcome::Untouched)
            }
            _ => {
                self.w.edits.delete(self.buf, field.start, field.end);
                Ok(Outcome::Untouched)
            }
        }
    }

    /// A truth value or number: only its key can decide it. What replaces it is text.
    fn scalar(&mut self, under: Under, field: &Field) -> Result<Outcome, Stop> {
        let Some(whole) = under.plan.whole.filter(|whole| whole.action > Action::Keep) else {
            return Ok(Outcome::Untouched);
        };
        let number = match field.tag.number {
            2 => (read::varint(self.buf, field.value, field.end)?.0 != 0).to_string(),
            3 => (read::varint(self.buf, field.value, field.end)?.0 as i64).to_string(),
            _ => {
                let bytes = self.buf[field.value..field.end].try_into().expect("a fixed64 has eight bytes");
                f64::from_le_bytes(bytes).to_string()
            }
        };
        self.w.counts.at(under.plan.field);
        let outcome = self.whole_scalar(number.as_bytes(), whole, field.start, field.end)?;
        if outcome != Outcome::Untouched {
            self.w.identity.add(under.identity);
        }
        Ok(outcome)
    }

    fn list(&mut self, under: Under, field: &Field) -> Result<Outcome, Stop> {
        self.inside(field.prefix, field.value, field.end, |walk| {
            for element in read::fields(walk.buf, field.value, field.end) {
                let element = element?;
                if element.tag.number != 1 {
                    walk.unknown(&schema::ARRAY_VALUE, element.tag.number, element.start, element.end);
                    continue;
                }
                expect_message(&element)?;
                let (mark, depth) = (walk.w.edits.mark(), walk.depth);
                if walk.value(under, element.prefix, element.value, element.end)? == Outcome::Removed {
                    walk.w.edits.roll_back(mark);
                    walk.depth = depth;
                    walk.w.identity.add(under.identity);
                    walk.w.edits.delete(walk.buf, element.start, element.end);
                }
            }
            Ok(())
        })?;
        // A whole treatment that removes acts on an empty list, too.
        let removes = under.plan.whole.is_some_and(|whole| whole.action.removes());
        Ok(if removes { Outcome::Removed } else { Outcome::Untouched })
    }

    fn map(&mut self, under: Under, field: &Field) -> Result<Outcome, Stop> {
        let removes = under.plan.whole.is_some_and(|whole| whole.action.removes());
        if removes {
            return Ok(Outcome::Removed);
        }
        self.inside(field.prefix, field.value, field.end, |walk| {
            for element in read::fields(walk.buf, field.value, field.end) {
                let element = element?;
                if element.tag.number != 1 {
                    walk.unknown(&schema::KEY_VALUE_LIST, element.tag.number, element.start, element.end);
                    continue;
                }
                expect_message(&element)?;
                walk.entry(under, &element)?;
            }
            Ok(())
        })?;
        Ok(Outcome::Untouched)
    }

    /// An entry of a value's map.
    fn entry(&mut self, under: Under, element: &Field) -> Result<(), Stop> {
        let pair = take_apart(self.buf, element.value, element.end)?;
        let field = pair.key.or(self.profiles.key(self.buf, &pair));
        let (from, to) = field.map_or((element.value, element.value), |field| (field.value, field.end));
        let depth = self.w.path.len();
        if depth > 0 {
            self.w.path.push(b'.');
        }
        self.w.path.extend_from_slice(&self.buf[from..to]);
        let walked = self.nested_key(under, from, to).and_then(|key| {
            let plan = self.policy.join(under.plan, self.w.keys.get(key).plan);
            let under = Under { plan, identity: under.identity.under(plan, under.part), ..under };
            self.pair(under, key, &pair, element.start, element.prefix, element.value, element.end)
        });
        self.w.path.truncate(depth);
        walked
    }
}

/// The content of a field whose tag stands at `pos`, if its length has one byte.
#[inline]
fn short_pair(buf: &[u8], pos: usize) -> Option<&[u8]> {
    let len = *buf.get(pos + 1).filter(|len| **len < 0x80)?;
    buf[pos + 2..].get(..usize::from(len))
}

/// Where in an attribute of the usual shape the key ends, and where the lengths of value and text stand and end.
#[derive(Clone, Copy)]
struct Shape {
    key_end: usize,
    value: (usize, usize),
    text: (usize, usize),
}

/// The shape that nearly every attribute has: one key, one text value, all lengths in agreement. Proves by itself that there
/// is one key, one value and one field in it.
#[inline]
fn usual_shape(buf: &[u8], content: usize, end: usize) -> Option<Shape> {
    let pair = &buf[content..end];
    if pair.len() < 6 || pair[0] != 0x0a || pair[1] >= 0x80 {
        return None;
    }
    let key_end = 2 + usize::from(pair[1]);
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
fn long_shape(buf: &[u8], key_end: usize, end: usize) -> Option<Shape> {
    let rest_of = |tag: u8, pos: usize| {
        let (content, stop) = read::length(buf, pos + 1, end).ok()?;
        (buf[pos] == tag && stop == end).then_some((pos + 1, content))
    };
    let value = rest_of(0x12, key_end)?;
    let text = rest_of(0x0a, value.1)?;
    Some(Shape { key_end, value, text })
}

/// Whether the value that stands behind a key of the usual length is a text; numbers are told apart here before anything is
/// looked up. (Of another shape it may say anything.)
#[inline]
fn may_hold_text(pair: &[u8]) -> bool {
    pair.get(1).is_some_and(|len| pair.get(4 + usize::from(*len)) == Some(&0x0a))
}

/// The other shape that many attributes have: one key, one number or truth value. Returns where the key ends.
#[inline]
fn scalar_shape(buf: &[u8], content: usize, end: usize) -> Option<usize> {
    let pair = &buf[content..end];
    if pair.len() < 6 || pair[0] != 0x0a || pair[1] >= 0x80 {
        return None;
    }
    let key_end = 2 + usize::from(pair[1]);
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

fn expect_message(field: &Field) -> Result<(), Stop> {
    if field.tag.wire_type == 2 { Ok(()) } else { Err(Fault::WrongWireType.into()) }
}

/// The number of the field of a message that holds its attributes.
pub(super) fn attributes_field(message: &Message) -> Option<u32> {
    let attributes = |field: &&schema::Field| matches!(field.kind, schema::Kind::Attributes(_));
    message.fields.iter().find(attributes).map(|field| field.number)
}
