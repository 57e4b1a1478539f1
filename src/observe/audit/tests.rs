//! A trail from its first entry to its last, and what somebody could do to it meanwhile.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use jiff::{Timestamp, ToSpan};

use super::entry::{Because, Entry, Line, Period, Previous};
use super::read::{Reading, read};
use super::trail::{self, Settings};
use super::{Audit, Ledger, Left, Of};
use crate::filter::{Engine, Worker};
use crate::observe::Metrics;
use crate::otlp::Signal;
use crate::policy::Policy;
use crate::pseudonym::{Keyring, Pseudonyms};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn start() -> Timestamp {
    at("2026-11-01T10:20:00Z")
}

fn hours(hours: i64) -> Timestamp {
    start() + hours.hours()
}

/// A trail's directory, and one destination whose sums go there.
struct Sidecar {
    folder: tempfile::TempDir,
    settings: Settings,
    engine: Engine,
    policy: Arc<Policy>,
}

const RULES: &str = "
rules: [{name: tenant, keys: [tenant], as: user, action: pseudonymise}]
exceptions: [{rules: [tenant], keys: [public.tenant], reason: it is public, owner: ann, expires: 2027-01-31}]
tests: [{name: t, promise: No tenant leaves by name., given: {log: {body: x}}, keeps: [x]}]
";

impl Sidecar {
    fn new() -> Sidecar {
        Sidecar::with(RULES)
    }

    fn with(rules: &str) -> Sidecar {
        let text = format!("version: 1\nname: test\nextends: [base]\n{rules}");
        let policy = Policy::parse(&[("test.yaml", &text)], jiff::civil::date(2026, 11, 1));
        let policy = Arc::new(policy.unwrap_or_else(|wrong| panic!("{wrong}")));
        let pseudonyms = Pseudonyms::new(&Keyring::ephemeral().unwrap(), "vendor", policy.kinds(), start().into());
        let engine = Engine::new(Arc::clone(&policy), Arc::new(pseudonyms.unwrap())).counting_fields();
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings::new(folder.path().join("trail"));
        Sidecar { folder, settings, engine, policy }
    }

    fn directory(&self) -> &Path {
        &self.settings.directory
    }

    fn ledger(&self, now: Timestamp) -> Arc<Ledger> {
        let of = Of {
            destination: "vendor".into(),
            address: "https://vendor.example:4317".into(),
            recipient: "vendor".into(),
            region: Some("eu".into()),
            required: true,
            policy: Arc::clone(&self.policy),
            epoch: 3,
            key_check_value: "abcd".into(),
            throw_away: false,
        };
        Arc::new(Ledger::new(of, now))
    }

    fn open(&self) -> Audit {
        Audit::open(&self.settings, Arc::new(Metrics::default())).unwrap()
    }

