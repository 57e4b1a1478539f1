//! One identifier, treated: what replaces it is written.

use crate::detect::{Entity, Writing, embedded::Leaf};
use crate::policy::{Action, Treatment, TreatmentId};
use crate::pseudonym::{Cache, KindId, Pseudonyms, Recipe, Value};

use super::identity::{self, Identity};
use super::learn::Named;
use super::stop::Stop;
use super::text::Outcome;
use super::walk::Walk;
use super::{Engine, Worker};

/// An identifier to be treated.
pub(super) struct Piece<'t> {
    /// As it is written (JSON escapes resolved, percent escapes not).
    pub text: &'t [u8],
    /// Where it stands in the request.
    pub raw: (usize, usize),
    pub entity: Entity,
    pub writing: Writing,
    pub address: u128,
    /// What stuck out of a span that lost to a stricter one.
    pub rest: bool,
}

/// How offsets of a searched text lead back to the request.
pub(super) enum Raw<'l> {
    Same,
    /// The text was unescaped out of JSON.
    Json(&'l Leaf<'l>),
}

impl Raw<'_> {
    pub fn of(&self, start: usize, end: usize) -> (usize, usize) {
        match self {
            Raw::Same => (start, end),
            Raw::Json(leaf) => leaf.raw(start, end),
        }
    }
}

impl Walk<'_> {
    /// Whether the policy leaves an identifier as it is.
    pub fn keeps(&self, piece: &Piece<'_>) -> bool {
        match (piece.entity, piece.address) {
            (Entity::Ip, address) => self.policy.keeps(Entity::Ip, Value::Ip(address)),
            (entity, _) => self.policy.keeps(entity, Value::Text(piece.text)) || Pseudonyms::is_own_token(piece.text),
        }
    }

    #[inline]
    pub fn treat(&mut self, piece: &Piece<'_>, id: TreatmentId, identity: Identity) -> Result<Outcome, Stop> {
        let treatment = self.policy.treatment(id);
        match treatment.action {
            Action::Keep => return Ok(Outcome::Untouched),
            Action::DropRecord => return Err(Stop::Drop(treatment.rule)),
            Action::Stay | Action::Aggregate => {
                self.w.counts.rule(treatment.rule);
                return Ok(Outcome::Removed);
            }
            _ => {}
        }
        let replaced = match (piece.entity, piece.writing) {
            _ if piece.rest => self.redact(piece, treatment),
            (Entity::Ip, _) => {
                let Worker { cache, edits, .. } = &mut *self.w;
                let token = token_of_address(cache, self.engine, piece.address, treatment, id);
                edits.replace_unless_empty(self.buf, piece.raw, token)
            }
            (_, Writing::Percent) => self.treat_escaped(piece, treatment, id),
            (Entity::Credential, _) => self.treat_credential(piece, treatment),
            _ => {
                let Worker { cache, edits, .. } = &mut *self.w;
                let token = token_of_text(cache, self.engine, piece.entity, piece.text, treatment, id);
                edits.replace_unless_empty(self.buf, piece.raw, token)
            }
        };
        if !replaced {
            return Ok(Outcome::Untouched);
        }
        if piece.entity == Entity::Host {
            let named = if treatment.kind == KindId::HOST { Named::Host } else { Named::Other(id) };
            self.w.learned.note(piece.text, named);
            self.w.turned_out.name = Some(named);
        }
        // What is hidden is not to lie in memory longer than it takes.
        self.w.turned_out.memorable &= piece.entity != Entity::Credential && treatment.action < Action::Redact;
        self.w.counts.rule(treatment.rule);
        if identity != Identity::None {
            self.tell_apart(piece, treatment, identity);
        }
        Ok(Outcome::Edited)
    }

    #[cold]
    fn redact(&mut self, piece: &Piece<'_>, treatment: &Treatment) -> bool {
        let pseudonyms = self.engine.pseudonyms();
        self.w.edits.replace_with(self.buf, piece.raw.0, piece.raw.1, |out| {
            pseudonyms.write(treatment.kind, &Recipe::Redacted, Value::Text(b""), out)
        });
        true
    }

    /// What is not to be remembered longer than it takes.
    #[cold]
    fn treat_credential(&mut self, piece: &Piece<'_>, treatment: &Treatment) -> bool {
        let pseudonyms = self.engine.pseudonyms();
        if self.keeps(piece) || pseudonyms.is_own_mark(piece.text) {
            return false;
        }
        self.w.edits.replace_with(self.buf, piece.raw.0, piece.raw.1, |out| {
            pseudonyms.write(treatment.kind, &treatment.recipe, Value::Text(piece.text), out);
        });
        true
    }

    /// An identifier with percent escapes: its token is that of the plain one, and an `@` in it stays escaped.
    #[cold]
    fn treat_escaped(&mut self, piece: &Piece<'_>, treatment: &Treatment, id: TreatmentId) -> bool {
        let Worker { cache, edits, scratch: plain, .. } = &mut *self.w;
        plain.clear();
        decode_percent(piece.text, plain);
        let token = token_of_text(cache, self.engine, piece.entity, plain, treatment, id);
        if token.is_empty() {
            return false;
        }
        edits.replace_with(self.buf, piece.raw.0, piece.raw.1, |out| {
            token.iter().for_each(|byte| match byte {
                b'@' => out.extend_from_slice(b"%40"),
                _ => out.push(*byte),
            });
        });
        true
    }

    /// Keeps a metric's series apart where the treatment of one of its identifiers could merge them.
    #[cold]
    fn tell_apart(&mut self, piece: &Piece<'_>, treatment: &Treatment, identity: Identity) {
        if !piece.rest && !identity::merges(treatment, piece.text, piece.address) {
            return;
        }
        if identity != Identity::Name {
            return self.w.identity.add(identity);
        }
        let mut token = Vec::new();
        self.engine.pseudonyms().series(&mut std::iter::once(piece.text), &mut token);
        self.w.edits.append(b"_");
        self.w.edits.append(&token);
    }
}

