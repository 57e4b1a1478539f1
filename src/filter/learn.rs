//! Short host names that one place of a record gives away (a syslog header, a key, `\\name\share`) hold for the whole record:
//! a second look finds them where nothing stands around them.

use memchr::{memchr, memrchr};

use crate::detect::{Context, Entity, Wanted};
use crate::otlp::Part;
use crate::policy::strictness::at_least;
use crate::policy::{Plan, TreatmentId};

use super::lookahead::Told;
use super::shape;
use super::stop::Stop;
use super::text::place_of;
use super::walk::Walk;

/// What a rule says that a name names. A word under an account's key has a host's shape, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Named {
    Host,
    /// An account or anything else, which is treated so: it must go wherever it stands in the record, be it a program's name or
    /// not.
    Other(TreatmentId),
}

/// Names found in the record at hand, one after the other.
#[derive(Debug, Default)]
pub(super) struct Learned {
    /// Whether names are to be taken down.
    listening: bool,
    bytes: Vec<u8>,
    ends: Vec<(u32, Named)>,
    /// They are looked for: this is the record's second walk.
    recalls: bool,
    /// Keys stand elsewhere in the record than among its own attributes: in maps, span events, links.
    pub keys_elsewhere: bool,
}

impl Learned {
    fn listen(&mut self) {
        self.bytes.clear();
        self.ends.clear();
        self.keys_elsewhere = false;
        self.listening = true;
    }

    /// Takes down a name. Dotted ones are found by their shape wherever they stand.
    #[inline]
    pub fn note(&mut self, name: &[u8], named: Named) {
        if self.listening && memchr(b'.', name).is_none() {
            self.bytes.extend_from_slice(name);
            self.ends.push((self.bytes.len() as u32, named));
        }
    }

    fn names(&self) -> impl Iterator<Item = &[u8]> {
        self.named().map(|(name, _)| name)
    }

    fn named(&self) -> impl Iterator<Item = (&[u8], Named)> {
        let starts = std::iter::once(0).chain(self.ends.iter().map(|(end, _)| *end));
        starts.zip(&self.ends).map(|(start, (end, named))| (&self.bytes[start as usize..*end as usize], *named))
    }

    /// What is done to a name where it was found, if it was a host's nowhere.
    #[cold]
    fn treatment(&self, name: &[u8]) -> Option<TreatmentId> {
        let mut found = None;
        for (_, named) in self.named().filter(|(other, _)| other.eq_ignore_ascii_case(name)) {
            match named {
                Named::Host => return None,
                Named::Other(treatment) => found = found.or(Some(treatment)),
            }
        }
        found
    }

    /// Whether one of the names stands in `record` oftener than it was found. Looks at bare bytes: what stands around a
    /// name there may be a tag or a length, so neighbours say nothing.
    fn stand_elsewhere(&self, record: &[u8]) -> bool {
        self.names().any(|name| {
            let found = self.names().filter(|other| other.eq_ignore_ascii_case(name)).count();
            occurrences(record, name) > found
        })
    }
}

/// Whether a name could stand beside something in a text that tells what it is.
fn has_context(text: &[u8]) -> bool {
    static TELLS: [bool; 256] = {
        let mut tells = [false; 256];
        let mut rest: &[u8] = b" \t\\@=\"'>/:";
        while let [byte, others @ ..] = rest {
            tells[*byte as usize] = true;
            rest = others;
        }
        tells
    };
    text.iter().any(|byte| TELLS[usize::from(*byte)])
}

/// How often a name stands in a text, whatever its case.
fn occurrences(text: &[u8], name: &[u8]) -> usize {
    let Some(first) = name.first() else { return 0 };
    let (lower, upper) = (first.to_ascii_lowercase(), first.to_ascii_uppercase());
    memchr::memchr2_iter(lower, upper, text)
        .filter(|at| text.get(*at..at + name.len()).is_some_and(|found| found.eq_ignore_ascii_case(name)))
        .count()
}

