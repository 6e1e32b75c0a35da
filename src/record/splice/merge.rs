//! The fields of a structured log line: JSON, logfmt or klog in the key `log` or another, a map that it already is, or
//! what a parser finds.
//!
//! Serves `splice`. Invariant: a line that can't be merged stays as it is, whatever its type.

use std::sync::Arc;

use crate::record::{
    fields::{json, klog, logfmt, object::Object},
    msgpack::reader::{Map, Pair, Time, text},
    runtime_line,
    splice::{
        record::Record,
        treatment::{LineParser, Treatment},
    },
};

/// How lines are merged.
#[derive(Clone)]
pub struct Merge {
    /// The keys that may hold the line; the first that a record has counts.
    pub log_keys: Vec<String>,
    /// How lines are structured.
    pub format: Format,
    /// Puts the fields under this key instead of beside the others.
    pub key: Option<String>,
    /// Takes line ends off the end of merged texts.
    pub trim: bool,
    /// Keeps the line too.
    pub keep: bool,
    /// Reads lines instead of the format, where the container has no parser of its own.
    pub parser: Option<Arc<dyn LineParser>>,
    /// Merges nothing but what a container's own parser finds.
    pub own_only: bool,
}

impl Default for Merge {
    fn default() -> Self {
        Self {
            log_keys: vec!["log".into()],
            format: Format::Json,
            key: None,
            trim: true,
            keep: true,
            parser: None,
            own_only: false,
        }
    }
}

/// How lines are structured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One JSON object.
    Json,
    /// `level=info msg="it works" took=12ms`.
    Logfmt,
    /// `I0102 15:04:05.000000       1 main.go:12] it works`.
    Klog,
    /// Whichever of these it is.
    Auto,
}

/// What was merged, besides the fields.
#[derive(Debug, Clone, Copy)]
pub struct Merged<'a> {
    /// The time that the line tells.
    pub time: Option<Time>,
    /// The key that held the line, as msgpack.
    pub(super) key: &'a [u8],
}

impl Merge {
    /// Reads the fields of the record's line into `fields`; `None` if they can't be merged.
    pub fn read<'a>(
        &self,
        record: &Record<'a>,
        treatment: &Treatment,
        fields: &mut Object,
    ) -> Option<Merged<'a>> {
        if self.own_only && !treatment.has_parser() {
            return None;
        }
        let mut read = |text| {
            // To find the stream may take a look at all fields.
            let own = || treatment.parser.of(record.stream()).as_ref();
            let parser = if treatment.has_parser() { own() } else { None };
            self.read_text(text, parser, || record.time(), fields)
        };
        if let Some(text) = record.text() {
            return Some(Merged { time: read(text)?, key: runtime_line::TEXT });
        }
        let line = self.line(record.body)?;
        let time = if let Some(text) = text(line.value) {
            read(text)?
        } else {
            fields.copy(Map::of(line.value).filter(|_| !self.own_only)?);
            self.nest(fields);
            None
        };
        Some(Merged { time, key: line.key })
    }

    /// Reads the fields of `line` into `fields`, by the container's parser if it has one; `None` if it can't be merged,
    /// else the time that the parser found. `at` is the record's time.
    pub fn read_text(
        &self,
        line: &[u8],
        parser: Option<&Arc<dyn LineParser>>,
        at: impl Fn() -> Option<Time>,
        fields: &mut Object,
    ) -> Option<Option<Time>> {
        let mut time = None;
        match parser.or(self.parser.as_ref()) {
            Some(parser) => time = parser.parse(line, fields)?,
            None if self.own_only => return None,
            None => self.format.read(line, self.trim, at, fields).then_some(())?,
        }
        self.nest(fields);
        Some(time)
    }

    fn nest(&self, fields: &mut Object) {
        if let Some(key) = &self.key {
            fields.nest(key);
        }
    }

    /// The field that holds the line. Of a key that comes twice the last counts.
    #[inline]
    fn line<'a>(&self, body: Map<'a>) -> Option<Pair<'a>> {
        let mut keys = &self.log_keys[..];
        let mut found = None;
        for pair in body.pairs() {
            let Some(key) = text(pair.key) else { continue };
            if let Some(at) = keys.iter().position(|name| name.as_bytes() == key) {
                // Only better keys count from now on, and this one again.
                keys = &keys[..=at];
                found = Some(pair);
            }
        }
        found
    }
}

impl Format {
    /// Reads the fields of `line`; false if it is none of this format.
    fn read(self, line: &[u8], trim: bool, at: impl Fn() -> Option<Time>, fields: &mut Object) -> bool {
        match self {
            Self::Json => json::read_first(line, trim, fields),
            Self::Logfmt => logfmt::read(line, trim, logfmt::Strictness::Told, fields),
            Self::Klog => klog::read(line, trim, at, fields),
            Self::Auto => match line.trim_ascii_start() {
                [b'{', ..] => json::read_first(line, trim, fields),
                [b'I' | b'W' | b'E' | b'F' | b'D', b'0' | b'1', ..]
                    if klog::read(line, trim, &at, fields) =>
                {
                    true
                }
                _ => logfmt::read(line, trim, logfmt::Strictness::Guessed, fields),
            },
        }
    }
}
