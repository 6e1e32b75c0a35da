//! The filter without a host: options as an operator writes them, records as JSON.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

use std::{collections::HashMap, sync::Arc};

use flb_kube::{
    kube::Verbatim,
    options::Options as _,
    plugin::{Chunk, Filter as _, Filtered, Host, Parser, Parsers, Refusal},
    plugins::filter_kube::{KubeFilter, KubeOptions},
    record::reader::Events,
    runtime::{Owner, Tasks},
};
use serde_json::Value;

/// A host whose parsers file is empty.
struct Bare;

impl Host for Bare {
    fn parsers(&self) -> Arc<dyn Parsers> {
        Arc::new(Bare)
    }
}

impl Parsers for Bare {
    fn get(&self, _: &str) -> Option<Arc<dyn Parser>> {
        None
    }
}

/// A started filter, and what it does beside.
pub struct Filter(KubeFilter, Tasks);

impl Filter {
    /// With these options, beside an API server at `url`.
    pub fn start(url: &str, options: &[(&str, &str)]) -> Result<Self, Refusal> {
        let mut all = HashMap::from([
            ("kube_url", url),
            ("kube_token_file", ""),
            ("kube_node_name", "n1"),
            ("wait_for_sync", "30s"),
            ("self_check", "off"),
        ]);
        all.extend(options.iter().copied());
        let options = KubeOptions::load(&|key| all.get(key).map(ToString::to_string)).expect("good options");
        let tasks = Tasks::new(Owner { name: "filter:kube:kube.0".into(), level: 1 }).expect("a runtime");
        KubeFilter::start(options, tasks.clone(), &Bare).map(|filter| Self(filter, tasks))
    }

    /// What becomes of a chunk; the same bytes if nothing.
    pub fn bytes(&self, tag: &str, chunk: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        match self.0.filter(Chunk { tag: tag.as_bytes(), data: chunk }, &mut out) {
            Filtered::Unchanged => chunk.to_vec(),
            Filtered::Changed => out,
        }
    }

    /// What becomes of records.
    pub fn records(&self, tag: &str, records: &[Value]) -> Vec<Value> {
        let out = self.bytes(tag, &chunk(records));
        let mut events = Events::new(&out);
        let found = events.by_ref().map(|event| {
            let body = rmpv::decode::read_value(&mut &event.bytes[event.head().len()..]).expect("msgpack");
            json(&body)
        });
        let found = found.collect();
        assert!(events.rest().is_empty());
        found
    }
}

/// Records as the host holds them, each with metadata of its own.
pub fn chunk(records: &[Value]) -> Vec<u8> {
    let mut chunk = Vec::new();
    for (number, record) in records.iter().enumerate() {
        chunk.extend_from_slice(&[0x92, 0x92, 0xd7, 0x00, 0x65, 0, 0, 0, 0, 0, 0, 1]);
        chunk.extend_from_slice(&[0x81, 0xa1, b'n', number as u8 & 0x7f]);
        let body: Verbatim = serde_json::from_value(record.clone()).expect("any JSON is a value");
        chunk.extend_from_slice(body.bytes());
    }
    chunk
}

fn json(value: &rmpv::Value) -> Value {
    match value {
        rmpv::Value::Map(pairs) => {
            let pairs =
                pairs.iter().map(|(key, value)| (key.as_str().unwrap_or("?").to_owned(), json(value)));
            pairs.collect::<serde_json::Map<_, _>>().into()
        }
        rmpv::Value::Array(items) => items.iter().map(json).collect::<Vec<_>>().into(),
        rmpv::Value::String(text) => text.as_str().unwrap_or("?").into(),
        rmpv::Value::Integer(number) => number.as_i64().into(),
        rmpv::Value::Boolean(value) => (*value).into(),
        rmpv::Value::Nil => Value::Null,
        other => other.to_string().into(),
    }
}
