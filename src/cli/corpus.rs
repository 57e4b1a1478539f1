//! Telemetry out of files and folders, one record at a time: what `explain`, `diff`, `scan` and `init` look at.

use std::fs;
use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::{Exit, Failure};
use crate::otlp::{Signal, json as otlp};
use crate::policy::signal_of;
use crate::review::bench::{Unfit, normal};
use crate::review::single::singles;

/// What to look at.
#[derive(Debug, clap::Args)]
pub struct Corpus {
    /// Files and folders of OTLP/JSON (`.json`, `.jsonl`), of OTLP in protobuf (`.pb`, `.bin`; needs --signal) and of text
    /// lines (`.log`, `.txt`: each is a log record's body); `-` is OTLP/JSON on standard input
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// What protobuf files carry
    #[arg(long, value_parser = super::filter::signals())]
    pub signal: Option<Signal>,
    /// Look at no more than so many records
    #[arg(long, value_name = "N")]
    pub records: Option<u64>,
}

/// A file larger than this is not read: cut it.
const MAX_FILE: u64 = 1 << 30;
/// So many bytes are worth a progress bar.
const LONG_WORK: u64 = 8 << 20;

impl Corpus {
    /// Calls `each` with every record: its signal, a request in OTLP/JSON that holds it alone, and where it comes from.
    pub fn each(&self, each: &mut dyn FnMut(Signal, &Value, &Place<'_>) -> Result<(), Failure>) -> Result<(), Failure> {
        let mut files = Vec::new();
        for path in &self.paths {
            gather(path, &mut files)?;
        }
        let total = files.iter().filter_map(|file| file.metadata().ok()).map(|metadata| metadata.len()).sum();
        let progress = progress(total);
        let mut left = self.records.unwrap_or(u64::MAX);
        for file in &files {
            let read = self.file(file, &mut left, each);
            if read.is_err() {
                progress.finish_and_clear();
            }
            read?;
            progress.inc(file.metadata().map_or(0, |metadata| metadata.len()));
            if left == 0 {
                break;
            }
        }
        progress.finish_and_clear();
        Ok(())
    }

    fn file(
        &self,
        file: &Path,
        left: &mut u64,
        each: &mut dyn FnMut(Signal, &Value, &Place<'_>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let bytes = read(file)?;
        let mut number = 0;
        let mut take = |signal, request: &Value| -> Result<bool, Failure> {
            let request = normal(signal, request).map_err(|unfit| at(file, number + 1, &unfit))?;
            for record in singles(signal, &request) {
                if *left == 0 {
                    return Ok(false);
                }
                (*left, number) = (*left - 1, number + 1);
                each(signal, &record, &Place { file, record: number })?;
            }
            Ok(true)
        };
        match form(file) {
            Form::Json => {
                for request in serde_json::Deserializer::from_slice(&bytes).into_iter::<Value>() {
                    let request = request.map_err(|wrong| bad(file, format_args!("this is not JSON: {wrong}")))?;
                    let signal =
                        signal_of(&request).ok_or_else(|| bad(file, "an object in it is no request in OTLP/JSON"))?;
                    if !take(signal, &request)? {
                        break;
                    }
                }
            }
            Form::Protobuf => {
                let Some(signal) = self.signal else {
                    let message = format!("{}: which signal do protobuf files carry? Say --signal", file.display());
                    return Err(Failure::new(Exit::Usage, message));
                };
                let mut text = Vec::new();
                otlp::encode(signal, &bytes, &mut text).map_err(|error| bad(file, error))?;
                let request = serde_json::from_slice(&text).map_err(|error| bad(file, error))?;
                take(signal, &request)?;
            }
            Form::Lines => {
                for line in String::from_utf8_lossy(&bytes).lines() {
                    let record =
                        json!({"resourceLogs": [{"scopeLogs": [{"logRecords": [{"body": {"stringValue": line}}]}]}]});
                    if !take(Signal::Logs, &record)? {
                        break;
                    }
                }
            }
        }
        Ok(())
    }
}

/// Where a record comes from.
pub struct Place<'a> {
    pub file: &'a Path,
    /// From 1.
    pub record: u64,
}

impl Place<'_> {
    pub fn failure(&self, unfit: &Unfit) -> Failure {
        at(self.file, self.record, unfit)
    }
}

fn at(file: &Path, record: u64, unfit: &Unfit) -> Failure {
    bad(file, format_args!("record {record}: {unfit}"))
}

fn bad(file: &Path, what: impl std::fmt::Display) -> Failure {
    Failure::new(Exit::Data, format_args!("{}: {what}", file.display()))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Json,
    Protobuf,
    Lines,
}

fn form(file: &Path) -> Form {
    match file.extension().and_then(|end| end.to_str()) {
        Some("pb" | "bin" | "binpb") => Form::Protobuf,
        Some("log" | "txt") => Form::Lines,
        _ => Form::Json,
    }
}

/// The files below a path, in the order of their names; what is hidden or of another kind is passed over in folders.
fn gather(path: &Path, files: &mut Vec<PathBuf>) -> Result<(), Failure> {
    if !path.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    let entries = fs::read_dir(path).map_err(|error| Failure::file(path, &error))?;
    let mut inside: Vec<PathBuf> = entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
    inside.sort();
    for path in inside {
        let name = path.file_name().map_or("".into(), |name| name.to_string_lossy());
        let known = ["json", "jsonl", "ndjson", "pb", "bin", "binpb", "log", "txt"];
        let is_known = path.extension().is_some_and(|end| known.iter().any(|known| end == *known));
        if !name.starts_with('.') && (path.is_dir() || is_known) {
            gather(&path, files)?;
        }
    }
    Ok(())
}

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let outcome = if file == Path::new("-") {
        io::stdin().lock().take(MAX_FILE + 1).read_to_end(&mut bytes)
    } else {
        fs::File::open(file).and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut bytes))
    };
    outcome.map_err(|error| Failure::file(file, &error))?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(bad(file, format_args!("it is longer than {MAX_FILE} bytes: cut it")));
    }
    Ok(bytes)
}

fn progress(total: u64) -> ProgressBar {
    if total < LONG_WORK || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {percent:>3} %  {binary_bytes_per_sec}, {eta} left")
        .expect("the template is well-formed");
    ProgressBar::new(total).with_style(style)
}
