//! From JSON text straight to wire bytes, in one pass.
//!
//! A message's length is known only when it has been written: one byte is left for it, and where that is not enough the
//! message moves up. Messages are small but for the outermost few.

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::lexer::{Lexer, Start, Wrong, is_number};
use super::names::{enum_number, names, push_camel};
use super::{Error, MAX_DEPTH, Report, Signal, child, has_oneof};
use crate::otlp::schema::{Field, Kind, Message};

pub(super) fn request(signal: Signal, text: &[u8], out: &mut Vec<u8>) -> Result<Report, Error> {
    let utf8 = match str::from_utf8(text) {
        Ok(utf8) => utf8,
        Err(error) => {
            return Err(locate(text, &[], Wrong { reason: "the text is not UTF-8", at: error.valid_up_to() }));
        }
    };
    let start = if utf8.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let mut decoder = Decoder { lexer: Lexer::new(&utf8[start..]), out, path: Vec::new(), report: Report::default() };
    let outcome = decoder.message(signal.request(), MAX_DEPTH).and_then(|()| decoder.lexer.end());
    match outcome {
        Ok(()) => Ok(decoder.report),
        Err(wrong) => Err(locate(text, &decoder.path, Wrong { at: wrong.at + start, ..wrong })),
    }
}

/// A step from a message to a value in it.
struct Step {
    field: &'static str,
    /// The element, where the field is a list.
    index: Option<usize>,
}

struct Decoder<'a> {
    lexer: Lexer<'a>,
    out: &'a mut Vec<u8>,
    /// Where the lexer is, for errors.
    path: Vec<Step>,
    report: Report,
}

type Outcome<T = ()> = Result<T, Wrong>;

