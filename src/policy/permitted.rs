//! `attributes: permitted`: an allow-list of attribute keys, over the catalogue of OpenTelemetry's conventions.
//!
//! A key leaves if every file that has an allow-list permits it: it is in the catalogue, or on the file's own list. No rule
//! puts a key on the list, so adding one narrows here as everywhere. What a key of the catalogue says is an identifier is
//! hidden by rules of the catalogue's own, whether or not a pack says so too.

use std::fmt::Write;

use super::catalogue::{self, Class};
use super::compiled::TreatmentId;
use super::glob::Glob;

/// The name of the rule that removes what is not permitted.
pub const RULE: &str = "attributes-permitted";
/// The name under which the catalogue's own rules are told.
pub const SOURCE: &str = "(catalogue)";

/// Privet's own attributes, which a filter in front of this one may have put there.
const OWN: [&str; 1] = [crate::filter::SERIES_KEY];

/// The allow-lists of a policy.
#[derive(Debug)]
pub struct Permitted {
    pub stay: TreatmentId,
    /// One list a file.
    pub lists: Vec<Vec<Glob>>,
    /// Keys that exceptions let through.
    pub except: Vec<Glob>,
}

impl Permitted {
    /// Whether an attribute may leave, as far as its key goes. `folded` is the path from the outermost key.
    pub fn permits(&self, folded: &str) -> bool {
        catalogued(folded)
            || self.lists.iter().all(|list| beginnings(folded).any(|key| list.iter().any(|glob| glob.matches(key))))
            || self.except.iter().any(|glob| glob.matches(folded))
    }
}

/// Whether the catalogue has a key. What stands below a key of free text is part of it: `http.request.header.accept`.
fn catalogued(folded: &str) -> bool {
    catalogue::find(folded).is_some()
        || OWN.contains(&folded)
        || beginnings(folded).skip(1).any(|key| catalogue::find(key).is_some_and(|(_, class)| class == Class::Text))
}

/// The path, and what stands before each of its dots, from the longest.
fn beginnings(path: &str) -> impl Iterator<Item = &str> {
    std::iter::once(path).chain(path.rmatch_indices('.').map(|(at, _)| &path[..at]))
}

/// The catalogue's own rules: every key that identifies by itself is hidden.
pub fn rules() -> String {
    let groups: [(&str, &[Class], &str); 6] = [
        ("addresses", &[Class::Ip, Class::Host], "as: address, action: pseudonymise"),
        ("users", &[Class::User], "as: user, action: pseudonymise"),
        ("emails", &[Class::Email], "as: email, action: pseudonymise"),
        ("hardware-addresses", &[Class::Mac], "as: mac, action: pseudonymise"),
        ("devices", &[Class::Device], "as: device, action: pseudonymise"),
        ("credentials", &[Class::Credential], "as: credential, action: redact"),
    ];
    let mut text = String::from("version: 1\nname: catalogue\nkinds: [mac, device]\nrules:\n");
    for (name, classes, how) in groups {
        let keys: Vec<&str> =
            catalogue::keys().filter(|(_, class)| classes.contains(class)).map(|(key, _)| key).collect();
        writeln!(text, "  - {{name: catalogue-{name}, keys: [{}], {how}}}", keys.join(", ")).expect("a String grows");
    }
    text
}
