//! What stands under the public suffix list's registries, and nothing of its private section: there, `alice.github.io`
//! hangs from the "suffix" `github.io`, and companies list their own domains.

use psl::{List, Psl, Type};

/// The registry's suffix of a canonical host name (`co.uk` of `www.example.co.uk`), shorter than the whole name. `None`
/// where the list knows no such suffix: the last label of `web-1.corp` is nobody's business.
pub fn of(name: &str) -> Option<&str> {
    let mut rest = name;
    while let Some((_, parent)) = rest.split_once('.') {
        if is_registry(parent) {
            return Some(parent);
        }
        rest = parent;
    }
    None
}

/// Whether the whole name is a registry's suffix.
pub fn is_registry(name: &str) -> bool {
    let Some(suffix) = List.suffix(name.as_bytes()) else { return false };
    suffix.typ() == Some(Type::Icann) && suffix.as_bytes().len() == name.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_registrys_suffix_is_one() {
        for (name, suffix) in [
            ("www.example.com", Some("com")),
            ("www.example.co.uk", Some("co.uk")),
            ("example.co.uk", Some("co.uk")),
            ("alice.github.io", Some("io")),
            ("bucket.s3.eu-west-1.amazonaws.com", Some("com")),
            ("a.b.xn--p1ai", Some("xn--p1ai")),
            ("co.uk", Some("uk")),
            ("com", None),
            ("dev", None),
            ("web-1.corp", None),
            ("web-1.prod.internal", None),
            ("localhost", None),
        ] {
            assert_eq!(of(name), suffix, "{name}");
        }
    }
}
