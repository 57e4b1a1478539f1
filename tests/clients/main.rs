//! Real clients: the OpenTelemetry SDKs of four languages send through the real binary into the OpenTelemetry Collector.
//! `README.md` beside this file says what they send and what is checked.

#[path = "../support/toolchain.rs"]
mod toolchain;

mod compare;
mod processes;

use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use compare::Tokens;
use processes::{Collector, Sidecar, make_keyring, run_to_end};
use toolchain::Missing;

/// How long a client may take, its start included.
const PATIENCE: Duration = Duration::from_secs(60);

/// A program that sends, and how it is had.
struct Client {
    language: &'static str,
    compression: &'static str,
    build: fn(&Path) -> Result<Command, Missing>,
}

const CLIENTS: [Client; 4] = [
    Client { language: "python", compression: "none", build: python },
    Client { language: "node", compression: "gzip", build: node },
    Client { language: "go", compression: "gzip", build: go },
    Client { language: "java", compression: "none", build: java },
];

fn python(folder: &Path) -> Result<Command, Missing> {
    let mut command = Command::new(toolchain::python(&folder.join("requirements.txt"))?);
    command.arg(folder.join("client.py"));
    Ok(command)
}

fn node(folder: &Path) -> Result<Command, Missing> {
    let mut command = Command::new("node");
    command.arg(toolchain::node(folder, "client.js")?);
    Ok(command)
}

fn go(folder: &Path) -> Result<Command, Missing> {
    Ok(Command::new(toolchain::go(folder)?))
}

fn java(folder: &Path) -> Result<Command, Missing> {
    let class_path = toolchain::java(folder, &folder.join("src/main/java/test/Client.java"))?;
    let mut command = Command::new("java");
    command.args(["-XX:TieredStopAtLevel=1", "-cp", &class_path, "test.Client"]);
    Ok(command)
}

fn main() -> ExitCode {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients");
    let wanted = |client: &&Client| {
        let mut names = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).peekable();
        names.peek().is_none() || names.any(|name| name == client.language)
    };
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    match toolchain::go(&here.join("collector")) {
        Ok(collector) => {
            let scratch = tempfile::tempdir().expect("a temporary folder can be made");
            let keyring = make_keyring(scratch.path());
            let mut tokens = Tokens::default();
            for client in CLIENTS.iter().filter(wanted) {
                let start = Instant::now();
                let command = match (client.build)(&here.join(client.language)) {
                    Ok(command) => command,
                    Err(missing) => {
                        skipped += 1;
                        println!("skipped: {} ({missing})", client.language);
                        continue;
                    }
                };
                match check(client, command, &collector, &keyring, &mut tokens) {
                    Ok(what) => {
                        passed += 1;
                        println!("{:<8} ok      {what}, {:.1} s", client.language, start.elapsed().as_secs_f64());
                    }
                    Err(problems) => {
                        failed += 1;
                        println!("{:<8} FAILED  {} problems", client.language, problems.len());
                        problems.iter().take(20).for_each(|problem| println!("         {problem}"));
                    }
                }
            }
        }
        Err(missing) => {
            skipped += CLIENTS.len();
            println!("skipped: all clients (the collector that receives: {missing})");
        }
    }
    let forbidden = skipped > 0 && toolchain::required();
    let result = if failed > 0 || forbidden { "FAILED" } else { "ok" };
    println!("test result: {result}. {passed} passed; {failed} failed; {skipped} skipped (clients)");
    if forbidden {
        println!("PRIVET_REQUIRE_CLIENTS=1 allows no skip");
    }
    if result == "ok" { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs one client through a sidecar of its own into a collector of its own.
fn check(
    client: &Client,
    mut command: Command,
    collector: &Path,
    keyring: &Path,
    tokens: &mut Tokens,
) -> Result<String, Vec<String>> {
    let folder = tempfile::tempdir().map_err(|error| vec![error.to_string()])?;
    let collector = Collector::start(collector, folder.path()).map_err(|why| vec![why])?;
    let sidecar = Sidecar::start(&collector.filtered_endpoint(), keyring, folder.path()).map_err(|why| vec![why])?;
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{}", sidecar.listen));
    if client.compression != "none" {
        // The SDK for Python knows no word for none.
        command.env("OTEL_EXPORTER_OTLP_COMPRESSION", client.compression);
    }
    command.env("PRIVET_TEST_RECEIVER", collector.direct_endpoint());
    run_to_end(&mut command, PATIENCE).map_err(|why| vec![format!("the client: {why}")])?;

    let mut said = vec![("metrics page", sidecar.metrics().map_err(|why| vec![why])?)];
    said.push(("log", sidecar.stop().map_err(|why| vec![why])?));
    let (sent, arrived) = collector.stop().map_err(|why| vec![why])?;
    let mut outcome = compare::compare(&sent, &arrived, tokens);
    for (name, text) in said {
        outcome.nothing_denied_in(&format!("the sidecar's own {name}"), text.as_bytes());
    }
    outcome.into_result(client.compression)
}
