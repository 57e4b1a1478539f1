//! The report for people: two columns where the terminal is wide enough, one below the other where it is not.

use std::fmt::Write;

use console::{Style, Term};

use super::columns::{Line, differences, wrap};
use super::records::{Pair, TextPair};
use super::report::{Acted, Report};
use crate::otlp::Signal;

/// Where the names of texts stand.
const LABEL: usize = 22;
/// Narrower terminals have one column.
const TWO_COLUMNS: usize = 96;
/// Wider ones have columns that are hard to read across.
const MOST: usize = 168;
/// For what is no terminal.
const DEFAULT: usize = 120;

pub(super) fn text(report: &Report) -> String {
    let term = Term::stdout();
    let width = term.size_checked().map_or(DEFAULT, |(_, columns)| usize::from(columns)).clamp(40, MOST);
    let mut page = Page { out: String::from("\n"), width, paint: Paint::new() };
    page.head(report);
    for signal in Signal::ALL {
        page.signal(signal, report);
    }
    page.joined(report);
    page.rules(report);
    page.end(report);
    page.out
}

/// Colours, where standard output has them.
struct Paint {
    plain: Style,
    dim: Style,
    title: Style,
    sent: Style,
    arrived: Style,
    good: Style,
    bad: Style,
}

impl Paint {
    fn new() -> Paint {
        Paint {
            plain: Style::new(),
            dim: Style::new().dim(),
            title: Style::new().bold(),
            sent: Style::new().red(),
            arrived: Style::new().green(),
            good: Style::new().green().bold(),
            bad: Style::new().red().bold(),
        }
    }
}

struct Page {
    out: String,
    width: usize,
    paint: Paint,
}

impl Page {
    fn line(&mut self, line: impl std::fmt::Display) {
        writeln!(self.out, "{line}").expect("a String grows");
    }

    fn head(&mut self, report: &Report) {
        let title = self.paint.title.apply_to("privet demo");
        self.line(format_args!("{title}  an agent, the sidecar and a destination, all on this machine"));
        self.line("");
        self.line(format_args!(
            "  agent ──▶ privet {} ──▶ destination {}   OTLP/gRPC",
            report.sidecar, report.destination
        ));
        self.line(
            self.paint.dim.apply_to(format!("  policy `{}`, a key that is thrown away at the end", report.policy)),
        );
    }

    fn signal(&mut self, signal: Signal, report: &Report) {
        let records: Vec<_> = report.records.iter().filter(|(pair, _)| pair.sent.signal == signal).collect();
        let own = || records.iter().filter(|(pair, _)| !pair.sent.is_resource());
        let (sent, arrived) = (own().count(), own().filter(|(pair, _)| pair.arrived).count());
        self.line("");
        let name = self.paint.title.apply_to(signal.name().to_uppercase()).to_string();
        let count = format!("{sent} sent, {arrived} arrived");
        let rule = "─".repeat(self.width.saturating_sub(signal.name().len() + count.len() + 4));
        let line = format!("{name} {} {}", self.paint.dim.apply_to(rule), self.paint.dim.apply_to(count));
        self.line(line);
        // The resource is the same in every signal: once is enough.
        let shown = records.iter().filter(|(pair, _)| signal == Signal::Logs || !pair.sent.is_resource());
        let mut same = 0;
        for (pair, rules) in shown {
            same += self.record(pair, rules);
        }
        if same > 0 {
            let text = format!("{:LABEL$}and {same} more left as they were", "");
            self.line(self.paint.dim.apply_to(text));
        }
    }

    /// Shows what changed in a record, or that nothing did; how many texts are left out.
    fn record(&mut self, pair: &Pair, rules: &[Acted]) -> usize {
        let mut same = 0;
        if !pair.arrived {
            if let Some(text) = pair.texts.first() {
                self.texts(&text.name, &text.sent, Err("dropped"));
            }
        } else if let Some(text) = pair.texts.first().filter(|_| !pair.texts.iter().any(TextPair::is_changed)) {
            self.texts(&text.name, &text.sent, Ok(&text.sent));
            same = pair.texts.len() - 1;
        } else {
            for (index, text) in pair.texts.iter().enumerate() {
                match &text.arrived {
                    // Which metric or span it is.
                    Some(arrived) if index == 0 && text.name == "name" => {
                        self.texts(&text.name, &text.sent, Ok(arrived))
                    }
                    Some(arrived) if *arrived == text.sent => same += 1,
                    Some(arrived) => self.texts(&text.name, &text.sent, Ok(arrived)),
                    None => self.texts(&text.name, &text.sent, Err("removed")),
                }
            }
        }
        if !rules.is_empty() {
            let names: Vec<_> = rules.iter().map(|acted| acted.rule.as_str()).collect();
            let indent = if self.width < TWO_COLUMNS { LABEL } else { LABEL + self.column() + 3 };
            for line in wrap(
                &[(&format!("↳ {}", names.join(", ")), false)],
                self.width - indent,
                &self.paint.dim,
                &self.paint.dim,
            ) {
                self.line(format_args!("{:indent$}{}", "", line.text));
            }
        }
        same
    }

