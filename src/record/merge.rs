//! The fields of a structured log line: JSON in the key `log`, a map that it already is, or what a parser finds.
//!
//! Serves `splice`. Invariant: a line that can't be merged stays as it is, whatever its type.

use std::sync::Arc;

use super::{
    json::Object,
    reader::{Map, Time, text},
    splice::Record,
    treatment::{LineParser, Treatment},
};

/// The key that holds the line.
const LOG: &[u8] = b"log";

/// How lines are merged.
#[derive(Clone)]
pub struct Merge {
    /// Puts the fields under this key instead of beside the others.
    pub key: Option<String>,
    /// Takes line ends off the end of merged texts.
    pub trim: bool,
    /// Keeps the line too.
    pub keep: bool,
    /// Reads lines instead of the JSON reader, where the container has no parser of its own.
    pub parser: Option<Arc<dyn LineParser>>,
}

impl Default for Merge {
    fn default() -> Self {
        Self { key: None, trim: true, keep: true, parser: None }
    }
}

impl Merge {
    /// Reads the fields of the record's line into `fields`; `None` if they can't be merged, else the time that the
    /// line tells.
    pub fn read(
        &self,
        record: &Record<'_>,
        treatment: &Treatment,
        fields: &mut Object,
    ) -> Option<Option<Time>> {
        let mut time = None;
        let mut read = |text| {
            let parser = treatment.parser.of(record.stream()).as_ref().or(self.parser.as_ref());
            match parser {
                Some(parser) => time = parser.parse(text, fields)?,
                None if fields.read(text, self.trim) => {}
                None => return None,
            }
            Some(())
        };
        if let Some(text) = record.text() {
            read(text)?;
        } else {
            // Of a key that comes twice the last counts.
            let line = record.body.pairs().filter(|pair| text(pair.key) == Some(LOG)).last()?.value;
            match text(line) {
                Some(text) => read(text)?,
                None => fields.copy(Map::of(line)?),
            }
        }
        if let Some(key) = &self.key {
            fields.nest(key);
        }
        Some(time)
    }

    /// Whether a merged record goes without what `key`, as msgpack, holds.
    pub fn drops(&self, key: &[u8]) -> bool {
        !self.keep && text(key) == Some(LOG)
    }
}
