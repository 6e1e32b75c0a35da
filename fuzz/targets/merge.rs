//! Lines: what the JSON reader takes is whole msgpack, and says what serde_json reads where both take it.

#![no_main]

use flb_kube::record::{
    json::Object,
    reader::{Map, value_len},
};
use libfuzzer_sys::fuzz_target;
use rmpv::Value as Packed;
use serde_json::Value;

/// Nested deeper than this the two may differ on what they take.
const DEEP: usize = 100;

fuzz_target!(|data: &[u8]| {
    let Some((options, text)) = data.split_first() else { return };
    let (trim, nest) = (options & 1 != 0, options & 2 != 0);
    let mut object = Object::default();
    // What a line before left behind must not show.
    object.read(br#"{"before":{"a":[1,"\n"]}}"#, trim);
    let is_object = object.read(text, trim);
    let oracle = serde_json::from_slice::<Value>(text).ok().filter(Value::is_object);
    if !is_object {
        let opened = text.iter().filter(|byte| matches!(byte, b'{' | b'[')).count();
        assert!(oracle.is_none() || opened > DEEP, "what is one object was not taken");
        return;
    }
    if nest {
        object.nest("nested");
        assert!(object.map().len <= 1);
    }
    let map = object.map();
    check(&object, map);
    if let Some(oracle) = oracle.filter(|_| !trim) {
        let read = match object.map().get(b"nested").filter(|_| nest) {
            Some(value) => packed(value),
            None => as_value(map),
        };
        assert!(says(&read, &oracle), "{read} is not {oracle}");
    }
});

/// All pairs are there and whole, and each key is known as one.
fn check(object: &Object, map: Map<'_>) {
    let mut at = 0;
    for pair in map.pairs() {
        assert_eq!(value_len(pair.bytes), Some(pair.key.len()));
        assert!(object.has(pair.key));
        at += pair.bytes.len();
    }
    assert_eq!(map.pairs().count(), map.len);
    assert_eq!(at, map.entries.len(), "nothing lies after the last pair");
}

fn as_value(map: Map<'_>) -> Packed {
    let pair = |pair: flb_kube::record::reader::Pair<'_>| (packed(pair.key), packed(pair.value));
    Packed::Map(map.pairs().map(pair).collect())
}

fn packed(bytes: &[u8]) -> Packed {
    let mut rest = bytes;
    let value = rmpv::decode::read_value(&mut rest).expect("the other reader takes it too");
    assert!(rest.is_empty());
    value
}

fn says(read: &Packed, oracle: &Value) -> bool {
    match (read, oracle) {
        (Packed::Nil, Value::Null) => true,
        (Packed::Boolean(one), Value::Bool(other)) => one == other,
        (Packed::String(one), Value::String(other)) => one.as_str() == Some(other),
        (Packed::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| says(one, other))
        }
        (Packed::Map(pairs), Value::Object(fields)) => fields.iter().all(|(name, value)| {
            // Of a key that comes twice both keep the last.
            let last = pairs.iter().rev().find(|(key, _)| key.as_str() == Some(name));
            last.is_some_and(|(_, read)| says(read, value))
        }) && pairs.iter().all(|(key, _)| key.as_str().is_some_and(|key| fields.contains_key(key))),
        (Packed::Integer(one), Value::Number(other)) => {
            one.as_i64().is_some_and(|one| other.as_i64() == Some(one))
                || one.as_u64().is_some_and(|one| other.as_u64() == Some(one))
                // Minus nothing is a float to the one, and nothing to the other.
                || one.as_u64() == Some(0) && other.as_f64() == Some(0.0)
        }
        (Packed::F64(one), Value::Number(other)) => other.as_f64() == Some(*one),
        _ => false,
    }
}
