//! A text: decided whole by its key, or searched. What it becomes is written, for the caller to mend its length.

use crate::detect::{Context, Entity, Place, Span};
use crate::otlp::Part;
use crate::policy::{Action, Plan, RuleId, TextPlan, TreatmentId, strictness};
use crate::wire::Edits;

use super::identity::{self, Identity};
use super::keys::{KeyText, Searched};
use super::overlap;
use super::stop::{Fault, Stop};
use super::treat::{Piece, Raw};
use super::walk::Walk;

/// What became of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Untouched,
    /// Something in it was replaced: the lengths around it are to be mended.
    Edited,
    /// The field that holds it is to be deleted.
    Removed,
}

impl Outcome {
    /// Of two texts that stand in one field.
    pub fn or(self, other: Outcome) -> Outcome {
        match (self, other) {
            (Outcome::Removed, _) | (_, Outcome::Removed) => Outcome::Removed,
            (Outcome::Edited, _) | (_, Outcome::Edited) => Outcome::Edited,
            _ => Outcome::Untouched,
        }
    }
}

/// How a part's texts are to be read, under the key of a plan.
#[inline(always)]
pub(super) fn place_of(part: Part, plan: Plan) -> Place {
    match part {
        Part::AttributeKeys | Part::MetricName | Part::MetricUnit | Part::ScopeName | Part::StringTable => Place::Name,
        Part::Body if plan.value == Place::Text => Place::LogBody,
        _ => plan.value,
    }
}

