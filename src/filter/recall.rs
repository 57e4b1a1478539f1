//! Texts and attributes seen before: what the memo knows of one, acted on again; what it does not know, entered.

use crate::otlp::{Part, Signal};
use crate::policy::{Action, Plan};

use super::counts::Counts;
use super::identity::{self, Identity};
use super::text::Outcome;
use super::walk::{Stop, Walk};
use super::{keys, memo};

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
            let token =
                became.map(|bytes| memo::Token { bytes, rule: counts.last(), field: counts.field(), host, merges });
            memo.insert(asked, place, was, token);
        }
    }
}

/// Whether a key hides its value: such values are not kept in memory.
pub(super) fn hides(plan: Plan) -> bool {
    plan.whole.is_some_and(|whole| whole.action >= Action::Redact)
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
        w.counts.at(token.field);
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
}
