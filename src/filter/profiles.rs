//! Profiles: their text stands in a string table and is used by index, so a key decides over a string far away from it.
//!
//! Before the walk the uses are gathered: which strings are values of which keys. A string that several keys use gets the
//! strictest of what they say; all conditions count as met. What a rule removes becomes the empty string, for indices must
//! hold.

use crate::otlp::Part;
use crate::otlp::schema::{self, MESSAGES};
use crate::policy::{Action, Active, Plan};
use crate::wire::read::{self, Field};

use super::identity::Identity;
use super::key_value::{Pair, take_apart};
use super::stop::{Fault, Stop};
use super::text::Outcome;
use super::value::Under;
use super::walk::Walk;

/// The string table, and what is known of its strings' use. Empty for other signals.
#[derive(Default)]
pub(super) struct Profiles {
    strings: Vec<Field>,
    /// By string: what the keys say whose value it is.
    uses: Vec<Option<Plan>>,
    /// The string that the walk comes to next.
    next: usize,
}

impl Profiles {
    pub fn string(&self, index: u64) -> Option<Field> {
        self.strings.get(place(index)?).copied()
    }

    /// The string that a pair's key is, if it is given by index.
    pub fn key(&self, buf: &[u8], pair: &Pair) -> Option<Field> {
        let index = pair.key_index?;
        self.string(read::varint(buf, index.value, index.end).ok()?.0)
    }
}

/// Where in the string table an index points: all parsers cut it to 32 bits first.
fn place(index: u64) -> Option<usize> {
    usize::try_from(index as i32).ok()
}

/// Values within values that are looked into; deeper ones are refused by the walk.
const MAX_DEPTH: usize = 64;

