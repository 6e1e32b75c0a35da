//! The fields of a structured log line: JSON in the key `log`, or a map that it already is.
//!
//! Serves `splice`. Invariant: a line that can't be merged stays as it is, whatever its type.

use super::{
    json::Object,
    reader::{Map, text},
};

/// The key that holds the line.
const LOG: &[u8] = b"log";

/// How lines are merged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merge {
    /// Puts the fields under this key instead of beside the others.
    pub key: Option<String>,
    /// Takes line ends off the end of merged texts.
    pub trim: bool,
    /// Keeps the line too.
    pub keep: bool,
}

impl Merge {
    /// Reads the fields of the line in `body` into `fields`; answers whether they can be merged.
    pub fn read(&self, body: Map<'_>, fields: &mut Object) -> bool {
        // Of a key that comes twice the last counts.
        let Some(line) = body.pairs().filter(|pair| text(pair.key) == Some(LOG)).last() else { return false };
        let line = line.value;
        match (text(line), Map::of(line)) {
            (Some(text), _) if !fields.read(text, self.trim) => return false,
            (Some(_), _) => {}
            (None, Some(map)) => fields.copy(map),
            (None, None) => return false,
        }
        if let Some(key) = &self.key {
            fields.nest(key);
        }
        true
    }

    /// Whether a merged record goes without what `key`, as msgpack, holds.
    pub fn drops(&self, key: &[u8]) -> bool {
        !self.keep && text(key) == Some(LOG)
    }
}
