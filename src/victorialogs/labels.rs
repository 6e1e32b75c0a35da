//! What many rows have in common, in the form in which it is sent once for them all.
//!
//! Serves `encode`. Invariant: a map is encoded when it is first met and then known by its bytes.

use std::collections::HashMap;

use super::{
    config::Protocol,
    json,
    limits::{self, FIELD_BASE},
    protobuf,
    row::{Role, Row},
    rules::Rules,
    tally::Counts,
};
use crate::record::msgpack::walk::{Value, Walk};

/// Fields of a stream, ready for the wire.
#[derive(Debug, Default, Clone)]
pub(crate) struct Constants {
    /// `a="b",c="d"`: once per stream.
    labels: Vec<u8>,
    /// What goes with every row: names that can't be labels, or, in JSON lines, all fields.
    pub(crate) each: Vec<u8>,
    /// How many fields these are.
    pub(crate) count: usize,
    /// What they add to a row's estimate.
    pub(crate) size: usize,
}

impl Constants {
    /// Adds a field.
    pub(crate) fn add(&mut self, protocol: Protocol, name: &[u8], value: &[u8]) {
        self.count += 1;
        self.size += FIELD_BASE + name.len() + value.len();
        match protocol {
            Protocol::JsonLine => {
                json::string(&mut self.each, name);
                self.each.push(b':');
                json::string(&mut self.each, value);
                self.each.push(b',');
            }
            Protocol::Loki if can_be_label(name) => {
                if !self.labels.is_empty() {
                    self.labels.push(b',');
                }
                self.labels.extend_from_slice(name);
                self.labels.push(b'=');
                quoted(&mut self.labels, value);
            }
            Protocol::Loki => protobuf::pair(&mut self.each, name, value),
        }
    }

    /// Adds all of `other`.
    pub(crate) fn merge(&mut self, other: &Constants) {
        self.count += other.count;
        self.size += other.size;
        self.each.extend_from_slice(&other.each);
        if !self.labels.is_empty() && !other.labels.is_empty() {
            self.labels.push(b',');
        }
        self.labels.extend_from_slice(&other.labels);
    }

    /// Forgets all, but keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.labels.clear();
        self.each.clear();
        self.count = 0;
        self.size = 0;
    }

    /// How long [`Self::write_labels`] writes.
    pub(crate) fn labels_len(&self) -> usize {
        self.labels.len() + 2
    }

    /// Appends `{a="b",c="d"}`.
    pub(crate) fn write_labels(&self, out: &mut Vec<u8>) {
        out.push(b'{');
        out.extend_from_slice(&self.labels);
        out.push(b'}');
    }
}

/// Whether a name survives in a label string: the server takes it as it is, up to the equals sign.
fn can_be_label(name: &[u8]) -> bool {
    name.iter().all(|byte| byte.is_ascii_alphanumeric() || b"_-./:@".contains(byte))
}

