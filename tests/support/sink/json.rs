//! JSON objects as VictoriaLogs reads them: a key that comes twice counts twice, nested names are joined with dots.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};

/// A JSON object with all its pairs, also those whose key comes twice.
pub(super) struct Object(Vec<(String, Value)>);

/// A value of such an object.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Value {
    Object(Object),
    Other(serde_json::Value),
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Object;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Object(pairs))
            }
        }
        deserializer.deserialize_map(Pairs)
    }
}

/// Joins the names of nested objects with dots.
pub(super) fn flatten(prefix: &str, object: Object, fields: &mut Vec<(String, String)>) {
    for (name, value) in object.0 {
        let name = format!("{prefix}{name}");
        match value {
            Value::Object(nested) => flatten(&format!("{name}."), nested, fields),
            Value::Other(serde_json::Value::Null) => {}
            Value::Other(serde_json::Value::String(text)) => fields.push((name, text)),
            Value::Other(other) => fields.push((name, other.to_string())),
        }
    }
}
