//! Fields as reports may name them: a place in OTLP, and under it a key that the catalogue or the policy knows. Any other key
//! comes from telemetry and could itself hold data, so all others of a place are one field.

use std::collections::HashSet;
use std::fmt;

use crate::otlp::Part;

use super::catalogue;
use super::decide::KeyMatch;
use super::glob::{Glob, tails};
use super::pool::Pool;

/// A field, by its number in a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FieldId(pub u16);

/// A field under a key that has a name, beyond which they are not told apart.
const MOST: u16 = 2_048;

const PARTS: u16 = Part::ALL.len() as u16;
const FIRST_NAMED: u16 = 2 * PARTS + 2;

impl FieldId {
    /// A record as a whole.
    pub const RECORD: FieldId = FieldId(2 * PARTS);

    /// Fields that are not told apart.
    pub const OTHERS: FieldId = FieldId(2 * PARTS + 1);

    /// A part that stands under no key.
    pub const fn of(part: Part) -> FieldId {
        FieldId(part as u16)
    }

    /// What stands in a part under keys that have no name.
    const fn under_other_keys(part: Part) -> FieldId {
        FieldId(PARTS + part as u16)
    }

    /// Whether it stands under a key that has a name.
    pub const fn is_named(self) -> bool {
        self.0 >= FIRST_NAMED
    }
}

/// The keys that a policy names, and the fields under them that have been met.
#[derive(Debug)]
pub(super) struct Fields {
    exact: HashSet<Box<str>>,
    globs: Vec<Glob>,
    met: Pool<(Part, Box<str>)>,
}

impl Fields {
    pub fn new<'a>(rules: impl Iterator<Item = &'a KeyMatch>) -> Fields {
        let mut fields = Fields { exact: HashSet::new(), globs: Vec::new(), met: Pool::new(MOST) };
        for keys in rules {
            fields.exact.extend(keys.exact.iter().cloned());
            fields.globs.extend(keys.globs.iter().cloned());
        }
        fields.globs.sort_by_cached_key(Glob::to_string);
        fields.globs.dedup();
        fields
    }

    /// The field of a part, under a folded key or none.
    pub fn of(&self, part: Part, folded: Option<&str>) -> FieldId {
        let Some(key) = folded else { return FieldId::of(part) };
        let met = self.name(key).and_then(|name| self.met.intern((part, name.into())));
        met.map_or(FieldId::under_other_keys(part), |number| FieldId(FIRST_NAMED + number))
    }

    /// What a key is called: itself if it is known, `*.` and its known tail, or the first pattern that it matches.
    pub fn name(&self, folded: &str) -> Option<String> {
        let exact = tails(folded).enumerate().find_map(|(nth, tail)| {
            let name = catalogue::find(tail).map(|(name, _)| name).or(self.exact.get(tail).map(|name| &**name))?;
            Some(if nth == 0 { name.to_owned() } else { format!("*.{name}") })
        });
        exact.or_else(|| {
            let matching = self.globs.iter().find(|glob| tails(folded).any(|tail| glob.matches(tail)));
            matching.map(Glob::to_string)
        })
    }

    pub fn describe(&self, field: FieldId) -> Field<'_> {
        let part = |number: u16| Part::ALL[usize::from(number)];
        match field {
            FieldId::RECORD => Field::Record,
            FieldId::OTHERS => Field::Others,
            FieldId(number) if number < PARTS => Field::Part(part(number)),
            FieldId(number) if number < 2 * PARTS => Field::OtherKeys(part(number - PARTS)),
            FieldId(number) => {
                let (part, key) = self.met.get(number - FIRST_NAMED);
                Field::Key(*part, key)
            }
        }
    }
}

/// A field in words: `record.attributes client.address`, `body`, `body (other keys)`, `(whole record)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field<'a> {
    /// The record as a whole.
    Record,
    /// No key stands over the text.
    Part(Part),
    /// Under a key as the catalogue or the policy has it.
    Key(Part, &'a str),
    /// Under a key that neither of them has.
    OtherKeys(Part),
    /// More fields than are told apart.
    Others,
}

impl fmt::Display for Field<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Field::Record => f.write_str("(whole record)"),
            Field::Part(part) => f.write_str(part.name()),
            Field::Key(part, key) => write!(f, "{} {key}", part.name()),
            Field::OtherKeys(part) => write!(f, "{} (other keys)", part.name()),
            Field::Others => f.write_str("(other fields)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::glob::fold;

    fn fields() -> Fields {
        let globs = ["tenant_id", "*secret*", "seat"].map(|pattern| Glob::new(pattern).unwrap());
        let keys = KeyMatch::new(globs.into_iter());
        Fields::new(std::iter::once(&keys))
    }

    #[test]
    fn a_field_is_called_by_what_the_catalogue_or_the_policy_calls_its_key() {
        let fields = fields();
        for (key, name) in [
            (None, "record.attributes"),
            (Some("client.address"), "record.attributes client.address"),
            (Some("Client.Address"), "record.attributes client.address"),
            (Some("acme.user.name"), "record.attributes *.user.name"),
            (Some("Tenant-Id"), "record.attributes tenantid"),
            (Some("seat.alice.seat"), "record.attributes *.seat"),
            (Some("the_secret_of_alice"), "record.attributes *secret*"),
            (Some("alice@example.com"), "record.attributes (other keys)"),
        ] {
            let field = fields.of(Part::RecordAttributes, key.map(fold).as_deref());
            assert_eq!(fields.describe(field).to_string(), name, "{key:?}");
            assert_eq!(field.is_named(), !name.ends_with("keys)") && key.is_some(), "{key:?}");
        }
        assert_eq!(fields.describe(FieldId::RECORD).to_string(), "(whole record)");
        for part in Part::ALL {
            assert_eq!(fields.describe(FieldId::of(part)).to_string(), part.name());
        }
    }

    #[test]
    fn keys_from_outside_do_not_make_fields_without_end() {
        let fields = fields();
        let other = FieldId::under_other_keys(Part::Body);
        for number in 0..10_000 {
            assert_eq!(fields.of(Part::Body, Some(&format!("key{number}"))), other);
        }
    }
}
