//! User rules to measure with: secrets' shapes as rule sets have them, an inner word of some provider, then a token.
#![allow(dead_code)] // each bench that includes this module uses a part of it

/// How many different rules there are.
pub const RULES: usize = 220;

/// A word of six letters or so that stands for a provider.
pub fn provider(rule: usize) -> String {
    let syllables = ["ka", "zo", "fi", "tru", "mel", "qua", "vex", "ny"];
    [rule % 8, rule / 8 % 8, rule / 64 + 3].map(|i| syllables[i % 8]).concat()
}

/// The expression of a rule, and the group that is the secret.
pub fn expression(rule: usize) -> (String, usize) {
    let word = provider(rule);
    match rule % 3 {
        0 => (format!(r"\b{word}_[0-9a-zA-Z]{{20}}\b"), 0),
        1 => (format!(r#"(?i)[\w.-]{{0,50}}?{word}[ \t\w.-]{{0,20}}[=:]["' ]{{0,3}}([a-z0-9]{{32}})\b"#), 1),
        _ => (format!(r"(?:{word}|x{word})-(?:live|test)-[0-9a-f]{{24}}"), 0),
    }
}

/// What is secret of a [`secret`], by `rule % 3`.
pub const TOKENS: [&str; 3] = ["a1B2c3D4e5F6g7H8i9J0", "0a1b2c3d4e5f6a7b8c9d0e1f2a3b4c5d", "0123456789abcdef01234567"];

/// A text that the rule finds.
pub fn secret(rule: usize) -> String {
    let (word, token) = (provider(rule), TOKENS[rule % 3]);
    match rule % 3 {
        0 => format!("{word}_{token}"),
        1 => format!("{word}_key = '{token}'"),
        _ => format!("{word}-live-{token}"),
    }
}
