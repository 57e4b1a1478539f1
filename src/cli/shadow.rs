//! `privet shadow`: where a candidate policy disagrees with the one in force, over what a running sidecar delivers.

use std::io::{self, Write};
use std::net::SocketAddr;

use console::Style;
use serde_json::{Value, json};

use super::format::Format;
use super::reload::connect;
use super::{Exit, Failure};
use crate::control::v1::control_client::ControlClient;
use crate::control::v1::{Disagreement, GetStatusRequest, Shadow};
use crate::review::shadow::Change;

/// Ask a running sidecar where a candidate policy disagrees with the one in force
///
/// The candidate is `shadow:` in privet.yaml. It is given what the sidecar delivers, and changes nothing; what it would do
/// otherwise is counted by field and rule. No value is known here, and of keys only those that a rule or OpenTelemetry's
/// conventions name.
#[derive(clap::Args)]
#[command(after_help = "\
Ends with 0 if nothing more would leave, 1 if something would, or if there is no candidate or it is wrong, 69 if there is no
sidecar.

Examples:
  privet shadow
  privet shadow --format json | jq '.[].disagreements[] | select(.widens)'")]
pub struct Args {
    /// The admin address of the sidecar
    #[arg(long, value_name = "ADDR", env = "PRIVET_ADMIN", default_value = "127.0.0.1:9464")]
    admin: SocketAddr,
    /// JSON is a list, one entry a candidate
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub fn run(args: Args) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let shadows = runtime.block_on(ask(args.admin))?;
    if shadows.is_empty() {
        return Err(Failure::new(Exit::No, "the sidecar has no candidate policy: say `shadow:` in its privet.yaml"));
    }
    let shown = match args.format {
        Format::Text => shadows.iter().map(text).collect::<Vec<_>>().join("\n"),
        Format::Json => format!("{:#}\n", Value::from_iter(shadows.iter().map(to_json))),
    };
    io::stdout().lock().write_all(shown.as_bytes())?;
    let is_fine = |shadow: &Shadow| shadow.error.is_empty() && !shadow.disagreements.iter().any(widens);
    if shadows.iter().all(is_fine) { Ok(()) } else { Err(Failure { exit: Exit::No, message: String::new() }) }
}

async fn ask(admin: SocketAddr) -> Result<Vec<Shadow>, Failure> {
    let mut control = ControlClient::new(connect(admin).await?);
    let answer = control.get_status(GetStatusRequest {}).await;
    let status = answer.map_err(|status| Failure::new(Exit::Unavailable, format!("{admin}: {}", status.message())))?;
    Ok(status.into_inner().shadows)
}

/// Whether more would leave than now.
fn widens(row: &Disagreement) -> bool {
    Change::named(&row.change).is_some_and(Change::widens)
}

fn text(shadow: &Shadow) -> String {
    let (bad, good, dim, title) =
        (Style::new().red().bold(), Style::new().green(), Style::new().dim(), Style::new().bold());
    let destinations = title.apply_to(shadow.destinations.join(", "));
    if !shadow.error.is_empty() {
        return format!("{destinations}: {}\n{}\n", bad.apply_to("nothing is compared"), shadow.error.trim_end());
    }
    let short = |digest: &str| digest.chars().take(12).collect::<String>();
    let since = jiff::Timestamp::from_second(shadow.since).map_or_else(|_| String::new(), |since| since.to_string());
    let mut lines = vec![
        format!(
            "{destinations}: candidate {} ({}) beside {}, {} requests, since {since}",
            shadow.name,
            short(&shadow.digest),
            short(&shadow.live_digest),
            share(shadow.sample),
        ),
        format!("{} records compared{}", shadow.records, missed(shadow)),
    ];
    let mut rows: Vec<&Disagreement> = shadow.disagreements.iter().collect();
    rows.sort_by_key(|row| (!widens(row), std::cmp::Reverse(row.values)));
    let width = |of: fn(&Disagreement) -> &str, head: &str| {
        rows.iter().map(|row| of(row).chars().count()).max().unwrap_or(0).clamp(head.len(), 48)
    };
    if !rows.is_empty() {
        let (part, key) = (width(|row| &row.part, "part"), width(|row| &row.key, "key"));
        let head =
            format!("{:8}  {:part$}  {:key$}  {:17}  {:>9}  rules", "signal", "part", "key", "would be", "values");
        lines.push(title.apply_to(head).to_string());
        for row in rows {
            let change = format!("{:17}", words(&row.change));
            let change = if widens(row) { bad.apply_to(change) } else { dim.apply_to(change) };
            lines.push(format!(
                "{:8}  {:part$}  {:key$}  {change}  {:>9}  {} → {}",
                row.signal,
                row.part,
                row.key,
                row.values,
                rule(&row.rule),
                rule(&row.candidate_rule),
            ));
        }
    }
    let widening: u64 = shadow.disagreements.iter().filter(|row| widens(row)).map(|row| row.values).sum();
    lines.push(match widening {
        0 => good.apply_to("Nothing more would leave.").to_string(),
        _ => bad.apply_to(format!("More would leave, in {widening} values.")).to_string(),
    });
    lines.join("\n") + "\n"
}

fn words(change: &str) -> &'static str {
    match Change::named(change) {
        Some(Change::NewlyLeaves) => "newly leaving",
        Some(Change::Looser) => "looser",
        Some(Change::Otherwise) => "another token",
        Some(Change::Narrower) => "narrower",
        Some(Change::NoLongerLeaves) => "no longer leaving",
        None => "otherwise",
    }
}

fn rule(name: &str) -> &str {
    if name.is_empty() { "no rule" } else { name }
}

fn share(sample: f64) -> String {
    if sample >= 1.0 { "all".to_owned() } else { format!("{} % of", sample * 100.0) }
}

fn missed(shadow: &Shadow) -> String {
    let mut reasons: Vec<String> = shadow
        .not_compared
        .iter()
        .filter(|(_, times)| **times > 0)
        .map(|(reason, times)| format!("{times} {}", reason.replace('_', " ")))
        .collect();
    reasons.sort();
    if reasons.is_empty() { String::new() } else { format!("; not compared: {}", reasons.join(", ")) }
}

fn to_json(shadow: &Shadow) -> Value {
    let disagreements: Vec<Value> = shadow
        .disagreements
        .iter()
        .map(|row| {
            json!({
                "signal": row.signal,
                "part": row.part,
                "key": row.key,
                "change": row.change,
                "widens": widens(row),
                "rule": row.rule,
                "candidate_rule": row.candidate_rule,
                "values": row.values,
            })
        })
        .collect();
    json!({
        "destinations": shadow.destinations,
        "error": shadow.error,
        "name": shadow.name,
        "digest": shadow.digest,
        "live_digest": shadow.live_digest,
        "sample": shadow.sample,
        "since": shadow.since,
        "records": shadow.records,
        "not_compared": shadow.not_compared,
        "disagreements": disagreements,
    })
}
