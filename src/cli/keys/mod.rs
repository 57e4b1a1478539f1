//! `privet keys`: make a keyring, look at it, prove it, and take its epochs from their first token to the last trace.

pub(super) mod log;
mod map;
pub(super) mod tokens;
mod turn;

use std::io::{self, Write};
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use clap::Subcommand;
use serde::Serialize;

use super::format::Format;
use super::{Exit, Failure};
use crate::pseudonym::{Epoch, Keyring, KeyringError, KindId, Pseudonyms, Recipe, Value};

/// Make and check the keyring, the secret that tokens are made with
///
/// A keyring is a small text file with a secret for each epoch. Privet makes its tokens with the secret of the active
/// epoch: with the same keyring the same value has the same token, on every host; without it nobody can make or check one.
/// It must be readable by its owner alone (mode 0600), and is worth a copy in a safe place.
#[derive(clap::Args)]
#[command(after_help = "\
Example:
  privet keys new --out keyring.toml
  privet keys check keyring.toml
  privet run --keyring keyring.toml")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make a keyring with one random secret, mode 0600; a file that exists is never overwritten
    New {
        /// The file to be made
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// List the epochs of a keyring: state, time, and key check value
    ///
    /// Key check values tell apart different secrets and say nothing else: where two replicas show different ones, their
    /// tokens do not join. Secrets are never shown.
    List {
        /// The keyring file
        keyring: PathBuf,
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Prove a keyring as `privet run` would: mode and owner, contents, an epoch for now, and a token there and back
    ///
    /// Ends with 0 if `privet run` would start with it, 66 if there is no such file, 77 if others may read it, and 78 if
    /// its contents are wrong or no epoch is active now.
    Check {
        /// The keyring file
        keyring: PathBuf,
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Add an epoch with a secret of its own, which makes the tokens from now or a given time on
    ///
    /// The one before it ends then. The file is replaced at once or not at all; a line in the key holder's log says so.
    Rotate(turn::Rotate),
    /// Say that an epoch's tokens are on their way no more: it only reveals and matches
    Retire(turn::One),
    /// Take an epoch's secret away: its tokens are anonymous from then on, for good
    ///
    /// Asks first; ends with 1 if the answer is not the epoch's number.
    Destroy(turn::Destroy),
    /// Lay tokens of one epoch beside those of another, for joining across a rotation
    ///
    /// Writes CSV: recipient, form, old token, new token. No value is shown.
    Map(map::Args),
}

/// Runs the subcommand; what it has to say goes to standard output.
pub fn run(args: Args) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let now = SystemTime::now();
    match args.command {
        Command::New { out: file } => new(&file, now, &mut out),
        Command::List { keyring, format } => list(&keyring, format, now, &mut out),
        Command::Check { keyring, format } => check(&keyring, format, now, &mut out),
        Command::Rotate(args) => turn::rotate(&args, now, &mut out),
        Command::Retire(args) => turn::retire(&args, now, &mut out),
        Command::Destroy(args) => turn::destroy(&args, now, &mut turn::answers(), &mut out),
        Command::Map(args) => map::run(&args, now, &mut out),
    }
}

fn new(file: &Path, now: SystemTime, out: &mut impl Write) -> Result<(), Failure> {
    let keyring = Keyring::generate(now)?;
    keyring.save(file)?;
    let check_value = keyring.epochs().first().and_then(Epoch::check_value).unwrap_or_default();
    writeln!(out, "{}: epoch 1 is active, key check value {check_value}", file.display())?;
    writeln!(out, "Keep a copy in a safe place: without it no token can be traced back or made again.")?;
    Ok(())
}

fn list(file: &Path, format: Format, now: SystemTime, out: &mut impl Write) -> Result<(), Failure> {
    let report = Report::new(file, &Keyring::load(file)?, now)?;
    match format {
        Format::Text => report.write_table(out)?,
        Format::Json => report.write_json(out)?,
    }
    Ok(())
}

fn check(file: &Path, format: Format, now: SystemTime, out: &mut impl Write) -> Result<(), Failure> {
    let keyring = Keyring::load(file)?;
    let report = Report::new(file, &keyring, now)?;
    let Some(epoch) = keyring.epoch_at(now) else {
        return Err(Failure::new(
            Exit::Config,
            format_args!(
                "{}: no epoch is active now: one must be `active` (or `pending` and due) and not past its `not_after`",
                file.display()
            ),
        ));
    };
    prove(epoch)?;
    match format {
        Format::Text => {
            writeln!(out, "{}: good (mode {}); tokens are made in epoch {}", file.display(), report.mode, epoch.id())?;
            report.write_table(out)?;
        }
        Format::Json => report.write_json(out)?,
    }
    Ok(())
}

/// Makes tokens that can be traced back, and traces them back.
fn prove(epoch: &Epoch) -> Result<(), Failure> {
    const KIND: KindId = KindId(0);
    let defect = |what| Failure::new(Exit::Software, format_args!("the proof of the keyring failed: {what}"));
    let pseudonyms = Pseudonyms::of_epoch(epoch, "proof", &["proof".to_owned()])
        .map_err(|error| Failure::new(Exit::Config, error))?;
    let mut token = Vec::new();
    pseudonyms.write(KIND, &Recipe::Reversible, Value::Text(b"proof"), &mut token);
    if !pseudonyms.reveal(&token).is_ok_and(|value| *value == b"proof") {
        return Err(defect("a reversible token"));
    }
    let address: IpAddr = [192, 0, 2, 1].into();
    for (recipe, reveal) in [
        (Recipe::IpAddress, Pseudonyms::reveal_address as fn(&Pseudonyms, KindId, IpAddr) -> Option<IpAddr>),
        (Recipe::IpSubnet, Pseudonyms::reveal_subnet),
    ] {
        let mut token = Vec::new();
        pseudonyms.write(KIND, &recipe, Value::Text(b"192.0.2.1"), &mut token);
        let token = str::from_utf8(&token).ok().and_then(|token| token.parse().ok());
        if token.and_then(|token| reveal(&pseudonyms, KIND, token)) != Some(address) {
            return Err(defect("an address"));
        }
    }
    Ok(())
}

/// What is said of a keyring.
#[derive(Serialize)]
struct Report {
    file: String,
    mode: String,
    /// The epoch in which tokens are made now.
    epoch_now: Option<u32>,
    /// When that may change.
    next_change: Option<String>,
    epochs: Vec<EpochReport>,
}

#[derive(Serialize)]
struct EpochReport {
    id: u32,
    state: &'static str,
    not_before: Option<String>,
    not_after: Option<String>,
    check_value: Option<String>,
}

impl Report {
    fn new(file: &Path, keyring: &Keyring, now: SystemTime) -> Result<Report, Failure> {
        let metadata = std::fs::metadata(file).map_err(|error| Failure::file(file, &error))?;
        let epochs = keyring.epochs().iter().map(|epoch| EpochReport {
            id: epoch.id(),
            state: epoch.state().name(),
            not_before: epoch.not_before().map(|time| time.to_string()),
            not_after: epoch.not_after().map(|time| time.to_string()),
            check_value: epoch.check_value(),
        });
        Ok(Report {
            file: file.display().to_string(),
            mode: format!("{:04o}", metadata.mode() & 0o7777),
            epoch_now: keyring.epoch_at(now).map(Epoch::id),
            next_change: keyring
                .next_change(now)
                .and_then(|time| jiff::Timestamp::try_from(time).ok())
                .map(|time| time.to_string()),
            epochs: epochs.collect(),
        })
    }

    fn write_table(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "{:>10}  {:<9}  {:<20}  {:<20}  key check value", "epoch", "state", "from", "until")?;
        for epoch in &self.epochs {
            let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
            let here = if self.epoch_now == Some(epoch.id) { "  <- makes tokens now" } else { "" };
            writeln!(
                out,
                "{:>10}  {:<9}  {:<20}  {:<20}  {}{here}",
                epoch.id,
                epoch.state,
                text(&epoch.not_before),
                text(&epoch.not_after),
                text(&epoch.check_value),
            )?;
        }
        Ok(())
    }

    fn write_json(&self, out: &mut impl Write) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut *out, self)?;
        writeln!(out)
    }
}

