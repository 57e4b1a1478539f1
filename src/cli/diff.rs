//! `privet diff`: what a change of policy lets out. A gate for pull requests.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;

use console::Style;
use serde_json::json;

use super::corpus::Corpus;
use super::explain::load;
use super::format::Format;
use super::{Exit, Failure};
use crate::policy::Policy;
use crate::review::bench::Bench;
use crate::review::diff::{Diff, FieldChange, How};

/// Compare two policies over telemetry: which fields would newly leave
///
/// Puts every record through both policies and names each field that leaves more readable under the new one, or under a
/// looser action, with the rules that acted before and now. Ends with an error unless each of them is acknowledged by name.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Ends with 0 if nothing leaves anew or all of it is acknowledged, 1 if not, 65 if a policy or record is wrong, 66 if a file
is not there.

Examples:
  privet diff main/policy.yaml policy.yaml --corpus samples/
  privet diff old.yaml new.yaml --corpus samples/ --acknowledge logs.attributes.http.route")]
pub struct Args {
    /// The policy in force
    old: PathBuf,
    /// The policy that is to be
    new: PathBuf,
    #[command(flatten)]
    corpus: CorpusFlag,
    /// A field that may leave anew, as this command names it; may be given several times
    #[arg(long, value_name = "FIELD")]
    acknowledge: Vec<String>,
    /// A file of such fields, one a line; what follows a `#` is for people
    #[arg(long, value_name = "FILE")]
    acknowledged: Option<PathBuf>,
    /// Show a value of each field
    #[arg(long)]
    show_values: bool,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// As a flag, for OLD and NEW stand where paths would.
#[derive(Debug, clap::Args)]
struct CorpusFlag {
    /// Files and folders of telemetry, as `privet explain` reads them
    #[arg(long, required = true, num_args = 1.., value_name = "PATH")]
    corpus: Vec<PathBuf>,
    /// What protobuf files carry
    #[arg(long, value_parser = super::filter::signals())]
    signal: Option<crate::otlp::Signal>,
    /// Look at no more than so many records
    #[arg(long, value_name = "N")]
    records: Option<u64>,
}

pub fn run(args: Args) -> Result<(), Failure> {
    let bench = |file: &PathBuf| Ok::<_, Failure>(Bench::new(load(std::slice::from_ref(file))?));
    let mut diff = Diff::new(bench(&args.old)?, bench(&args.new)?);
    let acknowledged = acknowledged(&args)?;
    let CorpusFlag { corpus, signal, records } = &args.corpus;
    let corpus = Corpus { paths: corpus.clone(), signal: *signal, records: *records };
    corpus.each(&mut |signal, record, place| diff.add(signal, record).map_err(|unfit| place.failure(&unfit)))?;
    let is_open = |(field, change): &(&String, &FieldChange)| change.worst().widens() && !acknowledged.contains(*field);
    let open: Vec<&String> = diff.fields.iter().filter(is_open).map(|(field, _)| field).collect();
    let shown = match args.format {
        Format::Text => text(&diff, &acknowledged, open.len(), args.show_values),
        Format::Json => format!("{:#}\n", to_json(&diff, &acknowledged, open.is_empty(), args.show_values)),
    };
    io::stdout().lock().write_all(shown.as_bytes())?;
    if open.is_empty() { Ok(()) } else { Err(Failure { exit: Exit::No, message: String::new() }) }
}

fn acknowledged(args: &Args) -> Result<BTreeSet<String>, Failure> {
    let mut fields: BTreeSet<String> = args.acknowledge.iter().cloned().collect();
    if let Some(file) = &args.acknowledged {
        let text = fs::read_to_string(file).map_err(|error| Failure::file(file, &error))?;
        let lines = text.lines().map(|line| line.split('#').next().unwrap_or("").trim());
        fields.extend(lines.filter(|line| !line.is_empty()).map(str::to_owned));
    }
    Ok(fields)
}

/// What the files say differently, whatever telemetry there is: rules and exceptions that came and went.
struct Said {
    rules_gone: Vec<String>,
    rules_new: Vec<String>,
    exceptions_new: Vec<String>,
}

impl Said {
    fn of(old: &Policy, new: &Policy) -> Said {
        let rules = |policy: &Policy| -> BTreeSet<String> {
            policy.rules().iter().map(|rule| format!("{} ({})", rule.name, rule.action.name())).collect()
        };
        let exceptions = |policy: &Policy| -> BTreeSet<String> {
            let told = policy.exceptions().iter();
            told.map(|one| {
                format!("from {}: {} (until {}, {})", one.rules.join(", "), one.reason, one.expires, one.owner)
            })
            .collect()
        };
        let (was, is) = (rules(old), rules(new));
        Said {
            rules_gone: was.difference(&is).cloned().collect(),
            rules_new: is.difference(&was).cloned().collect(),
            exceptions_new: exceptions(new).difference(&exceptions(old)).cloned().collect(),
        }
    }
}

fn text(diff: &Diff, acknowledged: &BTreeSet<String>, open: usize, show_values: bool) -> String {
    let (bad, good, dim) = (Style::new().red().bold(), Style::new().green(), Style::new().dim());
    let mut lines = Vec::new();
    let said = Said::of(diff.old().policy(), diff.new_bench().policy());
    for (what, names) in
        [("rule gone", &said.rules_gone), ("rule new", &said.rules_new), ("exception new", &said.exceptions_new)]
    {
        lines.extend(names.iter().map(|name| format!("{}: {name}", dim.apply_to(what))));
    }
    for (field, change) in diff.fields.iter().filter(|(_, change)| change.worst() > How::Narrower) {
        let worst = change.worst();
        let word = match worst {
            How::Readable => "newly readable",
            How::Looser => "looser",
            How::Otherwise | How::Narrower => "another token",
        };
        let verdict = match (worst.widens(), acknowledged.contains(field)) {
            (true, false) => bad.apply_to(word).to_string(),
            (true, true) => format!("{word}, acknowledged"),
            (false, _) => dim.apply_to(word).to_string(),
        };
        let times: u64 = change.times.iter().filter(|(how, _)| **how == worst).map(|(_, times)| times).sum();
        lines.push(format!("{field}  {verdict}  in {times} values"));
        let list = |names: &[String]| if names.is_empty() { "no rule".to_owned() } else { names.join(", ") };
        lines.push(format!("    {} → {}", list(&change.before), list(&change.after)));
        if let Some((_, sample)) = change.sample.as_ref().filter(|_| show_values) {
            let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "(did not leave)".to_owned());
            lines.push(format!("    value:  {}", sample.value));
            lines.push(format!("    before: {}", shown(&sample.before)));
            lines.push(format!("    now:    {}", shown(&sample.after)));
        }
    }
    let narrower = diff.fields.values().filter(|change| change.worst() == How::Narrower).count();
    if narrower > 0 {
        lines.push(format!("{narrower} fields leave narrower than before"));
    }
    lines.push(match open {
        0 => good
            .apply_to(format!("{} records: nothing leaves anew that is not acknowledged.", diff.records))
            .to_string(),
        _ => bad
            .apply_to(format!("{} records: {open} fields would newly leave. Acknowledge each by name.", diff.records))
            .to_string(),
    });
    lines.join("\n") + "\n"
}

fn to_json(diff: &Diff, acknowledged: &BTreeSet<String>, ok: bool, show_values: bool) -> serde_json::Value {
    let said = Said::of(diff.old().policy(), diff.new_bench().policy());
    let fields: Vec<_> = diff
        .fields
        .iter()
        .map(|(field, change)| {
            let times: serde_json::Map<_, _> =
                change.times.iter().map(|(how, times)| (how.name().to_owned(), (*times).into())).collect();
            let mut entry = json!({
                "field": field,
                "how": change.worst().name(),
                "widens": change.worst().widens(),
                "acknowledged": acknowledged.contains(field),
                "values": times,
                "rules_before": change.before,
                "rules_now": change.after,
            });
            if let Some((_, sample)) = change.sample.as_ref().filter(|_| show_values) {
                entry["sample"] = json!({"value": sample.value, "before": sample.before, "now": sample.after});
            }
            entry
        })
        .collect();
    json!({
        "ok": ok,
        "records": diff.records,
        "old": diff.old().policy().digest(),
        "new": diff.new_bench().policy().digest(),
        "rules_gone": said.rules_gone,
        "rules_new": said.rules_new,
        "exceptions_new": said.exceptions_new,
        "fields": fields,
    })
}
