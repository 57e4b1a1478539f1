//! What can only be seen when all files are there: names, kinds, conditions and exceptions.

use std::collections::{BTreeSet, HashMap};

use jiff::civil::Date;

use crate::otlp::Part;

use super::compile::BUILTIN_KINDS;
use super::compiled::Action;
use super::diagnostic::{Code, Diagnostic, did_you_mean};
use super::glob::fold;
use super::permitted;
use super::syntax::{Document, Exception, Rule, Target};

/// Everything that is wrong between the rules of a policy.
pub fn check(documents: &[Document], today: Date) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let rules: Vec<&Rule> = documents.iter().flat_map(|document| &document.rules).collect();
    unique_names(&rules, &mut found);
    let kinds: BTreeSet<&str> = documents
        .iter()
        .flat_map(|document| document.kinds.iter().map(|kind| kind.value.as_str()))
        .chain(BUILTIN_KINDS)
        .chain(["address"])
        .collect();
    for rule in &rules {
        known_kind(rule, &kinds, &mut found);
        conditions_in_reach(rule, &mut found);
        names_host_on_hosts(rule, &mut found);
    }
    let has_list = documents.iter().any(|document| document.attributes.is_some());
    let mut names: Vec<&str> = rules.iter().map(|rule| rule.name.value.as_str()).collect();
    names.extend(has_list.then_some(permitted::RULE));
    for exception in documents.iter().flat_map(|document| &document.exceptions) {
        exception_names_rules(exception, &names, &mut found);
        exception_is_alive(exception, today, &mut found);
    }
    found
}

fn unique_names(rules: &[&Rule], found: &mut Vec<Diagnostic>) {
    let mut seen: HashMap<String, &Rule> = HashMap::new();
    for rule in rules {
        if seen.insert(fold(&rule.name.value), rule).is_some() {
            let message = format!("there are two rules `{}`", rule.name.value);
            found.push(
                Diagnostic::error(Code::DuplicateRule, rule.name.file, rule.name.at.clone(), message)
                    .label("the second one")
                    .help("each rule has a name of its own (case, `_` and `-` do not count)"),
            );
        }
    }
}

fn known_kind(rule: &Rule, kinds: &BTreeSet<&str>, found: &mut Vec<Diagnostic>) {
    let Some(kind) = &rule.kind else { return };
    if kinds.contains(kind.value.as_str()) {
        return;
    }
    let help = did_you_mean(&kind.value, kinds.iter().copied())
        .unwrap_or_else(|| format!("declare it: `kinds: [{}]`", kind.value));
    let message = format!("there is no kind `{}`", kind.value);
    found.push(
        Diagnostic::error(Code::UnknownKind, kind.file, kind.at.clone(), message).label("unknown kind").help(help),
    );
}

fn names_host_on_hosts(rule: &Rule, found: &mut Vec<Diagnostic>) {
    let hosts = rule.kind.as_ref().is_some_and(|kind| ["host", "address"].contains(&kind.value.as_str()));
    if rule.names_host && !(hosts && matches!(rule.target, Target::Field) && rule.action > Action::Keep) {
        let message = "`names_host` belongs to a rule that hides a whole field `as: host`";
        found.push(Diagnostic::error(Code::OptionDoesNotFit, rule.name.file, rule.name.at.clone(), message));
    }
}

fn conditions_in_reach(rule: &Rule, found: &mut Vec<Diagnostic>) {
    let Some(parts) = &rule.parts else { return };
    for clause in &rule.when {
        let level = clause.value.level;
        let (within, beyond): (Vec<Part>, Vec<Part>) =
            Part::ALL.into_iter().filter(|part| parts.value.contains(*part)).partition(|part| part.is_within(level));
        // `attributes` names parts of all levels: it means those that the condition can reach.
        if within.is_empty() && !beyond.is_empty() {
            let beyond: Vec<&str> = beyond.into_iter().map(Part::name).collect();
            let message = format!("a condition on the {} cannot be decided for {}", level.name(), beyond.join(", "));
            found.push(
                Diagnostic::error(Code::ConditionOutOfReach, clause.file, clause.at.clone(), message)
                    .label("decided further inside than the parts of this rule")
                    .help("leave out the condition, or name parts that stand below it"),
            );
        }
    }
}

fn exception_names_rules(exception: &Exception, rules: &[&str], found: &mut Vec<Diagnostic>) {
    for glob in &exception.rules {
        if rules.iter().any(|rule| glob.value.matches(&fold(rule))) {
            continue;
        }
        let diagnostic =
            Diagnostic::error(Code::UnknownRule, glob.file, glob.at.clone(), "this exception is from no rule");
        let wanted = glob.value.literal().unwrap_or("");
        found.push(match did_you_mean(wanted, rules.iter().copied()) {
            Some(help) => diagnostic.label("no rule has this name").help(help),
            None => diagnostic.label("no rule has this name"),
        });
    }
}

fn exception_is_alive(exception: &Exception, today: Date, found: &mut Vec<Diagnostic>) {
    if exception.expires.value < today {
        let expires = &exception.expires;
        let message = format!("this exception expired on {} and does nothing any more", expires.value);
        found.push(
            Diagnostic::warning(Code::ExpiredException, expires.file, expires.at.clone(), message)
                .help(format!("ask {} whether it is still needed", exception.owner)),
        );
    }
}
