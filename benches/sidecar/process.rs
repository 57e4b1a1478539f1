//! A proxy under test: its process, its address, what the kernel says it used.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::Failure;

pub struct Proxy {
    pub name: &'static str,
    pub address: String,
    child: Child,
}

/// Says where a proxy of this program listens; [`Proxy::start_self`] reads it.
pub fn announce(address: SocketAddr) {
    println!("{address}");
}

impl Proxy {
    /// This program in another role.
    pub fn start_self(name: &'static str, sink: &str) -> Result<Proxy, Failure> {
        let mut child = Command::new(std::env::current_exe()?).args([name, sink]).stdout(Stdio::piped()).spawn()?;
        let output = child.stdout.take().expect("asked to be piped");
        let mut address = String::new();
        BufReader::new(output).read_line(&mut address)?;
        Ok(Proxy { name, address: address.trim().to_owned(), child })
    }

    /// The shipped binary with its base policy; the sink is on loopback, so it makes a key for itself.
    pub fn start_privet(sink: &str) -> Result<Proxy, Failure> {
        let program = std::env::var_os("PRIVET").unwrap_or_else(|| env!("CARGO_BIN_EXE_privet").into());
        // Free now: a port found so spares us reading its log.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
        let log = concat!(env!("CARGO_TARGET_TMPDIR"), "/bench-sidecar-privet.log");
        let child = Command::new(program)
            .args(["run", "--listen", &address, "--admin", "127.0.0.1:0", "--destination"])
            .arg(format!("http://{sink}"))
            .stdout(Stdio::null())
            .stderr(File::create(log)?)
            .spawn()?;
        let proxy = Proxy { name: "privet", address, child };
        let deadline = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(&proxy.address).is_err() {
            if Instant::now() > deadline {
                return Err(format!("privet does not listen on {}; see {log}", proxy.address).into());
            }
            sleep(Duration::from_millis(1));
        }
        Ok(proxy)
    }

    /// CPU time of all its threads so far.
    pub fn cpu(&self) -> Result<Duration, Failure> {
        let mut nanoseconds = 0;
        for task in fs::read_dir(self.proc("task"))? {
            let schedstat = fs::read_to_string(task?.path().join("schedstat"))?;
            let on_cpu = schedstat.split(' ').next().ok_or("an empty schedstat")?;
            nanoseconds += on_cpu.parse::<u64>()?;
        }
        Ok(Duration::from_nanos(nanoseconds))
    }

    /// Bytes resident now.
    pub fn memory(&self) -> Result<u64, Failure> {
        self.status("VmRSS:")
    }

    /// The most bytes resident since [`Proxy::reset_peak_memory`].
    pub fn peak_memory(&self) -> Result<u64, Failure> {
        self.status("VmHWM:")
    }

    pub fn reset_peak_memory(&self) -> Result<(), Failure> {
        Ok(fs::write(self.proc("clear_refs"), "5")?)
    }

    fn status(&self, field: &str) -> Result<u64, Failure> {
        let status = fs::read_to_string(self.proc("status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix(field)).ok_or("a field that /proc lacks")?;
        Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
    }

    fn proc(&self, file: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{file}", self.child.id()))
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // It may have ended by itself; there is nothing to do about either.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
