//! What can be wrong with a keyring. No message ever carries a piece of the file: it might be the secret.

use std::path::{Path, PathBuf};
use std::{fmt, io};

/// Why a keyring could not be read or written.
#[derive(Debug)]
pub enum KeyringError {
    Read {
        path: PathBuf,
        source: io::Error,
    },
    /// Others could read or change the file.
    Exposed {
        path: PathBuf,
        mode: u32,
        exposure: Exposure,
    },
    /// The text is wrong at a place; lines and columns (in characters) count from 1.
    Text {
        path: PathBuf,
        line: usize,
        column: usize,
        problem: String,
    },
    /// The file to be written exists.
    Exists {
        path: PathBuf,
    },
    Write {
        path: PathBuf,
        source: io::Error,
    },
    /// The operating system gives no random bytes.
    Random,
    /// What was asked cannot be done to that epoch.
    Epoch {
        id: u32,
        problem: &'static str,
    },
}

/// How a keyring file is open to others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exposure {
    NotAFile,
    Mode,
    /// Belongs to neither this process's user nor root.
    Owner {
        owner: u32,
        user: u32,
    },
}

impl fmt::Display for KeyringError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeyringError::Read { path, source } => write!(f, "{}: cannot read the keyring: {source}", path.display()),
            KeyringError::Exposed { path, exposure: Exposure::NotAFile, .. } => {
                write!(f, "{}: a keyring is a regular file, and this is none", path.display())
            }
            KeyringError::Exposed { path, mode, exposure: Exposure::Mode } => write!(
                f,
                "{path}: others may read or change the keyring (mode {mode:04o}): `chmod 600 {path}`. \
                 In a Kubernetes Secret volume set `defaultMode: 0400` (or 0440 with `fsGroup`)",
                path = path.display(),
            ),
            KeyringError::Exposed { path, exposure: Exposure::Owner { owner, user }, .. } => write!(
                f,
                "{path}: the keyring belongs to user {owner}, and this process runs as user {user}: `chown {user} {path}`",
                path = path.display(),
            ),
            KeyringError::Text { path, line, column, problem } => {
                write!(f, "{}:{line}:{column}: {problem}", path.display())
            }
            KeyringError::Exists { path } => {
                write!(f, "{}: exists, and a keyring is never overwritten: its tokens would be lost", path.display())
            }
            KeyringError::Write { path, source } => write!(f, "{}: cannot write the keyring: {source}", path.display()),
            KeyringError::Random => f.write_str("the operating system gives no random bytes"),
            KeyringError::Epoch { id, problem } => write!(f, "epoch {id}: {problem}"),
        }
    }
}

impl std::error::Error for KeyringError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            KeyringError::Read { source, .. } | KeyringError::Write { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// A problem at a place of a text whose path is not known yet.
#[derive(Debug, PartialEq, Eq)]
pub struct Problem {
    pub line: usize,
    pub column: usize,
    pub what: String,
}

impl Problem {
    pub fn at(self, path: &Path) -> KeyringError {
        KeyringError::Text { path: path.to_owned(), line: self.line, column: self.column, problem: self.what }
    }
}
