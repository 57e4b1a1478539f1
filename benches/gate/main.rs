//! Instruction counts of the filter core, held against committed limits: `make bench-gate`.
//!
//! Times are noisy, instruction counts are not: this program runs itself under callgrind, once a payload, and counts
//! nothing but [`filter_under_callgrind`]. Valgrind hides instruction sets that it does not know, so machines differ
//! little as long as they have AVX2. `make bench-gate-renew` writes the limits anew (after a change that is worth its
//! price, or a new compiler): commit them with the reason.

#[path = "../engine/mod.rs"]
mod engine;
#[path = "../payload/mod.rs"]
mod payload;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::hint::black_box;
use std::process::{Command, ExitCode};
use std::{env, fs};

use bytes::Bytes;
use privet::filter::{Engine, Filtered, Refusal, Worker};

use payload::{Kind, Payload};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Failure = Box<dyn std::error::Error>;

const LIMITS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/gate/limits.txt");
/// What a count may lie above its limit, in percent.
const TOLERANCE: u64 = 3;
/// The request that is counted comes after so many others of its kind: with caches as full as in service.
const WARM_UP: usize = 6;
/// A request of metrics whose series have all come before, as an agent's do at every export.
const SERIES: &str = "series";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words[..] {
        ["measure", SERIES] => measure(Kind::Metrics, 0),
        ["measure", kind] => Kind::from_name(kind).map_or(Err("no such payload".into()), |kind| measure(kind, WARM_UP)),
        ["renew", "--bench"] => renew(),
        ["--bench"] => check(),
        _ => {
            println!("a benchmark of its own: `make bench-gate`");
            Ok(())
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("bench-gate: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn check() -> Result<(), Failure> {
    let limits = read_limits()?;
    let mut over = Vec::new();
    println!("payload   instructions        limit");
    for (name, count) in counts()? {
        let limit = *limits.get(&name).ok_or_else(|| format!("no limit for {name} in {LIMITS}"))?;
        println!("{name:8} {count:13} {limit:12}  {:+.1} %", (count as f64 / limit as f64 - 1.0) * 100.0);
        if count > limit + limit * TOLERANCE / 100 {
            over.push(name);
        }
    }
    match over.is_empty() {
        true => Ok(()),
        false => Err(format!(
            "more than {TOLERANCE} % above the limit: {}. If that is worth it: `make bench-gate-renew`, commit, say why",
            over.join(", ")
        )
        .into()),
    }
}

fn renew() -> Result<(), Failure> {
    let mut text = String::from(
        "# Instructions of one Engine::filter by payload, as callgrind counts them. Written by `make bench-gate-renew`.\n",
    );
    for (name, count) in counts()? {
        writeln!(text, "{name} {count}")?;
    }
    print!("{text}");
    Ok(fs::write(LIMITS, text)?)
}

fn counts() -> Result<Vec<(String, u64)>, Failure> {
    let names = Kind::ALL.into_iter().map(Kind::name).chain([SERIES]);
    names.map(|name| Ok((name.to_owned(), count(name)?))).collect()
}

fn count(name: &str) -> Result<u64, Failure> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--collect-atstart=no"])
        .arg("--toggle-collect=*filter_under_callgrind*")
        .arg(env::current_exe()?)
        .args(["measure", name])
        .output()
        .map_err(|error| format!("cannot start valgrind ({error}); Debian has it as a package"))?;
    let log = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!("{name} under valgrind: {}\n{log}", output.status).into());
    }
    let collected = log.lines().find_map(|line| line.split_once("Collected :")).ok_or("callgrind gave no total")?;
    match collected.1.trim().parse()? {
        0 => Err("callgrind did not find the function it was to count".into()),
        count => Ok(count),
    }
}

fn read_limits() -> Result<BTreeMap<String, u64>, Failure> {
    let text = fs::read_to_string(LIMITS)?;
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (name, limit) = line.split_once(' ').ok_or_else(|| format!("not a name and a number: {line}"))?;
            Ok((name.to_owned(), limit.parse()?))
        })
        .collect()
}

/// What runs under callgrind: one request, after so many others of its kind, by its number among all.
fn measure(kind: Kind, counted: usize) -> Result<(), Failure> {
    let engine = engine::base();
    let payloads = kind.variants(WARM_UP + 1);
    engine::prove(&engine, &payloads[..1]);
    let mut worker = Worker::default();
    for Payload { bytes, .. } in &payloads[..WARM_UP] {
        engine.filter(&mut worker, kind.signal(), bytes.clone()).map_err(|refusal| refusal.reason())?;
    }
    let request = payloads[counted].bytes.clone();
    black_box(filter_under_callgrind(&engine, &mut worker, kind, request)).map_err(|refusal| refusal.reason())?;
    Ok(())
}

#[inline(never)]
fn filter_under_callgrind(engine: &Engine, worker: &mut Worker, kind: Kind, bytes: Bytes) -> Result<Filtered, Refusal> {
    engine.filter(worker, kind.signal(), bytes)
}
