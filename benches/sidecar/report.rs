//! CPU as medians over the rounds, latencies over all requests: a table for people, a file for machines.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use serde::Serialize;

use crate::payload::Kind;
use crate::process::Proxy;
use crate::{CONCURRENCY, Failure, REQUESTS_PER_ROUND, ROUNDS};

/// One round of one proxy.
pub struct Measured {
    /// A request's share of the proxy's CPU time.
    pub cpu: Duration,
    pub latencies: Vec<Duration>,
}

pub struct Report {
    idle_memory: BTreeMap<&'static str, u64>,
    rounds: BTreeMap<(usize, usize), Vec<Measured>>,
    peak_memory: BTreeMap<(usize, usize), u64>,
    proxies: Vec<&'static str>,
}

/// What `target/bench-sidecar.json` holds, an array of these.
#[derive(Serialize)]
struct Row {
    payload: &'static str,
    proxy: &'static str,
    cpu_us_per_request: f64,
    /// Median over the rounds of this proxy's CPU time by the first proxy's of the same round.
    ratio_to_relay: f64,
    p50_us: f64,
    p99_us: f64,
    idle_rss_bytes: u64,
    loaded_rss_bytes: u64,
}

impl Report {
    pub fn new(proxies: &[Proxy]) -> Result<Report, Failure> {
        let idle_memory =
            proxies.iter().map(|proxy| Ok((proxy.name, proxy.memory()?))).collect::<Result<_, Failure>>()?;
        let proxies = proxies.iter().map(|proxy| proxy.name).collect();
        Ok(Report { idle_memory, rounds: BTreeMap::new(), peak_memory: BTreeMap::new(), proxies })
    }

    pub fn add(&mut self, kind: Kind, proxy: usize, measured: Measured) {
        self.rounds.entry((kind as usize, proxy)).or_default().push(measured);
    }

    pub fn add_peak_memory(&mut self, kind: Kind, proxy: usize, bytes: u64) {
        self.peak_memory.insert((kind as usize, proxy), bytes);
    }

    pub fn print(&self) -> Result<(), Failure> {
        println!("{ROUNDS} rounds of {REQUESTS_PER_ROUND} requests, {CONCURRENCY} in flight");
        println!("payload  proxy    CPU us/request  x relay   p50 us   p99 us  idle MB  loaded MB");
        let rows: Vec<Row> = Kind::ALL
            .into_iter()
            .flat_map(|kind| (0..self.proxies.len()).map(move |proxy| self.row(kind, proxy)))
            .collect();
        for row in &rows {
            println!(
                "{:8} {:8} {:14.0} {:8.2} {:8.0} {:8.0} {:8.1} {:10.1}",
                row.payload,
                row.proxy,
                row.cpu_us_per_request,
                row.ratio_to_relay,
                row.p50_us,
                row.p99_us,
                row.idle_rss_bytes as f64 / 1e6,
                row.loaded_rss_bytes as f64 / 1e6
            );
        }
        Ok(fs::write(
            concat!(env!("CARGO_TARGET_TMPDIR"), "/bench-sidecar.json"),
            serde_json::to_string_pretty(&rows)?,
        )?)
    }

    fn row(&self, kind: Kind, proxy: usize) -> Row {
        let name = self.proxies[proxy];
        let rounds = &self.rounds[&(kind as usize, proxy)];
        let relay = &self.rounds[&(kind as usize, 0)];
        let microseconds = |duration: Duration| duration.as_secs_f64() * 1e6;
        let ratios = rounds.iter().zip(relay).map(|(own, relay)| own.cpu.as_secs_f64() / relay.cpu.as_secs_f64());
        let mut latencies: Vec<Duration> = rounds.iter().flat_map(|round| &round.latencies).copied().collect();
        latencies.sort_unstable();
        let percentile = |percent: usize| microseconds(latencies[(latencies.len() - 1) * percent / 100]);
        Row {
            payload: kind.name(),
            proxy: name,
            cpu_us_per_request: median(rounds.iter().map(|round| microseconds(round.cpu))),
            ratio_to_relay: median(ratios),
            p50_us: percentile(50),
            p99_us: percentile(99),
            idle_rss_bytes: self.idle_memory[name],
            loaded_rss_bytes: self.peak_memory[&(kind as usize, proxy)],
        }
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}
