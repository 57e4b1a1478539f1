//! `privet filter`: the engine over files.
//!
//! ```text
//! file ─▶ input (cut into requests) ─▶ engine ─▶ output ─▶ file        summary ─▶ standard error
//!              └──── record: a line of text as a request of one log record ────┘
//! ```

mod input;
mod output;
mod record;
mod summary;

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use indicatif::{ProgressBar, ProgressStyle};

use self::input::Input;
use self::output::Output;
use self::summary::Summary;
use super::format::Format;
use super::{Exit, Failure};
use crate::config::Config;
use crate::filter::{Engine, Worker};
use crate::otlp::Signal;
use crate::run::State;

/// The largest request, and the longest line, in bytes.
const MAX_REQUEST: usize = 64 << 20;
/// A file of at least so many bytes is worth a progress bar.
const LONG_WORK: u64 = 16 << 20;

/// Filter files with the rules that the sidecar would apply
///
/// Reads IN (standard input by default), writes what may leave to standard output or OUT, and says on standard error what
/// was done. Text lines give exactly as many lines back: one that cannot be judged becomes `[redacted]`, one that a rule
/// drops `[dropped]`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// What the requests carry [default: logs, for lines]
    #[arg(long, value_parser = signals())]
    signal: Option<Signal>,
    /// What is read
    #[arg(long, value_name = "FORM")]
    from: Form,
    /// What is written [default: what is read]
    #[arg(long, value_name = "FORM")]
    to: Option<Form>,
    /// Policy files, which together say what may leave; the built-in base policy if none
    #[arg(long, value_name = "FILE", env = "PRIVET_POLICY", value_delimiter = ',')]
    policy: Vec<PathBuf>,
    /// Keyring, made by `privet keys new`; without one a throw-away key is made
    #[arg(long, value_name = "FILE", env = "PRIVET_KEYRING")]
    keyring: Option<PathBuf>,
    /// Who receives the data: tokens differ from recipient to recipient, as with `privet run`
    #[arg(long, value_name = "NAME", env = "PRIVET_RECIPIENT", default_value = "local")]
    recipient: String,
    /// A length stands before each protobuf request (a varint, as protobuf's streams have it)
    #[arg(long)]
    delimited: bool,
    /// How to say what was done
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Where to write; `-` is standard output
    #[arg(short, long = "output", value_name = "OUT", default_value = "-")]
    output: PathBuf,
    /// What to read: a file, or a folder with all that is below it; `-` is standard input
    #[arg(value_name = "IN", default_value = "-")]
    input: PathBuf,
}

const EXAMPLES: &str = "\
Examples:
  privet filter --from lines /var/log/auth.log
  privet filter --from lines /var/log/app -o filtered/
  privet filter --from otlp-json --signal traces --keyring keyring spans.jsonl -o filtered.jsonl
  privet filter --from otlp-protobuf --to otlp-json --signal metrics request.pb";

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// An Export request; several need --delimited
    OtlpProtobuf,
    /// Export requests as JSON objects, one after the other
    OtlpJson,
    /// Text: each line is the body of a log record
    Lines,
}

pub(super) fn signals() -> impl TypedValueParser<Value = Signal> {
    PossibleValuesParser::new(Signal::ALL.map(Signal::name))
        .map(|name| Signal::from_name(&name).expect("only signals' names are possible"))
}

pub fn run(args: Args) -> Result<(), Failure> {
    let (signal, to) = forms(&args)?;
    let state = State::prove(&Config {
        policies: args.policy.clone(),
        keyring: args.keyring.clone(),
        recipient: Some(args.recipient.clone()),
        ..Config::default()
    })?;
    if state.key_is_throw_away() {
        eprintln!(
            "warning: THROW-AWAY KEY: these tokens join with no others; \
             make a keyring with `privet keys new --out FILE` and give `--keyring FILE`"
        );
    }
    let loaded = state.loaded();
    let engine = loaded.engine(0);
    let jobs = jobs(&args)?;
    let progress = progress(&args, &jobs);
    let mut worker = Worker::default();
    let mut summary = Summary::default();
    for job in &jobs {
        let reader = BufReader::with_capacity(1 << 18, progress.wrap_read(open(&job.input)?));
        let writer = BufWriter::with_capacity(1 << 18, create(&job.output, &job.input)?);
        let mut input = Input::new(reader, signal, args.from, args.delimited);
        let mut output = Output::new(writer, signal, to, args.delimited);
        let outcome = filter(engine, &mut worker, signal, args.from, &mut input, &mut output, &mut summary);
        if outcome.is_err() {
            progress.finish_and_clear();
        }
        if output.reader_gone {
            // Whoever read has seen enough.
            return Ok(());
        }
        outcome.map_err(|failure| match jobs.len() {
            1 => failure,
            _ => Failure::new(failure.exit, format!("{}: {failure}", job.input.display())),
        })?;
    }
    progress.finish_and_clear();
    summary.counts = worker.take_counts();
    match args.format {
        Format::Text => eprintln!("{}", summary.text(engine.policy())),
        Format::Json => eprintln!("{}", summary.json(engine.policy())),
    }
    Ok(())
}

