//! The keyring's text: the part of TOML that it needs, read strictly.
//!
//! ```toml
//! version = 1
//!
//! [[epoch]]
//! id = 7                                   # 1 to 4294967295, once each; stands in the tokens
//! state = "active"                         # pending, active (one at most), overlap, retired, destroyed
//! not_before = "2026-11-01T00:00:00Z"      # RFC 3339; needed for pending
//! not_after = "2027-01-01T00:00:00Z"       # optional: no token is made from then on
//! secret = "…"                             # 32 random bytes in base64; none once destroyed
//! ```
//!
//! Read by hand because general parsers copy the values around and quote them in their errors.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::Timestamp;
use zeroize::Zeroizing;

use super::error::Problem;
use super::{Epoch, Keyring, Secret, State};

const FIELDS: [&str; 5] = ["id", "state", "not_before", "not_after", "secret"];

pub fn render(keyring: &Keyring) -> Zeroizing<String> {
    // All room at once: growing would leave copies of the secrets behind.
    let mut text = Zeroizing::new(String::with_capacity(1024 + 512 * keyring.epochs.len()));
    text.push_str(
        "# A keyring of Privet's. Whoever has it can confirm guesses of what a token stands for, and decrypt reversible ones:\n\
         # keep it secret, keep a copy in a safe place. Deleting the secret of an epoch makes its tokens anonymous for good.\n\
         version = 1\n",
    );
    for epoch in &keyring.epochs {
        text.push_str("\n[[epoch]]\nid = ");
        text.push_str(&epoch.id.to_string());
        push_string(&mut text, "state", epoch.state.name());
        if let Some(time) = epoch.not_before {
            push_string(&mut text, "not_before", &time.to_string());
        }
        if let Some(time) = epoch.not_after {
            push_string(&mut text, "not_after", &time.to_string());
        }
        if let Some(secret) = &epoch.secret {
            let mut encoded = Zeroizing::new([0; 44]);
            let length = BASE64.encode_slice(*secret.0, encoded.as_mut()).expect("32 bytes are 44 in base64");
            push_string(&mut text, "secret", str::from_utf8(&encoded[..length]).expect("base64 is ASCII"));
        }
        text.push('\n');
    }
    text
}

fn push_string(text: &mut String, key: &str, value: &str) {
    for piece in ["\n", key, " = \"", value, "\""] {
        text.push_str(piece);
    }
}

pub fn parse(text: &str) -> Result<Keyring, Problem> {
    let mut version = None;
    let mut drafts: Vec<Draft> = Vec::new();
    let mut last_line = 1;
    for (index, line) in text.lines().enumerate() {
        let line = Line { number: index + 1, text: line };
        last_line = line.number;
        match line.content()? {
            Content::Nothing => {}
            Content::Epoch => drafts.push(Draft::new(line.number)),
            Content::Field(field) => match drafts.last_mut() {
                Some(draft) => draft.take(&line, &field)?,
                None if field.key != "version" => {
                    return Err(
                        line.problem(field.key_at, "the file begins with `version = 1`, then come its `[[epoch]]`s")
                    );
                }
                None if version.is_some() => return Err(line.problem(field.key_at, "`version` is given twice")),
                None if line.integer(&field)? != 1 => {
                    return Err(line.problem(field.value_at, "this Privet reads version 1 only"));
                }
                None => version = Some(1),
            },
        }
    }
    let at_end = |what: &str| Problem { line: last_line, column: 1, what: what.to_owned() };
    if version.is_none() {
        return Err(Problem { line: 1, column: 1, what: "`version = 1` is missing".to_owned() });
    }
    if drafts.is_empty() {
        return Err(at_end("a keyring has at least one `[[epoch]]`; `privet keys new` makes one"));
    }
    check_together(&drafts)?;
    Ok(Keyring { epochs: drafts.into_iter().map(Draft::finish).collect::<Result<_, _>>()? })
}

/// What no epoch can be wrong in alone.
fn check_together(drafts: &[Draft]) -> Result<(), Problem> {
    for (i, draft) in drafts.iter().enumerate() {
        let earlier = &drafts[..i];
        if draft.id.is_some() && earlier.iter().any(|other| other.id == draft.id) {
            return Err(draft.problem("another epoch has the same `id`"));
        }
        if draft.state == Some(State::Active) && earlier.iter().any(|other| other.state == Some(State::Active)) {
            return Err(draft.problem("another epoch is `active` already; one at most can be"));
        }
        let same_secret = |other: &Draft| match (&other.secret, &draft.secret) {
            (Some(a), Some(b)) => a.0 == b.0,
            _ => false,
        };
        if earlier.iter().any(same_secret) {
            return Err(draft.problem("another epoch has the same `secret`; each needs its own"));
        }
    }
    Ok(())
}

