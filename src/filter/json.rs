//! JSON inside a text: its keys decide as attributes' keys do, and what is replaced leaves valid JSON behind.

use memchr::memchr;

use crate::detect::embedded::{self, Kind, Leaf, Note};
use crate::detect::{Context, Span, Wanted};
use crate::otlp::Part;
use crate::policy::{Action, Plan};
use crate::wire::edit::{Mark, Open};

use super::identity::Identity;
use super::keys;
use super::stop::Stop;
use super::text::{Outcome, place_of};
use super::treat::Raw;
use super::walk::Walk;

/// Stands for what must go out of a document that cannot do without it.
const GONE: &[u8] = b"[redacted]";

/// Reused memory of a [`Walk::search_json`].
#[derive(Default)]
pub(super) struct Scratch {
    walk: embedded::Scratch,
    /// What the search of the whole text found, and what of it stands around the documents.
    plain: Vec<Span>,
    around: Vec<Span>,
    plans: Vec<Plan>,
    paths: Paths,
}

/// The paths of the keys of a document so far, by their [`Note`]: `host.name` of `{"host":{"name":…}}`.
#[derive(Default)]
struct Paths {
    bytes: Vec<u8>,
    /// Where in `bytes` each of them stands.
    ranges: Vec<(u32, u32)>,
}

/// Of longer paths the end is asked for, from a key on.
const MAX_PATH: usize = 200;

impl Paths {
    fn clear(&mut self) {
        self.bytes.clear();
        self.ranges.clear();
    }

    fn get(&self, note: usize) -> &[u8] {
        let (from, to) = self.ranges[note];
        &self.bytes[from as usize..to as usize]
    }

    /// Takes down the path of a key that stands in what stands under another.
    fn push(&mut self, under: Option<Note>, key: &[u8]) {
        let start = self.bytes.len();
        let (from, to) = under.map_or((0, 0), |note| self.ranges[note as usize]);
        let (mut from, to) = (from as usize, to as usize);
        let room = MAX_PATH.saturating_sub(key.len() + 1);
        if to - from > room {
            from = memchr(b'.', &self.bytes[to - room..to]).map_or(to, |dot| to - room + dot + 1);
        }
        if from < to {
            self.bytes.extend_from_within(from..to);
            self.bytes.push(b'.');
        }
        self.bytes.extend_from_slice(key);
        self.ranges.push((start as u32, self.bytes.len() as u32));
    }
}

/// The documents of one text, while they are walked.
struct Document<'s> {
    /// What holds for the text as a whole.
    outer: Plan,
    part: Part,
    identity: Identity,
    /// What holds for keys as texts, and where what is known of them is remembered.
    key_plan: Plan,
    key_place: keys::Place,
    /// What the policy says of the keys so far, by their [`Note`].
    plans: &'s mut Vec<Plan>,
    paths: &'s mut Paths,
    /// Keys are asked for with those that they stand under.
    by_path: bool,
    found: Plain<'s>,
}

/// What the search of the whole text found, on the way through it.
struct Plain<'s> {
    spans: &'s [Span],
    /// So many of them begin before the leaf that was asked for last,
    passed: usize,
    /// and end here at the latest.
    reach: usize,
}

