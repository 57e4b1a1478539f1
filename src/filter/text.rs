//! A text: decided whole by its key, or searched. What it becomes is staged, for the caller to place.

use crate::detect::{Context, Place};
use crate::otlp::Part;
use crate::policy::{Action, Plan, RuleId, TextPlan};

use super::identity::{self, Identity};
use super::keys::{KeyText, Ruling, Searched};
use super::memo::{self, Became, Token};
use super::overlap;
use super::treat::{Piece, Raw};
use super::walk::{Stop, Walk, malformed};

/// What became of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Untouched,
    /// Replacements are staged.
    Staged,
    /// The field that holds it is to be deleted.
    Removed,
}

impl Outcome {
    /// Of two texts that stand in one field.
    pub fn or(self, other: Outcome) -> Outcome {
        match (self, other) {
            (Outcome::Removed, _) | (_, Outcome::Removed) => Outcome::Removed,
            (Outcome::Staged, _) | (_, Outcome::Staged) => Outcome::Staged,
            _ => Outcome::Untouched,
        }
    }
}

/// What there is to say of a text besides its outcome.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct TurnedOut {
    /// The outcome depends on nothing but the text and its plan, and may be kept.
    pub memorable: bool,
    /// A host's name was replaced.
    pub host: bool,
}

/// What is remembered of a text.
pub(super) enum Recall {
    /// It stays as it is.
    Itself,
    /// The token in that entry of the memo replaces it.
    Token(usize),
    /// Nothing: what becomes of it can be entered.
    New(memo::Asked),
    /// Nothing that can be relied on here.
    Nothing,
}

/// How a part's texts are to be read.
pub(super) fn place_of(part: Part) -> Place {
    match part {
        Part::Body => Place::LogBody,
        Part::AttributeKeys | Part::MetricName | Part::MetricUnit | Part::ScopeName | Part::StringTable => Place::Name,
        _ => Place::Text,
    }
}

