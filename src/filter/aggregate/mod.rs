//! Points of a metric that a rule made one series, added up.
//!
//! Where the policy asks to `aggregate`, the walk leaves a mark in the place of the attributes that went. When the request is
//! filtered, its points are gathered by what identifies their series now; those of one interval are added up where they can
//! be (`add`), and everything else is kept apart by a series token, as `stay` keeps it: cumulative points, whose sum needs
//! state, gauges, intervals that overlap, histograms of other bounds, numbers beyond their range. No mark ever leaves.

mod add;
mod identity;
mod point;

use std::collections::HashMap;

use crate::otlp::schema;
use crate::pseudonym::Pseudonyms;
use crate::wire::edit::put_varint;
use crate::wire::read::{self, Field};
use crate::wire::{Edits, Malformed};

use point::Point;
pub use point::text_pair;

/// The key of a mark: no key in a request, because it is no UTF-8.
pub const MARK: &[u8] = b"\xff";

/// What becomes of a point.
enum Fate {
    /// Its content is this now.
    Becomes(Vec<u8>),
    /// It is part of another one.
    Added,
}

/// Adds up what can be added in a filtered request with marks; nothing else in it changes.
///
/// # Errors
/// If it is not well-formed, which what the filter wrote is.
pub fn add_up(pseudonyms: &Pseudonyms, request: &[u8]) -> Result<Vec<u8>, Malformed> {
    let mut gathered = Gathered::default();
    each_metric(request, &mut |scope, metric| gathered.metric(request, scope, metric))?;
    let fates = gathered.fates(pseudonyms);
    let mut edits = Edits::default();
    write(request, &fates, &mut edits)?;
    Ok(edits.finish(request))
}

/// What is done with a metric, and with what identifies its source.
type Visit<'v> = dyn FnMut(&[u8], Field) -> Result<(), Malformed> + 'v;

/// Calls `visit` for each metric of a request.
fn each_metric(request: &[u8], visit: &mut Visit<'_>) -> Result<(), Malformed> {
    for envelope in of_number(request, 0, request.len(), 1) {
        let envelope = envelope?;
        let resource = identity::of_source(request, envelope, &schema::RESOURCE)?;
        for scope in of_number(request, envelope.value, envelope.end, 2) {
            let scope = scope?;
            let mut source = resource.clone();
            source.extend(identity::of_source(request, scope, &schema::INSTRUMENTATION_SCOPE)?);
            for metric in of_number(request, scope.value, scope.end, 2) {
                visit(&source, metric?)?;
            }
        }
    }
    Ok(())
}

fn of_number(buf: &[u8], start: usize, end: usize, number: u32) -> impl Iterator<Item = Result<Field, Malformed>> + '_ {
    read::fields(buf, start, end).filter(move |field| {
        field.is_err() || field.is_ok_and(|field| (field.tag.number, field.tag.wire_type) == (number, 2))
    })
}

/// The fields of a metric that hold points.
const DATA: [u32; 4] = [
    5,  // gauge
    7,  // sum
    9,  // histogram
    10, // exponential_histogram
];
/// `AGGREGATION_TEMPORALITY_DELTA`
const DELTA: u64 = 1;

/// All points of a request, by series.
#[derive(Default)]
struct Gathered<'a> {
    series: HashMap<Vec<u8>, Vec<Point<'a>>>,
    /// Marked points that nothing can be added to.
    apart: Vec<Point<'a>>,
}

impl<'a> Gathered<'a> {
    fn metric(&mut self, buf: &'a [u8], source: &[u8], metric: Field) -> Result<(), Malformed> {
        let described = identity::of_metric(buf, metric, source)?;
        for data in read::fields(buf, metric.value, metric.end) {
            let data = data?;
            if !DATA.contains(&data.tag.number) || data.tag.wire_type != 2 {
                continue;
            }
            let delta = identity::number(buf, data, 2)? == DELTA && data.tag.number != 5;
            for field in of_number(buf, data.value, data.end, 1) {
                let point = Point::read(buf, field?, data.tag.number)?;
                if delta {
                    let mut key = described.clone();
                    identity::put_attributes(buf, &point.attributes, &mut key)?;
                    self.series.entry(key).or_default().push(point);
                } else if point.mark.is_some() {
                    self.apart.push(point);
                }
            }
        }
        Ok(())
    }

