//! The JSON Schema of policy files, for editors: what `syntax` reads, field by field. What spans fields is
//! left to `privet check`.

use serde_json::{Map, Value, json};

use crate::otlp::{Part, Signal};

use super::compile::BUILTIN_KINDS;
use super::compiled::Action;
use super::load::PACKS;

/// Where the schema says it lives.
pub const ID: &str = "https://privet.dev/schema/policy-1.json";

/// The schema, draft 2020-12.
pub fn schema() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": ID,
        "title": "Privet policy",
        "description": "What may leave, and how. See docs/policy.md.",
        "type": "object",
        "required": ["version"],
        // A policy has rules, or extends one that has.
        "anyOf": [{"required": ["rules"]}, {"required": ["extends"]}],
        "additionalProperties": false,
        "properties": {
            "version": described(json!({"const": 1}), "The version of the policy language."),
            "name": text("The policy's name, for reports."),
            "description": text("What it promises."),
            "extends": described(one_or_more(json!({"$ref": "#/$defs/pack"})), "Packs by name, or .yaml files by path."),
            "kinds": described(one_or_more(json!({"type": "string", "pattern": "^[a-z0-9_]{1,64}$"})), "Kinds of identifier besides the built-in ones."),
            "attributes": attributes(),
            "retention": retention(),
            "regions": described(one_or_more(name()), "Regions that destinations may be in; `eu` is also `eu-central-1`."),
            "tls": described(json!({"anyOf": [words(["1.2", "1.3"]), {"const": 1.2}, {"const": 1.3}]}), "The oldest TLS that destinations may be spoken to with."),
            "rules": described(json!({"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/rule"}}), "What is done where; their order changes nothing."),
            "keep": described(texts(), "Values that name nobody: addresses, networks, hosts, *.domain, e-mail addresses."),
            "exceptions": described(json!({"type": "array", "items": {"$ref": "#/$defs/exception"}}), "The one thing that widens."),
            "tests": described(json!({"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/test"}}), "Records, and what may and must be left of them."),
        },
        "$defs": {
            "pack": pack(),
            "rule": rule(),
            "when": when(),
            "condition": condition(),
            "exception": exception(),
            "test": test(),
            "attributes": {"type": "object"},
        },
    })
}

/// The keys of policies, rules, exceptions and tests as Markdown: the reference of `docs/policy.md`.
pub fn reference() -> String {
    let schema = schema();
    let mut text = String::new();
    for (title, object) in [
        ("A policy", &schema),
        ("A rule", &schema["$defs"]["rule"]),
        ("An exception", &schema["$defs"]["exception"]),
        ("A test", &schema["$defs"]["test"]),
    ] {
        text += &format!("### {title}\n\n| key | | values |\n|---|---|---|\n");
        let required = object["required"].as_array().cloned().unwrap_or_default();
        for (key, value) in object["properties"].as_object().into_iter().flatten() {
            let about = value["description"].as_str().unwrap_or("");
            let must = if required.contains(&Value::from(key.as_str())) { "**needed.** " } else { "" };
            text += &format!("| `{key}` | {must}{about} | {} |\n", shape(value));
        }
        text.push('\n');
    }
    let parts: Vec<String> = parts().iter().map(|part| format!("`{part}`")).collect();
    text + &format!("### Parts\n\n{}.\n", parts.join(", "))
}

