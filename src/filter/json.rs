//! JSON inside a text: its keys decide as attributes' keys do, and what is replaced leaves valid JSON behind.

use crate::detect::{Context, Span, Wanted, embedded};
use crate::otlp::Part;
use crate::policy::{Action, Plan};

use super::identity::Identity;
use super::text::{Outcome, place_of};
use super::treat::Raw;
use super::walk::{Stop, Walk};

/// Stands for what must go out of a document that cannot do without it.
const GONE: &[u8] = b"[redacted]";

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
        let text_plan = self.policy.text_plan(plan.text);
        let (buf, mut plain) = (self.buf, std::mem::take(&mut self.w.found.spans));
        let mut scratch = std::mem::take(&mut self.w.json);
        let mut inside = Ok(Outcome::Untouched);
        let covered = embedded::walk(buf, start, end, &mut scratch, &mut |leaf| {
            if let Ok(before) = inside {
                inside = self.leaf(leaf, &plain, plan, part, identity).map(|outcome| before.or(outcome));
            }
        });
        self.w.json = scratch;
        let inside = inside?;
        if let Some((from, to)) = covered {
            // What its keys say depends on more than the text.
            self.w.turned_out.memorable = false;
            plain.retain(|span| span.end as usize <= from || span.start as usize >= to);
        }
        std::mem::swap(&mut self.w.found.spans, &mut plain);
        self.w.counts.at(plan.field);
        let around = self.treat_found(buf, &Raw::Same, text_plan, identity)?;
        self.w.edits.sort_staged();
        Ok(inside.or(around))
    }

    /// A key or scalar. `plain` is what the search of the whole text found.
    fn leaf(
        &mut self,
        leaf: &embedded::Leaf<'_>,
        plain: &[Span],
        outer: Plan,
        part: Part,
        identity: Identity,
    ) -> Result<Outcome, Stop> {
        let before = self.w.edits.staged();
        let outcome = match leaf.kind {
            embedded::Kind::Key => {
                let plan = self.plan(Part::AttributeKeys);
                self.w.counts.at(plan.field);
                self.search_leaf(leaf, plan, Part::AttributeKeys, identity, Wanted::ALL)?
            }
            kind => {
                let plan = match leaf.key {
                    Some(key) => self.policy.join(outer, self.json_plan(part, key)),
                    None => outer,
                };
                self.w.counts.at(plan.field);
                // Numbers are searched for what only looks like one: a card number.
                let wanted = if kind == embedded::Kind::String { Wanted::ALL } else { Wanted::PATTERNS };
                match plan.whole.filter(|whole| whole.action > Action::Keep && kind != embedded::Kind::Word) {
                    Some(whole) => {
                        let inside = self.stricter_inside(leaf.buf, leaf.start, leaf.end, plan, whole, part);
                        match inside.map(|treatment| (treatment.action, treatment.rule)) {
                            Some((Action::DropRecord, rule)) => return Err(Stop::Drop(rule)),
                            Some(_) => Outcome::Removed,
                            None => self.treat_whole(leaf.text(), &Raw::Json(leaf), leaf.start, whole, identity)?,
                        }
                    }
                    None => {
                        let searched = self.is_searched_for(plan, outer);
                        match within(leaf, plain).filter(|_| searched && kind == embedded::Kind::String) {
                            Some([]) => Outcome::Untouched,
                            Some(found) => {
                                self.w.found.spans.clear();
                                self.w.found.spans.extend_from_slice(found);
                                self.treat_found(
                                    leaf.buf,
                                    &Raw::Json(leaf),
                                    self.policy.text_plan(plan.text),
                                    identity,
                                )?
                            }
                            None => self.search_leaf(leaf, plan, part, identity, wanted)?,
                        }
                    }
                }
            }
        };
        match outcome {
            Outcome::Removed => {
                self.w.edits.unstage_to(before);
                self.w.identity.add(identity);
                let (start, end) = leaf.raw(leaf.start, leaf.end);
                self.w.edits.stage(start, end, |out| out.extend_from_slice(GONE));
            }
            Outcome::Staged => {}
            Outcome::Untouched => return Ok(Outcome::Untouched),
        }
        if leaf.kind == embedded::Kind::Number {
            self.quote_number(leaf, before);
        }
        Ok(Outcome::Staged)
    }

    /// Whether the search of the whole text looked for all that a plan inside it asks for.
    fn is_searched_for(&self, plan: Plan, outer: Plan) -> bool {
        self.policy.text_plan(plan.text).wanted.0 & !self.policy.text_plan(outer.text).wanted.0 == 0
    }

    fn search_leaf(
        &mut self,
        leaf: &embedded::Leaf<'_>,
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
        let context = Context { wanted, known, place: place_of(part) };
        let _ = self.policy.detector().find(leaf.buf, leaf.start, leaf.end, &context, &mut self.w.found);
        if self.w.found.spans.is_empty() {
            return Ok(Outcome::Untouched);
        }
        self.treat_found(leaf.buf, &Raw::Json(leaf), text_plan, identity)
    }

    /// A number of which something was replaced is one no longer: the whole of it becomes one text.
    fn quote_number(&mut self, leaf: &embedded::Leaf<'_>, before: usize) {
        let (start, end) = leaf.raw(leaf.start, leaf.end);
        let mut text = Vec::new();
        self.w.edits.render_staged(before, self.buf, start, end, &mut text);
        self.w.edits.unstage_to(before);
        // A quote inside a string inside a string takes ever more backslashes.
        let backslashes = (1usize << leaf.level) - 1;
        self.w.edits.stage(start, end, |out| {
            for side in 0..2 {
                out.extend(std::iter::repeat_n(b'\\', backslashes));
                out.push(b'"');
                if side == 0 {
                    out.extend_from_slice(&text);
                }
            }
        });
    }

    /// What the policy says of a key inside JSON. The path to it is not at hand there: the key alone is asked for.
    fn json_plan(&mut self, part: Part, key: &[u8]) -> Plan {
        let place = self.place(part).in_json();
        self.plan_of_unsearched(place, part, key)
    }
}

/// What the search of the whole text found inside a leaf, which it saw with the key before it (`"version":"4.2.3.20"` is no
/// address). None where the leaf must be searched by itself: it is unescaped first, or a span reaches out of it.
fn within<'a>(leaf: &embedded::Leaf<'_>, plain: &'a [Span]) -> Option<&'a [Span]> {
    if !leaf.is_verbatim() {
        return None;
    }
    // Spans of patterns may overlap others, so that only their beginnings are in order.
    let from = plain.partition_point(|span| (span.start as usize) < leaf.start);
    let to = plain.partition_point(|span| (span.start as usize) < leaf.end);
    let inside = &plain[from..to];
    let reaches_in = plain[..from].iter().rev().take(32).any(|span| span.end as usize > leaf.start);
    let reaches_out = inside.iter().any(|span| span.end as usize > leaf.end);
    (!reaches_in && !reaches_out).then_some(inside)
}
