//! The binary itself.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// `privet run`, listening.
pub struct Process {
    pub listen: SocketAddr,
    pub admin: SocketAddr,
    child: Child,
    log: Arc<Mutex<String>>,
    reader: JoinHandle<()>,
}

pub fn privet(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_privet"));
    command.args(arguments).stdin(Stdio::null());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("PRIVET_") || name.starts_with("OTEL_")) {
        command.env_remove(name);
    }
    command
}

impl Process {
    pub fn start(arguments: &[&str], environment: &[(&str, &str)]) -> Process {
        let mut command = privet(&["run", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--log", "debug"]);
        command.args(arguments).envs(environment.iter().copied()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut first = String::new();
        let (mut listen, mut admin) = (None, None);
        while listen.is_none() {
            let line = lines.next().expect("a line that says `listening`").unwrap();
            let said: serde_json::Value = serde_json::from_str(&line).unwrap();
            if said["message"] == "listening" {
                listen = said["listen"].as_str().map(|address| address.parse().unwrap());
                admin = said["admin"].as_str().map(|address| address.parse().unwrap());
            }
            first += &line;
        }
        let log = Arc::new(Mutex::new(first));
        let rest = Arc::clone(&log);
        let reader = std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                *rest.lock().unwrap() += &line;
            }
        });
        Process { listen: listen.unwrap(), admin: admin.unwrap(), child, log, reader }
    }

    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    pub fn stdout(&mut self) -> impl BufRead + use<> {
        BufReader::new(self.child.stdout.take().unwrap())
    }

    /// Waits until it has ended; how, and all it logged.
    pub fn ended(mut self) -> (ExitStatus, String) {
        let status = self.child.wait().unwrap();
        self.reader.join().unwrap();
        (status, self.log.lock().unwrap().clone())
    }

    /// Terminates it and waits.
    pub fn terminate(self) -> (ExitStatus, String) {
        self.signal("TERM");
        self.ended()
    }
}

/// Runs to its end; exit code and what it answered.
pub fn ask(arguments: &[&str]) -> (i32, String) {
    let output = privet(arguments).stderr(Stdio::null()).output().unwrap();
    (output.status.code().unwrap_or(-1), String::from_utf8(output.stdout).unwrap())
}

/// Runs to its end; exit code and what it said.
pub fn run(arguments: &[&str]) -> (i32, String) {
    let mut child = privet(arguments).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let pid = child.id();
    let (done, watch) = std::sync::mpsc::channel::<()>();
    // One that starts to serve although it must not would never end.
    let watcher = std::thread::spawn(move || {
        if watch.recv_timeout(Duration::from_secs(20)).is_err() {
            let _ = Command::new("kill").args(["-KILL", &pid.to_string()]).status();
        }
    });
    let mut said = String::new();
    std::io::Read::read_to_string(&mut child.stderr.take().unwrap(), &mut said).unwrap();
    let status = child.wait().unwrap();
    let _ = done.send(());
    watcher.join().unwrap();
    (status.code().unwrap_or(-1), said)
}