/// What a value can be, in a few words.
fn shape(value: &Value) -> String {
    if let Some(words) = value["enum"].as_array() {
        // The places in OTLP have a list of their own.
        if words.len() > 20 {
            return "see below".into();
        }
        let words: Vec<String> =
            words.iter().map(|word| format!("`{}`", word.as_str().map_or(word.to_string(), str::to_owned))).collect();
        return words.join(", ");
    }
    if let Some(word) = value.get("const") {
        return format!("`{}`", word.as_str().map_or(word.to_string(), str::to_owned));
    }
    if let Some(choices) = value["anyOf"].as_array() {
        let list = choices.iter().find(|choice| choice["type"] == "array" && choice["items"] == choices[0]);
        if list.is_some() {
            return format!("{}; a list of such", shape(&choices[0]));
        }
        let mut shapes: Vec<String> = Vec::new();
        for shape in choices.iter().map(shape) {
            if !shapes.iter().any(|known| known.contains(&shape)) {
                shapes.push(shape);
            }
        }
        return shapes.join(", or ");
    }
    let number = |key: &str| value[key].as_i64();
    match (value["type"].as_str(), number("minimum"), number("maximum")) {
        (Some("integer"), Some(low), Some(high)) => format!("{low} to {high}"),
        (Some("array"), ..) => format!("a list: {}", shape(&value["items"])),
        (Some("object"), ..) => "a mapping".into(),
        (Some("boolean"), ..) => "`true`, `false`".into(),
        (Some("string"), ..) => "a text".into(),
        (Some("integer" | "number"), ..) => "a number".into(),
        _ => match value["$ref"].as_str() {
            Some("#/$defs/pack") => "a pack's name, or a path".into(),
            Some("#/$defs/when") => "a mapping of `resource`, `scope`, `record`".into(),
            Some(_) => "see below".into(),
            None => "a text or number".into(),
        },
    }
}

fn rule() -> Value {
    let flag = |about| described(json!({"type": "boolean"}), about);
    let number = |most: u8, about| described(json!({"type": "integer", "minimum": 0, "maximum": most}), about);
    let example = json!({"anyOf": [{"type": "string"}, {"type": "object", "minProperties": 1, "maxProperties": 1}]});
    let belongs = |option: &str, action: Action| json!({"if": {"required": [option]}, "then": {"properties": {"action": {"const": action.name()}}}});
    let mut options: Vec<Value> = [
        ("form", Action::Pseudonymise),
        ("acknowledge", Action::Pseudonymise),
        ("fold_local", Action::Pseudonymise),
        ("keep_public_suffix", Action::Pseudonymise),
        ("last", Action::Mask),
        ("v4", Action::Generalise),
        ("v6", Action::Generalise),
        ("day", Action::Generalise),
    ]
    .map(|(option, action)| belongs(option, action))
    .to_vec();
    options.push(json!({
        "if": {"properties": {"action": {"const": "aggregate"}}, "required": ["action"]},
        "then": {"not": {"anyOf": [{"required": ["detect"]}, {"required": ["pattern"]}, {"required": ["dictionary"]}]}},
    }));
    options.push(json!({"if": {"properties": {"action": {"const": "mask"}}, "required": ["action"]}, "then": {"required": ["last"]}}));
    options.push(json!({"if": {"properties": {"form": {"const": "subnet"}}, "required": ["form"]}, "then": {"required": ["acknowledge"]}}));
    // What replaces a whole field must know what it is.
    options.push(json!({
        "if": {"properties": {"action": {"enum": ["pseudonymise", "encrypt", "mask", "generalise"]}}, "required": ["action"]},
        "then": {"anyOf": [{"required": ["as"]}, {"required": ["detect"]}, {"required": ["pattern"]}, {"required": ["dictionary"]}]},
    }));
    json!({
        "type": "object",
        "required": ["name", "action"],
        "additionalProperties": false,
        "properties": {
            "name": described(name(), "Tells it apart in metrics, exceptions and reports."),
            "description": text("What it is for; `privet explain` shows it."),
            "signals": signals(),
            "parts": described(one_or_more(json!({"enum": parts()})), "Places in OTLP; all where it can act if left out."),
            "keys": described(one_or_more(glob()), "Attribute keys, or tails of them; `*` stands for any run of characters."),
            "when": {"$ref": "#/$defs/when"},
            "detect": described(one_or_more(words(["ip", "email", "host", "user", "credential"])), "Identifiers to be searched for in texts."),
            "pattern": pattern(),
            "dictionary": dictionary(),
            "as": described(
                json!({"anyOf": [words(BUILTIN_KINDS), {"const": "address"}, {"type": "string"}]}),
                "What the whole field is, or what kind a pattern finds.",
            ),
            "action": described(words(Action::ALL.map(Action::name)), "What is done; where rules meet, the strictest wins."),
            "form": described(words(["token", "address", "subnet"]), "Pseudonymise: how an address looks; opaque if left out."),
            "acknowledge": described(json!({"const": "shared_prefixes"}), "With `form: subnet`: what it shows is meant."),
            "fold_local": flag("E-mail: letter case before the @ does not count."),
            "keep_public_suffix": flag("Host: co.uk and the like stay readable."),
            "last": number(16, "Mask: so many characters at the end stay readable."),
            "v4": number(32, "Generalise: bits of an IPv4 address that stay."),
            "v6": number(128, "Generalise: bits of an IPv6 address that stay."),
            "day": flag("Generalise: of a time the day stays."),
            "names_host": flag("What a resource says here is looked for in all text below it."),
            "scalars_only": flag("A map under the key is judged by its own keys."),
            "hits": described(json!({"anyOf": [example, {"type": "array", "items": example}]}), "Examples that it must act on."),
            "misses": described(json!({"anyOf": [example, {"type": "array", "items": example}]}), "Examples that it must not act on."),
        },
        // One target at most.
        "not": {"anyOf": [
            {"required": ["detect", "pattern"]},
            {"required": ["detect", "dictionary"]},
            {"required": ["pattern", "dictionary"]},
            {"required": ["detect", "as"]},
        ]},
        "anyOf": [
            {"required": ["keys"]},
            {"required": ["parts"]},
            {"required": ["detect"]},
            {"required": ["pattern"]},
            {"required": ["dictionary"]},
            {"properties": {"action": {"const": "drop_record"}}},
        ],
        "allOf": options,
    })
}