    /// By where a point's field begins.
    fn fates(self, pseudonyms: &Pseudonyms) -> HashMap<usize, Fate> {
        let mut fates = HashMap::new();
        let keep_apart = |point: &Point<'_>, fates: &mut HashMap<usize, Fate>| {
            if let Some(mark) = point.mark {
                fates.insert(point.start, Fate::Becomes(point.kept_apart(pseudonyms, mark)));
            }
        };
        self.apart.iter().for_each(|point| keep_apart(point, &mut fates));
        for points in self.series.into_values().filter(|points| points.iter().any(|point| point.mark.is_some())) {
            for interval in intervals(points) {
                match interval.sum() {
                    Some((first, others, content)) => {
                        fates.insert(first, Fate::Becomes(content));
                        fates.extend(others.into_iter().map(|start| (start, Fate::Added)));
                    }
                    None => interval.points.iter().for_each(|point| keep_apart(point, &mut fates)),
                }
            }
        }
        fates
    }
}

/// Points of one series and one interval.
struct Interval<'a> {
    /// In nanoseconds since 1970, without the first.
    start: u64,
    end: u64,
    points: Vec<Point<'a>>,
    /// Another interval of the series has time in common with it.
    overlaps: bool,
}

impl Interval<'_> {
    /// All points in one: where the first stands, where the others stand, and the content. `None` if they cannot be added.
    fn sum(&self) -> Option<(usize, Vec<usize>, Vec<u8>)> {
        if self.overlaps {
            return None;
        }
        let (first, others) = self.points.split_first()?;
        // Points that say that there is no value add nothing to those that have one.
        let valued: Vec<&Point<'_>> = self.points.iter().filter(|point| !point.is_empty()).collect();
        let mut all = match valued.split_first() {
            Some((one, rest)) => rest.iter().try_fold((*one).clone(), |sum, point| add::add(sum, point))?,
            None => first.clone(),
        };
        all.mark = None;
        Some((first.start, others.iter().map(|point| point.start).collect(), all.write()))
    }
}

/// A series' points by interval.
fn intervals(points: Vec<Point<'_>>) -> Vec<Interval<'_>> {
    let mut by_time: HashMap<(u64, u64), Vec<Point<'_>>> = HashMap::new();
    for point in points {
        by_time.entry((point.begins, point.time)).or_default().push(point);
    }
    let of = |((begins, time), points)| {
        // Where it began is unknown: the moment itself.
        let start = if begins == 0 || begins >= time { u64::saturating_sub(time, 1) } else { begins };
        Interval { start, end: time, points, overlaps: false }
    };
    let mut all: Vec<Interval<'_>> = by_time.into_iter().map(of).collect();
    all.sort_by_key(|interval| (interval.start, interval.end));
    // The one that reaches farthest overlaps with whatever begins before its end.
    let mut farthest = 0;
    for at in 1..all.len() {
        if all[at].start < all[farthest].end || all[at].end == all[farthest].end {
            all[at].overlaps = true;
            all[farthest].overlaps = true;
        }
        if all[at].end > all[farthest].end {
            farthest = at;
        }
    }
    all
}

/// Edits a request as fate wills.
fn write(request: &[u8], fates: &HashMap<usize, Fate>, edits: &mut Edits) -> Result<(), Malformed> {
    inside_each(request, (0, request.len()), &[1, 2, 2], edits, &mut |metric, edits| {
        for data in read::fields(request, metric.value, metric.end) {
            let data = data?;
            if !DATA.contains(&data.tag.number) {
                continue;
            }
            let open = edits.open();
            for point in of_number(request, data.value, data.end, 1) {
                let point = point?;
                match fates.get(&point.start) {
                    None => {}
                    Some(Fate::Added) => edits.delete(request, point.start, point.end),
                    Some(Fate::Becomes(content)) => {
                        let mut length = Vec::new();
                        put_varint(&mut length, content.len() as u64);
                        edits.replace(request, point.prefix, point.end, &[&length[..], content].concat());
                    }
                }
            }
            edits.close(open, data.prefix, data.value, data.end);
        }
        Ok(())
    })
}

/// Goes down the fields of these numbers, and calls `visit` in each of the last.
fn inside_each(
    buf: &[u8],
    (start, end): (usize, usize),
    path: &[u32],
    edits: &mut Edits,
    visit: &mut dyn FnMut(Field, &mut Edits) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    let Some((number, below)) = path.split_first() else { return Ok(()) };
    for field in of_number(buf, start, end, *number) {
        let field = field?;
        let open = edits.open();
        match below {
            [] => visit(field, edits)?,
            _ => inside_each(buf, (field.value, field.end), below, edits, visit)?,
        }
        edits.close(open, field.prefix, field.value, field.end);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
