//! What a resource, scope or record says of itself, gathered before its parts are judged: the wire may bring it last.

use crate::otlp::Part;
use crate::otlp::schema::{self, MESSAGES};
use crate::policy::{Active, Attributes, Level, Scalar};
use crate::wire::read;

use super::Worker;
use super::key_value::take_apart;
use super::profiles::Profiles;
use super::stop::Stop;
use super::walk::Walk;

impl Walk<'_> {
    /// Before a `Resource*` message: which conditions its resource meets, and which names it gives away.
    pub fn look_ahead_at_resource(&mut self, content: usize, end: usize) {
        self.w.forget_names();
        (self.resource, self.scope, self.active) = Default::default();
        if self.looks.resource {
            let told = Told::of_field(self, content, end, 1, schema::RESOURCE.id);
            self.resource = self.policy.evaluate(self.signal, Level::Resource, &told);
            self.enter_scope(Active::default());
        }
        self.learn_names(content, end);
        self.w.name_names();
    }

    /// Before a `Scope*` message.
    pub fn look_ahead_at_scope(&mut self, content: usize, end: usize) {
        let mut scope = Active::default();
        if self.looks.scope {
            let told = Told::of_field(self, content, end, 1, schema::INSTRUMENTATION_SCOPE.id);
            scope = self.policy.evaluate(self.signal, Level::Scope, &told);
        }
        self.enter_scope(scope);
    }

    /// Before a log record, span, data point or profile.
    pub fn look_ahead_at_record(&mut self, message: u8, content: usize, end: usize) -> Result<(), Stop> {
        let told = Told::of_message(self, content, end, message);
        let record = self.policy.evaluate(self.signal, Level::Record, &told);
        self.active = self.scope.and(record);
        Ok(())
    }

    /// Takes down the names of hosts, nodes and pods that the resources of an envelope give.
    pub(super) fn learn_names(&mut self, content: usize, end: usize) {
        let buf = self.buf;
        let place = self.place(Part::ResourceAttributes).looked_ahead();
        let attributes: Vec<_> = Told::of_field(self, content, end, 1, schema::RESOURCE.id).attributes().collect();
        for (key, content, end) in attributes {
            if self.plan_of_unsearched(place, Part::ResourceAttributes, key).names_host {
                each_text(buf, &self.profiles, content, end, 0, &mut |text| {
                    self.w.known.add(text);
                    self.w.scratch.extend_from_slice(&(text.len() as u32).to_le_bytes());
                    self.w.scratch.extend_from_slice(text);
                });
            }
        }
    }
}

/// So many resources' sets of names have a number; a gateway sees more of them, but not all at once.
const MAX_SETS: usize = 1_024;

impl Worker {
    pub(super) fn forget_names(&mut self) {
        self.known.clear();
        self.names = 0;
        self.scratch.clear();
    }

    /// A number for a set of names that has none yet.
    pub(super) fn new_names(&mut self) -> u32 {
        // u32::MAX marks keys whose text is never searched; after 4 billion sets an old number may come again, but its
        // keys have long left the table.
        self.names_drawn = self.names_drawn.wrapping_add(1).clamp(1, u32::MAX - 1);
        self.names_drawn
    }

    /// Gives the set of names just learnt (and left in `scratch`) a number: the same one each time it comes.
    pub(super) fn name_names(&mut self) {
        if self.scratch.is_empty() {
            self.names = 0;
            return;
        }
        self.names = match self.names_numbered.get(&*self.scratch) {
            Some(number) => *number,
            None => {
                if self.names_numbered.len() >= MAX_SETS {
                    self.names_numbered.clear();
                }
                let number = self.new_names();
                self.names_numbered.insert(self.scratch.as_slice().into(), number);
                number
            }
        };
        self.scratch.clear();
    }
}

/// The attributes of some messages, for conditions to look at. What is malformed is not told: the walk refuses it.
pub(super) struct Told<'b, 'p> {
    buf: &'b [u8],
    profiles: &'p Profiles,
    /// Contents, and the number of the field with the attributes.
    messages: Vec<(usize, usize)>,
    field: u32,
}

