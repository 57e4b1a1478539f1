//! What is allowed in a policy and worth a look: rules that can never act, patterns that cost much, exceptions that end
//! soon, rules without examples. Of the files that were given, not of the packs that they extend.

use jiff::ToSpan;
use jiff::civil::Date;

use crate::otlp::{Part, PartSet, Signal};

use super::compiled::Action;
use super::diagnostic::{Code, Diagnostic};
use super::glob::tails;
use super::keep::Kept;
use super::reader::At;
use super::syntax::{Document, Rule, Target};

/// An exception that ends within so many days is told.
const SOON: i64 = 30;

/// Looks at the rules of the first `own` files; `costs` are rules whose patterns cost more than others, and why.
pub fn lint(documents: &[Document], own: usize, costs: &[(At<String>, &'static str)], today: Date) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let all: Vec<&Rule> = documents.iter().flat_map(|document| &document.rules).collect();
    for rule in all.iter().filter(|rule| rule.name.file < own) {
        found.extend(impossible(rule).or_else(|| all.iter().find_map(|other| covered(rule, other))));
        found.extend(without_examples(rule));
    }
    for (name, why) in costs.iter().filter(|(name, _)| name.file < own) {
        let message = format!("the pattern of `{}` costs more than others: {why}", name.value);
        found.push(
            warning(Code::CostlyPattern, name, message)
                .help("give it `keywords:`, or a text of four characters or more that every match has"),
        );
    }
    for (document, list) in documents.iter().filter_map(|document| Some((document, document.keep.as_ref()?))) {
        for kept in list.iter().filter(|kept| kept.file < own) {
            let others = documents.iter().filter(|other| !std::ptr::eq(*other, document));
            found.extend(others.filter_map(|other| kept_by_one(kept, other)).next());
        }
    }
    let soon = today.checked_add(SOON.days()).unwrap_or(Date::MAX);
    for exception in documents.iter().flat_map(|document| &document.exceptions) {
        let expires = &exception.expires;
        if expires.file < own && (today..=soon).contains(&expires.value) {
            let message = format!("this exception works until {}, and not after", expires.value);
            let help = format!("ask {} whether it is still needed", exception.owner);
            found.push(
                Diagnostic::warning(Code::ExpiringException, expires.file, expires.at.clone(), message).help(help),
            );
        }
    }
    found.sort_by_key(|item| (item.file, item.at.start, item.code));
    found
}

/// A value on a keep list that another file's list has not.
fn kept_by_one(kept: &At<Kept>, other: &Document) -> Option<Diagnostic> {
    let list = other.keep.as_ref()?;
    if list.iter().any(|entry| kept.value.lies_in(&entry.value)) {
        return None;
    }
    let message = format!("this is not kept: `{}` does not have it on its list", other.name);
    let help =
        "a value must be on the lists of all files, so a file can only shorten them; `exceptions` let values through";
    Some(Diagnostic::warning(Code::NeverActs, kept.file, kept.at.clone(), message).help(help))
}

fn warning(code: Code, name: &At<String>, message: String) -> Diagnostic {
    Diagnostic::warning(code, name.file, name.at.clone(), message)
}

/// A rule that has no place to act at.
fn impossible(rule: &Rule) -> Option<Diagnostic> {
    let adds_up = rule.signals.contains(&Signal::Metrics) && places(rule).contains(Part::PointAttributes);
    if rule.action == Action::Aggregate && !adds_up {
        let message =
            format!("`{}` can add up nothing: attributes of data points are not among its places", rule.name.value);
        return Some(
            warning(Code::NeverActs, &rule.name, message).label("can never add up").help("`stay` does the same"),
        );
    }
    let parts = &rule.parts.as_ref()?.value;
    let never = |message: String| Some(warning(Code::NeverActs, &rule.name, message).label("can never act"));
    let has = |signal: &Signal| Part::ALL.into_iter().any(|part| parts.contains(part) && exists(part, *signal));
    if !rule.signals.iter().any(has) {
        let signals: Vec<&str> = rule.signals.iter().map(|signal| signal.name()).collect();
        return never(format!("no part that `{}` names exists in {}", rule.name.value, signals.join(", ")));
    }
    // A body may be a map, whose values have keys; the other parts that are no attributes stand under none.
    let keyed = |part: Part| part.is_attributes() || part == Part::Body;
    if !rule.keys.is_empty() && !Part::ALL.into_iter().any(|part| parts.contains(part) && keyed(part)) {
        return never(format!("no key stands over the parts that `{}` names", rule.name.value));
    }
    None
}

/// Whether a signal has such a part.
const fn exists(part: Part, signal: Signal) -> bool {
    match part {
        Part::Body | Part::SeverityText | Part::EventName => matches!(signal, Signal::Logs),
        Part::SpanName
        | Part::SpanEventName
        | Part::TraceState
        | Part::StatusMessage
        | Part::EventAttributes
        | Part::LinkAttributes => matches!(signal, Signal::Traces),
        Part::MetricName
        | Part::MetricDescription
        | Part::MetricUnit
        | Part::MetricMetadata
        | Part::PointAttributes
        | Part::ExemplarAttributes => matches!(signal, Signal::Metrics),
        Part::StringTable | Part::OriginalPayload => matches!(signal, Signal::Profiles),
        Part::RecordAttributes => !matches!(signal, Signal::Metrics),
        Part::ResourceAttributes
        | Part::ScopeAttributes
        | Part::AttributeKeys
        | Part::ScopeName
        | Part::ScopeVersion
        | Part::SchemaUrl
        | Part::EntityRefs
        | Part::Ids
        | Part::DestinationMessage => true,
    }
}

/// A rule that another, stricter one is always before: wherever it would act, the other does.
fn covered(rule: &Rule, other: &Rule) -> Option<Diagnostic> {
    let stricter = other.action > rule.action && rule.action > Action::Keep;
    let same_target = match (&rule.target, &other.target) {
        (Target::Field, Target::Field) => !other.scalars_only || rule.scalars_only,
        // What takes a whole field away leaves nothing to be searched.
        (Target::Detect(_), Target::Field) => other.action >= Action::Redact && !other.scalars_only,
        (Target::Detect(mine), Target::Detect(theirs)) => mine.0 & !theirs.0 == 0,
        _ => false,
    };
    let signals = rule.signals.iter().all(|signal| other.signals.contains(signal));
    let parts = within(&places(rule), &places(other));
    let keys = other.keys.is_empty()
        || !rule.keys.is_empty()
            && rule.keys.iter().all(|mine| {
                mine.value.literal().is_some_and(|key| {
                    tails(key).any(|tail| other.keys.iter().any(|theirs| theirs.value.matches(tail)))
                })
            });
    let when = other.when.iter().all(|clause| rule.when.iter().any(|mine| mine.value == clause.value));
    if !(stricter && same_target && signals && parts && keys && when) || rule.names_host {
        return None;
    }
    let message = format!(
        "`{}` can never act: wherever it would, `{}` does, and is stricter ({})",
        rule.name.value,
        other.name.value,
        other.action.name()
    );
    Some(warning(Code::NeverActs, &rule.name, message).label("can never act"))
}

fn places(rule: &Rule) -> PartSet {
    let named = rule.parts.as_ref().map_or(PartSet::ALL, |parts| parts.value);
    let reached = |part: &Part| rule.when.iter().all(|clause| part.is_within(clause.value.level));
    Part::ALL.into_iter().filter(|part| named.contains(*part) && reached(part)).collect()
}

fn within(inner: &PartSet, outer: &PartSet) -> bool {
    Part::ALL.into_iter().all(|part| !inner.contains(part) || outer.contains(part))
}

fn without_examples(rule: &Rule) -> Option<Diagnostic> {
    // What depends on the record alone has no text that it acts on: `tests:` show it.
    if matches!(rule.target, Target::Record) {
        return None;
    }
    let has = |hit| rule.examples.iter().any(|example| example.hit == hit);
    let missing = match (has(true), has(false)) {
        (true, true) => return None,
        (false, true) => "`hits`",
        (true, false) => "`misses`",
        (false, false) => "`hits` and `misses`",
    };
    let message = format!("`{}` has no {missing}", rule.name.value);
    Some(
        warning(Code::NoExamples, &rule.name, message)
            .help("examples say what a rule means, and `privet test` holds it to them"),
    )
}
