//! `privet keys rotate`, `retire` and `destroy`: an epoch's way from its first token to the last trace of its secret.

use std::io::{self, BufRead, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde_json::json;

use super::log;
use crate::cli::{Exit, Failure};
use crate::pseudonym::Keyring;

#[derive(Debug, clap::Args)]
pub struct Rotate {
    /// The keyring file
    keyring: PathBuf,
    /// When the new epoch takes over: an RFC 3339 time, such as 2027-01-01T00:00:00Z [default: now]
    #[arg(long, value_name = "TIME")]
    at: Option<jiff::Timestamp>,
    /// The key holder's log [default: KEYRING.log]
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub struct One {
    /// The keyring file
    keyring: PathBuf,
    /// The epoch's number
    epoch: u32,
    /// The key holder's log [default: KEYRING.log]
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub struct Destroy {
    #[command(flatten)]
    one: One,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

pub fn rotate(args: &Rotate, now: SystemTime, out: &mut impl Write) -> Result<(), Failure> {
    let from = args.at.map_or(now, SystemTime::from);
    if from < now {
        return Err(Failure::new(Exit::Usage, "--at is in the past: no token of then can be made anew"));
    }
    let mut keyring = Keyring::load(&args.keyring)?;
    let id = keyring.rotate(from, now)?;
    let check_value = keyring.epoch(id).and_then(|epoch| epoch.check_value()).unwrap_or_default();
    let when = jiff::Timestamp::try_from(from).map(|time| time.to_string()).unwrap_or_default();
    let of = json!({"epoch": id, "from": when, "check_value": check_value});
    log::note(&log_of(&args.log, &args.keyring), now, "rotate", of)?;
    keyring.replace(&args.keyring)?;
    writeln!(
        out,
        "{}: epoch {id} makes the tokens from {when} on, key check value {check_value}",
        args.keyring.display()
    )?;
    Ok(())
}

pub fn retire(args: &One, now: SystemTime, out: &mut impl Write) -> Result<(), Failure> {
    let mut keyring = Keyring::load(&args.keyring)?;
    keyring.retire(args.epoch, now)?;
    log::note(&log_of(&args.log, &args.keyring), now, "retire", json!({"epoch": args.epoch}))?;
    keyring.replace(&args.keyring)?;
    writeln!(
        out,
        "{}: epoch {} is retired; it reveals and matches, and makes no tokens",
        args.keyring.display(),
        args.epoch
    )?;
    Ok(())
}

/// Asks first: there is no way back.
pub fn destroy(
    args: &Destroy,
    now: SystemTime,
    answers: &mut impl BufRead,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let One { keyring: file, epoch: id, log } = &args.one;
    let mut keyring = Keyring::load(file)?;
    let check_value = keyring.epoch(*id).and_then(|epoch| epoch.check_value()).unwrap_or_default();
    keyring.destroy(*id, now)?;
    if !args.yes {
        writeln!(
            out,
            "The secret of epoch {id} (key check value {check_value}) goes for good: its tokens can never again be made, \
             matched or revealed, by anybody.\nCopies of the keyring must go too. Type {id} to destroy it:"
        )?;
        out.flush()?;
        let mut answer = String::new();
        answers.read_line(&mut answer)?;
        if answer.trim() != id.to_string() {
            return Err(Failure::new(Exit::No, "nothing was destroyed"));
        }
    }
    log::note(&log_of(log, file), now, "destroy", json!({"epoch": id, "check_value": check_value}))?;
    keyring.replace(file)?;
    writeln!(out, "{}: epoch {id} is destroyed; its tokens are anonymous", file.display())?;
    Ok(())
}

fn log_of(given: &Option<PathBuf>, keyring: &Path) -> PathBuf {
    given.clone().unwrap_or_else(|| log::beside(keyring))
}

/// Standard input, for answers.
pub fn answers() -> impl BufRead {
    io::BufReader::new(io::stdin())
}
