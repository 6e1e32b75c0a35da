//! The treatment of records that name their pod themselves, each by its own fields or those of the journal.
//!
//! Serves the filter. A chunk may hold records of many pods; each is resolved once per chunk. Invariant: a record that
//! names no pod is passed untouched.

use std::sync::Arc;

use super::Resolver;
use crate::{
    kube::origin::{
        journal,
        record_fields::{Named, RecordForm},
    },
    record::{
        msgpack::reader::{Event, Map, text},
        splice::{
            choose::{Choose, StreamOf},
            treatment::Treatment,
        },
    },
};

/// Slots of the per-chunk cache; a power of two.
const SLOTS: usize = 256;

/// Chooses the treatment of each record by the pod that it names.
pub struct ByRecord<'a> {
    resolver: &'a Resolver,
    form: &'a RecordForm,
    /// The others seen in this chunk, each at the place that its key's hash gives it.
    seen: Vec<Seen>,
    /// The pod that the chunk's first record names.
    first: Seen,
    key: Vec<u8>,
}

#[derive(Clone, Default)]
struct Seen {
    key: Vec<u8>,
    treatment: Option<Arc<Treatment>>,
}

impl<'a> ByRecord<'a> {
    /// For one chunk.
    pub fn new(resolver: &'a Resolver, form: &'a RecordForm) -> Self {
        Self { resolver, form, seen: Vec::new(), first: Seen::default(), key: Vec::new() }
    }
}

impl Choose for ByRecord<'_> {
    fn choose(&mut self, _: &Event<'_>, body: Map<'_>) -> Option<&Treatment> {
        let named = Named::read(self.form, body)?;
        named.write_key(&mut self.key);
        // Most chunks hold records of one pod.
        let seen = if self.first.key.is_empty() || self.first.key == self.key {
            &mut self.first
        } else {
            if self.seen.is_empty() {
                self.seen.resize(SLOTS, Seen::default());
            }
            &mut self.seen[place(&self.key)]
        };
        if seen.key != self.key {
            seen.treatment = self.resolver.resolve_key(&self.key, || named.container_ref());
            seen.key.clone_from(&self.key);
        }
        let treatment = seen.treatment.as_deref()?;
        // What the sender knew is more than that a pod is not known here.
        let is_less = !treatment.is_known && body.pairs().any(|pair| treatment.adds(pair.key));
        (!is_less).then_some(treatment)
    }

    fn stream(&self) -> StreamOf {
        match self.form {
            RecordForm::Fields(_) => |body| body.get(b"stream").and_then(text),
            RecordForm::Journal => journal::stream,
        }
    }
}

/// The place of a key; that of another costs no more than another look at the resolver.
fn place(key: &[u8]) -> usize {
    let (words, rest) = key.as_chunks::<8>();
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    let mix = |hash: u64, word: &[u8; 8]| {
        (hash ^ u64::from_le_bytes(*word)).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29)
    };
    let hash = words.iter().chain([&last]).fold(0, mix);
    (hash >> 32) as usize % SLOTS
}
