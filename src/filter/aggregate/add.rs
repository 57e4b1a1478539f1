//! Two points of one series and one interval, added; or not, where no exact sum can be told.

use super::point::{Buckets, Exponential, Histogram, Point, Summed, Value};

/// Buckets that an exponential histogram's sum has on one side at most, unless one of its parts has more: twice what SDKs keep.
const MAX_BUCKETS: usize = 320;
/// The coarsest scale that a sum is brought to.
const LEAST_SCALE: i32 = -10;
/// Whole numbers up to here are exact as doubles.
const MAX_EXACT: u64 = 1 << 53;

pub fn add<'a>(mut sum: Point<'a>, point: &Point<'a>) -> Option<Point<'a>> {
    sum.value = match (sum.value, &point.value) {
        (Value::Int(a), Value::Int(b)) => Value::Int(a.checked_add(*b)?),
        (Value::Double(a), Value::Double(b)) => Value::Double(add_doubles(a, *b)?),
        (Value::Int(a), Value::Double(b)) => Value::Double(add_doubles(exact(a)?, *b)?),
        (Value::Double(a), Value::Int(b)) => Value::Double(add_doubles(a, exact(*b)?)?),
        (Value::Histogram(a), Value::Histogram(b)) => Value::Histogram(add_histograms(a, b)?),
        (Value::Exponential(a), Value::Exponential(b)) => Value::Exponential(add_exponentials(a, b)?),
        _ => return None,
    };
    sum.flags |= point.flags;
    sum.exemplars.extend_from_slice(&point.exemplars);
    Some(sum)
}

/// `None` if the sum is no number: nobody could tell the parts of it.
fn add_doubles(a: f64, b: f64) -> Option<f64> {
    Some(a + b).filter(|sum| sum.is_finite())
}

fn exact(value: i64) -> Option<f64> {
    (value.unsigned_abs() <= MAX_EXACT).then_some(value as f64)
}

fn add_histograms(a: Histogram, b: &Histogram) -> Option<Histogram> {
    if a.bounds != b.bounds || a.counts.len() != b.counts.len() {
        return None;
    }
    let counts = a.counts.iter().zip(&b.counts).map(|(a, b)| a.checked_add(*b)).collect::<Option<Vec<u64>>>()?;
    Some(Histogram { summed: a.summed.add(&b.summed)?, counts, bounds: a.bounds })
}

impl Summed {
    fn add(&self, other: &Summed) -> Option<Summed> {
        Some(Summed {
            count: self.count.checked_add(other.count)?,
            sum: match self.known(other, |summed| summed.sum) {
                Some((a, b)) => Some(add_doubles(a.unwrap_or(0.0), b.unwrap_or(0.0))?),
                None => None,
            },
            min: self.extreme(other, |summed| summed.min, f64::min),
            max: self.extreme(other, |summed| summed.max, f64::max),
        })
    }

    /// What both say; `None` if one that has counted something does not say it, or neither does.
    fn known(&self, other: &Summed, of: fn(&Summed) -> Option<f64>) -> Option<(Option<f64>, Option<f64>)> {
        let both = (of(self), of(other));
        let said = |summed: &Summed| of(summed).is_some() || summed.count == 0;
        (said(self) && said(other) && both != (None, None)).then_some(both)
    }

    fn extreme(&self, other: &Summed, of: fn(&Summed) -> Option<f64>, stronger: fn(f64, f64) -> f64) -> Option<f64> {
        // One that has counted nothing has no extremes, whatever it says.
        let of_counted = |summed: &Summed| of(summed).filter(|_| summed.count > 0);
        match self.known(other, of)? {
            _ if self.count == 0 && other.count == 0 => of(self).or(of(other)),
            _ => match (of_counted(self), of_counted(other)) {
                (Some(a), Some(b)) => Some(stronger(a, b)),
                (a, b) => a.or(b),
            },
        }
    }
}

fn add_exponentials(a: Exponential, b: &Exponential) -> Option<Exponential> {
    // What lies around another zero is another count.
    if a.zero_threshold != b.zero_threshold {
        return None;
    }
    let most = |a: &Buckets, b: &Buckets| MAX_BUCKETS.max(a.counts.len()).max(b.counts.len());
    let mut scale = a.scale.min(b.scale);
    while span(&a.positive, a.scale, &b.positive, b.scale, scale) > most(&a.positive, &b.positive)
        || span(&a.negative, a.scale, &b.negative, b.scale, scale) > most(&a.negative, &b.negative)
    {
        if scale <= LEAST_SCALE {
            return None;
        }
        scale -= 1;
    }
    let add = |mine: &Buckets, theirs: &Buckets| add_buckets((mine, a.scale), (theirs, b.scale), scale);
    Some(Exponential {
        summed: a.summed.add(&b.summed)?,
        scale,
        zero_count: a.zero_count.checked_add(b.zero_count)?,
        zero_threshold: a.zero_threshold,
        positive: add(&a.positive, &b.positive)?,
        negative: add(&a.negative, &b.negative)?,
    })
}

/// The index of a bucket at a coarser scale: each step joins two neighbours.
fn index_at(index: i64, from: i32, to: i32) -> i64 {
    index >> (i64::from(from) - i64::from(to)).min(63)
}

/// The first and the last bucket at a coarser scale.
fn ends(buckets: &Buckets, from: i32, to: i32) -> Option<(i64, i64)> {
    let last = i64::from(buckets.offset) + buckets.counts.len() as i64 - 1;
    (!buckets.counts.is_empty()).then(|| (index_at(buckets.offset.into(), from, to), index_at(last, from, to)))
}

fn span(a: &Buckets, a_scale: i32, b: &Buckets, b_scale: i32, scale: i32) -> usize {
    match (ends(a, a_scale, scale), ends(b, b_scale, scale)) {
        (Some(a), Some(b)) => (a.1.max(b.1) - a.0.min(b.0) + 1) as usize,
        // Nothing is put beside it.
        _ => 0,
    }
}

fn add_buckets((a, a_scale): (&Buckets, i32), (b, b_scale): (&Buckets, i32), scale: i32) -> Option<Buckets> {
    let first = [ends(a, a_scale, scale), ends(b, b_scale, scale)].into_iter().flatten().map(|(first, _)| first).min();
    let Some(first) = first else { return Some(Buckets::default()) };
    let mut sum = Buckets { offset: i32::try_from(first).ok()?, counts: Vec::new() };
    for (buckets, from) in [(a, a_scale), (b, b_scale)] {
        for (index, count) in (i64::from(buckets.offset)..).zip(&buckets.counts) {
            let at = (index_at(index, from, scale) - first) as usize;
            if at >= sum.counts.len() {
                sum.counts.resize(at + 1, 0);
            }
            sum.counts[at] = sum.counts[at].checked_add(*count)?;
        }
    }
    Some(sum)
}
