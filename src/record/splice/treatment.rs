//! What is to be done with the records of one container: drop them, parse them, add fields.
//!
//! Serves `splice`, which does it, and `kube`, which knows it. Invariant: it stands as long as the metadata that it was
//! made from, so that a record costs no decision but that of its stream.

use std::{ops::Range, sync::Arc};

use crate::record::{
    fields::object::Object,
    msgpack::reader::{Map, Time, is_same},
};

/// Fields and decisions for the records of one container.
#[derive(Clone, Default)]
pub struct Treatment {
    count: usize,
    pairs: Box<[u8]>,
    keys: Box<[Range<usize>]>,
    /// Streams whose records are dropped.
    pub dropped: Streams<bool>,
    /// Parsers of the container's own for its lines.
    pub parser: Streams<Option<Arc<dyn LineParser>>>,
    /// Whether the API, or a file, knew the pod: else the fields are what the tag says.
    pub is_known: bool,
    /// What becomes of fields of the same name that a record has already.
    pub existing: Existing,
}

impl Treatment {
    /// Adds `pairs`: keys and values as msgpack, back to back.
    pub fn adding(pairs: impl Into<Box<[u8]>>) -> Self {
        let pairs = pairs.into();
        let mut keys = Vec::new();
        let mut at = 0;
        for pair in (Map { len: usize::MAX, entries: &pairs }).pairs() {
            keys.push(at..at + pair.key.len());
            at += pair.bytes.len();
        }
        Self { count: keys.len(), pairs, keys: keys.into(), ..Self::default() }
    }

    /// The same with other fields.
    pub fn with(&self, pairs: impl Into<Box<[u8]>>) -> Self {
        let Self { count, pairs, keys, .. } = Self::adding(pairs);
        Self { count, pairs, keys, ..self.clone() }
    }

    /// How many fields are added.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The fields, as pairs of msgpack back to back.
    pub fn pairs(&self) -> &[u8] {
        &self.pairs
    }

    /// The keys of the fields, as msgpack.
    pub fn keys(&self) -> impl Iterator<Item = &[u8]> {
        self.keys.iter().map(|range| &self.pairs[range.clone()])
    }

    /// Whether `key`, as msgpack, is one of the fields.
    #[inline]
    pub fn adds(&self, key: &[u8]) -> bool {
        self.keys.iter().any(|range| is_same(&self.pairs[range.clone()], key))
    }

    /// Whether the container has a parser of its own for any of its streams.
    #[inline]
    pub fn has_parser(&self) -> bool {
        let Streams { stdout, stderr, unknown } = &self.parser;
        stdout.is_some() || stderr.is_some() || unknown.is_some()
    }

    /// Whether no record is kept, of whatever stream.
    pub fn drops_all(&self) -> bool {
        self.dropped.stdout && self.dropped.stderr && self.dropped.unknown
    }
}

/// What becomes of a field of the record that has the name of one to be added.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Existing {
    /// It goes.
    #[default]
    Replace,
    /// It stays, and nothing is added under that name.
    Keep,
    /// It stays as far as nothing is added: of two maps the pairs of both, ours where both have a key.
    Merge,
}

/// One thing per stream of a container.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Streams<T> {
    /// `stdout`
    pub stdout: T,
    /// `stderr`
    pub stderr: T,
    /// No stream, or another.
    pub unknown: T,
}

impl<T> Streams<T> {
    /// That of the stream called `name`.
    #[inline]
    pub fn of(&self, name: Option<&[u8]>) -> &T {
        match name {
            Some(b"stdout") => &self.stdout,
            Some(b"stderr") => &self.stderr,
            _ => &self.unknown,
        }
    }
}

/// Finds fields in the text of a line.
pub trait LineParser: Send + Sync {
    /// Puts the fields of `text` into `fields`; `None` if it does not match. The time is the line's own, if it has one.
    fn parse(&self, text: &[u8], fields: &mut Object) -> Option<Option<Time>>;
}
