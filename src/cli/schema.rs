//! `privet schema`: the JSON Schema of policy files, for editors.

use std::io::{self, Write};

use super::Failure;
use crate::policy::schema;

/// Print the JSON Schema of policy files
///
/// Editors that know YAML complete and check a policy with it: write it beside your policies, and begin these with
/// `# yaml-language-server: $schema=policy.schema.json`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Ends with 0.

Example:
  privet schema > policy.schema.json")]
pub struct Args {}

pub fn run(_: Args) -> Result<(), Failure> {
    writeln!(io::stdout().lock(), "{:#}", schema::schema())?;
    Ok(())
}
