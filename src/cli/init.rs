//! `privet init`: a policy to begin with.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::corpus::Corpus;
use super::scan;
use super::{Exit, Failure};
use crate::policy::{PACKS, Policy, did_you_mean};

/// Write a policy to begin with: from packs, from what a scan of telemetry finds, or both
///
/// The file is checked before it is written, and one that exists is never overwritten.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Ends with 0 if the file is written, 64 if a pack does not exist, 65 if a record is wrong, 73 if the file exists.

Examples:
  privet init
  privet init --pack server-agent --pack secrets -o policy.yaml
  privet init --pack base --scan telemetry/ -o policy.yaml")]
pub struct Args {
    /// A pack to build on; may be given several times [default: base]
    #[arg(long, value_name = "NAME")]
    pack: Vec<String>,
    /// Files and folders of telemetry: a rule is written for each key whose values search alone finds to be identifiers
    #[arg(long, value_name = "PATH", num_args = 1..)]
    scan: Vec<PathBuf>,
    /// What protobuf files carry
    #[arg(long, value_parser = super::filter::signals())]
    signal: Option<crate::otlp::Signal>,
    /// The policy's name
    #[arg(long, default_value = "policy")]
    name: String,
    /// Where to write; `-` is standard output
    #[arg(short, long = "output", value_name = "FILE", default_value = "policy.yaml")]
    output: PathBuf,
}

pub fn run(args: Args) -> Result<(), Failure> {
    let packs = if args.pack.is_empty() { vec!["base".to_owned()] } else { args.pack.clone() };
    for pack in &packs {
        known(pack)?;
    }
    let stubs = if args.scan.is_empty() {
        String::new()
    } else {
        let corpus = Corpus { paths: args.scan.clone(), signal: args.signal, records: None };
        scan::inventory(&[], &corpus)?.stubs()
    };
    let text = policy(&args.name, &packs, &stubs);
    Policy::parse(&[("policy", &text)], jiff::civil::Date::MAX)
        .map_err(|wrong| Failure::new(Exit::Usage, wrong.render(false)))?;
    if args.output == Path::new("-") {
        return Ok(io::stdout().lock().write_all(text.as_bytes())?);
    }
    let written = std::fs::File::create_new(&args.output).and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| Failure { exit: Exit::CannotCreate, ..Failure::file(&args.output, &error) })?;
    let file = args.output.display();
    writeln!(
        io::stdout().lock(),
        "{file} is written. Next: privet test {file}, privet explain --policy {file} RECORD"
    )?;
    Ok(())
}

fn known(pack: &str) -> Result<(), Failure> {
    let names = || PACKS.iter().map(|(name, _)| *name);
    if names().any(|name| name == pack) {
        return Ok(());
    }
    let help =
        did_you_mean(pack, names()).unwrap_or_else(|| format!("packs: {}", names().collect::<Vec<_>>().join(", ")));
    Err(Failure::new(Exit::Usage, format!("there is no pack `{pack}`: {help}")))
}

fn policy(name: &str, packs: &[String], stubs: &str) -> String {
    let mut text = format!(
        "# yaml-language-server: $schema=policy.schema.json\n\
         # What may leave. Adding a rule or a pack only ever narrows it; `exceptions` alone widen.\n\
         # `privet check`, `privet test`, `privet explain` and `privet diff` are the tools; docs/policy.md is the language.\n\
         version: 1\nname: {name}\nextends: [{}]\n",
        packs.join(", ")
    );
    if stubs.is_empty() {
        text += "\n# rules:\n#   - name: order-numbers\n#     keys: [order.id]\n#     as: order        # declare it: `kinds: [order]`\n#     action: pseudonymise\n";
    } else {
        write!(text, "\nrules:\n{stubs}").expect("a String grows");
    }
    text += "
# Put a record of yours here, and say what must not be found in what leaves of it.
tests:
  - name: nobody is named
    given:
      resource: {host.name: db-1}
      log: {body: accepted from 203.0.113.7, attributes: {user.name: alice, event.outcome: success}}
    hides: [203.0.113.7, alice, db-1]
    keeps: [accepted from, success]
";
    text
}
