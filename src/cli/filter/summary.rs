//! What was done, for the terminal and for machines.

use std::fmt::Write;

use serde_json::json;

use crate::filter::Counts;
use crate::policy::Policy;

#[derive(Default)]
pub(super) struct Summary {
    pub requests: u64,
    pub records: u64,
    pub dropped: u64,
    pub counts: Counts,
    /// Members of JSON objects that OTLP does not know, left out.
    pub unknown_members: u64,
    /// Lines replaced whole because they could not be judged, by reason.
    pub redacted_lines: Vec<(&'static str, u64)>,
}

impl Summary {
    pub fn line_redacted(&mut self, reason: &'static str) {
        match self.redacted_lines.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, times)) => *times += 1,
            None => self.redacted_lines.push((reason, 1)),
        }
    }

    pub fn text(&self, policy: &Policy) -> String {
        let mut rows: Vec<[String; 3]> = self
            .acting(policy)
            .map(|(rule, action, times)| [grouped(times), action.to_owned(), format!("by rule {rule}")])
            .collect();
        let fixed = |times: u64, what: &str, why: String| [grouped(times), what.to_owned(), why];
        rows.extend(self.counts.unknown_fields.iter().map(|(message, number, times)| {
            fixed(*times, "deleted", format!("as unknown: field {number} of {message}"))
        }));
        if self.unknown_members > 0 {
            rows.push(fixed(self.unknown_members, "deleted", "as unknown: members of JSON objects".into()));
        }
        rows.extend(
            self.counts.fail_closed.iter().map(|(why, times)| fixed(*times, "redacted", format!("whole: {why}"))),
        );
        rows.extend(
            self.redacted_lines.iter().map(|(why, times)| fixed(*times, "redacted", format!("whole lines: {why}"))),
        );

        let plural = |n: u64, what: &str| format!("{} {what}{}", grouped(n), if n == 1 { "" } else { "s" });
        let mut text = format!("{} in {}", plural(self.records, "record"), plural(self.requests, "request"));
        match (self.dropped, rows.is_empty()) {
            (0, true) => text.push_str(", nothing to change"),
            (0, false) => {}
            (dropped, _) => write!(text, ", {} dropped", grouped(dropped)).expect("a String grows"),
        }
        let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
        let (first, second) = (width(0), width(1));
        for [times, what, why] in &rows {
            write!(text, "\n  {times:>first$}  {what:second$}  {why}").expect("a String grows");
        }
        text
    }

    pub fn json(&self, policy: &Policy) -> String {
        let by_reason = |counts: &[(&'static str, u64)]| {
            counts.iter().map(|(reason, times)| json!({"reason": reason, "times": times})).collect::<Vec<_>>()
        };
        json!({
            "requests": self.requests,
            "records": self.records,
            "dropped": self.dropped,
            "rules": self.acting(policy)
                .map(|(rule, action, times)| json!({"rule": rule, "action": action, "times": times}))
                .collect::<Vec<_>>(),
            "unknown_fields": self.counts.unknown_fields.iter()
                .map(|(message, number, times)| json!({"message": message, "field": number, "times": times}))
                .collect::<Vec<_>>(),
            "unknown_members": self.unknown_members,
            "fail_closed": by_reason(&self.counts.fail_closed),
            "redacted_lines": by_reason(&self.redacted_lines),
        })
        .to_string()
    }

    /// The rules that acted: name, action, how often; most often first.
    fn acting<'a>(&'a self, policy: &'a Policy) -> impl Iterator<Item = (&'a str, &'static str, u64)> {
        let mut acting: Vec<_> = policy
            .rules()
            .iter()
            .zip(&self.counts.rules)
            .filter(|(_, times)| **times > 0)
            .map(|(rule, times)| (&*rule.name, rule.action.name(), *times))
            .collect();
        acting.sort_by_key(|(name, _, times)| (std::cmp::Reverse(*times), *name));
        acting.into_iter()
    }
}

/// `1234567` as `1,234,567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.char_indices() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_stand_in_groups_of_three() {
        assert_eq!(
            [0, 12, 999, 1_000, 12_345, 1_234_567].map(grouped),
            ["0", "12", "999", "1,000", "12,345", "1,234,567"]
        );
    }
}
