//! What is let through: keep lists and exceptions.

use jiff::civil::Date;

use crate::policy::diagnostic::Code;
use crate::policy::keep::Kept;
use crate::policy::reader::{At, Reader};
use crate::policy::yaml::{Node, Yaml};

use super::Exception;
use super::place::read_globs;

pub fn read_kept(reader: &mut Reader<'_>, node: &Node) -> Vec<At<Kept>> {
    let texts = match &node.value {
        Yaml::List(items) if items.is_empty() => return Vec::new(),
        _ => reader.texts(node),
    };
    let mut kept = Vec::new();
    for text in texts {
        match Kept::parse(&text.value) {
            Ok(entry) => kept.push(text.map(|_| entry)),
            Err(why) => {
                let diagnostic = reader.error(Code::BadKeep, &text.at, format!("`{}` cannot be kept", text.value));
                diagnostic.label = why.into();
                diagnostic.help = Some("for example `127.0.0.0/8`, `localhost`, `*.example.com`".into());
            }
        }
    }
    kept
}

/// Only the keep list of a document.
pub fn read_keep(reader: &mut Reader<'_>, root: &Node) -> Vec<At<Kept>> {
    let Yaml::Map(entries) = &root.value else { return Vec::new() };
    let keep = entries.iter().find(|(key, _)| matches!(&key.value, Yaml::Text(text) if text == "keep"));
    keep.map_or(Vec::new(), |(_, node)| read_kept(reader, node))
}

pub fn read_exception(reader: &mut Reader<'_>, node: &Node) -> Option<Exception> {
    let known = &["rules", "keys", "values", "reason", "owner", "expires"];
    let fields = reader.fields(node, "an exception", known)?;
    let rules = fields.required("rules", reader).map(|node| read_globs(reader, node));
    let keys = fields.get("keys").map_or(Vec::new(), |node| read_globs(reader, node));
    let values = fields.get("values").map_or(Vec::new(), |node| read_kept(reader, node));
    let values = values.into_iter().map(|kept| kept.value).collect();
    if fields.get("keys").is_none() && fields.get("values").is_none() {
        let diagnostic = reader.error(Code::MissingField, &node.at, "an exception needs `keys` or `values`");
        diagnostic.help = Some("say what is let through: attribute keys, or addresses, hosts and e-mails".into());
    }
    let said = |key, reader: &mut Reader<'_>| {
        let text = fields.required(key, reader).and_then(|node| reader.text(node))?;
        if text.value.trim().is_empty() {
            reader.error(Code::Empty, &text.at, format!("`{key}` is empty"));
            return None;
        }
        Some(text.value)
    };
    let (reason, owner) = (said("reason", reader), said("owner", reader));
    let expires = fields.required("expires", reader).and_then(|node| {
        let text = reader.text(node)?;
        match text.value.parse::<Date>() {
            Ok(date) => Some(text.map(|_| date)),
            Err(_) => {
                let diagnostic = reader.error(Code::BadDate, &text.at, format!("`{}` is no date", text.value));
                diagnostic.help = Some("write year, month and day: `2027-03-31`".into());
                None
            }
        }
    });
    let keys = keys.into_iter().map(|glob| glob.value).collect();
    Some(Exception { rules: rules?, keys, values, reason: reason?, owner: owner?, expires: expires? })
}
