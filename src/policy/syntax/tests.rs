//! Tests beside the rules: a record, and what may and must be left of it.
//!
//! ```yaml
//! tests:
//!   - name: sign-ins can be counted, and nobody is named
//!     given:
//!       resource: {host.name: db-1}
//!       log: {body: alice signed in from 10.0.0.1, attributes: {user.name: alice, event.outcome: success}}
//!     hides: [alice, 10.0.0.1, db-1]
//!     keeps: [signed in, success]
//!     expect: {attributes.user.name: "user_*", attributes.event.outcome: success}
//! ```

use crate::policy::diagnostic::Code;
use crate::policy::reader::{At, Reader};
use crate::policy::yaml::{Node, Yaml};

use super::given::{Given, read_given};

/// One test of a policy file.
#[derive(Clone, Debug)]
pub struct Test {
    pub name: At<String>,
    /// What the policy promises by it, for the reader and for reports.
    pub promise: Option<String>,
    pub given: At<Given>,
    /// Must not be found in anything that leaves, in any letter case.
    pub hides: Vec<At<String>>,
    /// Must still be found.
    pub keeps: Vec<At<String>>,
    pub expect: Vec<Expected>,
    /// Whether every record is dropped; `None` where nothing is said of it.
    pub dropped: Option<bool>,
}

/// What a field must have become.
#[derive(Clone, Debug)]
pub struct Expected {
    /// `attributes.user.name`, `body`, `resource.attributes.host.name`, …
    pub path: At<String>,
    /// `*` stands for any run of characters; `None`: the field must be gone.
    pub value: Option<String>,
}

/// What a test can say.
pub const TEST_KEYS: &[&str] = &["name", "promise", "given", "hides", "keeps", "expect", "dropped"];

pub fn read_tests(reader: &mut Reader<'_>, node: &Node) -> Vec<Test> {
    let items = reader.filled_list(node, "add a test, or leave out `tests:`").unwrap_or_default();
    let tests: Vec<Test> = items.iter().filter_map(|item| read_test(reader, item)).collect();
    for (index, test) in tests.iter().enumerate() {
        if tests[..index].iter().any(|other| other.name.value == test.name.value) {
            let message = format!("there are two tests `{}`", test.name.value);
            reader.error(Code::BadTest, &test.name.at, message).help = Some("give each a name of its own".into());
        }
    }
    tests
}

fn read_test(reader: &mut Reader<'_>, node: &Node) -> Option<Test> {
    let fields = reader.fields(node, "a test", TEST_KEYS)?;
    let name = fields.required("name", reader).and_then(|node| reader.text(node));
    let promise = fields.get("promise").and_then(|node| reader.text(node)).map(|text| text.value);
    let given =
        fields.required("given", reader).and_then(|node| read_given(reader, node).map(|given| reader.at(node, given)));
    let mut words = |key| fields.get(key).map_or(Vec::new(), |node| read_words(reader, node));
    let (hides, keeps) = (words("hides"), words("keeps"));
    let expect = fields.get("expect").map_or(Vec::new(), |node| read_expected(reader, node));
    let dropped = fields.get("dropped").and_then(|node| reader.boolean(node));
    if ["hides", "keeps", "expect", "dropped"].iter().all(|key| fields.get(key).is_none()) {
        let diagnostic = reader.error(Code::BadTest, &node.at, "this test expects nothing");
        diagnostic.help = Some("say what it `hides`, `keeps`, `expect`s, or that it is `dropped`".into());
    }
    Some(Test { name: name?, promise, given: given?, hides, keeps, expect, dropped })
}

/// Texts that are looked for: numbers too, as they are written.
fn read_words(reader: &mut Reader<'_>, node: &Node) -> Vec<At<String>> {
    let items = reader.filled_list(node, "leave it out").unwrap_or_default();
    let mut words = Vec::new();
    for item in items {
        match item.value.word() {
            word if !word.is_empty() => words.push(reader.at(item, word)),
            _ => drop(reader.error(Code::WrongType, &item.at, "this must be a text that is looked for")),
        }
    }
    words
}

fn read_expected(reader: &mut Reader<'_>, node: &Node) -> Vec<Expected> {
    let Yaml::Map(entries) = &node.value else {
        let diagnostic = reader.error(Code::WrongType, &node.at, "`expect` names fields and what they must be");
        diagnostic.help =
            Some("for example `expect: {attributes.user.name: \"user_*\", attributes.secret: null}`".into());
        return Vec::new();
    };
    let mut expected = Vec::new();
    for (key, value) in entries {
        let Some(path) = reader.text(key) else { continue };
        let value = match &value.value {
            Yaml::Null => None,
            Yaml::List(_) | Yaml::Map(_) => {
                let diagnostic =
                    reader.error(Code::WrongType, &value.at, "a field is compared with one text or number");
                diagnostic.help = Some(format!("name what stands inside: `{}.key`, `{}[0]`", path.value, path.value));
                continue;
            }
            scalar => Some(scalar.word()),
        };
        expected.push(Expected { path, value });
    }
    expected
}