/// An epoch as far as it has been read.
struct Draft {
    line: usize,
    id: Option<u32>,
    state: Option<State>,
    not_before: Option<Timestamp>,
    not_after: Option<Timestamp>,
    secret: Option<Secret>,
    seen: Vec<&'static str>,
}

impl Draft {
    fn new(line: usize) -> Draft {
        Draft { line, id: None, state: None, not_before: None, not_after: None, secret: None, seen: Vec::new() }
    }

    fn take(&mut self, line: &Line<'_>, field: &Field<'_>) -> Result<(), Problem> {
        let Some(&known) = FIELDS.iter().find(|&&known| known == field.key) else {
            return Err(line.problem(field.key_at, &format!("no field of an epoch{}", meant(field.key, &FIELDS))));
        };
        if self.seen.contains(&known) {
            return Err(line.problem(field.key_at, &format!("`{known}` is given twice in this epoch")));
        }
        self.seen.push(known);
        match known {
            "id" => {
                let id = line.integer(field)?;
                let id = u32::try_from(id).ok().filter(|&id| id > 0);
                self.id = Some(id.ok_or_else(|| line.problem(field.value_at, "an epoch's id is 1 to 4294967295"))?);
            }
            "state" => self.state = Some(line.state(field)?),
            "not_before" => self.not_before = Some(line.time(field)?),
            "not_after" => self.not_after = Some(line.time(field)?),
            _ => self.secret = Some(line.secret(field)?),
        }
        Ok(())
    }

    fn finish(self) -> Result<Epoch, Problem> {
        let id = self.id.ok_or_else(|| self.problem("this epoch has no `id`"))?;
        let state = self.state.ok_or_else(|| self.problem(&format!("this epoch has no `state`{}", states())))?;
        if state == State::Pending && self.not_before.is_none() {
            return Err(self.problem("a pending epoch needs a `not_before`: the moment from which it is used"));
        }
        if let (Some(from), Some(until)) = (self.not_before, self.not_after)
            && from >= until
        {
            return Err(self.problem("`not_after` is not after `not_before`"));
        }
        match (&self.secret, state) {
            (Some(_), State::Destroyed) => Err(self.problem("a destroyed epoch has no `secret`: delete that line")),
            (None, state) if state != State::Destroyed => Err(self.problem("this epoch has no `secret`")),
            _ => Ok(()),
        }?;
        Ok(Epoch { id, state, not_before: self.not_before, not_after: self.not_after, secret: self.secret })
    }

    fn problem(&self, what: &str) -> Problem {
        Problem { line: self.line, column: 1, what: what.to_owned() }
    }
}

enum Content<'a> {
    Nothing,
    Epoch,
    Field(Field<'a>),
}

/// `key = value`, with the byte offsets at which they begin. The value still has its quotes.
struct Field<'a> {
    key: &'a str,
    key_at: usize,
    value: &'a str,
    value_at: usize,
}

struct Line<'a> {
    number: usize,
    text: &'a str,
}

