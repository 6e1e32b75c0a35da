//! Events: written in the form of the release, read in any form, shown as JSON.
//!
//! Serves the built-in inputs and outputs; the plugins under test have their own reader.

use std::fmt::Write;

use rmpv::Value;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::{clock::Moment, release::EventForm};

/// The seconds that mark a group's start and end (since 3.1.0).
const GROUP_START: u32 = u32::MAX;
const GROUP_END: u32 = u32::MAX - 1;

/// One event, with its metadata where the form has any.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) time: Moment,
    pub(crate) metadata: Value,
    pub(crate) record: Value,
}

impl Event {
    pub(crate) fn new(time: Moment, record: Value) -> Self {
        Self { time, metadata: Value::Map(Vec::new()), record }
    }

    /// From a JSON line: a record, or `[time, metadata, record]`, where the times -1 and -2 mark a group.
    pub(crate) fn from_json(line: &str) -> Option<Self> {
        match serde_json::from_str::<Ordered>(line).ok()?.0 {
            record @ Value::Map(_) => Some(Self::new(Moment::now(), record)),
            Value::Array(parts) => {
                let [time, metadata, record] = <[Value; 3]>::try_from(parts).ok()?;
                let seconds = match time.as_i64() {
                    Some(-1) => GROUP_START,
                    Some(-2) => GROUP_END,
                    _ => time.as_f64()? as u32,
                };
                let fraction = time.as_f64()?.max(0.0).fract();
                let time = Moment { seconds, nanoseconds: (fraction * 1e9) as u32 };
                Some(Self { time, metadata, record })
            }
            _ => None,
        }
    }

    pub(crate) fn is_group_marker(&self) -> bool {
        matches!(self.time.seconds, GROUP_START | GROUP_END)
    }

    pub(crate) fn encode(&self, form: EventForm, out: &mut Vec<u8>) {
        match form {
            EventForm::Legacy => out.push(0x92),
            EventForm::Wide => out.extend([0xdd, 0, 0, 0, 2, 0xdd, 0, 0, 0, 2]),
            EventForm::Short => out.extend([0x92, 0x92]),
        }
        out.extend([0xd7, 0]);
        out.extend(self.time.seconds.to_be_bytes());
        out.extend(self.time.nanoseconds.to_be_bytes());
        if form != EventForm::Legacy {
            write_value(out, &self.metadata);
        }
        write_value(out, &self.record);
    }
}

fn write_value(out: &mut Vec<u8>, value: &Value) {
    rmpv::encode::write_value(out, value).expect("a Vec takes all bytes");
}

/// Reads the events of a chunk, up to the first that is broken.
pub(crate) fn decode(mut data: &[u8]) -> Vec<Event> {
    let mut events = Vec::new();
    while !data.is_empty() {
        let Some(event) = rmpv::decode::read_value(&mut data).ok().and_then(from_value) else { break };
        events.push(event);
    }
    events
}

fn from_value(value: Value) -> Option<Event> {
    let Value::Array(parts) = value else { return None };
    let [head, record] = <[Value; 2]>::try_from(parts).ok()?;
    let (time, metadata) = match head {
        Value::Array(head) => <[Value; 2]>::try_from(head).ok()?.into(),
        time => (time, Value::Map(Vec::new())),
    };
    let time = match &time {
        Value::Ext(0, bytes) => {
            let seconds = u32::from_be_bytes(bytes.get(..4)?.try_into().ok()?);
            let nanoseconds = u32::from_be_bytes(bytes.get(4..8)?.try_into().ok()?);
            Moment { seconds, nanoseconds }
        }
        number => {
            let seconds = number.as_f64()?;
            Moment { seconds: seconds as u32, nanoseconds: (seconds.fract() * 1e9) as u32 }
        }
    };
    Some(Event { time, metadata, record })
}

/// A JSON value whose maps keep their order.
struct Ordered(Value);

impl<'de> Deserialize<'de> for Ordered {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OrderedVisitor).map(Ordered)
    }
}

struct OrderedVisitor;

impl<'de> Visitor<'de> for OrderedVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Nil)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(Ordered(value)) = list.next_element()? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut entries = Vec::new();
        while let Some((key, Ordered(value))) = map.next_entry::<String, Ordered>()? {
            entries.push((key.into(), value));
        }
        Ok(Value::Map(entries))
    }
}

/// Reads a JSON object as a record.
pub(crate) fn record_from_json(text: &str) -> Option<Value> {
    serde_json::from_str::<Ordered>(text).ok().map(|ordered| ordered.0).filter(Value::is_map)
}

/// Writes a value as JSON, with maps in their order and bytes as text.
pub(crate) fn to_json(value: &Value) -> String {
    let mut out = String::new();
    write_json(&mut out, value);
    out
}

/// Writes a record as JSON with its time in front, as `stdout` does with `format json_lines`.
pub(crate) fn to_json_line(event: &Event, date_key: &str) -> String {
    let time = f64::from(event.time.seconds) + f64::from(event.time.nanoseconds) / 1e9;
    let body = to_json(&event.record);
    let rest = body.strip_prefix('{').unwrap_or(&body);
    let comma = if rest == "}" { "" } else { "," };
    format!("{{{}:{time:.6}{comma}{rest}", quoted(date_key))
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn write_json(out: &mut String, value: &Value) {
    match value {
        Value::Map(entries) => {
            out.push('{');
            for (at, (key, value)) in entries.iter().enumerate() {
                let comma = if at > 0 { "," } else { "" };
                let key = key.as_str().map_or_else(|| to_json(key), str::to_owned);
                // Writing into a String never fails.
                let _ = write!(out, "{comma}{}:", quoted(&key));
                write_json(out, value);
            }
            out.push('}');
        }
        Value::Array(values) => {
            out.push('[');
            for (at, value) in values.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write_json(out, value);
            }
            out.push(']');
        }
        Value::String(text) => out.push_str(&quoted(&String::from_utf8_lossy(text.as_bytes()))),
        Value::Binary(bytes) | Value::Ext(_, bytes) => out.push_str(&quoted(&String::from_utf8_lossy(bytes))),
        Value::Nil => out.push_str("null"),
        Value::F32(_) | Value::F64(_) => {
            let number = serde_json::Value::from(value.as_f64().unwrap_or_default());
            let _ = write!(out, "{number}");
        }
        other => {
            let _ = write!(out, "{other}");
        }
    }
}
