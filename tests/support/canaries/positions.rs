//! Every place of a request in which text or bytes can stand, found by walking the descriptors.

use std::fmt;

use prost_reflect::prost::Message;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, Value};

/// A way from the request to a string or bytes field.
pub struct Position {
    path: Vec<FieldDescriptor>,
}

/// How often a message may contain itself on the way: AnyValue in a list in a map, and so on.
const MAX_RECURSION: usize = 3;

pub fn positions(root: &MessageDescriptor) -> Vec<Position> {
    let mut found = Vec::new();
    descend(root, &mut Vec::new(), &mut found);
    found
}

fn descend(message: &MessageDescriptor, path: &mut Vec<FieldDescriptor>, found: &mut Vec<Position>) {
    for field in message.fields() {
        path.push(field.clone());
        match field.kind() {
            Kind::String | Kind::Bytes => found.push(Position { path: path.clone() }),
            Kind::Message(child) => {
                let often = path.iter().filter(|before| before.kind().as_message() == Some(&child)).count();
                if often <= MAX_RECURSION {
                    descend(&child, path, found);
                }
            }
            _ => {}
        }
        path.pop();
    }
}

impl Position {
    pub fn root(&self) -> MessageDescriptor {
        self.path[0].parent_message().clone()
    }

    fn last(&self) -> &FieldDescriptor {
        self.path.last().expect("a way has an end")
    }

    /// Identifiers have fixed lengths: text in them is refused.
    pub fn is_id(&self) -> bool {
        matches!(self.last().kind(), Kind::Bytes) && self.last().name().ends_with("_id")
    }

    /// Bytes in a format of their own.
    pub fn is_opaque(&self) -> bool {
        self.last().name() == "original_payload"
    }

    /// A request with the text at this position and nothing else.
    pub fn request(&self, text: &str) -> Vec<u8> {
        let leaf = match self.last().kind() {
            Kind::Bytes => Value::Bytes(text.as_bytes().to_vec().into()),
            _ => Value::String(text.to_owned()),
        };
        let value = self.path.iter().rev().fold(leaf, |below, field| {
            let below = if field.is_list() { Value::List(vec![below]) } else { below };
            let mut message = DynamicMessage::new(field.parent_message().clone());
            // A value stands under a key that says nothing of it.
            if field.parent_message().name() == "KeyValue" && field.name() == "value" {
                message.set_field_by_name("key", Value::String("note".into()));
            }
            message.set_field(field, below);
            Value::Message(message)
        });
        let Value::Message(request) = value else { unreachable!("a request is a message") };
        request.encode_to_vec()
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.root().name())?;
        self.path.iter().try_for_each(|field| write!(f, ".{}", field.name()))
    }
}
