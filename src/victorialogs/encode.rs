//! Records into the body of a request: rows grouped by stream, what a stream's rows share written once.
//!
//! Serves `deliver`; its speed is the output's. Invariant: a batch covers the chunk's bytes from its start without a
//! gap, so that what a batch stands for can be told by a range of bytes.

use std::collections::HashMap;

use super::{
    config::{Config, Protocol},
    json,
    labels::{Constants, SharedMaps},
    limits::{self, FIELD_BASE, ROW, ROW_BASE},
    protobuf,
    row::{Role, Row, Text},
    rules::Rules,
    tally::{Counts, Reason},
    text, time,
};
use crate::{
    clock::since_1970,
    record::msgpack::walk::{Damaged, Value, Walk},
};

/// The keys whose maps are the same for all records of a container.
const SHARED_KEYS: [&[u8]; 2] = [b"kubernetes", b"kubernetes_namespace"];
/// Event metadata becomes fields below this name.
const METADATA: &[u8] = b"metadata";
/// The memory of so many streams is kept from one batch to the next.
const KEPT_GROUPS: usize = 64;
const MESSAGE: &[u8] = b"_msg";

/// What was encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batch {
    /// How many bytes of the chunk it stands for.
    pub consumed: usize,
    /// How many records are in the body.
    pub records: usize,
    /// What had to be changed or left out.
    pub counts: Counts,
}

/// Turns records into bodies, and keeps its memory from one to the next.
#[derive(Debug)]
pub struct Encoder {
    protocol: Protocol,
    rules: Rules,
    extra: Constants,
    /// The borders of times that are counted, as distances from now in nanoseconds.
    max_age: Option<i64>,
    max_future: Option<i64>,
    shared: [SharedMaps; 2],
    groups: Vec<Group>,
    used: usize,
    latest: usize,
    by_key: HashMap<Vec<u8>, usize>,
    key: Vec<u8>,
    size: usize,
    row_memory: (Vec<u8>, Vec<u8>),
    body: Vec<u8>,
}

/// The rows of one stream.
#[derive(Debug, Default)]
struct Group {
    key: Vec<u8>,
    constants: Constants,
    rows: Vec<u8>,
}

/// A record's borders in time, in nanoseconds since 1970.
struct Span {
    from: i64,
    to: i64,
}

