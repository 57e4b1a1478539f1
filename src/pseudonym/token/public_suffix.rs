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
    suffix.is_known() && suffix.typ() == Some(Type::Icann) && suffix.as_bytes().len() == name.len()
}
