//! What is to be done with the records of one container: drop them, parse them, add fields.
//!
//! Serves `splice`, which does it, and `kube`, which knows it. Invariant: it stands as long as the metadata that it was
//! made from, so that a record costs no decision but that of its stream.

use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tracing::warn;

use crate::record::{
    fields::object::Object,
    msgpack::reader::{Map, Time, is_same, text},
};

/// Fields and decisions for the records of one container.
#[derive(Clone, Default)]
pub struct Treatment {
    fields: Fields,
    /// The fields that take their place where a chunk has grown by too much.
    small: Option<Arc<Small>>,
    /// Names of fields that only the filter may write, whether it adds them or not: a merged line never has them, nor a
    /// flat name below them, such as `kubernetes.labels`.
    pub owned: &'static [&'static str],
    /// Streams whose records are dropped.
    pub dropped: Streams<bool>,
    /// Parsers of the container's own for its lines.
    pub parser: Streams<Option<Arc<dyn LineParser>>>,
    /// Whether the API, or a file, knew the pod: else the fields are what the tag says.
    pub is_known: bool,
    /// What becomes of fields of the same name that a record has already.
    pub existing: Existing,
}

/// Fields to be added: keys and values as msgpack, back to back.
#[derive(Clone, Default)]
struct Fields {
    pairs: Box<[u8]>,
    keys: Box<[Range<usize>]>,
}

/// A short form of the fields.
struct Small {
    fields: Fields,
    /// Whose they are, for the log.
    whose: Box<str>,
    is_told: Arc<AtomicBool>,
}

impl Fields {
    fn new(pairs: Box<[u8]>) -> Self {
        let mut keys = Vec::new();
        let mut at = 0;
        for pair in (Map { len: usize::MAX, entries: &pairs }).pairs() {
            keys.push(at..at + pair.key.len());
            at += pair.bytes.len();
        }
        Self { pairs, keys: keys.into() }
    }

    fn map(&self) -> Map<'_> {
        Map { len: self.keys.len(), entries: &self.pairs }
    }
}

impl Treatment {
    /// Adds `pairs`: keys and values as msgpack, back to back.
    pub fn adding(pairs: impl Into<Box<[u8]>>) -> Self {
        Self { fields: Fields::new(pairs.into()), ..Self::default() }
    }

    /// Adds `pairs`, under the same keys, to records of a chunk that has grown by too much; the first time that it does,
    /// a warning names the pod `whose` they are, unless `is_told` says that one did already.
    pub fn or_small(mut self, pairs: impl Into<Box<[u8]>>, whose: &str, is_told: Arc<AtomicBool>) -> Self {
        let small = Small { fields: Fields::new(pairs.into()), whose: whose.into(), is_told };
        self.small = Some(Arc::new(small));
        self
    }

    /// The fields.
    #[inline]
    pub fn fields(&self) -> Map<'_> {
        self.fields.map()
    }

    /// The fields of the short form, if there is one.
    #[inline]
    pub(super) fn small(&self) -> Option<Map<'_>> {
        self.small.as_ref().map(|small| small.fields.map())
    }

    /// Warns once that records of the container have the short form.
    pub(super) fn tell_small(&self, most: usize) {
        if let Some(small) = &self.small
            && !small.is_told.swap(true, Ordering::Relaxed)
        {
            warn!(
                "pod '{}': {} bytes of metadata for each of many short records are too much, some get no labels and \
                 annotations: metadata_max_growth allows a chunk {most} bytes",
                small.whose,
                self.fields.pairs.len(),
            );
        }
    }

    /// How many fields are added.
    pub fn count(&self) -> usize {
        self.fields.keys.len()
    }

    /// The fields, as pairs of msgpack back to back.
    pub fn pairs(&self) -> &[u8] {
        &self.fields.pairs
    }

    /// The keys of the fields, as msgpack.
    pub fn keys(&self) -> impl Iterator<Item = &[u8]> {
        self.fields.keys.iter().map(|range| &self.fields.pairs[range.clone()])
    }

    /// Whether `key`, as msgpack, is one of the fields.
    #[inline]
    pub fn adds(&self, key: &[u8]) -> bool {
        self.keys().any(|own| is_same(own, key))
    }

    /// Whether a merged line may not have `key`, as msgpack.
    #[inline]
    pub fn owns(&self, key: &[u8]) -> bool {
        let is_below = |name: &[u8], owned: &str| {
            name.strip_prefix(owned.as_bytes()).is_some_and(|rest| matches!(rest.first(), None | Some(b'.')))
        };
        !self.owned.is_empty()
            && text(key).is_some_and(|name| self.owned.iter().any(|owned| is_below(name, owned)))
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
    /// Of two maps the pairs of both stay, ours where both have a key; anything else goes.
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