/// Appends text in Go's quotes.
fn quoted(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    for &byte in text {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

/// Known maps are forgotten, all at once, above these.
const KNOWN_MAPS: usize = 1024;
const KNOWN_BYTES: usize = 8 * 1024 * 1024;

/// Maps are told apart by so many bytes of their start: names of pod and namespace. A shorter one is not shared.
const START: usize = 64;
/// So many maps may begin alike.
const ALIKE: usize = 8;

/// The maps met under one key of records, each the same for many records.
#[derive(Debug)]
pub(crate) struct SharedMaps {
    key: &'static [u8],
    known: Vec<(Box<[u8]>, Option<Constants>)>,
    by_start: HashMap<Box<[u8]>, Vec<u32>>,
    latest: u32,
    bytes: usize,
}

impl SharedMaps {
    /// For the maps under `key`.
    pub(crate) fn new(key: &'static [u8]) -> Self {
        Self { key, known: Vec::new(), by_start: HashMap::new(), latest: 0, bytes: 0 }
    }

    /// The key.
    pub(crate) fn key(&self) -> &'static [u8] {
        self.key
    }

    /// Forgets what was learnt if that is much. Numbers given before are void then.
    pub(crate) fn trim(&mut self) {
        if self.known.len() > KNOWN_MAPS || self.bytes > KNOWN_BYTES {
            *self = Self::new(self.key);
        }
    }

    /// The constants of a number that [`Self::number`] gave.
    pub(crate) fn get(&self, number: u32) -> Option<&Constants> {
        self.known.get(number as usize)?.1.as_ref()
    }

    /// The number of the map ahead, which the walk then goes past; `None` if there is no map or it can't be shared.
    #[inline]
    pub(crate) fn number(
        &mut self,
        walk: &mut Walk<'_>,
        protocol: Protocol,
        rules: &Rules,
        counts: &mut Counts,
    ) -> Option<u32> {
        let rest = walk.rest();
        let known = if self.is_ahead(rest, self.latest) { Some(self.latest) } else { self.look_up(rest) };
        let number = match known {
            Some(number) => number,
            None => self.learn(walk, protocol, rules, counts)?,
        };
        self.latest = number;
        let (bytes, constants) = self.known.get(number as usize)?;
        constants.as_ref()?;
        walk.advance(bytes.len());
        Some(number)
    }

    /// Whether a known map is what lies ahead: where the same bytes lie, the same value does.
    #[inline]
    fn is_ahead(&self, rest: &[u8], number: u32) -> bool {
        self.known.get(number as usize).is_some_and(|(bytes, _)| rest.starts_with(bytes))
    }

    fn look_up(&self, rest: &[u8]) -> Option<u32> {
        let alike = self.by_start.get(rest.get(..START)?)?;
        alike.iter().copied().find(|&number| self.is_ahead(rest, number))
    }

    fn learn(
        &mut self,
        walk: &Walk<'_>,
        protocol: Protocol,
        rules: &Rules,
        counts: &mut Counts,
    ) -> Option<u32> {
        let Ok(Value::Map(_)) = walk.clone().next() else { return None };
        let bytes = walk.clone().skip().ok()?;
        let start = bytes.get(..START)?;
        let constants = self.encode(bytes, protocol, rules, counts);
        let number = self.known.len() as u32;
        let alike = self.by_start.entry(start.into()).or_default();
        if alike.len() == ALIKE {
            alike.remove(0);
        }
        alike.push(number);
        self.bytes +=
            bytes.len() + constants.as_ref().map_or(0, |known| known.each.len() + known.labels.len());
        self.known.push((bytes.into(), constants));
        Some(number)
    }

    fn encode(
        &self,
        map: &[u8],
        protocol: Protocol,
        rules: &Rules,
        counts: &mut Counts,
    ) -> Option<Constants> {
        let mut walk = Walk::new(map);
        let Ok(Value::Map(pairs)) = walk.next() else { return None };
        let mut row = Row::default();
        row.add_map(self.key, pairs, &mut walk, rules, counts).ok()?;
        // What was too long for a name of its own stays with its map.
        row.pack_surplus(self.key);
        let mut constants = Constants::default();
        for field in row.fields.iter().filter(|field| field.role != Role::Taken) {
            constants.add(protocol, row.bytes(field.name), row.bytes(field.value));
        }
        let fits = constants.count <= limits::SHARED_FIELDS
            && constants.size <= limits::SHARED_BYTES
            && constants.each.len() <= limits::SHARED_BYTES;
        fits.then_some(constants)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_label_strings_cannot_hold_go_with_every_row() {
        let mut constants = Constants::default();
        constants.add(Protocol::Loki, b"kubernetes.labels.app.kubernetes.io/name", b"a \"b\"\\\nc");
        constants.add(Protocol::Loki, b"odd=name", b"v");
        constants.add(Protocol::Loki, b"two words", b"v");
        let mut labels = Vec::new();
        constants.write_labels(&mut labels);
        assert_eq!(
            String::from_utf8(labels).unwrap(),
            r#"{kubernetes.labels.app.kubernetes.io/name="a \"b\"\\\nc"}"#
        );
        assert_eq!(constants.each, b"\x1a\x0d\x0a\x08odd=name\x12\x01v\x1a\x0e\x0a\x09two words\x12\x01v");
        assert_eq!(constants.count, 3);
    }
}