impl Encoder {
    /// An encoder for one output.
    pub fn new(config: &Config) -> Self {
        let protocol = config.mapping.protocol;
        let mut extra = Constants::default();
        for (name, value) in &config.mapping.extra_fields {
            extra.add(protocol, name.as_bytes(), value.as_bytes());
        }
        let nanos = |duration: std::time::Duration| i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX);
        Self {
            protocol,
            rules: Rules::new(&config.mapping),
            extra,
            max_age: config.max_age.map(nanos),
            max_future: config.max_future.map(nanos),
            shared: SHARED_KEYS.map(SharedMaps::new),
            groups: Vec::new(),
            used: 0,
            latest: 0,
            by_key: HashMap::new(),
            key: Vec::new(),
            size: 0,
            row_memory: Default::default(),
            body: Vec::new(),
        }
    }

    /// The body of the latest batch.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Encodes records from the start of `data` until the body is full or the data ends.
    pub fn encode(&mut self, data: &[u8]) -> Batch {
        self.reset();
        let mut batch = Batch { consumed: 0, records: 0, counts: Counts::default() };
        let (own, path) = std::mem::take(&mut self.row_memory);
        let mut row = Row::with_memory(own, path);
        let mut walk = Walk::new(data);
        let span = self.span();
        while walk.at() < data.len() && self.size < limits::BODY && self.used < limits::STREAMS {
            match self.event(&mut walk, &mut row, &span, &mut batch.counts) {
                Ok(record) => batch.records += usize::from(record),
                Err(Damaged) => {
                    batch.counts.add(Reason::Damaged);
                    walk.advance(data.len());
                }
            }
        }
        batch.consumed = walk.at();
        self.row_memory = row.into_memory();
        self.assemble();
        batch
    }

    fn reset(&mut self) {
        for shared in &mut self.shared {
            shared.trim();
        }
        let held: usize = self.groups.iter().map(|group| group.rows.capacity()).sum();
        self.groups.truncate(if held > 2 * limits::BODY { 0 } else { KEPT_GROUPS });
        self.by_key.clear();
        self.used = 0;
        self.size = 0;
    }

    fn span(&self) -> Span {
        let now = now();
        Span {
            from: self.max_age.map_or(i64::MIN, |age| now.saturating_sub(age)),
            to: self.max_future.map_or(i64::MAX, |ahead| now.saturating_add(ahead)),
        }
    }

    /// Encodes the event ahead; tells whether it was a record.
    fn event<'a>(
        &mut self,
        walk: &mut Walk<'a>,
        row: &mut Row<'a>,
        span: &Span,
        counts: &mut Counts,
    ) -> Result<bool, Damaged> {
        let mut ahead = walk.clone();
        let Some(head) = head(&mut ahead)? else {
            walk.skip()?;
            counts.add(Reason::Foreign);
            return Ok(false);
        };
        if head.is_group_marker {
            walk.skip()?;
            return Ok(false);
        }
        *walk = ahead;
        let shared = self.collect(&head, walk, row, counts)?;
        let time = row.take_time(counts).unwrap_or(head.time);
        if time < span.from {
            counts.add(Reason::TooOld);
        } else if time > span.to {
            counts.add(Reason::TooNew);
        }
        let group = self.group(shared, row);
        let message = row.take_message(counts);
        // The server would put its own time in place of 0.
        self.write(group, if time == 0 { 1 } else { time }, message, row, counts);
        Ok(true)
    }

    /// Flattens the record ahead into `row`, but for the maps that are sent once for many; gives their numbers.
    fn collect<'a>(
        &mut self,
        head: &Head<'a>,
        walk: &mut Walk<'a>,
        row: &mut Row<'a>,
        counts: &mut Counts,
    ) -> Result<[Option<u32>; 2], Damaged> {
        let (start, before) = (walk.clone(), *counts);
        let mut shared = [None; 2];
        let mut is_flat = [false; 2];
        row.clear();
        self.metadata(head, row, counts)?;
        for _ in 0..head.pairs {
            let key = walk.next()?;
            if let Value::Str(name) = key
                && name.first() == Some(&b'k')
            {
                for place in 0..SHARED_KEYS.len() {
                    is_flat[place] |=
                        name.strip_prefix(SHARED_KEYS[place]).is_some_and(|n| n.starts_with(b"."));
                }
                if let Some(place) = self.shared.iter().position(|maps| maps.key() == name) {
                    if let Some(number) = self.shared[place].number(walk, self.protocol, &self.rules, counts)
                    {
                        if shared[place].replace(number).is_some() {
                            counts.add(Reason::Duplicate);
                        }
                        continue;
                    }
                    is_flat[place] = true;
                }
            }
            row.pair(key, walk, 1, &self.rules, counts)?;
        }
        if (0..shared.len()).any(|place| is_flat[place] && shared[place].is_some()) {
            // Flat names beside the map of that name: only all fields together can tell which comes last.
            *walk = start;
            *counts = before;
            shared = [None; 2];
            row.clear();
            self.metadata(head, row, counts)?;
            row.add_map(b"", head.pairs, walk, &self.rules, counts)?;
        }
        Ok(shared)
    }

    fn metadata<'a>(&self, head: &Head<'a>, row: &mut Row<'a>, counts: &mut Counts) -> Result<(), Damaged> {
        if let Some(metadata) = head.metadata {
            let mut walk = Walk::new(metadata);
            if let Value::Map(pairs @ 1..) = walk.next()? {
                row.add_map(METADATA, pairs, &mut walk, &self.rules, counts)?;
            }
        }
        Ok(())
    }

    /// The group of rows with these maps and these values of stream fields.
    #[inline]
    fn group(&mut self, shared: [Option<u32>; 2], row: &Row<'_>) -> usize {
        self.key.clear();
        for number in shared {
            self.key.extend_from_slice(&number.map_or(0, |number| number + 1).to_le_bytes());
        }
        for field in &row.fields {
            if let Role::Stream(rank) = field.role {
                let value = row.bytes(field.value);
                self.key.extend_from_slice(&rank.to_le_bytes());
                self.key.extend_from_slice(&(value.len() as u32).to_le_bytes());
                self.key.extend_from_slice(value);
            }
        }
        if self.latest < self.used && self.groups[self.latest].key == self.key {
            return self.latest;
        }
        self.latest = match self.by_key.get(&self.key) {
            Some(&group) => group,
            None => self.new_group(shared, row),
        };
        self.latest
    }

    fn new_group(&mut self, shared: [Option<u32>; 2], row: &Row<'_>) -> usize {
        if self.used == self.groups.len() {
            self.groups.push(Group::default());
        }
        let group = &mut self.groups[self.used];
        group.key.clone_from(&self.key);
        group.rows.clear();
        group.constants.clear();
        group.constants.merge(&self.extra);
        for (maps, number) in self.shared.iter().zip(shared) {
            if let Some(constants) = number.and_then(|number| maps.get(number)) {
                group.constants.merge(constants);
            }
        }
        for field in row.fields.iter().filter(|field| matches!(field.role, Role::Stream(_))) {
            group.constants.add(self.protocol, row.bytes(field.name), row.bytes(field.value));
        }
        self.size += group.constants.labels_len();
        self.by_key.insert(self.key.clone(), self.used);
        self.used += 1;
        self.used - 1
    }

    fn write<'a>(
        &mut self,
        group: usize,
        time: i64,
        mut message: Text<'a>,
        row: &mut Row<'a>,
        counts: &mut Counts,
    ) {
        let group = &mut self.groups[group];
        let before = group.rows.len();
        // The stream's fields count too, and the message; in JSON lines the time does as well.
        let room = limits::FIELDS.saturating_sub(group.constants.count + 1);
        let own = FIELD_BASE + MESSAGE.len() + ROW_BASE + group.constants.size;
        match self.protocol {
            Protocol::Loki => {
                row.limit_fields(room, counts);
                row.limit_size(&mut message, ROW.saturating_sub(own), <[u8]>::len, counts);
                entry(&mut group.rows, time, message, row, &group.constants.each);
            }
            Protocol::JsonLine => {
                row.limit_fields(room.saturating_sub(1), counts);
                line(&mut group.rows, time, message, row, &group.constants.each);
                if group.rows.len() - before > limits::LINE + 1 {
                    group.rows.truncate(before);
                    let limit = limits::LINE.saturating_sub(ROW_BASE + group.constants.each.len());
                    row.limit_size(&mut message, limit, json::escaped_len, counts);
                    line(&mut group.rows, time, message, row, &group.constants.each);
                }
            }
        }
        self.size += group.rows.len() - before;
    }

    /// Joins the groups into the body.
    fn assemble(&mut self) {
        self.body.clear();
        for group in &self.groups[..self.used] {
            if self.protocol == Protocol::Loki {
                let labels = group.constants.labels_len();
                self.body.push(protobuf::FIRST);
                protobuf::varint(&mut self.body, (protobuf::bytes_len(labels) + group.rows.len()) as u64);
                self.body.push(protobuf::FIRST);
                protobuf::varint(&mut self.body, labels as u64);
                group.constants.write_labels(&mut self.body);
            }
            self.body.extend_from_slice(&group.rows);
        }
    }
}

