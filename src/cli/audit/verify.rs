//! `privet audit verify`: is every entry as it was written?

use std::io::{self, Write};
use std::path::PathBuf;

use serde_json::json;

use super::super::format::Format;
use super::{Exit, Failure, read};
use crate::observe::audit::entry::{Entry, Previous};
use crate::observe::audit::read::{Break, Place, Reading};

/// Check that no entry of an audit trail was changed, taken out, put in or moved, and no file removed
///
/// What a chain of hashes cannot show: that its end was cut off, or that somebody made the end anew with hashes that fit. Keep
/// the last hash where the trail's writer cannot change it (it is shown here, and in the sidecar's status), and give it
/// with --expect-hash at the next check: the trail up to there is then proven.
#[derive(clap::Args)]
#[command(after_help = "\
Ends with 0 if the trail is whole (a torn last line, after a crash, is told and is no break),
1 if it is broken, which names the file and line of the first break, 66 if there is no trail.")]
pub struct Args {
    /// The trail's directory
    directory: PathBuf,
    /// The hash of an entry that must be there, kept from an earlier check; may be given several times
    #[arg(long, value_name = "HASH", value_parser = hash)]
    expect_hash: Vec<String>,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub fn run(args: Args) -> Result<(), Failure> {
    let mut falls = Vec::new();
    let reading = read(&args.directory, &args.expect_hash, &mut |line| {
        if matches!(&line.entry, Entry::Start(start) if start.previous == Previous::Fell) {
            falls.push(line.seq);
        }
    })?;
    let shown = match args.format {
        Format::Text => text(&reading, &falls, args.expect_hash.len()),
        Format::Json => format!("{:#}\n", to_json(&reading, &falls)),
    };
    io::stdout().lock().write_all(shown.as_bytes())?;
    match &reading.broken {
        Some(broken) => Err(Failure::new(Exit::No, format!("the trail is broken: {}", told(broken)))),
        None => Ok(()),
    }
}

fn text(reading: &Reading, falls: &[u64], expected: usize) -> String {
    let mut lines = Vec::new();
    let files = reading.files.len();
    if let (Some(first), Some((last, hash))) = (&reading.first, &reading.last) {
        let state = if reading.broken.is_some() { "in order before the break" } else { "whole" };
        lines.push(format!(
            "{state}: entries {} to {} in {files} {}, from {} to {}",
            first.seq,
            last.seq,
            if files == 1 { "file" } else { "files" },
            first.time,
            last.time
        ));
        if reading.broken.is_none() {
            if expected > 0 {
                lines.push("every hash that was expected is there".into());
            }
            lines.push(format!("last: entry {}, hash {hash}", last.seq));
        }
    }
    if !falls.is_empty() {
        let falls: Vec<String> = falls.iter().map(u64::to_string).collect();
        lines.push(format!(
            "a process ended without a last entry before entry {}: what it had counted since the one before is missing",
            falls.join(", ")
        ));
    }
    if let Some(place) = &reading.torn {
        lines.push(format!(
            "{}: the last line is the beginning of an entry: the process fell while it wrote, or the end was cut off",
            at(place)
        ));
    }
    lines.join("\n") + "\n"
}

fn to_json(reading: &Reading, falls: &[u64]) -> serde_json::Value {
    let place = |place: &Place| json!({"file": place.file, "line": place.line});
    json!({
        "whole": reading.broken.is_none(),
        "files": reading.files,
        "entries": reading.entries,
        "first": reading.first.as_ref().map(|line| json!({"seq": line.seq, "time": line.time})),
        "last": reading.last.as_ref().map(|(line, hash)| json!({"seq": line.seq, "time": line.time, "hash": hash})),
        "ended_without_a_last_entry_before": falls,
        "torn": reading.torn.as_ref().map(place),
        "broken": reading.broken.as_ref().map(|broken| {
            json!({"file": broken.place.file, "line": broken.place.line, "what": broken.what})
        }),
    })
}

/// Where and what.
pub fn told(broken: &Break) -> String {
    format!("{}: {}", at(&broken.place), broken.what)
}

fn at(place: &Place) -> String {
    match place.line {
        0 => place.file.display().to_string(),
        line => format!("{}:{line}", place.file.display()),
    }
}

fn hash(text: &str) -> Result<String, String> {
    let text = text.to_ascii_lowercase();
    if text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        Ok(text)
    } else {
        Err("a hash has 64 hexadecimal digits".to_owned())
    }
}
