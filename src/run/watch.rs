//! Files as they were when they were read, and whether they have changed since.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

/// What tells a file's content apart without reading it. Of what a link leads to: a mounted ConfigMap swaps a link above its
/// files, and touches none of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    place: (u64, u64),
    length: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// Files and their stamps; none where there is no file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stamps {
    files: Vec<PathBuf>,
    stamps: Vec<Option<Stamp>>,
}

impl Stamps {
    pub fn of(files: Vec<PathBuf>) -> Stamps {
        let stamps = files.iter().map(|file| fs::metadata(file).ok().map(|found| stamp(&found))).collect();
        Stamps { files, stamps }
    }

    /// These files and those.
    pub fn and(mut self, other: Stamps) -> Stamps {
        self.files.extend(other.files);
        self.stamps.extend(other.stamps);
        self
    }

    fn now(&self) -> Stamps {
        Stamps::of(self.files.clone())
    }
}

fn stamp(found: &fs::Metadata) -> Stamp {
    Stamp {
        place: (found.dev(), found.ino()),
        length: found.len(),
        modified: (found.mtime(), found.mtime_nsec()),
        changed: (found.ctime(), found.ctime_nsec()),
    }
}

/// Looks at files again and again.
#[derive(Debug, Default)]
pub struct Watch {
    read: Stamps,
    seen: Stamps,
}

impl Watch {
    /// The files have been read as they were then.
    pub fn have_read(&mut self, read: Stamps) {
        self.seen = read.clone();
        self.read = read;
    }

    /// Whether a file changed since it was read, and no file did since the last look: who writes a file may be in the
    /// middle of it.
    pub fn look(&mut self) -> bool {
        let now = self.read.now();
        let at_rest = now == self.seen;
        self.seen = now;
        at_rest && self.seen != self.read
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_change_is_seen_once_it_has_come_to_rest_and_not_again_once_it_was_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("policy.yaml");
        fs::write(&path, "one").unwrap();
        let mut watch = Watch::default();
        watch.have_read(Stamps::of(vec![path.clone()]));
        assert!(!watch.look());
        fs::write(&path, "three").unwrap();
        assert!(!watch.look(), "it may be half written");
        assert!(watch.look() && watch.look(), "it was not read");
        watch.have_read(Stamps::of(vec![path.clone()]));
        assert!(!watch.look());
        fs::remove_file(&path).unwrap();
        assert!(!watch.look() && watch.look());
    }

    #[test]
    fn a_swapped_link_above_a_file_is_a_change() {
        let folder = tempfile::tempdir().unwrap();
        for version in ["1", "2"] {
            fs::create_dir(folder.path().join(version)).unwrap();
            fs::write(folder.path().join(version).join("policy.yaml"), "same").unwrap();
        }
        let data = folder.path().join("..data");
        symlink("1", &data).unwrap();
        symlink("..data/policy.yaml", folder.path().join("policy.yaml")).unwrap();
        let mut watch = Watch::default();
        watch.have_read(Stamps::of(vec![folder.path().join("policy.yaml")]));
        assert!(!watch.look());
        symlink("2", folder.path().join("..data_tmp")).unwrap();
        fs::rename(folder.path().join("..data_tmp"), &data).unwrap();
        assert!(!watch.look() && watch.look());
    }
}
