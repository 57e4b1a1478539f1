//! The command line: one file a subcommand, each a struct of arguments and a `run`, no logic that the library lacks.
//!
//! ```text
//! main → arguments → Command → X::run(X::Args) → Ok | Failure { exit, message } → exit code
//! ```

pub mod audit;
pub mod canary;
pub mod check;
mod corpus;
pub mod demo;
pub mod diff;
pub mod explain;
mod failure;
pub mod filter;
mod format;
pub mod health;
pub mod help;
pub mod init;
pub mod keys;
mod markup;
pub mod reload;
pub mod run;
pub mod scan;
pub mod schema;
pub mod shadow;
pub mod subject;
mod systemd;
pub mod test;

use std::io;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

pub use failure::{Exit, Failure};

const EXIT_CODES: &str = "\
Exit codes (sysexits.h):
   0  done                                                  70  a defect of privet itself
   1  the answer is no                                      73  a file cannot be made, or exists
  64  the command line is wrong                             74  reading or writing failed
  65  the input or policy is wrong                          77  not permitted: a file's mode or owner
  66  a file is not there                                   78  the configuration or keyring is wrong
  69  unavailable: an address is taken, a peer is silent";

/// The privacy hedge for telemetry.
///
/// Privet stands beside a monitoring agent, takes its logs, metrics, traces and profiles over OTLP, replaces addresses,
/// host names and e-mail addresses with keyed tokens, drops what must stay, and forwards the rest byte for byte.
#[derive(Parser)]
#[command(name = "privet", version, after_help = EXIT_CODES, arg_required_else_help = true, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the sidecar: OTLP/gRPC in, filtered, OTLP/gRPC out
    Run(Box<run::Args>),
    Demo(demo::Args),
    Filter(filter::Args),
    Check(check::Args),
    Test(test::Args),
    Audit(audit::Args),
    Canary(canary::Args),
    Reload(reload::Args),
    Shadow(shadow::Args),
    Explain(explain::Args),
    Diff(diff::Args),
    Scan(scan::Args),
    Init(init::Args),
    Schema(schema::Args),
    Keys(keys::Args),
    Token(subject::TokenArgs),
    Match(subject::MatchArgs),
    Reveal(subject::RevealArgs),
    /// Ask a running sidecar whether it is ready
    Health(health::Args),
    /// Print the completion script of a shell
    Completions {
        shell: clap_complete::Shell,
    },
    /// Print the manual page (roff)
    Man,
    Help(help::Args),
}

/// Parses the process's arguments, runs the command, says on standard error why it failed.
pub fn main() -> ExitCode {
    say_where_not_what();
    match Cli::try_parse() {
        Ok(cli) => match run(cli.command) {
            Ok(()) => ExitCode::SUCCESS,
            Err(failure) => failure.report(),
        },
        // Help and version are errors to clap, with exit code 0.
        Err(error) => {
            let _ = error.print();
            if error.exit_code() == 0 { ExitCode::SUCCESS } else { Exit::Usage.into() }
        }
    }
}

/// A panic's message can quote what was being worked on, so only its place is told.
fn say_where_not_what() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map_or_else(String::new, |place| format!(" at {place}"));
        eprintln!("error: privet has a defect{place}; please report it");
    }));
}

fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Run(args) => run::run(*args),
        Command::Demo(args) => demo::run(args),
        Command::Filter(args) => filter::run(args),
        Command::Check(args) => check::run(args),
        Command::Test(args) => test::run(args),
        Command::Audit(args) => audit::run(args),
        Command::Canary(args) => canary::run(args),
        Command::Reload(args) => reload::run(args),
        Command::Shadow(args) => shadow::run(args),
        Command::Explain(args) => explain::run(args),
        Command::Diff(args) => diff::run(args),
        Command::Scan(args) => scan::run(args),
        Command::Init(args) => init::run(args),
        Command::Schema(args) => schema::run(args),
        Command::Help(args) => help::run(args),
        Command::Keys(args) => keys::run(args),
        Command::Token(args) => subject::token(args),
        Command::Match(args) => subject::match_(args),
        Command::Reveal(args) => subject::reveal(args),
        Command::Health(args) => health::run(args),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "privet", &mut script);
            Ok(io::Write::write_all(&mut io::stdout(), &script)?)
        }
        Command::Man => man(&mut io::stdout().lock()),
    }
}

/// One page for all: the command, then each subcommand as a page of its own behind it.
fn man(out: &mut impl io::Write) -> Result<(), Failure> {
    let mut command = Cli::command();
    command.build();
    clap_mangen::Man::new(command.clone()).render(out)?;
    for subcommand in command.get_subcommands().filter(|subcommand| subcommand.get_name() != "help") {
        clap_mangen::Man::new(subcommand.clone()).render(out)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_manual_names_every_subcommand() {
        let mut page = Vec::new();
        man(&mut page).unwrap();
        let page = String::from_utf8(page).unwrap();
        for subcommand in Cli::command().get_subcommands() {
            assert!(page.contains(&format!("privet\\-{}", subcommand.get_name())), "{}", subcommand.get_name());
        }
    }
}
