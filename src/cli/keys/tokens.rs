//! Values to tokens, in every epoch that has a secret and for every recipient: what `privet token`, `match` and
//! `keys map` have in common.

use std::fs;
use std::io::{self, BufRead};
use std::path::{Path, PathBuf};

use super::log;
use crate::cli::{Exit, Failure};
use crate::config::Config;
use crate::pseudonym::{Epoch, Keyring, KindId, Pseudonyms, Recipe, Value};

/// Whose keys, and for whom.
#[derive(Debug, clap::Args)]
pub struct Keys {
    /// The keyring file
    #[arg(long, value_name = "FILE", env = "PRIVET_KEYRING")]
    pub keyring: PathBuf,
    /// A recipient; may be given several times
    #[arg(long, value_name = "NAME", required_unless_present = "config")]
    pub recipient: Vec<String>,
    /// privet.yaml: all recipients that it names
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The key holder's log [default: KEYRING.log]
    #[arg(long, value_name = "FILE")]
    pub log: Option<PathBuf>,
}

impl Keys {
    pub fn load(&self) -> Result<Keyring, Failure> {
        Ok(Keyring::load(&self.keyring)?)
    }

    pub fn recipients(&self) -> Result<Vec<String>, Failure> {
        let mut recipients = self.recipient.clone();
        if let Some(file) = &self.config {
            let config = Config::load(file).map_err(|wrong| Failure::new(Exit::Config, wrong.render(false)))?;
            let named = config.destinations.iter().map(|destination| config.recipient(destination).to_owned());
            recipients.extend(named);
        }
        recipients.sort();
        recipients.dedup();
        Ok(recipients)
    }

    pub fn log(&self) -> PathBuf {
        self.log.clone().unwrap_or_else(|| log::beside(&self.keyring))
    }
}

/// A way in which a kind's values are written, and its name.
pub type Form = (&'static str, Recipe);

/// The forms that values of a kind can have; all are made with a key.
pub fn forms(kind: &str) -> Vec<Form> {
    let token = ("token", Recipe::Token);
    match kind {
        "ip" => vec![token, ("address", Recipe::IpAddress), ("subnet", Recipe::IpSubnet)],
        "host" => vec![
            ("host", Recipe::Host { keep_public_suffix: false }),
            ("host, public suffix kept", Recipe::Host { keep_public_suffix: true }),
            token,
        ],
        "email" => vec![
            ("email", Recipe::Email { fold_local: false }),
            ("email, case folded", Recipe::Email { fold_local: true }),
            token,
        ],
        _ => vec![token],
    }
}

/// One value's token.
pub struct Token {
    pub epoch: u32,
    pub state: &'static str,
    pub recipient: String,
    pub form: &'static str,
    pub text: String,
}

/// Everything that makes tokens of one kind: epochs with a secret, recipients.
pub struct Makers {
    made: Vec<(u32, &'static str, String, Pseudonyms)>,
    forms: Vec<Form>,
}

impl Makers {
    /// `only`: of that epoch alone.
    pub fn new(keyring: &Keyring, recipients: &[String], kind: &str, only: Option<u32>) -> Result<Makers, Failure> {
        let living = |epoch: &&Epoch| epoch.check_value().is_some() && only.is_none_or(|id| id == epoch.id());
        let mut made = Vec::new();
        for epoch in keyring.epochs().iter().filter(living) {
            for recipient in recipients {
                let pseudonyms = Pseudonyms::of_epoch(epoch, recipient, &[kind.to_owned()])
                    .map_err(|error| Failure::new(Exit::Usage, error))?;
                made.push((epoch.id(), epoch.state().name(), recipient.clone(), pseudonyms));
            }
        }
        if let Some(id) = only.filter(|_| made.is_empty()) {
            return Err(Failure::new(Exit::Usage, format!("epoch {id}: there is none that has a secret")));
        }
        Ok(Makers { made, forms: forms(kind) })
    }

    /// The tokens of a value, each spelling once.
    pub fn tokens(&self, value: &str) -> Vec<Token> {
        let mut tokens: Vec<Token> = Vec::new();
        for (epoch, state, recipient, pseudonyms) in &self.made {
            let first = tokens.len();
            for (form, recipe) in &self.forms {
                let mut text = Vec::new();
                pseudonyms.write(KindId(0), recipe, Value::Text(value.trim().as_bytes()), &mut text);
                let text = String::from_utf8_lossy(&text).into_owned();
                if !tokens[first..].iter().any(|token| token.text == text) {
                    tokens.push(Token { epoch: *epoch, state, recipient: recipient.clone(), form, text });
                }
            }
        }
        tokens
    }
}

/// The lines of a file, or of standard input for `-`, without empty ones: number (from 1) and text.
pub fn lines(path: &Path) -> Result<Vec<(usize, String)>, Failure> {
    let text = if path == Path::new("-") {
        io::stdin().lock().lines().collect::<Result<Vec<_>, _>>().map(|lines| lines.join("\n"))
    } else {
        fs::read_to_string(path)
    };
    let text = text.map_err(|error| Failure::file(path, &error))?;
    let numbered = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim().to_owned()));
    Ok(numbered.filter(|(_, line)| !line.is_empty()).collect())
}