impl From<KeyringError> for Failure {
    fn from(error: KeyringError) -> Failure {
        let exit = match &error {
            KeyringError::Read { source, .. } => match source.kind() {
                io::ErrorKind::NotFound => Exit::NoInput,
                io::ErrorKind::PermissionDenied => Exit::NoPermission,
                _ => Exit::Io,
            },
            KeyringError::Exposed { .. } => Exit::NoPermission,
            KeyringError::Text { .. } => Exit::Config,
            KeyringError::Exists { .. } | KeyringError::Write { .. } => Exit::CannotCreate,
            KeyringError::Random => Exit::Software,
            KeyringError::Epoch { .. } => Exit::Usage,
        };
        Failure::new(exit, error)
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_800_000_000)
    }

    fn text(run: impl FnOnce(&mut Vec<u8>) -> Result<(), Failure>) -> Result<String, Failure> {
        let mut out = Vec::new();
        run(&mut out).map(|()| String::from_utf8(out).unwrap())
    }

    #[test]
    fn a_new_keyring_is_good_and_is_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keyring.toml");
        let made = text(|out| new(&file, now(), out)).unwrap();
        let before = fs::read_to_string(&file).unwrap();
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o7777, 0o600);

        let checked = text(|out| check(&file, Format::Text, now(), out)).unwrap();
        assert!(checked.contains("good (mode 0600); tokens are made in epoch 1"), "{checked}");
        let listed = text(|out| list(&file, Format::Json, now(), out)).unwrap();
        let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
        assert_eq!(listed["epoch_now"], 1);
        assert_eq!(listed["epochs"][0]["not_before"], "2027-01-15T08:00:00Z");
        let check_value = listed["epochs"][0]["check_value"].as_str().unwrap();
        assert!(made.contains(check_value) && checked.contains(check_value));

        let secret = before.lines().find_map(|line| line.strip_prefix("secret = \"")).unwrap().trim_end_matches('"');
        assert!(!made.contains(secret) && !checked.contains(secret) && !listed.to_string().contains(secret));

        assert_eq!(text(|out| new(&file, now(), out)).unwrap_err().exit, Exit::CannotCreate);
        assert_eq!(fs::read_to_string(&file).unwrap(), before);
    }

    #[test]
    fn each_fault_has_its_exit_code() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keyring.toml");
        let exit = |at| text(|out| check(&file, Format::Text, at, out)).unwrap_err().exit;
        assert_eq!(exit(now()), Exit::NoInput);

        text(|out| new(&file, now(), out)).unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
        assert_eq!(exit(now()), Exit::NoPermission);

        fs::set_permissions(&file, Permissions::from_mode(0o400)).unwrap();
        assert_eq!(exit(now() - std::time::Duration::from_secs(1)), Exit::Config, "before its epoch");

        fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
        fs::write(&file, "version = 2\n").unwrap();
        assert_eq!(exit(now()), Exit::Config);

        let nowhere = folder.path().join("no/such/folder/keyring.toml");
        assert_eq!(text(|out| new(&nowhere, now(), out)).unwrap_err().exit, Exit::CannotCreate);
    }
}
