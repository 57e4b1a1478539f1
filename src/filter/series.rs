//! Series seen before: an agent reports the same ones at every export, so a data point's attributes are remembered together.
//!
//! The same is remembered as of a single attribute (see [`super::memo`]): what becomes of the bytes depends on nothing but
//! themselves, their place and the names that are known there, and nothing in them is hidden. What comes once, or more than
//! there is room for, costs a look-up: when the room is taken, it stays so until most of what comes is not in it.
//!
//! Agents also report series in the same order. So the one that was entered behind the last is tried before any look-up,
//! and memory is read from front to back.

use std::hash::{BuildHasher, Hasher};

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use crate::otlp::Part;
use crate::policy::{FieldId, RuleId};

use super::Worker;
use super::stop::Stop;
use super::walk::Walk;

/// Series that are remembered, and bytes of them: before, after, and what rules did.
const MAX_SERIES: usize = 32_768;
const MAX_BYTES: usize = 12 << 20;
/// A longer one is not.
const MAX: usize = 2_048;
/// After so many that there was no room for, all are forgotten.
const PATIENCE: usize = 2 * MAX_SERIES;

/// The table of one worker: 14 MiB at most, of which no more is touched than is needed.
#[derive(Default)]
pub(super) struct SeriesSeen {
    entries: Vec<Entry>,
    /// Their indices, by hash.
    table: HashTable<u32>,
    /// The one behind that which came last.
    expected: usize,
    /// What was there and what it became, one behind the other.
    bytes: Vec<u8>,
    acts: Vec<Act>,
    hash: RandomState,
    /// How many found no room.
    turned_away: usize,
}

/// A rule acted in a field.
pub(super) type Act = (FieldId, RuleId);

/// Where attributes stand, and their hash.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Asked {
    hash: u64,
    place: u64,
    names: u32,
}

struct Entry {
    asked: Asked,
    /// Where in `bytes`, and of what lengths.
    at: u32,
    was: u16,
    /// Nothing where all stays as it is.
    became: Option<u16>,
    /// Where in `acts`, and how many.
    acts_at: u32,
    acts: u16,
}

/// What is remembered of a series.
pub(super) struct Seen<'m> {
    acts: &'m [Act],
    /// What stands in the place of all its attributes; none if they stay as they are.
    became: Option<&'m [u8]>,
}

impl SeriesSeen {
    pub fn clear(&mut self) {
        *self = SeriesSeen::default();
    }

    /// The series that is expected next, if these fields begin with it, and with no attribute more.
    #[inline]
    fn follows(&self, place: u64, names: u32, fields: &[u8]) -> Option<usize> {
        let entry = self.entries.get(self.expected)?;
        let behind = fields.strip_prefix(self.was(entry))?;
        let is = (entry.asked.place, entry.asked.names) == (place, names) && behind.first() != fields.first();
        is.then_some(self.expected)
    }

    /// The index of these attributes, which stand at the place of that number while certain names are known.
    #[inline(never)]
    fn find(&self, place: u64, names: u32, attributes: &[u8]) -> Result<usize, Asked> {
        let mut hasher = self.hash.build_hasher();
        hasher.write_u64(place ^ u64::from(names));
        hasher.write(attributes);
        let asked = Asked { hash: hasher.finish(), place, names };
        let is = |index: &u32| {
            let entry = &self.entries[*index as usize];
            entry.asked == asked && self.was(entry) == attributes
        };
        self.table.find(asked.hash, is).map(|index| *index as usize).ok_or(asked)
    }

    /// What is known of one that was found: the next is expected behind it.
    #[inline]
    fn seen(&mut self, index: usize) -> (usize, Seen<'_>) {
        self.expected = index + 1;
        let entry = &self.entries[index];
        let from = entry.at as usize + usize::from(entry.was);
        let acts = &self.acts[entry.acts_at as usize..][..usize::from(entry.acts)];
        let became = entry.became.map(|len| &self.bytes[from..from + usize::from(len)]);
        (usize::from(entry.was), Seen { acts, became })
    }

    fn was(&self, entry: &Entry) -> &[u8] {
        &self.bytes[entry.at as usize..][..usize::from(entry.was)]
    }

    /// Once for all. Memory that is not written to is not taken.
    #[cold]
    fn make_room(&mut self) {
        self.entries.reserve_exact(MAX_SERIES);
        self.bytes.reserve_exact(MAX_BYTES);
        self.table.reserve(MAX_SERIES, |_| unreachable!("it is empty"));
    }

