//! The filter in this process: its parsers, its options, chunks for it and what it makes of them.

use std::{collections::HashMap, env, ops::Deref, path::PathBuf, sync::Arc};

use flb_kube::{
    kube::Msgpack,
    options::Options,
    plugin::{Chunk, Filter, Filtered, Host, Parsed, Parser, Parsers, Refusal},
    plugins::filter_kube::{KubeFilter, KubeOptions},
    record::msgpack::{
        reader::{Events, Map, text},
        write,
    },
    runtime::{Owner, Tasks},
};
use k8s_openapi::jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use regex::bytes::{Regex, RegexBuilder};
use serde_json::Value;

/// The parsers of a parsers file: `Format json` and `Format regex`, with or without `Time_Key`.
#[derive(Clone, Default)]
pub struct ParsersFile(HashMap<String, Arc<FileParser>>);

struct FileParser {
    regex: Option<Regex>,
    time_key: Option<String>,
}

impl ParsersFile {
    /// Reads its text.
    pub fn read(file: &str) -> Self {
        let mut parsers = HashMap::new();
        for section in file.split("[PARSER]").skip(1) {
            let rows: HashMap<String, &str> = section
                .lines()
                .filter_map(|line| line.trim().split_once(char::is_whitespace))
                .map(|(key, value)| (key.to_lowercase(), value.trim()))
                .collect();
            // The host's expressions know lines, as Ruby's do.
            let regex = rows.get("regex").map(|regex| {
                RegexBuilder::new(regex).multi_line(true).build().expect("an expression of both kinds")
            });
            let time_key = rows.get("time_key").map(ToString::to_string);
            parsers.insert(rows["name"].to_owned(), Arc::new(FileParser { regex, time_key }));
        }
        Self(parsers)
    }
}

impl Host for ParsersFile {
    fn parsers(&self) -> Arc<dyn Parsers> {
        Arc::new(self.clone())
    }
}

impl Parsers for ParsersFile {
    fn get(&self, name: &str) -> Option<Arc<dyn Parser>> {
        let parser = self.0.get(name)?;
        Some(Arc::clone(parser) as Arc<dyn Parser>)
    }
}

impl Parser for FileParser {
    fn parse(&self, line: &[u8]) -> Option<Parsed> {
        let mut pairs: Vec<(Vec<u8>, Vec<u8>)> = match &self.regex {
            Some(regex) => {
                let found = regex.captures(line)?;
                let group =
                    |name: &str| Some((packed(name.as_bytes()), packed(found.name(name)?.as_bytes())));
                regex.capture_names().flatten().filter_map(group).collect()
            }
            None => {
                let read: Msgpack = serde_json::from_slice(line).ok()?;
                let map = Map::of(read.bytes())?;
                map.pairs().map(|pair| (pair.key.to_vec(), pair.value.to_vec())).collect()
            }
        };
        let mut time = None;
        if let Some(key) = &self.time_key
            && let Some(at) = pairs.iter().position(|(name, _)| text(name) == Some(key.as_bytes()))
        {
            time = text(&pairs[at].1).and_then(read_time);
            pairs.remove(at);
        }
        let mut fields = Vec::new();
        write::map_header(&mut fields, pairs.len());
        fields.extend(pairs.into_iter().flat_map(|(key, value)| [key, value]).flatten());
        Some(Parsed { fields, time })
    }
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut packed = Vec::new();
    write::str(&mut packed, bytes);
    packed
}

fn read_time(text: &[u8]) -> Option<(u64, u32)> {
    let text = std::str::from_utf8(text).ok()?;
    let of_no_zone = || text.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok();
    let time = text.parse::<Timestamp>().ok().or_else(|| Some(of_no_zone()?.timestamp()))?;
    Some((time.as_second().try_into().ok()?, time.subsec_nanosecond().try_into().ok()?))
}

/// The folder of the built-in filter's own cases; where it is absent, that is said.
pub fn built_in_cases() -> Option<PathBuf> {
    let beside = crate::root().join("../shared/corpus");
    let folder = env::var_os("FLB_KUBE_CORPUS").map_or(beside, PathBuf::from).join("kubernetes");
    if folder.exists() {
        return Some(folder);
    }
    println!("skipped: the built-in filter's cases are not at {}", folder.display());
    None
}

