//! Lines: what the readers of JSON, logfmt and klog take is whole msgpack without a key that comes twice; JSON says what
//! serde_json reads where both take it, and of the others no text is made up.

#![no_main]

use flb_kube::record::{splice::merge::{Format, Merge}, fields::{json, object::Object, severity::Severity}, msgpack::reader::{Map, Time, text, value_len}};
use libfuzzer_sys::fuzz_target;
use rmpv::Value as Packed;
use serde_json::Value;

/// Nested deeper than this the two may differ on what they take.
const DEEP: usize = 100;
/// What [`Severity`] may find.
const WORDS: [&str; 10] =
    ["trace", "debug", "info", "notice", "warning", "error", "critical", "alert", "emergency", "fatal"];

fuzz_target!(|data: &[u8]| {
    let Some((options, line)) = data.split_first() else { return };
    let (trim, nest) = (options & 1 != 0, options & 2 != 0);
    let format = [Format::Json, Format::Logfmt, Format::Klog, Format::Auto][usize::from(options >> 2 & 3)];
    let merge = Merge { format, trim, key: nest.then(|| "nested".to_owned()), ..Merge::default() };
    let at = || Some(Time { seconds: 1_767_225_600, nanos: 0 });
    let mut fields = Object::default();
    // What a line before left behind must not show.
    json::read(br#"{"before":{"a":[1,"\n"]}}"#, trim, &mut fields);
    let is_read = merge.read_text(line, None, at, &mut fields).is_some();
    let oracle = match format {
        Format::Json => serde_json::from_slice::<Value>(line).ok().filter(Value::is_object),
        _ => None,
    };
    if !is_read {
        let opened = line.iter().filter(|byte| matches!(byte, b'{' | b'[')).count();
        assert!(oracle.is_none() || opened > DEEP, "what is one object was not taken");
        return;
    }
    check(&fields, fields.map());
    let own = fields.fields();
    if nest {
        assert!(fields.map().len <= 1);
    }
    if let Some(word) = Severity::new("severity").find(own, None) {
        assert!(WORDS.contains(&word), "{word}");
    }
    match format {
        Format::Json => {
            if let Some(oracle) = oracle.filter(|_| !trim) {
                let read = as_value(own);
                assert!(says(&read, &oracle), "{read} is not {oracle}");
            }
        }
        // Without escapes each text is a piece of the line, but for the words of klog's header.
        Format::Logfmt if !line.contains(&b'\\') => {
            for pair in own.pairs() {
                assert!(
                    [pair.key, pair.value].into_iter().filter_map(text).all(|text| is_within(text, line))
                );
            }
        }
        Format::Klog => {
            let Some(message) = own.get(b"message").and_then(text) else { panic!("klog without a message") };
            assert!(line.contains(&b'\\') || line.contains(&b'<') || is_within(message, line));
        }
        _ => {}
    }
});

fn is_within(text: &[u8], line: &[u8]) -> bool {
    text.is_empty() || line.windows(text.len()).any(|window| window == text)
}

/// All pairs are there and whole, and each key is known as one.
fn check(object: &Object, map: Map<'_>) {
    let mut at = 0;
    for pair in map.pairs() {
        assert_eq!(value_len(pair.bytes), Some(pair.key.len()));
        assert!(object.has(pair.key));
        at += pair.bytes.len();
    }
    assert_eq!(map.pairs().count(), map.len);
    let mut keys: Vec<&[u8]> = map.pairs().map(|pair| pair.key).collect();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), map.len, "no key comes twice");
    assert_eq!(at, map.entries.len(), "nothing lies after the last pair");
}

fn as_value(map: Map<'_>) -> Packed {
    let pair = |pair: flb_kube::record::msgpack::reader::Pair<'_>| (packed(pair.key), packed(pair.value));
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
        (Packed::Map(pairs), Value::Object(fields)) => {
            fields.iter().all(|(name, value)| {
                // Of a key that comes twice both keep the last.
                let last = pairs.iter().rev().find(|(key, _)| key.as_str() == Some(name));
                last.is_some_and(|(_, read)| says(read, value))
            }) && pairs.iter().all(|(key, _)| key.as_str().is_some_and(|key| fields.contains_key(key)))
        }
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
