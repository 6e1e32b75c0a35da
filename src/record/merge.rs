//! The fields of a structured log line: JSON in the key `log`, a map that it already is, or what a parser finds.
//!
//! Serves `splice`. Invariant: a line that can't be merged stays as it is, whatever its type.

use std::sync::Arc;

use super::{
    json::Object,
    reader::{Map, Time, text},
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
    /// Merges nothing but what a container's own parser finds.
    pub own_only: bool,
}

impl Default for Merge {
    fn default() -> Self {
        Self { key: None, trim: true, keep: true, parser: None, own_only: false }
    }
}

impl Merge {
    /// Reads the fields of the line in `body` into `fields`; `None` if they can't be merged, else the time that the
    /// line tells.
    pub fn read<'a>(
        &self,
        body: Map<'a>,
        stream: impl Fn() -> Option<&'a [u8]>,
        treatment: &Treatment,
        fields: &mut Object,
    ) -> Option<Option<Time>> {
        if self.own_only && !treatment.has_parser() {
            return None;
        }
        // Of a key that comes twice the last counts.
        let line = body.pairs().filter(|pair| text(pair.key) == Some(LOG)).last()?.value;
        let mut time = None;
        if let Some(text) = text(line) {
            let parser = treatment.parser.of(stream()).as_ref().or(self.parser.as_ref());
            match parser {
                Some(parser) => time = parser.parse(text, fields)?,
                None if !self.own_only && fields.read(text, self.trim) => {}
                None => return None,
            }
        } else {
            fields.copy(Map::of(line).filter(|_| !self.own_only)?);
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
