//! JSON whose keys keep their order, as msgpack values.

use flb_kube::kube::Msgpack;
use rmpv::Value;

/// Reads JSON.
pub fn read(text: &str) -> Value {
    let read: Msgpack = serde_json::from_str(text).expect("JSON");
    rmpv::decode::read_value(&mut read.bytes()).expect("msgpack")
}

/// JSON as the host writes it.
pub fn json(value: &Value) -> String {
    match value {
        Value::Nil => "null".into(),
        Value::String(text) => serde_json::to_string(text.as_str().expect("UTF-8")).expect("a text"),
        Value::Array(items) => format!("[{}]", items.iter().map(json).collect::<Vec<_>>().join(",")),
        Value::Map(pairs) => {
            let pairs = pairs.iter().map(|(key, value)| format!("{}:{}", json(key), json(value)));
            format!("{{{}}}", pairs.collect::<Vec<_>>().join(","))
        }
        other => other.to_string(),
    }
}

/// The value of `key` in a map, which gains it if it has none.
pub fn entry<'a>(map: &'a mut Value, key: &str, default: Value) -> &'a mut Value {
    let Value::Map(pairs) = map else { panic!("no map: {map}") };
    let at = pairs.iter().position(|(name, _)| name.as_str() == Some(key)).unwrap_or_else(|| {
        pairs.push((key.into(), default));
        pairs.len() - 1
    });
    &mut pairs[at].1
}
