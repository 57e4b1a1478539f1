//! A text: decided whole by its key, or searched. What it becomes is staged, for the caller to place.

use crate::detect::{Context, Place};
use crate::otlp::{Part, Signal};
use crate::policy::{Action, Plan, RuleId, TextPlan, strictness};

use super::counts::Counts;
use super::identity::{self, Identity};
use super::keys::{self, KeyText, Searched};
use super::memo;
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

/// What is remembered of a text or attribute.
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

/// How things stood before a text or attribute was looked at.
pub(super) struct Before {
    acts: u64,
    identities: usize,
}

impl Before {
    /// Enters what something became, `None` being itself: unless more happened than that one rule acted.
    #[allow(clippy::too_many_arguments)] // parts of a worker, which is borrowed in part
    pub fn remember(
        self,
        memo: &mut memo::Memo,
        counts: &Counts,
        identity: &identity::Pairs,
        asked: memo::Asked,
        place: keys::Place,
        was: &[u8],
        became: Option<&[u8]>,
        host: Option<u8>,
    ) {
        let merges = identity.len() != self.identities;
        let acted = counts.acts() - self.acts;
        if acted == u64::from(became.is_some()) && (became.is_some() || !merges) {
            let token = became.map(|bytes| memo::Token { bytes, rule: counts.last(), host, merges });
            memo.insert(asked, place, was, token);
        }
    }
}

/// Whether a key hides its value: such values are not kept in memory.
pub(super) fn hides(plan: Plan) -> bool {
    plan.whole.is_some_and(|whole| whole.action >= Action::Redact)
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
    /// A string field's content, from memory where it was seen before.
    #[inline]
    pub fn short_text(
        &mut self,
        start: usize,
        end: usize,
        plan: Plan,
        part: Part,
        identity: Identity,
    ) -> Result<Outcome, Stop> {
        let place = self.place(part);
        match self.recall(place, start, end) {
            Recall::Itself => Ok(Outcome::Untouched),
            Recall::Token(entry) => {
                self.act_as_before(entry, start, end, identity);
                let token = self.w.memo.token(entry).map_or(&[][..], |token| token.bytes);
                self.w.edits.stage(start, end, |out| out.extend_from_slice(token));
                Ok(Outcome::Staged)
            }
            Recall::New(asked) => self.new_text(asked, place, start, end, plan, part, identity),
            Recall::Nothing => self.text(start, end, plan, part, identity),
        }
    }

    /// What is remembered of a text or attribute.
    #[inline]
    pub fn recall(&mut self, place: keys::Place, start: usize, end: usize) -> Recall {
        // With names that the record itself gave away, nothing seen before counts; with strings elsewhere in the request,
        // the bytes at hand do not say all.
        if end - start > memo::MAX || self.w.learned.again || self.signal == Signal::Profiles {
            return Recall::Nothing;
        }
        let (asked, entry) = self.w.memo.find(place, &self.buf[start..end]);
        match entry {
            None => Recall::New(asked),
            Some(entry) if self.w.known.may_stand_among(self.w.memo.pairs(entry)) => Recall::Nothing,
            Some(entry) if self.w.memo.token(entry).is_some() => Recall::Token(entry),
            Some(_) => Recall::Itself,
        }
    }

    /// Does all that a remembered token did besides standing there.
    #[inline]
    pub fn act_as_before(&mut self, entry: usize, start: usize, end: usize, identity: Identity) {
        let w = &mut *self.w;
        let Some(token) = w.memo.token(entry) else { return };
        w.counts.rule(token.rule);
        if let Some(host) = token.host {
            w.learned.note(&self.buf[start + usize::from(host)..end]);
        }
        if token.merges {
            w.identity.add(identity);
        }
    }

    /// A text not seen before, or not lately.
    #[inline(never)]
    #[allow(clippy::too_many_arguments)] // a text's place, in one call
    fn new_text(
        &mut self,
        asked: memo::Asked,
        place: keys::Place,
        start: usize,
        end: usize,
        plan: Plan,
        part: Part,
        identity: Identity,
    ) -> Result<Outcome, Stop> {
        let before = self.before();
        self.w.turned_out.memorable = !hides(plan);
        let outcome = self.text(start, end, plan, part, identity)?;
        let w = &mut *self.w;
        let became = match outcome {
            Outcome::Untouched => None,
            Outcome::Staged => w.edits.only_staged(start, end),
            Outcome::Removed => return Ok(outcome),
        };
        let is_whole = became.is_some() == (outcome == Outcome::Staged);
        if is_whole && w.turned_out.memorable && !w.known.may_stand(self.buf, start, end) {
            let host = w.turned_out.host.then_some(0);
            before.remember(&mut w.memo, &w.counts, &w.identity, asked, place, &self.buf[start..end], became, host);
        }
        Ok(outcome)
    }

    /// How things stand before something is looked at that may be remembered.
    #[inline]
    pub fn before(&mut self) -> Before {
        self.w.turned_out = TurnedOut { memorable: true, host: false };
        Before { acts: self.w.counts.acts(), identities: self.w.identity.len() }
    }

    /// A string field's content. Replacements are staged where the outcome says so, and only there.
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
        let staged = self.w.edits.staged();
        let outcome = match plan.whole {
            Some(whole) if whole.action > Action::Keep => {
                let text = &self.buf[start..end];
                if must_be_utf8 && !text.is_ascii() && std::str::from_utf8(text).is_err() {
                    return Err(malformed("invalid_utf8"));
                }
                self.whole(start, end, plan, whole, part, identity)
            }
            _ => self.search(start, end, plan, part, identity, must_be_utf8),
        };
        if !matches!(outcome, Ok(Outcome::Staged | Outcome::Untouched)) {
            // What one part of the text became (JSON, an address of a list) is nothing once another part makes all of it go.
            self.w.edits.unstage_to(staged);
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
        if overlap::resolve(
            &self.w.found.spans,
            plan,
            |id| policy.treatment(id).action,
            |a, b| strictness::shows(policy.treatment(a), policy.treatment(b)),
            &mut decided,
        ) {
            self.w.counts.fail_closed("overlapping_spans");
        }
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
        outcome
    }

    /// What becomes of a key's own text; `part` is where its value stands.
    pub fn search_key(&mut self, start: usize, end: usize, part: Part) -> Result<Searched, Stop> {
        let plan = self.plan(Part::AttributeKeys);
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
pub(super) fn may_hold_json(text: &[u8], brace: bool) -> bool {
    text.len() >= MIN_JSON && (brace || text[0] == b'[')
}