impl Walk<'_> {
    /// A string field's content. Edits are made where the outcome says so, and only there.
    #[inline]
    pub fn text(
        &mut self,
        start: usize,
        end: usize,
        plan: Plan,
        part: Part,
        identity: Identity,
    ) -> Result<Outcome, Stop> {
        self.judge(start, end, plan, part, identity, true)
    }

    /// A bytes field's content: like a text, but it need not be UTF-8.
    pub fn bytes(
        &mut self,
        start: usize,
        end: usize,
        plan: Plan,
        part: Part,
        identity: Identity,
    ) -> Result<Outcome, Stop> {
        self.judge(start, end, plan, part, identity, false)
    }

    #[inline]
    fn judge(
        &mut self,
        start: usize,
        end: usize,
        plan: Plan,
        part: Part,
        identity: Identity,
        must_be_utf8: bool,
    ) -> Result<Outcome, Stop> {
        self.w.counts.at(plan.field);
        let mark = self.w.edits.mark();
        let outcome = match plan.whole {
            Some(whole) if whole.action > Action::Keep => {
                let text = &self.buf[start..end];
                if must_be_utf8 && !text.is_ascii() && std::str::from_utf8(text).is_err() {
                    return Err(Fault::InvalidUtf8.into());
                }
                self.whole(start, end, plan, whole, part, identity)
            }
            _ => self.search(start, end, plan, part, identity, must_be_utf8),
        };
        if outcome == Ok(Outcome::Removed) {
            // What one part of the text became is nothing once another part makes all of it go.
            self.w.edits.roll_back(mark);
        }
        outcome
    }

    /// Searches a text, and JSON in it by its keys.
    #[inline]
    fn search(
        &mut self,
        start: usize,
        end: usize,
        plan: Plan,
        part: Part,
        identity: Identity,
        must_be_utf8: bool,
    ) -> Result<Outcome, Stop> {
        let text_plan = self.policy.text_plan(plan.text);
        let place = place_of(part, plan);
        self.w.found.spans.clear();
        let known = (!self.w.known.is_empty()).then_some(&self.w.known);
        let context = Context { wanted: text_plan.wanted, known, place };
        let seen = self.policy.detector().find(self.buf, start, end, &context, &mut self.w.found);
        if seen.non_ascii && must_be_utf8 && std::str::from_utf8(&self.buf[start..end]).is_err() {
            return Err(Fault::InvalidUtf8.into());
        }
        if place != Place::Name && may_hold_json(&self.buf[start..end], seen.brace) {
            return self.search_json(start, end, plan, part, identity);
        }
        if self.w.found.spans.is_empty() {
            return Ok(Outcome::Untouched);
        }
        self.treat_found(self.buf, &Raw::Same, text_plan, identity)
    }

    /// Treats the spans in `w.found`, which were found in `buf`.
    pub fn treat_found(
        &mut self,
        buf: &[u8],
        raw: &Raw<'_>,
        plan: &TextPlan,
        identity: Identity,
    ) -> Result<Outcome, Stop> {
        let spans = std::mem::take(&mut self.w.found.spans);
        let outcome = self.treat_spans(buf, &spans, raw, plan, identity);
        self.w.found.spans = spans;
        outcome
    }

    /// Treats spans of `buf`.
    pub fn treat_spans(
        &mut self,
        buf: &[u8],
        spans: &[Span],
        raw: &Raw<'_>,
        plan: &TextPlan,
        identity: Identity,
    ) -> Result<Outcome, Stop> {
        // Most often one lies behind the other, and nothing has to be decided between them.
        if spans.windows(2).all(|pair| pair[0].end <= pair[1].start) {
            let each = spans.iter().filter_map(|span| Some((span, plan.treatment(span.entity)?, false)));
            self.treat_each(buf, raw, each, identity)
        } else {
            let mut decided = std::mem::take(&mut self.w.decided);
            let policy = self.policy;
            if overlap::resolve(
                spans,
                plan,
                |id| policy.treatment(id).action,
                |a, b| strictness::shows(policy.treatment(a), policy.treatment(b)),
                &mut decided,
            ) {
                self.w.counts.fail_closed("overlapping_spans");
            }
            let each = decided.iter().map(|one| (&one.span, one.treatment, one.rest));
            let outcome = self.treat_each(buf, raw, each, identity);
            self.w.decided = decided;
            outcome
        }
    }

    /// Treats spans that do not overlap, the rests of others among them.
    #[inline(always)]
    fn treat_each<'s>(
        &mut self,
        buf: &[u8],
        raw: &Raw<'_>,
        spans: impl Iterator<Item = (&'s Span, TreatmentId, bool)>,
        identity: Identity,
    ) -> Result<Outcome, Stop> {
        let mut outcome = Outcome::Untouched;
        for (span, treatment, rest) in spans {
            let (start, end) = (span.start as usize, span.end as usize);
            let piece = Piece {
                text: &buf[start..end],
                raw: raw.of(start, end),
                entity: span.entity,
                writing: span.writing,
                address: span.address,
                rest,
            };
            let treatment = match span.entity {
                Entity::Host if !rest => self.treatment_of_name(piece.text, treatment),
                _ => treatment,
            };
            match self.treat(&piece, treatment, identity)? {
                Outcome::Removed => return Ok(Outcome::Removed),
                Outcome::Edited => outcome = Outcome::Edited,
                Outcome::Untouched => {}
            }
        }
        Ok(outcome)
    }

    /// What becomes of a key's own text; `part` is where its value stands.
    pub fn search_key(&mut self, start: usize, end: usize, part: Part) -> Result<Searched, Stop> {
        let plan = self.plan(Part::AttributeKeys);
        let counts = std::mem::take(&mut self.w.counts);
        let edits = std::mem::replace(&mut self.w.edits, Edits::of_part(start));
        let outcome = self.text(start, end, plan, Part::AttributeKeys, identity::of_key(self.signal, part));
        let mut edits = std::mem::replace(&mut self.w.edits, edits);
        let found = std::mem::replace(&mut self.w.counts, counts);
        let hits: Box<[RuleId]> = found.acted().collect();
        let text = match outcome {
            Ok(Outcome::Untouched) => KeyText::AsIs,
            Ok(Outcome::Edited) => KeyText::Replaced(edits.finish_at(self.buf, end).into()),
            Ok(Outcome::Removed) => KeyText::Removed,
            Err(Stop::Drop(rule)) => KeyText::Drops(rule),
            Err(refusal) => return Err(refusal),
        };
        let plain = !self.w.known.may_stand(self.buf, start, end);
        Ok(Searched { text, hits, names: self.w.names, plain })
    }
}

/// `{"a":1}` is the shortest that says anything.
const MIN_JSON: usize = 7;

#[inline]
pub(super) fn may_hold_json(text: &[u8], brace: bool) -> bool {
    text.len() >= MIN_JSON && (brace || text[0] == b'[')
}