/// The token of an address: empty if it is kept.
#[inline(always)]
fn token_of_address<'w>(
    cache: &'w mut Cache,
    engine: &Engine,
    address: u128,
    treatment: &Treatment,
    id: TreatmentId,
) -> &'w [u8] {
    let value = Value::Ip(address);
    cache.ip(id.0, address, |out| {
        if !engine.policy().keeps(Entity::Ip, value) {
            engine.pseudonyms().write(treatment.kind, &treatment.recipe, value, out);
        }
    })
}

/// The token of a text: empty if it is kept.
#[inline(always)]
fn token_of_text<'w>(
    cache: &'w mut Cache,
    engine: &Engine,
    entity: Entity,
    text: &[u8],
    treatment: &Treatment,
    id: TreatmentId,
) -> &'w [u8] {
    cache.text(id.0, text, |out| {
        let (pseudonyms, value) = (engine.pseudonyms(), Value::Text(text));
        let own = Pseudonyms::is_own_token(text) || pseudonyms.is_own_mark(text);
        if !own && !engine.policy().keeps(entity, value) {
            pseudonyms.write(treatment.kind, &treatment.recipe, value, out);
        }
    })
}

fn decode_percent(text: &[u8], out: &mut Vec<u8>) {
    let digit = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let mut at = 0;
    while at < text.len() {
        match (text[at], digit(text.get(at + 1)), digit(text.get(at + 2))) {
            (b'%', Some(high), Some(low)) => {
                out.push((high << 4 | low) as u8);
                at += 3;
            }
            (byte, ..) => {
                out.push(byte);
                at += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_escapes_are_decoded_and_broken_ones_left() {
        let mut out = Vec::new();
        decode_percent(b"a%40b%2Ec%4%zz%", &mut out);
        assert_eq!(out, b"a@b.c%4%zz%");
    }
}