impl Walk<'_> {
    /// A string field's content, from memory where a text like it was seen before.
    #[inline]
    pub fn short_text(
        &mut self,
        start: usize,
        end: usize,
        ruling: Ruling,
        part: Part,
        identity: Identity,
    ) -> Result<Outcome, Stop> {
        match self.recall(start, end, ruling) {
            Recall::Itself => Ok(Outcome::Untouched),
            Recall::Token(entry) => {
                self.act_as_before(entry, start, end, identity);
                let token = self.w.memo.token(entry).token;
                self.w.edits.stage(start, end, |out| out.extend_from_slice(token));
                Ok(Outcome::Staged)
            }
            Recall::New(asked) => self.new_text(asked, start, end, ruling, part, identity),
            Recall::Nothing => self.text(start, end, ruling.plan, part, identity),
        }
    }

    /// What is remembered of a text.
    #[inline]
    pub fn recall(&mut self, start: usize, end: usize, ruling: Ruling) -> Recall {
        let number = match ruling.number {
            // With names that the record itself gave away, nothing seen before counts.
            Some(number) if end - start <= memo::MAX_TEXT && !self.w.learned.again => number,
            _ => return Recall::Nothing,
        };
        let (asked, entry) = self.w.memo.find(number, &self.buf[start..end]);
        match entry {
            None => Recall::New(asked),
            Some(entry) if self.w.known.may_stand_among(self.w.memo.pairs(entry)) => Recall::Nothing,
            Some(entry) if self.w.memo.is_replaced(entry) => Recall::Token(entry),
            Some(_) => Recall::Itself,
        }
    }

    /// Does all that replacing a remembered text does besides.
    #[inline]
    pub fn act_as_before(&mut self, entry: usize, start: usize, end: usize, identity: Identity) {
        let w = &mut *self.w;
        let Token { rule, host, merges, .. } = w.memo.token(entry);
        w.counts.rule(rule);
        if host {
            w.learned.note(&self.buf[start..end]);
        }
        if merges {
            w.identity.add(identity);
        }
    }

    /// A text not seen before, or not lately.
    #[inline(never)]
    pub fn new_text(
        &mut self,
        asked: memo::Asked,
        start: usize,
        end: usize,
        ruling: Ruling,
        part: Part,
        identity: Identity,
    ) -> Result<Outcome, Stop> {
        let (acts, identities) = (self.w.counts.acts(), self.w.identity.len());
        self.w.turned_out = TurnedOut { memorable: true, host: false };
        let outcome = self.text(start, end, ruling.plan, part, identity)?;
        let w = &mut *self.w;
        let acted = w.counts.acts() - acts;
        let became = match outcome {
            Outcome::Untouched if acted == 0 => Became::Itself,
            Outcome::Staged if acted == 1 => match w.edits.only_staged(start, end) {
                Some(token) => {
                    let merges = w.identity.len() != identities;
                    Became::Token(Token { token, rule: w.counts.last(), host: w.turned_out.host, merges })
                }
                None => return Ok(outcome),
            },
            _ => return Ok(outcome),
        };
        if let Some(number) = ruling.number
            && w.turned_out.memorable
            && !w.known.may_stand(self.buf, start, end)
        {
            w.memo.insert(asked, number, &self.buf[start..end], became);
        }
        Ok(outcome)
    }

    /// A string field's content.
    #[inline]
    pub fn text(
        &mut self,
        start: usize,
        end: usize,
        plan: Plan,
        part: Part,
        identity: Identity,
    ) -> Result<Outcome, Stop> {
        match plan.whole {
            Some(whole) if whole.action > Action::Keep => {
                let text = &self.buf[start..end];
                if !text.is_ascii() && std::str::from_utf8(text).is_err() {
                    return Err(malformed("invalid_utf8"));
                }
                self.whole(start, end, plan, whole, part, identity)
            }
            _ => self.search(start, end, plan, part, identity, true),
        }
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
        match plan.whole {
            Some(whole) if whole.action > Action::Keep => self.whole(start, end, plan, whole, part, identity),
            _ => self.search(start, end, plan, part, identity, false),
        }
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
        let place = place_of(part);
        self.w.found.spans.clear();
        let known = (!self.w.known.is_empty()).then_some(&self.w.known);
        let context = Context { wanted: text_plan.wanted, known, place };
        let seen = self.policy.detector().find(self.buf, start, end, &context, &mut self.w.found);
        if seen.non_ascii && must_be_utf8 && std::str::from_utf8(&self.buf[start..end]).is_err() {
            return Err(malformed("invalid_utf8"));
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
        let mut decided = std::mem::take(&mut self.w.decided);
        let policy = self.policy;
        if overlap::resolve(&self.w.found.spans, plan, |id| policy.treatment(id).action, &mut decided) {
            self.w.counts.fail_closed("overlapping_spans");
        }
        let staged = self.w.edits.staged();
        let mut outcome = Ok(Outcome::Untouched);
        for one in &decided {
            let (start, end) = (one.span.start as usize, one.span.end as usize);
            let piece = Piece {
                text: &buf[start..end],
                raw: raw.of(start, end),
                entity: one.span.entity,
                writing: one.span.writing,
                address: one.span.address,
                rest: one.rest,
            };
            match self.treat(&piece, one.treatment, identity) {
                Ok(Outcome::Removed) => {
                    outcome = Ok(Outcome::Removed);
                    break;
                }
                Ok(treated) => outcome = outcome.map(|before: Outcome| before.or(treated)),
                Err(stop) => {
                    outcome = Err(stop);
                    break;
                }
            }
        }
        self.w.decided = decided;
        if !matches!(outcome, Ok(Outcome::Staged | Outcome::Untouched)) {
            self.w.edits.unstage_to(staged);
        }
        outcome
    }

    /// What becomes of a key's own text; `part` is where its value stands.
    pub fn search_key(&mut self, start: usize, end: usize, part: Part) -> Result<Searched, Stop> {
        let Ruling { plan, .. } = self.ruling(Part::AttributeKeys);
        let counts = std::mem::take(&mut self.w.counts);
        let outcome = self.text(start, end, plan, Part::AttributeKeys, identity::of_key(self.signal, part));
        let found = std::mem::replace(&mut self.w.counts, counts);
        let hits: Box<[RuleId]> = found.acted().collect();
        let text = match outcome {
            Ok(Outcome::Untouched) => KeyText::AsIs,
            Ok(Outcome::Staged) => {
                let mut text = Vec::new();
                self.w.edits.render_staged(0, self.buf, start, end, &mut text);
                self.w.edits.unstage();
                KeyText::Replaced(text.into())
            }
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
fn may_hold_json(text: &[u8], brace: bool) -> bool {
    text.len() >= MIN_JSON && (brace || text[0] == b'[')
}
