//! From the API server's JSON to the host's records, in one pass.
//!
//! Serves the watcher. Invariants: a record holds the event as received, all its unknown fields included; it is the
//! same whether the event was listed or watched (a list leaves `kind` and `apiVersion` out); its time keeps the
//! microseconds.

use std::fmt;

use kube::core::Status;
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use super::{
    object::{Bad, Event, Found, Object},
    time::Nanos,
};

/// A line of a watch.
#[derive(Debug)]
pub(super) enum Line {
    /// An event that was added or modified.
    News(Event),
    /// No news, but the watch got this far: a bookmark, or an event that the server deleted.
    Passed(String),
    /// The server ends the watch.
    Ended(Box<Status>),
}

/// A page of a list.
#[derive(Debug, Default)]
pub(super) struct Page {
    /// The version of the whole list.
    pub(super) resource_version: String,
    /// What asks for the next page; empty at the end.
    pub(super) next: String,
    /// The events, or what is wrong with them.
    pub(super) items: Vec<Result<Event, Bad>>,
    /// The records.
    pub(super) data: Vec<u8>,
}

/// Reads a line of a watch. The record of an event is appended to `out`, timed `received` if it has no stamp of its
/// own.
pub(super) fn line(text: &[u8], received: Nanos, out: &mut Vec<u8>) -> Result<Line, Bad> {
    let start = out.len();
    let read = read_line(text, received, out);
    if !matches!(read, Ok(Line::News(_))) {
        out.truncate(start);
    }
    read
}

fn read_line(text: &[u8], received: Nanos, out: &mut Vec<u8>) -> Result<Line, Bad> {
    let mut input = serde_json::Deserializer::from_slice(text);
    let (kind, object) = LineSeed { received, out }.deserialize(&mut input)?;
    input.end()?;
    let object = object.ok_or_else(|| Bad("without an object".into()))?;
    match kind.as_deref() {
        Some("ADDED" | "MODIFIED") => object.event().map(Line::News),
        Some("DELETED" | "BOOKMARK") => object.version().map(Line::Passed),
        Some("ERROR") => {
            #[derive(Deserialize)]
            struct Ended {
                object: Box<Status>,
            }
            let ended: Ended = serde_json::from_slice(text)?;
            Ok(Line::Ended(ended.object))
        }
        Some(other) => Err(Bad(format!("of the unknown type '{other}'"))),
        None => Err(Bad("without a type".into())),
    }
}

/// Reads a page of a list. Items without a stamp are timed `received`.
pub(super) fn page(text: &[u8], received: Nanos) -> Result<Page, Bad> {
    let mut page = Page::default();
    let mut input = serde_json::Deserializer::from_slice(text);
    PageSeed { received, page: &mut page }.deserialize(&mut input)?;
    input.end()?;
    Ok(page)
}

struct LineSeed<'a> {
    received: Nanos,
    out: &'a mut Vec<u8>,
}

impl<'de> DeserializeSeed<'de> for LineSeed<'_> {
    type Value = (Option<String>, Option<Found>);

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<Self::Value, D::Error> {
        input.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for LineSeed<'_> {
    type Value = (Option<String>, Option<Found>);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a watch event")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let (mut kind, mut object) = (None, None);
        while let Some(key) = entries.next_key::<String>()? {
            match key.as_str() {
                "type" => kind = Some(entries.next_value()?),
                "object" if object.is_none() => {
                    object =
                        Some(entries.next_value_seed(Object { received: self.received, out: self.out })?);
                }
                _ => _ = entries.next_value::<IgnoredAny>()?,
            }
        }
        Ok((kind, object))
    }
}

struct PageSeed<'a> {
    received: Nanos,
    page: &'a mut Page,
}

impl<'de> DeserializeSeed<'de> for PageSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<(), D::Error> {
        input.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for PageSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of events")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct ListMeta {
            #[serde(rename = "resourceVersion")]
            resource_version: String,
            #[serde(rename = "continue")]
            next: String,
        }
        let (mut meta, mut items) = (None, false);
        while let Some(key) = entries.next_key::<String>()? {
            match key.as_str() {
                "metadata" => meta = Some(entries.next_value::<ListMeta>()?),
                "items" => {
                    items = true;
                    let seed = Items { received: self.received, page: self.page };
                    entries.next_value_seed(seed)?;
                }
                _ => _ = entries.next_value::<IgnoredAny>()?,
            }
        }
        let meta =
            meta.filter(|_| items).ok_or_else(|| A::Error::custom("it has no metadata or no items"))?;
        self.page.resource_version = meta.resource_version;
        self.page.next = meta.next;
        Ok(())
    }
}

struct Items<'a> {
    received: Nanos,
    page: &'a mut Page,
}

impl<'de> DeserializeSeed<'de> for Items<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<(), D::Error> {
        input.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Items<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the items of a list")
    }

    /// Go's way to write an empty list that was never made.
    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let page = self.page;
        loop {
            let start = page.data.len();
            let Some(found) =
                items.next_element_seed(Object { received: self.received, out: &mut page.data })?
            else {
                return Ok(());
            };
            let event = found.event();
            if event.is_err() {
                page.data.truncate(start);
            }
            page.items.push(event);
        }
    }
}
