//! Three parsers' readings of the same bytes, made comparable.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use opentelemetry_proto::tonic::collector::{
    logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest,
    profiles::v1development::ExportProfilesServiceRequest, trace::v1::ExportTraceServiceRequest,
};
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, ReflectMessage, Value};

use crate::generate::request;
use crate::toolchain::{self, Missing};
use privet::otlp::Signal;

/// What one parser made of one request: its content in the common form, or why it could not be read.
pub type Reading = Result<Vec<u8>, String>;

/// prost, with the types of `opentelemetry-proto`.
pub fn prost(pool: &DescriptorPool, cases: &[(Signal, Vec<u8>)]) -> Vec<Reading> {
    fn again<M: Message + Default>(bytes: &[u8]) -> Result<Vec<u8>, String> {
        M::decode(bytes).map(|message| message.encode_to_vec()).map_err(|error| error.to_string())
    }
    let read = |(signal, bytes): &(Signal, Vec<u8>)| {
        let understood = match signal {
            Signal::Logs => again::<ExportLogsServiceRequest>(bytes),
            Signal::Metrics => again::<ExportMetricsServiceRequest>(bytes),
            Signal::Traces => again::<ExportTraceServiceRequest>(bytes),
            Signal::Profiles => again::<ExportProfilesServiceRequest>(bytes),
        }?;
        common_form(pool, *signal, &understood, usize::MAX)
    };
    cases.iter().map(read).collect()
}

/// Python's protobuf (upb), with the types of `opentelemetry-proto` there.
pub fn python(pool: &DescriptorPool, cases: &[(Signal, Vec<u8>)]) -> Result<Vec<Reading>, Missing> {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let interpreter = toolchain::python(&tests.join("clients/python/requirements.txt"))?;
    Ok(foreign(pool, Command::new(interpreter).arg(tests.join("parsers/python/read.py")), cases))
}

