//! JSON as tokens, by RFC 8259 and no further: no comments, no trailing commas, no lone surrogates.
//!
//! Own code, because a library's errors quote the value that they stumble over and its numbers lose digits; here an
//! error is a fixed word and an offset, and a number stays text until its field says what it is.

use std::borrow::Cow;

/// Why and where (an offset into the text) the text is not what was asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    pub reason: &'static str,
    pub at: usize,
}

type Result<T> = std::result::Result<T, Wrong>;

/// What a value starts like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    Object,
    Array,
    String,
    Number,
    True,
    False,
    Null,
}

pub(super) struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Lexer<'a> {
    pub fn new(text: &'a str) -> Lexer<'a> {
        Lexer { text, at: 0 }
    }

    /// The offset of the next token.
    pub fn at(&mut self) -> usize {
        self.skip_space();
        self.at
    }

    pub fn wrong<T>(&self, reason: &'static str) -> Result<T> {
        Err(Wrong { reason, at: self.at })
    }

    /// What stands next, without taking it.
    pub fn peek(&mut self) -> Result<Start> {
        self.skip_space();
        match self.byte() {
            Some(b'{') => Ok(Start::Object),
            Some(b'[') => Ok(Start::Array),
            Some(b'"') => Ok(Start::String),
            Some(b'-' | b'0'..=b'9') => Ok(Start::Number),
            Some(b't') => Ok(Start::True),
            Some(b'f') => Ok(Start::False),
            Some(b'n') => Ok(Start::Null),
            Some(_) => self.wrong("a value was expected"),
            None => self.wrong("the text ends too early"),
        }
    }

    /// Takes one byte of punctuation.
    pub fn expect(&mut self, byte: u8, otherwise: &'static str) -> Result<()> {
        if self.take(byte) { Ok(()) } else { self.wrong(if self.byte().is_none() { TOO_EARLY } else { otherwise }) }
    }

    /// Takes one byte of punctuation if it stands next.
    pub fn take(&mut self, byte: u8) -> bool {
        self.skip_space();
        let there = self.byte() == Some(byte);
        self.at += usize::from(there);
        there
    }

    /// Takes `true`, `false` or `null`.
    pub fn literal(&mut self, word: &'static str) -> Result<()> {
        self.skip_space();
        if !self.text[self.at..].starts_with(word) {
            return self.wrong("a value was expected");
        }
        self.at += word.len();
        Ok(())
    }

    /// Takes a number, as it is written.
    pub fn number(&mut self) -> Result<&'a str> {
        self.skip_space();
        let rest = &self.text[self.at..];
        match number_len(rest.as_bytes()) {
            Some(len) => {
                self.at += len;
                Ok(&rest[..len])
            }
            None => self.wrong("a number is malformed"),
        }
    }

    /// Takes a string; borrowed where it has no escapes.
    pub fn string(&mut self) -> Result<Cow<'a, str>> {
        self.expect(b'"', "a string was expected")?;
        let start = self.at;
        self.plain_run();
        if self.byte() == Some(b'"') {
            self.at += 1;
            return Ok(Cow::Borrowed(&self.text[start..self.at - 1]));
        }
        let mut unescaped = String::from(&self.text[start..self.at]);
        loop {
            match self.byte() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(Cow::Owned(unescaped));
                }
                Some(b'\\') => unescaped.push(self.escape()?),
                Some(_) => return self.wrong("a string holds a control character"),
                None => return self.wrong("a string has no end"),
            }
            let run = self.at;
            self.plain_run();
            unescaped.push_str(&self.text[run..self.at]);
        }
    }

    /// Takes any value, nested at most `depth` deep.
    pub fn skip(&mut self, depth: usize) -> Result<()> {
        let Some(below) = depth.checked_sub(1) else { return self.wrong("nested too deep") };
        match self.peek()? {
            Start::String => self.string().map(drop),
            Start::Number => self.number().map(drop),
            Start::True => self.literal("true"),
            Start::False => self.literal("false"),
            Start::Null => self.literal("null"),
            Start::Array => {
                self.at += 1;
                if self.take(b']') {
                    return Ok(());
                }
                loop {
                    self.skip(below)?;
                    if !self.more(b']')? {
                        return Ok(());
                    }
                }
            }
            Start::Object => {
                self.at += 1;
                if self.take(b'}') {
                    return Ok(());
                }
                loop {
                    self.string()?;
                    self.expect(b':', "`:` was expected")?;
                    self.skip(below)?;
                    if !self.more(b'}')? {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// After an element: takes the comma before the next one, or the closing bracket.
    pub fn more(&mut self, close: u8) -> Result<bool> {
        if self.take(b',') {
            return Ok(true);
        }
        self.expect(close, if close == b']' { "`,` or `]` was expected" } else { "`,` or `}` was expected" })?;
        Ok(false)
    }

    /// Nothing but white space may be left.
    pub fn end(&mut self) -> Result<()> {
        self.skip_space();
        if self.at == self.text.len() { Ok(()) } else { self.wrong("text follows after the request") }
    }

    fn escape(&mut self) -> Result<char> {
        let bytes = self.text.as_bytes();
        let Some(&letter) = bytes.get(self.at + 1) else { return self.wrong("a string has no end") };
        let plain = match letter {
            b'"' | b'\\' | b'/' => char::from(letter),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.unicode_escape(),
            _ => return self.wrong("an escape is malformed"),
        };
        self.at += 2;
        Ok(plain)
    }

    fn unicode_escape(&mut self) -> Result<char> {
        let unit = |at: usize| -> Option<u32> {
            let escape = self.text.as_bytes().get(at..at + 6)?;
            let digits = escape.strip_prefix(b"\\u")?;
            digits.iter().try_fold(0, |value, &digit| Some(value << 4 | char::from(digit).to_digit(16)?))
        };
        let Some(first) = unit(self.at) else { return self.wrong("an escape is malformed") };
        let (code, len) = match (first, unit(self.at + 6)) {
            (0xD800..0xDC00, Some(second @ 0xDC00..0xE000)) => {
                (0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00), 12)
            }
            _ => (first, 6),
        };
        match char::from_u32(code) {
            Some(char) => {
                self.at += len;
                Ok(char)
            }
            None => self.wrong("an escape is half of a surrogate pair"),
        }
    }

    /// Goes on to the next quote, backslash, control character or the end.
    fn plain_run(&mut self) {
        let rest = &self.text.as_bytes()[self.at..];
        self.at += rest.iter().position(|&byte| byte < b' ' || byte == b'"' || byte == b'\\').unwrap_or(rest.len());
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.byte() {
            self.at += 1;
        }
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }
}

/// Whether all of a text is a JSON number.
pub(super) fn is_number(text: &str) -> bool {
    number_len(text.as_bytes()) == Some(text.len())
}

const TOO_EARLY: &str = "the text ends too early";

/// The length of the number that the bytes start with.
fn number_len(bytes: &[u8]) -> Option<usize> {
    let digits = |at: usize| bytes[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut at = usize::from(bytes.first() == Some(&b'-'));
    match digits(at) {
        0 => return None,
        n if n > 1 && bytes[at] == b'0' => return None,
        n => at += n,
    }
    if bytes.get(at) == Some(&b'.') {
        match digits(at + 1) {
            0 => return None,
            n => at += 1 + n,
        }
    }
    if let Some(b'e' | b'E') = bytes.get(at) {
        let sign = usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        match digits(at + 1 + sign) {
            0 => return None,
            n => at += 1 + sign + n,
        }
    }
    Some(at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn accepts(text: &str) -> bool {
        let mut lexer = Lexer::new(text);
        lexer.skip(100).and_then(|()| lexer.end()).is_ok()
    }

    proptest! {
        #[test]
        fn accepts_what_serde_json_accepts(text in r#"[\[\]{},:"\\/ \n0-9.eE+\-truefalsnu\u{1}é😀]{0,12}"#) {
            // serde_json alone refuses a number that no double can hold: that is its field's business here.
            let known = serde_json::from_str::<serde_json::Value>(&text);
            let out_of_range = known.as_ref().is_err_and(|error| error.to_string().starts_with("number out of range"));
            prop_assert_eq!(accepts(&text), known.is_ok() || out_of_range);
        }

        #[test]
        fn reads_any_string_back(text in any::<String>()) {
            let written = serde_json::to_string(&text).unwrap();
            prop_assert_eq!(Lexer::new(&written).string().unwrap(), text);
        }
    }

    #[test]
    fn refuses_lone_surrogates() {
        for text in [r#""\ud800""#, r#""\udc00""#, r#""\ud800\u0041""#, r#""\ud800x""#] {
            assert_eq!(
                Lexer::new(text).string().unwrap_err().reason,
                "an escape is half of a surrogate pair",
                "{text}"
            );
        }
        assert_eq!(Lexer::new(r#""\ud83d\ude00""#).string().unwrap(), "😀");
    }

    #[test]
    fn leading_zeros_and_bare_points_are_no_numbers() {
        for text in ["01", "-", ".5", "1.", "1e", "1e+", "+1", "0x10", "NaN", ""] {
            assert!(!is_number(text), "{text}");
        }
        for text in ["0", "-0", "0.5", "1e9", "1E-9", "-12.5e+3", "184467440737095516150"] {
            assert!(is_number(text), "{text}");
        }
    }

    #[test]
    fn skipping_stops_at_the_depth_limit() {
        assert!(Lexer::new(&("[".repeat(64) + &"]".repeat(64))).skip(64).is_ok());
        assert_eq!(Lexer::new(&"[".repeat(1_000_000)).skip(64).unwrap_err().reason, "nested too deep");
    }
}
