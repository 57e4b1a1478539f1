//! Values that their key decides, whatever stands in them.

use crate::detect::{Context, Entity, Span, Writing};
use crate::otlp::Part;
use crate::policy::{Action, Plan, Treatment, Whole, strictness};
use crate::pseudonym::{Recipe, Value};
use crate::wire::edit::put_field;

use super::identity::Identity;
use super::shape::{self, Shaped};
use super::stop::Stop;
use super::text::{Outcome, may_hold_json, place_of};
use super::treat::{Piece, Raw};
use super::walk::Walk;

impl<'a> Walk<'a> {
    /// A text or bytes value.
    pub fn whole(
        &mut self,
        start: usize,
        end: usize,
        plan: Plan,
        whole: Whole,
        part: Part,
        identity: Identity,
    ) -> Result<Outcome, Stop> {
        let buf = self.buf;
        self.learn_from_unsearched(start, end, plan, part);
        if let Some(inside) = self.stricter_inside(buf, start, end, plan, whole, part) {
            self.w.counts.rule(inside.rule);
            self.w.turned_out.memorable = false;
            return match inside.action {
                Action::DropRecord => Err(Stop::Drop(inside.rule)),
                Action::Stay | Action::Aggregate => Ok(Outcome::Removed),
                _ => {
                    self.w.identity.add(identity);
                    let (kind, pseudonyms) = (inside.kind, self.engine.pseudonyms());
                    let redact = |out: &mut Vec<u8>| pseudonyms.write(kind, &Recipe::Redacted, Value::Text(b""), out);
                    self.w.edits.replace_with(buf, start, end, redact);
                    Ok(Outcome::Edited)
                }
            };
        }
        self.treat_whole(&buf[start..end], &Raw::Same, start, whole, identity)
    }

    /// Treats a value by what it turns out to be. It begins at `at` of the buffer that `raw` speaks of.
    pub fn treat_whole(
        &mut self,
        text: &[u8],
        raw: &Raw<'_>,
        at: usize,
        whole: Whole,
        identity: Identity,
    ) -> Result<Outcome, Stop> {
        let all = Shaped { start: 0, end: text.len(), entity: Entity::User, address: 0 };
        // Web servers and Windows write `-` where there is nothing to say.
        if text.is_empty() && whole.action < Action::Stay || text == b"-" && whole.action < Action::Redact {
            return Ok(Outcome::Untouched);
        }
        let shapes = shape::shapes(text);
        // What is no identifier as a whole is treated as one thing. So is what is hidden: with its port and neighbours.
        let piece = |shaped: &Shaped| Piece {
            text: &text[shaped.start..shaped.end],
            raw: raw.of(at + shaped.start, at + shaped.end),
            entity: shaped.entity,
            writing: Writing::Plain,
            address: shaped.address,
            rest: false,
        };
        let shapes = shapes.as_slice();
        let Some(first) = shapes.first() else { return self.treat(&piece(&all), whole.other, identity) };
        if whole.action >= Action::Redact {
            let kept = whole.action == Action::Redact && shapes.iter().all(|shaped| self.keeps(&piece(shaped)));
            return if kept {
                Ok(Outcome::Untouched)
            } else {
                self.treat(&piece(&all), whole.of(first.entity), identity)
            };
        }
        let mut outcome = Outcome::Untouched;
        for shaped in shapes.iter() {
            outcome = outcome.or(self.treat(&piece(shaped), whole.of(shaped.entity), identity)?);
        }
        Ok(outcome)
    }

    /// A truth value or number, written as text; the field at `start..end` becomes a text field of the same message.
    pub fn whole_scalar(&mut self, text: &[u8], whole: Whole, start: usize, end: usize) -> Result<Outcome, Stop> {
        let treatment = self.policy.treatment(whole.other);
        match treatment.action {
            Action::Keep => Ok(Outcome::Untouched),
            Action::DropRecord => Err(Stop::Drop(treatment.rule)),
            Action::Stay | Action::Aggregate => {
                self.w.counts.rule(treatment.rule);
                Ok(Outcome::Removed)
            }
            _ => {
                let mut token = Vec::new();
                let value = Value::Text(text);
                self.engine.pseudonyms().write(treatment.kind, &treatment.recipe, value, &mut token);
                let mut field = Vec::new();
                put_field(&mut field, 1, &token);
                self.w.counts.rule(treatment.rule);
                self.w.edits.replace(self.buf, start, end, &field);
                Ok(Outcome::Edited)
            }
        }
    }

    /// The strictest treatment of what a search inside a value finds, if it is stricter than what the value gets as a whole:
    /// a credential in a value that is only masked, an address of which the mask would show what its network does not, or
    /// anything that makes the field or the record go.
    pub fn stricter_inside(
        &mut self,
        buf: &[u8],
        start: usize,
        end: usize,
        plan: Plan,
        whole: Whole,
        part: Part,
    ) -> Option<&'a Treatment> {
        // Keys inside a document are not asked where its text is taken whole: what they would hide must not show.
        let other = self.policy.treatment(whole.other);
        let text = &buf[start..end];
        let shown = matches!(other.action, Action::Generalise | Action::Mask);
        let document = (shown && may_hold_json(text, text.contains(&b'{'))).then_some(other);
        // A token of the whole value hides whatever stands inside. What shows a part of it may not.
        let enough = if whole.action == Action::Pseudonymise { Action::Redact } else { whole.action };
        let of = |entity| self.policy.treatment(whole.of(entity));
        let partial = whole.action < Action::Pseudonymise
            || matches!(of(Entity::Host).recipe, Recipe::Host { keep_public_suffix: true });
        let text_plan = self.policy.text_plan(plan.text);
        if text_plan.strictest <= if partial { Action::Keep } else { enough } {
            return document;
        }
        self.w.found.spans.clear();
        let known = (!self.w.known.is_empty()).then_some(&self.w.known);
        let context = Context { wanted: text_plan.wanted, known, place: place_of(part, plan) };
        let _ = self.policy.detector().find(buf, start, end, &context, &mut self.w.found);
        let policy = self.policy;
        let demands = |span: &Span| {
            let inside = policy.treatment(text_plan.treatment(span.entity)?);
            let of = policy.treatment(whole.of(span.entity));
            // A mask counts its characters from the end of what it masks.
            let apart = of.action == Action::Mask
                && inside.action == Action::Mask
                && (span.start as usize, span.end as usize) != (start, end);
            (inside.action > enough || apart || strictness::shows(of, inside)).then_some(inside)
        };
        let strictest = self.w.found.spans.iter().filter_map(demands).max_by_key(|treatment| treatment.action);
        strictest.or(document)
    }
}
