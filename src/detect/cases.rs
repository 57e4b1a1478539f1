//! What the tests of several modules read: real text, where it is at hand.

use std::path::{Path, PathBuf};

/// The folder of real, labelled text: `PRIVET_DATA`, or `../shared/data` beside the repository. Says so where it is missing.
pub fn data() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    let root = std::env::var_os("PRIVET_DATA").map_or_else(beside, PathBuf::from);
    if root.is_dir() {
        return Some(root);
    }
    eprintln!("SKIPPED: no real text at {} (set PRIVET_DATA)", root.display());
    None
}

/// Hands over each file of real text and of real requests, whole.
pub fn for_each_real_file(root: &Path, read: &mut dyn FnMut(&[u8])) {
    let mut entries: Vec<_> =
        std::fs::read_dir(root).expect("the folder is there").map(|e| e.expect("entry").path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            for_each_real_file(&path, read);
        } else if path.extension().is_some_and(|e| e == "jsonl" || e == "json" || e == "pb" || e == "dat" || e == "txt")
        {
            read(&std::fs::read(&path).expect("the file can be read"));
        }
    }
}

#[path = "../../tests/cases/mod.rs"]
pub mod table;
