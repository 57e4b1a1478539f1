//! Texts and attributes seen before: what the memo knows of one, acted on again; what it does not know, entered.

use crate::detect::Known;
use crate::otlp::Part;
use crate::policy::{Action, Plan};

use super::Worker;
use super::counts::Counts;
use super::identity::{self, Identity};
use super::learn::{Learned, Named};
use super::memo::{Asked, MAX, Memo, Seen, Short, Token};
use super::stop::Stop;
use super::text::Outcome;
use super::walk::Walk;

/// What there is to say of a text besides its outcome.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct TurnedOut {
    /// The outcome depends on nothing but the text and its plan, and may be kept.
    pub memorable: bool,
    /// A host's name, or what has the shape of one, was replaced.
    pub name: Option<Named>,
}

/// What is remembered of a text or attribute.
pub(super) enum Recall<'m> {
    Seen(&'m Seen),
    /// Nothing: what becomes of it can be entered.
    New(Asked),
    /// Nothing that can be relied on here: a name that is known now may stand in it.
    Unsure,
}

/// What is remembered of the bytes that stand at the place of that number.
#[inline(always)]
pub(super) fn recall<'m>(memo: &'m mut Memo, known: &Known, place: u64, bytes: &[u8]) -> Recall<'m> {
    match memo.find(place, bytes) {
        (asked, None) => Recall::New(asked),
        (_, Some(seen)) if known.may_stand_among(seen.pairs()) => Recall::Unsure,
        (_, Some(seen)) => Recall::Seen(seen),
    }
}

impl Token<'_> {
    /// Does again all that the token did besides standing in the place of `was`.
    #[inline]
    pub fn act(
        &self,
        was: &[u8],
        counts: &mut Counts,
        learned: &mut Learned,
        pairs: &mut identity::Pairs,
        identity: impl FnOnce() -> Identity,
    ) {
        counts.at(self.field);
        counts.rule(self.rule);
        if let Some((start, named)) = self.name {
            learned.note(&was[usize::from(start)..], named);
        }
        if self.merges {
            pairs.add(identity());
        }
    }
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
        memo: &mut Memo,
        counts: &Counts,
        identity: &identity::Pairs,
        asked: Asked,
        was: &[u8],
        became: Option<&[u8]>,
        name: Option<(u8, Named)>,
    ) {
        let merges = identity.len() != self.identities;
        let acted = counts.acts() - self.acts;
        if acted == u64::from(became.is_some()) && (became.is_some() || !merges) {
            let token = became.map(|bytes| Token { bytes, rule: counts.last(), field: counts.field(), name, merges });
            memo.insert(asked, was, token);
        }
    }
}

/// Whether a key hides its value: such values are not kept in memory.
pub(super) fn hides(plan: Plan) -> bool {
    plan.whole.is_some_and(|whole| whole.action >= Action::Redact)
}

impl Walk<'_> {
    /// A text that stands under no key, from memory where it was seen before.
    #[inline]
    pub fn text_field(
        &mut self,
        part: Part,
        start: usize,
        prefix: usize,
        content: usize,
        end: usize,
    ) -> Result<(), Stop> {
        if content == end {
            return Ok(());
        }
        let mut asked = None;
        if self.remembers && end - content <= MAX {
            let place = self.place(part).number();
            let text = &self.buf[content..end];
            let short = Short::of(place, self.w.names, self.buf, content, end);
            if short.is_some_and(|short| self.w.memo.stays(&short)) {
                return Ok(());
            }
            let Worker { memo, known, counts, learned, identity, edits, .. } = &mut *self.w;
            match recall(memo, known, place, text) {
                Recall::Seen(seen) => {
                    let Some(token) = seen.token() else {
                        short.into_iter().for_each(|short| memo.note_short(short));
                        return Ok(());
                    };
                    token.act(text, counts, learned, identity, || identity::of_text(self.signal, part));
                    let open = edits.open();
                    edits.replace(self.buf, content, end, token.bytes);
                    edits.close(open, prefix, content, end);
                    return Ok(());
                }
                Recall::New(new) => asked = Some(new),
                Recall::Unsure => {}
            }
        }
        self.new_text(asked, part, start, prefix, content, end)
    }

    /// A text not seen before, or not lately.
    #[inline(never)]
    fn new_text(
        &mut self,
        asked: Option<Asked>,
        part: Part,
        start: usize,
        prefix: usize,
        content: usize,
        end: usize,
    ) -> Result<(), Stop> {
        let plan = self.plan(part);
        let (before, open) = (self.before(), self.w.edits.open());
        self.w.turned_out.memorable = !hides(plan);
        let outcome = self.text(content, end, plan, part, identity::of_text(self.signal, part))?;
        let w = &mut *self.w;
        let became = match outcome {
            Outcome::Untouched => None,
            Outcome::Edited => w.edits.is_replaced(content, end).then(|| w.edits.written_since(open, content)),
            Outcome::Removed => {
                w.edits.delete(self.buf, start, end);
                return Ok(());
            }
        };
        let is_whole = became.is_some() == (outcome == Outcome::Edited);
        if let Some(asked) = asked
            && is_whole
            && w.turned_out.memorable
            && !w.known.may_stand(self.buf, content, end)
        {
            let name = w.turned_out.name.map(|named| (0, named));
            before.remember(&mut w.memo, &w.counts, &w.identity, asked, &self.buf[content..end], became, name);
        }
        w.edits.close(open, prefix, content, end);
        Ok(())
    }

    /// How things stand before something is looked at that may be remembered.
    #[inline]
    pub fn before(&mut self) -> Before {
        self.w.turned_out = TurnedOut { memorable: true, name: None };
        Before { acts: self.w.counts.acts(), identities: self.w.identity.len() }
    }
}
