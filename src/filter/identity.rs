//! No two series of a metric become one.
//!
//! A point is identified by resource, scope, name, unit and attributes. What a rule removes, redacts, masks or generalises
//! there could make two series one; so an opaque series token over what went is put in its place, which keeps them apart
//! and says nothing else.

use crate::otlp::schema::{self, MESSAGES};
use crate::otlp::{Part, Signal};
use crate::policy::{Action, Plan, RuleId, Treatment};
use crate::wire::edit::put_field;

use super::aggregate::{MARK, text_pair};
use super::stop::Stop;
use super::walk::Walk;

/// The attribute that carries the token.
pub const SERIES_KEY: &str = "privet.series";

/// What a text means for a series' identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Identity {
    None,
    /// Value of the attribute whose content stands there: a token joins the attributes.
    Attribute {
        content: usize,
        end: usize,
    },
    /// The same where the policy asks to aggregate: points that differ in it only are to be one.
    Aggregated {
        content: usize,
        end: usize,
        by: RuleId,
    },
    /// A name: a token joins the replacement.
    Name,
}

impl Identity {
    /// The same under what the policy says of a key.
    pub fn under(self, plan: Plan, part: Part) -> Identity {
        let whole = plan.whole.filter(|whole| whole.action == Action::Aggregate && part == Part::PointAttributes);
        match (self, whole) {
            (Identity::Attribute { content, end }, Some(whole)) => {
                Identity::Aggregated { content, end, by: whole.rule }
            }
            (other, _) => other,
        }
    }
}

/// The attributes of the message at hand whose values no longer tell their series apart, as ranges of the request.
#[derive(Debug, Default)]
pub(super) struct Pairs {
    apart: Vec<(u32, u32)>,
    /// Those that are to be added up over, and the last rule that says so.
    added: Vec<(u32, u32)>,
    added_by: RuleId,
}

impl Pairs {
    pub fn clear(&mut self) {
        self.apart.clear();
        self.added.clear();
    }

    pub fn len(&self) -> usize {
        self.apart.len() + self.added.len()
    }

    pub fn add(&mut self, identity: Identity) {
        let (pairs, content, end) = match identity {
            Identity::Attribute { content, end } => (&mut self.apart, content, end),
            Identity::Aggregated { content, end, by } => {
                self.added_by = by;
                (&mut self.added, content, end)
            }
            Identity::None | Identity::Name => return,
        };
        let pair = (content as u32, end as u32);
        if pairs.last() != Some(&pair) {
            pairs.push(pair);
        }
    }
}

/// Of an attribute's value.
#[inline]
pub(super) fn of_attribute(signal: Signal, part: Part, content: usize, end: usize) -> Identity {
    let identifies = matches!(part, Part::PointAttributes | Part::ResourceAttributes | Part::ScopeAttributes);
    if signal == Signal::Metrics && identifies { Identity::Attribute { content, end } } else { Identity::None }
}

/// Of a text that stands under no key.
pub(super) fn of_text(signal: Signal, part: Part) -> Identity {
    let identifies = matches!(part, Part::MetricName | Part::MetricUnit | Part::ScopeName | Part::ScopeVersion);
    if signal == Signal::Metrics && identifies { Identity::Name } else { Identity::None }
}

/// Of an attribute's key.
pub(super) fn of_key(signal: Signal, part: Part) -> Identity {
    match of_attribute(signal, part, 0, 0) {
        Identity::Attribute { .. } => Identity::Name,
        other => other,
    }
}

/// Whether two different texts may get the same replacement.
pub(super) fn merges(treatment: &Treatment, text: &[u8], address: u128) -> bool {
    match treatment.action {
        Action::Keep => false,
        Action::Pseudonymise | Action::Encrypt => !is_canonical(text, address),
        Action::Generalise | Action::Mask | Action::Redact => true,
        Action::Stay | Action::Aggregate | Action::DropRecord => true,
    }
}

/// Whether a text is spelled as its canonical form is. May say no where it is; never yes where it is not.
fn is_canonical(text: &[u8], address: u128) -> bool {
    if address != 0 {
        let address = std::net::Ipv6Addr::from(address);
        return match address.to_ipv4_mapped() {
            // Only one spelling of a dotted quad parses.
            Some(_) => text.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.'),
            None => address.to_string().as_bytes() == text,
        };
    }
    text.iter().all(|byte| PLAIN[usize::from(*byte)]) && text.last() != Some(&b'.')
}

/// Bytes that canonical forms leave as they are.
static PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let mut byte = 0u8;
    while byte < 0x80 {
        plain[byte as usize] = byte.is_ascii_graphic() && !byte.is_ascii_uppercase() && byte != b'%';
        byte += 1;
    }
    plain
};

impl Walk<'_> {
    /// Puts the token of what went from a resource's, scope's or point's attributes among them, at the message's end; and a
    /// mark of what is to be added up over.
    pub fn tell_series_apart(&mut self, message: u8, end: usize) -> Result<(), Stop> {
        if self.w.identity.len() == 0 {
            return Ok(());
        }
        let Pairs { apart, added, added_by } = std::mem::take(&mut self.w.identity);
        if !added.is_empty() {
            if message == schema::SUMMARY_DATA_POINT.id {
                // Quantiles cannot be added.
                return Err(Stop::Drop(added_by));
            }
            self.w.marked = true;
        }
        for (key, pairs) in [(SERIES_KEY.as_bytes(), &apart), (MARK, &added)] {
            if !pairs.is_empty() {
                self.put_series_token(message, end, key, pairs);
            }
        }
        // Its room is for the next.
        self.w.identity = Pairs { apart, added, added_by };
        self.w.identity.clear();
        Ok(())
    }

    fn put_series_token(&mut self, message: u8, end: usize, key: &[u8], pairs: &[(u32, u32)]) {
        let buf = self.buf;
        let mut pairs: Vec<&[u8]> = pairs.iter().map(|(start, end)| &buf[*start as usize..*end as usize]).collect();
        pairs.sort_unstable();
        let mut token = Vec::new();
        self.engine.pseudonyms().series(&mut pairs.into_iter(), &mut token);
        let description = MESSAGES[usize::from(message)];
        let number = description.attributes().expect("what identifies a series has attributes").number;
        let mut field = Vec::new();
        put_field(&mut field, number, &text_pair(key, &token));
        self.w.edits.replace(self.buf, end, end, &field);
    }
}
