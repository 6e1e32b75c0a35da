//! What holds for all bytes: the reader agrees with rmpv, splicing keeps what nobody asked to change, and JSON comes
//! out as serde_json reads it.

use proptest::{collection::vec, prelude::*};
use rmpv::Value;

use crate::record::{
    fields::{json, object::Object, severity::Severity},
    msgpack::{
        reader::{Event, Events, Kind, Map, text, value_len},
        write,
    },
    splice::{Lines, Record, choose::Always, merge::Merge, splice, treatment::Treatment},
};

/// Any msgpack value.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Nil),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f32>().prop_filter("equal to itself", |f| !f.is_nan()).prop_map(Value::from),
        any::<f64>().prop_filter("equal to itself", |f| !f.is_nan()).prop_map(Value::from),
        ".{0,40}".prop_map(Value::from),
        vec(any::<u8>(), 0..300).prop_map(Value::from),
        (any::<i8>(), vec(any::<u8>(), 0..20)).prop_map(|(kind, data)| Value::Ext(kind, data)),
    ];
    leaf.prop_recursive(4, 64, 20, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..20).prop_map(Value::Array),
            vec((inner.clone(), inner), 0..20).prop_map(Value::Map),
        ]
    })
}

fn map() -> impl Strategy<Value = Value> {
    vec(("[a-z]{1,12}".prop_map(Value::from), value()), 0..20).prop_map(Value::Map)
}

/// A header for `n` children that is wider than need be, as some hosts write them.
fn header(family: u8, width: u8, n: u32) -> Vec<u8> {
    match width {
        0 if n < 16 => vec![if family == 0xdc { 0x90 } else { 0x80 } | n as u8],
        0 | 1 => [&[family][..], &(n as u16).to_be_bytes()].concat(),
        _ => [&[family + 1][..], &n.to_be_bytes()].concat(),
    }
}

/// An event: its kind, the bytes before its body, and the body.
fn event() -> impl Strategy<Value = (Kind, Vec<u8>, Value, Vec<u8>)> {
    let seconds = prop_oneof![Just(u32::MAX), Just(u32::MAX - 1), 0..u32::MAX - 1];
    let width = || 0..3_u8;
    (seconds, 0..2_u32, map(), map(), (width(), width(), width()), any::<bool>()).prop_map(
        |(seconds, nanos, metadata, body, (root, inner, body_width), is_legacy)| {
            let kind = match (seconds, nanos) {
                (u32::MAX, 0) => Kind::GroupStart,
                (0xffff_fffe, 0) => Kind::GroupEnd,
                _ => Kind::Record,
            };
            let mut head = header(0xdc, root, 2);
            if !is_legacy {
                head.extend(header(0xdc, inner, 2));
            }
            head.extend([0xd7, 0x00]);
            head.extend(seconds.to_be_bytes());
            head.extend(nanos.to_be_bytes());
            if !is_legacy {
                head.extend(encoded(&metadata));
            }
            let Value::Map(pairs) = &body else { unreachable!("a map") };
            let mut body_bytes = header(0xde, body_width, pairs.len() as u32);
            for (key, value) in pairs {
                body_bytes.extend(encoded(key));
                body_bytes.extend(encoded(value));
            }
            (kind, head, body, body_bytes)
        },
    )
}

fn encoded(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    rmpv::encode::write_value(&mut bytes, value).unwrap();
    bytes
}

fn decoded(bytes: &[u8]) -> Value {
    let mut rest = bytes;
    let value = rmpv::decode::read_value(&mut rest).unwrap();
    assert!(rest.is_empty());
    value
}

fn addition() -> Vec<u8> {
    let mut pairs = Vec::new();
    write::str(&mut pairs, "kubernetes");
    write::map_header(&mut pairs, 1);
    write::str(&mut pairs, "pod_name");
    write::str(&mut pairs, "web-1");
    pairs
}

