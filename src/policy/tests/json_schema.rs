//! JSON Schema, as much of draft 2020-12 as the schema of policies uses; a keyword that is not known here fails the test, so
//! that the schema says nothing that is not checked.

use serde_json::Value;

/// What is wrong with an instance, with its place.
pub fn errors(schema: &Value, instance: &Value) -> Vec<String> {
    let mut found = Vec::new();
    Validator { root: schema }.check(schema, instance, "", &mut found);
    found
}

struct Validator<'a> {
    root: &'a Value,
}

impl Validator<'_> {
    fn holds(&self, schema: &Value, instance: &Value) -> bool {
        let mut found = Vec::new();
        self.check(schema, instance, "", &mut found);
        found.is_empty()
    }

    fn check(&self, schema: &Value, instance: &Value, at: &str, found: &mut Vec<String>) {
        let Value::Object(keywords) = schema else {
            assert_eq!(*schema, Value::Bool(true), "a schema is an object or true");
            return;
        };
        for (keyword, said) in keywords {
            let holds = match keyword.as_str() {
                "$schema" | "$id" | "title" | "description" | "$defs" => true,
                "$ref" => {
                    let path = said.as_str().and_then(|path| path.strip_prefix('#')).expect("a local reference");
                    self.check(self.root.pointer(path).expect("what is referred to"), instance, at, found);
                    true
                }
                "if" => {
                    if self.holds(said, instance) {
                        self.check(&keywords["then"], instance, at, found);
                    }
                    true
                }
                "then" => keywords.contains_key("if"),
                "properties" | "additionalProperties" => true,
                "type" => types(said).any(|name| is(name, instance)),
                "const" => instance == said,
                "enum" => list(said).contains(instance),
                "anyOf" => list(said).iter().any(|one| self.holds(one, instance)),
                "oneOf" => list(said).iter().filter(|one| self.holds(one, instance)).count() == 1,
                "allOf" => {
                    list(said).iter().for_each(|one| self.check(one, instance, at, found));
                    true
                }
                "not" => !self.holds(said, instance),
                "required" => instance.as_object().is_none_or(|members| {
                    list(said).iter().all(|name| members.contains_key(name.as_str().expect("a name")))
                }),
                "minProperties" => instance.as_object().is_none_or(|members| members.len() as u64 >= number(said)),
                "maxProperties" => instance.as_object().is_none_or(|members| members.len() as u64 <= number(said)),
                "minItems" => instance.as_array().is_none_or(|items| items.len() as u64 >= number(said)),
                "minLength" => instance.as_str().is_none_or(|text| text.chars().count() as u64 >= number(said)),
                "maxLength" => instance.as_str().is_none_or(|text| text.chars().count() as u64 <= number(said)),
                "minimum" => instance.as_f64().is_none_or(|value| value >= said.as_f64().expect("a number")),
                "maximum" => instance.as_f64().is_none_or(|value| value <= said.as_f64().expect("a number")),
                "pattern" => instance.as_str().is_none_or(|text| {
                    regex::Regex::new(said.as_str().expect("a pattern")).expect("a pattern").is_match(text)
                }),
                "items" => {
                    for (index, item) in instance.as_array().into_iter().flatten().enumerate() {
                        self.check(said, item, &format!("{at}/{index}"), found);
                    }
                    true
                }
                other => panic!("the keyword `{other}` is not known here"),
            };
            if !holds {
                found.push(format!("{keyword} at {at}"));
            }
        }
        self.members(schema, instance, at, found);
    }

    fn members(&self, schema: &Value, instance: &Value, at: &str, found: &mut Vec<String>) {
        for (name, value) in instance.as_object().into_iter().flatten() {
            let place = format!("{at}/{name}");
            match (schema["properties"].get(name), &schema["additionalProperties"]) {
                (Some(property), _) => self.check(property, value, &place, found),
                (None, Value::Bool(false)) => found.push(format!("unknown at {place}")),
                (None, Value::Null) => {}
                (None, rest) => self.check(rest, value, &place, found),
            }
        }
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().expect("a list")
}

fn number(value: &Value) -> u64 {
    value.as_u64().expect("a whole number")
}

fn types(value: &Value) -> impl Iterator<Item = &str> {
    let one = value.as_str().into_iter();
    one.chain(value.as_array().into_iter().flatten().map(|name| name.as_str().expect("a type")))
}

fn is(name: &str, value: &Value) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("there is no type {other}"),
    }
}
