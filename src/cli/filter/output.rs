//! Filtered requests into a file.

use std::io::{self, Write};

use super::Form;
use super::record::{self, DROPPED};
use crate::cli::{Exit, Failure};
use crate::otlp::{Signal, json};

pub(super) struct Output<W> {
    writer: W,
    signal: Signal,
    form: Form,
    delimited: bool,
    written: u64,
    /// Whether nobody reads any more: the pipe is broken.
    pub reader_gone: bool,
    /// Reused from request to request.
    text: Vec<u8>,
}

impl<W: Write> Output<W> {
    pub fn new(writer: W, signal: Signal, form: Form, delimited: bool) -> Output<W> {
        Output { writer, signal, form, delimited, written: 0, reader_gone: false, text: Vec::new() }
    }

    /// Writes one request. `line_end` ends the line that is made of it again.
    pub fn write(&mut self, request: &[u8], line_end: &[u8]) -> Result<(), Failure> {
        self.text.clear();
        match self.form {
            Form::Lines => {
                // A line feed can only be an accident, and would make one line two.
                let body = record::body(request).map(|body| if body.contains('\n') { record::REDACTED } else { body });
                self.text.extend_from_slice(body.unwrap_or(DROPPED).as_bytes());
                self.text.extend_from_slice(line_end);
            }
            Form::OtlpJson => {
                json::encode(self.signal, request, &mut self.text).map_err(|error| Failure::new(Exit::Data, error))?;
                self.text.push(b'\n');
            }
            Form::OtlpProtobuf if self.delimited => {
                prost::encode_length_delimiter(request.len(), &mut self.text).expect("a Vec grows");
                self.text.extend_from_slice(request);
            }
            Form::OtlpProtobuf => {
                // Requests put together are one request, but for profiles: each has a dictionary of its own.
                if self.signal == Signal::Profiles && self.written > 0 {
                    let message = "several requests of profiles cannot be put together: write them --delimited";
                    return Err(Failure::new(Exit::Data, message));
                }
                self.text.extend_from_slice(request);
            }
        }
        self.written += 1;
        let outcome = self.writer.write_all(&self.text);
        self.noting(outcome)
    }

    pub fn flush(&mut self) -> Result<(), Failure> {
        let outcome = self.writer.flush();
        self.noting(outcome)
    }

    fn noting(&mut self, outcome: io::Result<()>) -> Result<(), Failure> {
        self.reader_gone |= outcome.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::BrokenPipe);
        Ok(outcome?)
    }
}