impl<'a> Line<'a> {
    fn content(&self) -> Result<Content<'a>, Problem> {
        let text = self.text;
        let start = text.len() - text.trim_start().len();
        // Neither keys nor any of the values can contain a `#`.
        let content = text.split('#').next().unwrap_or("").trim();
        if content.is_empty() {
            return Ok(Content::Nothing);
        }
        if content.starts_with('[') {
            return match content {
                "[[epoch]]" => Ok(Content::Epoch),
                _ => Err(self.problem(start, "the only section is `[[epoch]]`, in double brackets")),
            };
        }
        let Some((key, value)) = content.split_once('=') else {
            return Err(self.problem(start, "expected `key = value`, `[[epoch]]` or a comment"));
        };
        let value_at = start + key.len() + 1 + (value.len() - value.trim_start().len());
        if value.trim().is_empty() {
            return Err(self.problem(value_at, "the value is missing"));
        }
        Ok(Content::Field(Field { key: key.trim_end(), key_at: start, value: value.trim(), value_at }))
    }

    fn integer(&self, field: &Field<'_>) -> Result<u64, Problem> {
        let digits = field.value.bytes().all(|b| b.is_ascii_digit());
        let number = if digits { field.value.parse().ok() } else { None };
        number.ok_or_else(|| self.problem(field.value_at, "expected a whole number without quotes"))
    }

    fn string<'b>(&self, field: &Field<'b>) -> Result<&'b str, Problem> {
        let inner = field.value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
        match inner {
            Some(inner) if !inner.contains(['"', '\\']) => Ok(inner),
            _ => Err(self.problem(field.value_at, "expected a text in double quotes")),
        }
    }

    fn state(&self, field: &Field<'_>) -> Result<State, Problem> {
        let name = self.string(field)?;
        let names = State::ALL.map(State::name);
        State::ALL
            .into_iter()
            .find(|state| state.name() == name)
            .ok_or_else(|| self.problem(field.value_at + 1, &format!("no state of an epoch{}", meant(name, &names))))
    }

    fn time(&self, field: &Field<'_>) -> Result<Timestamp, Problem> {
        self.string(field)?
            .parse()
            .map_err(|_| self.problem(field.value_at + 1, "expected a moment like `2026-11-01T00:00:00Z` (RFC 3339)"))
    }

    fn secret(&self, field: &Field<'_>) -> Result<Secret, Problem> {
        let mut secret = Secret::empty();
        let mut decoded = Zeroizing::new([0; 33]);
        match BASE64.decode_slice(self.string(field)?, decoded.as_mut()) {
            Ok(32) => secret.0.copy_from_slice(&decoded[..32]),
            _ => return Err(self.problem(field.value_at + 1, "expected 32 random bytes in base64: 44 characters")),
        }
        if secret.0.iter().all(|&b| b == secret.0[0]) {
            return Err(self.problem(field.value_at + 1, "this secret is not random; `privet keys new` makes one"));
        }
        Ok(secret)
    }

    fn problem(&self, byte: usize, what: &str) -> Problem {
        let column = self.text.get(..byte).unwrap_or(self.text).chars().count() + 1;
        Problem { line: self.number, column, what: what.to_owned() }
    }
}

/// What may be written here, and what was probably meant. Never what was written: it might be the secret.
fn meant(written: &str, known: &[&str]) -> String {
    let nearest = known
        .iter()
        .map(|name| (strsim::damerau_levenshtein(written, name), name))
        .min()
        .filter(|&(distance, name)| distance <= name.len() / 2);
    let list = known.join(", ");
    match nearest {
        Some((_, name)) => format!(" (there are {list}): did you mean `{name}`?"),
        None => format!(" (there are {list})"),
    }
}