proptest! {
    #[test]
    fn a_value_is_as_long_as_rmpv_says(value in value(), tail in vec(any::<u8>(), 0..10)) {
        let bytes = encoded(&value);
        prop_assert_eq!(value_len(&[&bytes[..], &tail].concat()), Some(bytes.len()));
        prop_assert_eq!(value_len(&bytes[..bytes.len() - 1]), None);
        prop_assert_eq!(text(&bytes), value.as_str().map(str::as_bytes));
    }

    #[test]
    fn the_pairs_of_a_map_are_those_that_rmpv_reads(map in map()) {
        let bytes = encoded(&map);
        let pairs = Map::of(&bytes).unwrap().pairs();
        let read = pairs.map(|pair| (decoded(pair.key), decoded(pair.value))).collect();
        prop_assert_eq!(Value::Map(read), map);
    }

    #[test]
    fn reading_hostile_bytes_ends_and_never_panics(bytes in vec(any::<u8>(), 0..400)) {
        let mut events = Events::new(&bytes);
        let mut read = 0;
        for event in &mut events {
            read += event.bytes.len();
            let _ = (event.time(), event.metadata(), event.kind);
            let _ = event.body().map(|body| body.pairs().count());
        }
        prop_assert_eq!(read + events.rest().len(), bytes.len());
    }

    #[test]
    fn what_stands_before_damage_is_enriched(events in vec(event(), 1..4), at: usize, byte: u8) {
        let events: Vec<Vec<u8>> = events.into_iter().map(|(_, head, _, body)| [head, body].concat()).collect();
        let mut chunk = events.concat();
        let at = at % chunk.len();
        chunk[at] = byte;
        let ends = events.iter().scan(0, |end, event| {
            *end += event.len();
            Some(*end)
        });
        let whole = ends.filter(|end| *end <= at).last().unwrap_or(0);

        let pairs = addition();
        let spliced = |chunk| {
            let mut out = Vec::new();
            splice(chunk, &Lines::default(), &mut Always(&Treatment::adding(pairs.clone())), &mut out);
            out
        };
        prop_assert!(spliced(&chunk).starts_with(&spliced(&chunk[..whole])));
    }

    #[test]
    fn splicing_keeps_all_other_bytes(events in vec(event(), 0..6), cut in 0..30_usize) {
        let mut chunk = Vec::new();
        let mut expected = Vec::new();
        let pairs = addition();
        for (kind, head, body, bytes) in &events {
            chunk.extend_from_slice(head);
            chunk.extend_from_slice(bytes);
            expected.extend_from_slice(head);
            if *kind == Kind::Record {
                let header = bytes.len() - Map::of(bytes).unwrap().entries.len();
                write::map_header(&mut expected, body.as_map().unwrap().len() + 1);
                expected.extend_from_slice(&bytes[header..]);
                expected.extend_from_slice(&pairs);
            } else {
                expected.extend_from_slice(bytes);
            }
        }
        let tail = [0x92, 0x92, 0xd7, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0x80, 0x81, 0xa1, b'a'];
        chunk.extend_from_slice(&tail[..cut.min(tail.len())]);
        expected.extend_from_slice(&tail[..cut.min(tail.len())]);

        let mut out = Vec::new();
        let outcome = splice(&chunk, &Lines::default(), &mut Always(&Treatment::adding(pairs)), &mut out);
        prop_assert_eq!(out, expected);
        prop_assert_eq!(outcome.records, events.iter().filter(|event| event.0 == Kind::Record).count());
        prop_assert_eq!(outcome.unread, cut.min(tail.len()));
    }

    #[test]
    fn a_time_reads_alike_in_all_its_forms(seconds: u32, nanos in 0..1_000_000_000_u32) {
        let time = |bytes: &[u8]| {
            let event = [&[0x92][..], bytes, &[0x80]].concat();
            Events::new(&event).next().and_then(|event: Event<'_>| event.time())
        };
        let ext = [seconds.to_be_bytes(), nanos.to_be_bytes()].concat();
        let expected = time(&[&[0xd7, 0][..], &ext].concat()).unwrap();
        prop_assert_eq!((expected.seconds, expected.nanos), (seconds.into(), nanos));
        prop_assert_eq!(time(&[&[0xc7, 8, 0][..], &ext].concat()), Some(expected));
        prop_assert_eq!(time(&encoded(&Value::from(seconds))).map(|time| time.seconds), Some(seconds.into()));
        let float = time(&encoded(&Value::from(f64::from(seconds) + 0.5))).unwrap();
        prop_assert_eq!((float.seconds, float.nanos), (seconds.into(), 500_000_000));
    }

    #[test]
    fn json_comes_out_as_serde_json_reads_it(value in json()) {
        let mut object = Object::default();
        let text = serde_json::to_string_pretty(&value).unwrap();
        prop_assert!(json::read(text.as_bytes(), false, &mut object));
        let mut bytes = Vec::new();
        write::map_header(&mut bytes, object.map().len);
        bytes.extend_from_slice(object.map().entries);
        prop_assert_eq!(as_json(&decoded(&bytes)), value);
        prop_assert!(!json::read(&text.as_bytes()[..text.len() - 1], false, &mut object));
    }

    #[test]
    fn no_key_is_written_twice(
        body in few_keys(),
        line in few_keys(),
        settings in (any::<bool>(), any::<bool>(), any::<bool>(), "level|severity|kubernetes|log"),
    ) {
        let (keep, nests, is_adding, key) = settings;
        let mut pairs = body;
        pairs.retain(|(key, _)| key != "log");
        let line: Vec<String> = line.into_iter().map(|(key, value)| format!("\"{key}\":\"{value}\"")).collect();
        pairs.push(("log".into(), format!("{{{}}}", line.join(","))));
        let body = pairs.into_iter().map(|(key, value)| (key.into(), value.into())).collect();
        let lines = Lines {
            merge: Some(Merge { keep, key: nests.then(|| "level".into()), ..Merge::default() }),
            severity: Some(Severity::new(&key)),
            ..Lines::default()
        };
        let treatment = if is_adding { Treatment::adding(addition()) } else { Treatment::default() };
        let record = spliced(body, &lines, &treatment);
        let mut keys: Vec<_> = record.as_map().unwrap().iter().map(|(key, _)| key.to_string()).collect();
        keys.sort();
        prop_assert!(keys.windows(2).all(|two| two[0] != two[1]), "{:?}", keys);
    }

    #[test]
    fn no_text_makes_merging_panic(text in "[{}\\[\\]:,\"\\\\u0-9a-e.+ \n-]{0,60}") {
        let merge = Merge { keep: false, ..Merge::default() };
        let mut object = Object::default();
        let body = Value::Map(vec![("log".into(), text.clone().into())]);
        let event = encoded(&Value::Array(vec![1.into(), body]));
        let is_object = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&text).is_ok();
        let event = Events::new(&event).next().unwrap();
        let record = Record::new(&event, event.body().unwrap(), |_| None);
        let is_merged = merge.read(&record, &Treatment::default(), &mut object).is_some();
        prop_assert!(is_merged || !is_object);
    }
}

