//! The files of a trail: appended to, each entry on disk before the next is begun, carried on over restarts and rotation.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::AuditError;
use super::entry::{self, Entry, Line, NOTHING, Previous, Recovered, Removed};

/// How a trail is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    pub directory: PathBuf,
    pub interval: Duration,
    /// A file that is larger is followed by another.
    pub file_bytes: u64,
    /// A file is removed once its last entry is older; never if none.
    pub keep_days: Option<u32>,
    /// Whether nothing may leave while entries cannot be written.
    pub required: bool,
}

impl Settings {
    pub fn new(directory: PathBuf) -> Settings {
        let interval = Duration::from_secs(60 * 60);
        Settings { directory, interval, file_bytes: 16 << 20, keep_days: None, required: false }
    }
}

/// The last entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// 0 before the first.
    pub seq: u64,
    pub hash: String,
}

/// The end of a trail.
pub struct Trail {
    settings: Settings,
    /// Locked for as long as the trail is written to.
    folder: File,
    path: PathBuf,
    /// None before the first entry, and where a write failed that could not be taken back.
    file: Option<File>,
    /// How much of the file is entries.
    len: u64,
    /// When the file at hand was begun.
    begun: Option<Timestamp>,
    head: Head,
    previous: Previous,
}

/// The name of a trail's file, by its first entry.
pub fn file_name(seq: u64) -> String {
    format!("audit-{seq:012}.jsonl")
}

/// The files of a trail in their order, by the number of their first entry.
pub fn files(directory: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut files = Vec::new();
    for file in fs::read_dir(directory)? {
        let path = file?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let seq = name.strip_prefix("audit-").and_then(|name| name.strip_suffix(".jsonl"));
        if let Some(seq) = seq.and_then(|seq| seq.parse().ok()).filter(|seq| file_name(*seq) == name) {
            files.push((seq, path));
        }
    }
    files.sort();
    Ok(files)
}

