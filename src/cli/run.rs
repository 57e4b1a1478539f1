//! `privet run`: the sidecar in the foreground.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::level_filters::LevelFilter;

use super::{Exit, Failure, systemd};
use crate::config::{Config, Destination, To};
use crate::observe;
use crate::pseudonym::KeyringError;
use crate::run::{Running, StartError, start};

/// Run the sidecar
#[derive(clap::Args)]
pub struct Args {
    /// Configuration file (privet.yaml); what is given here beside it comes first
    #[arg(long, value_name = "FILE", env = "PRIVET_CONFIG")]
    config: Option<PathBuf>,
    /// Policy files, which together say what may leave; the built-in base policy if none
    #[arg(long, value_name = "FILE", env = "PRIVET_POLICY", value_delimiter = ',')]
    policy: Vec<PathBuf>,
    /// Keyring, made by `privet keys new`; without one a throw-away key is made
    #[arg(long, value_name = "FILE", env = "PRIVET_KEYRING")]
    keyring: Option<PathBuf>,
    /// Take OTLP/gRPC here; port 0 takes a free one [default: 127.0.0.1:4317]
    #[arg(long, value_name = "ADDR", env = "PRIVET_LISTEN")]
    listen: Option<SocketAddr>,
    /// Send here: http://HOST:PORT, https://HOST:PORT or stdout [default: stdout]
    #[arg(long, value_name = "URL|stdout", env = "PRIVET_DESTINATION", value_parser = destination)]
    destination: Option<Destination>,
    /// Who receives the data: tokens differ from recipient to recipient [default: the destination's host]
    #[arg(long, value_name = "NAME", env = "PRIVET_RECIPIENT")]
    recipient: Option<String>,
    /// Metrics, health and the control API, or `off` [default: 127.0.0.1:9464]
    #[arg(long, value_name = "ADDR|off", env = "PRIVET_ADMIN", value_parser = admin)]
    admin: Option<Admin>,
    /// Worker threads [default: the machine's cores, at most 2]
    #[arg(long, value_name = "N", env = "PRIVET_THREADS")]
    threads: Option<usize>,
    /// How much to log: error, warn, info or debug
    #[arg(long, value_name = "LEVEL", env = "PRIVET_LOG", default_value = "info")]
    log: LevelFilter,
    /// Write the addresses here once they are bound, as one JSON object
    #[arg(long, value_name = "FILE", env = "PRIVET_PORTS_FILE")]
    ports_file: Option<PathBuf>,
}

/// How long the last export of own telemetry may take.
const LAST_EXPORT: std::time::Duration = std::time::Duration::from_secs(2);

#[derive(Clone, Copy, Debug)]
enum Admin {
    At(SocketAddr),
    Off,
}

pub fn run(args: Args) -> Result<(), Failure> {
    observe::start_log(args.log);
    let config = configure(&args)?;
    let running = start(&config)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // Before anyone is told that it listens: who reads that may signal at once.
    let (mut signals, telemetry) = {
        let _within = runtime.enter();
        let started = observe::start_telemetry(running.state(), running.listen);
        (Signals::new()?, started.map_err(|error| Failure::new(Exit::Config, error))?)
    };
    announce(&running);
    if let Some(path) = &args.ports_file {
        write_ports(path, &running).map_err(|error| Failure::file(path, &error))?;
    }
    systemd::ready(&running);
    runtime.block_on(signals.until_told(&running));
    systemd::stopping();
    tracing::info!(seconds = config.drain.as_secs(), "stopping: calls are answered, nothing new is taken");
    let drained = running.join();
    if let Some(telemetry) = telemetry {
        // The last export needs the runtime, so it cannot wait on this thread.
        let last = runtime.spawn_blocking(move || telemetry.shutdown_with_timeout(LAST_EXPORT));
        let _ = runtime.block_on(last);
    }
    if drained {
        tracing::info!("stopped")
    } else {
        tracing::warn!("stopped with calls unanswered")
    }
    Ok(())
}

