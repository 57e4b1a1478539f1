//! Published test vectors, where they are at hand.

use std::path::PathBuf;

use serde_json::Value;

/// A file of vectors, parsed; `None`, and said plainly, where it is not at hand.
pub fn read(path: &str) -> Option<Value> {
    let data = std::env::var_os("PRIVET_DATA")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data")), PathBuf::from);
    let file = data.join("misc").join(path);
    match std::fs::read(&file) {
        Ok(text) => Some(serde_json::from_slice(&text).expect("vectors are JSON")),
        Err(error) => {
            eprintln!("skipped: {}: {error} (set PRIVET_DATA)", file.display());
            None
        }
    }
}

/// Calls `check` with each test of a Wycheproof file.
pub fn wycheproof(file: &str, mut check: impl FnMut(&Value)) {
    let Some(vectors) = read(&format!("wycheproof/{file}")) else { return };
    let mut count = 0;
    for test in vectors["testGroups"].as_array().unwrap().iter().flat_map(|group| group["tests"].as_array().unwrap()) {
        check(test);
        count += 1;
    }
    assert_eq!(vectors["numberOfTests"], count);
    assert!(count > 0);
}

/// The bytes of a hexadecimal string.
pub fn bytes(hex: &Value) -> Vec<u8> {
    unhex(hex.as_str().unwrap())
}

pub fn unhex(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect()
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
