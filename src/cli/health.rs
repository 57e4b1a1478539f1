//! `privet health`: asks a running sidecar whether it is ready; for containers' health checks.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::{Exit, Failure};

#[derive(clap::Args)]
pub struct Args {
    /// The admin address of the sidecar
    #[arg(long, value_name = "ADDR", env = "PRIVET_ADMIN", default_value = "127.0.0.1:9464")]
    admin: SocketAddr,
    /// Not ready, either, while a required destination cannot be reached
    #[arg(long)]
    destinations: bool,
    /// How long to wait, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=60))]
    timeout: u64,
}

pub fn run(args: Args) -> Result<(), Failure> {
    let path = if args.destinations { "/readyz?destinations" } else { "/readyz" };
    let answer = ask(args.admin, path, Duration::from_secs(args.timeout))
        .map_err(|error| Failure::new(Exit::Unavailable, format!("{}: {error}", args.admin)))?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let ready = head.split(' ').nth(1) == Some("200");
    if ready {
        println!("{}", body.trim());
        return Ok(());
    }
    let state = if body.trim().is_empty() { "not a sidecar" } else { body.trim() };
    Err(Failure::new(Exit::No, format!("not ready: {state}")))
}

fn ask(admin: SocketAddr, path: &str, timeout: Duration) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&admin, timeout)?;
    stream.set_read_timeout(Some(timeout))?;
    stream.set_write_timeout(Some(timeout))?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {admin}\r\nconnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.take(4096).read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