/// A JSON object.
fn json() -> impl Strategy<Value = serde_json::Value> {
    use serde_json::Value;
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-1e15..1e15_f64).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    let value = leaf.prop_recursive(4, 40, 20, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..20).prop_map(Value::from),
            vec((any::<String>(), inner), 0..20).prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    });
    vec((any::<String>(), value), 0..20).prop_map(|pairs| Value::Object(pairs.into_iter().collect()))
}

fn as_json(value: &Value) -> serde_json::Value {
    match value {
        Value::Nil => serde_json::Value::Null,
        Value::Boolean(bool) => (*bool).into(),
        Value::Integer(int) => int.as_u64().map_or_else(|| int.as_i64().into(), Into::into),
        Value::F64(float) => (*float).into(),
        Value::String(text) => text.as_str().into(),
        Value::Array(items) => items.iter().map(as_json).collect(),
        Value::Map(pairs) => {
            pairs.iter().map(|(key, value)| (key.as_str().unwrap().to_owned(), as_json(value))).collect()
        }
        Value::F32(_) | Value::Binary(_) | Value::Ext(..) => unreachable!("JSON has none of these"),
    }
}

#[test]
fn nesting_of_any_depth_is_skipped_without_recursion() {
    let mut bytes = vec![0x91; 1_000_000];
    assert_eq!(value_len(&bytes), None);
    bytes.push(0xc0);
    assert_eq!(value_len(&bytes), Some(1_000_001));
}

#[test]
fn json_that_is_too_deep_is_left_as_text() {
    let nested = |depth| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
    let mut object = Object::default();
    assert!(json::read(nested(100).as_bytes(), false, &mut object));
    assert!(!json::read(nested(1_000_000).as_bytes(), false, &mut object));
}

#[test]
fn json_with_a_number_beyond_all_floats_is_left_as_text() {
    let mut object = Object::default();
    assert!(json::read(b"{\"a\":1e308}", false, &mut object));
    for number in ["1e309", "-1e309", &"9".repeat(400)] {
        assert!(!json::read(format!("{{\"a\":{number}}}").as_bytes(), false, &mut object), "{number}");
    }
}

/// Fields with names that others have too; each name once.
fn few_keys() -> impl Strategy<Value = Vec<(String, String)>> {
    let name = "level|severity|kubernetes|log|a|b|PRIORITY";
    proptest::collection::hash_map(name, "warn|3|x", 0..6).prop_map(|map| map.into_iter().collect())
}

