//! Parsers agree: whatever Privet forwards, prost, Python's protobuf and Go's pdata read alike, and none of them finds
//! a denied value in it.

#[path = "../support/toolchain.rs"]
mod toolchain;

mod generate;
mod odd;
mod readings;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use generate::{DENIED, Encoder, Random, descriptors, message, request, scramble};
use odd::Expected;
use privet::filter::{Engine, Worker};
use privet::otlp::Signal;
use privet::policy::Policy;
use privet::pseudonym::{Keyring, Pseudonyms};
use prost_reflect::DescriptorPool;
use readings::{Reading, texts};

/// A request and where it is from, to be named when something is wrong with it.
struct Case {
    name: String,
    sort: Sort,
    signal: Signal,
    bytes: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sort {
    /// By hand; what is expected of it stands there.
    Odd,
    /// As usual senders write it.
    Plain,
    /// Allowed, but as nobody writes it; with unknown fields.
    Unusual,
    /// Wrong by construction or by accident; most of them.
    Harmed,
}

/// The base policy and a key that nobody keeps.
fn engine() -> Engine {
    let policy = Policy::base();
    let keyring = Keyring::ephemeral().expect("the system has randomness");
    let pseudonyms =
        Pseudonyms::new(&keyring, "test", policy.kinds(), SystemTime::now()).expect("a new keyring has an epoch");
    Engine::new(Arc::new(policy), Arc::new(pseudonyms))
}

#[test]
fn whatever_is_forwarded_is_read_alike_by_three_parsers_and_holds_nothing_denied() {
    let pool = descriptors();
    let (odd, generated, payloads) = (odd_cases(), generated(&pool), payloads(&pool));
    println!("{} odd cases, {} generated, {} out of real payloads", odd.len(), generated.len(), payloads.len());
    let cases: Vec<Case> = odd.into_iter().chain(generated).chain(payloads).collect();

    let (engine, mut worker) = (engine(), Worker::default());
    let outputs: Vec<Option<Vec<u8>>> = cases
        .iter()
        .map(|case| engine.filter(&mut worker, case.signal, Bytes::copy_from_slice(&case.bytes)).ok())
        .map(|outcome| outcome.map(|filtered| filtered.bytes.to_vec()))
        .collect();
    let forwarded: Vec<(&Case, (Signal, Vec<u8>))> =
        cases.iter().zip(&outputs).filter_map(|(case, out)| Some((case, (case.signal, out.clone()?)))).collect();
    let bytes: Vec<(Signal, Vec<u8>)> = forwarded.iter().map(|(_, output)| output.clone()).collect();
    let read = read_by_all(&pool, &bytes);

    let mut wrong = Wrong::default();
    for (at, (case, (signal, output))) in forwarded.iter().enumerate() {
        let readings: Vec<(&str, &Reading)> = read.iter().map(|(name, readings)| (*name, &readings[at])).collect();
        let (_, first) = readings[0];
        for (name, reading) in &readings {
            match (first, reading) {
                (_, Err(why)) => wrong.note(case, output, &format!("{name} cannot read it: {why}")),
                (Ok(first), Ok(content)) if first != content => {
                    wrong.note(case, output, &format!("{} and {name} read different things", readings[0].0));
                }
                _ => {}
            }
        }
        if let Ok(content) = first
            && let Some(denied) = denied(&texts(&pool, *signal, content))
        {
            wrong.note(case, output, &format!("holds {denied}"));
        }
    }
    for (case, _) in cases.iter().zip(&outputs).filter(|(_, output)| output.is_none()) {
        if matches!(case.sort, Sort::Plain | Sort::Unusual) {
            wrong.note(case, &[], "is refused");
        }
    }
    let disagreements = disagreements(&pool, &cases, &outputs);
    println!("{} of {} forwarded; {disagreements}", forwarded.len(), cases.len());
    wrong.report();
}

#[test]
fn odd_requests_are_refused_or_forwarded_as_they_should_be() {
    let (engine, mut worker) = (engine(), Worker::default());
    let mut wrong = Vec::new();
    for (name, signal, bytes, expected) in odd::cases() {
        let got = match engine.filter(&mut worker, signal, Bytes::from(bytes.clone())) {
            Ok(_) => Expected::Forwarded,
            Err(_) => Expected::Refused,
        };
        if got != expected {
            wrong.push(format!("{}: {name}: {got:?}, not {expected:?}: {}", signal.name(), hex(&bytes)));
        }
    }
    assert!(wrong.is_empty(), "{} cases:\n{}", wrong.len(), wrong.join("\n"));
}

/// Parsers cut an index to 32 bits, so a key's rule holds for what it then points to.
#[test]
fn an_index_beyond_32_bits_hides_no_string_from_its_keys_rule() {
    let (engine, mut worker) = (engine(), Worker::default());
    for (name, bytes) in odd::wide_indices("fwparis") {
        let out = engine.filter(&mut worker, Signal::Profiles, Bytes::from(bytes)).map(|filtered| filtered.bytes);
        let leaks = out.is_ok_and(|out| out.windows(7).any(|window| window == b"fwparis"));
        assert!(!leaks, "{name}: the host's name is forwarded");
    }
}

/// All parsers that can be had here, each with what it reads.
fn read_by_all(pool: &DescriptorPool, cases: &[(Signal, Vec<u8>)]) -> Vec<(&'static str, Vec<Reading>)> {
    let mut all = vec![("prost", readings::prost(pool, cases))];
    for (name, readings) in
        [("Python's protobuf", readings::python(pool, cases)), ("Go's pdata", readings::go(pool, cases))]
    {
        match readings {
            Ok(readings) => all.push((name, readings)),
            Err(missing) if toolchain::required() => panic!("{name} is required: {missing}"),
            Err(missing) => eprintln!("skipped: {name} ({missing})"),
        }
    }
    all
}

/// On how many of the inputs the parsers differ, and what became of those: the measure of what the refusals are for.
fn disagreements(pool: &DescriptorPool, cases: &[Case], outputs: &[Option<Vec<u8>>]) -> String {
    let inputs: Vec<(Signal, Vec<u8>)> = cases.iter().map(|case| (case.signal, case.bytes.clone())).collect();
    let read = read_by_all(pool, &inputs);
    let differ = |at: &usize| {
        let one = |readings: &[Reading]| readings[*at].as_ref().ok().cloned();
        read.windows(2).any(|pair| one(&pair[0].1) != one(&pair[1].1))
    };
    let differing: Vec<usize> = (0..cases.len()).filter(differ).collect();
    // Else it is this test that reads wrongly.
    if let Some(&at) = differing.iter().find(|&&at| cases[at].sort == Sort::Plain) {
        let read: Vec<String> =
            read.iter().map(|(name, readings)| format!("{name}: {}", shown(&readings[at]))).collect();
        panic!(
            "parsers differ on {}, {}: {}\n{}",
            cases[at].signal.name(),
            cases[at].name,
            hex(&cases[at].bytes),
            read.join("\n")
        );
    }
    let refused = differing.iter().filter(|&&at| outputs[at].is_none()).count();
    let everyone = (0..cases.len()).filter(|&at| read.iter().all(|(_, readings)| readings[at].is_ok()) && !differ(&at));
    let needless = everyone.filter(|&at| outputs[at].is_none()).count();
    assert!(read.len() < 2 || differing.len() > 50, "the cases do not tell the parsers apart: {}", differing.len());
    format!(
        "parsers differ on {} inputs, of which {refused} refused and {} put right; {needless} refused though all read them alike",
        differing.len(),
        differing.len() - refused
    )
}

fn odd_cases() -> Vec<Case> {
    let case = |(name, signal, bytes, _): (&str, Signal, Vec<u8>, Expected)| Case {
        name: name.into(),
        sort: Sort::Odd,
        signal,
        bytes,
    };
    odd::cases().into_iter().map(case).collect()
}

/// Random requests: as they should be, unusual, wrong in the schema's terms, and scrambled. `PRIVET_PARSER_CASES` sets how many of each and signal.
fn generated(pool: &DescriptorPool) -> Vec<Case> {
    let many = std::env::var("PRIVET_PARSER_CASES").ok().and_then(|many| many.parse().ok()).unwrap_or(150);
    let mut cases = Vec::new();
    for signal in Signal::ALL {
        let shape = request(pool, signal);
        for seed in 0..many {
            let mut random = Random::new(seed ^ (signal as u64) << 32);
            let sparse = if seed == 0 { 0 } else { 2 + random.below(3) };
            let message = message(&mut random, &shape, sparse, 0);
            for (kind, sort, unusual, wrong) in
                [("plain", Sort::Plain, 0, 0), ("unusual", Sort::Unusual, 6, 0), ("wrong", Sort::Harmed, 30, 60)]
            {
                let bytes = Encoder { random: &mut random, unusual, wrong }.encode(&message);
                cases.push(Case { name: format!("generated {kind} {seed}"), sort, signal, bytes });
            }
            let mut bytes = Encoder { random: &mut random, unusual: 0, wrong: 0 }.encode(&message);
            scramble(&mut random, &mut bytes);
            cases.push(Case { name: format!("generated scrambled {seed}"), sort: Sort::Harmed, signal, bytes });
        }
    }
    cases
}

/// Real payloads, as they are and scrambled.
fn payloads(pool: &DescriptorPool) -> Vec<Case> {
    let data = std::env::var_os("PRIVET_DATA")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data"), PathBuf::from);
    let mut cases = Vec::new();
    for signal in [Signal::Logs, Signal::Metrics, Signal::Traces] {
        let Ok(entries) = fs::read_dir(data.join("otlp/dev").join(signal.name())) else {
            println!("skipped: real {} ({} is not there)", signal.name(), data.display());
            continue;
        };
        let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        files.retain(|file| file.extension().is_some_and(|extension| extension == "pb"));
        files.sort();
        for (seed, file) in files.into_iter().enumerate() {
            let bytes = fs::read(&file).expect("a listed payload is readable");
            let name = file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
            let mut random = Random::new(seed as u64);
            let mut scrambled = bytes.clone();
            scramble(&mut random, &mut scrambled);
            // Some say of themselves that they are wrong: identifiers are not as long as they should be.
            let harmed = name.contains("malformed") || name.contains("invalid");
            let sorted = |sort: Sort| if harmed { Sort::Harmed } else { sort };
            if let Ok(message) = prost_reflect::DynamicMessage::decode(request(pool, signal), &bytes[..]) {
                let unusual = Encoder { random: &mut random, unusual: 20, wrong: 0 }.encode(&message);
                let name = format!("{name}, written unusually");
                cases.push(Case { name, sort: sorted(Sort::Unusual), signal, bytes: unusual });
            }
            cases.push(Case { name: format!("{name}, scrambled"), sort: Sort::Harmed, signal, bytes: scrambled });
            cases.push(Case { name, sort: sorted(Sort::Plain), signal, bytes });
        }
    }
    cases
}

/// A denied value that stands whole in one of the texts. Scrambling makes others of them, of which nothing is claimed.
fn denied(texts: &[Vec<u8>]) -> Option<&'static str> {
    let bounds = |byte: Option<&u8>| byte.is_none_or(|byte| b" \"'(),;=<>".contains(byte));
    let holds = |text: &[u8], denied: &str| {
        text.windows(denied.len()).enumerate().any(|(at, window)| {
            let before = at.checked_sub(1).and_then(|before| text.get(before));
            window == denied.as_bytes() && bounds(before) && bounds(text.get(at + denied.len()))
        })
    };
    DENIED.into_iter().find(|denied| texts.iter().any(|text| holds(text, denied)))
}

