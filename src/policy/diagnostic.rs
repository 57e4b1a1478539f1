//! What is wrong with a policy, told so that it can be mended: place, snippet, what was meant, a stable code.

use std::fmt;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use serde_json::json;

/// A stable name for each kind of mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Code {
    NotYaml,
    UnknownKey,
    WrongType,
    MissingField,
    UnknownSignal,
    UnknownPart,
    UnknownAction,
    UnknownDetector,
    UnknownKind,
    UnknownForm,
    UnknownValidator,
    BadGlob,
    BadRegex,
    DuplicateRule,
    NotOneTarget,
    OptionDoesNotFit,
    SubnetNotAcknowledged,
    OutOfRange,
    ExpiredException,
    UnknownRule,
    BadDate,
    BadCondition,
    ConditionOutOfReach,
    BadKeep,
    UnknownPack,
    CannotRead,
    UnknownVersion,
    ExampleFails,
    TooMany,
    Empty,
    BadName,
    DictionaryWrong,
    BadTest,
    NeverActs,
    CostlyPattern,
    ExpiringException,
    NoExamples,
}

impl Code {
    pub const ALL: [Code; 37] = [
        Code::NotYaml,
        Code::UnknownKey,
        Code::WrongType,
        Code::MissingField,
        Code::UnknownSignal,
        Code::UnknownPart,
        Code::UnknownAction,
        Code::UnknownDetector,
        Code::UnknownKind,
        Code::UnknownForm,
        Code::UnknownValidator,
        Code::BadGlob,
        Code::BadRegex,
        Code::DuplicateRule,
        Code::NotOneTarget,
        Code::OptionDoesNotFit,
        Code::SubnetNotAcknowledged,
        Code::OutOfRange,
        Code::ExpiredException,
        Code::UnknownRule,
        Code::BadDate,
        Code::BadCondition,
        Code::ConditionOutOfReach,
        Code::BadKeep,
        Code::UnknownPack,
        Code::CannotRead,
        Code::UnknownVersion,
        Code::ExampleFails,
        Code::TooMany,
        Code::Empty,
        Code::BadName,
        Code::DictionaryWrong,
        Code::BadTest,
        Code::NeverActs,
        Code::CostlyPattern,
        Code::ExpiringException,
        Code::NoExamples,
    ];

    /// `P0001` and so on; a code never changes its meaning.
    pub fn id(self) -> String {
        format!("P{:04}", self as u16 + 1)
    }

    /// The code of that id, in any letter case.
    pub fn from_id(id: &str) -> Option<Code> {
        Code::ALL.into_iter().find(|code| code.id().eq_ignore_ascii_case(id))
    }

    /// What it is in a few words, and what to do about it, as Markdown: its section of `docs/errors.md`.
    pub fn explanation(self) -> (&'static str, &'static str) {
        let heading = format!("\n## {} ", self.id());
        let section = ERRORS.split_once(&*heading).map_or("", |(_, rest)| rest);
        let section = section.split("\n## ").next().unwrap_or("");
        let (title, text) = section.split_once('\n').unwrap_or((section, ""));
        (title.trim(), text.trim())
    }
}

/// Every code explained, by id.
const ERRORS: &str = include_str!("../../docs/errors.md");

/// How bad it is: an error makes the policy unusable, a warning does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    Error,
    Warning,
}

/// One thing that is wrong, at one place.
#[derive(Clone, Debug)]
pub struct Diagnostic {
    pub code: Code,
    pub severity: Severity,
    pub message: String,
    /// Index of the source.
    pub file: usize,
    /// Bytes of the source.
    pub at: Range<usize>,
    /// What stands under the caret.
    pub label: String,
    /// What was meant, or what to do.
    pub help: Option<String>,
}

impl Diagnostic {
    pub fn error(code: Code, file: usize, at: Range<usize>, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            code,
            severity: Severity::Error,
            message: message.into(),
            file,
            at,
            label: String::new(),
            help: None,
        }
    }

    pub fn warning(code: Code, file: usize, at: Range<usize>, message: impl Into<String>) -> Diagnostic {
        Diagnostic { severity: Severity::Warning, ..Diagnostic::error(code, file, at, message) }
    }

    pub fn label(mut self, label: impl Into<String>) -> Diagnostic {
        self.label = label.into();
        self
    }

    pub fn help(mut self, help: impl Into<String>) -> Diagnostic {
        self.help = Some(help.into());
        self
    }
}

