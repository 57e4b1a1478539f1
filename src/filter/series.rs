//! Series seen before: an agent reports the same ones at every export, so a data point's attributes are remembered together.
//!
//! The same is remembered as of a single attribute (see [`super::memo`]): what becomes of the bytes depends on nothing but
//! themselves, their place and the names that are known there, and nothing in them is hidden. What comes once, or more than
//! there is room for, costs a look-up: when the room is taken, it stays so until most of what comes is not in it.

use std::hash::{BuildHasher, Hasher};

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use crate::otlp::Part;
use crate::policy::{FieldId, RuleId};

use super::Worker;
use super::walk::{Stop, Walk};

/// Series that are remembered, and bytes of them, before and after.
const MAX_SERIES: usize = 32_768;
const MAX_BYTES: usize = 12 << 20;
/// A longer one is not.
const MAX: usize = 2_048;
/// After so many that there was no room for, all are forgotten.
const PATIENCE: usize = 2 * MAX_SERIES;

/// The table of one worker: 14 MiB at most, of which no more is touched than is needed.
#[derive(Default)]
pub(super) struct SeriesSeen {
    table: HashTable<Entry>,
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
#[derive(Clone, Copy)]
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

    /// What is known of these attributes, which stand at the place of that number while certain names are known.
    fn find(&self, place: u64, names: u32, attributes: &[u8]) -> Result<Seen<'_>, Asked> {
        let mut hasher = self.hash.build_hasher();
        hasher.write_u64(place ^ u64::from(names));
        hasher.write(attributes);
        let hash = hasher.finish();
        let is =
            |entry: &Entry| (entry.asked.place, entry.asked.names) == (place, names) && self.was(entry) == attributes;
        let Some(entry) = self.table.find(hash, is) else { return Err(Asked { hash, place, names }) };
        let from = entry.at as usize + usize::from(entry.was);
        Ok(Seen {
            acts: &self.acts[entry.acts_at as usize..][..usize::from(entry.acts)],
            became: entry.became.map(|len| &self.bytes[from..from + usize::from(len)]),
        })
    }

    fn was(&self, entry: &Entry) -> &[u8] {
        &self.bytes[entry.at as usize..][..usize::from(entry.was)]
    }

    /// Enters what [`SeriesSeen::find`] did not know. What it became comes in pieces.
    fn insert(&mut self, asked: Asked, was: &[u8], became: Option<[&[u8]; 2]>, acts: &[Act]) {
        let len = became.map(|pieces| pieces.iter().map(|piece| piece.len()).sum::<usize>());
        let fits = len.unwrap_or(0) <= usize::from(u16::MAX) && acts.len() <= MAX;
        if was.len() > MAX || !fits {
            return;
        }
        let needed = was.len() + len.unwrap_or(0);
        if self.table.len() >= MAX_SERIES || self.bytes.len() + needed > MAX_BYTES {
            self.turned_away += 1;
            if self.turned_away > PATIENCE {
                self.clear();
            }
            return;
        }
        // Memory that is not written to is not taken.
        self.bytes.reserve_exact(MAX_BYTES - self.bytes.len());
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
        self.table.insert_unique(asked.hash, entry, |entry| entry.asked.hash);
    }
}

impl Walk<'_> {
    /// A data point's attributes, the first of which begins at `pos`. Returns where the first field begins that is none, or
    /// one that is too long to be remembered.
    #[inline(never)]
    pub fn series(&mut self, pos: usize, end: usize) -> Result<usize, Stop> {
        let stop = short_fields(self.buf, pos, end);
        let attributes = &self.buf[pos..stop];
        if attributes.is_empty() || attributes.len() > MAX {
            return self.each_attribute(Part::PointAttributes, pos, end);
        }
        let place = self.place(Part::PointAttributes).number();
        let Worker { series, counts, edits, names, .. } = &mut *self.w;
        match series.find(place, *names, attributes) {
            Ok(seen) => {
                for (field, rule) in seen.acts {
                    counts.at(*field);
                    counts.rule(*rule);
                }
                if let Some(became) = seen.became {
                    edits.replace(self.buf, pos, stop, became);
                }
            }
            Err(asked) => self.new_series(asked, pos, stop)?,
        }
        Ok(stop)
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
    use prost::Message;

    use super::*;
    use crate::filter::tests::{engine_of, pair, points};
    use crate::otlp::Signal;

    const ACT: Act = (FieldId(3), RuleId(7));

    fn seen<'m>(series: &'m SeriesSeen, names: u32, was: &[u8]) -> Option<(Vec<Act>, Option<&'m [u8]>)> {
        series.find(1 << 8, names, was).ok().map(|seen| (seen.acts.to_vec(), seen.became))
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
        assert_eq!(seen(&series, 5, b"as it is"), Some((vec![], None)));
        assert_eq!(seen(&series, 5, b"10.0.0.1"), Some((vec![ACT], Some(&b"ip_x"[..]))));
        assert_eq!(seen(&series, 6, b"10.0.0.1"), None);
        assert_eq!(seen(&series, 5, b"10.0.0.2"), None);
        assert!(series.find(2 << 8, 5, b"10.0.0.1").is_err(), "another place");
        series.clear();
        assert_eq!(seen(&series, 5, b"10.0.0.1"), None);
    }

    #[test]
    fn what_finds_no_room_pushes_nothing_out_until_most_of_what_comes_finds_none() {
        let mut series = SeriesSeen::default();
        let name = |number: usize| number.to_string().into_bytes();
        (0..MAX_SERIES + PATIENCE).for_each(|number| enter(&mut series, &name(number), None, &[]));
        assert!(seen(&series, 5, &name(0)).is_some());
        assert!(seen(&series, 5, &name(MAX_SERIES)).is_none());
        enter(&mut series, b"one more", None, &[]);
        assert_eq!((series.table.len(), series.bytes.capacity()), (0, 0));
        enter(&mut series, b"one more", None, &[]);
        assert!(seen(&series, 5, b"one more").is_some());
    }

    #[test]
    fn bytes_are_bounded_and_what_is_too_long_is_not_remembered() {
        let mut series = SeriesSeen::default();
        let long = [b'x'; MAX + 1];
        enter(&mut series, &long, None, &[]);
        assert_eq!(series.table.len(), 0);
        for number in 0..=MAX_BYTES / MAX {
            let was = [&number.to_le_bytes()[..], &long[..MAX - 8]].concat();
            enter(&mut series, &was, None, &[]);
        }
        assert_eq!(series.bytes.len(), MAX_BYTES);
        assert_eq!(series.bytes.capacity(), MAX_BYTES);
    }

    #[test]
    fn what_is_hidden_is_not_remembered() {
        let engine = engine_of("rules:\n  - {name: hides, description: d, keys: [shard], as: user, action: redact}\n");
        for (key, entries) in [("shard", 0), ("zone", 1)] {
            let mut worker = Worker::default();
            let request = points(vec![vec![pair("method", "GET"), pair(key, "blue")]]).encode_to_vec();
            engine.filter(&mut worker, Signal::Metrics, request.into()).unwrap();
            assert_eq!(worker.series.table.len(), entries, "{key}");
        }
    }
}