impl<'b, 'p> Told<'b, 'p> {
    pub fn of_message(walk: &'p Walk<'b>, content: usize, end: usize, message: u8) -> Told<'b, 'p> {
        let field = MESSAGES[usize::from(message)].attributes().map_or(0, |field| field.number);
        Told { buf: walk.buf, profiles: &walk.profiles, messages: vec![(content, end)], field }
    }

    /// Of every occurrence of a field.
    fn of_field(walk: &'p Walk<'b>, content: usize, end: usize, number: u32, message: u8) -> Told<'b, 'p> {
        let is = |field: &read::Field| field.tag.number == number && field.tag.wire_type == 2;
        let fields = read::fields(walk.buf, content, end).map_while(Result::ok).filter(is);
        let messages = fields.map(|field| (field.value, field.end)).collect();
        Told { messages, ..Told::of_message(walk, 0, 0, message) }
    }

    /// Keys, and where their values stand.
    pub fn attributes(&self) -> impl Iterator<Item = (&'b [u8], usize, usize)> + '_ {
        let buf = self.buf;
        let pairs = self.messages.iter().flat_map(move |(content, end)| {
            read::fields(buf, *content, *end)
                .map_while(Result::ok)
                .filter(|field| field.tag.number == self.field && field.tag.wire_type == 2)
        });
        pairs.filter_map(move |field| {
            let pair = take_apart(buf, field.value, field.end).ok()?;
            let key = pair.key.or(self.profiles.key(buf, &pair))?;
            let value = pair.value?;
            Some((&buf[key.value..key.end], value.value, value.end))
        })
    }
}

impl Attributes for Told<'_, '_> {
    fn each(&self, key: &str, visit: &mut dyn FnMut(Scalar<'_>)) {
        for (found, content, end) in self.attributes() {
            if found == key.as_bytes() {
                each_scalar(self.buf, self.profiles, content, end, 0, visit);
            }
        }
    }
}

/// Lists within lists that are looked into.
const MAX_DEPTH: usize = 8;

fn each_scalar(
    buf: &[u8],
    profiles: &Profiles,
    content: usize,
    end: usize,
    depth: usize,
    visit: &mut dyn FnMut(Scalar<'_>),
) {
    for field in read::fields(buf, content, end).map_while(Result::ok) {
        let bytes = &buf[field.value..field.end];
        let number = || read::varint(buf, field.value, field.end).map_or(0, |(value, _)| value);
        let text = |bytes| std::str::from_utf8(bytes).ok();
        match (field.tag.number, field.tag.wire_type) {
            (1, 2) => text(bytes).into_iter().for_each(|text| visit(Scalar::Text(text))),
            (2, 0) => visit(Scalar::Bool(number() != 0)),
            (3, 0) => visit(Scalar::Int(number() as i64)),
            (4, 1) => bytes.try_into().into_iter().for_each(|bytes| visit(Scalar::Double(f64::from_le_bytes(bytes)))),
            (5, 2) if depth < MAX_DEPTH => {
                for element in read::fields(buf, field.value, field.end).map_while(Result::ok) {
                    if (element.tag.number, element.tag.wire_type) == (1, 2) {
                        each_scalar(buf, profiles, element.value, element.end, depth + 1, visit);
                    }
                }
            }
            (8, 0) => {
                if let Some(field) = profiles.string(number()) {
                    text(&buf[field.value..field.end]).into_iter().for_each(|text| visit(Scalar::Text(text)));
                }
            }
            _ => {}
        }
    }
}

fn each_text(buf: &[u8], profiles: &Profiles, content: usize, end: usize, depth: usize, visit: &mut dyn FnMut(&[u8])) {
    each_scalar(buf, profiles, content, end, depth, &mut |scalar| {
        if let Scalar::Text(text) = scalar {
            visit(text.as_bytes());
        }
    });
}
