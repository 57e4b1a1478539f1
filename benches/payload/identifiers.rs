//! The people and machines that the requests speak of: 5,000 of them, drawn as traffic draws them.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use super::prng::Prng;

/// Draws identifiers out of the pool and remembers what it drew.
pub struct Identifiers {
    planted: usize,
    distinct: BTreeSet<String>,
}

struct Pool {
    v4: Ranked,
    v6: Ranked,
    emails: Ranked,
    hosts: Ranked,
}

/// Names of one sort, of which the n-th is drawn with a weight of 1/n (Zipf).
struct Ranked {
    names: Vec<String>,
    cumulated: Vec<f64>,
}

/// The same pool for every request: 3,000 IPv4 and 300 IPv6 addresses, 700 e-mail addresses, 1,000 hosts.
static POOL: LazyLock<Pool> = LazyLock::new(|| {
    let mut prng = Prng::new(0x5eed);
    Pool {
        v4: Ranked::new(3_000, || v4(&mut prng)),
        v6: Ranked::new(300, || v6(&mut prng)),
        emails: Ranked::new(700, || email(&mut prng)),
        hosts: Ranked::new(1_000, || host(&mut prng)),
    }
});

impl Identifiers {
    pub fn new() -> Identifiers {
        Identifiers { planted: 0, distinct: BTreeSet::new() }
    }

    pub fn v4(&mut self, prng: &mut Prng) -> &'static str {
        self.plant(POOL.v4.draw(prng))
    }

    pub fn v6(&mut self, prng: &mut Prng) -> &'static str {
        self.plant(POOL.v6.draw(prng))
    }

    /// An address of either family, IPv6 in one of twelve cases.
    pub fn ip(&mut self, prng: &mut Prng) -> &'static str {
        if prng.below(12) == 0 { self.v6(prng) } else { self.v4(prng) }
    }

    pub fn email(&mut self, prng: &mut Prng) -> &'static str {
        self.plant(POOL.emails.draw(prng))
    }

    pub fn host(&mut self, prng: &mut Prng) -> &'static str {
        self.plant(POOL.hosts.draw(prng))
    }

    /// How many were drawn, and which.
    pub fn into_planted(self) -> (usize, Vec<String>) {
        (self.planted, self.distinct.into_iter().collect())
    }

    fn plant(&mut self, name: &'static str) -> &'static str {
        self.planted += 1;
        if !self.distinct.contains(name) {
            self.distinct.insert(name.to_owned());
        }
        name
    }
}

impl Ranked {
    fn new(count: usize, mut make: impl FnMut() -> String) -> Ranked {
        let mut seen = BTreeSet::new();
        let mut names = Vec::with_capacity(count);
        while names.len() < count {
            let name = make();
            if seen.insert(name.clone()) {
                names.push(name);
            }
        }
        let cumulated = (1..=count)
            .scan(0.0, |sum, rank| {
                *sum += 1.0 / rank as f64;
                Some(*sum)
            })
            .collect();
        Ranked { names, cumulated }
    }

    fn draw(&self, prng: &mut Prng) -> &str {
        let total = self.cumulated[self.cumulated.len() - 1];
        let at = prng.below(1 << 53) as f64 / (1u64 << 53) as f64 * total;
        let rank = self.cumulated.partition_point(|sum| *sum <= at);
        &self.names[rank.min(self.names.len() - 1)]
    }
}

/// Private and public addresses alike; none that a policy keeps by default (loopback, link-local, documentation).
fn v4(prng: &mut Prng) -> String {
    let (b, c, d) = (prng.below(256), prng.below(256), prng.range(1, 255));
    match prng.below(10) {
        0..=4 => format!("10.{b}.{c}.{d}"),
        5 => format!("172.{}.{c}.{d}", prng.range(16, 32)),
        6 => format!("192.168.{c}.{d}"),
        _ => format!("{}.{b}.{c}.{d}", prng.pick(&["23", "34", "45", "52", "77", "85", "91", "109", "141", "185"])),
    }
}

fn v6(prng: &mut Prng) -> String {
    match prng.below(3) {
        0 => format!("2a02:8{}:{}::{}", prng.hex(2), prng.range(1000, 9999), prng.range(2, 9999)),
        1 => format!("fd{}:{}:{}::{}", prng.hex(2), prng.range(1000, 9999), prng.range(1000, 9999), prng.range(2, 99)),
        _ => {
            let group = |prng: &mut Prng| format!("{}{}", prng.range(1, 10), prng.hex(3));
            let tail: Vec<String> = (0..4).map(|_| group(prng)).collect();
            format!("2a01:4f8:{}:{}:{}", prng.range(100, 999), prng.range(1000, 9999), tail.join(":"))
        }
    }
}

fn email(prng: &mut Prng) -> String {
    let given = prng.pick(GIVEN);
    let family = prng.pick(FAMILY);
    let domain =
        prng.pick(&["northwind-trading.com", "contoso.net", "fabrikam.io", "mail.acme-corp.de", "litware.co.uk"]);
    match prng.below(4) {
        0 => format!("{given}@{domain}"),
        1 => format!("{}.{family}@{domain}", &given[..1]),
        2 => format!("{given}.{family}{}@{domain}", prng.range(2, 99)),
        _ => format!("{given}.{family}@{domain}"),
    }
}

fn host(prng: &mut Prng) -> String {
    let role = prng.pick(&["web", "db", "cache", "mq", "app", "worker", "edge", "proxy", "ldap", "build"]);
    let n = prng.range(1, 120);
    match prng.below(4) {
        0 => format!("{role}-{n}.prod.northwind-trading.com"),
        1 => format!("{role}{n:02}.dc{}.contoso.net", prng.range(1, 6)),
        2 => format!("{role}-{n}.{}.svc.cluster.local", prng.pick(&["pay", "shop", "search", "core"])),
        _ => format!("{role}{n}.corp.fabrikam.io"),
    }
}

pub const GIVEN: &[&str] = &[
    "alice", "bruno", "chandra", "dmitri", "elena", "farid", "greta", "hiro", "ines", "jonas", "karin", "luis",
    "maria", "nadia", "oscar", "priya", "quentin", "rosa", "stefan", "tomoko",
];

const FAMILY: &[&str] = &[
    "almeida", "bauer", "chen", "dubois", "eriksen", "ferrari", "garcia", "haddad", "ivanova", "jensen", "kowalski",
    "lindgren", "moreau", "nakamura", "okafor", "petrov", "rossi", "schmidt", "tanaka", "weber",
];
