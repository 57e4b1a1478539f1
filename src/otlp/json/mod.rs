//! OTLP/JSON: an Export request as JSON text, to and from its protobuf bytes, over the schema's table and without
//! structs in between.
//!
//! The mapping is protobuf's for JSON with OTLP's exceptions: trace, span and profile ids are hex, enumerations are
//! integers, names are lowerCamelCase. Written is the strict form; read are also names of enumeration values, names as
//! in the proto files, numbers as strings and the other way round. Unknown members are dropped.

mod decode;
mod encode;
mod lexer;
mod names;

use std::fmt;

use super::Signal;
use super::schema::{self, Field, Kind, Message};

/// How deep messages may nest, in either direction.
pub const MAX_DEPTH: usize = 64;

/// Appends a request to `out`, as one line of JSON without the line feed. On an error `out` is as it was.
pub fn encode(signal: Signal, request: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
    let start = out.len();
    encode::request(signal, request, out).inspect_err(|_| out.truncate(start))
}

/// Appends the protobuf form of one request in JSON to `out`. On an error `out` is as it was.
pub fn decode(signal: Signal, text: &[u8], out: &mut Vec<u8>) -> Result<Report, Error> {
    let start = out.len();
    decode::request(signal, text, out).inspect_err(|_| out.truncate(start))
}

/// What [`decode`] left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Members of objects that the schema does not know.
    pub unknown_fields: u64,
}

/// Why a request was not translated. Names the place, never a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The protobuf bytes are wrong at that offset.
    Protobuf { reason: &'static str, offset: usize },
    /// The JSON text is wrong: line and column count from 1, the column in bytes; the path is made of the schema's names.
    Json { reason: &'static str, line: usize, column: usize, path: String },
}

impl Error {
    /// The same for a request that starts below so many lines of a file.
    pub fn below(mut self, lines: usize) -> Error {
        if let Error::Json { line, .. } = &mut self {
            *line += lines;
        }
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Error::Protobuf { reason, offset } => write!(f, "byte {offset}: {reason}"),
            Error::Json { reason, line, column, path } => {
                write!(f, "line {line}, column {column}, at {path}: {reason}")
            }
        }
    }
}

impl std::error::Error for Error {}

/// The message that a field's value is, if it is one.
fn child(field: &Field) -> Option<&'static Message> {
    match field.kind {
        Kind::Message(message) => Some(message),
        Kind::Attributes(_) => Some(&schema::KEY_VALUE),
        _ => None,
    }
}

/// Whether a message's fields with presence are the members of one oneof (elsewhere each stands for itself).
fn has_oneof(message: &Message) -> bool {
    [&schema::ANY_VALUE, &schema::METRIC, &schema::NUMBER_DATA_POINT, &schema::EXEMPLAR].contains(&message)
}

#[cfg(test)]
mod tests {
    use prost_reflect::DescriptorPool;

    use super::*;

    #[test]
    fn oneofs_are_where_the_descriptors_have_them() {
        let pool = DescriptorPool::decode(opentelemetry_proto::DESCRIPTORS).expect("published descriptors decode");
        for message in schema::MESSAGES {
            let published = pool.get_message_by_name(message.name).expect("the table's test compares names");
            let oneofs: Vec<_> = published.oneofs().filter(|oneof| !oneof.is_synthetic()).collect();
            assert!(oneofs.len() <= 1, "{}", message.name);
            assert_eq!(has_oneof(message), oneofs.len() == 1, "{}", message.name);
            for field in message.fields.iter().filter(|field| has_oneof(message) && field.presence) {
                assert!(oneofs[0].fields().any(|member| member.number() == field.number), "{}", field.name);
            }
        }
    }
}
