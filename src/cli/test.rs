//! `privet test`: the examples and tests in policy files, run.

mod junit;
mod say;

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use clap::ValueEnum;
use serde_json::json;

use super::{Exit, Failure};
use crate::policy::{Diagnostics, Policy};
use crate::review::testing::{self, Mutant, Report};

/// Run the examples and tests that stand in policy files
///
/// Each rule's `hits` and `misses` are held against the rule alone; each of the file's `tests` puts a record through the
/// whole policy, as the sidecar would, and says what must not be found in what leaves, and what must still be there.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Ends with 0 if all is as the files say, 1 if not, 65 if a policy is wrong, 66 if a file is not there.

Examples:
  privet test policy.yaml
  privet test rules/ --mutate
  privet test rules/ --format junit > report.xml")]
pub struct Args {
    /// Policy files, and folders of them
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Take each rule away in turn, and name those whose loss nothing notices
    #[arg(long)]
    mutate: bool,
    /// Run again whenever a file changes, until interrupted
    #[arg(long, conflicts_with = "format")]
    watch: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    #[default]
    Text,
    /// One JSON document
    Json,
    /// For build servers
    Junit,
}

/// What one policy file came to.
struct Suite {
    file: PathBuf,
    outcome: Result<(Report, Vec<Mutant>), Diagnostics>,
}

impl Suite {
    fn run(file: &Path, mutate: bool) -> Suite {
        Suite { file: file.to_owned(), outcome: Suite::outcome(file, mutate) }
    }

    fn outcome(file: &Path, mutate: bool) -> Result<(Report, Vec<Mutant>), Diagnostics> {
        let paths = [file.to_owned()];
        let policy = Arc::new(Policy::load(&paths)?);
        let read = |path: &str| {
            let beside = file.parent().unwrap_or(Path::new("")).join(path);
            fs::read_to_string(&beside).map_err(|error| error.to_string())
        };
        let report = testing::run(&policy, &read);
        let load = |rule: Option<&str>| Policy::load_without(&paths, rule);
        let mutants = if mutate { testing::mutate(&policy, &load, &read)? } else { Vec::new() };
        Ok((report, mutants))
    }

    fn passes(&self) -> bool {
        self.outcome
            .as_ref()
            .is_ok_and(|(report, mutants)| report.failed().next().is_none() && mutants.iter().all(Mutant::is_noticed))
    }
}

pub fn run(args: Args) -> Result<(), Failure> {
    if args.watch {
        return watch(&args);
    }
    let suites = suites(&args)?;
    let mut out = io::stdout().lock();
    match args.format {
        Format::Text => out.write_all(say::text(&suites).as_bytes())?,
        Format::Json => writeln!(out, "{:#}", to_json(&suites))?,
        Format::Junit => out.write_all(junit::xml(&suites).as_bytes())?,
    }
    let exit = match suites.iter().filter_map(|suite| suite.outcome.as_ref().err()).next() {
        Some(wrong) if wrong.is_missing_input() => Exit::NoInput,
        Some(_) => Exit::Data,
        None if suites.iter().all(Suite::passes) => return Ok(()),
        None => Exit::No,
    };
    // All has been said already.
    Err(Failure { exit, message: String::new() })
}

fn suites(args: &Args) -> Result<Vec<Suite>, Failure> {
    let files = files(&args.paths)?;
    Ok(files.iter().map(|file| Suite::run(file, args.mutate)).collect())
}

/// The policy files that paths name: those in a folder in the order of their names.
fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let entries = fs::read_dir(path).map_err(|error| Failure::file(path, &error))?;
        let mut inside: Vec<PathBuf> = entries
            .filter_map(|entry| entry.ok().map(|entry| entry.path()))
            .filter(|path| path.extension().is_some_and(|end| end == "yaml" || end == "yml"))
            .collect();
        if inside.is_empty() {
            return Err(Failure::new(Exit::NoInput, format_args!("{}: no .yaml file is in there", path.display())));
        }
        inside.sort();
        files.extend(inside);
    }
    Ok(files)
}

/// Runs, and runs again when something changed; ends with an interrupt.
fn watch(args: &Args) -> Result<(), Failure> {
    const PAUSE: Duration = Duration::from_millis(300);
    loop {
        let seen = stamps(&args.paths)?;
        let mut out = io::stdout().lock();
        if out.is_terminal() {
            out.write_all(b"\x1b[2J\x1b[H")?;
        }
        out.write_all(say::text(&suites(args)?).as_bytes())?;
        writeln!(out, "\nWaiting for a change; end with Ctrl-C.")?;
        out.flush()?;
        drop(out);
        while stamps(&args.paths)? == seen {
            std::thread::sleep(PAUSE);
        }
    }
}

/// When each file in or beside the paths was last changed: samples stand beside policies.
fn stamps(paths: &[PathBuf]) -> Result<BTreeMap<PathBuf, Option<SystemTime>>, Failure> {
    let mut stamps = BTreeMap::new();
    for path in paths {
        let folder = if path.is_dir() { path } else { path.parent().unwrap_or(path) };
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        stamp(folder, 0, &mut stamps).map_err(|error| Failure::file(folder, &error))?;
    }
    Ok(stamps)
}

fn stamp(folder: &Path, depth: usize, stamps: &mut BTreeMap<PathBuf, Option<SystemTime>>) -> io::Result<()> {
    /// Samples stand one folder below, seldom two.
    const DEEPEST: usize = 2;
    for entry in fs::read_dir(folder)?.flatten() {
        let path = entry.path();
        if path.is_dir() && depth < DEEPEST {
            stamp(&path, depth + 1, stamps)?;
        } else {
            stamps.insert(path, entry.metadata().and_then(|metadata| metadata.modified()).ok());
        }
    }
    Ok(())
}

fn to_json(suites: &[Suite]) -> serde_json::Value {
    let suite = |suite: &Suite| match &suite.outcome {
        Err(wrong) => json!({
            "file": suite.file.display().to_string(),
            "ok": false,
            "diagnostics": wrong.to_json(),
        }),
        Ok((report, mutants)) => json!({
            "file": report.file,
            "ok": suite.passes(),
            "cases": report.cases.iter().map(|case| json!({
                "name": case.name,
                "line": case.line,
                "promise": case.promise,
                "ok": case.failures.is_empty(),
                "failures": case.failures,
                "record": case.record.iter().map(|change| json!({
                    "path": change.path,
                    "before": change.before.as_ref().map(|leaf| &leaf.value),
                    "after": change.after.as_ref().map(|leaf| &leaf.value),
                })).collect::<Vec<_>>(),
            })).collect::<Vec<_>>(),
            "rules": report.rules.iter().map(|rule| json!({
                "name": rule.name,
                "line": rule.line,
                "action": rule.action.name(),
                "hits": rule.hits,
                "misses": rule.misses,
                "tests": rule.tests,
            })).collect::<Vec<_>>(),
            "mutants": mutants.iter().map(|mutant| json!({
                "rule": mutant.name,
                "line": mutant.line,
                "noticed": mutant.is_noticed(),
                "by_test": mutant.test,
                "by_example": mutant.example,
            })).collect::<Vec<_>>(),
        }),
    };
    json!({
        "ok": suites.iter().all(Suite::passes),
        "suites": suites.iter().map(suite).collect::<Vec<_>>(),
    })
}
