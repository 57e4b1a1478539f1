//! What each message is to the filter.

use crate::otlp::schema::{self, MESSAGES};

/// What a message is to the filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Plain,
    /// `Resource*`: what its resource says holds for all below.
    ResourceEnvelope,
    ScopeEnvelope,
    /// Resource or scope: attributes that are part of a series' identity.
    Source,
    /// A log record, span or profile.
    Record,
    Metric,
    DataPoint,
    /// An `AnyValue` that is no attribute's: a body.
    Value,
    EntityRef,
    Dictionary,
}

const fn role(message: u8) -> Role {
    const RESOURCE_ENVELOPES: [u8; 4] = [
        schema::RESOURCE_LOGS.id,
        schema::RESOURCE_METRICS.id,
        schema::RESOURCE_SPANS.id,
        schema::RESOURCE_PROFILES.id,
    ];
    const SCOPE_ENVELOPES: [u8; 4] =
        [schema::SCOPE_LOGS.id, schema::SCOPE_METRICS.id, schema::SCOPE_SPANS.id, schema::SCOPE_PROFILES.id];
    const RECORDS: [u8; 3] = [schema::LOG_RECORD.id, schema::SPAN.id, schema::PROFILE.id];
    const POINTS: [u8; 4] = [
        schema::NUMBER_DATA_POINT.id,
        schema::HISTOGRAM_DATA_POINT.id,
        schema::EXPONENTIAL_HISTOGRAM_DATA_POINT.id,
        schema::SUMMARY_DATA_POINT.id,
    ];
    const fn any(ids: &[u8], id: u8) -> bool {
        let mut index = 0;
        while index < ids.len() {
            if ids[index] == id {
                return true;
            }
            index += 1;
        }
        false
    }
    match message {
        id if any(&RESOURCE_ENVELOPES, id) => Role::ResourceEnvelope,
        id if any(&SCOPE_ENVELOPES, id) => Role::ScopeEnvelope,
        id if any(&RECORDS, id) => Role::Record,
        id if any(&POINTS, id) => Role::DataPoint,
        id if id == schema::RESOURCE.id || id == schema::INSTRUMENTATION_SCOPE.id => Role::Source,
        id if id == schema::METRIC.id => Role::Metric,
        id if id == schema::ANY_VALUE.id => Role::Value,
        id if id == schema::ENTITY_REF.id => Role::EntityRef,
        id if id == schema::PROFILES_DICTIONARY.id => Role::Dictionary,
        _ => Role::Plain,
    }
}

pub(super) static ROLES: [Role; MESSAGES.len()] = {
    let mut roles = [Role::Plain; MESSAGES.len()];
    let mut id = 0;
    while id < roles.len() {
        roles[id] = role(id as u8);
        id += 1;
    }
    roles
};