impl Decoder<'_> {
    fn message(&mut self, message: &'static Message, depth: usize) -> Outcome {
        let Some(depth) = depth.checked_sub(1) else { return self.lexer.wrong("nested too deep") };
        self.lexer.expect(b'{', "an object was expected")?;
        if self.lexer.take(b'}') {
            return Ok(());
        }
        let mut seen = 0_u32;
        let mut member_seen = false;
        loop {
            let at = self.lexer.at();
            let name = self.lexer.string()?;
            self.lexer.expect(b':', "`:` was expected")?;
            match message.fields.iter().position(|field| names(&name, field.name)) {
                None => {
                    self.report.unknown_fields += 1;
                    self.lexer.skip(MAX_DEPTH)?;
                }
                Some(index) => {
                    let field = &message.fields[index];
                    self.path.push(Step { field: field.name, index: None });
                    if self.lexer.peek()? == Start::Null {
                        self.lexer.literal("null")?;
                    } else {
                        // Which of two would count is every parser's own opinion.
                        if seen & 1 << index != 0 {
                            return wrong("a member stands twice", at);
                        }
                        seen |= 1 << index;
                        if has_oneof(message) && field.presence && std::mem::replace(&mut member_seen, true) {
                            return wrong("two members exclude each other", at);
                        }
                        self.field(field, depth)?;
                    }
                    self.path.pop();
                }
            }
            if !self.lexer.more(b'}')? {
                return Ok(());
            }
        }
    }

    fn field(&mut self, field: &'static Field, depth: usize) -> Outcome {
        if !field.repeated {
            return self.value(field, depth);
        }
        self.lexer.expect(b'[', "an array was expected")?;
        if self.lexer.take(b']') {
            return Ok(());
        }
        let packed = field.packable().then(|| self.open(field));
        for index in 0.. {
            self.path.last_mut().expect("the field's own step").index = Some(index);
            match packed {
                Some(_) => self.number(field).map(drop)?,
                None => self.value(field, depth)?,
            }
            if !self.lexer.more(b']')? {
                break;
            }
        }
        packed.map_or(Ok(()), |start| self.close(start))
    }

    /// Writes tag and value of one occurrence.
    fn value(&mut self, field: &'static Field, depth: usize) -> Outcome {
        if let Some(message) = child(field) {
            let start = self.open(field);
            self.message(message, depth)?;
            return self.close(start);
        }
        match field.kind.scalar_wire_type() {
            None => {
                let at = self.lexer.at();
                let text = self.lexer.string()?;
                // An absent field says the same.
                if text.is_empty() && !field.presence && !field.repeated {
                    return Ok(());
                }
                let start = self.open(field);
                match field.kind {
                    Kind::Id(_) => push_hex(&text, self.out).ok_or(Wrong { reason: "hex was expected", at })?,
                    Kind::Bytes(_) => {
                        push_base64(&text, self.out).ok_or(Wrong { reason: "base64 was expected", at })?
                    }
                    _ => self.out.extend_from_slice(text.as_bytes()),
                }
                self.close(start)
            }
            Some(wire_type) => {
                let undo = self.out.len();
                push_varint(u64::from(field.number << 3 | u32::from(wire_type)), self.out);
                let is_default = self.number(field)?;
                if is_default && !field.presence {
                    self.out.truncate(undo);
                }
                Ok(())
            }
        }
    }

    /// Writes a number without its tag; true if it is zero.
    fn number(&mut self, field: &Field) -> Outcome<bool> {
        let at = self.lexer.at();
        let out_of_range = Wrong { reason: "a number is out of range", at };
        match field.kind {
            Kind::Double => {
                let bits = self.double()?.to_bits();
                self.out.extend_from_slice(&bits.to_le_bytes());
                Ok(bits == 0)
            }
            Kind::Bool => {
                let truth = self.lexer.peek()? == Start::True;
                match truth {
                    true => self.lexer.literal("true")?,
                    false if self.lexer.peek()? == Start::False => self.lexer.literal("false")?,
                    false => return wrong("true or false was expected", at),
                }
                self.out.push(u8::from(truth));
                Ok(!truth)
            }
            kind => {
                let value = match kind {
                    Kind::Enum(type_name) => self.enumeration(type_name)?,
                    _ => self.integer()?,
                };
                // Negative numbers are sign-extended to 64 bits on the wire, whatever their type.
                let signed = |value: i128, least: i64, most: i64| {
                    i64::try_from(value).ok().filter(|value| (least..=most).contains(value)).map(i64::cast_unsigned)
                };
                let wire = match kind {
                    Kind::Uint32 | Kind::Fixed32 => u32::try_from(value).ok().map(u64::from),
                    Kind::Uint64 | Kind::Fixed64 => u64::try_from(value).ok(),
                    Kind::Int64 | Kind::Sfixed64 => signed(value, i64::MIN, i64::MAX),
                    Kind::Sint32 => {
                        i32::try_from(value).ok().map(|value| u64::from((value << 1 ^ value >> 31).cast_unsigned()))
                    }
                    _ => signed(value, i32::MIN.into(), i32::MAX.into()),
                };
                let wire = wire.ok_or(out_of_range)?;
                match field.kind.scalar_wire_type() {
                    Some(1) => self.out.extend_from_slice(&wire.to_le_bytes()),
                    Some(5) => self.out.extend_from_slice(&wire.to_le_bytes()[..4]),
                    _ => push_varint(wire, self.out),
                }
                Ok(value == 0)
            }
        }
    }

    fn double(&mut self) -> Outcome<f64> {
        let at = self.lexer.at();
        let value = match self.lexer.peek()? {
            Start::Number => self.lexer.number()?.parse().ok(),
            Start::String => match &*self.lexer.string()? {
                "NaN" => return Ok(f64::NAN),
                "Infinity" => return Ok(f64::INFINITY),
                "-Infinity" => return Ok(f64::NEG_INFINITY),
                text if is_number(text) => text.parse().ok(),
                _ => None,
            },
            _ => None,
        };
        match value {
            Some(value) if f64::is_finite(value) => Ok(value),
            Some(_) => wrong("a number is out of range", at),
            None => wrong("a number was expected", at),
        }
    }

    fn integer(&mut self) -> Outcome<i128> {
        let at = self.lexer.at();
        let text = match self.lexer.peek()? {
            Start::Number => self.lexer.number()?.into(),
            Start::String => self.lexer.string()?,
            _ => return wrong("a number was expected", at),
        };
        if !is_number(&text) {
            return wrong("a number was expected", at);
        }
        if let Ok(value) = text.parse() {
            return Ok(value);
        }
        // `1.0` and `1e3` are integers too, as long as a double holds every digit of them.
        match text.parse::<f64>() {
            Ok(value) if value.fract() == 0.0 && value.abs() <= 9_007_199_254_740_992.0 => Ok(value as i128),
            _ => wrong("an integer was expected", at),
        }
    }

    fn enumeration(&mut self, type_name: &str) -> Outcome<i128> {
        let at = self.lexer.at();
        if self.lexer.peek()? != Start::String {
            return self.integer();
        }
        let text = self.lexer.string()?;
        match enum_number(type_name, &text).map(i128::from).or_else(|| text.parse().ok()) {
            Some(number) => Ok(number),
            None => wrong("no such name in the enumeration", at),
        }
    }

    /// Writes the tag of a length-delimited value and leaves a byte for the length.
    fn open(&mut self, field: &Field) -> usize {
        push_varint(u64::from(field.number << 3 | 2), self.out);
        self.out.push(0);
        self.out.len()
    }

    /// Sets the length of what was written since `start`.
    fn close(&mut self, start: usize) -> Outcome {
        let len = self.out.len() - start;
        if len > i32::MAX as usize {
            return self.lexer.wrong("a message is too long");
        }
        let mut prefix = [0; 5];
        let width = varint(len as u64, &mut prefix);
        self.out.splice(start - 1..start, prefix[..width].iter().copied());
        Ok(())
    }
}

