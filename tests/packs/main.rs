//! The packs in `rules/` held against texts that nobody here wrote: which of what must stay is left, promise by promise.
//!
//! What the packs say of themselves (examples, samples, tests) is run by `privet test rules/`. The sets here are not part of
//! this repository: they are read from `PRIVET_DATA`, or from `../shared/data` beside it. Without them the tests say so.
//! `PRIVET_RECALL_MISSES=1` shows what was missed.

mod filter;
mod secrets;
mod vendors;

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::Value;

fn data() -> Option<PathBuf> {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    let path = std::env::var_os("PRIVET_DATA").map_or(beside, PathBuf::from);
    let there = path.is_dir().then_some(path);
    if there.is_none() {
        eprintln!("SKIPPED: neither PRIVET_DATA nor ../shared/data is there");
    }
    there
}

/// The JSON objects of a file, one a line, compressed or not.
fn lines(path: &Path) -> Vec<Value> {
    let mut file = std::fs::File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut text = String::new();
    let read = match path.extension().is_some_and(|extension| extension == "gz") {
        true => flate2::read::GzDecoder::new(file).read_to_string(&mut text),
        false => file.read_to_string(&mut text),
    };
    read.expect("UTF-8");
    text.lines().map(|line| serde_json::from_str(line).expect("a line is a JSON object")).collect()
}

fn strings(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(|item| item.as_str().map(str::to_owned)).collect()
}

/// Whether a value stands in a text as itself, and not as a part of a longer word or number.
fn stands_in(value: &str, text: &str) -> bool {
    let is_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    !value.is_empty()
        && text.match_indices(value).any(|(at, _)| {
            !is_word(text[..at].chars().next_back()) && !is_word(text[at + value.len()..].chars().next())
        })
}

/// Distinct values by what they are: whether each was gone everywhere.
#[derive(Default)]
struct Tally(BTreeMap<String, bool>);

impl Tally {
    fn add(&mut self, value: &str, gone: bool) {
        *self.0.entry(value.to_owned()).or_insert(true) &= gone;
    }

    fn gone(&self) -> usize {
        self.0.values().filter(|gone| **gone).count()
    }

    fn show_left(&self) {
        if std::env::var_os("PRIVET_RECALL_MISSES").is_some() {
            self.0.iter().filter(|(_, gone)| !**gone).take(40).for_each(|(value, _)| println!("      left: {value}"));
        }
    }
}
