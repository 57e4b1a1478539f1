//! Entity references: they name attributes of their resource, and go where such an attribute goes.

use crate::otlp::{Part, schema};
use crate::policy::Action;
use crate::wire::read::{self, Field};

use super::stop::Stop;
use super::walk::{Seen, Walk};

impl Walk<'_> {
    /// An entity reference names attributes of its resource by key. Where such an attribute is removed, a reference by it
    /// would dangle, so it goes too.
    pub fn entity_ref(&mut self, start: usize, prefix: usize, content: usize, end: usize) -> Result<(), Stop> {
        for field in read::fields(self.buf, content, end) {
            let field = field?;
            if field.tag.number == 3 && self.is_removed_key(&field) {
                self.w.edits.delete(self.buf, start, end);
                return Ok(());
            }
        }
        self.inside(prefix, content, end, |walk| {
            let (mut pos, mut seen) = (content, Seen::default());
            while pos < end {
                let field = read::field(walk.buf, pos, end)?;
                if field.tag.number == 4 && walk.is_removed_key(&field) {
                    walk.w.edits.delete(walk.buf, field.start, field.end);
                    pos = field.end;
                } else {
                    pos = walk.other(schema::ENTITY_REF.id, pos, end, &mut seen)?;
                }
            }
            Ok(())
        })
    }

    /// Whether the policy removes the resource attribute that a field of an entity reference names.
    fn is_removed_key(&mut self, field: &Field) -> bool {
        let Ok(key) = std::str::from_utf8(&self.buf[field.value..field.end]) else { return false };
        let plan = self.policy.plan(self.signal, Part::ResourceAttributes, Some(key), self.active);
        plan.whole.is_some_and(|whole| whole.action >= Action::Stay)
    }
}
