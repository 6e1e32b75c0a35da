//! An instance of the input, and an engine that remembers what it took.

use std::{
    collections::BTreeMap,
    sync::mpsc::{Receiver, channel},
    time::{Duration, Instant},
};

use flb_kube::{
    options::Options,
    plugin::{Engine, Input, NotTaken, Wake},
    plugins::in_kube_events::{KubeEvents, KubeEventsOptions},
    runtime::{Owner, Tasks},
};
use serde_json::{Value, json};

use crate::apiserver::ApiServer;

pub const DEADLINE: Duration = Duration::from_secs(60);

/// A record as the engine took it.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    pub seconds: u32,
    pub nanos: u32,
    pub body: Value,
    /// The msgpack of the whole record.
    pub bytes: Vec<u8>,
}

impl Record {
    pub fn uid(&self) -> &str {
        self.body["metadata"]["uid"].as_str().unwrap()
    }

    pub fn name(&self) -> &str {
        self.body["metadata"]["name"].as_str().unwrap()
    }
}

/// Reads the records of one append.
pub fn records(mut data: &[u8]) -> Vec<Record> {
    let mut records = Vec::new();
    while !data.is_empty() {
        let start = data;
        let rmpv::Value::Array(parts) = rmpv::decode::read_value(&mut data).unwrap() else {
            panic!("a record is an array")
        };
        let [rmpv::Value::Ext(0, at), body] = parts.as_slice() else { panic!("a record is [time, body]") };
        let number = |at: &[u8]| u32::from_be_bytes(at.try_into().unwrap());
        records.push(Record {
            seconds: number(&at[..4]),
            nanos: number(&at[4..]),
            body: plain(body),
            bytes: start[..start.len() - data.len()].to_vec(),
        });
    }
    records
}

fn plain(value: &rmpv::Value) -> Value {
    match value {
        rmpv::Value::Nil => Value::Null,
        rmpv::Value::Boolean(value) => json!(value),
        rmpv::Value::Integer(value) => value.as_i64().map_or_else(|| json!(value.as_u64()), |v| json!(v)),
        rmpv::Value::F64(value) => json!(value),
        rmpv::Value::String(value) => json!(value.as_str().unwrap()),
        rmpv::Value::Array(items) => items.iter().map(plain).collect(),
        rmpv::Value::Map(entries) => {
            let entry =
                |(key, value): &(rmpv::Value, rmpv::Value)| (key.as_str().unwrap().to_owned(), plain(value));
            Value::Object(entries.iter().map(entry).collect())
        }
        other => panic!("{other} is not JSON"),
    }
}

/// An engine that remembers, and refuses so many appends first.
#[derive(Default)]
pub struct Remembering {
    pub taken: Vec<Record>,
    pub appends: usize,
    pub refuse: usize,
}

impl Engine for Remembering {
    fn append(&mut self, count: usize, data: &[u8]) -> Result<(), NotTaken> {
        if self.refuse > 0 {
            self.refuse -= 1;
            return Err(NotTaken);
        }
        let records = records(data);
        assert_eq!(records.len(), count, "the count is that of the records");
        self.taken.extend(records);
        self.appends += 1;
        Ok(())
    }
}

/// A running instance.
pub struct Rig {
    pub input: KubeEvents,
    pub engine: Remembering,
    tasks: Tasks,
    woken: Receiver<()>,
}

impl Rig {
    /// Starts on `server` with these options beside those that every test needs.
    pub fn start(server: &ApiServer, options: &[(&str, &str)]) -> Self {
        Self::at(&server.url(), options)
    }

    /// Starts on the server at `url`.
    pub fn at(url: &str, options: &[(&str, &str)]) -> Self {
        let mut all = BTreeMap::from([
            ("kube_url", url.to_owned()),
            ("kube_token_file", String::new()),
            ("kube_ca_file", String::new()),
            ("kube_retention_time", "3650d".to_owned()),
            ("interval_nsec", "10000000".to_owned()),
        ]);
        all.extend(options.iter().map(|(key, value)| (*key, (*value).to_owned())));
        let options = KubeEventsOptions::load(&|key| all.get(key).cloned()).unwrap();
        let tasks = Tasks::new(Owner { name: "input:kube_events:test".into(), level: 3 }).unwrap();
        let (wake, woken) = channel();
        let wake = Wake::new(move || {
            let _ = wake.send(());
        });
        let input = KubeEvents::start(options, tasks.clone(), wake).unwrap();
        Self { input, engine: Remembering::default(), tasks, woken }
    }

    /// Collects until `done` says so.
    pub fn until(&mut self, what: &str, done: impl Fn(&Remembering) -> bool) {
        let deadline = Instant::now() + DEADLINE;
        loop {
            self.input.collect(&mut self.engine);
            if done(&self.engine) {
                return;
            }
            assert!(Instant::now() < deadline, "{what}: {:#?}", self.names());
            let _ = self.woken.recv_timeout(Duration::from_millis(20));
        }
    }

    /// Collects until so many records are there.
    pub fn until_taken(&mut self, count: usize) {
        self.until(&format!("{count} records"), |engine| engine.taken.len() >= count);
    }

    /// Collects until the event of this name is there.
    pub fn until_named(&mut self, name: &str) {
        self.until(name, |engine| engine.taken.iter().any(|record| record.name() == name));
    }

    pub fn names(&self) -> Vec<&str> {
        self.engine.taken.iter().map(Record::name).collect()
    }

    /// Ends as the host ends an instance; answers what was taken.
    pub fn stop(self) -> Vec<Record> {
        self.tasks.stop();
        drop(self.input);
        self.engine.taken
    }
}

/// An event as a kubelet writes it.
pub fn event(name: &str, count: u64) -> Value {
    json!({
        "kind": "Event", "apiVersion": "v1",
        "metadata": {"name": name, "namespace": "shop"},
        "involvedObject": {"kind": "Pod", "namespace": "shop", "name": "web-1", "apiVersion": "v1"},
        "reason": "BackOff", "message": "Back-off restarting failed container", "type": "Warning",
        "source": {"component": "kubelet", "host": "node-1"}, "eventTime": null, "count": count,
        "firstTimestamp": "2026-01-02T03:04:05Z", "lastTimestamp": "2026-01-02T03:04:05Z",
    })
}

/// Each (uid, resourceVersion), and how often it was taken.
pub fn versions(records: &[Record]) -> BTreeMap<(String, String), usize> {
    let mut versions = BTreeMap::new();
    for record in records {
        let version = record.body["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
        *versions.entry((record.uid().to_owned(), version)).or_default() += 1;
    }
    versions
}
