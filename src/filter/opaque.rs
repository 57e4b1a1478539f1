//! Bytes under no key: a profile's original payload, and ids.

use crate::otlp::Part;
use crate::policy::{Action, Plan};

use super::identity::Identity;
use super::stop::{Fault, Stop};
use super::text::Outcome;
use super::walk::Walk;

impl Walk<'_> {
    /// Bytes under no key: a profile's original payload. It is some other format, which is not searched.
    pub fn bytes_field(
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
        let plan = self.plan(part);
        if part == Part::OriginalPayload && !kept_whole(plan) {
            self.w.edits.delete(self.buf, start, end);
            self.w.counts.fail_closed("original_payload");
            return Ok(());
        }
        let open = self.w.edits.open();
        match self.bytes(content, end, plan, part, Identity::None)? {
            Outcome::Untouched => {}
            Outcome::Edited => self.w.edits.close(open, prefix, content, end),
            Outcome::Removed => self.w.edits.delete(self.buf, start, end),
        }
        Ok(())
    }

    /// A trace, span or profile id: random bytes. One that reads as text is somebody's text, and is searched; what is found
    /// makes an id of as many bytes that depends on all of the old one.
    pub fn id_field(&mut self, len: u8, content: usize, end: usize) -> Result<(), Stop> {
        match end - content {
            0 => return Ok(()),
            found if found != usize::from(len) => return Err(Fault::BadId.into()),
            _ => {}
        }
        let id = &self.buf[content..end];
        if !id.iter().all(|byte| (0x20..0x7f).contains(byte)) {
            return Ok(());
        }
        let plan = self.plan(Part::Ids);
        let mark = self.w.edits.mark();
        match self.bytes(content, end, plan, Part::Ids, Identity::None)? {
            Outcome::Untouched => {}
            Outcome::Edited | Outcome::Removed => {
                self.w.edits.roll_back(mark);
                self.w.scratch.clear();
                self.engine.pseudonyms().series(&mut [b"id".as_slice(), id].into_iter(), &mut self.w.scratch);
                let token = &self.w.scratch[self.w.scratch.len() - usize::from(len)..];
                self.w.edits.replace(self.buf, content, end, token);
            }
        }
        Ok(())
    }
}

/// Whether the policy says in so many words that a field is kept as it is.
fn kept_whole(plan: Plan) -> bool {
    plan.whole.is_some_and(|whole| whole.action == Action::Keep)
}
