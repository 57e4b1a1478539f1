//! `privet audit report`: a trail as somebody reads it who did not write it.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::ValueEnum;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use super::summary::Summary;
use super::{Exit, Failure, document, html, markdown, read, verify};

/// Report from an audit trail what was promised, what was seen, what left, and what changed
///
/// For a data-protection officer: promises in the policy's own words, what came in and what left by destination, what each
/// rule did in which field, exceptions in force with reason, owner and last day, and every change of policy or key. A
/// period counts where it ends; with an hourly trail that is exact to the hour.
#[derive(clap::Args)]
#[command(after_help = "\
Ends with 0; 1 if the trail is broken (the report says so, and covers what stands before the
break); 66 if there is none.

Examples:
  privet audit report /var/lib/privet/audit
  privet audit report audit/ --from 2026-10-01 --to 2026-10-31 --format html > october.html")]
pub struct Args {
    /// The trail's directory
    directory: PathBuf,
    /// From that day's beginning (UTC), or that moment, on
    #[arg(long, value_name = "DATE|TIME", value_parser = beginning)]
    from: Option<Timestamp>,
    /// Up to that day's end (UTC), or that moment
    #[arg(long, value_name = "DATE|TIME", value_parser = end)]
    to: Option<Timestamp>,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For a text file or a ticket
    #[default]
    Markdown,
    /// A page by itself, to be read on a screen or printed
    Html,
    /// One JSON document
    Json,
}

pub fn run(args: Args) -> Result<(), Failure> {
    let mut summary = Summary::new(args.from, args.to);
    let reading = read(&args.directory, &[], &mut |line| summary.add(line))?;
    let broken = reading.broken.as_ref().map(verify::told);
    summary.end(&reading);
    let shown = match args.format {
        Format::Markdown => markdown::text(&document::write(&summary)),
        Format::Html => html::page(&document::write(&summary)),
        Format::Json => format!("{:#}\n", serde_json::to_value(&summary).expect("plain data can be written")),
    };
    io::stdout().lock().write_all(shown.as_bytes())?;
    broken.map_or(Ok(()), |broken| Err(Failure::new(Exit::No, format!("the trail is broken: {broken}"))))
}

fn beginning(text: &str) -> Result<Timestamp, String> {
    moment(text, Some)
}

fn end(text: &str) -> Result<Timestamp, String> {
    moment(text, |day| day.checked_add(1.day()).ok())
}

