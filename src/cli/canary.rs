//! `privet canary`: identifiers of nobody, sent through a running sidecar, and whether one of them arrives.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use memchr::memmem;

use super::demo::{Destination, IDENTIFIERS, send_traffic};
use super::{Exit, Failure};
use crate::grpc::{Code, Status};
use crate::observe::Metrics;
use crate::otlp::Signal;
use crate::send::{Endpoint, Grpc, Link, Target};

/// Send canaries through a running sidecar
///
/// Sends logs, metrics, traces and a profile with addresses, names and credentials that are reserved for documentation. Every
/// request must be acknowledged, but for signals that the destination does not take at all. With --receive this command is the destination too, and fails if an identifier arrives as
/// it was sent. Without, what it sends goes where the sidecar sends everything; its service.name is `checkout`.
#[derive(clap::Args)]
#[command(after_help = "\
Ends with 0 if all is well, 1 if an identifier arrived or a signal did not, 69 if the sidecar or its destination does not
answer.

Example: a sidecar that sends to 127.0.0.1:14317
  privet canary --to http://127.0.0.1:4317 --receive 127.0.0.1:14317")]
pub struct Args {
    /// The sidecar
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:4317")]
    to: Endpoint,
    /// Be the sidecar's destination, here
    #[arg(long, value_name = "ADDR")]
    receive: Option<SocketAddr>,
    /// How long to wait for the sidecar and its destination, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=600))]
    wait: u64,
}

/// The pause before a request is sent again.
const PAUSE: Duration = Duration::from_millis(250);

type Requests = Vec<(Signal, Bytes)>;

pub fn run(args: Args) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let _entered = runtime.enter();
    let destination = args.receive.map(Destination::listen).transpose()?;
    let requests = requests().map_err(|error| Failure::new(Exit::Software, error))?;
    let deadline = Instant::now() + Duration::from_secs(args.wait);
    runtime.block_on(send(&args.to, &requests, deadline))?;
    let Some(destination) = destination else {
        println!("all that the destination takes is acknowledged");
        return Ok(());
    };
    let arrived = destination.take();
    judge(&arrived).map_err(|wrong| Failure::new(Exit::No, wrong))?;
    println!("{} signals arrived, and none of the {} identifiers in them", Signal::ALL.len(), IDENTIFIERS.len());
    Ok(())
}

/// What the SDK's exporters send, caught on its way.
fn requests() -> Result<Requests, Box<dyn std::error::Error>> {
    let witness = Destination::start()?;
    send_traffic(&[&witness.endpoint()], SystemTime::now())?;
    Ok(witness.take())
}

async fn send(to: &Endpoint, requests: &Requests, deadline: Instant) -> Result<(), Failure> {
    let target = Target::new(Grpc::new(to.clone()), Metrics::default().destination("canary"));
    let link = Link::new(Arc::new(target.map_err(|error| Failure::new(Exit::Config, error))?));
    for (signal, request) in requests {
        while let Err(status) = link.export(*signal, request.clone(), deadline).await {
            // Profiles, often: what a destination never takes cannot arrive there raw either.
            if status.code == Code::Unimplemented {
                println!("the destination does not take {}", signal.name());
                break;
            }
            if status.code != Code::Unavailable || Instant::now() + PAUSE > deadline {
                return Err(refused(to, *signal, &status));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
    Ok(())
}

fn refused(to: &Endpoint, signal: Signal, status: &Status) -> Failure {
    let (signal, code, message) = (signal.name(), status.code.name(), &status.message);
    Failure::new(Exit::Unavailable, format_args!("{to} does not acknowledge {signal}: {code}: {message}"))
}

/// Every signal must have arrived, and no identifier.
fn judge(arrived: &[(Signal, Bytes)]) -> Result<(), String> {
    let missing = Signal::ALL.into_iter().find(|signal| !arrived.iter().any(|(of, _)| of == signal));
    if let Some(signal) = missing {
        return Err(format!(
            "{} were acknowledged and did not arrive: is this the sidecar's destination?",
            signal.name()
        ));
    }
    for (signal, request) in arrived {
        if let Some(leaked) = IDENTIFIERS.iter().find(|value| memmem::find(request, value.as_bytes()).is_some()) {
            return Err(format!("the policy lets `{leaked}` through, in {}", signal.name()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_arrives_raw_or_not_at_all_is_told() {
        let all = |body: &'static str| Signal::ALL.map(|signal| (signal, Bytes::from(body)));
        assert_eq!(judge(&all("h0qs1snw")), Ok(()));
        let wrong = judge(&all("from 203.0.113.7 port")).unwrap_err();
        assert!(wrong.contains("203.0.113.7"), "{wrong}");
        let wrong = judge(&all("")[1..]).unwrap_err();
        assert!(wrong.contains(Signal::ALL[0].name()), "{wrong}");
    }
}
