//! `assigned_to:` of a pattern: its expression must be the value of an assignment to a name that tells.
//!
//! Many keys have no shape of their own (32 letters and digits may be anything); what tells them is the name before them, in
//! whatever language it is written: `ADAFRUIT_KEY=…`, `"adafruitKey": "…"`, `<adafruitKey>…</adafruitKey>`,
//! `set("ADAFRUIT_KEY", "…")`, `adafruit_key := "…"`.

/// Between the word and the sign: the rest of the name, a type (`var adafruitKey string =`), closing quotes.
const REST_OF_NAME: &str = r#"[\w.\t -]{0,24}[\s'"`\\\])]{0,4}"#;
const SIGN: &str = r"(?:[:?|.]{0,3}=>?|:|>|,)";
/// Spaces, opening quotes, escaped ones too.
const OPENING: &str = r#"[\s'"`=\\(\[]{0,9}"#;
/// The value is all of it, not the beginning of something longer.
const END: &str = r"(?:[^\w-]|$)";

/// The expression that finds an assignment; its group 1 is the value, groups of `value` count on from there. In `words`, a
/// space stands for any one separator or none.
pub fn assignment(words: &[String], value: &str) -> String {
    // Written out, because a word with an optional sign in it is no literal that texts could be passed over by.
    let separators = |word: &str| if word.contains(' ') { &["", "_", "-", ".", " "][..] } else { &[""][..] };
    let words: Vec<String> = words
        .iter()
        .flat_map(|word| separators(word).iter().map(|sign| regex_syntax::escape(&word.replace(' ', sign))))
        .collect();
    format!("(?i:{}){REST_OF_NAME}{SIGN}{OPENING}({value}){END}", words.join("|"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Option<String> {
        let words = ["acme cloud".to_owned(), "c++".to_owned()];
        let found = regex::Regex::new(&assignment(&words, "[a-z0-9]{8}(?:-[0-9])?")).expect("an expression");
        Some(found.captures(text)?[1].to_owned())
    }

    #[test]
    fn the_value_is_found_in_any_language() {
        for text in [
            "ACME_CLOUD_KEY=abcd1234",
            "acmecloud.key = 'abcd1234'",
            "{\"acme-cloud-key\": \"abcd1234\"}",
            "{\\\"acmeCloudKey\\\": \\\"abcd1234\\\"}",
            "<acmeCloudKey>\n      abcd1234\n</acmeCloudKey>",
            "set(\"ACME_CLOUD\", \"abcd1234\")",
            "env['ACME_CLOUD'] = 'abcd1234'",
            "var acmeCloudKey string = `abcd1234`",
            "\"acme cloud\" => \"abcd1234\"",
            "ACME_CLOUD ?= abcd1234",
            "c++ key: abcd1234",
            "url?acme_cloud=abcd1234&x=y",
        ] {
            assert_eq!(value(text).as_deref(), Some("abcd1234"), "{text}");
        }
        assert_eq!(value("acme cloud: abcd1234-5,").as_deref(), Some("abcd1234-5"));
    }

    #[test]
    fn what_is_longer_or_assigned_to_something_else_is_none() {
        for text in ["acme_cloud = abcd12345", "acme cloud abcd1234", "acme = abcd1234", "acme_cloud = abcd1234-57"] {
            assert_eq!(value(text), None, "{text}");
        }
    }
}