/// The signal and the form of the output, where they go together.
fn forms(args: &Args) -> Result<(Signal, Form), Failure> {
    let usage = |message: &str| Err(Failure::new(Exit::Usage, message));
    let to = args.to.unwrap_or(args.from);
    if args.from != Form::Lines && to == Form::Lines {
        return usage("lines can only be made of lines: use --to otlp-json");
    }
    if args.delimited && args.from != Form::OtlpProtobuf && to != Form::OtlpProtobuf {
        return usage("--delimited is about protobuf requests, and neither --from nor --to names them");
    }
    match (args.signal, args.from) {
        (None | Some(Signal::Logs), Form::Lines) => Ok((Signal::Logs, to)),
        (Some(_), Form::Lines) => usage("lines are log records: --signal must be logs"),
        (Some(signal), _) => Ok((signal, to)),
        (None, _) => usage("--signal is missing: which of logs, metrics, traces, profiles do the requests carry?"),
    }
}

/// Filters all of the input. What was read before a request that is refused has been written.
fn filter(
    engine: &Engine,
    worker: &mut Worker,
    signal: Signal,
    from: Form,
    input: &mut Input<impl BufRead>,
    output: &mut Output<impl Write>,
    summary: &mut Summary,
) -> Result<(), Failure> {
    let lines = from == Form::Lines;
    while let Some(piece) = input.next(summary)? {
        summary.requests += 1;
        let filtered = match engine.filter(worker, signal, piece.request) {
            Ok(filtered) => {
                summary.records += filtered.records;
                summary.dropped += filtered.dropped;
                filtered.bytes
            }
            Err(refusal) if lines => {
                summary.records += 1;
                summary.line_redacted(refusal.reason());
                record::with_body(record::REDACTED).into()
            }
            Err(refusal) => {
                return Err(Failure::new(Exit::Data, format!("{}: refused: {}", piece.place, refusal.reason())));
            }
        };
        output.write(&filtered, piece.line_end)?;
    }
    output.flush()
}

/// One file to be filtered into another.
struct Job {
    input: PathBuf,
    output: PathBuf,
}

/// The file, or those below the folder: what they become has the same name below the other folder.
fn jobs(args: &Args) -> Result<Vec<Job>, Failure> {
    if !args.input.is_dir() {
        return Ok(vec![Job { input: args.input.clone(), output: args.output.clone() }]);
    }
    if is_standard(&args.output) {
        return Err(Failure::new(Exit::Usage, "a folder is filtered into another: name it with -o"));
    }
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |error| Failure { exit: Exit::CannotCreate, ..Failure::file(&path, &error) }
    };
    std::fs::create_dir_all(&args.output).map_err(failed(&args.output))?;
    let whole = |path: &Path| path.canonicalize().map_err(|error| Failure::file(path, &error));
    if whole(&args.output)?.starts_with(whole(&args.input)?) {
        let message = format!("{}: a folder cannot be filtered into itself", args.output.display());
        return Err(Failure::new(Exit::Usage, message));
    }
    let mut jobs = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let inside = args.input.join(&folder);
        let entries = std::fs::read_dir(&inside).map_err(|error| Failure::file(&inside, &error))?;
        for entry in entries.flatten() {
            let below = folder.join(entry.file_name());
            let kind = entry.file_type().map_err(|error| Failure::file(&entry.path(), &error))?;
            if kind.is_dir() {
                std::fs::create_dir_all(args.output.join(&below)).map_err(failed(&args.output))?;
                folders.push(below);
            } else if kind.is_file() {
                jobs.push(Job { input: entry.path(), output: args.output.join(below) });
            }
        }
    }
    jobs.sort_by(|a, b| a.input.cmp(&b.input));
    Ok(jobs)
}

fn open(path: &Path) -> Result<Box<dyn Read>, Failure> {
    if is_standard(path) {
        return Ok(Box::new(io::stdin().lock()));
    }
    Ok(Box::new(File::open(path).map_err(|error| Failure::file(path, &error))?))
}

fn create(path: &Path, input: &Path) -> Result<Box<dyn Write>, Failure> {
    if is_standard(path) {
        return Ok(Box::new(io::stdout().lock()));
    }
    let same = |a: &Path, b: &Path| a.canonicalize().is_ok_and(|a| b.canonicalize().is_ok_and(|b| a == b));
    if !is_standard(input) && same(path, input) {
        return Err(Failure::new(Exit::Usage, format!("{}: a file cannot be filtered into itself", path.display())));
    }
    let file =
        File::create(path).map_err(|error| Failure { exit: Exit::CannotCreate, ..Failure::file(path, &error) })?;
    Ok(Box::new(file))
}

fn is_standard(path: &Path) -> bool {
    path == Path::new("-")
}

/// A bar for long work, on terminals only, and not across output that goes there too.
fn progress(args: &Args, jobs: &[Job]) -> ProgressBar {
    let len = jobs.iter().map(|job| job.input.metadata().map_or(0, |metadata| metadata.len())).sum();
    if len < LONG_WORK || is_standard(&args.output) && io::stdout().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {percent:>3} %  {binary_bytes_per_sec}, {eta} left")
        .expect("the template is well-formed");
    ProgressBar::new(len).with_style(style)
}