/// Appends a row as an entry of a Loki stream.
#[inline]
fn entry(out: &mut Vec<u8>, time: i64, message: Text<'_>, row: &Row<'_>, each: &[u8]) {
    let pairs: usize = row.plain().map(|field| protobuf::pair_len(field.name.len(), field.value.len())).sum();
    let len = protobuf::whole_time_len(time) + protobuf::bytes_len(message.len()) + each.len() + pairs;
    out.push(protobuf::SECOND);
    protobuf::varint(out, len as u64);
    protobuf::time(out, time);
    protobuf::bytes(out, protobuf::SECOND, row.bytes(message));
    out.extend_from_slice(each);
    for field in row.plain() {
        protobuf::pair(out, row.bytes(field.name), row.bytes(field.value));
    }
}

/// Appends a row as a line of JSON.
#[inline]
fn line(out: &mut Vec<u8>, time: i64, message: Text<'_>, row: &Row<'_>, each: &[u8]) {
    out.extend_from_slice(b"{\"_time\":");
    text::signed(out, time);
    out.push(b',');
    out.extend_from_slice(each);
    for field in row.plain() {
        json::string(out, row.bytes(field.name));
        out.push(b':');
        json::string(out, row.bytes(field.value));
        out.push(b',');
    }
    out.extend_from_slice(b"\"_msg\":");
    json::string(out, row.bytes(message));
    out.extend_from_slice(b"}\n");
}

/// What stands before a record's pairs.
struct Head<'a> {
    time: i64,
    is_group_marker: bool,
    metadata: Option<&'a [u8]>,
    pairs: u32,
}

/// Reads an event up to its pairs; `None` for msgpack that is no event.
#[inline]
fn head<'a>(walk: &mut Walk<'a>) -> Result<Option<Head<'a>>, Damaged> {
    let Value::Array(2) = walk.next()? else { return Ok(None) };
    let (time, metadata) = match walk.next()? {
        Value::Array(2) => (walk.next()?, Some(walk.skip()?)),
        time => (time, None),
    };
    let is_group_marker = time::is_group_marker(time);
    Ok(match (time::of_event(time), walk.next()?) {
        (Some(time), Value::Map(pairs)) => Some(Head { time, is_group_marker, metadata, pairs }),
        _ => None,
    })
}

/// Nanoseconds since 1970.
fn now() -> i64 {
    i64::try_from(since_1970().as_nanos()).unwrap_or(i64::MAX)
}
