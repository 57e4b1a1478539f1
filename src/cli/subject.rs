//! `privet token`, `match` and `reveal`: what the key holder owes data subjects, and nobody else can do.

use std::collections::HashMap;
use std::io::{self, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use clap::ValueEnum;
use serde_json::{Value, json};

use super::format::Format;
use super::keys::log;
use super::keys::tokens::{Keys, Makers, lines};
use super::{Exit, Failure};
use crate::pseudonym::{Epoch, KindId, Pseudonyms, RevealError};

/// Give the tokens of one identifier, in every living epoch and for every recipient
///
/// So that a request for access, correction, export or erasure can be handed to whoever holds the pseudonymised data. The
/// use is written to the key holder's log.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Ends with 0, with 77 or 78 if the keyring cannot be used, 73 if its log cannot be written.

Examples:
  privet token alice@example.com --kind email --keyring keyring.toml --recipient vendor
  privet token - --kind user --keyring keyring.toml --config privet.yaml < requests.txt")]
pub struct TokenArgs {
    /// The identifier; `-` reads one a line from standard input, which leaves no trace in the shell's history
    value: String,
    /// What it is: ip, host, email, user, or a kind of your policy's
    #[arg(long)]
    kind: String,
    #[command(flatten)]
    keys: Keys,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Say which of some candidates a token stands for
///
/// One-way tokens cannot be turned back: the candidates' tokens are made, in every living epoch, and compared. What is
/// found is told by the candidate's line number, and by its value with --show-values.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Ends with 0 if every token is matched, 1 if not.

Example:
  privet match user_7_9kkp2q85adf6gdx3epyc8qs5x --kind user --candidates staff.txt --keyring keyring.toml --recipient vendor")]
pub struct MatchArgs {
    /// The tokens; `-` reads one a line from standard input
    #[arg(required = true)]
    tokens: Vec<String>,
    /// What they stand for: ip, host, email, user, or a kind of your policy's
    #[arg(long)]
    kind: String,
    /// The candidates, one a line
    #[arg(long, value_name = "FILE")]
    candidates: PathBuf,
    #[command(flatten)]
    keys: Keys,
    /// Show the values that were found
    #[arg(long)]
    show_values: bool,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Turn reversible tokens back: those of `action: encrypt`, and addresses made of addresses
///
/// What is found is shown with --show-values only; without it the command says whether the keys fit.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Ends with 0 if every token is revealed, 1 if not.

Examples:
  privet reveal user_7~ca4dzpqta4vq93shk880wba8q5evfew1yc5ts2jqg95hbdprwhw0 --keyring keyring.toml --recipient vendor --show-values
  privet reveal 215.67.84.122 --form subnet --epoch 7 --keyring keyring.toml --recipient vendor --show-values")]
pub struct RevealArgs {
    /// The tokens; `-` reads one a line from standard input
    #[arg(required = true)]
    tokens: Vec<String>,
    /// What wrote them
    #[arg(long, value_enum, default_value_t)]
    form: RevealForm,
    /// For addresses: the epoch they were made in, which they do not say
    #[arg(long, required_if_eq_any([("form", "address"), ("form", "subnet")]))]
    epoch: Option<u32>,
    #[command(flatten)]
    keys: Keys,
    /// Show the values
    #[arg(long)]
    show_values: bool,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum RevealForm {
    /// `action: encrypt`
    #[default]
    Encrypted,
    /// `form: address`
    Address,
    /// `form: subnet`
    Subnet,
}

pub fn token(args: TokenArgs) -> Result<(), Failure> {
    let keyring = args.keys.load()?;
    let recipients = args.keys.recipients()?;
    let makers = Makers::new(&keyring, &recipients, &args.kind, None)?;
    let values = match args.value.as_str() {
        "-" => lines(Path::new("-"))?,
        value => vec![(1, value.to_owned())],
    };
    let of = json!({"kind": args.kind, "recipients": recipients, "values": values.len()});
    log::note(&args.keys.log(), SystemTime::now(), "token", of)?;
    let mut rows = Vec::new();
    for (line, value) in &values {
        for token in makers.tokens(value) {
            rows.push(json!({
                "line": line,
                "epoch": token.epoch,
                "state": token.state,
                "recipient": token.recipient,
                "form": token.form,
                "token": token.text,
            }));
        }
    }
    let text = |row: &Value| {
        format!(
            "{:>6} {:>6}  {:<8}  {:<16}  {:<24}  {}",
            number(&row["line"]),
            number(&row["epoch"]),
            word(&row["state"]),
            word(&row["recipient"]),
            word(&row["form"]),
            word(&row["token"])
        )
    };
    let head = format!("{:>6} {:>6}  {:<8}  {:<16}  {:<24}  token", "line", "epoch", "state", "recipient", "form");
    say(args.format, "tokens", &head, &rows, text)
}

pub fn match_(args: MatchArgs) -> Result<(), Failure> {
    let keyring = args.keys.load()?;
    let recipients = args.keys.recipients()?;
    let makers = Makers::new(&keyring, &recipients, &args.kind, None)?;
    let wanted = given(&args.tokens)?;
    let candidates = lines(&args.candidates)?;
    let of =
        json!({"kind": args.kind, "recipients": recipients, "tokens": wanted.len(), "candidates": candidates.len()});
    log::note(&args.keys.log(), SystemTime::now(), "match", of)?;
    let mut found: HashMap<String, Value> = HashMap::new();
    for (line, value) in &candidates {
        for token in makers.tokens(value) {
            if wanted.contains(&token.text) {
                let shown = args.show_values.then_some(value.as_str());
                let row = json!({
                    "token": token.text,
                    "line": line,
                    "epoch": token.epoch,
                    "recipient": token.recipient,
                    "value": shown,
                });
                found.entry(token.text).or_insert(row);
            }
        }
    }
    let rows: Vec<Value> = wanted
        .iter()
        .map(|token| found.remove(token).unwrap_or_else(|| json!({"token": token, "line": Value::Null})))
        .collect();
    let missing = rows.iter().filter(|row| row["line"].is_null()).count();
    let text = |row: &Value| {
        if row["line"].is_null() {
            return format!("{}  no candidate", word(&row["token"]));
        }
        let value = row["value"].as_str().map_or(String::new(), |value| format!(": {value}"));
        format!(
            "{}  candidate of line {}{value} (epoch {}, {})",
            word(&row["token"]),
            number(&row["line"]),
            number(&row["epoch"]),
            word(&row["recipient"])
        )
    };
    say(args.format, "matches", "", &rows, text)?;
    all_or_no(missing, "token", "matched")
}

pub fn reveal(args: RevealArgs) -> Result<(), Failure> {
    let keyring = args.keys.load()?;
    let recipients = args.keys.recipients()?;
    let tokens = given(&args.tokens)?;
    let of = json!({"recipients": recipients, "tokens": tokens.len(), "shown": args.show_values});
    log::note(&args.keys.log(), SystemTime::now(), "reveal", of)?;
    let mut rows = Vec::new();
    for token in &tokens {
        let mut row = json!({"token": token, "revealed": false});
        let epochs = keyring.epochs().iter().filter(|epoch| args.epoch.is_none_or(|id| id == epoch.id()));
        let outcome = match args.form {
            RevealForm::Encrypted => encrypted(token, epochs, &recipients),
            form => address(token, form, epochs, &recipients),
        };
        match outcome {
            Ok((epoch, recipient, value)) => {
                row = json!({"token": token, "revealed": true, "epoch": epoch, "recipient": recipient});
                if args.show_values {
                    row["value"] = value.into();
                }
            }
            Err(why) => row["why"] = why.into(),
        }
        rows.push(row);
    }
    let missing = rows.iter().filter(|row| row["revealed"] == false).count();
    let text = |row: &Value| match row["why"].as_str() {
        Some(why) => format!("{}  {why}", word(&row["token"])),
        None => format!(
            "{}  {} (epoch {}, {})",
            word(&row["token"]),
            row["value"].as_str().unwrap_or("the keys fit; --show-values shows it"),
            number(&row["epoch"]),
            word(&row["recipient"])
        ),
    };
    say(args.format, "revealed", "", &rows, text)?;
    all_or_no(missing, "token", "revealed")
}

type Revealed = Result<(u32, String, String), String>;

fn encrypted<'a>(token: &str, epochs: impl Iterator<Item = &'a Epoch>, recipients: &[String]) -> Revealed {
    // The token names its kind; what stands before the epoch.
    let kind = token.split_once('~').and_then(|(head, _)| head.rsplit_once('_')).map(|(kind, _)| kind.to_owned());
    let kind = kind.ok_or(RevealError::NoToken.to_string())?;
    let mut why = "no epoch of the keyring has a secret".to_owned();
    for epoch in epochs {
        for recipient in recipients {
            let revealed = Pseudonyms::of_epoch(epoch, recipient, std::slice::from_ref(&kind));
            match revealed.map_err(|error| error.to_string()).map(|keys| keys.reveal(token.as_bytes())) {
                Ok(Ok(value)) => {
                    return Ok((epoch.id(), recipient.clone(), String::from_utf8_lossy(&value).into_owned()));
                }
                Ok(Err(RevealError::OtherEpoch { .. })) if why.contains("another key") => {}
                Ok(Err(error)) => why = error.to_string(),
                Err(error) => why = error,
            }
        }
    }
    Err(why)
}

fn address<'a>(
    token: &str,
    form: RevealForm,
    mut epochs: impl Iterator<Item = &'a Epoch>,
    recipients: &[String],
) -> Revealed {
    let ip: IpAddr = token.parse().map_err(|_| "this is no address".to_owned())?;
    let epoch = epochs.next().ok_or("there is no such epoch")?;
    // Every address decrypts to some address, so only one recipient can be asked for.
    let [recipient] = recipients else { return Err("an address needs exactly one recipient".to_owned()) };
    let keys = Pseudonyms::of_epoch(epoch, recipient, &["ip".to_owned()]).map_err(|error| error.to_string())?;
    let revealed = match form {
        RevealForm::Subnet => keys.reveal_subnet(KindId(0), ip),
        RevealForm::Address | RevealForm::Encrypted => keys.reveal_address(KindId(0), ip),
    };
    let revealed = revealed.ok_or("this is no address that the keys could have made")?;
    Ok((epoch.id(), recipient.clone(), revealed.to_canonical().to_string()))
}

/// The tokens on the command line, or on standard input for `-`.
fn given(tokens: &[String]) -> Result<Vec<String>, Failure> {
    match tokens {
        [one] if one == "-" => Ok(lines(Path::new("-"))?.into_iter().map(|(_, token)| token).collect()),
        tokens => Ok(tokens.to_vec()),
    }
}

fn say(format: Format, name: &str, head: &str, rows: &[Value], text: impl Fn(&Value) -> String) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match format {
        Format::Json => writeln!(out, "{:#}", json!({name: rows}))?,
        Format::Text => {
            if !head.is_empty() {
                writeln!(out, "{head}")?;
            }
            for row in rows {
                writeln!(out, "{}", text(row))?;
            }
        }
    }
    Ok(())
}

fn all_or_no(missing: usize, what: &str, done: &str) -> Result<(), Failure> {
    match missing {
        0 => Ok(()),
        1 => Err(Failure::new(Exit::No, format!("1 {what} was not {done}"))),
        _ => Err(Failure::new(Exit::No, format!("{missing} {what}s were not {done}"))),
    }
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or("")
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or(0)
}
