//! The walk over a request: by the schema's dispatch table, once, writing what may leave.

use crate::otlp::dispatch::{self, Step};
use crate::otlp::schema::{self, MESSAGES, Message};
use crate::otlp::{Part, Signal};
use crate::policy::{Active, FieldId, Looks, Plan, Policy, RuleId};
use crate::wire::edit::put_field;
use crate::wire::read;

use super::identity::Identity;
use super::keys;
use super::profiles::Profiles;
use super::role::{ROLES, Role};
use super::stop::{Fault, Stop};
use super::text::Outcome;
use super::{Engine, Refusal, Worker};

/// Messages within each other, beyond which parsers begin to differ.
const MAX_DEPTH: u32 = 64;

const METRIC: u8 = schema::METRIC.id;
const LOG_RECORD: u8 = schema::LOG_RECORD.id;
const NUMBER_POINT: u8 = schema::NUMBER_DATA_POINT.id;
const SPAN: u8 = schema::SPAN.id;

/// Goes through the first fields of a message, of that message's so many, that stand in order.
macro_rules! in_order {
    ($walk:ident, $message:expr, $pos:ident, $end:ident, $seen:ident, $($index:literal)*) => {{
        const FIELDS: [(u8, Step); [$($index),*].len()] = dispatch::in_order(&$message);
        // No field's tag is 0.
        let buf = $walk.buf;
        let tag_at = |pos: usize| if pos < $end { buf[pos] } else { 0 };
        let mut tag = tag_at($pos);
        $(if tag == FIELDS[$index].0 {
            $pos = $walk.field(FIELDS[$index].1, $message.id, $pos, $pos + 1, $end, &mut $seen)?;
            tag = tag_at($pos);
        })*
    }};
}

/// What has come up in a message so far.
#[derive(Default)]
pub(super) struct Seen {
    /// A member of the message's oneof.
    chosen: bool,
    /// The repeated `fixed64` fields, a bit each.
    items: u64,
}

impl Seen {
    /// Parsers take the last member of a oneof, or merge; an earlier one would be smuggled past some of them.
    fn choose(&mut self) -> Result<(), Stop> {
        if std::mem::replace(&mut self.chosen, true) { Err(Fault::AmbiguousValue.into()) } else { Ok(()) }
    }
}

/// What the policy says of records by the conditions that hold, whatever stands in them.
struct Verdict {
    active: Active,
    drops: Option<RuleId>,
    is_stamped: bool,
}

impl Verdict {
    fn of(policy: &Policy, signal: Signal, active: Active) -> Verdict {
        let drops = policy.record(signal, active).map(|treatment| policy.treatment(treatment).rule);
        Verdict { active, drops, is_stamped: policy.retention(signal, active).is_some() }
    }
}

/// One request being filtered.
pub(super) struct Walk<'a> {
    pub buf: &'a [u8],
    pub engine: &'a Engine,
    pub policy: &'a Policy,
    pub w: &'a mut Worker,
    pub signal: Signal,
    pub looks: Looks,
    /// The conditions that hold for the resource, the scope and the record at hand.
    pub resource: Active,
    pub scope: Active,
    pub active: Active,
    /// The place of the signal's part 0 under the conditions that held when it was asked for.
    base: (keys::Place, Active),
    verdict: Verdict,
    /// Whether what was seen before counts here. Not with names that the record itself gave away, nor with strings elsewhere
    /// in the request: the bytes at hand do not say all.
    pub remembers: bool,
    pub depth: u32,
    pub records: u64,
    pub dropped: u64,
    pub profiles: Profiles,
}