fn pattern() -> Value {
    let regex = json!({"type": "string", "minLength": 1, "maxLength": 4096});
    json!({
        "description": "A regular expression in the syntax of Rust's regex crate.",
        "anyOf": [regex, {
            "type": "object",
            "required": ["regex"],
            "additionalProperties": false,
            "properties": {
                "regex": regex,
                "keywords": described(texts(), "One of them must stand in the text."),
                "assigned_to": described(texts(), "The match must be what is assigned to such a name."),
                "validator": words(["luhn", "iban", "jwt"]),
                "group": {"type": "integer", "minimum": 0, "maximum": 32},
                "entropy": described(json!({"type": "number"}), "Bits a character that the match must have at least."),
            },
        }],
    })
}

fn dictionary() -> Value {
    json!({
        "description": "Words to be looked for: host names, or any.",
        "type": "object",
        "additionalProperties": false,
        "minProperties": 1,
        "properties": {
            "hosts": texts(),
            "keywords": texts(),
            "hosts_file": {"type": "string"},
            "keywords_file": {"type": "string"},
        },
        "not": {"anyOf": [{"required": ["hosts", "keywords"]}, {"required": ["hosts_file", "keywords_file"]}]},
    })
}

fn when() -> Value {
    let level = json!({"type": "object", "additionalProperties": {"$ref": "#/$defs/condition"}});
    json!({
        "description": "What attributes must be for it to hold; all of it must.",
        "type": "object",
        "additionalProperties": false,
        "minProperties": 1,
        "properties": {"resource": level, "scope": level, "record": level},
    })
}

fn condition() -> Value {
    let scalar = json!({"type": ["string", "integer", "boolean"]});
    json!({
        "anyOf": [scalar, {"type": "array", "minItems": 1, "items": scalar}, {
            "type": "object",
            "additionalProperties": false,
            "minProperties": 1,
            "maxProperties": 1,
            "properties": {
                "in": one_or_more(scalar),
                "matches": glob(),
                "exists": {"type": "boolean"},
                "not": {"$ref": "#/$defs/condition"},
            },
        }, {
            "type": "object",
            "additionalProperties": false,
            "minProperties": 1,
            "properties": {"at_least": {"type": "integer"}, "at_most": {"type": "integer"}},
        }],
    })
}

