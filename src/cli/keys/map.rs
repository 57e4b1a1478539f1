//! `privet keys map`: tokens of one epoch beside those of another, for joining across a rotation.

use std::io::Write;
use std::path::PathBuf;
use std::time::SystemTime;

use serde_json::json;

use super::log;
use super::tokens::{Keys, Makers, lines};
use crate::cli::Failure;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The epoch whose tokens there are
    old: u32,
    /// The epoch whose tokens are wanted
    new: u32,
    #[command(flatten)]
    keys: Keys,
    /// What the values are: ip, host, email, user, …
    #[arg(long)]
    kind: String,
    /// The values, one a line; `-` is standard input
    #[arg(long, value_name = "FILE")]
    candidates: PathBuf,
}

/// Writes CSV: recipient, form, old token, new token. No value.
pub fn run(args: &Args, now: SystemTime, out: &mut impl Write) -> Result<(), Failure> {
    let keyring = args.keys.load()?;
    let recipients = args.keys.recipients()?;
    let old = Makers::new(&keyring, &recipients, &args.kind, Some(args.old))?;
    let new = Makers::new(&keyring, &recipients, &args.kind, Some(args.new))?;
    let candidates = lines(&args.candidates)?;
    let of = json!({"old": args.old, "new": args.new, "kind": args.kind, "recipients": recipients, "values": candidates.len()});
    log::note(&args.keys.log(), now, "map", of)?;
    writeln!(out, "recipient,form,old,new")?;
    for (_, value) in &candidates {
        let new = new.tokens(value);
        for token in old.tokens(value) {
            let same = |other: &&super::tokens::Token| (&other.recipient, other.form) == (&token.recipient, token.form);
            if let Some(other) = new.iter().find(same) {
                writeln!(out, "{},\"{}\",{},{}", token.recipient, token.form, token.text, other.text)?;
            }
        }
    }
    Ok(())
}