    /// Enters what [`SeriesSeen::find`] did not know. What it became comes in pieces.
    fn insert(&mut self, asked: Asked, was: &[u8], became: Option<[&[u8]; 2]>, acts: &[Act]) {
        let len = became.map(|pieces| pieces.iter().map(|piece| piece.len()).sum::<usize>());
        let fits = len.unwrap_or(0) <= usize::from(u16::MAX) && acts.len() <= MAX;
        if was.len() > MAX || !fits {
            return;
        }
        let taken = self.bytes.len() + size_of_val(&*self.acts);
        let needed = was.len() + len.unwrap_or(0) + size_of_val(acts);
        if self.entries.len() >= MAX_SERIES || taken + needed > MAX_BYTES {
            self.turned_away += 1;
            if self.turned_away > PATIENCE {
                self.clear();
            }
            return;
        }
        if self.entries.is_empty() {
            self.make_room();
        }
        let entry = Entry {
            asked,
            at: self.bytes.len() as u32,
            was: was.len() as u16,
            became: len.map(|len| len as u16),
            acts_at: self.acts.len() as u32,
            acts: acts.len() as u16,
        };
        self.bytes.extend_from_slice(was);
        became.into_iter().flatten().for_each(|piece| self.bytes.extend_from_slice(piece));
        self.acts.extend_from_slice(acts);
        let index = self.entries.len();
        self.entries.push(entry);
        let entries = &self.entries;
        self.table.insert_unique(asked.hash, index as u32, |index| entries[*index as usize].asked.hash);
        self.expected = index + 1;
    }
}

impl Walk<'_> {
    /// A data point's attributes, the first of which begins at `pos`. Returns where the first field begins that is none, or
    /// one that is too long to be remembered.
    #[inline(never)]
    pub fn series(&mut self, pos: usize, end: usize) -> Result<usize, Stop> {
        let place = self.place(Part::PointAttributes).number();
        let Worker { series, counts, edits, names, .. } = &mut *self.w;
        let index = match series.follows(place, *names, &self.buf[pos..end]) {
            Some(index) => index,
            None => {
                let stop = short_fields(self.buf, pos, end);
                if stop == pos || stop - pos > MAX {
                    return self.each_attribute(Part::PointAttributes, pos, end);
                }
                match series.find(place, *names, &self.buf[pos..stop]) {
                    Ok(index) => index,
                    Err(asked) => {
                        self.new_series(asked, pos, stop)?;
                        return Ok(stop);
                    }
                }
            }
        };
        let (len, seen) = series.seen(index);
        for (field, rule) in seen.acts {
            counts.at(*field);
            counts.rule(*rule);
        }
        if let Some(became) = seen.became {
            edits.replace(self.buf, pos, pos + len, became);
        }
        Ok(pos + len)
    }

    /// Attributes not seen before, or not lately: entered, unless more happened than that rules acted.
    #[inline(never)]
    fn new_series(&mut self, asked: Asked, start: usize, stop: usize) -> Result<(), Stop> {
        let (mark, identities) = (self.w.edits.mark(), self.w.identity.len());
        self.w.counts.begin();
        self.w.memorable = true;
        self.each_attribute(Part::PointAttributes, start, stop)?;
        let Worker { series, counts, edits, identity, memorable, .. } = &mut *self.w;
        counts.end();
        if let Some(acts) = counts.noted()
            && *memorable
            && identity.len() == identities
        {
            series.insert(asked, &self.buf[start..stop], edits.since(mark, self.buf, start, stop), acts);
        }
        Ok(())
    }
}