/// The record that comes of `body`.
fn spliced(body: Vec<(Value, Value)>, lines: &Lines, treatment: &Treatment) -> Value {
    let event = Value::Array(vec![1.into(), Value::Map(body)]);
    let mut out = Vec::new();
    splice(&encoded(&event), lines, &mut Always(treatment), &mut out);
    decoded(&out).as_array().unwrap()[1].clone()
}

/// The record that comes of `body`, merged without keeping the line.
fn merged(body: Vec<(Value, Value)>) -> Value {
    let merge = Merge { keep: false, ..Merge::default() };
    spliced(body, &Lines { merge: Some(merge), ..Lines::default() }, &Treatment::default())
}

#[test]
fn of_a_field_that_comes_twice_in_a_line_the_last_is_merged() {
    let record = merged(vec![("log".into(), r#"{"a":1,"b":{"c":1},"a":[2],"d":3}"#.into())]);
    let expected = vec![
        ("b".into(), Value::Map(vec![("c".into(), 1.into())])),
        ("a".into(), Value::Array(vec![2.into()])),
        ("d".into(), 3.into()),
    ];
    assert_eq!(record, Value::Map(expected));
}

#[test]
fn records_of_any_number_of_fields_are_written_with_the_shortest_header() {
    for (own, of_line) in [(1, 2), (6, 8), (6, 9), (10, 10), (20, 0), (30_000, 30_000), (40_000, 40_000)] {
        let mut body: Vec<(Value, Value)> = (0..own).map(|n| (format!("own-{n}").into(), n.into())).collect();
        let line: Vec<String> = (0..of_line).map(|n| format!("\"field-{n}\":{n}")).collect();
        body.push(("log".into(), format!("{{{}}}", line.join(",")).into()));
        let lines = Lines { merge: Some(Merge { keep: false, ..Merge::default() }), ..Lines::default() };
        let event = encoded(&Value::Array(vec![1.into(), Value::Map(body)]));
        let mut out = Vec::new();
        splice(&event, &lines, &mut Always(&Treatment::default()), &mut out);
        let record = decoded(&out);
        assert_eq!(record.as_array().unwrap()[1].as_map().unwrap().len(), own + of_line);
        assert!(encoded(&record) == out, "{own} and {of_line} fields");
    }
}

#[test]
fn numbers_are_what_a_reader_of_all_their_digits_finds() {
    let mut object = Object::default();
    for number in [
        "0",
        "-0",
        "7",
        "-1",
        "999999999999999",
        "-999999999999999",
        "9223372036854775807",
        "-9223372036854775808",
        "18446744073709551615",
        "18446744073709551616",
        "0.1",
        "-0.0",
        "0.0123",
        "1.5",
        "123456789.012345",
        "0.000000000000001",
        "0.30000000000000004",
        "1e3",
        "1.5E-7",
        "123456789012345.6",
    ] {
        assert!(json::read(format!("{{\"a\":{number}}}").as_bytes(), false, &mut object), "{number}");
        let value = decoded(object.map().get(b"a").unwrap());
        let expected: serde_json::Value = serde_json::from_str(number).unwrap();
        match (value.as_i64(), value.as_u64()) {
            (Some(whole), _) => assert_eq!(whole, number.parse::<i64>().unwrap(), "{number}"),
            (_, Some(whole)) => assert_eq!(whole, number.parse::<u64>().unwrap(), "{number}"),
            _ => {
                assert_eq!(value.as_f64().map(f64::to_bits), expected.as_f64().map(f64::to_bits), "{number}")
            }
        }
    }
}

#[test]
fn of_a_line_that_comes_twice_the_last_is_merged() {
    let line = |text: &str| (Value::from("log"), Value::from(text));
    let record = merged(vec![line("{\"a\":1}"), line("{\"b\":2}")]);
    assert_eq!(record, Value::Map(vec![("b".into(), 2.into())]));
}

#[test]
fn many_fields_of_a_line_replace_as_many_of_its_record() {
    let name = |n: usize| format!("field-{n}");
    let line: serde_json::Map<_, _> = (0..50_000).map(|n| (name(2 * n), 1.into())).collect();
    let mut body: Vec<(Value, Value)> = (0..50_000).map(|n| (name(n).into(), 0.into())).collect();
    body.push(("log".into(), serde_json::Value::Object(line).to_string().into()));
    let record = merged(body);
    let pairs = record.as_map().unwrap();
    assert_eq!(pairs.len(), 25_000 + 50_000);
    let number = |key: &Value| key.as_str().unwrap()["field-".len()..].parse::<usize>().unwrap();
    assert!(pairs[..25_000].iter().all(|(key, value)| number(key) % 2 == 1 && *value == 0.into()));
}