    /// The width of each of the two columns.
    fn column(&self) -> usize {
        (self.width - LABEL - 3) / 2
    }

    /// One text as it was sent and as it arrived, or why it did not.
    fn texts(&mut self, name: &str, sent: &str, arrived: Result<&str, &str>) {
        let two = self.width >= TWO_COLUMNS;
        let width = if two { self.column() } else { self.width - LABEL - 2 };
        let (left, right) = match arrived {
            Ok(arrived) => {
                let (left, right) = differences(sent, arrived);
                let plain = if sent == arrived { &self.paint.dim } else { &self.paint.plain };
                (wrap(&left, width, plain, &self.paint.sent), wrap(&right, width, plain, &self.paint.arrived))
            }
            Err(gone) => {
                let gone = format!("({gone})");
                let left = wrap(&[(sent, true)], width, &self.paint.plain, &self.paint.sent);
                (left, wrap(&[(&gone, true)], width, &self.paint.plain, &self.paint.arrived))
            }
        };
        let rows = if two {
            let bar = self.paint.dim.apply_to("│").to_string();
            let empty = Line::default();
            let beside = |row| {
                let (left, right) = (left.get(row).unwrap_or(&empty), right.get(row).unwrap_or(&empty));
                format!("{}{} {bar} {}", left.text, " ".repeat(width - left.width), right.text)
            };
            (0..left.len().max(right.len())).map(beside).collect::<Vec<_>>()
        } else {
            let below = |sign: &'static str| move |line: &Line| format!("{sign} {}", line.text);
            left.iter().map(below("-")).chain(right.iter().map(below("+"))).collect()
        };
        let mut label = fit(name, LABEL - 1);
        for row in rows {
            let shown = self.paint.dim.apply_to(format!("{label:LABEL$}"));
            self.line(format_args!("{shown}{}", row.trim_end()));
            label.clear();
        }
    }

    /// The same thing has the same token everywhere: how often that token arrived.
    fn joined(&mut self, report: &Report) {
        let value = report.joined.iter().map(|joined| joined.value.len()).max().unwrap_or(0);
        let room = self.width.saturating_sub(value + 2 + 4 * 10 + 2).max(12);
        let token = report.joined.iter().map(|joined| joined.token.len()).max().unwrap_or(0).min(room);
        let heads: String = Signal::ALL.iter().map(|signal| format!("{:>10}", signal.name())).collect();
        self.heading("ONE THING, ONE TOKEN");
        let head = self.paint.dim.apply_to(format!("{:value$}  {:token$}{heads}", "", "arrives as"));
        self.line(head);
        for joined in &report.joined {
            let times: String = joined
                .times
                .iter()
                .map(|&times| format!("{:>10}", if times > 0 { format!("{times}×") } else { "·".into() }))
                .collect();
            let shown = self.paint.arrived.apply_to(format!("{:token$}", fit(&joined.token, token)));
            self.line(format_args!("{:value$}  {shown}{times}", joined.value));
        }
    }

    /// Which rule did what, as the sidecar counted it.
    fn rules(&mut self, report: &Report) {
        self.heading("RULES THAT ACTED");
        let action = report.rules.iter().map(|(acted, _)| acted.action.len()).max().unwrap_or(0);
        for (acted, times) in &report.rules {
            self.line(format_args!("{times:>5}×  {:action$}  {}", acted.action, acted.rule));
        }
    }

    fn end(&mut self, report: &Report) {
        self.line("");
        let verdict = if report.leaked.is_empty() {
            let text = format!("None of the {} identifiers that were sent is in what arrived.", report.identifiers);
            self.paint.good.apply_to(text)
        } else {
            self.paint.bad.apply_to(format!("Arrived as they were: {}", report.leaked.join(", ")))
        };
        self.line(verdict);
        let (sent, arrived) = (&report.sent, &report.arrived);
        self.line(format_args!(
            "{} requests, {} bytes, sent; {} requests, {} bytes, arrived; all in {} ms.",
            sent.requests,
            sent.bytes,
            arrived.requests,
            arrived.bytes,
            report.took.as_millis()
        ));
        let next = "Next: privet run --help, or privet demo --policy FILE with rules of your own.";
        self.line(self.paint.dim.apply_to(next));
    }

    fn heading(&mut self, text: &str) {
        let rule = "─".repeat(self.width.saturating_sub(text.len() + 1));
        let line = format!("{} {}", self.paint.title.apply_to(text), self.paint.dim.apply_to(rule));
        self.line("");
        self.line(line);
    }
}

/// At most so many characters of a text.
fn fit(text: &str, width: usize) -> String {
    if text.chars().count() <= width { text.into() } else { text.chars().take(width - 1).chain(['…']).collect() }
}
