//! The labelled sets as lines.

use std::io::Read;
use std::path::Path;

use privet::otlp::Signal;
use serde_json::Value;

use crate::sieve::Sieve;

pub const SETS: [(&str, &str); 4] = [
    ("crowdsec", "crowdsec/crowdsec_labelled.jsonl"),
    ("ecs", "ecs/ecs_dev_apache2.jsonl"),
    ("otrf", "security_events/otrf_dev.jsonl"),
    ("panther", "security_events/panther_events.jsonl"),
];

/// A text and what its source says stands in it.
pub struct Line {
    pub id: String,
    pub text: String,
    pub ips: Vec<String>,
    pub emails: Vec<String>,
    pub hosts: Vec<String>,
    /// `key=value`: the value must survive.
    pub keep: Vec<String>,
    /// They look like IPv4 addresses and are none.
    pub versions: Vec<String>,
}

pub fn read(path: &Path) -> Vec<Line> {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let panther = path.ends_with("panther_events.jsonl");
    text.lines()
        .map(|line| {
            let value: Value = serde_json::from_str(line).expect("a line is a JSON object");
            let list = |key: &str| -> Vec<String> {
                let items = value[key].as_array().into_iter().flatten();
                items.filter_map(|item| item.as_str().map(str::to_owned)).collect()
            };
            let text = value["original"].as_str().expect("the text").to_owned();
            Line {
                id: value["id"].to_string(),
                ips: list("ips").into_iter().filter(|ip| !is_only_version(ip, &text)).collect(),
                text,
                emails: list("emails").into_iter().filter(|email| has_domain(email)).collect(),
                // This set's other labels are no labels: its README trusts addresses only.
                hosts: if panther { Vec::new() } else { list("hosts") },
                keep: list("keep"),
                versions: list("iplike_nonip"),
            }
        })
        .collect()
}

/// A browser's version (`"platform_version": "4.0.4.102"`) is labelled as an address; it must be left alone.
fn is_only_version(ip: &str, text: &str) -> bool {
    let mut places = text.match_indices(ip).map(|(at, _)| &text[..at]).peekable();
    places.peek().is_some() && places.all(|before| before.trim_end_matches(['"', ' ', ':']).ends_with("_version"))
}

/// Package names with versions (`go@1.8`) are labelled as addresses; they must be left alone.
fn has_domain(email: &str) -> bool {
    let last = email.rsplit('.').next().unwrap_or_default();
    !last.starts_with(|c: char| c.is_ascii_digit()) || email.ends_with(']')
}

/// Recogniser cases of single values: shown, not judged, for many of them are no telemetry.
pub fn presidio(data: &Path, sieve: &mut Sieve) {
    let file = std::fs::File::open(data.join("secrets/presidio_tests.jsonl.gz")).expect("the cases are there");
    let mut text = String::new();
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).expect("UTF-8");
    for entity in ["IP_ADDRESS", "EMAIL_ADDRESS", "URL"] {
        let (mut labelled, mut caught) = (0, 0);
        for case in text.lines().map(|line| serde_json::from_str::<Value>(line).expect("a case")) {
            let whole = case["text"].as_str().unwrap_or_default();
            if case["entity"] != entity {
                continue;
            }
            let filtered = sieve.filter(whole, None);
            for span in case["spans"].as_array().into_iter().flatten() {
                labelled += 1;
                caught += usize::from(span[2].as_str().is_some_and(|value| !filtered.contains(value)));
            }
        }
        println!("presidio (for information): {entity}: {caught} of {labelled} spans touched");
    }
}

/// Every request of the OTLP set through the engine: what reads as an address or e-mail before and still stands there after.
/// Shown, not judged, for nobody has labelled them.
pub fn otlp(data: &Path, sieve: &mut Sieve) {
    let shapes = [
        ("IP addresses", r"\b(?:[0-9]{1,3}\.){3}[0-9]{1,3}\b"),
        ("e-mail addresses", r"\b[a-zA-Z0-9._+-]+@[a-zA-Z0-9-]+(?:\.[a-zA-Z0-9-]+)*\.[a-zA-Z]{2,}\b"),
    ];
    let (mut requests, mut seen) = (0, [(); 2].map(|()| std::collections::BTreeMap::new()));
    for (folder, signal) in [("logs", Signal::Logs), ("metrics", Signal::Metrics), ("traces", Signal::Traces)] {
        let entries = std::fs::read_dir(data.join("otlp/dev").join(folder)).expect("the payloads are there");
        let paths = entries.map(|entry| entry.expect("readable").path());
        for path in paths.filter(|path| path.extension().is_some_and(|extension| extension == "pb")) {
            let request = std::fs::read(path).expect("readable");
            let Some(filtered) = sieve.request(signal, &request) else { continue };
            requests += 1;
            let (before, after) = (String::from_utf8_lossy(&request), String::from_utf8_lossy(&filtered));
            for ((_, shape), seen) in shapes.iter().zip(&mut seen) {
                let shape = regex::Regex::new(shape).expect("valid");
                for value in shape.find_iter(&before).map(|found| found.as_str()) {
                    *seen.entry(value.to_owned()).or_insert(true) &=
                        shape.find_iter(&after).all(|left| left.as_str() != value);
                }
            }
        }
    }
    for ((kind, _), seen) in shapes.iter().zip(seen) {
        let left: Vec<_> = seen.iter().filter(|(_, gone)| !**gone).map(|(value, _)| value).collect();
        println!(
            "otlp (for information): {requests} requests, {kind}: {} of {} gone; left: {left:?}",
            seen.len() - left.len(),
            seen.len()
        );
    }
}