/// Where the fields end that have the tag of the first and a length of one byte.
fn short_fields(buf: &[u8], start: usize, end: usize) -> usize {
    let (buf, tag) = (&buf[..end], buf[start]);
    let mut pos = start;
    while let Some(behind) = pos.checked_add(1).filter(|behind| *behind < buf.len())
        && buf[pos] == tag
    {
        let next = behind + 1 + usize::from(buf[behind]);
        if buf[behind] >= 0x80 || next > buf.len() {
            break;
        }
        pos = next;
    }
    pos
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, any_value::Value as Any};
    use prost::Message;

    use super::*;
    use crate::filter::tests::{engine_of, pair, points};
    use crate::otlp::Signal;

    const ACT: Act = (FieldId(3), RuleId(7));

    fn seen<'m>(series: &'m mut SeriesSeen, names: u32, was: &[u8]) -> Option<(Vec<Act>, Option<&'m [u8]>)> {
        let index = series.find(1 << 8, names, was).ok()?;
        let (len, seen) = series.seen(index);
        assert_eq!(len, was.len());
        Some((seen.acts.to_vec(), seen.became))
    }

    fn enter(series: &mut SeriesSeen, was: &[u8], became: Option<[&[u8]; 2]>, acts: &[Act]) {
        if let Err(asked) = series.find(1 << 8, 5, was) {
            series.insert(asked, was, became, acts);
        }
    }

    #[test]
    fn a_series_is_known_again_with_the_same_names_and_no_others() {
        let mut series = SeriesSeen::default();
        enter(&mut series, b"as it is", None, &[]);
        enter(&mut series, b"10.0.0.1", Some([b"ip_", b"x"]), &[ACT]);
        assert_eq!(seen(&mut series, 5, b"as it is"), Some((vec![], None)));
        assert_eq!(seen(&mut series, 5, b"10.0.0.1"), Some((vec![ACT], Some(&b"ip_x"[..]))));
        assert_eq!(seen(&mut series, 6, b"10.0.0.1"), None);
        assert_eq!(seen(&mut series, 5, b"10.0.0.2"), None);
        assert!(series.find(2 << 8, 5, b"10.0.0.1").is_err(), "another place");
        series.clear();
        assert_eq!(seen(&mut series, 5, b"10.0.0.1"), None);
    }

    #[test]
    fn the_one_behind_the_last_is_expected_and_nothing_that_goes_on() {
        let mut series = SeriesSeen::default();
        [&b"\x0a1"[..], b"\x0a2", b"\x0a3"].iter().for_each(|was| enter(&mut series, was, None, &[]));
        assert!(seen(&mut series, 5, b"\x0a1").is_some());
        assert_eq!(series.follows(1 << 8, 5, b"\x0a2\x12"), Some(1));
        assert_eq!(series.follows(1 << 8, 5, b"\x0a2"), Some(1));
        for other in [&b"\x0a2\x0a"[..], b"\x0a3\x12", b"\x0a"] {
            assert_eq!(series.follows(1 << 8, 5, other), None, "{other:?}");
        }
        assert_eq!(series.follows(1 << 8, 6, b"\x0a2"), None, "other names");
        assert_eq!(series.follows(2 << 8, 5, b"\x0a2"), None, "another place");
    }

    #[test]
    fn what_finds_no_room_pushes_nothing_out_until_most_of_what_comes_finds_none() {
        let mut series = SeriesSeen::default();
        let name = |number: usize| number.to_string().into_bytes();
        (0..MAX_SERIES + PATIENCE).for_each(|number| enter(&mut series, &name(number), None, &[]));
        assert!(seen(&mut series, 5, &name(0)).is_some());
        assert!(seen(&mut series, 5, &name(MAX_SERIES)).is_none());
        enter(&mut series, b"one more", None, &[]);
        assert_eq!((series.entries.len(), series.bytes.capacity()), (0, 0));
        enter(&mut series, b"one more", None, &[]);
        assert!(seen(&mut series, 5, b"one more").is_some());
    }

    #[test]
    fn bytes_are_bounded_and_what_is_too_long_is_not_remembered() {
        let mut series = SeriesSeen::default();
        let long = [b'x'; MAX + 1];
        enter(&mut series, &long, None, &[]);
        assert_eq!(series.entries.len(), 0);
        for number in 0..=MAX_BYTES / MAX {
            let was = [&number.to_le_bytes()[..], &long[..MAX - 8]].concat();
            enter(&mut series, &was, None, &[]);
        }
        assert_eq!(series.bytes.len(), MAX_BYTES);
        assert_eq!(series.bytes.capacity(), MAX_BYTES);
    }

    #[test]
    fn what_is_hidden_or_has_parts_is_not_remembered() {
        let engine = engine_of("rules:\n  - {name: hides, description: d, keys: [shard], as: user, action: redact}\n");
        let values = vec![pair("", "blue").value.expect("it has one")];
        let list = AnyValue { value: Some(Any::ArrayValue(ArrayValue { values })) };
        let list = KeyValue { key: "list".into(), value: Some(list), ..KeyValue::default() };
        for (attribute, entries) in [(pair("shard", "blue"), 0), (list, 0), (pair("zone", "blue"), 1)] {
            let mut worker = Worker::default();
            let request = points(vec![vec![pair("method", "GET"), attribute.clone()]]).encode_to_vec();
            engine.filter(&mut worker, Signal::Metrics, request.into()).unwrap();
            assert_eq!(worker.series.entries.len(), entries, "{attribute:?}");
        }
    }
}
