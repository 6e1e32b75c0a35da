//! How lines are read, for all containers of an instance.
//!
//! Serves `splice`; an operator's options become it.

use crate::record::{fields::severity::Severity, msgpack::reader::Map, splice::merge::Merge};

/// How lines are read, for all containers of an instance.
#[derive(Default)]
pub struct Lines {
    /// The fields that may hold lines as a container runtime writes them; the first that a record has counts. None where
    /// lines are not to be taken for that.
    pub raw: Option<RawKeys>,
    /// How structured lines are merged; not at all without it.
    pub merge: Option<Merge>,
    /// Adds how grave a record is; not at all without it.
    pub severity: Option<Severity>,
    /// How many bytes of fields may be added to a chunk, or 16 times its own bytes if that is more, before its records get
    /// the short form of their treatment's fields; no limit if 0.
    pub most_added: usize,
}

/// The fields that may hold lines as a container runtime writes them, best first.
#[derive(Debug, Clone)]
pub struct RawKeys {
    first: Box<[u8]>,
    others: Vec<Box<[u8]>>,
}

impl RawKeys {
    /// One field, and those that count where a record has none before them.
    pub fn new<'a>(first: &str, others: impl IntoIterator<Item = &'a str>) -> Self {
        let others = others.into_iter().map(|key| key.as_bytes().into());
        Self { first: first.as_bytes().into(), others: others.collect() }
    }

    /// The one that counts for a record.
    #[inline]
    pub(super) fn of(&self, body: Map<'_>) -> &[u8] {
        if self.others.is_empty() {
            return &self.first;
        }
        let keys = || std::iter::once(&self.first).chain(&self.others);
        keys().find(|key| body.get(key).is_some()).unwrap_or(&self.first)
    }
}

impl From<&str> for RawKeys {
    fn from(key: &str) -> Self {
        Self::new(key, [])
    }
}
