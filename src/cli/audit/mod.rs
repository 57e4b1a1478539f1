//! `privet audit`: whether a trail is whole, and what it says.
//!
//! ```text
//! observe::audit::read ─▶ verify
//!                      └▶ summary (sums and changes) ─▶ document (words) ─▶ markdown │ html
//! ```

mod document;
mod html;
mod markdown;
mod report;
mod summary;
mod verify;

use std::path::Path;

use clap::Subcommand;

use super::{Exit, Failure};
use crate::observe::audit::entry::Line;
use crate::observe::audit::read::{self, Reading};

/// Check the audit trail that a sidecar writes, and report what left
///
/// The trail is a directory that `audit:` in privet.yaml names: what left for whom, by which rules and in which fields, in
/// numbers and never a value. Each entry carries the hash of the one before.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  privet audit verify /var/lib/privet/audit
  privet audit report audit/ --from 2026-10-01 --to 2026-10-31 --format html > october.html")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Verify(verify::Args),
    Report(report::Args),
}

pub fn run(args: Args) -> Result<(), Failure> {
    match args.command {
        Command::Verify(args) => verify::run(args),
        Command::Report(args) => report::run(args),
    }
}

/// Reads a trail that must be there.
fn read(directory: &Path, expected: &[String], each: &mut dyn FnMut(&Line)) -> Result<Reading, Failure> {
    let reading = read::read(directory, expected, each).map_err(|error| Failure::file(directory, &error))?;
    if reading.files.is_empty() {
        let text = format!("{}: no audit trail is there", directory.display());
        return Err(Failure::new(Exit::NoInput, text));
    }
    Ok(reading)
}
