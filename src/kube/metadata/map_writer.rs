//! Writes one field whose value is a map, one pair after the other.
//!
//! Serves `metadata`. Invariant: a value that is nothing is no pair.

use super::{layout::LabelsFormat, select::Entry};
use crate::{
    kube::object::msgpack::Msgpack,
    record::msgpack::{reader::text, write},
};

/// A pair whose value is a map that grows.
pub(super) struct MapWriter {
    pairs: Vec<u8>,
    start: usize,
    count: usize,
}

impl MapWriter {
    pub(super) fn under(key: &str) -> Self {
        let mut pairs = Vec::with_capacity(1024);
        write::str(&mut pairs, key);
        let start = write::open(&mut pairs);
        Self { pairs, start, count: 0 }
    }

    /// Writes a key; answers where its value goes.
    fn key(&mut self, key: &str) -> &mut Vec<u8> {
        write::str(&mut self.pairs, key);
        self.count += 1;
        &mut self.pairs
    }

    pub(super) fn text(&mut self, key: &str, text: Option<&str>) {
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            write::str(self.key(key), text);
        }
    }

    pub(super) fn texts<'a>(&mut self, key: &str, texts: impl Iterator<Item = &'a str>) {
        let texts: Vec<_> = texts.filter(|text| !text.is_empty()).collect();
        if !texts.is_empty() {
            let out = self.key(key);
            write::array_header(out, texts.len());
            texts.iter().for_each(|text| write::str(out, text));
        }
    }

    pub(super) fn number(&mut self, key: &str, number: Option<u32>) {
        if let Some(number) = number {
            write::uint(self.key(key), number.into());
        }
    }

    pub(super) fn flag(&mut self, key: &str, flag: bool) {
        write::bool(self.key(key), flag);
    }

    pub(super) fn value(&mut self, key: &str, value: Option<&Msgpack>) {
        if let Some(value) = value {
            self.key(key).extend_from_slice(value.bytes());
        }
    }

    pub(super) fn map(&mut self, key: &str, entries: Option<&Vec<Entry<'_>>>) {
        if let Some(entries) = entries {
            let out = self.key(key);
            write::map_header(out, entries.len());
            for entry in entries {
                write::str(out, &entry.name);
                out.extend_from_slice(entry.value);
            }
        }
    }

    /// Labels in their form.
    pub(super) fn labels(&mut self, key: &str, entries: Option<&Vec<Entry<'_>>>, format: LabelsFormat) {
        match format {
            LabelsFormat::Map => self.map(key, entries),
            LabelsFormat::Flat => {
                for entry in entries.into_iter().flatten() {
                    write::str(&mut self.pairs, [key.as_bytes(), b".", &entry.name].concat());
                    self.pairs.extend_from_slice(entry.value);
                    self.count += 1;
                }
            }
            LabelsFormat::Text => {
                let label = |entry: &Entry<'_>| {
                    [&entry.name, &b"="[..], text(entry.value).unwrap_or_default()].concat()
                };
                if let Some(entries) = entries.filter(|entries| !entries.is_empty()) {
                    let labels: Vec<_> = entries.iter().map(label).collect();
                    write::str(self.key(key), labels.join(&b','));
                }
            }
        }
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        write::close(&mut self.pairs, self.start, write::map_header, self.count);
        self.pairs
    }
}
