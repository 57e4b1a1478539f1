//! How much of what real texts hold is caught, and how much else is touched: `make recall` prints the table.
//!
//! The labelled sets are not part of this repository: they are read from `PRIVET_DATA`, or from `../shared/data` beside it.
//! Without them the test says so and measures the harmless texts only.

mod harmless;
mod sets;
mod sieve;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use sets::Line;
use sieve::Sieve;

/// What a row of the table is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Ip,
    Email,
    DottedHost,
    ShortHostByContext,
    ShortHostKnown,
    KeepDestroyed,
    VersionHit,
    HarmlessAltered,
}

impl Kind {
    /// The goal in percent, and whether more is better.
    fn goal(self) -> (f64, bool) {
        match self {
            Kind::Ip => (99.9, true),
            Kind::Email => (99.8, true),
            Kind::DottedHost => (99.5, true),
            Kind::ShortHostByContext => (60.0, true),
            Kind::ShortHostKnown => (99.0, true),
            Kind::KeepDestroyed => (0.1, false),
            Kind::VersionHit => (5.0, false),
            Kind::HarmlessAltered => (0.5, false),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Kind::Ip => "IP addresses",
            Kind::Email => "e-mail addresses",
            Kind::DottedHost => "dotted hosts",
            Kind::ShortHostByContext => "short hosts by context",
            Kind::ShortHostKnown => "short hosts, known",
            Kind::KeepDestroyed => "keep values destroyed",
            Kind::VersionHit => "versions taken for IPs",
            Kind::HarmlessAltered => "harmless texts altered",
        })
    }
}

/// Distinct values of a kind in a set: whether each was hit everywhere, and the last text that says otherwise.
#[derive(Default)]
struct Tally(BTreeMap<String, (bool, String)>);

impl Tally {
    /// A value counts as hit if it never survives.
    fn add(&mut self, value: &str, hit: bool, id: &str) {
        let (all, last) = self.0.entry(value.to_owned()).or_insert((true, String::new()));
        *all &= hit;
        if !hit {
            id.clone_into(last);
        }
    }

    fn hit(&self) -> usize {
        self.0.values().filter(|(hit, _)| *hit).count()
    }

    fn percent(&self) -> f64 {
        100.0 * self.hit() as f64 / self.0.len().max(1) as f64
    }
}

type Table = BTreeMap<(String, Kind), Tally>;

#[test]
fn what_real_texts_hold_is_caught_and_the_rest_left_alone() {
    let mut table = Table::new();
    let mut sieve = Sieve::keeping_nothing();
    match data() {
        Some(data) => {
            for (name, path) in sets::SETS {
                for line in sets::read(&data.join(path)) {
                    measure(name, &line, &mut sieve, &mut table);
                }
            }
            sets::presidio(&data, &mut sieve);
            sets::otlp(&data, &mut sieve);
        }
        None => eprintln!("SKIPPED: the labelled sets: neither PRIVET_DATA nor ../shared/data is there"),
    }
    let mut sieve = Sieve::new();
    for text in harmless::texts() {
        let altered = sieve.filter(&text, None) != text;
        table.entry(("harmless".into(), Kind::HarmlessAltered)).or_default().add(&text, altered, "");
    }
    let missed = print(&table);
    assert!(missed.is_empty(), "goals missed: {missed:?}");
}

fn data() -> Option<PathBuf> {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    let path = std::env::var_os("PRIVET_DATA").map_or(beside, PathBuf::from);
    path.is_dir().then_some(path)
}

fn measure(set: &str, line: &Line, sieve: &mut Sieve, table: &mut Table) {
    let filtered = sieve.filter(&line.text, None);
    let gone = |value: &str| !stands_in(value, &filtered);
    let mut add = |kind: Kind, value: &str, hit: bool| {
        for set in [set, "all"] {
            table.entry((set.to_owned(), kind)).or_default().add(value, hit, &line.id);
        }
    };
    line.ips.iter().for_each(|ip| add(Kind::Ip, ip, gone(ip)));
    line.emails.iter().for_each(|email| add(Kind::Email, email, gone(email)));
    for host in line.hosts.iter().filter(|host| stands_in(host, &line.text)) {
        if host.contains('.') {
            add(Kind::DottedHost, host, gone(host));
            continue;
        }
        add(Kind::ShortHostByContext, host, gone(host));
        let known = sieve.filter(&line.text, Some(host));
        add(Kind::ShortHostKnown, host, !stands_in(host, &known));
    }
    for (number, keep) in line.keep.iter().enumerate() {
        let value = keep.split_once('=').map_or("", |(_, value)| value);
        // Not where it is a label of some host's name (`info` of `example.info`).
        let alone = stands_in(value, &line.text.replace(&format!(".{value}"), ""));
        if alone {
            add(Kind::KeepDestroyed, &format!("{} {number} {keep}", line.id), gone(value));
        }
    }
    for version in line.versions.iter().filter(|version| stands_in(version, &line.text)) {
        add(Kind::VersionHit, &format!("{} {version}", line.id), gone(version));
    }
}

/// Whether a value stands in a text as itself, and not as a part of a longer word or number.
fn stands_in(value: &str, text: &str) -> bool {
    let is_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    !value.is_empty()
        && text.match_indices(value).any(|(at, _)| {
            let escape = text[..at].ends_with("\\n") || text[..at].ends_with("\\t") || text[..at].ends_with("\\r");
            let before = text[..at].chars().next_back().filter(|_| !escape);
            !is_word(before) && !is_word(text[at + value.len()..].chars().next())
        })
}

/// Prints the table; returns the rows that miss their goal.
fn print(table: &Table) -> Vec<String> {
    println!("{:<10} {:<24} {:>8} {:>8} {:>9} {:>9}", "set", "kind", "distinct", "hit", "percent", "goal");
    let mut missed = Vec::new();
    for ((set, kind), tally) in table {
        let (goal, more) = kind.goal();
        let percent = tally.percent();
        // The goals are for all sets together; a single set is shown beside them.
        let counts = set == "all" || *kind == Kind::HarmlessAltered;
        let verdict = match (counts, if more { percent >= goal } else { percent <= goal }) {
            (false, _) => "",
            (true, true) => "pass",
            (true, false) => "FAIL",
        };
        let bound = if more { ">=" } else { "<=" };
        let (distinct, hit) = (tally.0.len(), tally.hit());
        println!("{set:<10} {kind:<24} {distinct:>8} {hit:>8} {percent:>8.2}% {bound} {goal:>5}% {verdict}");
        if verdict == "FAIL" {
            missed.push(format!("{kind}: {percent:.2} %"));
        }
        if std::env::var_os("PRIVET_RECALL_MISSES").is_some() && set != "all" {
            let wrong = tally.0.iter().filter(|(_, (hit, _))| *hit != more);
            wrong.take(40).for_each(|(value, (_, id))| println!("             {value} ({id})"));
        }
    }
    missed
}
