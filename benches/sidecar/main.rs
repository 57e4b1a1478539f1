//! The whole process, beside a bare relay and beside prost: `make bench-sidecar`.
//!
//! ```text
//! load ──OTLP/gRPC──▶ proxy ──OTLP/gRPC──▶ sink
//!                     ├ relay: HTTP/2 DATA frames passed on, nothing looked at: what no sidecar can go below
//!                     ├ prost: a tonic service that decodes every request and encodes it again
//!                     └ privet: the shipped binary, base policy
//! ```
//!
//! Each proxy is a process of its own, this very program under another argument, started once and asked in turn
//! (A B C A B C …), so that a noisy machine is noisy for all. CPU is the kernel's account of the proxy's threads;
//! load and sink live in the parent and are not counted. Figures are medians over the rounds.

#[path = "../payload/mod.rs"]
mod payload;

mod load;
mod process;
mod prost_proxy;
mod relay;
mod report;
mod sink;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use h2::{client, server};
use payload::{Kind, Leaks, Payload};
use process::Proxy;
use report::{Measured, Report};
use tokio::runtime::Builder;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Distinct requests of each kind, sent in turn.
const VARIANTS: usize = 8;
/// Requests in flight.
const CONCURRENCY: usize = 4;
const ROUNDS: usize = 7;
const REQUESTS_PER_ROUND: usize = 240;
const WARM_UP: usize = 100;
/// Starts of privet of which the median is told.
const STARTS: usize = 9;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words[..] {
        ["relay", sink] => on_one_thread(relay::run(sink)),
        ["prost", sink] => on_one_thread(prost_proxy::run(sink)),
        [.., "--bench"] => on_all_threads(bench()),
        _ => {
            println!("a benchmark of its own: `make bench-sidecar`");
            Ok(())
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("bench-sidecar: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// As privet serves a connection, and cheaper than handing its tasks from thread to thread.
fn on_one_thread(proxy: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    Builder::new_current_thread().enable_all().build()?.block_on(proxy)
}

fn on_all_threads(bench: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    Builder::new_multi_thread().enable_all().build()?.block_on(bench)
}

async fn bench() -> Result<(), Failure> {
    let sink = sink::Sink::start().await?;
    let proxies = [
        Proxy::start_self("relay", &sink.address)?,
        Proxy::start_self("prost", &sink.address)?,
        Proxy::start_privet(&sink.address)?,
    ];
    let mut senders = Vec::new();
    let mut report = Report::new(&proxies)?;
    for proxy in &proxies {
        senders.push(load::connect(&proxy.address).await?);
    }
    for kind in Kind::ALL {
        let payloads = kind.variants(VARIANTS);
        let leaks = Leaks::of(&payloads);
        for (proxy, sender) in proxies.iter().zip(&senders) {
            proxy.reset_peak_memory()?;
            let received = sink.keep(load::run(sender, &payloads, WARM_UP, CONCURRENCY)).await?;
            prove(proxy.name, kind, &payloads, &leaks, &received)?;
        }
        for _ in 0..ROUNDS {
            for (index, (proxy, sender)) in proxies.iter().zip(&senders).enumerate() {
                let before = proxy.cpu()?;
                let latencies = load::run(sender, &payloads, REQUESTS_PER_ROUND, CONCURRENCY).await?;
                let cpu = (proxy.cpu()? - before) / REQUESTS_PER_ROUND as u32;
                report.add(kind, index, Measured { cpu, latencies });
            }
        }
        for (index, proxy) in proxies.iter().enumerate() {
            report.add_peak_memory(kind, index, proxy.peak_memory()?);
        }
    }
    report.print()?;
    drop(proxies);
    let started = first_answers(&sink).await?;
    println!("privet, from its start to the first filtered request: {:.0} ms", started.as_secs_f64() * 1e3);
    Ok(())
}

/// How long a process that was just started takes to answer its first request, connecting and warming up included: the median.
async fn first_answers(sink: &sink::Sink) -> Result<Duration, Failure> {
    let payloads = Kind::Dense.variants(1);
    let mut took = Vec::new();
    for _ in 0..STARTS {
        let started = Instant::now();
        let proxy = Proxy::start_privet(&sink.address)?;
        let sender = load::connect(&proxy.address).await?;
        let received = sink.keep(load::run(&sender, &payloads, 1, 1)).await?;
        took.push(started.elapsed());
        if received.len() != 1 || Leaks::of(&payloads).count(&received[0]) != 0 {
            return Err("the first request was not filtered".into());
        }
    }
    took.sort_unstable();
    Ok(took[STARTS / 2])
}

/// Fails unless everything sent arrived, and through Privet without a planted identifier.
fn prove(proxy: &str, kind: Kind, payloads: &[Payload], leaks: &Leaks, received: &[Vec<u8>]) -> Result<(), Failure> {
    if received.len() != WARM_UP {
        return Err(format!("{proxy}: {WARM_UP} {kind:?} requests sent, {} arrived", received.len()).into());
    }
    let found: usize = received.iter().map(|bytes| leaks.count(bytes)).sum();
    let planted: usize = (0..WARM_UP).map(|i| payloads[i % VARIANTS].planted).sum();
    if proxy == "privet" && found != 0 {
        return Err(format!("{found} of {planted} planted identifiers passed through privet ({kind:?})").into());
    }
    if proxy != "privet" && found < planted {
        return Err(format!("{proxy} lost {} of {planted} planted identifiers ({kind:?})", planted - found).into());
    }
    for bytes in received {
        kind.prost_round_trip(&bytes.clone().into());
    }
    Ok(())
}

/// HTTP/2 as an OTLP proxy should have it: frames of 1 MiB, windows that a request never waits for.
fn tuned_server() -> server::Builder {
    let mut builder = server::Builder::new();
    builder.max_frame_size(1 << 20).initial_window_size(8 << 20).initial_connection_window_size(24 << 20);
    builder
}

fn tuned_client() -> client::Builder {
    let mut builder = client::Builder::new();
    builder
        .max_frame_size(1 << 20)
        .initial_window_size(8 << 20)
        .initial_connection_window_size(24 << 20)
        .max_send_buffer_size(8 << 20);
    builder
}