fn exception() -> Value {
    json!({
        "description": "The one thing that widens: it names what it lets through, why, who answers for it and until when.",
        "type": "object",
        "required": ["rules", "reason", "owner", "expires"],
        "anyOf": [{"required": ["keys"]}, {"required": ["values"]}],
        "additionalProperties": false,
        "properties": {
            "rules": one_or_more(glob()),
            "keys": described(one_or_more(glob()), "Whole keys."),
            "values": texts(),
            "reason": {"type": "string", "pattern": "\\S"},
            "owner": {"type": "string", "pattern": "\\S"},
            "expires": {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"},
        },
    })
}

fn attributes() -> Value {
    described(
        json!({"anyOf": [{"const": "permitted"}, {
            "type": "object",
            "required": ["permitted"],
            "additionalProperties": false,
            "properties": {"permitted": {"anyOf": [glob(), {"type": "array", "items": glob()}]}},
        }]}),
        "Makes the policy an allow-list: attributes that neither the catalogue of conventions nor this list has are removed.",
    )
}

fn retention() -> Value {
    let class = json!({
        "type": "object",
        "required": ["name", "days"],
        "additionalProperties": false,
        "properties": {
            "name": name(),
            "days": {"type": "integer", "minimum": 1, "maximum": 3653},
            "signals": signals(),
            "when": {"$ref": "#/$defs/when"},
        },
    });
    described(
        one_or_more(class),
        "How long the receiver may keep a record, as its attribute `privet.retention` says; of several classes the shortest.",
    )
}

fn test() -> Value {
    let scalar = json!({"type": ["string", "number", "boolean"]});
    let attributes = json!({"$ref": "#/$defs/attributes"});
    let text = json!({"type": "string"});
    let list = |item: Value| json!({"anyOf": [item, {"type": "array", "items": item}]});
    let closed = |properties: Value| json!({"type": "object", "additionalProperties": false, "properties": properties});
    let log = closed(json!({
        "body": true, "attributes": attributes, "severity_text": text, "severity_number": {"type": "integer"},
        "event_name": text, "trace_id": text, "span_id": text,
    }));
    let event = closed(json!({"name": text, "attributes": attributes}));
    let link = closed(json!({"attributes": attributes, "trace_state": text, "trace_id": text, "span_id": text}));
    let span = closed(json!({
        "name": text, "attributes": attributes, "kind": {"type": "integer"}, "events": list(event), "links": list(link),
        "status": text, "trace_state": text, "trace_id": text, "span_id": text,
    }));
    let point = closed(json!({
        "attributes": attributes, "value": {"type": "number"}, "count": {"type": "integer"}, "sum": {"type": "number"},
        "exemplars": list(attributes.clone()),
    }));
    let metric = closed(json!({
        "name": text, "description": text, "unit": text, "type": words(["gauge", "sum", "histogram", "summary"]),
        "metadata": attributes, "points": list(point),
    }));
    let forms = ["log", "span", "metric", "otlp", "file"].map(|form| json!({"required": [form]}));
    json!({
        "type": "object",
        "required": ["name", "given"],
        "anyOf": [{"required": ["hides"]}, {"required": ["keeps"]}, {"required": ["expect"]}, {"required": ["dropped"]}],
        "additionalProperties": false,
        "properties": {
            "name": {"type": "string"},
            "promise": described(text.clone(), "What the policy promises by it, for reports."),
            "given": {
                "type": "object",
                "additionalProperties": false,
                "oneOf": forms,
                "properties": {
                    "resource": attributes,
                    "scope": closed(json!({"name": text, "version": text, "attributes": attributes})),
                    "log": {"anyOf": [text, log]},
                    "span": span,
                    "metric": metric,
                    "otlp": described(json!({"type": ["object", "string"]}), "A request in OTLP/JSON."),
                    "file": described(text.clone(), "A file of such requests, from the policy's place."),
                },
            },
            "hides": described(one_or_more(scalar.clone()), "Must be found nowhere in what leaves, in any letter case."),
            "keeps": described(one_or_more(scalar.clone()), "Must still be found."),
            "expect": {
                "description": "Fields and what they must be; `*` stands for any run of characters, null for: gone.",
                "type": "object",
                "additionalProperties": {"anyOf": [scalar, {"type": "null"}]},
            },
            "dropped": {"type": "boolean"},
        },
    })
}

fn pack() -> Value {
    let names: Vec<&str> = PACKS.iter().map(|(name, _)| *name).collect();
    json!({"anyOf": [{"enum": names}, {"type": "string", "pattern": "\\.ya?ml$"}]})
}

fn signals() -> Value {
    described(one_or_more(words(Signal::ALL.map(Signal::name))), "All of them if left out.")
}

fn parts() -> Vec<&'static str> {
    Part::ALL.iter().map(|part| part.name()).chain(["attributes"]).collect()
}

