//! The processes of a test: each is ready when its `start` returns, and gone when its value is dropped.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use prost_reflect::{DescriptorPool, DynamicMessage};

use privet::otlp::Signal;

const STARTING: Duration = Duration::from_secs(20);
const STOPPING: Duration = Duration::from_secs(20);

/// What the SDKs send here; profiles they do not yet.
pub const SIGNALS: [Signal; 3] = [Signal::Logs, Signal::Metrics, Signal::Traces];

/// All requests of each signal, in the order in which they came.
pub type Requests = Vec<(Signal, Vec<DynamicMessage>)>;

/// A process that does not outlive its test.
struct Process {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Process {
    fn start(name: &'static str, command: &mut Command, folder: &Path) -> Result<Process, String> {
        let log = folder.join(format!("{name}.log"));
        let file = File::create(&log).map_err(|error| error.to_string())?;
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(file).spawn();
        let child = child.map_err(|error| format!("{name} does not start: {error}"))?;
        Ok(Process { name, child, log })
    }

    /// Waits until `ready` says something, or the process ends.
    fn until<T>(&mut self, mut ready: impl FnMut() -> Option<T>) -> Result<T, String> {
        let start = Instant::now();
        loop {
            if let Some(value) = ready() {
                return Ok(value);
            }
            let ended = self.child.try_wait().ok().flatten();
            if ended.is_some() || start.elapsed() > STARTING {
                let ended = ended.map_or("does not get ready".to_owned(), |status| format!("ended with {status}"));
                return Err(format!("{} {ended}: {}", self.name, self.said()));
            }
            sleep(Duration::from_millis(10));
        }
    }

    fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// SIGTERM, and a success is expected.
    fn stop(mut self) -> Result<String, String> {
        let told = Command::new("kill").arg(self.child.id().to_string()).status();
        told.map_err(|error| format!("kill: {error}"))?;
        let status = wait(&mut self.child, STOPPING).ok_or_else(|| format!("{} does not stop", self.name))?;
        if status.success() {
            Ok(self.said())
        } else {
            Err(format!("{} ended with {status}: {}", self.name, self.said()))
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn wait(child: &mut Child, patience: Duration) -> Option<ExitStatus> {
    let start = Instant::now();
    loop {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status);
        }
        if start.elapsed() > patience {
            return None;
        }
        sleep(Duration::from_millis(5));
    }
}

/// Runs a client; whatever it says is told where it fails.
pub fn run_to_end(command: &mut Command, patience: Duration) -> Result<(), String> {
    let output = tempfile::NamedTempFile::new().map_err(|error| error.to_string())?;
    let file = || output.reopen().map_err(|error| error.to_string());
    let mut child =
        command.stdin(Stdio::null()).stdout(file()?).stderr(file()?).spawn().map_err(|error| error.to_string())?;
    let status = wait(&mut child, patience);
    if status.is_none() {
        let _ = child.kill();
        let _ = child.wait();
    }
    match status {
        Some(status) if status.success() => Ok(()),
        ended => {
            let ended = ended.map_or("takes too long".to_owned(), |status| status.to_string());
            Err(format!("{ended}: {}", fs::read_to_string(output.path()).unwrap_or_default()))
        }
    }
}

pub fn make_keyring(folder: &Path) -> PathBuf {
    let file = folder.join("keyring");
    let made = Command::new(env!("CARGO_BIN_EXE_privet")).args(["keys", "new", "--out"]).arg(&file).output();
    let made = made.expect("the binary under test starts");
    assert!(made.status.success(), "privet keys new: {}", String::from_utf8_lossy(&made.stderr));
    file
}

/// `privet run` between the client and the collector.
pub struct Sidecar {
    process: Process,
    pub listen: SocketAddr,
    admin: SocketAddr,
}

impl Sidecar {
    pub fn start(destination: &str, keyring: &Path, folder: &Path) -> Result<Sidecar, String> {
        let ports = folder.join("ports.json");
        let mut command = Command::new(env!("CARGO_BIN_EXE_privet"));
        command.args(["run", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--log", "debug"]);
        command.args(["--destination", destination]).arg("--keyring").arg(keyring).arg("--ports-file").arg(&ports);
        let mut process = Process::start("privet", &mut command, folder)?;
        let ports = process.until(|| fs::read(&ports).ok())?;
        let ports: serde_json::Value = serde_json::from_slice(&ports).map_err(|error| error.to_string())?;
        let port = |name: &str| {
            let address = ports[name].as_str().and_then(|address| address.parse().ok());
            address.ok_or_else(|| format!("the ports file has no {name}: {ports}"))
        };
        Ok(Sidecar { listen: port("listen")?, admin: port("admin")?, process })
    }

    pub fn metrics(&self) -> Result<String, String> {
        let page = || {
            let mut stream = TcpStream::connect(self.admin)?;
            stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
            let mut page = String::new();
            stream.read_to_string(&mut page)?;
            Ok(page)
        };
        let page = page().map_err(|error: std::io::Error| format!("the metrics page: {error}"))?;
        if page.starts_with("HTTP/1.1 200") { Ok(page) } else { Err(format!("the metrics page: {page}")) }
    }

    /// Stops it as an init system would; gives what it logged.
    pub fn stop(self) -> Result<String, String> {
        self.process.stop()
    }
}

/// The OpenTelemetry Collector, with a receiver for what comes through the sidecar and one for what comes straight.
pub struct Collector {
    process: Process,
    folder: PathBuf,
    filtered: SocketAddr,
    direct: SocketAddr,
}

impl Collector {
    pub fn start(binary: &Path, folder: &Path) -> Result<Collector, String> {
        let (filtered, direct) = free_addresses().map_err(|error| error.to_string())?;
        let config = folder.join("collector.yaml");
        fs::write(&config, configuration(folder, filtered, direct)).map_err(|error| error.to_string())?;
        let mut command = Command::new(binary);
        command.arg("--config").arg(format!("file:{}", config.display()));
        let mut process = Process::start("collector", &mut command, folder)?;
        process.until(|| TcpStream::connect(filtered).and(TcpStream::connect(direct)).ok())?;
        Ok(Collector { process, folder: folder.to_owned(), filtered, direct })
    }

    pub fn filtered_endpoint(&self) -> String {
        format!("http://{}", self.filtered)
    }

    pub fn direct_endpoint(&self) -> String {
        format!("http://{}", self.direct)
    }

    /// Stops it, so that all is written; gives what came straight and what came through the sidecar.
    pub fn stop(self) -> Result<(Requests, Requests), String> {
        self.process.stop()?;
        Ok((read(&self.folder, "direct")?, read(&self.folder, "filtered")?))
    }
}

/// Two ports that nobody has. That somebody takes one before the collector does is possible, and fails the test.
fn free_addresses() -> std::io::Result<(SocketAddr, SocketAddr)> {
    let (first, second) = (TcpListener::bind("127.0.0.1:0")?, TcpListener::bind("127.0.0.1:0")?);
    Ok((first.local_addr()?, second.local_addr()?))
}

fn configuration(folder: &Path, filtered: SocketAddr, direct: SocketAddr) -> String {
    let mut receivers = String::new();
    let mut exporters = String::new();
    let mut pipelines = String::new();
    for (way, address) in [("filtered", filtered), ("direct", direct)] {
        receivers += &format!("  otlp/{way}: {{protocols: {{grpc: {{endpoint: \"{address}\"}}}}}}\n");
        for signal in SIGNALS.map(Signal::name) {
            let file = folder.join(format!("{way}-{signal}"));
            exporters += &format!("  file/{way}-{signal}: {{path: \"{}\", format: proto}}\n", file.display());
            pipelines +=
                &format!("    {signal}/{way}: {{receivers: [otlp/{way}], exporters: [file/{way}-{signal}]}}\n");
        }
    }
    format!(
        "receivers:\n{receivers}exporters:\n{exporters}service:\n  telemetry: {{metrics: {{level: none}}}}\n  pipelines:\n{pipelines}"
    )
}

/// The file exporter's form: each request behind its length, four bytes big-endian.
fn read(folder: &Path, way: &str) -> Result<Requests, String> {
    let pool = DescriptorPool::decode(opentelemetry_proto::DESCRIPTORS).expect("the crate's descriptors decode");
    let mut all = Vec::new();
    for signal in SIGNALS {
        let shape = pool.get_message_by_name(signal.request().name).expect("the request is in the descriptors");
        let bytes = fs::read(folder.join(format!("{way}-{}", signal.name()))).unwrap_or_default();
        let mut requests = Vec::new();
        let mut rest = &bytes[..];
        while let Some((length, after)) = rest.split_first_chunk::<4>() {
            let length = u32::from_be_bytes(*length) as usize;
            let request = after.get(..length).ok_or("the collector's file is cut")?;
            requests.push(DynamicMessage::decode(shape.clone(), request).map_err(|error| error.to_string())?);
            rest = &after[length..];
        }
        all.push((signal, requests));
    }
    Ok(all)
}
