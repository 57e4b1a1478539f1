//! What a token costs when it has to be made, and when it is remembered. The setup asserts what is made.

use std::cell::Cell;
use std::hint::black_box;
use std::time::SystemTime;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use privet::pseudonym::{Cache, Keyring, KindId, Pseudonyms, Recipe, Value};

const IP: KindId = KindId(0);
const HOST: KindId = KindId(1);
const EMAIL: KindId = KindId(2);
const HOST_RECIPE: Recipe = Recipe::Host { keep_public_suffix: false };
const EMAIL_RECIPE: Recipe = Recipe::Email { fold_local: false };

/// The working set: as many addresses as `docs/performance.md` speaks of.
const VALUES: usize = 5_000;

fn pseudonyms() -> Pseudonyms {
    let keyring = Keyring::parse(
        "version = 1\n[[epoch]]\nid = 7\nstate = \"active\"\nsecret = \"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\"\n",
        "keyring".as_ref(),
    )
    .expect("a good keyring");
    let kinds = ["ip", "host", "email"].map(str::to_owned);
    Pseudonyms::new(&keyring, "vendor", &kinds, SystemTime::UNIX_EPOCH).expect("an active epoch")
}

fn check(pseudonyms: &Pseudonyms, kind: KindId, recipe: Recipe, value: Value<'_>, expected: &str) {
    let mut out = Vec::new();
    pseudonyms.write(kind, &recipe, value, &mut out);
    assert_eq!(String::from_utf8_lossy(&out), expected);
}

fn ipv4(i: usize) -> u128 {
    0xffff_0a00_0000 | ((i as u128 * 2_654_435_761) & 0xff_ffff)
}

fn ipv6(i: usize) -> u128 {
    0x2001_0db8_0000_0000_0000_0000_0000_0000 | (i as u128 * 0x9e37_79b9_7f4a_7c15)
}

fn host(i: usize) -> String {
    format!("web-{i}.prod.eu.example.com")
}

fn email(i: usize) -> String {
    format!("user.{i}@example.com")
}

fn make(c: &mut Criterion) {
    let pseudonyms = &pseudonyms();
    check(pseudonyms, IP, Recipe::Token, Value::Ip(0xffff_c000_0201), "ip_7_9b6t9as24h3rqh6x49nf1915a");
    check(
        pseudonyms,
        HOST,
        HOST_RECIPE,
        Value::Text(b"web-1.prod.example.co.uk"),
        "h7x2r22kv5exkfgt8b.h7xza4pcb6kke7hatw.h7g2wbv2vx7jysm781.h7tfygq23tbpd6006n.h7xhshc7h3m909y251",
    );
    check(
        pseudonyms,
        EMAIL,
        EMAIL_RECIPE,
        Value::Text(b"alice@example.com"),
        "u7fkcqmyne34jxv0prsh8n@h7ervrn7rp8z5xsv34.h7ew50x0xypyxjrgd7.invalid",
    );
    let mut group = c.benchmark_group("make");
    group.throughput(Throughput::Elements(1));
    let mut bench = |name: &str, kind: KindId, recipe: Recipe, values: Vec<Value<'_>>| {
        let mut values = values.into_iter().cycle();
        let mut out = Vec::with_capacity(1024);
        group.bench_function(name, |b| {
            b.iter(|| {
                out.clear();
                pseudonyms.write(kind, &recipe, values.next().expect("endless"), &mut out);
                black_box(out.len())
            })
        });
    };
    let v4 = || (0..VALUES).map(|i| Value::Ip(ipv4(i))).collect();
    let v6 = || (0..VALUES).map(|i| Value::Ip(ipv6(i))).collect();
    let hosts: Vec<_> = (0..VALUES).map(host).collect();
    let emails: Vec<_> = (0..VALUES).map(email).collect();
    fn texts(texts: &[String]) -> Vec<Value<'_>> {
        texts.iter().map(|text| Value::Text(text.as_bytes())).collect()
    }
    bench("ipv4", IP, Recipe::Token, v4());
    bench("ipv6", IP, Recipe::Token, v6());
    bench("ipv4_address", IP, Recipe::IpAddress, v4());
    bench("ipv4_subnet", IP, Recipe::IpSubnet, v4());
    bench("ipv6_subnet", IP, Recipe::IpSubnet, v6());
    bench("ipv4_reversible", IP, Recipe::Reversible, v4());
    bench("host", HOST, HOST_RECIPE, texts(&hosts));
    bench("email", EMAIL, EMAIL_RECIPE, texts(&emails));
}

fn remember(c: &mut Criterion) {
    let pseudonyms = &pseudonyms();
    let mut group = c.benchmark_group("remember");
    group.throughput(Throughput::Elements(VALUES as u64));

    let mut cache = Cache::default();
    let made = Cell::new(0);
    let all_ips = |cache: &mut Cache| -> usize {
        let token = |i| {
            let write = |out: &mut Vec<u8>| {
                made.set(made.get() + 1);
                pseudonyms.write(IP, &Recipe::Token, Value::Ip(ipv4(i)), out);
            };
            cache.ip(0, ipv4(i), write).len()
        };
        (0..VALUES).map(token).sum()
    };
    assert_eq!(all_ips(&mut cache), all_ips(&mut cache));
    group.bench_function("ipv4", |b| b.iter(|| black_box(all_ips(&mut cache))));
    assert_remembered(&made, || all_ips(&mut cache));

    for (name, kind, recipe, texts) in [
        ("host", HOST, HOST_RECIPE, (0..VALUES).map(host).collect::<Vec<_>>()),
        ("email", EMAIL, EMAIL_RECIPE, (0..VALUES).map(email).collect()),
    ] {
        let mut cache = Cache::default();
        let made = Cell::new(0);
        let all = |cache: &mut Cache| -> usize {
            let mut bytes = 0;
            for text in &texts {
                let write = |out: &mut Vec<u8>| {
                    made.set(made.get() + 1);
                    pseudonyms.write(kind, &recipe, Value::Text(text.as_bytes()), out);
                };
                bytes += cache.text(1, text.as_bytes(), write).len();
            }
            bytes
        };
        assert_eq!(all(&mut cache), all(&mut cache));
        group.bench_function(name, |b| b.iter(|| black_box(all(&mut cache))));
        assert_remembered(&made, || all(&mut cache));
    }
}

/// One more round makes (nearly) nothing: a set of eight ways may have nine values.
fn assert_remembered(made: &Cell<usize>, round: impl FnOnce() -> usize) {
    let before = made.get();
    assert!(round() > 0);
    let missed = made.get() - before;
    assert!(missed <= VALUES / 100, "{missed} of {VALUES} were made again: the working set does not fit");
}

criterion_group!(benches, make, remember);
criterion_main!(benches);
