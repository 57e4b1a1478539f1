//! The filter core on whole Export requests, beside what any service that decodes them pays: `cargo bench --bench filter`.
//!
//! criterion's figures come first; the ratios after them come from a run of their own in which the three take turns
//! request by request, so that a noisy neighbour hits all of them. Then, what user rules add, and what a second destination
//! costs: nothing where it gets the same (at most 1.3 times one, says the goal), and another pass where it does not (at most
//! 2.1 times).

mod engine;
mod payload;
mod secrets;

use std::hint::black_box;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value;
use privet::config::{Config, Destination, To};
use privet::filter::{Engine, Worker};
use privet::otlp::Signal;
use privet::policy::Policy;
use privet::run::State;

use payload::{Kind, Payload};
use prost::Message;
use secrets::RULES;

/// The shipped binary's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Enough distinct requests of each kind that no branch predictor knows them by heart.
const VARIANTS: usize = 16;
const ROUNDS: usize = 60;

/// Another policy than the built-in one, of the same size.
const OWN: &str = "version: 1\nname: own\nextends: [base]\nrules:\n  - {name: own, keys: [own.note], action: stay}\n";

criterion_group!(benches, core);

fn main() {
    benches();
    Criterion::default().configure_from_args().final_summary();
    ratios();
    user_rules();
    destinations();
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
        let [own, theirs, copies] = medians(&payloads, |payload| {
            [time(|| filter(&engine, &mut worker, payload)), time(|| prost(payload)), time(|| memcpy(payload))]
        });
        println!(
            "{:28} {own:8.1} {theirs:8.1} {copies:8.1} {:16.2} {:13.2}",
            kind.name(),
            theirs / own,
            payloads[0].records as f64 / own
        );
    }
}

/// What 220 rules for secrets add to a request, on logs as they are and with a secret in every twentieth text (goal: a quarter of
/// what prost takes).
fn user_rules() {
    let engines = [0, 10, RULES].map(|count| engine::of(with_rules(count)));
    println!("\nuser rules, µs                 none       10      220    prost   220 add, of prost");
    for kind in [Kind::Dense, Kind::Clean] {
        let clean = checked(&engines[2], kind);
        let hits = clean.iter().map(|payload| with_secrets(&engines[2], payload)).collect();
        for (name, payloads) in [(kind.name().to_owned(), clean), (format!("{}, secrets", kind.name()), hits)] {
            let mut workers = engines.each_ref().map(|_| Worker::default());
            let [none, ten, all, prost] = medians(&payloads, |payload| {
                let mut filtered = |rules: usize| time(|| filter(&engines[rules], &mut workers[rules], payload));
                [filtered(0), filtered(1), filtered(2), time(|| prost(payload))]
            });
            println!("{name:28} {none:7.1} {ten:8.1} {all:8.1} {prost:8.1} {:17.0} %", (all - none) / prost * 100.0);
        }
    }
}

/// The base policy, and so many rules for secrets.
fn with_rules(count: usize) -> Policy {
    let rules = (0..count).map(|rule| {
        let (regex, group) = secrets::expression(rule);
        let regex = regex.replace('\'', "''");
        format!(
            "  - {{name: r{rule}, pattern: {{regex: '{regex}', group: {group}}}, as: credential, action: redact}}\n"
        )
    });
    let rules = if count > 0 { format!("rules:\n{}", rules.collect::<String>()) } else { String::new() };
    let policy = format!("version: 1\nname: own\nextends: [base]\n{rules}");
    Policy::parse(&[("bench.yaml", &policy)], jiff::civil::Date::MAX).unwrap_or_else(|wrong| panic!("{wrong}"))
}

/// The same request with a secret behind every twentieth text, which is proven to be found.
fn with_secrets(engine: &Engine, payload: &Payload) -> Payload {
    let mut request = ExportLogsServiceRequest::decode(payload.bytes.clone()).expect("a well-formed request");
    let records = request.resource_logs.iter_mut().flat_map(|resource| &mut resource.scope_logs);
    let records = records.flat_map(|scope| &mut scope.log_records);
    let values = records
        .flat_map(|record| record.body.iter_mut().chain(record.attributes.iter_mut().flat_map(|pair| &mut pair.value)));
    let texts = values.filter_map(|value| match &mut value.value {
        Some(any_value::Value::StringValue(text)) => Some(text),
        _ => None,
    });
    let mut planted = 0;
    for text in texts.step_by(20) {
        *text = format!("{text} {}", secrets::secret(planted % RULES));
        planted += 1;
    }
    let bytes: Bytes = request.encode_to_vec().into();
    let filtered = engine.filter(&mut Worker::default(), Signal::Logs, bytes.clone()).expect("a well-formed request");
    assert_eq!(filtered.dropped, 0);
    let left = secrets::TOKENS.iter().find(|token| memchr::memmem::find(&filtered.bytes, token.as_bytes()).is_some());
    assert_eq!((planted > 90, left), (true, None), "of {planted} secrets");
    Payload { bytes, identifiers: payload.identifiers.clone(), ..*payload }
}

/// A second destination with the same policy and recipient, and one with a policy of its own, beside a single one.
fn destinations() {
    let configured = |name: &str, recipient: &str, policies: &[PathBuf]| Destination {
        name: name.into(),
        recipient: Some(recipient.into()),
        policies: policies.to_vec(),
        ..To::Stdout.into()
    };
    let own = std::env::temp_dir().join(format!("privet-bench-{}.yaml", std::process::id()));
    std::fs::write(&own, OWN).expect("the temporary folder can be written to");
    let one = configured("one", "vendor", &[]);
    let cases = [
        vec![one.clone()],
        vec![one.clone(), configured("same", "vendor", &[])],
        vec![one, configured("other", "own", std::slice::from_ref(&own))],
    ];
    let states = cases.map(|destinations| {
        State::prove(&Config { destinations, ..Config::default() }).expect("everything that it names is there")
    });
    std::fs::remove_file(&own).expect("it was written above");
    let loaded = states.each_ref().map(State::loaded);
    assert_eq!(loaded.each_ref().map(|loaded| loaded.passes.len()), [1, 1, 2]);
    let mut workers =
        loaded.each_ref().map(|loaded| loaded.passes.iter().map(|_| Worker::default()).collect::<Vec<_>>());

    println!("\ntwo destinations, µs            one     same    other   same / one   other / one");
    for kind in Kind::ALL {
        let payloads = checked(&loaded[0].passes[0].engine, kind);
        let [one, same, other] = medians(&payloads, |payload| {
            std::array::from_fn(|case| {
                time(|| {
                    for (pass, worker) in loaded[case].passes.iter().zip(&mut workers[case]) {
                        filter(&pass.engine, worker, payload);
                    }
                })
            })
        });
        println!("{:28} {one:7.1} {same:8.1} {other:8.1} {:12.2} {:13.2}", kind.name(), same / one, other / one);
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

/// What takes turns, request by request: the median of each.
fn medians<const N: usize>(payloads: &[Payload], mut measure: impl FnMut(&Payload) -> [f64; N]) -> [f64; N] {
    let mut took = [const { Vec::new() }; N];
    for round in 0..=ROUNDS {
        for payload in payloads {
            let measured = measure(payload);
            // The first round fills caches.
            if round > 0 {
                took.iter_mut().zip(measured).for_each(|(took, measured)| took.push(measured));
            }
        }
    }
    took.map(median)
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