/// What went wrong, a few of each sort in full.
#[derive(Default)]
struct Wrong {
    total: usize,
    shown: Vec<(String, usize)>,
}

impl Wrong {
    fn note(&mut self, case: &Case, output: &[u8], what: &str) {
        self.total += 1;
        let sort = match self.shown.iter_mut().find(|(sort, _)| sort == what) {
            Some(sort) => sort,
            None => {
                self.shown.push((what.to_owned(), 0));
                self.shown.last_mut().expect("just pushed")
            }
        };
        sort.1 += 1;
        if sort.1 <= 3 {
            println!(
                "{}, {}: {what}\n  in  {}\n  out {}",
                case.signal.name(),
                case.name,
                hex(&case.bytes),
                hex(output)
            );
        }
    }

    fn report(&self) {
        let sorts: Vec<String> = self.shown.iter().map(|(what, times)| format!("{times} × {what}")).collect();
        assert!(self.total == 0, "{} outputs are wrong:\n{}", self.total, sorts.join("\n"));
    }
}

fn shown(reading: &Reading) -> String {
    reading.as_ref().map_or_else(String::clone, |content| hex(content))
}

fn hex(bytes: &[u8]) -> String {
    let shown: String = bytes.iter().take(400).map(|byte| format!("{byte:02x}")).collect();
    if bytes.len() > 400 { format!("{shown}… ({} bytes)", bytes.len()) } else { shown }
}