/// A filter, and the work beside it, which ends with its tasks.
pub struct Running {
    filter: KubeFilter,
    _tasks: Tasks,
}

impl Deref for Running {
    type Target = KubeFilter;

    fn deref(&self) -> &KubeFilter {
        &self.filter
    }
}

/// The filter with these options, of which the last of a name counts, or why it does not start.
fn load(host: &dyn Host, options: &[(&str, &str)]) -> Result<Running, Refusal> {
    let tasks = Tasks::new(Owner { name: "filter:kube:kube.0".into(), level: 4 }).expect("a runtime");
    let written = |key: &str| {
        let last = options.iter().rev().find(|(name, _)| *name == key);
        last.map(|(_, value)| (*value).to_owned())
    };
    let options = KubeOptions::load(&written).expect("good options");
    KubeFilter::start(options, tasks.clone(), host).map(|filter| Running { filter, _tasks: tasks })
}

/// Starts the filter with these options.
pub fn start(host: &dyn Host, options: &[(&str, &str)]) -> Running {
    load(host, options).expect("a start")
}

/// Starts it on the node `n1`, beside an API server at `url`, with these options too.
pub fn beside(url: &str, options: &[(&str, &str)]) -> Result<Running, Refusal> {
    let own = [
        ("kube_url", url),
        ("kube_token_file", ""),
        ("kube_node_name", "n1"),
        ("wait_for_sync", "30s"),
        ("self_check", "off"),
    ];
    load(&ParsersFile::default(), &[&own, options].concat())
}

/// The time of all records: 2001-09-09T01:46:40.000000005Z.
pub const TIME: (u64, u32) = (1_000_000_000, 5);

/// Records as events, each with metadata of its own.
pub fn chunk(records: &[Value]) -> Vec<u8> {
    let mut chunk = Vec::new();
    for (number, record) in records.iter().enumerate() {
        chunk.extend_from_slice(&[0x92, 0x92, 0xd7, 0x00]);
        chunk.extend_from_slice(&(TIME.0 as u32).to_be_bytes());
        chunk.extend_from_slice(&TIME.1.to_be_bytes());
        chunk.extend_from_slice(&[0x81, 0xa1, b'n', number as u8 & 0x7f]);
        let record: Msgpack = serde_json::from_str(&record.to_string()).expect("JSON");
        chunk.extend_from_slice(record.bytes());
    }
    chunk
}

/// What becomes of a chunk under `tag`; the same bytes if nothing.
pub fn bytes(filter: &KubeFilter, tag: &str, chunk: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    match filter.filter(Chunk { tag: tag.as_bytes(), data: chunk, input: "" }, &mut out) {
        Filtered::Unchanged => chunk.to_vec(),
        Filtered::Changed => out,
    }
}

/// The times and bodies of a chunk's records.
pub fn read(chunk: &[u8]) -> Vec<((u64, u32), rmpv::Value)> {
    let mut events = Events::new(chunk);
    let read = events.by_ref().map(|event| {
        let time = event.time().expect("a time");
        let body = rmpv::decode::read_value(&mut &event.bytes[event.head().len()..]).expect("a body");
        ((time.seconds, time.nanos), body)
    });
    let read = read.collect();
    assert!(events.rest().is_empty(), "whole events");
    read
}

/// A msgpack value as JSON.
pub fn json(value: &rmpv::Value) -> Value {
    serde_json::from_str(&crate::ordered::json(value)).expect("JSON")
}

/// What comes out for records under `tag`: their times and bodies.
pub fn pass(filter: &KubeFilter, tag: &str, records: &[Value]) -> Vec<((u64, u32), Value)> {
    let passed = read(&bytes(filter, tag, &chunk(records)));
    passed.into_iter().map(|(time, body)| (time, json(&body))).collect()
}

/// The bodies alone.
pub fn bodies(filter: &KubeFilter, tag: &str, records: &[Value]) -> Vec<Value> {
    pass(filter, tag, records).into_iter().map(|(_, body)| body).collect()
}
