//! A data point, read and written.

use crate::filter::SERIES_KEY;
use crate::pseudonym::Pseudonyms;
use crate::wire::Malformed;
use crate::wire::edit::{put_field, put_varint};
use crate::wire::read::{self, Field};

use super::MARK;

/// A point of a number, a histogram or an exponential histogram.
#[derive(Clone, Debug)]
pub struct Point<'a> {
    pub buf: &'a [u8],
    /// Where its field begins and its content stands.
    pub start: usize,
    content: (usize, usize),
    pub layout: &'static Layout,
    /// Without the mark.
    pub attributes: Vec<Field>,
    /// The token of what went, where the policy asks to aggregate.
    pub mark: Option<&'a [u8]>,
    pub begins: u64,
    pub time: u64,
    pub flags: u64,
    pub exemplars: Vec<&'a [u8]>,
    pub value: Value,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    None,
    Int(i64),
    Double(f64),
    Histogram(Histogram),
    Exponential(Exponential),
}

/// What both kinds of histograms have.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Summed {
    pub count: u64,
    pub sum: Option<f64>,
    pub min: Option<f64>,
    pub max: Option<f64>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Histogram {
    pub summed: Summed,
    pub counts: Vec<u64>,
    pub bounds: Vec<f64>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Exponential {
    pub summed: Summed,
    pub scale: i32,
    pub zero_count: u64,
    pub zero_threshold: f64,
    pub positive: Buckets,
    pub negative: Buckets,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Buckets {
    pub offset: i32,
    pub counts: Vec<u64>,
}

/// Field numbers of a kind of point, as far as they differ.
#[derive(Debug)]
pub struct Layout {
    attributes: u32,
    exemplars: u32,
    flags: u32,
    min: u32,
    max: u32,
}

const NUMBER: Layout = Layout { attributes: 7, exemplars: 5, flags: 8, min: 0, max: 0 };
const HISTOGRAM: Layout = Layout { attributes: 9, exemplars: 8, flags: 10, min: 11, max: 12 };
const EXPONENTIAL: Layout = Layout { attributes: 1, exemplars: 11, flags: 10, min: 12, max: 13 };

/// `DATA_POINT_FLAGS_NO_RECORDED_VALUE_MASK`
const NO_VALUE: u64 = 1;

impl<'a> Point<'a> {
    /// Reads a point in the data of that field number of a metric.
    pub fn read(buf: &'a [u8], field: Field, data: u32) -> Result<Point<'a>, Malformed> {
        let (layout, value) = match data {
            9 => (&HISTOGRAM, Value::Histogram(Histogram::default())),
            10 => (&EXPONENTIAL, Value::Exponential(Exponential::default())),
            _ => (&NUMBER, Value::None),
        };
        let mut point = Point {
            buf,
            start: field.start,
            content: (field.value, field.end),
            layout,
            attributes: Vec::new(),
            mark: None,
            begins: 0,
            time: 0,
            flags: 0,
            exemplars: Vec::new(),
            value,
        };
        for field in read::fields(buf, field.value, field.end) {
            point.field(field?)?;
        }
        Ok(point)
    }

    fn field(&mut self, field: Field) -> Result<(), Malformed> {
        let (buf, number) = (self.buf, field.tag.number);
        match number {
            number if number == self.layout.attributes => match value_under(buf, field, MARK)? {
                Some(token) => self.mark = Some(token),
                None => self.attributes.push(field),
            },
            number if number == self.layout.exemplars => self.exemplars.push(&buf[field.value..field.end]),
            number if number == self.layout.flags => self.flags = read::varint(buf, field.value, field.end)?.0,
            2 if field.tag.wire_type == 1 => self.begins = fixed(buf, field),
            3 if field.tag.wire_type == 1 => self.time = fixed(buf, field),
            _ => match &mut self.value {
                Value::Histogram(histogram) => histogram.field(buf, field)?,
                Value::Exponential(exponential) => exponential.field(buf, field)?,
                value if number == 4 => *value = Value::Double(f64::from_bits(fixed(buf, field))),
                value if number == 6 => *value = Value::Int(fixed(buf, field) as i64),
                _ => {}
            },
        }
        Ok(())
    }

    /// Whether it says that there is no value.
    pub fn is_empty(&self) -> bool {
        self.flags & NO_VALUE != 0
    }

    /// The content of the point in its own words, but with a series token in the mark's place.
    pub fn kept_apart(&self, pseudonyms: &Pseudonyms, mark: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut token = mark.to_vec();
        for field in read::fields(self.buf, self.content.0, self.content.1).map_while(Result::ok) {
            let is_attribute = field.tag.number == self.layout.attributes;
            if is_attribute && value_under(self.buf, field, MARK).ok().flatten().is_some() {
                continue;
            }
            // One token for all that went.
            if is_attribute && let Ok(Some(other)) = value_under(self.buf, field, SERIES_KEY.as_bytes()) {
                token.clear();
                pseudonyms.series(&mut [mark, other].into_iter(), &mut token);
                continue;
            }
            out.extend_from_slice(&self.buf[field.start..field.end]);
        }
        put_field(&mut out, self.layout.attributes, &text_pair(SERIES_KEY.as_bytes(), &token));
        out
    }

    /// The content of the point, without a mark.
    pub fn write(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.attributes.iter().for_each(|field| out.extend_from_slice(&self.buf[field.start..field.end]));
        put_fixed(&mut out, 2, self.begins);
        put_fixed(&mut out, 3, self.time);
        match &self.value {
            Value::None => {}
            // A member of a oneof: zero says something, too.
            Value::Int(value) => put_present(&mut out, 6, *value as u64),
            Value::Double(value) => put_present(&mut out, 4, value.to_bits()),
            Value::Histogram(histogram) => {
                histogram.summed.write(self.layout, &mut out);
                let fixed =
                    |items: &mut dyn Iterator<Item = u64>| items.flat_map(u64::to_le_bytes).collect::<Vec<u8>>();
                put_packed(&mut out, 6, &fixed(&mut histogram.counts.iter().copied()));
                put_packed(&mut out, 7, &fixed(&mut histogram.bounds.iter().map(|bound| bound.to_bits())));
            }
            Value::Exponential(exponential) => {
                exponential.summed.write(self.layout, &mut out);
                put_number(&mut out, 6, zigzag(exponential.scale));
                put_fixed(&mut out, 7, exponential.zero_count);
                for (number, buckets) in [(8, &exponential.positive), (9, &exponential.negative)] {
                    if !buckets.counts.is_empty() {
                        put_field(&mut out, number, &buckets.write());
                    }
                }
                put_fixed(&mut out, 14, exponential.zero_threshold.to_bits());
            }
        }
        self.exemplars.iter().for_each(|exemplar| put_field(&mut out, self.layout.exemplars, exemplar));
        put_number(&mut out, self.layout.flags, self.flags);
        out
    }
}

impl Summed {
    /// Whether a field is one of these; then it is read.
    fn field(&mut self, layout: &Layout, buf: &[u8], field: Field) -> bool {
        let double = || Some(f64::from_bits(fixed(buf, field)));
        match field.tag.number {
            4 => self.count = fixed(buf, field),
            5 => self.sum = double(),
            number if number == layout.min => self.min = double(),
            number if number == layout.max => self.max = double(),
            _ => return false,
        }
        true
    }

    fn write(&self, layout: &Layout, out: &mut Vec<u8>) {
        put_fixed(out, 4, self.count);
        for (number, value) in [(5, self.sum), (layout.min, self.min), (layout.max, self.max)] {
            if let Some(value) = value {
                put_present(out, number, value.to_bits());
            }
        }
    }
}

impl Histogram {
    fn field(&mut self, buf: &[u8], field: Field) -> Result<(), Malformed> {
        if self.summed.field(&HISTOGRAM, buf, field) {
            return Ok(());
        }
        match field.tag.number {
            6 => self.counts.extend(fixed_items(buf, field)),
            7 => self.bounds.extend(fixed_items(buf, field).map(f64::from_bits)),
            _ => {}
        }
        Ok(())
    }
}

impl Exponential {
    fn field(&mut self, buf: &[u8], field: Field) -> Result<(), Malformed> {
        if self.summed.field(&EXPONENTIAL, buf, field) {
            return Ok(());
        }
        match field.tag.number {
            6 => self.scale = unzigzag(read::varint(buf, field.value, field.end)?.0),
            7 => self.zero_count = fixed(buf, field),
            8 => self.positive.read(buf, field)?,
            9 => self.negative.read(buf, field)?,
            14 => self.zero_threshold = f64::from_bits(fixed(buf, field)),
            _ => {}
        }
        Ok(())
    }
}

impl Buckets {
    fn read(&mut self, buf: &[u8], message: Field) -> Result<(), Malformed> {
        for field in read::fields(buf, message.value, message.end) {
            let field = field?;
            match field.tag.number {
                1 => self.offset = unzigzag(read::varint(buf, field.value, field.end)?.0),
                2 => {
                    let mut pos = field.value;
                    while pos < field.end {
                        let (count, next) = read::varint(buf, pos, field.end)?;
                        self.counts.push(count);
                        pos = next;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn write(&self) -> Vec<u8> {
        let (mut out, mut counts) = (Vec::new(), Vec::new());
        put_number(&mut out, 1, zigzag(self.offset));
        self.counts.iter().for_each(|count| put_varint(&mut counts, *count));
        put_packed(&mut out, 2, &counts);
        out
    }
}

/// The text under a key, if the attribute has that key.
fn value_under<'a>(buf: &'a [u8], attribute: Field, key: &[u8]) -> Result<Option<&'a [u8]>, Malformed> {
    let (mut is_key, mut text) = (false, &[][..]);
    for field in read::fields(buf, attribute.value, attribute.end) {
        let field = field?;
        match field.tag.number {
            1 => is_key = &buf[field.value..field.end] == key,
            2 => {
                for value in read::fields(buf, field.value, field.end) {
                    let value = value?;
                    if value.tag.number == 1 {
                        text = &buf[value.value..value.end];
                    }
                }
            }
            _ => {}
        }
    }
    Ok(is_key.then_some(text))
}

/// A `KeyValue` of a text.
pub fn text_pair(key: &[u8], text: &[u8]) -> Vec<u8> {
    let (mut value, mut pair) = (Vec::new(), Vec::new());
    put_field(&mut value, 1, text);
    put_field(&mut pair, 1, key);
    put_field(&mut pair, 2, &value);
    pair
}

/// Of a field of eight bytes; 0 of any other.
fn fixed(buf: &[u8], field: Field) -> u64 {
    buf[field.value..field.end].try_into().map_or(0, u64::from_le_bytes)
}

/// One, or packed ones.
fn fixed_items(buf: &[u8], field: Field) -> impl Iterator<Item = u64> + '_ {
    let (items, _) = buf[field.value..field.end].as_chunks::<8>();
    items.iter().map(|item| u64::from_le_bytes(*item))
}

const fn zigzag(value: i32) -> u64 {
    (value as u32).wrapping_shl(1) as u64 ^ (value >> 31) as u32 as u64
}

const fn unzigzag(value: u64) -> i32 {
    let value = value as u32;
    (value >> 1) as i32 ^ -((value & 1) as i32)
}

fn put_present(out: &mut Vec<u8>, number: u32, value: u64) {
    put_varint(out, u64::from(number) << 3 | 1);
    out.extend_from_slice(&value.to_le_bytes());
}

fn put_fixed(out: &mut Vec<u8>, number: u32, value: u64) {
    if value != 0 {
        put_present(out, number, value);
    }
}

fn put_number(out: &mut Vec<u8>, number: u32, value: u64) {
    if value != 0 {
        put_varint(out, u64::from(number) << 3);
        put_varint(out, value);
    }
}

fn put_packed(out: &mut Vec<u8>, number: u32, content: &[u8]) {
    if !content.is_empty() {
        put_field(out, number, content);
    }
}
