//! OTLP 1.10 as one static table: every message of the four signals' Export requests and responses' requests, every
//! field, what it is on the wire and what it means. A test compares it with the published descriptors.

use super::Part;

/// What a field is, on the wire and by meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Double,
    Fixed64,
    Sfixed64,
    Fixed32,
    Int32,
    Int64,
    Uint32,
    Uint64,
    Sint32,
    Bool,
    /// An enumeration, by the fully qualified name of its type.
    Enum(&'static str),
    /// An index into a profile dictionary's string table.
    StringIndex,
    /// Text.
    String(Part),
    /// Bytes that may hold text.
    Bytes(Part),
    /// A binary identifier of exactly so many bytes, or empty.
    Id(u8),
    /// `repeated KeyValue`: attributes of that part.
    Attributes(Part),
    /// A nested message.
    Message(&'static Message),
}

/// A field of a [`Message`].
#[derive(Debug, PartialEq, Eq)]
pub struct Field {
    pub number: u32,
    /// Its name in the proto file (`time_unix_nano`).
    pub name: &'static str,
    pub kind: Kind,
    pub repeated: bool,
    /// Member of a oneof or declared `optional`: a default value on the wire means something.
    pub presence: bool,
    /// Member of the message's oneof (no message of OTLP has two).
    pub oneof: bool,
}

/// A message of OTLP.
#[derive(Debug, Eq)]
pub struct Message {
    /// The index of its row in the dispatch table, and in [`MESSAGES`].
    pub id: u8,
    /// Fully qualified, as in the descriptors.
    pub name: &'static str,
    pub fields: &'static [Field],
}

impl PartialEq for Message {
    fn eq(&self, other: &Message) -> bool {
        self.id == other.id
    }
}

impl Message {
    pub fn field(&self, number: u32) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.number == number)
    }

    /// The field that holds its attributes.
    pub fn attributes(&self) -> Option<&'static Field> {
        self.fields.iter().find(|field| matches!(field.kind, Kind::Attributes(_)))
    }
}

impl Field {
    /// Whether the field may come packed: a repeated number.
    pub const fn packable(&self) -> bool {
        self.repeated && self.kind.scalar_wire_type().is_some()
    }
}

impl Kind {
    /// The wire type of a number of this kind, `None` for what is length-delimited.
    pub const fn scalar_wire_type(self) -> Option<u8> {
        match self {
            Kind::Int32 | Kind::Int64 | Kind::Uint32 | Kind::Uint64 | Kind::Sint32 => Some(0),
            Kind::Bool | Kind::Enum(_) | Kind::StringIndex => Some(0),
            Kind::Double | Kind::Fixed64 | Kind::Sfixed64 => Some(1),
            Kind::Fixed32 => Some(5),
            Kind::String(_) | Kind::Bytes(_) | Kind::Id(_) | Kind::Attributes(_) | Kind::Message(_) => None,
        }
    }
}

/// `number name: kind` → [`Field`]; `repeated`, `optional` and `oneof` as in a proto file.
macro_rules! field {
    ($number:literal $name:ident repeated $kind:expr) => {
        Field { number: $number, name: stringify!($name), kind: $kind, repeated: true, presence: false, oneof: false }
    };
    ($number:literal $name:ident optional $kind:expr) => {
        Field { number: $number, name: stringify!($name), kind: $kind, repeated: false, presence: true, oneof: false }
    };
    ($number:literal $name:ident oneof $kind:expr) => {
        Field { number: $number, name: stringify!($name), kind: $kind, repeated: false, presence: true, oneof: true }
    };
    ($number:literal $name:ident single $kind:expr) => {
        Field { number: $number, name: stringify!($name), kind: $kind, repeated: false, presence: false, oneof: false }
    };
}

macro_rules! messages {
    ($($id:literal $constant:ident = $name:literal { $($number:literal $field:ident: $label:ident $kind:expr;)* })*) => {
        $(
            pub static $constant: Message = Message {
                id: $id,
                name: $name,
                fields: &[$(field!($number $field $label $kind)),*],
            };
        )*
        /// Every message, by id.
        pub static MESSAGES: &[&Message] = &[$(&$constant),*];
    };
}