impl Trail {
    /// Finds the end of a trail. Makes its directory if need be, and nothing else.
    pub fn open(settings: &Settings) -> Result<Trail, AuditError> {
        let directory = &settings.directory;
        let failed = |error: io::Error| AuditError { path: directory.clone(), error, in_use: false };
        let settings = settings.clone();
        let head = Head { seq: 0, hash: NOTHING.to_owned() };
        let folder = folder(directory).map_err(failed)?;
        match folder.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(AuditError { in_use: true, ..failed(io::ErrorKind::WouldBlock.into()) });
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let path = directory.join(file_name(1));
        let mut trail =
            Trail { settings, folder, path, file: None, len: 0, begun: None, head, previous: Previous::None };
        trail.find_end().map_err(failed)?;
        Ok(trail)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn head(&self) -> &Head {
        &self.head
    }

    pub fn previous(&self) -> Previous {
        self.previous
    }

    /// The last line that is an entry, in the last file that has one.
    fn find_end(&mut self) -> io::Result<()> {
        let files = files(&self.settings.directory)?;
        let Some((_, newest)) = files.last() else { return Ok(()) };
        self.path.clone_from(newest);
        for (_, path) in files.iter().rev() {
            let text = fs::read(path)?;
            let mut end = 0;
            let mut last = None;
            for line in text.split_inclusive(|byte| *byte == b'\n') {
                let from = end;
                end += line.len();
                if let Ok((line, hash)) = entry::unseal(line.strip_suffix(b"\n").unwrap_or(line)) {
                    if path == newest && from == 0 {
                        self.begun = Some(line.time);
                    }
                    last = Some((line, hash, end));
                }
            }
            if let Some((line, hash, end)) = last {
                if path == newest {
                    self.len = end as u64;
                }
                self.previous = if line.entry == Entry::Stop { Previous::Stopped } else { Previous::Fell };
                // What this process wrote is not forgotten because somebody took it away.
                if line.seq >= self.head.seq {
                    self.head = Head { seq: line.seq, hash };
                }
                return Ok(());
            }
        }
        Ok(())
    }

    /// Opens the file at hand, and says so if its end is no entry: a process fell while it wrote.
    pub fn begin(&mut self, now: Timestamp) -> io::Result<()> {
        if self.file.is_some() {
            return Ok(());
        }
        let is_new = !self.path.exists();
        let file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(&self.path)?;
        if is_new {
            self.folder.sync_all()?;
        }
        let text = fs::read(&self.path)?;
        let rest = text.get(self.len as usize..).unwrap_or_default();
        if text.last().is_some_and(|last| *last != b'\n') {
            (&file).write_all(b"\n")?;
        }
        self.file = Some(file);
        if rest.is_empty() {
            self.len = fs::metadata(&self.path)?.len();
            return Ok(());
        }
        let recovered = Recovered { bytes: rest.len() as u64, sha256: entry::sha256(rest) };
        tracing::warn!(
            file = %self.path.display(),
            bytes = recovered.bytes,
            "the audit trail ends in the middle of an entry; it is carried on behind it"
        );
        self.len = fs::metadata(&self.path)?.len();
        self.append(Entry::Recovered(recovered), now)
    }

    /// Adds an entry, which is on disk then.
    ///
    /// # Errors
    /// If it cannot be written; nothing of it is left in the file then, or the next entry says so.
    pub fn append(&mut self, entry: Entry, now: Timestamp) -> io::Result<()> {
        if self.file.is_none() {
            self.find_end()?;
            self.begin(now)?;
        } else if !self.is_in_place() {
            tracing::error!(file = %self.path.display(), "the audit trail's file is gone; another one is begun");
            self.next_file(now)?;
        }
        let Some(file) = &mut self.file else { return Err(io::ErrorKind::NotFound.into()) };
        let line = Line {
            seq: self.head.seq + 1,
            time: in_milliseconds(now),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            entry,
            prev: self.head.hash.clone(),
        };
        let (mut text, hash) = entry::seal(&line);
        text.push('\n');
        if let Err(error) = file.write_all(text.as_bytes()).and_then(|()| file.sync_data()) {
            if file.set_len(self.len).is_err() {
                self.file = None;
            }
            return Err(error);
        }
        self.begun.get_or_insert(now);
        self.len += text.len() as u64;
        self.head = Head { seq: line.seq, hash };
        Ok(())
    }

    /// Whether the file at hand is still the one of its name.
    fn is_in_place(&self) -> bool {
        let place = |found: fs::Metadata| (found.dev(), found.ino());
        let own = self.file.as_ref().and_then(|file| file.metadata().ok()).map(place);
        own.is_some() && own == fs::metadata(&self.path).ok().map(place)
    }

    /// Whether the file at hand has had its size or its month.
    pub fn is_full(&self, now: Timestamp) -> bool {
        let month = |time: Timestamp| date(time).first_of_month();
        self.len >= self.settings.file_bytes || self.begun.is_some_and(|begun| month(begun) < month(now))
    }

    /// Goes on in another file.
    pub fn next_file(&mut self, now: Timestamp) -> io::Result<()> {
        let path = self.settings.directory.join(file_name(self.head.seq + 1));
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(&path)?;
        self.folder.sync_all()?;
        // Nothing, unless somebody else put it there.
        let len = file.metadata()?.len();
        (self.file, self.path, self.len, self.begun) = (Some(file), path, len, Some(now));
        Ok(())
    }

    /// Removes files that have had their time, and says so before.
    pub fn remove_old(&mut self, now: Timestamp) -> io::Result<()> {
        let Some(days) = self.settings.keep_days else { return Ok(()) };
        for (_, path) in files(&self.settings.directory)? {
            if path == self.path {
                break;
            }
            let text = fs::read(&path)?;
            let lines = text.split(|byte| *byte == b'\n').rev();
            let Some((line, hash)) = lines.filter_map(|line| entry::unseal(line).ok()).next() else { break };
            if now.as_second() - line.time.as_second() < i64::from(days) * 24 * 60 * 60 {
                break;
            }
            let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            self.append(Entry::Removed(Removed { file, last: line.seq, hash }), now)?;
            fs::remove_file(&path)?;
            self.folder.sync_all()?;
        }
        Ok(())
    }
}

/// The directory, made if only it is missing.
fn folder(directory: &Path) -> io::Result<File> {
    match DirBuilder::new().mode(0o700).create(directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let found = fs::metadata(directory)?;
    if !found.is_dir() {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    if found.mode() & 0o002 != 0 {
        tracing::warn!(directory = %directory.display(), "everybody may change the audit trail's directory: chmod 700");
    }
    // Whether it can be written to is not to be found out in an hour.
    let probe = directory.join(".audit-probe");
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&probe)?;
    fs::remove_file(&probe)?;
    File::open(directory)
}

/// As entries have it.
pub fn in_milliseconds(time: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(time.as_millisecond()).unwrap_or(time)
}

fn date(time: Timestamp) -> Date {
    time.to_zoned(TimeZone::UTC).date()
}
