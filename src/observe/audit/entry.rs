//! What is written: one JSON object a line, each sealed by a hash over its own bytes and the hash of the one before.
//!
//! The hash is SHA-256 over the line without its last member: `{…,"prev":"…"}`. So whoever has `sed` and `sha256sum` can
//! check it, and nothing depends on how JSON is written.

use std::collections::BTreeMap;
use std::fmt::Write;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::policy::ExceptionInfo;

/// What the first entry of all follows.
pub const NOTHING: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// A line without its hash.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct Line {
    /// From 1, without a gap, over all files.
    pub seq: u64,
    /// When it was written.
    pub time: Timestamp,
    /// Of the program.
    pub version: String,
    #[serde(flatten)]
    pub entry: Entry,
    /// The hash of the entry before.
    pub prev: String,
}

#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
#[serde(tag = "entry", rename_all = "snake_case")]
pub enum Entry {
    /// A process began to take requests.
    Start(Start),
    /// From now on this is in force for a destination.
    InForce(Box<InForce>),
    /// What went to a destination.
    Period(Box<Period>),
    /// The process came to its end.
    Stop,
    /// Bytes before this line are no entry: a process or machine fell while it wrote.
    Recovered(Recovered),
    /// A file has had its time and is removed.
    Removed(Removed),
    /// Of a later version.
    #[serde(other)]
    Unknown,
}

#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct Start {
    pub previous: Previous,
}

/// How the process ended that wrote before.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Previous {
    /// There was none.
    None,
    Stopped,
    /// What it had counted since its last entry is lost.
    Fell,
}

#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct Recovered {
    /// How many bytes, and their SHA-256.
    pub bytes: u64,
    pub sha256: String,
}

#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct Removed {
    pub file: String,
    /// Its last entry.
    pub last: u64,
    pub hash: String,
}

/// Whose sums, under what.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct Brief {
    pub destination: String,
    pub recipient: String,
    /// Its digest.
    pub policy: String,
    pub epoch: u32,
    pub key_check_value: String,
    pub exceptions: Vec<Exception>,
}

#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
pub struct Exception {
    pub rules: Vec<String>,
    pub reason: String,
    pub owner: String,
    /// The last day.
    pub expires: jiff::civil::Date,
}