fn states() -> String {
    format!(": one of {}", State::ALL.map(State::name).join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    const B: &str = "BAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

    #[test]
    fn what_is_rendered_is_read_again() {
        let text = format!(
            "version=1 # first\n\n  [[epoch]]\nid = 1\nstate = \"retired\"\nnot_before = \"2026-01-01T00:00:00Z\"\n\
             not_after = \"2026-03-01T01:00:00+01:00\" # two months\nsecret = \"{A}\"\n[[epoch]]\nid = 4294967295\r\n\
             state = \"active\"\nsecret = \"{B}\"\n[[epoch]]\nid = 3\nstate = \"destroyed\"\n"
        );
        let rendered = render(&parse(&text).unwrap());
        assert_eq!(
            rendered.split_once("version").unwrap().1,
            format!(
                " = 1\n\n[[epoch]]\nid = 1\nstate = \"retired\"\nnot_before = \"2026-01-01T00:00:00Z\"\n\
                 not_after = \"2026-03-01T00:00:00Z\"\nsecret = \"{A}\"\n\n[[epoch]]\nid = 4294967295\n\
                 state = \"active\"\nsecret = \"{B}\"\n\n[[epoch]]\nid = 3\nstate = \"destroyed\"\n"
            )
        );
        assert_eq!(*render(&parse(&rendered).unwrap()), *rendered);
    }

    /// Each text with a fault, and how it is told.
    #[test]
    fn each_fault_is_told_with_its_place_and_without_what_was_written() {
        let epoch = format!("version = 1\n[[epoch]]\nid = 1\nstate = \"active\"\nsecret = \"{A}\"\n");
        let with = |line: &str| format!("{epoch}{line}\n");
        let without = |line: &str| epoch.replace(line, "");
        let second = |lines: &str| format!("{epoch}[[epoch]]\n{lines}\n");
        let fields = "there are id, state, not_before, not_after, secret";
        let cases = [
            (String::new(), "k:1:1: `version = 1` is missing".to_owned()),
            ("version = 1\n".into(), "k:1:1: a keyring has at least one `[[epoch]]`; `privet keys new` makes one".into()),
            ("[[epoch]]\n".into(), "k:1:1: `version = 1` is missing".into()),
            ("version = 2\n".into(), "k:1:11: this Privet reads version 1 only".into()),
            ("version = \"1\"\n".into(), "k:1:11: expected a whole number without quotes".into()),
            ("version = 1\nversion = 1\n".into(), "k:2:1: `version` is given twice".into()),
            (format!("secret = \"{A}\"\n"), "k:1:1: the file begins with `version = 1`, then come its `[[epoch]]`s".into()),
            ("version = 1\n [epoch]\n".into(), "k:2:2: the only section is `[[epoch]]`, in double brackets".into()),
            (with("active"), "k:6:1: expected `key = value`, `[[epoch]]` or a comment".into()),
            (with(A), "k:6:45: the value is missing".into()),
            (with("secert = \"\""), format!("k:6:1: no field of an epoch ({fields}): did you mean `secret`?")),
            (with(&format!("{A} 1")), format!("k:6:1: no field of an epoch ({fields})")),
            (with("  id = 2"), "k:6:3: `id` is given twice in this epoch".into()),
            (epoch.replace("id = 1", "id = 0"), "k:3:6: an epoch's id is 1 to 4294967295".into()),
            (epoch.replace("id = 1", "id = 4294967296"), "k:3:6: an epoch's id is 1 to 4294967295".into()),
            (epoch.replace("id = 1", "id = -1"), "k:3:6: expected a whole number without quotes".into()),
            (
                epoch.replace("active", "activ"),
                "k:4:10: no state of an epoch (there are pending, active, overlap, retired, destroyed): did you mean `active`?"
                    .into(),
            ),
            (
                epoch.replace("active", A),
                "k:4:10: no state of an epoch (there are pending, active, overlap, retired, destroyed)".into(),
            ),
            (epoch.replace("\"active\"", "active"), "k:4:9: expected a text in double quotes".into()),
            (with("not_after = \"tomorrow\""), "k:6:14: expected a moment like `2026-11-01T00:00:00Z` (RFC 3339)".into()),
            (
                with("not_before = \"2026-11-01T00:00:00Z\"\nnot_after = \"2026-11-01T00:00:00Z\""),
                "k:2:1: `not_after` is not after `not_before`".into(),
            ),
            (epoch.replace(A, &A[4..]), "k:5:11: expected 32 random bytes in base64: 44 characters".into()),
            (epoch.replace(A, &A.repeat(2)), "k:5:11: expected 32 random bytes in base64: 44 characters".into()),
            (
                epoch.replace(A, &format!("{}=", "A".repeat(43))),
                "k:5:11: this secret is not random; `privet keys new` makes one".into(),
            ),
            (without("id = 1\n"), "k:2:1: this epoch has no `id`".into()),
            (
                without("state = \"active\"\n"),
                "k:2:1: this epoch has no `state`: one of pending, active, overlap, retired, destroyed".into(),
            ),
            (without(&format!("secret = \"{A}\"\n")), "k:2:1: this epoch has no `secret`".into()),
            (
                epoch.replace("active", "pending"),
                "k:2:1: a pending epoch needs a `not_before`: the moment from which it is used".into(),
            ),
            (epoch.replace("active", "destroyed"), "k:2:1: a destroyed epoch has no `secret`: delete that line".into()),
            (second("id = 1\nstate = \"destroyed\""), "k:6:1: another epoch has the same `id`".into()),
            (
                second(&format!("id = 2\nstate = \"active\"\nsecret = \"{B}\"")),
                "k:6:1: another epoch is `active` already; one at most can be".into(),
            ),
            (
                second(&format!("id = 2\nstate = \"retired\"\nsecret = \"{A}\"")),
                "k:6:1: another epoch has the same `secret`; each needs its own".into(),
            ),
        ];
        assert!(parse(&epoch).is_ok());
        for (text, told) in cases {
            let error = parse(&text).map(|_| ()).unwrap_err().at("k".as_ref());
            assert_eq!(error.to_string(), told, "{text}");
            assert!(!error.to_string().contains(&A[1..10]));
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC*", lines in proptest::collection::vec("(\\[\\[epoch\\]\\]|version = 1|(id|state|secret) = \"?\\PC{0,4}\"?|\\PC{0,8})", 0..12)) {
            let _ = parse(&text);
            let _ = parse(&lines.join("\n"));
        }
    }
}
