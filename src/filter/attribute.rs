//! Attributes: recalled, or judged by key and value.

use crate::otlp::schema;
use crate::otlp::{Part, Signal};
use crate::policy::{Action, FieldId};
use crate::wire::read::{self, Field};

use super::identity;
use super::key_value::{Pair, Shape, may_hold_text, scalar_shape, short_pair, take_apart, usual_shape};
use super::keys::{self, KeyText};
use super::recall::{Recall, hides, recall};
use super::stop::{Fault, Stop};
use super::text::Outcome;
use super::value::Under;
use super::walk::Walk;
use super::{Worker, memo};

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
            let name = w.turned_out.name.map(|named| ((shape.text.1 - content) as u8, named));
            before.remember(&mut w.memo, &w.counts, &w.identity, asked, &self.buf[content..end], became, name);
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
    pub fn key_holds(&mut self, key: u32) -> bool {
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

    /// A pair whose key has been looked up.
    #[allow(clippy::too_many_arguments)] // a field's place, in one call
    pub fn pair(
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
}
