//! The filter core on whole Export requests, beside what any service that decodes them pays: `cargo bench --bench filter`.
//!
//! criterion's figures come first; the ratios after them come from a run of their own in which the three take turns
//! request by request, so that a noisy neighbour hits all of them.

mod engine;
mod payload;

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group};
use privet::filter::{Engine, Worker};

use payload::{Kind, Payload};

/// The shipped binary's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Enough distinct requests of each kind that no branch predictor knows them by heart.
const VARIANTS: usize = 16;
const ROUNDS: usize = 60;

criterion_group!(benches, core);

fn main() {
    benches();
    Criterion::default().configure_from_args().final_summary();
    ratios();
}

fn core(criterion: &mut Criterion) {
    let engine = engine::base();
    let mut group = criterion.benchmark_group("filter");
    group.sample_size(30).warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(2));
    for kind in Kind::ALL {
        let payloads = checked(&engine, kind);
        group.throughput(Throughput::Elements(payloads[0].records));
        let mut worker = Worker::default();
        let mut turn = payloads.iter().cycle();
        group.bench_function(BenchmarkId::new("privet", kind.name()), |bencher| {
            bencher.iter(|| filter(&engine, &mut worker, turn.next().expect("a cycle")))
        });
        group.bench_function(BenchmarkId::new("prost", kind.name()), |bencher| {
            bencher.iter(|| prost(turn.next().expect("a cycle")))
        });
        group.bench_function(BenchmarkId::new("memcpy", kind.name()), |bencher| {
            bencher.iter(|| memcpy(turn.next().expect("a cycle")))
        });
    }
}

fn ratios() {
    let engine = engine::base();
    println!(
        "\nmedians of {} requests, µs    privet    prost   memcpy   prost / privet   M records/s",
        VARIANTS * ROUNDS
    );
    for kind in Kind::ALL {
        let payloads = checked(&engine, kind);
        let mut worker = Worker::default();
        let (mut own, mut theirs, mut copies) = (Vec::new(), Vec::new(), Vec::new());
        for round in 0..=ROUNDS {
            for payload in &payloads {
                let measured =
                    [time(|| filter(&engine, &mut worker, payload)), time(|| prost(payload)), time(|| memcpy(payload))];
                // The first round fills caches.
                if round > 0 {
                    own.push(measured[0]);
                    theirs.push(measured[1]);
                    copies.push(measured[2]);
                }
            }
        }
        let (own, theirs, copies) = (median(own), median(theirs), median(copies));
        println!(
            "{:28} {own:8.1} {theirs:8.1} {copies:8.1} {:16.2} {:13.2}",
            kind.name(),
            theirs / own,
            payloads[0].records as f64 / own
        );
    }
}

fn checked(engine: &Engine, kind: Kind) -> Vec<Payload> {
    let payloads = kind.variants(VARIANTS);
    payloads.iter().for_each(Payload::check_shape);
    engine::prove(engine, &payloads);
    payloads
}

fn filter(engine: &Engine, worker: &mut Worker, payload: &Payload) {
    let _ = black_box(engine.filter(worker, payload.kind.signal(), black_box(payload.bytes.clone())));
}

fn prost(payload: &Payload) {
    black_box(payload.kind.prost_round_trip(black_box(&payload.bytes)));
}

fn memcpy(payload: &Payload) {
    black_box(black_box(&payload.bytes).to_vec());
}

fn time(work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_secs_f64() * 1e6
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}
