//! Names: lowerCamelCase of fields, names of enumeration values.

/// Appends a field's name as JSON has it: `time_unix_nano` as `timeUnixNano`.
pub(super) fn push_camel(field: &str, out: &mut Vec<u8>) {
    out.extend(camel(field));
}

/// Whether a member's name is the field's, in lowerCamelCase or as in the proto file.
pub(super) fn names(member: &str, field: &str) -> bool {
    member == field || member.bytes().eq(camel(field))
}

fn camel(field: &str) -> impl Iterator<Item = u8> {
    let mut upper = false;
    field.bytes().filter_map(move |byte| match byte {
        b'_' => {
            upper = true;
            None
        }
        _ => Some(if std::mem::take(&mut upper) { byte.to_ascii_uppercase() } else { byte }),
    })
}

/// The number of an enumeration's value, by its name in the proto file.
pub(super) fn enum_number(type_name: &str, value: &str) -> Option<i32> {
    let (prefix, values) = match type_name.rsplit_once('.')?.1 {
        "SeverityNumber" => ("SEVERITY_NUMBER_", SEVERITIES),
        "AggregationTemporality" => ("AGGREGATION_TEMPORALITY_", &["UNSPECIFIED", "DELTA", "CUMULATIVE"] as &[&str]),
        "SpanKind" => ("SPAN_KIND_", &["UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"] as _),
        "StatusCode" => ("STATUS_CODE_", &["UNSET", "OK", "ERROR"] as _),
        _ => return None,
    };
    let value = value.strip_prefix(prefix)?;
    values.iter().position(|name| *name == value).and_then(|index| i32::try_from(index).ok())
}

const SEVERITIES: &[&str] = &[
    "UNSPECIFIED",
    "TRACE",
    "TRACE2",
    "TRACE3",
    "TRACE4",
    "DEBUG",
    "DEBUG2",
    "DEBUG3",
    "DEBUG4",
    "INFO",
    "INFO2",
    "INFO3",
    "INFO4",
    "WARN",
    "WARN2",
    "WARN3",
    "WARN4",
    "ERROR",
    "ERROR2",
    "ERROR3",
    "ERROR4",
    "FATAL",
    "FATAL2",
    "FATAL3",
    "FATAL4",
];

#[cfg(test)]
mod tests {
    use prost_reflect::DescriptorPool;

    use super::*;
    use crate::otlp::schema::{Kind, MESSAGES};

    #[test]
    fn every_name_is_the_one_in_the_descriptors() {
        let pool = DescriptorPool::decode(opentelemetry_proto::DESCRIPTORS).expect("published descriptors decode");
        for field in MESSAGES.iter().flat_map(|message| message.fields) {
            if let Kind::Enum(name) = field.kind {
                let published = pool.get_enum_by_name(name).unwrap();
                for value in published.values() {
                    assert_eq!(enum_number(name, value.name()), Some(value.number()), "{}", value.name());
                }
            }
        }
        for message in MESSAGES {
            let published = pool.get_message_by_name(message.name).unwrap();
            for field in message.fields {
                let mut camel = Vec::new();
                push_camel(field.name, &mut camel);
                assert_eq!(camel, published.get_field(field.number).unwrap().json_name().as_bytes());
                assert!(names(field.name, field.name) && names(str::from_utf8(&camel).unwrap(), field.name));
            }
        }
    }

    #[test]
    fn names_that_are_none_have_no_number() {
        let status = "opentelemetry.proto.trace.v1.Status.StatusCode";
        for name in ["OK", "STATUS_CODE_", "STATUS_CODE_ok", "SPAN_KIND_SERVER", "STATUS_CODE_OK "] {
            assert_eq!(enum_number(status, name), None);
        }
    }
}