fn push_varint(value: u64, out: &mut Vec<u8>) {
    let mut bytes = [0; 10];
    let width = varint(value, &mut bytes);
    out.extend_from_slice(&bytes[..width]);
}

/// Writes a varint to the front of `bytes`; its width.
fn varint(mut value: u64, bytes: &mut [u8]) -> usize {
    let mut width = 0;
    while value >= 0x80 {
        bytes[width] = value as u8 | 0x80;
        value >>= 7;
        width += 1;
    }
    bytes[width] = value as u8;
    width + 1
}

fn push_hex(text: &str, out: &mut Vec<u8>) -> Option<()> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return None };
    for [high, low] in pairs {
        out.push((digit(*high)? << 4 | digit(*low)?) as u8);
    }
    Some(())
}

/// Either alphabet, padded or not, as protobuf's mapping wants it.
fn push_base64(text: &str, out: &mut Vec<u8>) -> Option<()> {
    const ANY_PADDING: GeneralPurposeConfig =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, ANY_PADDING);
    const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, ANY_PADDING);
    let engine = if text.contains(['-', '_']) { URL_SAFE } else { STANDARD };
    engine.decode_vec(text, out).ok()
}

fn locate(text: &[u8], path: &[Step], wrong: Wrong) -> Error {
    let before = &text[..wrong.at.min(text.len())];
    let line_start = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
    let mut place = String::from("$");
    for step in path {
        let mut name = vec![b'.'];
        push_camel(step.field, &mut name);
        place.push_str(str::from_utf8(&name).expect("the schema's names are ASCII"));
        if let Some(index) = step.index {
            place.push_str(&format!("[{index}]"));
        }
    }
    Error::Json {
        reason: wrong.reason,
        line: before.iter().filter(|&&byte| byte == b'\n').count() + 1,
        column: before.len() - line_start + 1,
        path: place,
    }
}

fn wrong<T>(reason: &'static str, at: usize) -> Outcome<T> {
    Err(Wrong { reason, at })
}