fn name() -> Value {
    json!({"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"})
}

fn glob() -> Value {
    json!({"type": "string", "pattern": "^[^?\\[\\]{}\\\\!]+$"})
}

fn text(about: &str) -> Value {
    described(json!({"type": "string"}), about)
}

/// One text alone need not be in a list.
fn texts() -> Value {
    json!({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]})
}

fn one_or_more(item: Value) -> Value {
    json!({"anyOf": [item, {"type": "array", "minItems": 1, "items": item}]})
}

fn words<const N: usize>(words: [&str; N]) -> Value {
    json!({"enum": words.to_vec()})
}

fn described(mut schema: Value, about: &str) -> Value {
    schema.as_object_mut().unwrap_or(&mut Map::new()).insert("description".into(), about.into());
    schema
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::policy::syntax::{POLICY_KEYS, RULE_KEYS};
    use crate::policy::{Code, load, tests, yaml};

    fn errors(text: &str) -> Vec<String> {
        let instance = yaml::parse(text).expect("YAML").value.canonical();
        tests::json_schema::errors(&schema(), &instance)
    }

    /// With `PRIVET_REFERENCE=write` the page is written anew.
    #[test]
    fn the_reference_is_that_of_the_schema() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/policy.md");
        let page = std::fs::read_to_string(path).expect("the page");
        let (above, below) = page.split_once("## Reference\n\n").expect("the reference");
        if std::env::var("PRIVET_REFERENCE").is_ok_and(|what| what == "write") {
            std::fs::write(path, format!("{above}## Reference\n\n{}", reference())).expect("the page can be written");
        } else {
            assert_eq!(below, reference());
        }
    }

    #[test]
    fn the_documented_policies_do_what_they_say() {
        let page = include_str!("../../docs/policy.md");
        let policies: Vec<&str> = page
            .split("```yaml\n")
            .skip(1)
            .filter_map(|block| block.split("```").next())
            .filter(|block| block.starts_with("version:"))
            .collect();
        assert!(policies.len() > 6);
        for text in policies {
            assert_eq!(errors(text), Vec::<String>::new(), "{text}");
            let policy = crate::policy::Policy::parse(&[("docs/policy.md", text)], jiff::civil::date(2026, 11, 21));
            let policy = std::sync::Arc::new(policy.unwrap_or_else(|wrong| panic!("{wrong}")));
            let report = crate::review::testing::run(&policy, &|_| Err("no files here".into()));
            let failed: Vec<_> = report.failed().map(|case| (&case.name, &case.failures)).collect();
            assert!(failed.is_empty(), "{failed:?}\n{text}");
        }
    }

    #[test]
    fn the_schema_accepts_every_pack() {
        for (name, text) in load::PACKS {
            assert_eq!(errors(text), Vec::<String>::new(), "{name}");
        }
    }

    #[test]
    fn the_schema_has_every_key_that_is_read() {
        let schema = schema();
        let keys = |properties: &Value| -> BTreeSet<String> {
            properties.as_object().expect("an object").keys().cloned().collect()
        };
        let read = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect::<BTreeSet<_>>();
        assert_eq!(keys(&schema["properties"]), read(POLICY_KEYS));
        assert_eq!(keys(&schema["$defs"]["rule"]["properties"]), read(RULE_KEYS));
    }

    /// What no schema can say: it spans rules and files, or is inside a regular expression or a value.
    const BEYOND: [Code; 15] = [
        Code::NotYaml,
        Code::UnknownKind,
        Code::BadRegex,
        Code::DuplicateRule,
        Code::ExpiredException,
        Code::UnknownRule,
        Code::ConditionOutOfReach,
        Code::BadKeep,
        Code::CannotRead,
        Code::ExampleFails,
        Code::TooMany,
        Code::NeverActs,
        Code::CostlyPattern,
        Code::ExpiringException,
        Code::NoExamples,
    ];

    #[test]
    fn the_schema_rejects_what_check_rejects_structurally() {
        for (code, text) in tests::wrong_cases() {
            if code == Code::NotYaml {
                continue;
            }
            let rejected = !errors(&text).is_empty();
            assert_eq!(rejected, !BEYOND.contains(&code), "{code:?}:\n{text}");
        }
    }
}
