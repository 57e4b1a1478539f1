//! The report as build servers read it.

use std::fmt::Write;

use super::super::markup;
use super::Suite;

pub(super) fn xml(suites: &[Suite]) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    for suite in suites {
        let file = escaped(&suite.file.display().to_string());
        match &suite.outcome {
            Err(wrong) => {
                write!(out, "  <testsuite name=\"{file}\" tests=\"1\" failures=\"0\" errors=\"1\">\n    <testcase name=\"the policy is right\" classname=\"{file}\">\n      <error>{}</error>\n    </testcase>\n  </testsuite>\n", escaped(&wrong.render(false)))
            }
            Ok((report, mutants)) => {
                let unnoticed = mutants.iter().filter(|mutant| !mutant.is_noticed()).count();
                let (tests, failures) = (report.cases.len() + mutants.len(), report.failed().count() + unnoticed);
                let mut body = String::new();
                for case in &report.cases {
                    let failure = (!case.failures.is_empty()).then(|| case.failures.join("\n"));
                    testcase(&mut body, &file, &case.name, case.line, failure.as_deref());
                }
                for mutant in mutants {
                    let name = format!("something fails without rule {}", mutant.name);
                    testcase(&mut body, &file, &name, mutant.line, (!mutant.is_noticed()).then_some("nothing fails"));
                }
                write!(out, "  <testsuite name=\"{file}\" tests=\"{tests}\" failures=\"{failures}\" errors=\"0\">\n{body}  </testsuite>\n")
            }
        }
        .expect("a String grows");
    }
    out += "</testsuites>\n";
    out
}

fn testcase(out: &mut String, file: &str, name: &str, line: usize, failure: Option<&str>) {
    let name = escaped(name);
    match failure {
        None => writeln!(out, "    <testcase name=\"{name}\" classname=\"{file}\" line=\"{line}\"/>"),
        Some(why) => writeln!(
            out,
            "    <testcase name=\"{name}\" classname=\"{file}\" line=\"{line}\">\n      <failure>{}</failure>\n    </testcase>",
            escaped(why)
        ),
    }
    .expect("a String grows");
}

fn escaped(text: &str) -> String {
    // XML has no way to write them.
    let unwritable = |c: char| c.is_control() && c != '\n' && c != '\t';
    markup::escaped(&text.replace(unwritable, "\u{fffd}"))
}
