//! `privet help`: of a subcommand, or of a code that `privet check` says.

use std::io::{self, Write};

use clap::{Command, CommandFactory};

use super::{Exit, Failure};
use crate::policy::Code;

/// Explain a subcommand, or a code such as P0007 that `privet check` says
#[derive(Debug, clap::Args)]
#[command(after_help = "Ends with 0, or with 64 if there is no such thing.")]
pub struct Args {
    /// Subcommands or a code
    topic: Vec<String>,
}

pub fn run(args: Args) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    if let [topic] = &*args.topic
        && let Some(code) = Code::from_id(topic)
    {
        let (title, text) = code.explanation();
        writeln!(out, "{}: {title}\n\n{text}", code.id())?;
        return Ok(());
    }
    let mut command = super::Cli::command();
    command.build();
    let mut at: &mut Command = &mut command;
    for topic in &args.topic {
        let message = format!("there is neither a subcommand nor a code `{topic}`");
        at = at.find_subcommand_mut(topic).ok_or(Failure::new(Exit::Usage, message))?;
    }
    write!(out, "{}", at.render_long_help())?;
    Ok(())
}