use Kind::*;

messages! {
    0 KEY_VALUE = "opentelemetry.proto.common.v1.KeyValue" {
        1 key: single String(Part::AttributeKeys);
        2 value: single Message(&ANY_VALUE);
        3 key_strindex: single StringIndex;
    }
    1 ANY_VALUE = "opentelemetry.proto.common.v1.AnyValue" {
        1 string_value: oneof String(Part::RecordAttributes);
        2 bool_value: oneof Bool;
        3 int_value: oneof Int64;
        4 double_value: oneof Double;
        5 array_value: oneof Message(&ARRAY_VALUE);
        6 kvlist_value: oneof Message(&KEY_VALUE_LIST);
        7 bytes_value: oneof Bytes(Part::RecordAttributes);
        8 string_value_strindex: oneof StringIndex;
    }
    2 ARRAY_VALUE = "opentelemetry.proto.common.v1.ArrayValue" {
        1 values: repeated Message(&ANY_VALUE);
    }
    3 KEY_VALUE_LIST = "opentelemetry.proto.common.v1.KeyValueList" {
        1 values: repeated Attributes(Part::RecordAttributes);
    }
    4 INSTRUMENTATION_SCOPE = "opentelemetry.proto.common.v1.InstrumentationScope" {
        1 name: single String(Part::ScopeName);
        2 version: single String(Part::ScopeVersion);
        3 attributes: repeated Attributes(Part::ScopeAttributes);
        4 dropped_attributes_count: single Uint32;
    }
    5 ENTITY_REF = "opentelemetry.proto.common.v1.EntityRef" {
        1 schema_url: single String(Part::SchemaUrl);
        2 type: single String(Part::EntityRefs);
        3 id_keys: repeated String(Part::AttributeKeys);
        4 description_keys: repeated String(Part::AttributeKeys);
    }
    6 RESOURCE = "opentelemetry.proto.resource.v1.Resource" {
        1 attributes: repeated Attributes(Part::ResourceAttributes);
        2 dropped_attributes_count: single Uint32;
        3 entity_refs: repeated Message(&ENTITY_REF);
    }
    7 EXPORT_LOGS_REQUEST = "opentelemetry.proto.collector.logs.v1.ExportLogsServiceRequest" {
        1 resource_logs: repeated Message(&RESOURCE_LOGS);
    }
    8 RESOURCE_LOGS = "opentelemetry.proto.logs.v1.ResourceLogs" {
        1 resource: single Message(&RESOURCE);
        2 scope_logs: repeated Message(&SCOPE_LOGS);
        3 schema_url: single String(Part::SchemaUrl);
    }
    9 SCOPE_LOGS = "opentelemetry.proto.logs.v1.ScopeLogs" {
        1 scope: single Message(&INSTRUMENTATION_SCOPE);
        2 log_records: repeated Message(&LOG_RECORD);
        3 schema_url: single String(Part::SchemaUrl);
    }
    10 LOG_RECORD = "opentelemetry.proto.logs.v1.LogRecord" {
        1 time_unix_nano: single Fixed64;
        11 observed_time_unix_nano: single Fixed64;
        2 severity_number: single Enum("opentelemetry.proto.logs.v1.SeverityNumber");
        3 severity_text: single String(Part::SeverityText);
        5 body: single Message(&ANY_VALUE);
        6 attributes: repeated Attributes(Part::RecordAttributes);
        7 dropped_attributes_count: single Uint32;
        8 flags: single Fixed32;
        9 trace_id: single Id(16);
        10 span_id: single Id(8);
        12 event_name: single String(Part::EventName);
    }
    11 EXPORT_METRICS_REQUEST = "opentelemetry.proto.collector.metrics.v1.ExportMetricsServiceRequest" {
        1 resource_metrics: repeated Message(&RESOURCE_METRICS);
    }
    12 RESOURCE_METRICS = "opentelemetry.proto.metrics.v1.ResourceMetrics" {
        1 resource: single Message(&RESOURCE);
        2 scope_metrics: repeated Message(&SCOPE_METRICS);
        3 schema_url: single String(Part::SchemaUrl);
    }
    13 SCOPE_METRICS = "opentelemetry.proto.metrics.v1.ScopeMetrics" {
        1 scope: single Message(&INSTRUMENTATION_SCOPE);
        2 metrics: repeated Message(&METRIC);
        3 schema_url: single String(Part::SchemaUrl);
    }
    14 METRIC = "opentelemetry.proto.metrics.v1.Metric" {
        1 name: single String(Part::MetricName);
        2 description: single String(Part::MetricDescription);
        3 unit: single String(Part::MetricUnit);
        5 gauge: oneof Message(&GAUGE);
        7 sum: oneof Message(&SUM);
        9 histogram: oneof Message(&HISTOGRAM);
        10 exponential_histogram: oneof Message(&EXPONENTIAL_HISTOGRAM);
        11 summary: oneof Message(&SUMMARY);
        12 metadata: repeated Attributes(Part::MetricMetadata);
    }
    15 GAUGE = "opentelemetry.proto.metrics.v1.Gauge" {
        1 data_points: repeated Message(&NUMBER_DATA_POINT);
    }
    16 SUM = "opentelemetry.proto.metrics.v1.Sum" {
        1 data_points: repeated Message(&NUMBER_DATA_POINT);
        2 aggregation_temporality: single Enum("opentelemetry.proto.metrics.v1.AggregationTemporality");
        3 is_monotonic: single Bool;
    }
    17 HISTOGRAM = "opentelemetry.proto.metrics.v1.Histogram" {
        1 data_points: repeated Message(&HISTOGRAM_DATA_POINT);
        2 aggregation_temporality: single Enum("opentelemetry.proto.metrics.v1.AggregationTemporality");
    }
    18 EXPONENTIAL_HISTOGRAM = "opentelemetry.proto.metrics.v1.ExponentialHistogram" {
        1 data_points: repeated Message(&EXPONENTIAL_HISTOGRAM_DATA_POINT);
        2 aggregation_temporality: single Enum("opentelemetry.proto.metrics.v1.AggregationTemporality");
    }
    19 SUMMARY = "opentelemetry.proto.metrics.v1.Summary" {
        1 data_points: repeated Message(&SUMMARY_DATA_POINT);
    }
    20 NUMBER_DATA_POINT = "opentelemetry.proto.metrics.v1.NumberDataPoint" {
        7 attributes: repeated Attributes(Part::PointAttributes);
        2 start_time_unix_nano: single Fixed64;
        3 time_unix_nano: single Fixed64;
        4 as_double: oneof Double;
        6 as_int: oneof Sfixed64;
        5 exemplars: repeated Message(&EXEMPLAR);
        8 flags: single Uint32;
    }
    21 HISTOGRAM_DATA_POINT = "opentelemetry.proto.metrics.v1.HistogramDataPoint" {
        9 attributes: repeated Attributes(Part::PointAttributes);
        2 start_time_unix_nano: single Fixed64;
        3 time_unix_nano: single Fixed64;
        4 count: single Fixed64;
        5 sum: optional Double;
        6 bucket_counts: repeated Fixed64;
        7 explicit_bounds: repeated Double;
        8 exemplars: repeated Message(&EXEMPLAR);
        10 flags: single Uint32;
        11 min: optional Double;
        12 max: optional Double;
    }
    22 EXPONENTIAL_HISTOGRAM_DATA_POINT = "opentelemetry.proto.metrics.v1.ExponentialHistogramDataPoint" {
        1 attributes: repeated Attributes(Part::PointAttributes);
        2 start_time_unix_nano: single Fixed64;
        3 time_unix_nano: single Fixed64;
        4 count: single Fixed64;
        5 sum: optional Double;
        6 scale: single Sint32;
        7 zero_count: single Fixed64;
        8 positive: single Message(&BUCKETS);
        9 negative: single Message(&BUCKETS);
        10 flags: single Uint32;
        11 exemplars: repeated Message(&EXEMPLAR);
        12 min: optional Double;
        13 max: optional Double;
        14 zero_threshold: single Double;
    }
    23 BUCKETS = "opentelemetry.proto.metrics.v1.ExponentialHistogramDataPoint.Buckets" {
        1 offset: single Sint32;
        2 bucket_counts: repeated Uint64;
    }
    24 SUMMARY_DATA_POINT = "opentelemetry.proto.metrics.v1.SummaryDataPoint" {
        7 attributes: repeated Attributes(Part::PointAttributes);
        2 start_time_unix_nano: single Fixed64;
        3 time_unix_nano: single Fixed64;
        4 count: single Fixed64;
        5 sum: single Double;
        6 quantile_values: repeated Message(&VALUE_AT_QUANTILE);
        8 flags: single Uint32;
    }
    25 VALUE_AT_QUANTILE = "opentelemetry.proto.metrics.v1.SummaryDataPoint.ValueAtQuantile" {
        1 quantile: single Double;
        2 value: single Double;
    }
    26 EXEMPLAR = "opentelemetry.proto.metrics.v1.Exemplar" {
        7 filtered_attributes: repeated Attributes(Part::ExemplarAttributes);
        2 time_unix_nano: single Fixed64;
        3 as_double: oneof Double;
        6 as_int: oneof Sfixed64;
        4 span_id: single Id(8);
        5 trace_id: single Id(16);
    }
    27 EXPORT_TRACE_REQUEST = "opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest" {
        1 resource_spans: repeated Message(&RESOURCE_SPANS);
    }
    28 RESOURCE_SPANS = "opentelemetry.proto.trace.v1.ResourceSpans" {
        1 resource: single Message(&RESOURCE);
        2 scope_spans: repeated Message(&SCOPE_SPANS);
        3 schema_url: single String(Part::SchemaUrl);
    }
    29 SCOPE_SPANS = "opentelemetry.proto.trace.v1.ScopeSpans" {
        1 scope: single Message(&INSTRUMENTATION_SCOPE);
        2 spans: repeated Message(&SPAN);
        3 schema_url: single String(Part::SchemaUrl);
    }
    30 SPAN = "opentelemetry.proto.trace.v1.Span" {
        1 trace_id: single Id(16);
        2 span_id: single Id(8);
        3 trace_state: single String(Part::TraceState);
        4 parent_span_id: single Id(8);
        16 flags: single Fixed32;
        5 name: single String(Part::SpanName);
        6 kind: single Enum("opentelemetry.proto.trace.v1.Span.SpanKind");
        7 start_time_unix_nano: single Fixed64;
        8 end_time_unix_nano: single Fixed64;
        9 attributes: repeated Attributes(Part::RecordAttributes);
        10 dropped_attributes_count: single Uint32;
        11 events: repeated Message(&SPAN_EVENT);
        12 dropped_events_count: single Uint32;
        13 links: repeated Message(&SPAN_LINK);
        14 dropped_links_count: single Uint32;
        15 status: single Message(&STATUS);
    }
    31 SPAN_EVENT = "opentelemetry.proto.trace.v1.Span.Event" {
        1 time_unix_nano: single Fixed64;
        2 name: single String(Part::SpanEventName);
        3 attributes: repeated Attributes(Part::EventAttributes);
        4 dropped_attributes_count: single Uint32;
    }
    32 SPAN_LINK = "opentelemetry.proto.trace.v1.Span.Link" {
        1 trace_id: single Id(16);
        2 span_id: single Id(8);
        3 trace_state: single String(Part::TraceState);
        4 attributes: repeated Attributes(Part::LinkAttributes);
        5 dropped_attributes_count: single Uint32;
        6 flags: single Fixed32;
    }
    33 STATUS = "opentelemetry.proto.trace.v1.Status" {
        2 message: single String(Part::StatusMessage);
        3 code: single Enum("opentelemetry.proto.trace.v1.Status.StatusCode");
    }
    34 EXPORT_PROFILES_REQUEST = "opentelemetry.proto.collector.profiles.v1development.ExportProfilesServiceRequest" {
        1 resource_profiles: repeated Message(&RESOURCE_PROFILES);
        2 dictionary: single Message(&PROFILES_DICTIONARY);
    }
    35 PROFILES_DICTIONARY = "opentelemetry.proto.profiles.v1development.ProfilesDictionary" {
        1 mapping_table: repeated Message(&MAPPING);
        2 location_table: repeated Message(&LOCATION);
        3 function_table: repeated Message(&FUNCTION);
        4 link_table: repeated Message(&LINK);
        5 string_table: repeated String(Part::StringTable);
        6 attribute_table: repeated Message(&KEY_VALUE_AND_UNIT);
        7 stack_table: repeated Message(&STACK);
    }
    36 RESOURCE_PROFILES = "opentelemetry.proto.profiles.v1development.ResourceProfiles" {
        1 resource: single Message(&RESOURCE);
        2 scope_profiles: repeated Message(&SCOPE_PROFILES);
        3 schema_url: single String(Part::SchemaUrl);
    }
    37 SCOPE_PROFILES = "opentelemetry.proto.profiles.v1development.ScopeProfiles" {
        1 scope: single Message(&INSTRUMENTATION_SCOPE);
        2 profiles: repeated Message(&PROFILE);
        3 schema_url: single String(Part::SchemaUrl);
    }
    38 PROFILE = "opentelemetry.proto.profiles.v1development.Profile" {
        1 sample_type: single Message(&VALUE_TYPE);
        2 samples: repeated Message(&SAMPLE);
        3 time_unix_nano: single Fixed64;
        4 duration_nano: single Uint64;
        5 period_type: single Message(&VALUE_TYPE);
        6 period: single Int64;
        7 profile_id: single Id(16);
        8 dropped_attributes_count: single Uint32;
        9 original_payload_format: single String(Part::OriginalPayload);
        10 original_payload: single Bytes(Part::OriginalPayload);
        11 attribute_indices: repeated Int32;
    }
    39 LINK = "opentelemetry.proto.profiles.v1development.Link" {
        1 trace_id: single Id(16);
        2 span_id: single Id(8);
    }
    40 VALUE_TYPE = "opentelemetry.proto.profiles.v1development.ValueType" {
        1 type_strindex: single StringIndex;
        2 unit_strindex: single StringIndex;
    }
    41 SAMPLE = "opentelemetry.proto.profiles.v1development.Sample" {
        1 stack_index: single Int32;
        2 attribute_indices: repeated Int32;
        3 link_index: single Int32;
        4 values: repeated Int64;
        5 timestamps_unix_nano: repeated Fixed64;
    }
    42 MAPPING = "opentelemetry.proto.profiles.v1development.Mapping" {
        1 memory_start: single Uint64;
        2 memory_limit: single Uint64;
        3 file_offset: single Uint64;
        4 filename_strindex: single StringIndex;
        5 attribute_indices: repeated Int32;
    }
    43 STACK = "opentelemetry.proto.profiles.v1development.Stack" {
        1 location_indices: repeated Int32;
    }
    44 LOCATION = "opentelemetry.proto.profiles.v1development.Location" {
        1 mapping_index: single Int32;
        2 address: single Uint64;
        3 lines: repeated Message(&LINE);
        4 attribute_indices: repeated Int32;
    }
    45 LINE = "opentelemetry.proto.profiles.v1development.Line" {
        1 function_index: single Int32;
        2 line: single Int64;
        3 column: single Int64;
    }
    46 FUNCTION = "opentelemetry.proto.profiles.v1development.Function" {
        1 name_strindex: single StringIndex;
        2 system_name_strindex: single StringIndex;
        3 filename_strindex: single StringIndex;
        4 start_line: single Int64;
    }
    47 KEY_VALUE_AND_UNIT = "opentelemetry.proto.profiles.v1development.KeyValueAndUnit" {
        1 key_strindex: single StringIndex;
        2 value: single Message(&ANY_VALUE);
        3 unit_strindex: single StringIndex;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost_reflect::{DescriptorPool, FieldDescriptor, Kind as Published};

    fn pool() -> DescriptorPool {
        DescriptorPool::decode(opentelemetry_proto::DESCRIPTORS).expect("published descriptors decode")
    }

    fn agrees(field: &Field, published: &FieldDescriptor) -> bool {
        let repeated = field.repeated == published.is_list();
        let presence =
            !published.is_list() && !matches!(published.kind(), Published::Message(_)) && published.supports_presence()
                || published.containing_oneof().is_some();
        let kind = match (field.kind, published.kind()) {
            (Double, Published::Double)
            | (Fixed64, Published::Fixed64)
            | (Sfixed64, Published::Sfixed64)
            | (Fixed32, Published::Fixed32)
            | (Int32 | StringIndex, Published::Int32)
            | (Int64, Published::Int64)
            | (Uint32, Published::Uint32)
            | (Uint64, Published::Uint64)
            | (Sint32, Published::Sint32)
            | (Bool, Published::Bool)
            | (String(_), Published::String)
            | (Bytes(_) | Id(_), Published::Bytes) => true,
            (Enum(name), Published::Enum(published)) => name == published.full_name(),
            (Attributes(_), Published::Message(published)) => published.full_name() == KEY_VALUE.name,
            (Message(message), Published::Message(published)) => {
                message.name == published.full_name() && message.name != KEY_VALUE.name
            }
            _ => false,
        };
        // Whoever adds an index into the string table has to be told: its name is all that tells it from a number.
        let index = (field.kind == StringIndex) == published.name().ends_with("strindex");
        let oneof = published.containing_oneof().is_some_and(|oneof| !oneof.is_synthetic());
        repeated && kind && index && field.presence == presence && field.oneof == oneof
    }

    #[test]
    fn the_table_is_what_opentelemetry_publishes_and_nothing_is_missing() {
        let pool = pool();
        for message in MESSAGES {
            let published = pool.get_message_by_name(message.name).unwrap_or_else(|| panic!("{}", message.name));
            let mut ours: Vec<_> = message.fields.iter().map(|f| (f.number, f.name)).collect();
            let mut theirs: Vec<_> = published.fields().map(|f| (f.number(), f.name().to_owned())).collect();
            ours.sort();
            theirs.sort();
            let theirs: Vec<_> = theirs.iter().map(|(n, s)| (*n, s.as_str())).collect();
            assert_eq!(ours, theirs, "{}", message.name);
            for field in message.fields {
                let published = published.get_field(field.number).expect("compared above");
                assert!(agrees(field, &published), "{}.{}: {published:?}", message.name, field.name);
            }
        }
    }

    #[test]
    fn ids_are_the_indices_of_the_messages() {
        for (index, message) in MESSAGES.iter().enumerate() {
            assert_eq!(index, usize::from(message.id), "{}", message.name);
        }
    }

    #[test]
    fn every_message_that_a_request_can_hold_is_in_the_table() {
        let pool = pool();
        for signal in crate::otlp::Signal::ALL {
            let mut open = vec![pool.get_message_by_name(signal.request().name).expect("a request")];
            let mut seen = std::collections::BTreeSet::new();
            while let Some(message) = open.pop() {
                if !seen.insert(message.full_name().to_owned()) {
                    continue;
                }
                assert!(MESSAGES.iter().any(|ours| ours.name == message.full_name()), "{}", message.full_name());
                open.extend(message.fields().filter_map(|field| field.kind().as_message().cloned()));
            }
        }
    }
}
