//! `privet demo`: an agent, the real sidecar and a destination on loopback, and what the sidecar did.
//!
//! ```text
//! traffic (SDK exporters) ─┬─▶ witness: what was sent          records: lays the two beside each other
//!                          └─▶ sidecar ─▶ destination: what arrived          show: says it
//! ```

mod columns;
mod destination;
mod records;
mod report;
mod show;
mod traffic;

use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::{Instant, SystemTime};

pub(super) use self::destination::Destination;
use self::report::Report;
pub(super) use self::traffic::{IDENTIFIERS, send as send_traffic};
use super::format::Format;
use super::{Exit, Failure};
use crate::config::Config;
use crate::run;
use crate::send::Endpoint;

const POLICY: &str = include_str!("policy.yaml");

/// See the sidecar at work on a web server's telemetry
///
/// Starts an agent, the sidecar and a destination on free loopback ports, sends logs, security events, metrics, traces and
/// a profile through OpenTelemetry's own exporters, shows what was sent beside what arrived, and ends. Nothing leaves this
/// machine.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Policy files to try instead of the demo's own
    #[arg(long, value_name = "FILE")]
    policy: Vec<PathBuf>,
    /// How to show it
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub fn run(args: Args) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let _entered = runtime.enter();
    let report = observe(&args)?;
    let leaked = report.leaked.len();
    let shown = match args.format {
        Format::Text => show::text(&report),
        Format::Json => format!("{:#}\n", report.json()),
    };
    match io::stdout().lock().write_all(shown.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(error.into()),
        _ => {}
    }
    // Another policy may let through what it likes.
    if leaked > 0 && args.policy.is_empty() {
        return Err(Failure::new(
            Exit::Software,
            format!("{leaked} identifiers arrived as they were; please report it"),
        ));
    }
    Ok(())
}

/// Runs agent, sidecar and destination to their end.
fn observe(args: &Args) -> Result<Report, Failure> {
    let witness = Destination::start()?;
    let destination = Destination::start()?;
    let own_policy = OwnPolicy::write()?;
    let endpoint =
        |address: SocketAddr| Endpoint { secure: false, host: address.ip().to_string(), port: address.port() };
    let began = Instant::now();
    let sidecar = run::start(&Config {
        listen: (Ipv4Addr::LOCALHOST, 0).into(),
        admin: None,
        destinations: vec![endpoint(destination.address).into()],
        policies: if args.policy.is_empty() { vec![own_policy.0.clone()] } else { args.policy.clone() },
        ..Config::default()
    })?;
    let sidecar_endpoint = format!("http://{}", sidecar.listen);
    traffic::send(&[&witness.endpoint(), &sidecar_endpoint], SystemTime::now())
        .map_err(|error| Failure::new(Exit::Unavailable, error))?;
    let took = began.elapsed();
    let report = Report::new(&sidecar, destination.address, &witness.take(), &destination.take(), took)
        .map_err(|error| Failure::new(Exit::Software, error))?;
    sidecar.join();
    Ok(report)
}

/// The demo's policy as a file, as long as it is needed: the sidecar reads files.
struct OwnPolicy(PathBuf);

impl OwnPolicy {
    fn write() -> Result<OwnPolicy, Failure> {
        let path = std::env::temp_dir().join(format!("privet-demo-{}.yaml", std::process::id()));
        let written = std::fs::File::create_new(&path).and_then(|mut file| file.write_all(POLICY.as_bytes()));
        written.map_err(|error| Failure { exit: Exit::CannotCreate, ..Failure::file(&path, &error) })?;
        Ok(OwnPolicy(path))
    }
}

impl Drop for OwnPolicy {
    fn drop(&mut self) {
        // Whoever took it away was faster.
        let _ = std::fs::remove_file(&self.0);
    }
}
