//! `privet check`: is this policy right, and what is wrong with it.

use std::collections::BTreeSet;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;

use clap::ValueEnum;
use serde_json::json;

use super::{Exit, Failure};
use crate::policy::diagnostic::line_and_column;
use crate::policy::{Code, Diagnostics, Policy, Severity};

/// Check policy files as `privet run` would, and run the examples beside their rules
///
/// Files are composed: adding one can only narrow what leaves. Everything that is wrong is told at once, each with its
/// place and a stable code.
#[derive(clap::Args)]
#[command(after_help = "\
Warnings (rules that can never act, costly patterns, exceptions that end soon, missing examples) do not change how it
ends. It ends with 0 if the policy is right, 65 if it is wrong, an example fails or an exception has expired, 66 if a file is
not there.

Example:
  privet check policy.yaml")]
pub struct Args {
    /// The policy files
    #[arg(required = true, value_name = "POLICY")]
    policies: Vec<PathBuf>,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    #[default]
    Text,
    Json,
    /// For code hosts that show it in a pull request (SARIF 2.1.0)
    Sarif,
}

/// Checks, and says what it found: a summary on standard output, what is wrong on standard error; JSON on standard output.
pub fn run(args: Args) -> Result<(), Failure> {
    let loaded = Policy::load(&args.policies);
    let (policy, found) = match loaded {
        Ok(policy) => {
            let mut found = policy.warnings().clone();
            found.items.extend(policy.check_examples().items);
            found.items.extend(policy.lints().items);
            (Some(policy), found)
        }
        Err(found) => (None, found),
    };
    match args.format {
        Format::Text => say(policy.as_ref(), &found)?,
        Format::Json => {
            let report = json!({
                "ok": passes(&found),
                "name": policy.as_ref().map(Policy::name),
                "digest": policy.as_ref().map(Policy::digest),
                "rules": policy.as_ref().map(|policy| policy.rules().len()),
                "diagnostics": found.to_json(),
            });
            writeln!(io::stdout().lock(), "{report:#}")?;
        }
        Format::Sarif => writeln!(io::stdout().lock(), "{:#}", sarif(&found))?,
    }
    if passes(&found) {
        return Ok(());
    }
    let exit = if found.is_missing_input() { Exit::NoInput } else { Exit::Data };
    // All has been said already.
    Err(Failure { exit, message: String::new() })
}

/// An expired exception lets nothing run wrongly, but someone must look at it.
fn passes(found: &Diagnostics) -> bool {
    !found.has_errors() && !found.items.iter().any(|item| item.code == Code::ExpiredException)
}

/// What was found, as static analysis tools tell each other.
fn sarif(found: &Diagnostics) -> serde_json::Value {
    let codes: BTreeSet<Code> = found.items.iter().map(|item| item.code).collect();
    let rules: Vec<_> = codes
        .iter()
        .map(|code| {
            let (title, text) = code.explanation();
            json!({"id": code.id(), "shortDescription": {"text": title}, "help": {"text": text, "markdown": text}})
        })
        .collect();
    let results: Vec<_> = found
        .items
        .iter()
        .map(|item| {
            let level = match item.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            };
            let help = item.help.as_ref().map_or(String::new(), |help| format!(" ({help})"));
            let mut result = json!({
                "ruleId": item.code.id(),
                "level": level,
                "message": {"text": format!("{}{help}", item.message)},
            });
            if let Some(source) = found.sources.get(item.file) {
                let (line, column) = line_and_column(&source.text, item.at.start);
                let (end_line, end_column) = line_and_column(&source.text, item.at.end);
                result["locations"] = json!([{"physicalLocation": {
                    "artifactLocation": {"uri": source.name},
                    "region": {
                        "startLine": line,
                        "startColumn": column,
                        "endLine": end_line,
                        "endColumn": end_column,
                    },
                }}]);
            }
            result
        })
        .collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {"name": "privet", "version": env!("CARGO_PKG_VERSION"), "rules": rules}},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn say(policy: Option<&Policy>, found: &Diagnostics) -> io::Result<()> {
    let mut errors = io::stderr().lock();
    write!(errors, "{}", found.render(errors.is_terminal()))?;
    match policy {
        Some(policy) if passes(found) => {
            let (name, rules, digest) = (policy.name(), policy.rules().len(), policy.digest());
            let name = if name.is_empty() { "the policy" } else { name };
            writeln!(io::stdout().lock(), "{name} is right: {rules} rules, sha256 {digest}")
        }
        _ => writeln!(
            errors,
            "{} problem{}; `privet help CODE` explains each",
            found.items.len(),
            if found.items.len() == 1 { "" } else { "s" }
        ),
    }
}
