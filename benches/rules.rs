//! What user rules cost on text that agents send: `cargo bench --bench rules`.
//!
//! The text is 2,700 strings of 94 KB, of which a tenth hold a rule's word and a twentieth a secret; the setup asserts that
//! they are found. Beside them stand the packs that ship. What the rules add to whole requests: `cargo bench --bench filter`.

mod secrets;

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use privet::detect::{PatternScratch, PatternSpec, Patterns, Span};
use privet::policy::Policy;

use secrets::{RULES, provider, secret};

const STRINGS: usize = 2_700;

criterion_group!(benches, rules);
criterion_main!(benches);

fn rules(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("rules");
    group.sample_size(30);
    for (name, with_hits) in [("clean", false), ("hits", true)] {
        let (buf, ranges) = text(with_hits);
        group.throughput(Throughput::Bytes(buf.len() as u64));
        for count in [10, 50, RULES] {
            let patterns = Patterns::build((0..count).map(spec).collect()).expect("valid rules");
            assert_eq!(patterns.cost_notes(), [], "a rule without literal");
            let (mut scratch, mut spans) = (PatternScratch::default(), Vec::new());
            search(&patterns, &buf, &ranges, &mut scratch, &mut spans);
            assert_eq!(spans.len(), if with_hits { planted(count) } else { 0 }, "secrets found by {count} rules");
            group.bench_function(BenchmarkId::new(name, count), |bencher| {
                bencher.iter(|| search(&patterns, &buf, &ranges, &mut scratch, black_box(&mut spans)));
            });
        }
        // The packs that ship, on the same texts: what they cost against ten rules is `clean/secrets` over `clean/10`.
        for pack in ["secrets", "payment", "identifiers"] {
            let text = format!("version: 1\nextends: [{pack}]\n");
            let policy = Policy::parse(&[("bench.yaml", &text)], jiff::civil::Date::MAX).expect("a pack that ships");
            let patterns = policy.detector().patterns();
            let (mut scratch, mut spans) = (PatternScratch::default(), Vec::new());
            search(patterns, &buf, &ranges, &mut scratch, &mut spans);
            assert!(with_hits || spans.is_empty(), "{pack} finds something in harmless text");
            group.bench_function(BenchmarkId::new(name, pack), |bencher| {
                bencher.iter(|| search(patterns, &buf, &ranges, &mut scratch, black_box(&mut spans)));
            });
        }
    }
}

fn search(
    patterns: &Patterns,
    buf: &[u8],
    ranges: &[(usize, usize)],
    scratch: &mut PatternScratch,
    spans: &mut Vec<Span>,
) {
    spans.clear();
    for &(start, end) in ranges {
        patterns.find_in(buf, start, end, scratch, spans);
    }
}

fn spec(rule: usize) -> PatternSpec {
    let (regex, group) = secrets::expression(rule);
    PatternSpec { index: rule as u16, regex, group, ..PatternSpec::default() }
}

/// How many of the planted secrets are of the first `count` rules.
fn planted(count: usize) -> usize {
    (0..STRINGS).filter(|i| i % 20 == 7 && (i / 20) % RULES < count).count()
}

/// Bodies of about 120 bytes and attribute values of a few, 35 on average, one after the other as on the wire.
fn text(with_hits: bool) -> (Vec<u8>, Vec<(usize, usize)>) {
    const VALUES: [&str; 12] = [
        "GET",
        "200",
        "checkout",
        "production",
        "/api/v1/orders/1234",
        "eu-west-1a",
        "HTTP/1.1",
        "node-pool-3",
        "true",
        "application/json",
        "Mozilla/5.0 (X11; Linux x86_64)",
        "opentelemetry",
    ];
    const BODIES: [&str; 4] = [
        "request completed in 12 ms with status 200 for route /api/v1/orders after 3 database calls and 1 cache hit, no retries",
        "user session refreshed, token cache warmed for tenant group alpha, next refresh scheduled in 300 seconds by scheduler",
        "level=info component=scheduler msg=\"job finished\" job=reindex duration=4.2s documents=1200 errors=0 attempt=1 queue=low",
        "accepted connection on listener https, negotiated TLSv1.3 with cipher TLS_AES_128_GCM_SHA256, session resumed from ticket",
    ];
    let (mut buf, mut ranges) = (Vec::new(), Vec::new());
    for i in 0..STRINGS {
        let text = match i % 5 {
            0 => BODIES[i / 5 % BODIES.len()].to_owned(),
            _ => VALUES[i * 7 % VALUES.len()].to_owned(),
        };
        let text = match i % 20 {
            7 if with_hits => format!("{text} {}", secret(i / 20 % RULES)),
            3 if with_hits => format!("{text} about {} ", provider(i / 20 % RULES)),
            _ => text,
        };
        buf.extend_from_slice(&[0x0a, text.len() as u8]);
        ranges.push((buf.len(), buf.len() + text.len()));
        buf.extend_from_slice(text.as_bytes());
    }
    (buf, ranges)
}
