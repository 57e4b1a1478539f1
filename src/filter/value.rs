//! Values in every shape that an `AnyValue` can have: under an attribute's key, in a list or map, or by itself as a log
//! record's body.

use crate::otlp::schema::{self, Message};
use crate::otlp::{Part, Signal};
use crate::policy::{Action, Plan};
use crate::wire::read::{self, Field};

use super::identity::Identity;
use super::key_value::take_apart;
use super::stop::{Fault, Stop};
use super::text::Outcome;
use super::walk::Walk;

/// Where an attribute stands, for what is nested in it.
#[derive(Clone, Copy)]
pub(super) struct Under {
    pub part: Part,
    pub plan: Plan,
    pub identity: Identity,
}

impl Walk<'_> {
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
        self.elements(&schema::ARRAY_VALUE, field, |walk, element| {
            let (mark, depth) = (walk.w.edits.mark(), walk.depth);
            if walk.value(under, element.prefix, element.value, element.end)? == Outcome::Removed {
                walk.w.edits.roll_back(mark);
                walk.depth = depth;
                walk.w.identity.add(under.identity);
                walk.w.edits.delete(walk.buf, element.start, element.end);
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
        self.elements(&schema::KEY_VALUE_LIST, field, |walk, element| walk.entry(under, element))?;
        Ok(Outcome::Untouched)
    }

    /// What a list or map holds: the messages in its one repeated field.
    fn elements(
        &mut self,
        message: &'static Message,
        field: &Field,
        mut each: impl FnMut(&mut Self, &Field) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        self.inside(field.prefix, field.value, field.end, |walk| {
            for element in read::fields(walk.buf, field.value, field.end) {
                let element = element?;
                match (element.tag.number, element.tag.wire_type) {
                    (1, 2) => each(walk, &element)?,
                    (1, _) => return Err(Fault::WrongWireType.into()),
                    (number, _) => walk.unknown(message, number, element.start, element.end),
                }
            }
            Ok(())
        })
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
}
