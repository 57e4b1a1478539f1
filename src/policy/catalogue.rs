//! What the values of OpenTelemetry's semantic-convention keys are: the yardstick of the base policy, which must decide
//! every identifying key by itself and leave the safe ones alone.

/// Key, tab, class; sorted by key.
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
