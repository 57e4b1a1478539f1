//! Why a command ended without success, and the exit code that says so.

use std::fmt;
use std::io;
use std::process::ExitCode;

/// Exit codes, those of `sysexits.h` and 1 for a plain "no".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// The command did its work and the answer is no: a health check, a gate.
    No = 1,
    /// The command line is wrong.
    Usage = 64,
    /// Input data or a policy is wrong.
    Data = 65,
    /// An input file is not there.
    NoInput = 66,
    /// An address is taken, a peer does not answer.
    Unavailable = 69,
    /// A defect of Privet itself.
    Software = 70,
    /// An output file cannot be made, or exists and is not overwritten.
    CannotCreate = 73,
    /// Reading or writing failed.
    Io = 74,
    /// A file's mode or owner forbids it.
    NoPermission = 77,
    /// The configuration or keyring is wrong.
    Config = 78,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

/// A command that failed: what to say, and with which code to end. The message never carries a value from telemetry.
#[derive(Debug)]
pub struct Failure {
    pub exit: Exit,
    /// Printed as it is, after `error: ` unless it is empty or says so itself (a rendered diagnostic).
    pub message: String,
}

impl Failure {
    pub fn new(exit: Exit, message: impl fmt::Display) -> Failure {
        Failure { exit, message: message.to_string() }
    }

    /// A failure to read or write the named file.
    pub fn file(path: &std::path::Path, error: &io::Error) -> Failure {
        Failure { exit: exit_of(error.kind()), message: format!("{}: {error}", path.display()) }
    }

    /// Says it on standard error, and gives the exit code.
    pub fn report(&self) -> ExitCode {
        if self.message.starts_with("error") {
            eprintln!("{}", self.message);
        } else if !self.message.is_empty() {
            eprintln!("error: {}", self.message);
        }
        self.exit.into()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure { exit: exit_of(error.kind()), message: error.to_string() }
    }
}

const fn exit_of(kind: io::ErrorKind) -> Exit {
    match kind {
        io::ErrorKind::NotFound => Exit::NoInput,
        io::ErrorKind::PermissionDenied => Exit::NoPermission,
        io::ErrorKind::AddrInUse | io::ErrorKind::AddrNotAvailable | io::ErrorKind::ConnectionRefused => {
            Exit::Unavailable
        }
        _ => Exit::Io,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_file_and_a_forbidden_one_have_codes_of_their_own() {
        assert_eq!(Failure::from(io::Error::from(io::ErrorKind::NotFound)).exit, Exit::NoInput);
        assert_eq!(Failure::from(io::Error::from(io::ErrorKind::PermissionDenied)).exit, Exit::NoPermission);
        assert_eq!(Failure::from(io::Error::from(io::ErrorKind::BrokenPipe)).exit, Exit::Io);
    }
}
