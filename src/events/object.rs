//! One event object: its msgpack record, and what has to be known of it, both from one pass over the JSON.
//!
//! Serves `shape`. Invariant: what is no object, or has no uid and version, is read to its end all the same, so that
//! its neighbours are found.

use std::{fmt, ops::Range};

use serde::{
    Deserializer,
    de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor},
};

use super::time::{self, Nanos};
use crate::{kube::object::msgpack::Append, record::msgpack::write};

/// An event, and where its record is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Event {
    /// Its uid.
    pub(super) uid: String,
    /// Its version.
    pub(super) resource_version: String,
    /// The newest of all its stamps; when it was received if it has none.
    pub(super) newest: Nanos,
    /// Its record in the buffer.
    pub(super) record: Range<usize>,
}

/// Why there is no record: what the line or item is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bad(pub(super) String);

impl fmt::Display for Bad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<serde_json::Error> for Bad {
    fn from(error: serde_json::Error) -> Self {
        Self(format!("no proper JSON ({error})"))
    }
}

/// The stamps of an event.
#[derive(Debug, Default)]
struct Stamps {
    observed: Option<Nanos>,
    last: Option<Nanos>,
    event: Option<Nanos>,
    first: Option<Nanos>,
    created: Option<Nanos>,
    /// By the clock of the API server, from `managedFields`.
    written: Option<Nanos>,
}

impl Stamps {
    /// When it happened, last.
    fn best(&self) -> Option<Nanos> {
        self.observed.or(self.last).or(self.event).or(self.first).or(self.created)
    }

    fn newest(&self) -> Option<Nanos> {
        [self.observed, self.last, self.event, self.first, self.created, self.written]
            .into_iter()
            .max()
            .flatten()
    }
}

/// What was found in an object.
#[derive(Debug, Default)]
pub(super) struct Found {
    uid: Option<String>,
    version: Option<String>,
    kind: Option<Vec<u8>>,
    api_version: Option<Vec<u8>>,
    stamps: Stamps,
    is_object: bool,
    record: Range<usize>,
    newest: Nanos,
}

impl Found {
    /// The event, if it can be told from others.
    pub(super) fn event(self) -> Result<Event, Bad> {
        match (self.is_object, self.uid, self.version) {
            (false, ..) => Err(Bad("no object".into())),
            (_, None, _) => Err(Bad("an event without metadata.uid".into())),
            (_, _, None) => Err(Bad("an event without metadata.resourceVersion".into())),
            (_, Some(uid), Some(resource_version)) => {
                Ok(Event { uid, resource_version, newest: self.newest, record: self.record })
            }
        }
    }

    /// The version alone.
    pub(super) fn version(self) -> Result<String, Bad> {
        self.version.ok_or_else(|| Bad("an object without metadata.resourceVersion".into()))
    }

    fn note(&mut self, place: Place, key: &str, text: &str) {
        let owned = || (!text.is_empty()).then(|| text.to_owned());
        match (place, key) {
            (Place::Metadata, "uid") => self.uid = owned(),
            (Place::Metadata, "resourceVersion") => self.version = owned(),
            (Place::Metadata, "creationTimestamp") => self.stamps.created = time::parse(text),
            (Place::Writer, "time") => self.stamps.written = self.stamps.written.max(time::parse(text)),
            (Place::Event, "firstTimestamp") => self.stamps.first = time::parse(text),
            (Place::Event, "lastTimestamp") => self.stamps.last = time::parse(text),
            (Place::Event, "eventTime") => self.stamps.event = time::parse(text),
            (Place::Series, "lastObservedTime") => self.stamps.observed = time::parse(text),
            _ => {}
        }
    }
}

/// Reads one object and appends its record, in the form `[time, body]` that every host takes.
pub(super) struct Object<'a> {
    pub(super) received: Nanos,
    pub(super) out: &'a mut Vec<u8>,
}

