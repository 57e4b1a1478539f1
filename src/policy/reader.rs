//! Reads typed values out of a YAML tree, noting every mistake and going on.

use std::ops::Range;

use super::diagnostic::{Code, Diagnostic, did_you_mean};
use super::yaml::{Node, Yaml};

/// A value and where it was written.
#[derive(Clone, Debug, PartialEq)]
pub struct At<T> {
    pub value: T,
    pub file: usize,
    pub at: Range<usize>,
}

impl<T> At<T> {
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> At<U> {
        At { value: f(self.value), file: self.file, at: self.at }
    }
}

/// One source being read, and what was found wrong with it.
pub struct Reader<'a> {
    pub file: usize,
    pub text: &'a str,
    pub found: &'a mut Vec<Diagnostic>,
}

impl Reader<'_> {
    pub fn error(&mut self, code: Code, at: &Range<usize>, message: impl Into<String>) -> &mut Diagnostic {
        self.found.push(Diagnostic::error(code, self.file, at.clone(), message));
        self.found.last_mut().expect("just pushed")
    }

    fn wrong_type(&mut self, node: &Node, wanted: &str) {
        let message = format!("this must be {wanted}, not {}", node.value.type_name());
        self.error(Code::WrongType, &node.at, message).label = format!("expected {wanted}");
    }

    pub fn at<T>(&self, node: &Node, value: T) -> At<T> {
        At { value, file: self.file, at: node.at.clone() }
    }

    pub fn text(&mut self, node: &Node) -> Option<At<String>> {
        match &node.value {
            Yaml::Text(text) => Some(self.at(node, text.clone())),
            _ => {
                self.wrong_type(node, "a text");
                None
            }
        }
    }

    pub fn boolean(&mut self, node: &Node) -> Option<bool> {
        match &node.value {
            Yaml::Bool(value) => Some(*value),
            _ => {
                self.wrong_type(node, "`true` or `false`");
                None
            }
        }
    }

    /// A whole number within bounds.
    pub fn number(&mut self, node: &Node, bounds: std::ops::RangeInclusive<i64>) -> Option<i64> {
        match &node.value {
            Yaml::Int(value) if bounds.contains(value) => Some(*value),
            Yaml::Int(_) => {
                let (low, high) = bounds.into_inner();
                self.error(Code::OutOfRange, &node.at, format!("this must be from {low} to {high}"));
                None
            }
            _ => {
                self.wrong_type(node, "a whole number");
                None
            }
        }
    }

    pub fn float(&mut self, node: &Node) -> Option<f64> {
        match &node.value {
            Yaml::Float(value) => Some(*value),
            Yaml::Int(value) => Some(*value as f64),
            _ => {
                self.wrong_type(node, "a number");
                None
            }
        }
    }

    /// A list; a single value counts as a list of one.
    pub fn list<'n>(&mut self, node: &'n Node) -> Option<&'n [Node]> {
        match &node.value {
            Yaml::List(items) => Some(items),
            Yaml::Map(_) | Yaml::Null => {
                self.wrong_type(node, "a list");
                None
            }
            _ => Some(std::slice::from_ref(node)),
        }
    }

    /// A list with something in it; `meant` says what to do if it is empty.
    pub fn filled_list<'n>(&mut self, node: &'n Node, meant: &str) -> Option<&'n [Node]> {
        let items = self.list(node)?;
        if items.is_empty() {
            self.error(Code::Empty, &node.at, "this list is empty").help = Some(meant.into());
            return None;
        }
        Some(items)
    }

    pub fn texts(&mut self, node: &Node) -> Vec<At<String>> {
        self.list(node).unwrap_or_default().iter().filter_map(|item| self.text(item)).collect()
    }

    /// One of a fixed set of words.
    pub fn word<T: Copy>(&mut self, node: &Node, code: Code, what: &str, words: &[(&str, T)]) -> Option<T> {
        let text = self.text(node)?;
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text.value) {
            return Some(*value);
        }
        let known = || words.iter().map(|(word, _)| *word);
        let help = did_you_mean(&text.value, known())
            .unwrap_or_else(|| format!("one of: {}", known().collect::<Vec<_>>().join(", ")));
        let diagnostic = self.error(code, &node.at, format!("there is no {what} `{}`", text.value));
        diagnostic.label = format!("unknown {what}");
        diagnostic.help = Some(help);
        None
    }

    /// A mapping whose keys are known beforehand; [`Fields::finish`] reports the ones nobody took.
    pub fn fields<'n>(
        &mut self,
        node: &'n Node,
        what: &'static str,
        known: &'static [&'static str],
    ) -> Option<Fields<'n>> {
        match &node.value {
            Yaml::Map(entries) => {
                for (key, _) in entries {
                    let word = key.value.word();
                    if !known.contains(&word.as_str()) {
                        let help = did_you_mean(&word, known.iter().copied())
                            .unwrap_or_else(|| format!("{what} has: {}", known.join(", ")));
                        let diagnostic = self.error(Code::UnknownKey, &key.at, format!("{what} has no `{word}`"));
                        diagnostic.label = "unknown key".into();
                        diagnostic.help = Some(help);
                    }
                }
                Some(Fields { node, entries, what, known })
            }
            _ => {
                self.wrong_type(node, &format!("a mapping ({what})"));
                None
            }
        }
    }

    /// Where in the source byte `offset` of a scalar's value stands, if it is written without escapes.
    pub fn inside(&self, node_at: &Range<usize>, value: &str, offset: usize) -> Range<usize> {
        let written = self.text.get(node_at.clone()).unwrap_or("");
        match written.find(value) {
            Some(start) => {
                let from = node_at.start + start + offset;
                let next = self.text[from..].chars().next().map_or(0, char::len_utf8);
                from..from + next
            }
            None => node_at.clone(),
        }
    }
}

/// The entries of a mapping.
pub struct Fields<'n> {
    node: &'n Node,
    entries: &'n [(Node, Node)],
    what: &'static str,
    known: &'static [&'static str],
}

impl<'n> Fields<'n> {
    pub fn get(&self, key: &str) -> Option<&'n Node> {
        debug_assert!(self.known.contains(&key), "{key} is not among the known keys");
        self.entry(key).map(|(_, value)| value)
    }

    /// The key itself, for its place.
    pub fn key(&self, key: &str) -> Option<&'n Node> {
        self.entry(key).map(|(key, _)| key)
    }

    pub fn required(&self, key: &'static str, reader: &mut Reader<'_>) -> Option<&'n Node> {
        let found = self.get(key);
        if found.is_none() {
            // A mapping's place begins at its first key, which shows the reader where it is.
            let at = self.entries.first().map_or(self.node.at.clone(), |(first, _)| first.at.clone());
            let diagnostic = reader.error(Code::MissingField, &at, format!("{} needs `{key}`", self.what));
            diagnostic.label = format!("`{key}` is missing here");
        }
        found
    }

    fn entry(&self, key: &str) -> Option<&'n (Node, Node)> {
        self.entries.iter().find(|(name, _)| matches!(&name.value, Yaml::Text(text) if text == key))
    }
}