/// A policy file as it was read.
#[derive(Clone, Debug)]
pub struct Source {
    pub name: String,
    pub text: String,
}

/// Everything that is wrong, with the sources it is wrong in.
#[derive(Clone, Debug, Default)]
pub struct Diagnostics {
    pub sources: Vec<Source>,
    pub items: Vec<Diagnostic>,
}

impl Diagnostics {
    pub fn has_errors(&self) -> bool {
        self.items.iter().any(|item| item.severity == Severity::Error)
    }

    /// Whether a file could not be read, which callers may answer with another exit code.
    pub fn is_missing_input(&self) -> bool {
        self.items.iter().any(|item| item.code == Code::CannotRead)
    }

    /// For people. `colour`: with ANSI escapes.
    pub fn render(&self, colour: bool) -> String {
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        let mut out = String::new();
        for item in &self.items {
            let level = match item.severity {
                Severity::Error => Level::ERROR,
                Severity::Warning => Level::WARNING,
            };
            let title = level.primary_title(item.message.as_str()).id(item.code.id());
            let mut report = Vec::new();
            match self.sources.get(item.file) {
                Some(source) if !source.text.is_empty() => {
                    let at = within(&source.text, &item.at);
                    let annotation = AnnotationKind::Primary.span(at).label(item.label.as_str());
                    report.push(
                        title.element(
                            Snippet::source(source.text.as_str())
                                .path(source.name.as_str())
                                .line_start(1)
                                .annotation(annotation),
                        ),
                    );
                }
                _ => report.push(annotate_snippets::Group::with_title(title)),
            }
            if let Some(help) = &item.help {
                report.push(annotate_snippets::Group::with_title(Level::HELP.secondary_title(help.as_str())));
            }
            out.push_str(&renderer.render(&report));
            out.push_str("\n\n");
        }
        out
    }

    /// For machines: a list of `{code, severity, message, file, line, column, end_line, end_column, label, help}`, lines
    /// and columns from 1, columns in characters.
    pub fn to_json(&self) -> serde_json::Value {
        self.items
            .iter()
            .map(|item| {
                let source = self.sources.get(item.file);
                let text = source.map_or("", |source| source.text.as_str());
                let at = within(text, &item.at);
                let (line, column) = line_and_column(text, at.start);
                let (end_line, end_column) = line_and_column(text, at.end);
                json!({
                    "code": item.code.id(),
                    "severity": match item.severity { Severity::Error => "error", Severity::Warning => "warning" },
                    "message": item.message,
                    "file": source.map(|source| source.name.as_str()),
                    "line": line,
                    "column": column,
                    "end_line": end_line,
                    "end_column": end_column,
                    "label": item.label,
                    "help": item.help,
                })
            })
            .collect()
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Diagnostics {}

/// Line and column, both from 1, of a byte.
pub fn line_and_column(text: &str, byte: usize) -> (usize, usize) {
    let before = &text[..floor_char(text, byte)];
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[start..].chars().count() + 1)
}

/// "did you mean `x`?", where one of the known words is near.
pub fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    known
        .into_iter()
        .map(|candidate| (strsim::normalized_damerau_levenshtein(&word.to_lowercase(), candidate), candidate))
        .filter(|(nearness, _)| *nearness >= 0.55)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| format!("did you mean `{candidate}`?"))
}

/// A range that can be shown: inside the text, on character boundaries, within one line.
fn within(text: &str, at: &Range<usize>) -> Range<usize> {
    let start = floor_char(text, at.start);
    let end = floor_char(text, at.end.max(start));
    let line_end = text[start..].find('\n').map_or(text.len(), |newline| start + newline);
    start..end.min(line_end)
}

fn floor_char(text: &str, byte: usize) -> usize {
    text.floor_char_boundary(byte.min(text.len()))
}