    /// One process, from start to a proper end.
    fn run(&self, from: Timestamp, each_hour: i64) {
        let (audit, ledger) = (self.open(), self.ledger(from));
        audit.start(&[Arc::clone(&ledger)], from).unwrap();
        for hour in 1..=each_hour {
            ledger.send(&self.left(r#"{"tenant": "acme"} from 10.0.0.1"#)).accepted();
            audit.look_after(from + hour.hours());
        }
        audit.stop(from + each_hour.hours() + 1.minute());
    }

    /// A log record with that body, filtered.
    fn left(&self, body: &str) -> Arc<Left> {
        let json =
            serde_json::json!({"resourceLogs": [{"scopeLogs": [{"logRecords": [{"body": {"stringValue": body}}]}]}]});
        let mut request = Vec::new();
        crate::otlp::json::decode(Signal::Logs, json.to_string().as_bytes(), &mut request).unwrap();
        let mut worker = Worker::default();
        let filtered = self.engine.filter(&mut worker, Signal::Logs, Bytes::from(request)).unwrap();
        Arc::new(Left::new(Signal::Logs, &filtered, worker.take_counts()))
    }

    fn read(&self) -> (Vec<Line>, Reading) {
        let mut lines = Vec::new();
        let reading = read(self.directory(), &[], &mut |line| lines.push(line.clone())).unwrap();
        (lines, reading)
    }

    fn whole(&self) -> Vec<Line> {
        let (lines, reading) = self.read();
        assert_eq!((&reading.broken, &reading.torn), (&None, &None));
        assert_eq!(lines.len() as u64, reading.entries);
        lines
    }

    /// The file and line of the first break, and what is said of it.
    fn broken(&self) -> (String, usize, String) {
        let broken = self.read().1.broken.expect("it was tampered with");
        let file = broken.place.file.file_name().unwrap().to_string_lossy().into_owned();
        (file, broken.place.line, broken.what)
    }

    fn files(&self) -> Vec<PathBuf> {
        trail::files(self.directory()).unwrap().into_iter().map(|(_, path)| path).collect()
    }

    /// Changes a file's lines.
    fn tamper(&self, file: usize, change: impl FnOnce(&mut Vec<String>)) {
        let path = &self.files()[file];
        let mut lines: Vec<String> = fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect();
        change(&mut lines);
        fs::write(path, lines.iter().map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    }
}

fn periods(lines: &[Line]) -> Vec<&Period> {
    let mut periods = Vec::new();
    for line in lines {
        if let Entry::Period(period) = &line.entry {
            periods.push(&**period);
        }
    }
    periods
}

fn kinds(lines: &[Line]) -> Vec<&str> {
    let kind = |line: &Line| match line.entry {
        Entry::Start(_) => "start",
        Entry::InForce(_) => "in force",
        Entry::Period(_) => "period",
        Entry::Stop => "stop",
        Entry::Recovered(_) => "recovered",
        Entry::Removed(_) => "removed",
        Entry::Unknown => "unknown",
    };
    lines.iter().map(kind).collect()
}

#[test]
fn a_trail_says_what_is_in_force_and_each_hour_what_left() {
    let sidecar = Sidecar::new();
    sidecar.run(start(), 2);
    let lines = sidecar.whole();
    assert_eq!(kinds(&lines), ["start", "in force", "period", "period", "stop"]);
    let Entry::InForce(in_force) = &lines[1].entry else { panic!("{:?}", lines[1]) };
    assert_eq!(in_force.of.policy, sidecar.policy.digest());
    assert!(in_force.promises.contains(&"No tenant leaves by name.".to_owned()));
    let period = periods(&lines)[0];
    assert_eq!((period.from, period.to, period.because), (start(), hours(1), Because::Interval));
    assert_eq!((period.of.epoch, period.of.exceptions[0].owner.as_str()), (3, "ann"));
    let left = &period.signals["logs"].left;
    assert_eq!((left.requests, left.records, left.dropped), (1, 1, 0));
    let acts: Vec<_> = left.acts.iter().map(|act| (act.rule.as_str(), act.field.as_str(), act.times)).collect();
    assert_eq!(acts, [("addresses-in-text", "body", 1), ("tenant", "body tenant", 1)]);
}

#[test]
fn what_became_of_a_request_is_told_apart() {
    let sidecar = Sidecar::new();
    let (audit, ledger, left) = (sidecar.open(), sidecar.ledger(start()), sidecar.left("x"));
    audit.start(&[Arc::clone(&ledger)], start()).unwrap();
    ledger.send(&left).accepted();
    ledger.send(&left).not_sent();
    ledger.send(&left).not_sent();
    drop(ledger.send(&left));
    ledger.refused(Signal::Traces, "invalid_utf8");
    audit.stop(hours(1));
    let lines = sidecar.whole();
    let signals = &periods(&lines)[0].signals;
    let logs = &signals["logs"];
    assert_eq!((logs.left.requests, logs.unconfirmed.requests, logs.not_sent.requests), (1, 1, 2));
    assert_eq!(signals["traces"].refused["invalid_utf8"], 1);
}

#[test]
fn intervals_end_with_the_clocks_hours_and_say_so_where_nothing_left() {
    let sidecar = Sidecar::new();
    let (audit, ledger) = (sidecar.open(), sidecar.ledger(start()));
    audit.start(&[ledger], start()).unwrap();
    for minute in 0..150 {
        audit.look_after(start() + minute.minutes());
    }
    let lines = sidecar.whole();
    let ends: Vec<_> = periods(&lines).iter().map(|period| period.to.to_string()).collect();
    assert_eq!(ends, ["2026-11-01T11:00:00Z", "2026-11-01T12:00:00Z"]);
    assert!(periods(&lines)[1].signals.is_empty());
}

#[test]
fn the_chain_goes_on_over_restarts_and_files() {
    let mut sidecar = Sidecar::new();
    sidecar.settings.file_bytes = 1;
    for run in 0..3 {
        sidecar.run(hours(10 * run), 2);
    }
    let lines = sidecar.whole();
    assert!(sidecar.files().len() > 5, "{:?}", sidecar.files());
    assert_eq!(lines.iter().map(|line| line.seq).collect::<Vec<_>>(), (1..=lines.len() as u64).collect::<Vec<_>>());
    let previous: Vec<_> = lines
        .iter()
        .filter_map(|line| match &line.entry {
            Entry::Start(start) => Some(start.previous),
            _ => None,
        })
        .collect();
    assert_eq!(previous, [Previous::None, Previous::Stopped, Previous::Stopped]);
    // Whoever has a later file alone knows what was in force.
    for file in &sidecar.files()[1..] {
        let first = fs::read_to_string(file).unwrap().lines().next().unwrap().to_owned();
        assert!(first.contains("\"in_force\"") || first.contains("\"stop\"") || first.contains("\"start\""), "{first}");
    }
}

#[test]
fn a_process_that_fell_is_told_by_the_next() {
    let sidecar = Sidecar::new();
    let audit = sidecar.open();
    audit.start(&[sidecar.ledger(start())], start()).unwrap();
    drop(audit);
    sidecar.run(hours(1), 1);
    let lines = sidecar.whole();
    assert!(lines.iter().any(|line| matches!(&line.entry, Entry::Start(start) if start.previous == Previous::Fell)));
}

#[test]
fn other_policies_end_a_period_and_late_requests_count_where_they_belong() {
    let (sidecar, stricter) = (Sidecar::new(), Sidecar::with("rules: [{name: no-body, parts: [body], action: stay}]"));
    let (audit, old, new) = (sidecar.open(), sidecar.ledger(start()), stricter.ledger(start()));
    audit.start(&[Arc::clone(&old)], start()).unwrap();
    old.send(&sidecar.left("10.0.0.1")).accepted();
    let late = old.send(&sidecar.left("10.0.0.2"));
    drop(old);
    audit.replaced(&[Arc::clone(&new)], hours(1));
    new.send(&stricter.left("10.0.0.3")).accepted();
    late.accepted();
    audit.look_after(hours(2));
    audit.look_after(hours(3));
    let lines = sidecar.whole();
    let digests = [sidecar.policy.digest(), stricter.policy.digest()];
    let told: Vec<_> = periods(&lines)
        .iter()
        .map(|period| {
            let requests = period.signals.get("logs").map_or(0, |logs| logs.left.requests);
            (period.of.policy.as_str(), period.because, requests)
        })
        .collect();
    let [before, after] = digests;
    let expected = [
        (before, Because::Reload, 1),
        (before, Because::Interval, 1),
        (after, Because::Interval, 1),
        (after, Because::Interval, 0),
    ];
    assert_eq!(told, expected, "a former policy that nothing is on its way under is told of no more");
    assert_eq!(kinds(&lines)[..5], ["start", "in force", "period", "in force", "period"]);
}

#[test]
fn nothing_is_written_behind_the_last_entry() {
    let sidecar = Sidecar::new();
    let (audit, ledger) = (sidecar.open(), sidecar.ledger(start()));
    audit.start(std::slice::from_ref(&ledger), start()).unwrap();
    audit.stop(hours(1));
    ledger.send(&sidecar.left("x")).accepted();
    audit.replaced(&[ledger], hours(2));
    audit.look_after(hours(3));
    assert_eq!(kinds(&sidecar.whole()).last(), Some(&"stop"));
}

#[test]
fn nothing_is_lost_where_an_entry_cannot_be_written() {
    let mut sidecar = Sidecar::new();
    sidecar.settings.required = true;
    let (audit, ledger) = (sidecar.open(), sidecar.ledger(start()));
    audit.start(&[Arc::clone(&ledger)], start()).unwrap();
    // The file is gone, and where another is to be begun there is a directory.
    let next = sidecar.directory().join(trail::file_name(3));
    fs::remove_file(&sidecar.files()[0]).unwrap();
    fs::create_dir(&next).unwrap();
    ledger.send(&sidecar.left("x")).accepted();
    audit.look_after(hours(1));
    assert!(audit.blocks() && audit.is_failing());
    ledger.send(&sidecar.left("x")).accepted();
    fs::remove_dir(&next).unwrap();
    audit.look_after(hours(1) + 1.second());
    assert!(!audit.blocks() && !audit.is_failing());
    let (lines, reading) = sidecar.read();
    let broken = reading.broken.expect("a file was removed");
    assert_eq!(broken.what, "entries 1 to 2 are missing, and no entry says that they were removed");
    let period = periods(&lines)[0];
    assert_eq!((period.signals["logs"].left.requests, period.from), (2, start()));
}

#[test]
fn a_trail_that_is_not_required_blocks_nothing() {
    let sidecar = Sidecar::new();
    let audit = sidecar.open();
    audit.start(&[sidecar.ledger(start())], start()).unwrap();
    fs::remove_dir_all(sidecar.directory()).unwrap();
    audit.look_after(hours(1));
    assert!(audit.is_failing() && !audit.blocks());
}

#[test]
fn only_one_process_writes_a_trail() {
    let sidecar = Sidecar::new();
    let first = sidecar.open();
    let second = Audit::open(&sidecar.settings, Arc::default()).err().expect("it is in use");
    assert!(second.in_use && second.to_string().contains("another process writes there"), "{second}");
    drop(first);
    sidecar.open();
}

#[test]
fn a_directory_that_cannot_be_used_is_told_at_the_start() {
    let sidecar = Sidecar::new();
    fs::write(sidecar.directory(), "a file").unwrap();
    let refused = Audit::open(&sidecar.settings, Arc::default()).err().expect("it is no directory");
    assert!(refused.to_string().contains("trail: not a directory"), "{refused}");
    let nowhere = Settings::new(sidecar.folder.path().join("a/b"));
    assert!(Audit::open(&nowhere, Arc::default()).is_err());
}

#[test]
fn files_are_their_owners_alone() {
    let sidecar = Sidecar::new();
    sidecar.run(start(), 1);
    assert_eq!(fs::metadata(sidecar.directory()).unwrap().mode() & 0o777, 0o700);
    for file in sidecar.files() {
        assert_eq!(fs::metadata(file).unwrap().mode() & 0o777, 0o600);
    }
    let others = fs::read_dir(sidecar.directory()).unwrap().count();
    assert_eq!(others, sidecar.files().len(), "nothing else is left there");
}

/// A trail of several files, tampered with.
fn tampered(tamper: impl FnOnce(&Sidecar)) -> (String, usize, String) {
    let mut sidecar = Sidecar::new();
    // Six entries go into the first file.
    let scout = Sidecar::new();
    scout.run(start(), 3);
    sidecar.settings.file_bytes = fs::metadata(&scout.files()[0]).unwrap().len();
    sidecar.run(start(), 30);
    assert!(sidecar.files().len() > 2 && sidecar.whole().len() > 9);
    tamper(&sidecar);
    sidecar.broken()
}

#[test]
fn an_entry_that_was_changed_is_named() {
    let (file, line, what) =
        tampered(|sidecar| sidecar.tamper(0, |lines| lines[2] = lines[2].replace("vendor", "friend")));
    assert_eq!((file.as_str(), line), ("audit-000000000001.jsonl", 3));
    assert_eq!(what, "this entry was changed: its hash is not that of what it says");
    let (_, line, what) = tampered(|sidecar| sidecar.tamper(0, |lines| lines[2].clear()));
    assert_eq!((line, what.as_str()), (3, "this is no entry"));
}

#[test]
fn an_entry_that_was_changed_and_sealed_anew_does_not_fit_the_next() {
    let (_, line, what) = tampered(|sidecar| {
        sidecar.tamper(0, |lines| {
            let (mut entry, _) = super::entry::unseal(lines[2].as_bytes()).unwrap();
            entry.time = start();
            lines[2] = super::entry::seal(&entry).0;
        });
    });
    assert_eq!((line, what.as_str()), (4, "entry 4 does not follow from entry 3: one of them was changed"));
}

#[test]
fn an_entry_that_was_taken_out_put_in_or_moved_is_named() {
    for (tamper, expected) in [
        ((|lines| drop(lines.remove(2))) as fn(&mut Vec<String>), (3, "entries 3 to 3 are missing")),
        (|lines| lines.insert(3, lines[2].clone()), (4, "entry 3 stands behind entry 3")),
        (|lines| lines.swap(2, 3), (3, "entries 3 to 3 are missing")),
        (|lines| lines.insert(2, "{}".into()), (3, "this is no entry")),
    ] {
        let (_, line, what) = tampered(|sidecar| sidecar.tamper(0, tamper));
        assert_eq!((line, what.as_str()), expected);
    }
}

#[test]
fn a_file_that_is_missing_or_renamed_is_named() {
    let second = |sidecar: &Sidecar| sidecar.files()[1].clone();
    let (file, line, what) = tampered(|sidecar| fs::remove_file(second(sidecar)).unwrap());
    assert!(line == 1 && what.ends_with("are missing") && what.starts_with("entries "), "{file}:{line}: {what}");
    let (file, line, what) = tampered(|sidecar| fs::remove_file(&sidecar.files()[0]).unwrap());
    assert!(line == 1 && what.ends_with("no entry says that they were removed"), "{file}:{line}: {what}");
    let (file, line, what) =
        tampered(|sidecar| fs::rename(second(sidecar), sidecar.directory().join(trail::file_name(2))).unwrap());
    assert!(line == 1 && what.starts_with("the file is named for entry 2"), "{file}:{line}: {what}");
}

#[test]
fn an_end_that_was_cut_off_is_seen_by_who_kept_a_hash() {
    let sidecar = Sidecar::new();
    sidecar.run(start(), 3);
    let hash = sidecar.read().1.last.unwrap().1;
    sidecar.tamper(0, |lines| drop(lines.pop()));
    sidecar.whole();
    let reading = read(sidecar.directory(), std::slice::from_ref(&hash), &mut |_| {}).unwrap();
    let what = reading.broken.expect("its last entry is gone").what;
    assert_eq!(what, format!("no entry has the hash {hash}: the end was cut off or written anew"));
}

#[test]
fn a_torn_end_is_carried_on_behind_it_and_is_no_break() {
    for cut in [1, 2, 40, 200] {
        let sidecar = Sidecar::new();
        sidecar.run(start(), 2);
        let path = sidecar.files()[0].clone();
        let text = fs::read(&path).unwrap();
        fs::write(&path, &text[..text.len() - cut]).unwrap();
        let (lines, reading) = sidecar.read();
        assert_eq!(reading.broken, None, "{cut}");
        // Without the end of its line the entry itself is whole.
        assert_eq!((reading.torn.is_some(), lines.len()), (cut > 1, if cut > 1 { 4 } else { 5 }));
        sidecar.run(hours(5), 1);
        let lines = sidecar.whole();
        assert_eq!(kinds(&lines).contains(&"recovered"), cut > 1, "{cut}");
    }
}

#[test]
fn a_torn_end_in_a_new_file_and_several_in_a_row_are_carried_on() {
    let sidecar = Sidecar::new();
    sidecar.run(start(), 1);
    let next = sidecar.directory().join(trail::file_name(5));
    fs::write(&next, "{\"seq\":5,").unwrap();
    sidecar.run(hours(5), 1);
    let mut torn = fs::read(&next).unwrap();
    torn.extend(b"\0\0\n\0{\"seq\"");
    fs::write(&next, torn).unwrap();
    sidecar.run(hours(10), 1);
    let lines = sidecar.whole();
    assert_eq!(kinds(&lines).iter().filter(|kind| **kind == "recovered").count(), 2);
}

#[test]
fn a_changed_entry_is_no_torn_one_though_another_says_so() {
    let sidecar = Sidecar::new();
    sidecar.run(start(), 2);
    let path = sidecar.files()[0].clone();
    let text = fs::read(&path).unwrap();
    fs::write(&path, &text[..text.len() - 40]).unwrap();
    sidecar.run(hours(5), 1);
    sidecar.tamper(0, |lines| lines[4] = lines[4].replace("seq", "sex"));
    assert_eq!(sidecar.broken().2, "this is no entry");
    sidecar.tamper(0, |lines| drop(lines.remove(4)));
    assert_eq!(sidecar.broken().2, "this entry says that one was torn before it, and none is there");
}

#[test]
fn files_that_have_had_their_time_are_removed_and_that_is_said() {
    let mut sidecar = Sidecar::new();
    sidecar.settings.keep_days = Some(40);
    for month in 0..5 {
        sidecar.run(start() + (month * 31 * 24).hours(), 1);
    }
    let lines = sidecar.whole();
    assert!(lines[0].seq > 1, "the first is gone");
    assert!(kinds(&lines).contains(&"removed"));
    assert_eq!(sidecar.files().len(), 2, "one file a month, and nothing older than 40 days: {:?}", sidecar.files());
    fs::remove_file(&sidecar.files()[0]).unwrap();
    assert!(sidecar.broken().2.ends_with("no entry says that they were removed"));
}

#[test]
fn more_fields_than_are_told_apart_are_counted_all_the_same() {
    let rules: String = (0..3_000).map(|number| format!("k{number}, ")).collect();
    let sidecar = Sidecar::with(&format!("rules: [{{name: many, keys: [{rules} k], as: user, action: pseudonymise}}]"));
    let (audit, ledger) = (sidecar.open(), sidecar.ledger(start()));
    audit.start(&[Arc::clone(&ledger)], start()).unwrap();
    for number in 0..3_000 {
        ledger.send(&sidecar.left(&format!(r#"{{"k{number}": "ann"}}"#))).accepted();
    }
    audit.stop(hours(1));
    let lines = sidecar.whole();
    let acts = &periods(&lines)[0].signals["logs"].left.acts;
    assert!(acts.len() < 2_100, "{}", acts.len());
    assert_eq!(acts.iter().filter(|act| act.rule == "many").map(|act| act.times).sum::<u64>(), 3_000);
}
