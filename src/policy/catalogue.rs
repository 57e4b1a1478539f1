//! What the values of OpenTelemetry's semantic-convention keys are: the yardstick of the base policy, which must decide
//! every identifying key by itself and leave the safe ones alone.

use std::collections::HashMap;
use std::sync::LazyLock;

/// Key, tab, class; sorted by key. The keys are those of the conventions' crate, which a test compares; the classes are given
/// by hand.
const TABLE: &str = include_str!("catalogue.tsv");

/// What stands under a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// An IP address, and never a name.
    Ip,
    /// The name or lasting identifier of a host, or an address of either sort.
    Host,
    /// A person or an account.
    User,
    Email,
    Mac,
    /// A device or an installation of one person.
    Device,
    Credential,
    /// A URL, or a part of one that can carry anything.
    Url,
    /// A file's path.
    Path,
    /// Words: messages, command lines, queries, labels.
    Text,
    /// Numbers, words of a fixed set, names of the customer's software.
    Safe,
}

impl Class {
    /// Whether a value of the class is an identifier by itself, so that its key decides.
    pub const fn identifies(self) -> bool {
        !matches!(self, Class::Url | Class::Path | Class::Text | Class::Safe)
    }

    /// The word for it in the table.
    pub const fn name(self) -> &'static str {
        match self {
            Class::Ip => "ip",
            Class::Host => "host",
            Class::User => "user",
            Class::Email => "email",
            Class::Mac => "mac",
            Class::Device => "device",
            Class::Credential => "credential",
            Class::Url => "url",
            Class::Path => "path",
            Class::Text => "text",
            Class::Safe => "safe",
        }
    }

    fn from_name(name: &str) -> Option<Class> {
        Some(match name {
            "ip" => Class::Ip,
            "host" => Class::Host,
            "user" => Class::User,
            "email" => Class::Email,
            "mac" => Class::Mac,
            "device" => Class::Device,
            "credential" => Class::Credential,
            "url" => Class::Url,
            "path" => Class::Path,
            "text" => Class::Text,
            "safe" => Class::Safe,
            _ => return None,
        })
    }
}

/// Every key with its class.
pub fn keys() -> impl Iterator<Item = (&'static str, Class)> {
    TABLE.lines().filter_map(|line| {
        let (key, class) = line.split_once('\t')?;
        Some((key, Class::from_name(class)?))
    })
}

/// The key that is this one when it is [folded](super::glob::fold), and its class.
pub fn find(folded: &str) -> Option<(&'static str, Class)> {
    static FOLDED: LazyLock<HashMap<String, (&str, Class)>> =
        LazyLock::new(|| keys().map(|(key, class)| (super::glob::fold(key), (key, class))).collect());
    FOLDED.get(folded).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::otlp::{Part, Signal};
    use crate::policy::{Active, Policy};

    #[test]
    fn every_line_of_the_table_has_a_class_and_stands_in_order() {
        let lines = TABLE.lines().filter(|line| !line.starts_with('#')).count();
        assert_eq!(keys().count(), lines);
        assert!(keys().map(|(key, _)| key).is_sorted());
        assert!(lines > 900);
    }

    /// The keys that the crate of the conventions publishes, out of its source: constants cannot be listed otherwise.
    fn published() -> std::collections::BTreeSet<String> {
        let cargo = std::process::Command::new(env!("CARGO"))
            .args(["metadata", "--format-version", "1", "--offline", "--manifest-path"])
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
            .output()
            .expect("cargo runs");
        let metadata: serde_json::Value = serde_json::from_slice(&cargo.stdout).expect("cargo writes JSON");
        let packages = metadata["packages"].as_array().expect("packages");
        let package = packages.iter().find(|package| package["name"] == "opentelemetry-semantic-conventions");
        let manifest = package.expect("it is among the dev-dependencies")["manifest_path"].as_str().expect("a path");
        let source = std::path::Path::new(manifest).with_file_name("src").join("attribute.rs");
        let source = std::fs::read_to_string(source).expect("the source is there");
        let constant = regex::Regex::new(r#"(?m)^pub const [A-Z0-9_]+: &str\s*=\s*"([^"]+)";"#).expect("an expression");
        constant.captures_iter(&source).map(|found| found[1].to_owned()).collect()
    }

    /// With `PRIVET_CATALOGUE=write` the table is written anew: keys that are new stand there without a class, for somebody
    /// to give them one, and other tests fail until that is done.
    #[test]
    fn the_catalogue_has_every_key_of_the_conventions() {
        let published = published();
        assert!(published.len() > 900);
        let known: std::collections::BTreeMap<&str, &str> =
            TABLE.lines().filter_map(|line| line.split_once('\t')).collect();
        if std::env::var("PRIVET_CATALOGUE").is_ok_and(|what| what == "write") {
            let head = TABLE.lines().take_while(|line| line.starts_with('#')).map(|line| format!("{line}\n"));
            let class = |key: &String| known.get(key.as_str()).copied().unwrap_or("?").to_owned();
            let rows = published.iter().map(|key| format!("{key}\t{}\n", class(key)));
            let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/policy/catalogue.tsv");
            std::fs::write(path, head.chain(rows).collect::<String>()).expect("the table can be written");
        }
        let listed: std::collections::BTreeSet<String> = known.keys().map(|key| (*key).to_owned()).collect();
        assert_eq!(published, listed);
    }

    #[test]
    fn the_base_policy_decides_every_identifying_key_and_no_safe_one() {
        let base = Policy::base();
        for signal in Signal::ALL {
            for part in Part::ALL.into_iter().filter(|part| part.is_attributes()) {
                for (key, class) in keys() {
                    let decided = base.plan(signal, part, Some(key), Active::default()).whole.is_some();
                    assert_eq!(decided, class.identifies(), "{key} is {class:?}");
                }
            }
        }
    }
}
