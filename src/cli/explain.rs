//! `privet explain`: what became of each field of a record, and which rule did it.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::PathBuf;

use console::Style;
use serde_json::{Value, json};

use super::corpus::{Corpus, Place};
use super::format::Format;
use super::{Exit, Failure};
use crate::policy::{Policy, RuleId};
use crate::review::bench::Bench;
use crate::review::explain::{Became, Explained, explain};

/// Say of each field of a record which rule changed it, where that rule stands, and why
///
/// Values are not shown unless --show-values asks for them. Tokens are made with a key of nobody's: they are not those that
/// leave.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Ends with 0 if every record could be explained, 65 if one is no OTLP or a policy is wrong, 66 if a file is not there.

Examples:
  privet explain --policy policy.yaml record.json
  privet explain --policy policy.yaml --show-values --format json - < record.json")]
pub struct Args {
    /// Policy files, which together say what may leave; the built-in base policy if none
    #[arg(long, value_name = "FILE", env = "PRIVET_POLICY", value_delimiter = ',')]
    policy: Vec<PathBuf>,
    #[command(flatten)]
    corpus: Corpus,
    /// Fields that are left as they are, too
    #[arg(long)]
    all: bool,
    /// Show what stood in the fields, and what became of it
    #[arg(long)]
    show_values: bool,
    /// JSON is an object a record, one a line
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub fn run(args: Args) -> Result<(), Failure> {
    let mut bench = Bench::new(load(&args.policy)?);
    let mut out = io::stdout().lock();
    args.corpus.each(&mut |signal, record, place| {
        let explained = explain(&mut bench, signal, record).map_err(|unfit| place.failure(&unfit))?;
        match args.format {
            Format::Text => out.write_all(text(&explained, bench.policy(), place, &args).as_bytes())?,
            Format::Json => writeln!(out, "{}", to_json(&explained, bench.policy(), place, &args))?,
        }
        Ok(())
    })
}

/// The policy of those files, or the built-in one.
pub(super) fn load(files: &[PathBuf]) -> Result<Policy, Failure> {
    if files.is_empty() {
        return Ok(Policy::base());
    }
    Policy::load(files).map_err(|wrong| {
        let exit = if wrong.is_missing_input() { Exit::NoInput } else { Exit::Data };
        Failure::new(exit, wrong.render(console::colors_enabled_stderr()))
    })
}

fn text(explained: &Explained, policy: &Policy, place: &Place<'_>, args: &Args) -> String {
    let (dim, title, bad) = (Style::new().dim(), Style::new().bold(), Style::new().yellow());
    let mut out = String::new();
    let mut line = |text: std::fmt::Arguments<'_>| writeln!(out, "{text}").expect("a String grows");
    let head = format!("{}, record {} ({})", place.file.display(), place.record, explained.signal.name());
    line(format_args!("{}", title.apply_to(head)));
    if let Some(rule) = explained.dropped {
        line(format_args!("  {}  {}", bad.apply_to("dropped"), rule_text(policy, rule)));
    }
    let width = explained.fields.iter().map(|field| field.change.path.len()).max().unwrap_or(0).min(48);
    let mut same = 0;
    for field in &explained.fields {
        let change = &field.change;
        let became = change.became();
        if became == Became::Same && !args.all {
            same += 1;
            continue;
        }
        let path = format!("{:width$}", change.path);
        let value = |leaf: &Option<crate::review::leaf::Leaf>| leaf.as_ref().map_or("", |leaf| &leaf.value).to_owned();
        line(format_args!("  {path}  {:8}", bad.apply_to(became.name())));
        if args.show_values {
            if became == Became::Same {
                line(format_args!("    {}", dim.apply_to(value(&change.before))));
            } else {
                line(format_args!("    - {}", value(&change.before)));
                line(format_args!("    + {}", value(&change.after)));
            }
        }
        for (rule, times) in &field.rules {
            let times = if *times > 1 { format!(" {times}×") } else { String::new() };
            line(format_args!("    {}{times}", rule_text(policy, *rule)));
            if let Some(why) = &policy.rules()[usize::from(rule.0)].description {
                line(format_args!("      {}", dim.apply_to(why)));
            }
        }
        if became == Became::Added {
            line(format_args!(
                "    {}",
                dim.apply_to("by Privet: what keeps series apart, or how long it may be kept")
            ));
        }
    }
    if same > 0 {
        line(format_args!("  {}", dim.apply_to(format!("{same} fields are left as they were"))));
    }
    out
}

fn rule_text(policy: &Policy, rule: RuleId) -> String {
    let info = &policy.rules()[usize::from(rule.0)];
    format!("{} by `{}`, {}:{}", info.action.name(), info.name, info.file, info.line)
}

fn to_json(explained: &Explained, policy: &Policy, place: &Place<'_>, args: &Args) -> Value {
    let rule = |rule: RuleId| {
        let info = &policy.rules()[usize::from(rule.0)];
        json!({
            "rule": info.name,
            "action": info.action.name(),
            "file": info.file,
            "line": info.line,
            "why": info.description,
        })
    };
    let fields = explained.fields.iter().filter(|field| args.all || field.change.became() != Became::Same);
    let fields: Vec<Value> = fields
        .map(|field| {
            let mut entry = json!({
                "path": field.change.path,
                "became": field.change.became().name(),
                "rules": field.rules.iter().map(|(id, times)| {
                    let mut entry = rule(*id);
                    entry["times"] = (*times).into();
                    entry
                }).collect::<Vec<_>>(),
            });
            if args.show_values {
                entry["before"] = field.change.before.as_ref().map(|leaf| leaf.value.as_str()).into();
                entry["after"] = field.change.after.as_ref().map(|leaf| leaf.value.as_str()).into();
            }
            entry
        })
        .collect();
    json!({
        "file": place.file.display().to_string(),
        "record": place.record,
        "signal": explained.signal.name(),
        "dropped": explained.dropped.map(rule),
        "fields": fields,
    })
}