impl<'de> DeserializeSeed<'de> for Object<'_> {
    type Value = Found;

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<Found, D::Error> {
        let start = self.out.len();
        let mut found = Found::default();
        write::array_header(self.out, 2);
        let stamp = self.out.len();
        self.out.extend_from_slice(&time::encode(self.received));
        Part { place: Place::Event, found: &mut found, out: self.out }.deserialize(input)?;
        if let Some(at) = found.stamps.best() {
            self.out.splice(stamp..stamp + 10, time::encode(at));
        }
        found.newest = found.stamps.newest().unwrap_or(self.received);
        found.record = start..self.out.len();
        Ok(found)
    }
}

/// Where in the object a part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Event,
    Series,
    Metadata,
    /// `managedFields`.
    Writers,
    /// One of them.
    Writer,
}

impl Place {
    /// The place under `key`, if something is to be known there.
    fn under(self, key: &str) -> Option<Place> {
        match (self, key) {
            (Place::Event, "metadata") => Some(Place::Metadata),
            (Place::Event, "series") => Some(Place::Series),
            (Place::Metadata, "managedFields") => Some(Place::Writers),
            _ => None,
        }
    }
}

/// Appends a part of the object and notes what is to be known of it.
struct Part<'a> {
    place: Place,
    found: &'a mut Found,
    out: &'a mut Vec<u8>,
}

impl Part<'_> {
    fn value<'de, A: MapAccess<'de>>(&mut self, key: &str, entries: &mut A) -> Result<(), A::Error> {
        if let Some(place) = self.place.under(key) {
            return entries.next_value_seed(Part { place, found: self.found, out: self.out });
        }
        let start = self.out.len();
        entries.next_value_seed(Append(self.out))?;
        if let Some(text) = self.out.get(start..).and_then(text) {
            self.found.note(self.place, key, text);
        }
        Ok(())
    }

    /// Puts the map's header, and what every event begins with, before the entries since `start`.
    fn close(self, start: usize, entries: usize) {
        if self.place != Place::Event {
            return write::close(self.out, start, write::map_header, entries);
        }
        let end = self.out.len();
        write::map_header(self.out, entries + 2);
        for (key, value, default) in
            [("kind", self.found.kind.take(), "Event"), ("apiVersion", self.found.api_version.take(), "v1")]
        {
            write::str(self.out, key);
            match value {
                Some(value) => self.out.extend_from_slice(&value),
                None => write::str(self.out, default),
            }
        }
        let head = self.out.len() - end;
        if let Some(written) = self.out.get_mut(start..) {
            written.rotate_right(head);
        }
    }
}

impl<'de> DeserializeSeed<'de> for Part<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<(), D::Error> {
        input.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Part<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Append(self.out).visit_unit()
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        Append(self.out).visit_bool(value)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        Append(self.out).visit_i64(value)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        Append(self.out).visit_u64(value)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        Append(self.out).visit_f64(value)
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        Append(self.out).visit_str(value)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        if self.place != Place::Writers {
            return Append(self.out).visit_seq(items);
        }
        let start = write::open(self.out);
        let mut count = 0;
        while items
            .next_element_seed(Part { place: Place::Writer, found: self.found, out: self.out })?
            .is_some()
        {
            count += 1;
        }
        write::close(self.out, start, write::array_header, count);
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut entries: A) -> Result<(), A::Error> {
        let start = if self.place == Place::Event { self.out.len() } else { write::open(self.out) };
        let mut count = 0;
        while let Some(key) = entries.next_key::<String>()? {
            if self.place == Place::Event {
                self.found.is_object = true;
                let kept = match key.as_str() {
                    "kind" => Some(&mut self.found.kind),
                    "apiVersion" => Some(&mut self.found.api_version),
                    _ => None,
                };
                if let Some(kept) = kept {
                    let mut value = Vec::new();
                    entries.next_value_seed(Append(&mut value))?;
                    *kept = Some(value);
                    continue;
                }
            }
            write::str(self.out, &key);
            self.value(&key, &mut entries)?;
            count += 1;
        }
        self.close(start, count);
        Ok(())
    }
}

/// The text that `msgpack` is, if it is one.
fn text(msgpack: &[u8]) -> Option<&str> {
    let text = match msgpack {
        [0xa0..=0xbf, text @ ..] | [0xd9, _, text @ ..] | [0xda, _, _, text @ ..] => text,
        _ => return None,
    };
    std::str::from_utf8(text).ok()
}
