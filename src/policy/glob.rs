//! Key patterns: `*` for any run of characters, everything else for itself.
//!
//! Keys are compared **folded**: case, `_`, `-` and blanks do not count, so `client_ip` is also `ClientIp`, `client-ip` and
//! `CLIENT IP`. `*` crosses dots: `http.request.header.*` matches `http.request.header.x.y`.
//!
//! A rule's pattern matches the whole key or any **tail** of it that begins after a `.` or `/`: `user.name` also matches
//! `process.parent.user.name`, and the leaf `client_ip` in a JSON body under `body.request`. An exception's pattern matches
//! the whole key only, for what widens must be exact.

/// A compiled pattern.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Glob {
    /// The folded text between the stars: one piece for a pattern without a star.
    pieces: Box<[Box<str>]>,
}

/// Why a pattern is none, and at which byte of it.
#[derive(Debug, PartialEq, Eq)]
pub struct BadGlob {
    pub message: &'static str,
    pub at: usize,
}

impl Glob {
    pub fn new(pattern: &str) -> Result<Glob, BadGlob> {
        if let Some(at) = pattern.find(['?', '[', ']', '{', '}', '\\', '!']) {
            return Err(BadGlob { message: "only `*` is special in a pattern", at });
        }
        if let Some(at) = pattern.find("**") {
            return Err(BadGlob { message: "`*` crosses dots already, `**` says nothing more", at });
        }
        let folded = fold(pattern);
        if folded.is_empty() {
            return Err(BadGlob { message: "the pattern is empty", at: 0 });
        }
        Ok(Glob { pieces: folded.split('*').map(Box::from).collect() })
    }

    /// The folded key that alone matches, where the pattern has no star.
    pub fn literal(&self) -> Option<&str> {
        match &*self.pieces {
            [only] => Some(only),
            _ => None,
        }
    }

    /// Whether all of a [folded](fold) key matches.
    pub fn matches(&self, folded: &str) -> bool {
        let [first, middle @ .., last] = &*self.pieces else {
            return self.literal() == Some(folded);
        };
        let Some(mut rest) = folded.strip_prefix(&**first) else { return false };
        for piece in middle {
            let Some(found) = rest.find(&**piece) else { return false };
            rest = &rest[found + piece.len()..];
        }
        rest.ends_with(&**last)
    }
}

/// As it was written, but folded.
impl std::fmt::Display for Glob {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.pieces.join("*"))
    }
}

/// A key without what does not count.
pub fn fold(key: &str) -> String {
    key.chars().filter(|c| !matches!(c, '_' | '-' | ' ')).map(|c| c.to_ascii_lowercase()).collect()
}

/// The folded key and its tails that begin after a `.` or `/`.
pub fn tails(folded: &str) -> impl Iterator<Item = &str> {
    std::iter::once(folded)
        .chain(folded.match_indices(['.', '/']).map(|(at, _)| &folded[at + 1..]))
        .filter(|tail| !tail.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, key: &str) -> bool {
        Glob::new(pattern).unwrap().matches(&fold(key))
    }

    #[test]
    fn a_star_matches_any_run_and_crosses_dots() {
        for (pattern, key, expected) in [
            ("host.name", "host.name", true),
            ("host.name", "host.names", false),
            ("host.*", "host.ip.v4", true),
            ("host.*", "host", false),
            ("*.password", "db.password", true),
            ("*.password", "password", false),
            ("*password*", "db_password_hash", true),
            ("a*b*c", "abc", true),
            ("a*b*c", "acb", false),
            ("a*a", "a", false),
            ("*", "anything", true),
        ] {
            assert_eq!(matches(pattern, key), expected, "{pattern} on {key}");
        }
    }

    #[test]
    fn case_and_word_separators_do_not_count() {
        for key in ["client_ip", "ClientIp", "client-ip", "CLIENT IP", "clientip"] {
            assert!(matches("client_ip", key), "{key}");
        }
        assert!(!matches("client_ip", "client.ip"));
    }

    #[test]
    fn tails_begin_after_dots_and_slashes() {
        assert_eq!(tails("a.b/c").collect::<Vec<_>>(), ["a.b/c", "b/c", "c"]);
        assert_eq!(tails("a.").collect::<Vec<_>>(), ["a."]);
    }

    #[test]
    fn other_wildcards_are_refused_with_their_place() {
        assert_eq!(Glob::new("ho?t").unwrap_err().at, 2);
        assert_eq!(Glob::new("a**").unwrap_err().at, 1);
        assert_eq!(Glob::new("__").unwrap_err().message, "the pattern is empty");
    }
}