/// Go's pdata, which the OpenTelemetry Collector is built on.
pub fn go(pool: &DescriptorPool, cases: &[(Signal, Vec<u8>)]) -> Result<Vec<Reading>, Missing> {
    let program = toolchain::go(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parsers/go"))?;
    Ok(foreign(pool, &mut Command::new(program), cases))
}

/// Runs a reader over all cases. Each frame is a byte, a little-endian u32 length, and that many bytes.
fn foreign(pool: &DescriptorPool, reader: &mut Command, cases: &[(Signal, Vec<u8>)]) -> Vec<Reading> {
    let mut child = reader.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a built reader starts");
    let mut frames = Vec::new();
    for (signal, bytes) in cases {
        frames.push(*signal as u8);
        frames.extend((bytes.len() as u32).to_le_bytes());
        frames.extend(bytes);
    }
    let mut stdin = child.stdin.take().expect("stdin is piped");
    let writer = std::thread::spawn(move || stdin.write_all(&frames));
    let output = child.wait_with_output().expect("the reader's output is read");
    writer.join().expect("the writer does not panic").expect("the reader reads all cases");
    assert!(output.status.success(), "{reader:?} failed: {}", output.status);

    let mut rest = &output.stdout[..];
    let mut frame = || {
        let (header, after) = rest.split_at(5);
        let length = u32::from_le_bytes(header[1..].try_into().expect("four bytes")) as usize;
        let (data, after) = after.split_at(length);
        rest = after;
        (header[0], data)
    };
    let reading = |(signal, bytes): &(Signal, Vec<u8>)| match frame() {
        (0, data) => common_form(pool, *signal, data, strings(pool, *signal, bytes)),
        (1, why) => Err(String::from_utf8_lossy(why).into_owned()),
        (_, _) => Err("something remained unknown".to_owned()),
    };
    cases.iter().map(reading).collect()
}

/// Content in one form: fields in the order of their numbers, without what some of the parsers cannot tell from absence.
/// `strings`: how many entries of a profile's string table count; pdata puts more behind them when it writes.
fn common_form(pool: &DescriptorPool, signal: Signal, bytes: &[u8], strings: usize) -> Reading {
    let mut message =
        DynamicMessage::decode(request(pool, signal), bytes).map_err(|error| format!("what it wrote anew: {error}"))?;
    if signal == Signal::Profiles {
        resolve(&mut message, strings);
    }
    plain(&mut message);
    Ok(message.encode_to_vec())
}

/// The length of the string table in a request of profiles.
fn strings(pool: &DescriptorPool, signal: Signal, bytes: &[u8]) -> usize {
    let Ok(mut message) = DynamicMessage::decode(request(pool, signal), bytes) else { return 0 };
    string_table(&mut message).map_or(0, |table| table.len())
}

fn string_table(request: &mut DynamicMessage) -> Option<&mut Vec<Value>> {
    match request.get_field_by_name_mut("dictionary")?.as_message_mut()?.get_field_by_name_mut("string_table")? {
        Value::List(table) => Some(table),
        _ => None,
    }
}

/// Attributes of resources and scopes name their strings or hold them: pdata reads both, and writes names.
fn resolve(request: &mut DynamicMessage, strings: usize) {
    let table = string_table(request).map(std::mem::take).unwrap_or_default();
    if let Some(resources) = request.get_field_by_name_mut("resource_profiles") {
        name_strings(resources, &table);
    }
    let counted = table.into_iter().take(strings).collect();
    if let Some(kept) = string_table(request) {
        *kept = counted;
    }
}

fn name_strings(value: &mut Value, table: &[Value]) {
    match value {
        Value::List(items) => items.iter_mut().for_each(|item| name_strings(item, table)),
        Value::Message(message) => {
            for (index, text) in [("key_strindex", "key"), ("string_value_strindex", "string_value")] {
                let index = message.get_field_by_name(index).filter(|_| message.has_field_by_name(index));
                let named = index.and_then(|index| table.get(usize::try_from(index.as_i32()?).ok()?));
                if let Some(named) = named {
                    message.set_field_by_name(text, named.clone());
                    message.clear_field_by_name("key_strindex");
                }
            }
            let fields: Vec<_> = message.fields().map(|(field, _)| field).collect();
            fields.iter().for_each(|field| name_strings(message.get_field_mut(field), table));
        }
        _ => {}
    }
}

fn plain(message: &mut DynamicMessage) {
    let fields: Vec<_> = message.fields().map(|(field, _)| field).collect();
    for field in fields {
        let absent = match message.get_field_mut(&field) {
            Value::Message(inner) => {
                plain(inner);
                // pdata holds resource, scope, status, body and the like by value.
                inner.fields().next().is_none() && field.containing_oneof().is_none()
            }
            Value::List(items) => {
                items.iter_mut().filter_map(Value::as_message_mut).for_each(plain);
                false
            }
            // pdata holds identifiers as arrays: none is all zeros.
            Value::Bytes(id) => field.name().ends_with("_id") && id.iter().all(|&byte| byte == 0),
            // prost leaves out a negative zero where a zero is the default.
            Value::F64(number) => *number == 0.0 && !field.supports_presence(),
            _ => false,
        };
        if absent {
            message.clear_field(&field);
        }
    }
}

/// Every text in a reading, and every sequence of bytes.
pub fn texts(pool: &DescriptorPool, signal: Signal, content: &[u8]) -> Vec<Vec<u8>> {
    fn collect(value: &Value, found: &mut Vec<Vec<u8>>) {
        match value {
            Value::String(text) => found.push(text.clone().into_bytes()),
            Value::Bytes(bytes) => found.push(bytes.to_vec()),
            Value::List(items) => items.iter().for_each(|item| collect(item, found)),
            Value::Message(message) => message.fields().for_each(|(_, value)| collect(value, found)),
            _ => {}
        }
    }
    let message = DynamicMessage::decode(request(pool, signal), content).expect("a reading decodes");
    let mut found = Vec::new();
    collect(&Value::Message(message.transcode_to_dynamic()), &mut found);
    found
}
