//! The key holder's log: who used the keys for what, and never a value.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde_json::{Value, json};

use crate::cli::{Exit, Failure};

/// The log beside a keyring: its name with `.log` behind it.
pub fn beside(keyring: &Path) -> PathBuf {
    let mut name = keyring.as_os_str().to_owned();
    name.push(".log");
    name.into()
}

/// Adds a line and makes sure that it is on disk. Done before anything is shown or changed: what cannot be written down is
/// not done.
///
/// # Errors
/// If the log cannot be written.
pub fn note(log: &Path, now: SystemTime, what: &str, of: Value) -> Result<(), Failure> {
    let time = jiff::Timestamp::try_from(now).map(|time| time.to_string()).unwrap_or_default();
    let mut line = json!({"time": time, "user": rustix::process::geteuid().as_raw(), "use": what});
    if let (Some(line), Value::Object(of)) = (line.as_object_mut(), of) {
        line.extend(of);
    }
    let mut file =
        OpenOptions::new().append(true).create(true).mode(0o600).open(log).map_err(|error| failed(log, &error))?;
    let written = file.write_all(format!("{line}\n").as_bytes()).and_then(|()| file.sync_data());
    written.map_err(|error| failed(log, &error))
}

fn failed(log: &Path, error: &std::io::Error) -> Failure {
    let failure = Failure::file(log, error);
    Failure::new(Exit::CannotCreate, format!("the key holder's log cannot be written, so nothing is done: {failure}"))
}
