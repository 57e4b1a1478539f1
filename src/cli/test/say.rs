//! The report for people.

use std::fmt::Write;

use console::Style;

use super::Suite;
use crate::review::change::Change;
use crate::review::testing::{Case, Mutant, Report};

pub(super) fn text(suites: &[Suite]) -> String {
    let mut page = Page { out: String::new(), paint: Paint::new() };
    for suite in suites {
        page.suite(suite);
    }
    page.end(suites);
    page.out
}

struct Paint {
    good: Style,
    bad: Style,
    dim: Style,
    sent: Style,
    left: Style,
}

impl Paint {
    fn new() -> Paint {
        Paint {
            good: Style::new().green(),
            bad: Style::new().red().bold(),
            dim: Style::new().dim(),
            sent: Style::new().red(),
            left: Style::new().green(),
        }
    }
}

struct Page {
    out: String,
    paint: Paint,
}

impl Page {
    fn line(&mut self, line: impl std::fmt::Display) {
        writeln!(self.out, "{line}").expect("a String grows");
    }

    fn suite(&mut self, suite: &Suite) {
        let file = suite.file.display();
        match &suite.outcome {
            Err(wrong) => {
                self.line(format_args!("{} {file}", self.paint.bad.apply_to("WRONG")));
                self.out += &wrong.render(console::colors_enabled());
            }
            Ok((report, mutants)) => {
                let verdict = match suite.passes() {
                    true => self.paint.good.apply_to("ok   "),
                    false => self.paint.bad.apply_to("FAILS"),
                };
                self.line(format_args!("{verdict} {file}  {}", counts(report)));
                for case in report.failed() {
                    self.case(&report.file, case);
                }
                for rule in report.untested() {
                    let text = format!("      {}:{}: nothing tests rule `{}`", report.file, rule.line, rule.name);
                    self.line(self.paint.dim.apply_to(text));
                }
                self.mutants(&report.file, mutants);
            }
        }
    }

    fn case(&mut self, file: &str, case: &Case) {
        self.line(format_args!("\n  {} {}  ({file}:{})", self.paint.bad.apply_to("✗"), case.name, case.line));
        if let Some(promise) = &case.promise {
            self.line(format_args!("    promised: {promise}"));
        }
        for failure in &case.failures {
            self.line(format_args!("    {failure}"));
        }
        if !case.record.is_empty() {
            self.line("    the whole record:");
        }
        for change in &case.record {
            self.change(change);
        }
        self.line("");
    }

    fn change(&mut self, change: &Change) {
        let before = change.before.as_ref().map(|leaf| leaf.value.as_str());
        let after = change.after.as_ref().map(|leaf| leaf.value.as_str());
        match (before, after) {
            (Some(_), Some(after)) if change.is_same() => {
                let text = format!("        {}: {after}", change.path);
                self.line(self.paint.dim.apply_to(text));
            }
            (before, after) => {
                if let Some(before) = before {
                    let text = format!("      - {}: {before}", change.path);
                    self.line(self.paint.sent.apply_to(text));
                }
                if let Some(after) = after {
                    let path = change.after.as_ref().map_or("", |leaf| leaf.path.as_str());
                    let text = format!("      + {path}: {after}");
                    self.line(self.paint.left.apply_to(text));
                }
            }
        }
    }

    fn mutants(&mut self, file: &str, mutants: &[Mutant]) {
        for mutant in mutants.iter().filter(|mutant| !mutant.is_noticed()) {
            let mark = self.paint.bad.apply_to("unnoticed");
            self.line(format_args!(
                "      {mark} {file}:{}: nothing fails without rule `{}`",
                mutant.line, mutant.name
            ));
        }
        if !mutants.is_empty() {
            let by_test = mutants.iter().filter(|mutant| mutant.test.is_some()).count();
            let by_example = mutants.iter().filter(|mutant| mutant.test.is_none() && mutant.example).count();
            self.line(format_args!(
                "      {} rules taken away in turn: {by_test} noticed by a test, {by_example} by an example only",
                mutants.len()
            ));
        }
    }

    fn end(&mut self, suites: &[Suite]) {
        let failed = suites.iter().filter(|suite| !suite.passes()).count();
        let verdict = match failed {
            0 => self.paint.good.apply_to("All is as the files say.".to_owned()),
            _ => self.paint.bad.apply_to(format!("{failed} of {} files fail.", suites.len())),
        };
        self.line(verdict);
    }
}

/// `14 rules (12 tested), 14 of 14 examples, 3 of 3 tests`.
fn counts(report: &Report) -> String {
    let examples: usize = report.rules.iter().map(|rule| rule.hits + rule.misses).sum();
    let tests = report.cases.iter().filter(|case| !case.name.ends_with(": examples")).count();
    let failed = report.failed().count();
    let untested = report.untested().count();
    let mut text = format!("{} rules, {examples} examples, {tests} tests", report.rules.len());
    if untested > 0 {
        write!(text, "; {untested} rules untested").expect("a String grows");
    }
    if failed > 0 {
        write!(text, "; {failed} failed").expect("a String grows");
    }
    text
}
