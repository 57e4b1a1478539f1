//! The commands as their users meet them: the real binary, its output, its exit codes.

mod canary;
mod demo;
mod filter;
mod keys;
mod policies;
mod reload;
mod test;
mod tutorial;

use std::io::Write;
use std::process::{Command, Stdio};

/// What a command said, and how it ended.
struct Ran {
    code: i32,
    stdout: Vec<u8>,
    stderr: String,
}

impl Ran {
    fn text(&self) -> &str {
        str::from_utf8(&self.stdout).expect("output is text")
    }

    /// Nothing of `values` stands in what the command said, wherever it said it.
    fn hides(&self, values: &[&str]) {
        for value in values {
            assert!(!self.stderr.contains(value), "{value} on standard error: {}", self.stderr);
            let found = self.stdout.windows(value.len()).any(|window| window == value.as_bytes());
            assert!(!found, "{value} on standard output: {}", String::from_utf8_lossy(&self.stdout));
        }
    }
}

fn privet(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_privet"));
    command.args(arguments);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("PRIVET_") || name.starts_with("OTEL_")) {
        command.env_remove(name);
    }
    command
}

/// An address that nobody has for now.
fn free() -> String {
    std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).unwrap().to_string()
}

/// Runs it to its end with that on standard input.
fn run(arguments: &[&str], stdin: &[u8]) -> Ran {
    let mut command = privet(arguments);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    let stdin = stdin.to_vec();
    let feeder = std::thread::spawn(move || {
        // A command that fails early does not read it all.
        let _ = pipe.write_all(&stdin);
    });
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap();
    Ran {
        code: output.status.code().expect("it ended by itself"),
        stdout: output.stdout,
        stderr: String::from_utf8(output.stderr).expect("standard error is text"),
    }
}
