//! `privet scan`: what identifiers live where.

mod html;
mod listen;

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;
use console::Style;
use serde_json::{Value, json};

use self::listen::{Until, listen};
use super::Failure;
use super::corpus::Corpus;
use super::explain::load;
use crate::otlp::Signal;
use crate::policy::{PACKS, Policy};
use crate::review::bench::Bench;
use crate::review::inventory::{Finding, Inventory};

/// Take an inventory of the identifiers in telemetry: which fields hold what, and how much of it
///
/// Of files, or with --listen of what agents send, who are answered with success. Nothing is changed, nothing is sent on or
/// kept; values are not shown unless --show-values asks for them.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Ends with 0, whatever was found; 65 if a record or policy is wrong, 66 if a file is not there, 69 if the address is taken.

Examples:
  privet scan telemetry/
  privet scan --format html telemetry/ > inventory.html
  privet scan --format rules telemetry/ >> policy.yaml
  privet scan --listen 127.0.0.1:4317 --for 5m")]
pub struct Args {
    /// Files and folders of OTLP/JSON (`.json`, `.jsonl`), of OTLP in protobuf (`.pb`, `.bin`; needs --signal) and of text
    /// lines (`.log`, `.txt`: each is a log record's body); `-` is OTLP/JSON on standard input
    #[arg(required_unless_present = "listen", value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// What protobuf files carry
    #[arg(long, value_parser = super::filter::signals())]
    signal: Option<Signal>,
    /// Look at no more than so many records
    #[arg(long, value_name = "N")]
    records: Option<u64>,
    /// Take OTLP/gRPC from agents in place of files, until Ctrl-C [without ADDR: 127.0.0.1:4317]
    #[arg(long, value_name = "ADDR", conflicts_with_all = ["paths", "signal"], num_args = 0..=1, default_missing_value = "127.0.0.1:4317")]
    listen: Option<SocketAddr>,
    /// Listen for so long, such as `5m`
    #[arg(long = "for", value_name = "DURATION", requires = "listen", conflicts_with = "paths", value_parser = duration)]
    time: Option<Duration>,
    /// Listen until so many requests have come
    #[arg(long, value_name = "N", requires = "listen", conflicts_with = "paths")]
    requests: Option<u64>,
    /// Policy files that say what to look for; all packs for identifiers and secrets if none
    #[arg(long, value_name = "FILE", value_delimiter = ',')]
    policy: Vec<PathBuf>,
    /// Show a value of each kind and field
    #[arg(long)]
    show_values: bool,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A table for people
    #[default]
    Text,
    /// One JSON document
    Json,
    /// A page to be looked at and sent on
    Html,
    /// Rules to be pasted below `rules:`, for keys that no rule names yet
    Rules,
}

pub fn run(args: Args) -> Result<(), Failure> {
    let inventory = match args.listen {
        Some(address) => {
            let mut inventory = empty(&args.policy)?;
            let until = Until { time: args.time, requests: args.requests, records: args.records };
            listen(address, until, &mut inventory)?;
            inventory
        }
        None => {
            let corpus = Corpus { paths: args.paths, signal: args.signal, records: args.records };
            inventory(&args.policy, &corpus)?
        }
    };
    let shown = match args.format {
        Format::Text => text(&inventory, args.show_values),
        Format::Json => format!("{:#}\n", to_json(&inventory, args.show_values)),
        Format::Html => html::page(&inventory, args.show_values),
        Format::Rules => inventory.stubs(),
    };
    Ok(io::stdout().lock().write_all(shown.as_bytes())?)
}

/// Goes over a corpus.
pub(super) fn inventory(policy: &[PathBuf], corpus: &Corpus) -> Result<Inventory, Failure> {
    let mut inventory = empty(policy)?;
    corpus.each(&mut |signal, record, place| inventory.add(signal, record).map_err(|unfit| place.failure(&unfit)))?;
    Ok(inventory)
}

fn empty(policy: &[PathBuf]) -> Result<Inventory, Failure> {
    let policy = if policy.is_empty() { everything() } else { load(policy)? };
    Ok(Inventory::new(Bench::new(policy)))
}

fn duration(text: &str) -> Result<Duration, String> {
    let parsed = text.parse::<jiff::SignedDuration>().ok().and_then(|duration| Duration::try_from(duration).ok());
    parsed.filter(|duration| !duration.is_zero()).ok_or_else(|| "not a duration such as `30s` or `5m`".to_owned())
}

/// All packs that say what identifiers look like, and none that says what may leave.
fn everything() -> Policy {
    let wanted = ["base", "secrets", "payment", "identifiers"];
    let names: Vec<&str> = PACKS.iter().map(|(name, _)| *name).filter(|name| wanted.contains(name)).collect();
    let text = format!("version: 1\nname: scan\nextends: [{}]\n", names.join(", "));
    Policy::parse(&[("scan", &text)], jiff::civil::Date::MAX).expect("tests prove that packs go together")
}

/// The findings, the fullest field first.
fn rows(inventory: &Inventory) -> Vec<(&String, u64, &String, &Finding)> {
    let mut rows: Vec<_> = inventory
        .fields
        .iter()
        .flat_map(|(field, seen)| seen.rules.iter().map(move |(rule, finding)| (field, seen.values, rule, finding)))
        .collect();
    rows.sort_by_key(|(field, _, rule, finding)| (std::cmp::Reverse(finding.values), *field, *rule));
    rows
}

fn text(inventory: &Inventory, show_values: bool) -> String {
    let dim = Style::new().dim();
    let rows = rows(inventory);
    let width = rows.iter().map(|(field, ..)| field.len()).max().unwrap_or(5).clamp(5, 60);
    let head =
        format!("{:width$}  {:>9} {:>9} {:>8}  {:<12} found by", "field", "of values", "with one", "distinct", "kind");
    let mut lines = vec![Style::new().bold().apply_to(head).to_string()];
    for (field, values, rule, finding) in rows {
        let how = if finding.by_key { "its key" } else { "search" };
        lines.push(format!(
            "{field:width$}  {values:>9} {:>9} {:>8}  {:<12} {how}: {rule}",
            finding.values,
            finding.distinct(),
            finding.kinds.join(", "),
        ));
        if show_values {
            lines.push(format!("    {}", dim.apply_to(&finding.sample)));
        }
    }
    let clean = inventory.fields.values().filter(|field| field.rules.is_empty()).count();
    lines.push(format!(
        "{} records; {clean} of {} fields hold nothing of this",
        inventory.records,
        inventory.fields.len()
    ));
    let stubs = inventory.stubs();
    if !stubs.is_empty() {
        lines.push(format!("\nKeys that no rule names, to be pasted below `rules:`:\n\n{}", stubs.trim_end()));
    }
    lines.join("\n") + "\n"
}

fn to_json(inventory: &Inventory, show_values: bool) -> Value {
    let finding = |(rule, finding): (&String, &Finding)| {
        let mut entry = json!({
            "rule": rule,
            "kinds": finding.kinds,
            "action": finding.action.name(),
            "by_key": finding.by_key,
            "times": finding.times,
            "values": finding.values,
            "distinct": finding.distinct(),
        });
        if show_values {
            entry["sample"] = finding.sample.as_str().into();
        }
        entry
    };
    let fields: Vec<Value> = inventory
        .fields
        .iter()
        .map(|(field, seen)| {
            json!({
                "field": field,
                "key": seen.key,
                "values": seen.values,
                "findings": seen.rules.iter().map(finding).collect::<Vec<_>>(),
            })
        })
        .collect();
    json!({"records": inventory.records, "fields": fields, "rules": inventory.stubs()})
}
