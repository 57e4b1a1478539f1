//! Messages that a rule may drop whole.

use crate::otlp::schema::{self, Kind, MESSAGES};
use crate::wire::read;

use super::role::{ROLES, Role};
use super::stop::Stop;
use super::walk::Walk;

impl Walk<'_> {
    /// Goes into a message that a rule may drop as a whole.
    #[inline]
    pub fn droppable(
        &mut self,
        message: u8,
        start: usize,
        prefix: usize,
        content: usize,
        end: usize,
        each: impl FnOnce(&mut Self) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        let (mark, depth, records, dropped) = (self.w.edits.mark(), self.depth, self.records, self.dropped);
        let acts = self.w.counts.acts_by_field();
        match self.inside(prefix, content, end, each) {
            Err(Stop::Drop(rule)) => {
                self.w.edits.roll_back(mark);
                self.w.edits.delete(self.buf, start, end);
                self.w.counts.forget_fields_since(acts);
                self.w.counts.rule(rule);
                self.w.identity.clear();
                self.depth = depth;
                self.active = self.scope;
                let own = u64::from(matches!(ROLES[usize::from(message)], Role::Record | Role::DataPoint));
                let below = count_records(self.buf, message, content, end);
                self.records = records + below;
                self.dropped = dropped + own + below;
                Ok(())
            }
            result => result,
        }
    }
}

/// The records below a message that is dropped, as far as it can be read.
fn count_records(buf: &[u8], message: u8, content: usize, end: usize) -> u64 {
    let description = MESSAGES[usize::from(message)];
    let mut count = 0;
    for field in read::fields(buf, content, end).map_while(Result::ok) {
        if let Some(Kind::Message(child)) = description.field(field.tag.number).map(|known| known.kind)
            && field.tag.wire_type == 2
        {
            count += match ROLES[usize::from(child.id)] {
                Role::Record | Role::DataPoint => 1,
                Role::ScopeEnvelope | Role::Metric => count_records(buf, child.id, field.value, field.end),
                Role::Plain if description.id == schema::METRIC.id => {
                    count_records(buf, child.id, field.value, field.end)
                }
                _ => 0,
            };
        }
    }
    count
}