impl Walk<'_> {
    /// Gathers the string table and its uses.
    pub fn prepare_profiles(&mut self) -> Result<(), Stop> {
        let dictionaries: Vec<Field> = self.fields_of(0, self.buf.len(), 2)?;
        for dictionary in &dictionaries {
            self.profiles.strings.extend(self.fields_of(dictionary.value, dictionary.end, 5)?);
        }
        self.profiles.uses = vec![None; self.profiles.strings.len()];
        for dictionary in &dictionaries {
            for entry in self.fields_of(dictionary.value, dictionary.end, 6)? {
                let fields = read::fields(self.buf, entry.value, entry.end).collect::<Result<Vec<_>, _>>()?;
                let key = fields.iter().rfind(|field| (field.tag.number, field.tag.wire_type) == (1, 0));
                let plan = self.plan_of_index(key, Part::RecordAttributes)?;
                for value in fields.iter().filter(|field| (field.tag.number, field.tag.wire_type) == (2, 2)) {
                    self.note_uses(plan, Part::RecordAttributes, value, 0)?;
                }
            }
        }
        for envelope in self.fields_of(0, self.buf.len(), 1)? {
            for source in self.fields_of(envelope.value, envelope.end, 1)? {
                self.note_attributes(&source, &schema::RESOURCE, Part::ResourceAttributes)?;
            }
            for below in self.fields_of(envelope.value, envelope.end, 2)? {
                for source in self.fields_of(below.value, below.end, 1)? {
                    self.note_attributes(&source, &schema::INSTRUMENTATION_SCOPE, Part::ScopeAttributes)?;
                }
            }
        }
        Ok(())
    }

    /// The length-delimited fields of that number in `content..end`.
    fn fields_of(&self, content: usize, end: usize, number: u32) -> Result<Vec<Field>, Stop> {
        let mut found = Vec::new();
        for field in read::fields(self.buf, content, end) {
            let field = field?;
            if (field.tag.number, field.tag.wire_type) == (number, 2) {
                found.push(field);
            }
        }
        Ok(found)
    }

    fn note_attributes(&mut self, source: &Field, message: &schema::Message, part: Part) -> Result<(), Stop> {
        let number = message.attributes().expect("resources and scopes have attributes").number;
        for field in self.fields_of(source.value, source.end, number)? {
            self.note_pair(None, part, &field, 0)?;
        }
        Ok(())
    }

    fn note_pair(&mut self, outer: Option<Plan>, part: Part, field: &Field, depth: usize) -> Result<(), Stop> {
        let pair = take_apart(self.buf, field.value, field.end)?;
        let plan = match pair.key.or(self.profiles.key(self.buf, &pair)) {
            Some(key) => self.plan_of_key(&key, part)?,
            None => self.policy.plan(self.signal, part, None, Active(u64::MAX)),
        };
        let plan = outer.map_or(plan, |outer| self.policy.join(outer, plan));
        match pair.value {
            Some(value) => self.note_uses(plan, part, &value, depth),
            None => Ok(()),
        }
    }

    fn plan_of_index(&self, index: Option<&Field>, part: Part) -> Result<Plan, Stop> {
        let index =
            index.map_or(Ok(0), |field| read::varint(self.buf, field.value, field.end).map(|(index, _)| index))?;
        match self.profiles.string(index) {
            Some(key) => self.plan_of_key(&key, part),
            None => Ok(self.policy.plan(self.signal, part, None, Active(u64::MAX))),
        }
    }

    fn plan_of_key(&self, key: &Field, part: Part) -> Result<Plan, Stop> {
        let key = std::str::from_utf8(&self.buf[key.value..key.end]).map_err(|_| Fault::InvalidUtf8)?;
        Ok(self.policy.plan(self.signal, part, Some(key), Active(u64::MAX)))
    }

    /// Notes for every string that a value points to what holds for it.
    fn note_uses(&mut self, plan: Plan, part: Part, value: &Field, depth: usize) -> Result<(), Stop> {
        if depth > MAX_DEPTH {
            return Err(Fault::TooDeep.into());
        }
        for field in read::fields(self.buf, value.value, value.end).collect::<Result<Vec<_>, _>>()? {
            match (field.tag.number, field.tag.wire_type) {
                (5, 2) => {
                    for element in self.fields_of(field.value, field.end, 1)? {
                        self.note_uses(plan, part, &element, depth + 1)?;
                    }
                }
                (6, 2) => {
                    for element in self.fields_of(field.value, field.end, 1)? {
                        self.note_pair(Some(plan), part, &element, depth + 1)?;
                    }
                }
                (8, 0) => {
                    let index = read::varint(self.buf, field.value, field.end)?.0;
                    if let Some(index) = place(index)
                        && let Some(noted) = self.profiles.uses.get(index).copied()
                    {
                        let joined = noted.map_or(plan, |before| self.policy.join(deep(before), plan));
                        self.profiles.uses[index] = Some(joined);
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Refuses an index into the string table that is none: some parsers refuse the request for it, others do not. A
    /// key's index may be 0 without a table: then it says nothing.
    pub fn check_index(&self, field: &Field, is_key: bool) -> Result<(), Stop> {
        let index = place(read::varint(self.buf, field.value, field.end)?.0);
        let known = index.is_some_and(|index| index < self.profiles.strings.len());
        if known || (is_key && index == Some(0)) { Ok(()) } else { Err(Fault::BadIndex.into()) }
    }

    /// The dictionary: strings by their use, attributes by their keys, all else by the schema.
    pub fn dictionary(&mut self, content: usize, end: usize) -> Result<(), Stop> {
        self.w.forget_names();
        for envelope in self.fields_of(0, self.buf.len(), 1)? {
            self.learn_names(envelope.value, envelope.end);
        }
        self.w.name_names();
        let mut pos = content;
        while pos < end {
            let field = read::field(self.buf, pos, end)?;
            match (field.tag.number, field.tag.wire_type) {
                (5, 2) => self.table_string(&field)?,
                (6, 2) => self.table_attribute(&field)?,
                (number, 2) if schema::PROFILES_DICTIONARY.field(number).is_some() => {
                    let known = schema::PROFILES_DICTIONARY.field(number).expect("just looked up");
                    let schema::Kind::Message(child) = known.kind else { return Err(Fault::WrongWireType.into()) };
                    self.inside(field.prefix, field.value, field.end, |walk| {
                        walk.fields(child.id, field.value, field.end)
                    })?;
                }
                (number, _) if schema::PROFILES_DICTIONARY.field(number).is_some() => {
                    return Err(Fault::WrongWireType.into());
                }
                (number, _) => self.unknown(&schema::PROFILES_DICTIONARY, number, field.start, field.end),
            }
            pos = field.end;
        }
        self.w.forget_names();
        Ok(())
    }

    fn table_string(&mut self, field: &Field) -> Result<(), Stop> {
        let index = self.profiles.next;
        self.profiles.next += 1;
        if field.value == field.end {
            return Ok(());
        }
        let table = self.plan(Part::StringTable);
        let plan = match self.profiles.uses.get(index).copied().flatten() {
            Some(used) => self.policy.join(deep(used), table),
            None => table,
        };
        let open = self.w.edits.open();
        if self.text(field.value, field.end, plan, Part::StringTable, Identity::None)? == Outcome::Removed {
            self.w.edits.delete(self.buf, field.value, field.end);
        }
        self.w.edits.close(open, field.prefix, field.value, field.end);
        Ok(())
    }

    /// An attribute of the table: its key and unit are indices, its value may be anything.
    fn table_attribute(&mut self, field: &Field) -> Result<(), Stop> {
        let known = MESSAGES[usize::from(schema::KEY_VALUE_AND_UNIT.id)];
        let fields = read::fields(self.buf, field.value, field.end).collect::<Result<Vec<_>, _>>()?;
        let keys = fields.iter().filter(|field| field.tag.number == 1);
        if keys.count() > 1 || fields.iter().filter(|field| field.tag.number == 2).count() > 1 {
            return Err(Fault::RepeatedField.into());
        }
        let key = fields.iter().find(|field| field.tag.number == 1);
        let plan = self.plan_of_index(key, Part::RecordAttributes)?;
        self.inside(field.prefix, field.value, field.end, |walk| {
            for field in &fields {
                match (field.tag.number, field.tag.wire_type) {
                    (1 | 3, 0) => {}
                    (2, 2) => {
                        let under = Under { part: Part::RecordAttributes, plan, identity: Identity::None };
                        let (mark, depth) = (walk.w.edits.mark(), walk.depth);
                        if walk.value(under, field.prefix, field.value, field.end)? == Outcome::Removed {
                            walk.w.edits.roll_back(mark);
                            walk.depth = depth;
                            walk.w.edits.delete(walk.buf, field.start, field.end);
                        }
                    }
                    (1..=3, _) => return Err(Fault::WrongWireType.into()),
                    (number, _) => walk.unknown(known, number, field.start, field.end),
                }
            }
            Ok(())
        })
    }
}

/// A plan that counts for whatever stands under it.
fn deep(plan: Plan) -> Plan {
    let whole = plan.whole.filter(|whole| whole.action > Action::Keep);
    Plan { whole: whole.map(|whole| crate::policy::Whole { deep: true, ..whole }), ..plan }
}
