//! A rule's own examples, run: `hits` that it must act on, `misses` that it must leave.

use crate::detect::{Context, Entity, Found, Span};
use crate::pseudonym::Value;

use super::compiled::RuleId;
use super::decide::{Acting, Policy};
use super::diagnostic::{Code, Diagnostic, Diagnostics};
use super::glob::fold;
use super::keep::Kept;
use super::syntax::{Example, Given};

impl Policy {
    /// Runs the examples that stand beside rules. Not part of loading: a running sidecar does not need it.
    ///
    /// Each rule is looked at alone, with the policy's keep list and exceptions. What a rule misses because its own file keeps
    /// it need not be kept by another file, too: a shorter list there only narrows.
    pub fn check_examples(&self) -> Diagnostics {
        let items = self
            .examples
            .iter()
            .filter_map(|(id, example)| {
                let rule = self.acting.iter().chain(&self.keeping).find(|rule| rule.id == *id)?;
                (self.acts_on(rule, example) != example.hit).then(|| self.failed(*id, example))
            })
            .collect();
        Diagnostics { sources: self.warnings.sources.clone(), items }
    }

    fn acts_on(&self, rule: &Acting, example: &Example) -> bool {
        let (key, value) = match &example.given.value {
            Given::Field { key, value } => (Some(fold(key)), value),
            // The example of a rule for keys may be just a key.
            Given::Text(text) if rule.whole.is_some() => (Some(fold(text)), text),
            Given::Text(text) => (None, text),
        };
        rule.reaches(key.as_deref())
            && (rule.whole.is_some() || rule.record.is_some() || self.finds(rule, value, example))
    }

    fn finds(&self, rule: &Acting, text: &str, example: &Example) -> bool {
        let mut found = Found::default();
        let context = Context { wanted: rule.text.wanted, ..Context::default() };
        let _ = self.detector().find(text.as_bytes(), 0, text.len(), &context, &mut found);
        let own: &[Kept] = if example.hit { &[] } else { &self.keep[self.keep_of_files[example.given.file]] };
        found.spans.iter().any(|span| {
            let value = value_of(span, text.as_bytes());
            let left = || self.keeps(span.entity, value) || own.iter().any(|kept| kept.covers(span.entity, value));
            rule.text.treatment(span.entity).is_some() && !left()
        })
    }

    fn failed(&self, id: RuleId, example: &Example) -> Diagnostic {
        let rule = &self.rules()[usize::from(id.0)].name;
        let (message, help) = match example.hit {
            true => (format!("`{rule}` does not act on this example"), "a `hits` example must be acted on"),
            false => (format!("`{rule}` acts on this example"), "a `misses` example must be left as it is"),
        };
        Diagnostic::error(Code::ExampleFails, example.given.file, example.given.at.clone(), message).help(help)
    }
}

fn value_of<'a>(span: &Span, text: &'a [u8]) -> Value<'a> {
    match span.entity {
        Entity::Ip => Value::Ip(span.address),
        _ => Value::Text(&text[span.start as usize..span.end as usize]),
    }
}
