//! What was sent against what arrived: the same, save that every identifier is its token.

use std::collections::HashMap;

use prost_reflect::{DynamicMessage, Value};

use crate::processes::Requests;

/// Every identifier that the clients send, each with the spelling whose token it must have.
const IDENTIFIERS: [(&str, &str); 7] = [
    ("2001:0DB8:85A3:0:0:8A2E:370:7334", "2001:db8:85a3::8a2e:370:7334"),
    ("2001:db8:85a3::8a2e:370:7334", "2001:db8:85a3::8a2e:370:7334"),
    ("alice.winter@corp.example", "alice.winter@corp.example"),
    ("web-1.prod.corp.example", "web-1.prod.corp.example"),
    ("db-master.corp.example", "db-master.corp.example"),
    ("203.0.113.77", "203.0.113.77"),
    ("node-paris-3", "node-paris-3"),
];

/// The token of each identifier, learnt where it is a whole value; one for all signals and clients.
#[derive(Default)]
pub struct Tokens(HashMap<&'static str, String>);

impl Tokens {
    /// A text as it has to arrive.
    fn hide(&self, sent: &str) -> String {
        IDENTIFIERS.iter().fold(sent.to_owned(), |text, (spelling, identifier)| match self.0.get(identifier) {
            Some(token) => text.replace(spelling, token),
            None => text,
        })
    }
}

/// What a comparison found.
#[derive(Default)]
pub struct Outcome {
    hidden: usize,
    unchanged: usize,
    requests: usize,
    problems: Vec<String>,
}

impl Outcome {
    pub fn into_result(self, compression: &str) -> Result<String, Vec<String>> {
        if !self.problems.is_empty() {
            return Err(self.problems);
        }
        let Outcome { hidden, unchanged, requests, .. } = self;
        Ok(format!("{requests} requests ({compression}), {hidden} fields with tokens, {unchanged} unchanged"))
    }

    pub fn nothing_denied_in(&mut self, place: &str, bytes: &[u8]) {
        for (spelling, _) in IDENTIFIERS {
            if bytes.windows(spelling.len()).any(|window| window == spelling.as_bytes()) {
                self.problems.push(format!("{place} holds {spelling}"));
            }
        }
    }
}

pub fn compare(sent: &Requests, arrived: &Requests, tokens: &mut Tokens) -> Outcome {
    let mut outcome = Outcome::default();
    for ((signal, sent), (_, arrived)) in sent.iter().zip(arrived) {
        let signal = signal.name();
        if sent.is_empty() || sent.len() != arrived.len() {
            outcome.problems.push(format!("{signal}: {} requests were sent, {} arrived", sent.len(), arrived.len()));
        }
        let before: Vec<String> = sent.iter().flat_map(texts).collect();
        for (spelling, _) in IDENTIFIERS.iter().skip(1) {
            if !before.iter().any(|text| text.contains(spelling)) {
                outcome.problems.push(format!("{signal}: the client did not even send {spelling}"));
            }
        }
        for (sent, arrived) in sent.iter().zip(arrived) {
            let pair = (Value::Message(sent.clone()), Value::Message(arrived.clone()));
            outcome.requests += 1;
            outcome.learn(&pair.0, &pair.1, signal, tokens);
        }
    }
    for ((signal, sent), (_, arrived)) in sent.iter().zip(arrived) {
        for (sent, arrived) in sent.iter().zip(arrived) {
            let pair = (Value::Message(sent.clone()), Value::Message(arrived.clone()));
            outcome.walk(&pair.0, &pair.1, signal.name(), tokens);
            for text in texts(arrived) {
                outcome.nothing_denied_in(signal.name(), text.as_bytes());
            }
        }
    }
    outcome
}

impl Outcome {
    /// Learns tokens where an identifier is a whole value.
    fn learn(&mut self, sent: &Value, arrived: &Value, path: &str, tokens: &mut Tokens) {
        if let (Value::String(sent), Value::String(arrived)) = (sent, arrived)
            && let Some((_, identifier)) = IDENTIFIERS.iter().find(|(spelling, _)| spelling == sent)
        {
            let token = tokens.0.entry(identifier).or_insert_with(|| arrived.clone());
            if token != arrived {
                self.problems.push(format!("{path}: {identifier} is {arrived} here and {token} elsewhere"));
            }
        }
        children(sent, arrived, path, &mut |sent, arrived, path| self.learn(sent, arrived, path, tokens));
    }

    fn walk(&mut self, sent: &Value, arrived: &Value, path: &str, tokens: &Tokens) {
        let expected = match sent {
            Value::String(text) => Value::String(tokens.hide(text)),
            Value::Bytes(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => Value::Bytes(tokens.hide(text).into_bytes().into()),
                Err(_) => sent.clone(),
            },
            Value::Message(sent) => {
                let fields =
                    |message: &DynamicMessage| message.fields().map(|(field, _)| field.number()).collect::<Vec<_>>();
                match arrived {
                    Value::Message(arrived) if fields(sent) == fields(arrived) => {}
                    Value::Message(arrived) => {
                        self.problems.push(format!("{path}: fields {:?} became {:?}", fields(sent), fields(arrived)));
                    }
                    _ => self.problems.push(format!("{path}: no message any more")),
                }
                return children(&Value::Message(sent.clone()), arrived, path, &mut |sent, arrived, path| {
                    self.walk(sent, arrived, path, tokens);
                });
            }
            Value::List(items) => {
                if arrived.as_list().map(<[Value]>::len) != Some(items.len()) {
                    self.problems.push(format!("{path}: {} items became {arrived}", items.len()));
                }
                return children(sent, arrived, path, &mut |sent, arrived, path| {
                    self.walk(sent, arrived, path, tokens)
                });
            }
            number => number.clone(),
        };
        if expected != *arrived {
            self.problems.push(format!("{path}: sent {sent}, expected {expected}, got {arrived}"));
        } else if expected == *sent {
            self.unchanged += 1;
        } else {
            self.hidden += 1;
        }
    }
}

/// Calls `each` with every pair of values that stand in the same place.
fn children(sent: &Value, arrived: &Value, path: &str, each: &mut dyn FnMut(&Value, &Value, &str)) {
    match (sent, arrived) {
        (Value::Message(sent), Value::Message(arrived)) => {
            for (field, value) in sent.fields() {
                if arrived.has_field(&field) {
                    each(value, &arrived.get_field(&field), &format!("{path}.{}", field.name()));
                }
            }
        }
        (Value::List(sent), Value::List(arrived)) => {
            for (at, (sent, arrived)) in sent.iter().zip(arrived).enumerate() {
                each(sent, arrived, &format!("{path}[{at}]"));
            }
        }
        _ => {}
    }
}

/// Every text of a request, with bytes as text.
fn texts(request: &DynamicMessage) -> Vec<String> {
    fn collect(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::String(text) => found.push(text.clone()),
            Value::Bytes(bytes) => found.push(String::from_utf8_lossy(bytes).into_owned()),
            Value::List(items) => items.iter().for_each(|item| collect(item, found)),
            Value::Message(message) => message.fields().for_each(|(_, value)| collect(value, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    collect(&Value::Message(request.clone()), &mut found);
    found
}
