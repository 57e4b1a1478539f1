//! How an action is done, and which options fit which action.

use crate::policy::compiled::Action;
use crate::policy::diagnostic::Code;
use crate::policy::reader::{Fields, Reader};
use crate::policy::yaml::{Node, Yaml};

use super::{Form, Options};

pub fn read_options(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Options {
    const FORMS: [(&str, Form); 3] = [("token", Form::Token), ("address", Form::Address), ("subnet", Form::Subnet)];
    let flag = |key, reader: &mut Reader<'_>| fields.get(key).and_then(|n| reader.boolean(n)).unwrap_or(false);
    let number = |key, high, reader: &mut Reader<'_>| {
        fields.get(key).and_then(|node| reader.number(node, 0..=high)).map(|value| value as u8)
    };
    let form = fields.get("form").and_then(|node| {
        if matches!(&node.value, Yaml::Text(text) if text == "reversible") {
            let diagnostic = reader.error(Code::UnknownForm, &node.at, "what can be reversed is not a pseudonym");
            diagnostic.help = Some("write `action: encrypt` instead".into());
            return None;
        }
        reader.word(node, Code::UnknownForm, "form", &FORMS).map(|form| reader.at(node, form))
    });
    let acknowledge = fields.get("acknowledge").and_then(|node| reader.text(node));
    Options {
        form,
        acknowledge,
        fold_local: flag("fold_local", reader),
        keep_public_suffix: flag("keep_public_suffix", reader),
        last: number("last", 16, reader),
        v4: number("v4", 32, reader),
        v6: number("v6", 128, reader),
        day: flag("day", reader),
    }
}

/// What `acknowledge:` must say for `form: subnet`.
const SUBNET_LEAK: &str = "shared_prefixes";

/// Whether the options belong to the action.
pub fn check_options(
    reader: &mut Reader<'_>,
    fields: &Fields<'_>,
    action: Action,
    action_node: &Node,
    options: &Options,
) {
    let belongs: [(&str, &[Action]); 8] = [
        ("form", &[Action::Pseudonymise]),
        ("acknowledge", &[Action::Pseudonymise]),
        ("fold_local", &[Action::Pseudonymise]),
        ("keep_public_suffix", &[Action::Pseudonymise]),
        ("last", &[Action::Mask]),
        ("v4", &[Action::Generalise]),
        ("v6", &[Action::Generalise]),
        ("day", &[Action::Generalise]),
    ];
    for (option, actions) in belongs {
        if let Some(key) = fields.key(option)
            && !actions.contains(&action)
        {
            let message = format!("`{option}` says nothing to `{}`", action.name());
            reader.error(Code::OptionDoesNotFit, &key.at, message).help =
                Some(format!("it belongs to `action: {}`", actions[0].name()));
        }
    }
    let searched = ["detect", "pattern", "dictionary"].into_iter().find_map(|key| fields.key(key));
    if let (Action::Aggregate, Some(key)) = (action, searched) {
        let message = "`aggregate` takes whole attributes, and looks for nothing inside them";
        reader.error(Code::OptionDoesNotFit, &key.at, message).help = Some("name the attributes with `keys:`".into());
    }
    if action == Action::Mask && fields.get("last").is_none() {
        let diagnostic = reader.error(Code::MissingField, &action_node.at, "`mask` needs `last`");
        diagnostic.help = Some("how many characters may be seen, for example `last: 4`".into());
    }
    if let Some(form) = &options.form
        && form.value == Form::Subnet
        && options.acknowledge.as_ref().is_none_or(|said| said.value != SUBNET_LEAK)
    {
        let at = options.acknowledge.as_ref().map_or(&form.at, |said| &said.at);
        let message = "`form: subnet` lets the reader see which addresses share a network";
        reader.error(Code::SubnetNotAcknowledged, at, message).help =
            Some(format!("if that is meant, add `acknowledge: {SUBNET_LEAK}`"));
    }
}