impl<'a> Walk<'a> {
    pub fn new(engine: &'a Engine, w: &'a mut Worker, signal: Signal, buf: &'a [u8]) -> Walk<'a> {
        let policy = engine.policy();
        let base = (w.keys.place(signal, Active::default()), Active::default());
        Walk {
            buf,
            engine,
            policy,
            w,
            signal,
            looks: policy.looks_at(signal),
            resource: Active::default(),
            scope: Active::default(),
            active: Active::default(),
            base,
            verdict: Verdict::of(policy, signal, Active::default()),
            remembers: signal != Signal::Profiles,
            depth: 0,
            records: 0,
            dropped: 0,
            profiles: Profiles::default(),
        }
    }

    /// Where a part stands under the conditions that hold.
    #[inline]
    pub fn place(&mut self, part: Part) -> keys::Place {
        if self.base.1 != self.active {
            self.base = (self.w.keys.place(self.signal, self.active), self.active);
        }
        self.base.0.of(part)
    }

    /// What the policy says of a text that stands under no key.
    #[inline]
    pub fn plan(&mut self, part: Part) -> Plan {
        let place = self.place(part);
        self.w.keys.plan(place).unwrap_or_else(|| {
            let plan = self.policy.plan(self.signal, part, None, self.active);
            self.w.keys.set_plan(place, plan);
            plan
        })
    }

    /// What the policy says of a key whose own text is searched elsewhere, or not yet.
    pub fn plan_of_unsearched(&mut self, place: keys::Place, part: Part, key: &[u8]) -> Plan {
        if let Some(found) = self.w.keys.find(place, key) {
            return self.w.keys.get(found).plan;
        }
        self.enter_key(place, part, key, keys::Searched::elsewhere())
    }

    /// The same of a key that is not known yet, which is known from then on.
    pub fn enter_key(&mut self, place: keys::Place, part: Part, key: &[u8], searched: keys::Searched) -> Plan {
        let plan = self.policy.plan(self.signal, part, Some(&String::from_utf8_lossy(key)), self.active);
        self.w.keys.insert(place, key, plan, searched);
        plan
    }

    /// The whole request.
    pub fn request(&mut self) -> Result<(), Refusal> {
        let request = self.signal.request();
        let prepared = if self.signal == Signal::Profiles { self.prepare_profiles() } else { Ok(()) };
        match prepared.and_then(|()| self.fields(request.id, 0, self.buf.len())) {
            Ok(()) => Ok(()),
            Err(Stop::Refuse(fault)) => Err(Refusal::Malformed { reason: fault.reason() }),
            // Outside everything that can be dropped: nothing may leave.
            Err(Stop::Drop(rule)) => {
                self.w.edits.clear();
                self.w.edits.delete(self.buf, 0, self.buf.len());
                self.w.counts.forget_fields_since(0);
                self.w.counts.rule(rule);
                self.dropped = self.records;
                Ok(())
            }
        }
    }

    /// The text that is all of the buffer.
    pub fn lone_text(&mut self, part: Part) -> Option<Vec<u8>> {
        let plan = self.plan(part);
        match self.text(0, self.buf.len(), plan, part, Identity::None) {
            Ok(Outcome::Edited) => Some(self.w.edits.finish(self.buf)),
            Ok(Outcome::Untouched) => Some(self.buf.to_vec()),
            Ok(Outcome::Removed) => None,
            Err(Stop::Refuse(_)) => None,
            Err(Stop::Drop(rule)) => {
                self.w.counts.rule(rule);
                None
            }
        }
    }

    /// The fields of a message, whose content is `pos..end`.
    pub fn fields(&mut self, message: u8, mut pos: usize, end: usize) -> Result<(), Stop> {
        let row = dispatch::row(message);
        let mut seen = Seen::default();
        // In what comes most often, a comparison a field instead of a jump, as long as they stand in the order of their numbers.
        match message {
            LOG_RECORD => in_order!(self, schema::LOG_RECORD, pos, end, seen, 0 1 2 3 4 5 6 7 8 9 10),
            NUMBER_POINT => in_order!(self, schema::NUMBER_DATA_POINT, pos, end, seen, 0 1 2 3 4 5 6),
            SPAN => in_order!(self, schema::SPAN, pos, end, seen, 0 1 2 3 4 5 6 7 8),
            _ => {}
        }
        while pos < end {
            pos = match row[usize::from(self.buf[pos])] {
                Step::Other => self.other(message, pos, end, &mut seen)?,
                step => self.field(step, message, pos, pos + 1, end, &mut seen)?,
            };
        }
        Ok(())
    }

    /// One field: its tag stands at `start`, its value or length at `pos`. Returns where the next field begins.
    #[inline(always)]
    fn field(
        &mut self,
        step: Step,
        message: u8,
        start: usize,
        pos: usize,
        end: usize,
        seen: &mut Seen,
    ) -> Result<usize, Stop> {
        match step {
            Step::Varint => Ok(read::varint(self.buf, pos, end)?.1),
            Step::Fixed64 => Ok(read::fixed(pos, 8, end)?),
            Step::Fixed32 => Ok(read::fixed(pos, 4, end)?),
            Step::Chosen64 => {
                seen.choose()?;
                Ok(read::fixed(pos, 8, end)?)
            }
            Step::Attributes(part) => {
                if pos == start + 1 {
                    return self.attributes(part, start, end);
                }
                let (value, stop) = read::length(self.buf, pos, end)?;
                self.w.learned.keys_elsewhere |= part != Part::RecordAttributes;
                self.new_attribute(None, part, start, pos, value, stop)?;
                Ok(stop)
            }
            Step::Text(part) => {
                let (value, stop) = read::length(self.buf, pos, end)?;
                self.text_field(part, start, pos, value, stop)?;
                Ok(stop)
            }
            Step::Message(child) => {
                let (value, stop) = read::length(self.buf, pos, end)?;
                if matches!(message, METRIC | LOG_RECORD) {
                    // A metric's data and a log record's body: what parsers merge, replace or take the last of.
                    seen.choose()?;
                }
                self.message(child, message, start, pos, value, stop)?;
                Ok(stop)
            }
            Step::Id(len) => {
                let (value, stop) = read::length(self.buf, pos, end)?;
                self.id_field(len, value, stop)?;
                Ok(stop)
            }
            Step::Bytes(part) => {
                let (value, stop) = read::length(self.buf, pos, end)?;
                self.bytes_field(part, start, pos, value, stop)?;
                Ok(stop)
            }
            Step::PackedVarint => {
                let (value, stop) = read::length(self.buf, pos, end)?;
                read::packed(self.buf, 0, value, stop)?;
                Ok(stop)
            }
            Step::Packed64(number) => {
                let (value, stop) = read::length(self.buf, pos, end)?;
                read::packed(self.buf, 1, value, stop)?;
                // Some parsers append a second lot of packed numbers, others begin anew.
                if seen.items & 1 << number != 0 {
                    return Err(Fault::RepeatedField.into());
                }
                seen.items |= 1 << number;
                Ok(stop)
            }
            Step::Item64(number) => {
                seen.items |= 1 << number;
                Ok(read::fixed(pos, 8, end)?)
            }
            Step::StringIndex => {
                let next = read::varint(self.buf, pos, end)?.1;
                if self.signal != Signal::Profiles {
                    // No dictionary to look in: an index means nothing here.
                    self.w.edits.delete(self.buf, start, next);
                }
                Ok(next)
            }
            Step::Other => unreachable!("looked up in the schema by the caller"),
        }
    }

    /// A field that the dispatch table does not know: with a long tag, unknown, or malformed.
    #[cold]
    #[inline(never)]
    pub fn other(&mut self, message: u8, pos: usize, end: usize, seen: &mut Seen) -> Result<usize, Stop> {
        let description = MESSAGES[usize::from(message)];
        let (tag, value) = read::tag(self.buf, pos, end)?;
        match description.field(tag.number) {
            Some(field) => match dispatch::step(field, tag.wire_type) {
                Some(step) => self.field(step, message, pos, value, end, seen),
                None => Err(Fault::WrongWireType.into()),
            },
            None => {
                let next = read::skip(self.buf, tag.wire_type, value, end)?;
                self.unknown(description, tag.number, pos, next);
                Ok(next)
            }
        }
    }

    /// A field that the schema does not know goes: some parsers keep and re-emit such.
    pub fn unknown(&mut self, message: &'static Message, number: u32, start: usize, end: usize) {
        self.w.edits.delete(self.buf, start, end);
        self.w.counts.unknown_field(message.name, number);
    }

    /// A nested message, by what it is to the filter.
    #[inline]
    fn message(
        &mut self,
        child: u8,
        parent: u8,
        start: usize,
        prefix: usize,
        content: usize,
        end: usize,
    ) -> Result<(), Stop> {
        let role = ROLES[usize::from(child)];
        match role {
            Role::Plain => self.inside(prefix, content, end, |walk| walk.fields(child, content, end)),
            Role::Value => {
                let part = if parent == LOG_RECORD { Part::Body } else { Part::RecordAttributes };
                let plan = self.plan(part);
                self.body(part, plan, start, prefix, content, end)
            }
            _ => self.special(role, child, start, prefix, content, end),
        }
    }

    #[allow(clippy::too_many_arguments)] // a field's place, in one call
    fn special(
        &mut self,
        role: Role,
        child: u8,
        start: usize,
        prefix: usize,
        content: usize,
        end: usize,
    ) -> Result<(), Stop> {
        match role {
            Role::ResourceEnvelope => self.droppable(child, start, prefix, content, end, |walk| {
                walk.look_ahead_at_resource(content, end);
                walk.fields(child, content, end)
            }),
            Role::ScopeEnvelope => self.droppable(child, start, prefix, content, end, |walk| {
                walk.look_ahead_at_scope(content, end);
                walk.fields(child, content, end)
            }),
            Role::Metric => self.droppable(child, start, prefix, content, end, |walk| walk.fields(child, content, end)),
            Role::Record | Role::DataPoint => {
                self.records += 1;
                self.droppable(child, start, prefix, content, end, |walk| walk.record(child, role, content, end))
            }
            Role::Source => self.inside(prefix, content, end, |walk| {
                walk.fields(child, content, end)?;
                walk.tell_series_apart(child, end)?;
                if walk.signal == Signal::Profiles && child == schema::RESOURCE.id {
                    walk.stamp_retention(child, end);
                }
                Ok(())
            }),
            Role::EntityRef => self.entity_ref(start, prefix, content, end),
            Role::Dictionary => self.inside(prefix, content, end, |walk| walk.dictionary(content, end)),
            Role::Plain | Role::Value => unreachable!("handled by the caller"),
        }
    }

    /// A log record, span, profile or data point.
    fn record(&mut self, message: u8, role: Role, content: usize, end: usize) -> Result<(), Stop> {
        if self.looks.record {
            self.look_ahead_at_record(message, content, end)?;
        }
        if self.verdict.active != self.active {
            self.verdict = Verdict::of(self.policy, self.signal, self.active);
        }
        if let Some(rule) = self.verdict.drops {
            self.w.counts.at(FieldId::RECORD);
            return Err(Stop::Drop(rule));
        }
        if role == Role::DataPoint {
            self.fields(message, content, end)?;
            self.tell_series_apart(message, end)?;
        } else {
            self.fields_and_names(message, content, end)?;
        }
        if self.verdict.is_stamped {
            self.stamp_retention(message, end);
        }
        self.active = self.scope;
        Ok(())
    }

    /// Puts how long a record may be kept among its attributes. A profile's stand in a dictionary: its resource says it.
    fn stamp_retention(&mut self, message: u8, end: usize) {
        let Some(stamp) = self.policy.retention(self.signal, self.active) else { return };
        if let Some(attributes) = MESSAGES[usize::from(message)].attributes() {
            let mut field = Vec::new();
            put_field(&mut field, attributes.number, stamp);
            self.w.edits.replace(self.buf, end, end, &field);
        }
    }

    /// Goes into a message: `each` walks it.
    #[inline]
    pub fn inside(
        &mut self,
        prefix: usize,
        content: usize,
        end: usize,
        each: impl FnOnce(&mut Self) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Fault::TooDeep.into());
        }
        let open = self.w.edits.open();
        each(self)?;
        self.w.edits.close(open, prefix, content, end);
        self.depth -= 1;
        Ok(())
    }

    /// Whose conditions hold below a scope.
    pub fn enter_scope(&mut self, scope: Active) {
        self.scope = self.resource.and(scope);
        self.active = self.scope;
    }
}