impl Walk<'_> {
    /// Walks a log record or span; a second time if it gave away a name that stands elsewhere in it, too.
    pub fn fields_and_names(&mut self, message: u8, content: usize, end: usize) -> Result<(), Stop> {
        let mark = self.w.edits.mark();
        self.w.counts.begin();
        self.w.learned.listen();
        self.fields(message, content, end)?;
        self.w.counts.end();
        self.w.learned.listening = false;
        if self.w.learned.ends.is_empty() || !self.w.learned.stand_elsewhere(&self.buf[content..end]) {
            return Ok(());
        }
        let (known, names) = (self.w.known.mark(), self.w.names);
        let (learned, into) = (&self.w.learned, &mut self.w.known);
        if !learned.named().fold(false, |added, (name, named)| into.learn(name, named == Named::Host) | added) {
            return Ok(());
        }
        // What becomes of a key's text is remembered by the names that were known then. Searching every key anew is for
        // records whose keys may hold such a name; others would pay for it and for the next record's, too.
        if self.w.learned.keys_elsewhere || self.a_key_holds_a_learned_name(message, content, end) {
            self.w.names = self.w.new_names();
        }
        self.w.edits.roll_back(mark);
        self.w.counts.take_back();
        let remembers = std::mem::replace(&mut self.remembers, false);
        self.w.learned.recalls = true;
        let walked = self.fields(message, content, end);
        self.w.learned.recalls = false;
        self.remembers = remembers;
        self.w.known.forget(known);
        self.w.names = names;
        walked
    }

    /// What is done to a name of a host's shape in a text, where a text may say so of hosts: an account that a key of the record
    /// names gets that key's token everywhere.
    #[inline]
    pub fn treatment_of_name(&self, name: &[u8], of_hosts: TreatmentId) -> TreatmentId {
        if !self.w.learned.recalls {
            return of_hosts;
        }
        let hides = |id: &TreatmentId| at_least(self.policy.treatment(*id), self.policy.treatment(of_hosts));
        self.w.learned.treatment(name).filter(hides).unwrap_or(of_hosts)
    }

    /// Takes down the hosts that a value names which is replaced whole, and so not searched: were they not learned, a rule
    /// that hides the one place that gives a name away would show the name elsewhere.
    pub fn learn_from_unsearched(&mut self, start: usize, end: usize, plan: Plan, part: Part) {
        let wanted = self.policy.text_plan(plan.text).wanted;
        let text = &self.buf[start..end];
        if !self.w.learned.listening || !wanted.has(Wanted::HOST) || !has_context(text) {
            return;
        }
        // An address, host or e-mail through and through names no host that would not be found elsewhere by its own shape; but
        // for the short one of `root@fw01`.
        let short_host = || memrchr(b'@', text).is_some_and(|at| memchr(b'.', &text[at..]).is_none());
        let shapes = shape::shapes(text);
        if shapes.as_slice().first().is_some_and(|shaped| shaped.entity != Entity::Email || !short_host()) {
            return;
        }
        self.w.found.spans.clear();
        let context = Context { wanted: Wanted::HOST, known: None, place: place_of(part, plan) };
        let _ = self.policy.detector().find(self.buf, start, end, &context, &mut self.w.found);
        for span in self.w.found.spans.iter().filter(|span| span.entity == Entity::Host) {
            self.w.learned.note(&self.buf[span.start as usize..span.end as usize], Named::Host);
            // What is remembered of a value is its token, not the names in it.
            self.w.turned_out.memorable = false;
        }
    }

    fn a_key_holds_a_learned_name(&self, message: u8, content: usize, end: usize) -> bool {
        let told = Told::of_message(self, content, end, message);
        told.attributes().any(|(key, ..)| self.w.learned.names().any(|name| occurrences(key, name) > 0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_stands_oftener_than_it_was_found_is_worth_a_second_look() {
        let mut learned = Learned::default();
        learned.note(b"ignored", Named::Host);
        learned.listen();
        learned.note(b"FW01", Named::Host);
        learned.note(b"web-1.corp.example", Named::Host);
        assert_eq!(learned.names().collect::<Vec<_>>(), [b"FW01"]);
        assert!(!learned.stand_elsewhere(b"<1> FW01 up"));
        assert!(learned.stand_elsewhere(b"<1> FW01 up, fw01 down"));
        learned.note(b"fw01", Named::Host);
        assert!(!learned.stand_elsewhere(b"<1> FW01 up, fw01 down"));
    }

    #[test]
    fn names_are_counted_whatever_stands_around_them() {
        assert_eq!(occurrences(b"1db1x DB1", b"db1"), 2);
        assert_eq!(occurrences(b"", b"db1"), 0);
        assert_eq!(occurrences(b"db", b"db1"), 0);
    }
}