impl Walk<'_> {
    /// Walks the JSON in a text, where there is any; otherwise, and around it, what the search of the whole text found (in
    /// `w.found`) holds.
    #[inline(never)]
    pub fn search_json(
        &mut self,
        start: usize,
        end: usize,
        plan: Plan,
        part: Part,
        identity: Identity,
    ) -> Result<Outcome, Stop> {
        let mut scratch = std::mem::take(&mut self.w.json);
        let outcome = match embedded::find(self.buf, start, end, &mut scratch.walk) {
            Some(covered) => self.search_documents(covered, plan, part, identity, &mut scratch),
            None => self.treat_found(self.buf, &Raw::Same, self.policy.text_plan(plan.text), identity),
        };
        self.w.json = scratch;
        outcome
    }

    /// Walks the documents in `from..to`, and treats what was found around them.
    fn search_documents(
        &mut self,
        (from, to): (usize, usize),
        plan: Plan,
        part: Part,
        identity: Identity,
        scratch: &mut Scratch,
    ) -> Result<Outcome, Stop> {
        let buf = self.buf;
        // What its keys say depends on more than the text.
        self.w.turned_out.memorable = false;
        std::mem::swap(&mut scratch.plain, &mut self.w.found.spans);
        self.w.found.spans.clear();
        let before = self.treat_around(scratch, |span| span.end as usize <= from, plan, identity);
        scratch.plans.clear();
        scratch.paths.clear();
        let mut document = Document {
            outer: plan,
            part,
            identity,
            key_plan: self.plan(Part::AttributeKeys),
            key_place: self.place(part).in_json(),
            plans: &mut scratch.plans,
            paths: &mut scratch.paths,
            by_path: !self.policy.permits_by_list(),
            found: Plain { spans: &scratch.plain, passed: 0, reach: 0 },
        };
        let mut inside = Ok(Outcome::Untouched);
        embedded::visit(buf, &mut scratch.walk, &mut |leaf| {
            let Ok(before) = inside else { return 0 };
            let (outcome, note) = match leaf.kind {
                Kind::Key => self.json_key(leaf, &mut document),
                _ => (self.json_scalar(leaf, &mut document), 0),
            };
            inside = outcome.map(|outcome| before.or(outcome));
            note
        });
        // A document may ask for the whole record to go where the text before it asks for less.
        let outcome = inside?.or(before?);
        if outcome == Outcome::Removed {
            return Ok(outcome);
        }
        self.w.counts.at(plan.field);
        Ok(outcome.or(self.treat_around(scratch, |span| span.start as usize >= to, plan, identity)?))
    }

    /// Treats those of the spans that were found in the whole text.
    fn treat_around(
        &mut self,
        scratch: &mut Scratch,
        which: impl Fn(&Span) -> bool,
        plan: Plan,
        identity: Identity,
    ) -> Result<Outcome, Stop> {
        scratch.around.clear();
        scratch.around.extend(scratch.plain.iter().filter(|span| which(span)));
        self.treat_spans(self.buf, &scratch.around, &Raw::Same, self.policy.text_plan(plan.text), identity)
    }

    /// A key: what becomes of it as a text, and the number of what the policy says of it.
    fn json_key(&mut self, leaf: &Leaf<'_>, document: &mut Document<'_>) -> (Result<Outcome, Stop>, Note) {
        let note = document.plans.len() as Note;
        document.paths.push(leaf.under.filter(|_| document.by_path), leaf.text());
        let known = self.w.keys.find(document.key_place, document.paths.get(note as usize));
        // That nothing is to be found in a key's text is remembered; but not with names that the record itself gave away.
        if let Some(known) = known
            && self.remembers
            && self.w.keys.holds(known, self.w.names, &self.w.known)
        {
            document.plans.push(self.w.keys.get(known).plan);
            return (Ok(Outcome::Untouched), note);
        }
        let before = self.w.edits.mark();
        self.w.counts.at(document.key_plan.field);
        let outcome = self.search_leaf(leaf, document.key_plan, Part::AttributeKeys, document.identity, Wanted::ALL);
        let outcome = outcome.map(|outcome| self.settle(leaf, outcome, before, document.identity));
        document.plans.push(self.plan_of_json_key(leaf, document, known));
        (outcome, note)
    }

    /// What the policy says of a key whose text has just been searched; remembers that nothing was found.
    fn plan_of_json_key(&mut self, leaf: &Leaf<'_>, document: &Document<'_>, known: Option<u32>) -> Plan {
        let searched = match self.remembers && self.w.found.spans.is_empty() {
            true => keys::Searched::nothing(self.w.names, !self.w.known.may_stand(leaf.buf, leaf.start, leaf.end)),
            false => keys::Searched::elsewhere(),
        };
        if let Some(known) = known {
            if self.remembers {
                self.w.keys.set_text(known, searched);
            }
            return self.w.keys.get(known).plan;
        }
        self.enter_key(document.key_place, document.part, document.paths.get(document.plans.len()), searched)
    }

    fn json_scalar(&mut self, leaf: &Leaf<'_>, document: &mut Document<'_>) -> Result<Outcome, Stop> {
        let Document { outer, part, identity, .. } = *document;
        let (before, open) = (self.w.edits.mark(), self.w.edits.open());
        let plan = match leaf.under {
            Some(note) => self.policy.join(outer, document.plans[note as usize]),
            None => outer,
        };
        self.w.counts.at(plan.field);
        let outcome = match plan.whole.filter(|whole| whole.action > Action::Keep && leaf.kind != Kind::Word) {
            Some(whole) => {
                let inside = self.stricter_inside(leaf.buf, leaf.start, leaf.end, plan, whole, part);
                match inside.map(|treatment| (treatment.action, treatment.rule)) {
                    Some((Action::DropRecord, rule)) => return Err(Stop::Drop(rule)),
                    Some(_) => Outcome::Removed,
                    None => self.treat_whole(leaf.text(), &Raw::Json(leaf), leaf.start, whole, identity)?,
                }
            }
            // Numbers and words are searched for what only looks like one: a card number.
            None if leaf.kind != Kind::String => self.search_leaf(leaf, plan, part, identity, Wanted::PATTERNS)?,
            None => match document.found.within(leaf).filter(|_| self.is_searched_for(plan, outer)) {
                Some([]) => Outcome::Untouched,
                Some(found) => {
                    self.w.found.spans.clear();
                    self.w.found.spans.extend_from_slice(found);
                    self.treat_found(leaf.buf, &Raw::Json(leaf), self.policy.text_plan(plan.text), identity)?
                }
                None => self.search_leaf(leaf, plan, part, identity, Wanted::ALL)?,
            },
        };
        let outcome = self.settle(leaf, outcome, before, identity);
        if outcome == Outcome::Edited && leaf.kind == Kind::Number {
            self.quote_number(leaf, open);
        }
        Ok(outcome)
    }

    /// What was to be removed gets replaced: a document cannot do without it.
    fn settle(&mut self, leaf: &Leaf<'_>, outcome: Outcome, before: Mark, identity: Identity) -> Outcome {
        if outcome != Outcome::Removed {
            return outcome;
        }
        self.w.edits.roll_back(before);
        self.w.identity.add(identity);
        let (start, end) = leaf.raw(leaf.start, leaf.end);
        self.w.edits.replace(self.buf, start, end, GONE);
        Outcome::Edited
    }

    /// Whether the search of the whole text looked for all that a plan inside it asks for.
    #[inline]
    fn is_searched_for(&self, plan: Plan, outer: Plan) -> bool {
        plan.text == outer.text
            || self.policy.text_plan(plan.text).wanted.0 & !self.policy.text_plan(outer.text).wanted.0 == 0
    }

    fn search_leaf(
        &mut self,
        leaf: &Leaf<'_>,
        plan: Plan,
        part: Part,
        identity: Identity,
        wanted: Wanted,
    ) -> Result<Outcome, Stop> {
        let text_plan = self.policy.text_plan(plan.text);
        // A whole text may begin with a syslog header; a string in a document does not.
        let part = if part == Part::Body { Part::RecordAttributes } else { part };
        let wanted = Wanted(text_plan.wanted.0 & wanted.0);
        if wanted == Wanted::NONE {
            return Ok(Outcome::Untouched);
        }
        self.w.found.spans.clear();
        let known = (!self.w.known.is_empty()).then_some(&self.w.known);
        let context = Context { wanted, known, place: place_of(part, plan) };
        let _ = self.policy.detector().find(leaf.buf, leaf.start, leaf.end, &context, &mut self.w.found);
        if self.w.found.spans.is_empty() {
            return Ok(Outcome::Untouched);
        }
        self.treat_found(leaf.buf, &Raw::Json(leaf), text_plan, identity)
    }

    /// A number of which something was replaced is one no longer: the whole of it becomes one text.
    fn quote_number(&mut self, leaf: &Leaf<'_>, open: Open) {
        let (start, end) = leaf.raw(leaf.start, leaf.end);
        // A quote inside a string inside a string takes ever more backslashes.
        let mut quote = vec![b'\\'; (1 << leaf.level) - 1];
        quote.push(b'"');
        self.w.edits.surround(open, self.buf, start, end, &quote);
    }
}

impl<'s> Plain<'s> {
    /// What was found inside a leaf, which the search saw with the key before it (`"version":"4.2.3.20"` is no address). None
    /// where the leaf must be searched by itself: it is unescaped first, or a span reaches out of it. Leaves come in order.
    #[inline]
    fn within(&mut self, leaf: &Leaf<'_>) -> Option<&'s [Span]> {
        if !leaf.is_verbatim() {
            return None;
        }
        let (start, end) = (leaf.start, leaf.end);
        while let Some(span) = self.spans.get(self.passed).filter(|span| (span.start as usize) < start) {
            self.passed += 1;
            self.reach = self.reach.max(span.end as usize);
        }
        // Spans of patterns may overlap others, so that only their beginnings are in order.
        let (passed, rest) = self.spans.split_at(self.passed);
        let reaches_in = self.reach > start && passed.iter().rev().take(32).any(|span| span.end as usize > start);
        let count = rest.iter().take_while(|span| (span.start as usize) < end).count();
        let reaches_out = rest[..count].iter().any(|span| span.end as usize > end);
        (!reaches_in && !reaches_out).then_some(&rest[..count])
    }
}