fn moment(text: &str, of_day: impl Fn(Date) -> Option<Date>) -> Result<Timestamp, String> {
    let day = || text.parse::<Date>().ok().and_then(of_day)?.to_zoned(TimeZone::UTC).ok().map(|day| day.timestamp());
    let moment = text.parse::<Timestamp>().ok().or_else(day);
    moment.ok_or_else(|| "neither a day such as 2026-10-31 nor a time such as 2026-10-31T08:00:00Z".to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::observe::audit::entry::{Entry, Line, NOTHING};
    use crate::observe::audit::read::{Break, Place, Reading};

    fn line(seq: u64, time: &str, entry: Value) -> Line {
        let mut line = json!({"seq": seq, "time": time, "version": "0.1.0", "prev": NOTHING});
        let members = line.as_object_mut().expect("an object");
        members.extend(entry.as_object().expect("an object").clone());
        serde_json::from_value(line).expect("an entry")
    }

    fn brief(entry: &str, policy: &str, exceptions: &Value) -> Value {
        json!({
            "entry": entry, "destination": "vendor", "recipient": "vendor", "policy": policy.repeat(64), "epoch": 3,
            "key_check_value": "ab12cd34", "exceptions": exceptions
        })
    }

    fn with(mut brief: Value, more: &Value) -> Value {
        brief.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        brief
    }

    fn in_force(policy: &str, exceptions: &Value, rules: &Value) -> Value {
        let more = json!({
            "address": "https://otlp.vendor.example:4317", "region": "eu-central-1", "required": true,
            "throw_away_key": false, "policy_name": "payments",
            "promises": ["Who signs in leaves as a token only.", "No card number leaves."],
            "rules": rules, "retention": {"audit": 365}, "regions": ["eu"], "tls": "1.3"
        });
        with(brief("in_force", policy, exceptions), &more)
    }

    /// A day with a change of policy, a fall and some of everything.
    fn sample() -> Vec<Line> {
        let public = json!([{"rules": ["users"], "reason": "support <b>works</b> on it", "owner": "ann", "expires": "2026-12-31"}]);
        let users =
            json!({"name": "users", "action": "pseudonymise", "description": "Accounts, such as `user=alice|bob`."});
        let cards = json!({"name": "cards", "action": "redact"});
        let acts = json!([
            {"field": "body", "rule": "users", "action": "pseudonymise", "times": 1234},
            {"field": "record.attributes *.user.name", "rule": "users", "action": "pseudonymise", "times": 5}
        ]);
        let left = json!({"requests": 10, "records": 990, "dropped": 10, "bytes": 123_456, "acts": acts, "fail_closed": {"overlapping_spans": 1}});
        let unconfirmed = json!({"requests": 1, "records": 100, "dropped": 0, "bytes": 9_000, "acts": [],
            "unknown_fields": [{"message": "opentelemetry.proto.logs.v1.LogRecord", "field": 99, "times": 2}]});
        let first = json!({
            "from": "2026-10-31T08:00:00Z", "to": "2026-10-31T09:00:00Z", "because": "interval",
            "signals": {"logs": {"left": left, "unconfirmed": unconfirmed, "refused": {"invalid_utf8": 2}}}
        });
        let second = json!({
            "from": "2026-10-31T09:00:00Z", "to": "2026-10-31T09:30:00Z", "because": "reload",
            "signals": {"traces": {"left": {"requests": 1, "records": 3, "dropped": 0, "bytes": 12, "acts": []}}}
        });
        let none = json!([]);
        vec![
            line(1, "2026-10-31T08:00:00Z", json!({"entry": "start", "previous": "none"})),
            line(2, "2026-10-31T08:00:00Z", in_force("a", &public, &json!([users, cards]))),
            line(3, "2026-10-31T09:00:00Z", with(brief("period", "a", &public), &first)),
            line(4, "2026-10-31T09:30:00Z", with(brief("period", "a", &public), &second)),
            line(5, "2026-10-31T09:30:00Z", in_force("b", &none, &json!([users, {"name": "cards", "action": "mask"}]))),
            line(6, "2026-10-31T12:00:00Z", json!({"entry": "start", "previous": "fell"})),
            line(7, "2026-10-31T13:00:00Z", json!({"entry": "stop"})),
        ]
    }

    fn summary(lines: &[Line], from: Option<&str>, to: Option<&str>, broken: Option<Break>) -> Summary {
        let moment = |text: Option<&str>| text.map(|text| text.parse().expect("a time"));
        let mut summary = Summary::new(moment(from), moment(to));
        lines.iter().for_each(|line| summary.add(line));
        summary.end(&Reading {
            entries: lines.len() as u64,
            first: lines.first().cloned(),
            last: lines.last().map(|line| (line.clone(), "c".repeat(64))),
            broken,
            ..Reading::default()
        });
        summary
    }

    #[test]
    fn a_report_says_what_was_promised_what_left_and_what_changed() {
        let blocks = document::write(&summary(&sample(), None, None, None));
        insta::assert_snapshot!("markdown", markdown::text(&blocks));
        insta::assert_snapshot!("html", html::page(&blocks));
    }

    #[test]
    fn a_report_of_a_time_counts_what_ended_in_it_and_knows_what_was_in_force_before() {
        let summary = summary(&sample(), Some("2026-10-31T09:00:00Z"), Some("2026-10-31T09:30:00Z"), None);
        let vendor = &summary.destinations["vendor"];
        assert_eq!(vendor.signals.keys().collect::<Vec<_>>(), ["traces"], "the logs' period had ended");
        let changes: Vec<_> = summary.changes.iter().map(|change| change.what.as_str()).collect();
        assert_eq!(changes.len(), 3, "{changes:?}");
        assert!(changes[0].starts_with("Policy `payments` (bbbbbbbbbbbb) in place of"), "{changes:?}");
        assert_eq!(changes[1], "Rule `cards` changed from redact to mask");
    }

    #[test]
    fn a_report_from_a_broken_trail_says_so_before_anything_else() {
        let place = Place { file: "audit-1.jsonl".into(), line: 4 };
        let broken = Break { place, what: "this is no entry".to_owned() };
        let text = markdown::text(&document::write(&summary(&sample(), None, None, Some(broken))));
        let notice = text.find("THE TRAIL IS BROKEN: audit-1.jsonl:4: this is no entry").expect("it is said");
        assert!(notice < text.find("## In short").expect("it is there") && !text.contains("The trail is whole"));
    }

    #[test]
    fn an_entry_of_a_later_version_is_passed_over() {
        let line = line(8, "2026-10-31T14:00:00Z", json!({"entry": "news", "x": 1}));
        assert_eq!(line.entry, Entry::Unknown);
        assert!(summary(&[line], None, None, None).changes.is_empty());
    }

    #[test]
    fn a_day_is_taken_whole() {
        let told = |parsed: Result<Timestamp, String>| parsed.map(|time| time.to_string());
        assert_eq!(told(beginning("2026-10-31")).unwrap(), "2026-10-31T00:00:00Z");
        assert_eq!(told(end("2026-10-31")).unwrap(), "2026-11-01T00:00:00Z");
        assert_eq!(told(end("2026-10-31T08:00:00+01:00")).unwrap(), "2026-10-31T07:00:00Z");
        assert!(told(end("yesterday")).unwrap_err().contains("2026-10-31"));
    }
}
