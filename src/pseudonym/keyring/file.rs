//! Keyring files: who may read them, and how they are written.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use zeroize::Zeroizing;

use super::error::{Exposure, KeyringError};

/// A keyring of thousands of epochs is far smaller.
const MAX: u64 = 1 << 20;

/// The text of a keyring file that only its owner can read. What is checked is the open file, not its name.
pub fn read(path: &Path) -> Result<Zeroizing<String>, KeyringError> {
    let failed = |source| KeyringError::Read { path: path.to_owned(), source };
    let file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    let mode = metadata.mode() & 0o7777;
    if let Some(exposure) = exposure(metadata.is_file(), mode, metadata.uid(), rustix::process::geteuid().as_raw()) {
        return Err(KeyringError::Exposed { path: path.to_owned(), mode, exposure });
    }
    if metadata.len() > MAX {
        return Err(failed(io::Error::new(io::ErrorKind::FileTooLarge, "larger than 1 MiB")));
    }
    // All room at once: growing would leave copies of the secrets behind.
    let mut text = Zeroizing::new(String::with_capacity(metadata.len() as usize + 1));
    file.take(metadata.len()).read_to_string(&mut text).map_err(failed)?;
    Ok(text)
}

/// How a file is open to others than `user`, the user of this process.
fn exposure(is_file: bool, mode: u32, owner: u32, user: u32) -> Option<Exposure> {
    const ROOT: u32 = 0;
    // Only root can hand its file to a group, and only the orchestrator is root where this process is not.
    let allowed_to_others = if owner == ROOT && user != ROOT { 0o040 } else { 0 };
    if !is_file {
        Some(Exposure::NotAFile)
    } else if mode & 0o077 & !allowed_to_others != 0 {
        Some(Exposure::Mode)
    } else if owner != user && owner != ROOT {
        Some(Exposure::Owner { owner, user })
    } else {
        None
    }
}

/// Writes a new file that only its owner can read, and makes sure that it is on disk.
pub fn create(path: &Path, text: &str) -> Result<(), KeyringError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::AlreadyExists => KeyringError::Exists { path: path.to_owned() },
        _ => KeyringError::Write { path: path.to_owned(), source },
    };
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    written.map_err(|source| {
        // Half a keyring is none, and it would stand in the way of the next attempt.
        let _ = std::fs::remove_file(path);
        failed(source)
    })
}

/// Keeps this process's memory, and so its keys, out of core dumps and out of other processes' reach.
pub fn keep_out_of_core_dumps() -> io::Result<()> {
    use rustix::process::{Resource, Rlimit, setrlimit};
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    #[cfg(target_os = "linux")]
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)?;
    Ok(())
}