fn configure(args: &Args) -> Result<Config, Failure> {
    let mut config = match &args.config {
        Some(path) => Config::load(path).map_err(|wrong| {
            Failure::new(if wrong.is_missing_input() { Exit::NoInput } else { Exit::Config }, wrong)
        })?,
        None => Config::default(),
    };
    if !args.policy.is_empty() {
        config.policies.clone_from(&args.policy);
    }
    config.keyring = args.keyring.clone().or(config.keyring);
    config.listen = args.listen.unwrap_or(config.listen);
    config.recipient = args.recipient.clone().or(config.recipient);
    config.threads = args.threads.unwrap_or(config.threads);
    if let Some(destination) = &args.destination {
        config.destinations = vec![destination.clone()];
    }
    match args.admin {
        Some(Admin::At(address)) => config.admin = Some(address),
        Some(Admin::Off) => config.admin = None,
        None => {}
    }
    Ok(config)
}

/// One line that machines can read too, and a loud one where keys are thrown away.
fn announce(running: &Running) {
    let state = running.state();
    let loaded = state.loaded();
    let pseudonyms = loaded.engine(0).pseudonyms();
    let all = |what: &dyn Fn(usize) -> String| (0..state.destinations.len()).map(what).collect::<Vec<_>>().join(", ");
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        listen = %running.listen,
        admin = running.admin.map(tracing::field::display),
        destination = all(&|index| state.destinations[index].address()),
        recipient = all(&|index| state.destinations[index].recipient.clone()),
        policy = all(&|index| loaded.engine(index).policy().digest().to_owned()),
        epoch = pseudonyms.epoch(),
        key = pseudonyms.check_value(),
        "listening"
    );
    if state.key_is_throw_away() {
        tracing::warn!(
            "THROW-AWAY KEY: tokens change with every start and join with nothing; \
             make a keyring with `privet keys new --out FILE` and give `--keyring FILE`"
        );
    }
}

/// Whole or not at all, so that who waits for the file never reads half of it.
fn write_ports(path: &Path, running: &Running) -> std::io::Result<()> {
    let ports = serde_json::json!({
        "listen": running.listen.to_string(),
        "admin": running.admin.map(|address| address.to_string()),
    });
    let unfinished = path.with_added_extension("unfinished");
    fs::write(&unfinished, format!("{ports}\n"))?;
    fs::rename(&unfinished, path)
}

/// What an init system or an operator tells the process.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    /// Within a runtime. From here on no signal ends the process by itself.
    fn new() -> std::io::Result<Signals> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// Returns on SIGTERM or SIGINT; SIGHUP loads again.
    async fn until_told(&mut self, running: &Running) {
        let mut watchdog = systemd::watchdog().map(tokio::time::interval);
        loop {
            let due = async {
                match &mut watchdog {
                    Some(watchdog) => drop(watchdog.tick().await),
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = due => {
                    // Silence is what systemd acts on.
                    if running.is_alive() {
                        systemd::alive(running);
                    }
                }
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hang_up.recv() => {
                    systemd::reloading();
                    // A refusal is told by the state itself.
                    let _ = running.state().reload();
                    systemd::ready(running);
                }
            }
        }
    }
}

fn destination(text: &str) -> Result<Destination, String> {
    if text == "stdout" {
        return Ok(To::Stdout.into());
    }
    text.parse::<crate::send::Endpoint>().map(Destination::from).map_err(|error| error.to_string())
}

fn admin(text: &str) -> Result<Admin, String> {
    if text == "off" {
        return Ok(Admin::Off);
    }
    text.parse().map(Admin::At).map_err(|_| "not an address such as 127.0.0.1:9464, and not `off`".to_owned())
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Failure {
        let exit = match &error {
            StartError::Policy(diagnostics) if diagnostics.is_missing_input() => Exit::NoInput,
            StartError::Policy(_) => Exit::Data,
            StartError::Keyring(KeyringError::Exposed { .. }) => Exit::NoPermission,
            StartError::Keyring(KeyringError::Read { path, source }) => return Failure::file(path, source),
            StartError::Keyring(_)
            | StartError::Keys(_)
            | StartError::KeyringRequired
            | StartError::Restless
            | StartError::NoneRequired
            | StartError::Region { .. }
            | StartError::Tls { .. }
            | StartError::Target(_) => Exit::Config,
            StartError::Bind { error, .. } if error.kind() == std::io::ErrorKind::PermissionDenied => {
                Exit::NoPermission
            }
            StartError::Bind { .. } => Exit::Unavailable,
            StartError::Audit(error) if error.in_use => Exit::Unavailable,
            StartError::Audit(error) if error.error.kind() == std::io::ErrorKind::PermissionDenied => {
                Exit::NoPermission
            }
            StartError::Audit(_) => Exit::CannotCreate,
            StartError::Thread(_) => Exit::Software,
        };
        Failure::new(exit, error)
    }
}
