//! The parts of a request in which text, bytes or attributes stand: what a policy's `parts:` names.

/// A place in OTLP that carries text, by its meaning and not by its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Part {
    /// Values of a resource's attributes.
    ResourceAttributes,
    /// Values of an instrumentation scope's attributes.
    ScopeAttributes,
    /// Values of a log record's, a span's or a profile's own attributes.
    RecordAttributes,
    /// Values of a span event's attributes.
    EventAttributes,
    /// Values of a span link's attributes.
    LinkAttributes,
    /// Values of a data point's attributes, which are part of a series' identity.
    PointAttributes,
    /// Values of an exemplar's filtered attributes.
    ExemplarAttributes,
    /// Values of a metric's metadata.
    MetricMetadata,
    /// Keys of attributes, wherever they stand, and map keys within values.
    AttributeKeys,
    /// A log record's body.
    Body,
    SeverityText,
    EventName,
    SpanName,
    SpanEventName,
    TraceState,
    StatusMessage,
    MetricName,
    MetricDescription,
    MetricUnit,
    ScopeName,
    ScopeVersion,
    SchemaUrl,
    /// Every text of a resource's entity references.
    EntityRefs,
    /// A profile dictionary's strings that no attribute names.
    StringTable,
    /// A profile's original payload and its format.
    OriginalPayload,
    /// Trace, span and profile identifiers.
    Ids,
    /// An error or status text that a destination sent back.
    DestinationMessage,
}

/// What a request is nested in, from without to within; each has attributes of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Level {
    Resource,
    Scope,
    /// A log record, a span, a data point, a profile.
    Record,
}

impl Level {
    pub const ALL: [Level; 3] = [Level::Resource, Level::Scope, Level::Record];

    /// The word for it in policies.
    pub const fn name(self) -> &'static str {
        match self {
            Level::Resource => "resource",
            Level::Scope => "scope",
            Level::Record => "record",
        }
    }
}

impl Part {
    pub const ALL: [Part; 27] = [
        Part::ResourceAttributes,
        Part::ScopeAttributes,
        Part::RecordAttributes,
        Part::EventAttributes,
        Part::LinkAttributes,
        Part::PointAttributes,
        Part::ExemplarAttributes,
        Part::MetricMetadata,
        Part::AttributeKeys,
        Part::Body,
        Part::SeverityText,
        Part::EventName,
        Part::SpanName,
        Part::SpanEventName,
        Part::TraceState,
        Part::StatusMessage,
        Part::MetricName,
        Part::MetricDescription,
        Part::MetricUnit,
        Part::ScopeName,
        Part::ScopeVersion,
        Part::SchemaUrl,
        Part::EntityRefs,
        Part::StringTable,
        Part::OriginalPayload,
        Part::Ids,
        Part::DestinationMessage,
    ];

    /// The word for it in policies.
    pub const fn name(self) -> &'static str {
        match self {
            Part::ResourceAttributes => "resource.attributes",
            Part::ScopeAttributes => "scope.attributes",
            Part::RecordAttributes => "record.attributes",
            Part::EventAttributes => "event.attributes",
            Part::LinkAttributes => "link.attributes",
            Part::PointAttributes => "point.attributes",
            Part::ExemplarAttributes => "exemplar.attributes",
            Part::MetricMetadata => "metric.metadata",
            Part::AttributeKeys => "attribute.keys",
            Part::Body => "body",
            Part::SeverityText => "severity_text",
            Part::EventName => "event_name",
            Part::SpanName => "span.name",
            Part::SpanEventName => "event.name",
            Part::TraceState => "trace_state",
            Part::StatusMessage => "status.message",
            Part::MetricName => "metric.name",
            Part::MetricDescription => "metric.description",
            Part::MetricUnit => "metric.unit",
            Part::ScopeName => "scope.name",
            Part::ScopeVersion => "scope.version",
            Part::SchemaUrl => "schema_url",
            Part::EntityRefs => "entity_refs",
            Part::StringTable => "string_table",
            Part::OriginalPayload => "original_payload",
            Part::Ids => "ids",
            Part::DestinationMessage => "destination.message",
        }
    }

    /// What a part stands in at the innermost. None for a profile's strings, which all resources share, and for a
    /// destination's answer.
    pub const fn level(self) -> Option<Level> {
        Some(match self {
            Part::ResourceAttributes | Part::SchemaUrl | Part::EntityRefs => Level::Resource,
            Part::ScopeAttributes
            | Part::ScopeName
            | Part::ScopeVersion
            | Part::MetricName
            | Part::MetricDescription
            | Part::MetricUnit
            | Part::MetricMetadata => Level::Scope,
            Part::RecordAttributes
            | Part::EventAttributes
            | Part::LinkAttributes
            | Part::PointAttributes
            | Part::ExemplarAttributes
            | Part::AttributeKeys
            | Part::Body
            | Part::SeverityText
            | Part::EventName
            | Part::SpanName
            | Part::SpanEventName
            | Part::TraceState
            | Part::StatusMessage
            | Part::OriginalPayload
            | Part::Ids => Level::Record,
            Part::StringTable | Part::DestinationMessage => return None,
        })
    }

    /// Whether a condition on that level can be decided for the part.
    pub fn is_within(self, level: Level) -> bool {
        self.level().is_some_and(|own| own >= level)
    }

    /// Whether values in this part stand under attribute keys.
    pub const fn is_attributes(self) -> bool {
        (self as u8) <= Part::MetricMetadata as u8
    }
}

/// A set of [`Part`]s.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PartSet(u32);

impl PartSet {
    pub const EMPTY: PartSet = PartSet(0);
    pub const ALL: PartSet = PartSet((1 << Part::ALL.len()) - 1);

    pub const fn with(self, part: Part) -> PartSet {
        PartSet(self.0 | 1 << part as u8)
    }

    pub const fn contains(self, part: Part) -> bool {
        self.0 & 1 << part as u8 != 0
    }
}

impl FromIterator<Part> for PartSet {
    fn from_iter<T: IntoIterator<Item = Part>>(parts: T) -> PartSet {
        parts.into_iter().fold(PartSet::EMPTY, PartSet::with)
    }
}
