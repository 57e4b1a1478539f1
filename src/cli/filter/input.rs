//! Requests out of a file: cut at their ends, turned into protobuf bytes, one at a time and each of bounded size.

use std::fmt;
use std::io::{self, BufRead, Read};

use bytes::Bytes;

use super::record::{self, REDACTED};
use super::summary::Summary;
use super::{Form, MAX_REQUEST};
use crate::cli::{Exit, Failure};
use crate::otlp::{Signal, json};

/// What is filtered in one go.
pub(super) struct Piece {
    pub request: Bytes,
    /// What ended the line that the request was made of.
    pub line_end: &'static [u8],
    pub place: Place,
}

/// Where in the file a request starts: the line counts from 1, the byte from 0.
#[derive(Clone, Copy)]
pub(super) enum Place {
    Line(usize),
    Byte(u64),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Place::Line(line) => write!(f, "line {line}"),
            Place::Byte(byte) => write!(f, "byte {byte}"),
        }
    }
}

impl Place {
    fn bad(self, what: impl fmt::Display) -> Failure {
        Failure::new(Exit::Data, format!("{self}: {what}"))
    }

    fn too_long(self) -> Failure {
        self.bad(format_args!("the request is longer than {MAX_REQUEST} bytes"))
    }
}

pub(super) struct Input<R> {
    reader: R,
    signal: Signal,
    form: Form,
    delimited: bool,
    /// Where the next request starts.
    line: usize,
    byte: u64,
}

impl<R: BufRead> Input<R> {
    pub fn new(reader: R, signal: Signal, form: Form, delimited: bool) -> Input<R> {
        Input { reader, signal, form, delimited, line: 1, byte: 0 }
    }

    /// The next request; `None` at the end. Counts what could not be read and is not passed on.
    pub fn next(&mut self, summary: &mut Summary) -> Result<Option<Piece>, Failure> {
        match self.form {
            Form::Lines => self.next_line(summary),
            Form::OtlpJson => self.next_json(summary),
            Form::OtlpProtobuf if self.delimited => self.next_delimited(),
            Form::OtlpProtobuf => self.whole(),
        }
    }

    fn next_line(&mut self, summary: &mut Summary) -> Result<Option<Piece>, Failure> {
        let place = Place::Line(self.line);
        let mut line = Vec::new();
        self.reader.by_ref().take(MAX_REQUEST as u64).read_until(b'\n', &mut line)?;
        if line.is_empty() {
            return Ok(None);
        }
        let too_long = line.len() == MAX_REQUEST && !line.ends_with(b"\n");
        if too_long {
            to_line_end(&mut self.reader, &mut line)?;
        }
        self.line += 1;
        let line_end: &[u8] = match line.as_slice() {
            [.., b'\r', b'\n'] => b"\r\n",
            [.., b'\n'] => b"\n",
            _ => b"",
        };
        let body = match str::from_utf8(&line[..line.len() - line_end.len()]) {
            Ok(text) if !too_long => text,
            outcome => {
                summary.line_redacted(if outcome.is_err() { "invalid_utf8" } else { "too_long" });
                REDACTED
            }
        };
        Ok(Some(Piece { request: record::with_body(body).into(), line_end, place }))
    }

    fn next_json(&mut self, summary: &mut Summary) -> Result<Option<Piece>, Failure> {
        let mut text = Vec::new();
        self.line += read_object(&mut self.reader, &mut text)?;
        let first = self.line;
        let place = Place::Line(first);
        if text.is_empty() {
            return Ok(None);
        }
        if text.len() > MAX_REQUEST {
            return Err(place.too_long());
        }
        self.line += memchr::memchr_iter(b'\n', &text).count();
        let mut request = Vec::new();
        let report = json::decode(self.signal, &text, &mut request)
            .map_err(|error| Failure::new(Exit::Data, error.below(first - 1)))?;
        summary.unknown_members += report.unknown_fields;
        Ok(Some(Piece { request: request.into(), line_end: b"", place }))
    }

    fn next_delimited(&mut self) -> Result<Option<Piece>, Failure> {
        let place = Place::Byte(self.byte);
        let mut len = 0_u64;
        for index in 0.. {
            let mut byte = [0];
            if self.reader.read(&mut byte)? == 0 {
                return if index == 0 { Ok(None) } else { Err(place.bad("the file ends within a length")) };
            }
            self.byte += 1;
            len |= u64::from(byte[0] & 0x7f) << (7 * index);
            if byte[0] < 0x80 {
                break;
            }
            if index == 4 {
                return Err(place.bad("a length is malformed"));
            }
        }
        if len > MAX_REQUEST as u64 {
            return Err(place.too_long());
        }
        let mut request = Vec::new();
        self.reader.by_ref().take(len).read_to_end(&mut request)?;
        if request.len() as u64 != len {
            return Err(place.bad("the file ends within a request"));
        }
        self.byte += len;
        Ok(Some(Piece { request: request.into(), line_end: b"", place }))
    }

    /// All of the file as one request.
    fn whole(&mut self) -> Result<Option<Piece>, Failure> {
        let place = Place::Byte(0);
        let mut request = Vec::new();
        self.reader.by_ref().take(MAX_REQUEST as u64 + 1).read_to_end(&mut request)?;
        match request.len() {
            // The end, and an empty file too: the empty request says nothing.
            0 => Ok(None),
            1..=MAX_REQUEST => Ok(Some(Piece { request: request.into(), line_end: b"", place })),
            _ => {
                Err(place
                    .bad(format_args!("more than {MAX_REQUEST} bytes; several requests in a row need --delimited")))
            }
        }
    }
}

/// Reads on to the end of a line, and leaves in `line` what says how it ended.
fn to_line_end(reader: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<()> {
    loop {
        line.drain(..line.len() - 1);
        let before = line.len();
        reader.by_ref().take(1 << 16).read_until(b'\n', line)?;
        if line.len() == before || line.ends_with(b"\n") {
            line.drain(..line.len().saturating_sub(2));
            return Ok(());
        }
    }
}

/// Reads one JSON object, be it a line or many; whatever is none, up to the line's end. Space before it is skipped: the
/// number of lines in that. Stops reading past [`MAX_REQUEST`].
fn read_object(reader: &mut impl BufRead, text: &mut Vec<u8>) -> io::Result<usize> {
    let mut lines = 0;
    let (mut depth, mut in_string, mut escaped) = (0_u32, false, false);
    loop {
        let buffer = reader.fill_buf()?;
        if buffer.is_empty() || text.len() > MAX_REQUEST {
            return Ok(lines);
        }
        let mut used = 0;
        let mut done = false;
        for &byte in buffer {
            used += 1;
            if text.is_empty() && byte.is_ascii_whitespace() {
                lines += usize::from(byte == b'\n');
                continue;
            }
            text.push(byte);
            match byte {
                _ if escaped => escaped = false,
                b'\\' if in_string => escaped = true,
                b'"' => in_string = !in_string,
                _ if in_string => {}
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth == 0 && matches!(byte, b'}' | b']' | b'\n') {
                done = true;
                break;
            }
        }
        reader.consume(used);
        if done {
            return Ok(lines);
        }
    }
}
