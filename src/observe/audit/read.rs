//! Reads a trail and says whether it is whole.
//!
//! What the chain shows: an entry that was changed, taken out, put in or moved, a file that is missing, and where. What it
//! cannot show by itself: that the end was cut off, or written anew by somebody who makes all hashes anew. For that, keep the
//! last hash elsewhere and [expect](read) it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::entry::{self, Entry, Line, NOTHING, Wrong};
use super::trail::{self, Head};

/// What was found.
#[derive(Debug, Default)]
pub struct Reading {
    pub files: Vec<PathBuf>,
    pub entries: u64,
    pub first: Option<Line>,
    pub last: Option<(Line, String)>,
    /// Bytes at the very end that are the beginning of an entry.
    pub torn: Option<Place>,
    /// The first thing that is not as it was written.
    pub broken: Option<Break>,
}

/// A line, from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub file: PathBuf,
    pub line: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Break {
    pub place: Place,
    pub what: String,
}

/// Reads all files of a trail, in order, up to the first break; `each` gets every entry that is in order. All of `expected`
/// must be hashes of entries.
///
/// # Errors
/// If a file cannot be read.
pub fn read(directory: &Path, expected: &[String], each: &mut dyn FnMut(&Line)) -> io::Result<Reading> {
    let mut reader = Reader { expected: expected.to_vec(), ..Reader::default() };
    for (seq, path) in trail::files(directory)? {
        reader.reading.files.push(path.clone());
        if let Err(what) = reader.file(seq, &path, &fs::read(&path)?, each) {
            reader.reading.broken = Some(what);
            return Ok(reader.reading);
        }
    }
    reader.reading.broken = reader.end().err();
    Ok(reader.reading)
}

#[derive(Default)]
struct Reader {
    reading: Reading,
    head: Option<Head>,
    /// Bytes that are no entry, if the last ones are none.
    garbage: Option<Garbage>,
    /// What the first entry there is follows, and nothing has said yet that it was removed.
    missing: Option<Head>,
    expected: Vec<String>,
}

/// Bytes that are no entry, and what is to be said of them unless a later entry explains them.
struct Garbage {
    place: Place,
    what: &'static str,
    bytes: Vec<u8>,
}

impl Reader {
    fn file(&mut self, named: u64, path: &Path, text: &[u8], each: &mut dyn FnMut(&Line)) -> Result<(), Break> {
        self.no_garbage()?;
        for (number, line) in text.split_inclusive(|byte| *byte == b'\n').enumerate() {
            let place = Place { file: path.to_owned(), line: number + 1 };
            match entry::unseal(line.strip_suffix(b"\n").unwrap_or(line)) {
                Ok((line, hash)) => {
                    if number == 0 && line.seq != named {
                        let what = format!("the file is named for entry {named} and begins with entry {}", line.seq);
                        return Err(Break { place, what });
                    }
                    self.entry(place, line, hash, each)?;
                }
                Err(wrong) => {
                    let what = match wrong {
                        Wrong::Changed => "this entry was changed: its hash is not that of what it says",
                        Wrong::NoEntry => "this is no entry",
                    };
                    let garbage = self.garbage.get_or_insert(Garbage { place, what, bytes: Vec::new() });
                    garbage.bytes.extend_from_slice(line);
                }
            }
        }
        Ok(())
    }

    fn entry(&mut self, place: Place, line: Line, hash: String, each: &mut dyn FnMut(&Line)) -> Result<(), Break> {
        let broken = |what: String| Err(Break { place: place.clone(), what });
        let explained = self.garbage.take_if(|garbage| garbage.is_explained_by(&line.entry)).is_some();
        self.no_garbage()?;
        if !explained && matches!(line.entry, Entry::Recovered(_)) {
            return broken("this entry says that one was torn before it, and none is there".into());
        }
        match &self.head {
            None if line.seq == 1 && line.prev == NOTHING => {}
            None if line.seq == 1 => return broken("the first entry follows one that is not there".into()),
            None => self.missing = Some(Head { seq: line.seq - 1, hash: line.prev.clone() }),
            Some(head) if line.seq == head.seq + 1 && line.prev == head.hash => {}
            Some(head) if line.seq == head.seq + 1 => {
                return broken(format!(
                    "entry {} does not follow from entry {}: one of them was changed",
                    line.seq, head.seq
                ));
            }
            Some(head) if line.seq > head.seq + 1 => {
                return broken(format!("entries {} to {} are missing", head.seq + 1, line.seq - 1));
            }
            Some(head) => return broken(format!("entry {} stands behind entry {}", line.seq, head.seq)),
        }
        if let Entry::Removed(removed) = &line.entry
            && self
                .missing
                .as_ref()
                .is_some_and(|missing| (missing.seq, &missing.hash) == (removed.last, &removed.hash))
        {
            self.missing = None;
        }
        self.expected.retain(|expected| *expected != hash);
        self.head = Some(Head { seq: line.seq, hash: hash.clone() });
        each(&line);
        self.reading.entries += 1;
        self.reading.first.get_or_insert_with(|| line.clone());
        self.reading.last = Some((line, hash));
        Ok(())
    }

    /// What can be told only of the whole.
    fn end(&mut self) -> Result<(), Break> {
        if let Some(torn) = self.garbage.take_if(|garbage| !garbage.bytes.contains(&b'\n')) {
            self.reading.torn = Some(torn.place);
        }
        self.no_garbage()?;
        let at = |file: Option<&PathBuf>, line| Place { file: file.cloned().unwrap_or_default(), line };
        if let Some(missing) = &self.missing {
            let what = format!("entries 1 to {} are missing, and no entry says that they were removed", missing.seq);
            return Err(Break { place: at(self.reading.files.first(), 1), what });
        }
        match self.expected.first() {
            Some(expected) => {
                let what = format!("no entry has the hash {expected}: the end was cut off or written anew");
                Err(Break { place: at(self.reading.files.last(), 0), what })
            }
            None => Ok(()),
        }
    }

    fn no_garbage(&self) -> Result<(), Break> {
        match &self.garbage {
            Some(garbage) => Err(Break { place: garbage.place.clone(), what: garbage.what.to_owned() }),
            None => Ok(()),
        }
    }
}

impl Garbage {
    /// Whether an entry says that exactly these bytes were left by a fall. The end of the last line is put there later.
    fn is_explained_by(&self, entry: &Entry) -> bool {
        let Entry::Recovered(recovered) = entry else { return false };
        let torn = usize::try_from(recovered.bytes).ok().and_then(|bytes| self.bytes.split_at_checked(bytes));
        torn.is_some_and(|(torn, end)| matches!(end, b"" | b"\n") && entry::sha256(torn) == recovered.sha256)
    }
}