impl From<&ExceptionInfo> for Exception {
    fn from(info: &ExceptionInfo) -> Exception {
        let ExceptionInfo { rules, reason, owner, expires } = info.clone();
        Exception { rules, reason, owner, expires }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct InForce {
    #[serde(flatten)]
    pub of: Brief,
    pub address: String,
    pub region: Option<String>,
    pub required: bool,
    pub throw_away_key: bool,
    pub policy_name: String,
    /// The policy's and its packs' own words.
    pub promises: Vec<String>,
    pub rules: Vec<Rule>,
    /// Days by class of record.
    pub retention: BTreeMap<String, u16>,
    pub regions: Vec<String>,
    pub tls: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct Rule {
    pub name: String,
    pub action: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct Period {
    pub from: Timestamp,
    pub to: Timestamp,
    pub because: Because,
    #[serde(flatten)]
    pub of: Brief,
    pub signals: BTreeMap<String, PerSignal>,
}

/// Why a period ended.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Because {
    Interval,
    Reload,
    Exit,
}

/// What became of the requests of one signal.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq)]
#[serde(default)]
pub struct PerSignal {
    /// The destination said that it has them.
    #[serde(skip_serializing_if = "Tally::is_none")]
    pub left: Tally,
    /// Handed over, and no such word came back: they may have left.
    #[serde(skip_serializing_if = "Tally::is_none")]
    pub unconfirmed: Tally,
    /// Filtered, and not handed over.
    #[serde(skip_serializing_if = "Tally::is_none")]
    pub not_sent: Tally,
    /// Requests of which nothing left, by reason.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub refused: BTreeMap<String, u64>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq)]
#[serde(default)]
pub struct Tally {
    pub requests: u64,
    /// Those in them, without what a rule dropped.
    pub records: u64,
    pub dropped: u64,
    pub bytes: u64,
    /// How often which rule acted in which field.
    pub acts: Vec<Act>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unknown_fields: Vec<UnknownField>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub fail_closed: BTreeMap<String, u64>,
}

impl Tally {
    fn is_none(&self) -> bool {
        self.requests == 0
    }
}

#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct Act {
    pub field: String,
    pub rule: String,
    pub action: String,
    pub times: u64,
}

/// A field that the schema does not know, deleted.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct UnknownField {
    pub message: String,
    pub field: u32,
    pub times: u64,
}

/// Why a line is no entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// It does not end as an entry does.
    NoEntry,
    /// Its hash is not that of its bytes.
    Changed,
}

const BEFORE_HASH: &[u8] = b",\"hash\":\"";
const BEHIND_HASH: &[u8] = b"\"}";
const HASH: usize = 64;

/// Writes an entry out, and its hash.
pub fn seal(line: &Line) -> (String, String) {
    let mut text = serde_json::to_string(line).expect("plain data can be written");
    let hash = sha256(text.as_bytes());
    text.pop();
    write!(text, ",\"hash\":\"{hash}\"}}").expect("a String grows");
    (text, hash)
}

/// Reads a line, without its end, and its hash.
pub fn unseal(text: &[u8]) -> Result<(Line, String), Wrong> {
    let rest = text.strip_suffix(BEHIND_HASH).ok_or(Wrong::NoEntry)?;
    let (rest, hash) = rest.split_last_chunk::<HASH>().ok_or(Wrong::NoEntry)?;
    let said = rest.strip_suffix(BEFORE_HASH).ok_or(Wrong::NoEntry)?;
    if sha256(&[said, b"}"].concat()).as_bytes() != hash {
        return Err(Wrong::Changed);
    }
    let line = serde_json::from_slice([said, b"}"].concat().as_slice()).map_err(|_| Wrong::NoEntry)?;
    Ok((line, String::from_utf8_lossy(hash).into_owned()))
}

/// In hexadecimal digits.
pub fn sha256(bytes: &[u8]) -> String {
    let hash = ring::digest::digest(&ring::digest::SHA256, bytes);
    hash.as_ref().iter().fold(String::with_capacity(HASH), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a String grows");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(entry: Entry) -> Line {
        Line {
            seq: 7,
            time: "2026-11-01T00:00:00Z".parse().unwrap(),
            version: "0.1.0".into(),
            entry,
            prev: NOTHING.into(),
        }
    }

    #[test]
    fn what_was_sealed_is_read_again() {
        let removed = Removed { file: "a".into(), last: 3, hash: NOTHING.into() };
        for entry in [Entry::Stop, Entry::Removed(removed), Entry::Start(Start { previous: Previous::Fell })] {
            let (text, hash) = seal(&line(entry.clone()));
            assert_eq!(unseal(text.as_bytes()), Ok((line(entry), hash)));
        }
    }

    #[test]
    fn the_hash_is_that_of_the_line_without_it() {
        let (text, hash) = seal(&line(Entry::Stop));
        let said = r#"{"seq":7,"time":"2026-11-01T00:00:00Z","version":"0.1.0","entry":"stop","prev":"#;
        assert_eq!(text, format!("{said}\"{NOTHING}\",\"hash\":\"{hash}\"}}"));
        assert_eq!(hash, sha256(format!("{said}\"{NOTHING}\"}}").as_bytes()));
        assert_eq!(sha256(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn no_byte_of_a_line_can_be_changed() {
        let (text, _) = seal(&line(Entry::Stop));
        for at in 0..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[at] ^= 1;
            assert!(unseal(&changed).is_err(), "{}", String::from_utf8_lossy(&changed));
            assert_eq!(unseal(&text.as_bytes()[..at]), Err(Wrong::NoEntry), "cut off at {at}");
        }
    }

    #[test]
    fn an_entry_of_a_later_version_is_an_entry() {
        let said = format!(
            r#"{{"seq":1,"time":"2030-01-01T00:00:00Z","version":"9","entry":"news","x":[1],"prev":"{NOTHING}"}}"#
        );
        let hash = sha256(said.as_bytes());
        let text = format!("{},\"hash\":\"{hash}\"}}", &said[..said.len() - 1]);
        assert_eq!(unseal(text.as_bytes()).unwrap().0.entry, Entry::Unknown);
    }
}
