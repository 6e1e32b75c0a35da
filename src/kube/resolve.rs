//! From a tag to the fields that its records gain.
//!
//! Serves the filter. A tag is parsed when it is first seen; its fields are encoded when something about its pod
//! changes. Invariant: what stands costs one hash and one load per chunk, and no lock is held for longer.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::{Arc, PoisonError, RwLock},
};

use arc_swap::ArcSwapOption;
use tracing::warn;

use super::{
    encode::{Enrichment, Layout},
    pod::{Namespace, Pod},
    preload::Preload,
    store::Store,
    tag::{self, TagParser, TagParts},
};

const SHARDS: usize = 16;
/// A shard that is full starts anew: its tags are parsed again.
const TAGS_PER_SHARD: usize = 1024;

/// How tags are read.
pub enum TagForm {
    /// The kubelet's own forms, behind this prefix.
    Kubelet(String),
    /// Of the operator's own, after so many bytes of a prefix.
    Custom(usize, Box<dyn TagParser>),
}

impl TagForm {
    fn parse(&self, tag: &[u8]) -> Option<TagParts> {
        match self {
            Self::Kubelet(prefix) => tag::parse(tag, prefix),
            Self::Custom(prefix, parser) => parser.parse(tag.get(*prefix..).filter(|rest| rest.len() > 1)?),
        }
    }
}

/// Resolves tags.
pub struct Resolver {
    form: TagForm,
    layout: Layout,
    preload: Preload,
    store: Option<Store>,
    tags: [RwLock<Tags>; SHARDS],
    hasher: RandomState,
}

type Tags = HashMap<Box<[u8]>, Arc<Tag>>;

struct Tag {
    parts: Option<TagParts>,
    answer: ArcSwapOption<Answer>,
}

/// What was true at a generation of the store.
struct Answer {
    generation: u64,
    pod: Option<Arc<Pod>>,
    namespace: Option<Arc<Namespace>>,
    enrichment: Arc<Enrichment>,
}

impl Resolver {
    /// Asks `preload` first, then `store`.
    pub fn new(form: TagForm, layout: Layout, preload: Preload, store: Option<Store>) -> Self {
        let tags = std::array::from_fn(|_| RwLock::default());
        Self { form, layout, preload, store, tags, hasher: RandomState::new() }
    }

    /// The fields for records of `tag`; `None` if it names no pod.
    pub fn resolve(&self, tag: &[u8]) -> Option<Arc<Enrichment>> {
        let known = self.tag(tag);
        let parts = known.parts.as_ref()?;
        let generation = self.store.as_ref().map_or(0, Store::generation);
        if let Some(answer) = &*known.answer.load()
            && answer.generation == generation
        {
            self.wish(parts, answer.pod.is_none());
            return Some(Arc::clone(&answer.enrichment));
        }
        let answer = Arc::new(self.answer(parts, generation, known.answer.load_full()));
        known.answer.store(Some(Arc::clone(&answer)));
        self.wish(parts, answer.pod.is_none());
        Some(Arc::clone(&answer.enrichment))
    }

    fn answer(&self, parts: &TagParts, generation: u64, before: Option<Arc<Answer>>) -> Answer {
        let (mut pod, mut namespace) = (None, None);
        if !self.layout.tag_only {
            pod = self
                .preload
                .pod(&parts.namespace, &parts.pod)
                .or_else(|| self.store.as_ref().and_then(|store| store.lookup(&parts.namespace, &parts.pod)));
        }
        if self.layout.namespaces() {
            namespace = self
                .preload
                .namespace(&parts.namespace)
                .or_else(|| self.store.as_ref().and_then(|store| store.lookup_namespace(&parts.namespace)));
        }
        let unchanged = before.filter(|before| {
            is_same(before.pod.as_ref(), pod.as_ref())
                && is_same(before.namespace.as_ref(), namespace.as_ref())
        });
        let enrichment = match unchanged {
            Some(before) => Arc::clone(&before.enrichment),
            None => Arc::new(Enrichment::new(&self.layout, parts, pod.as_deref(), namespace.as_deref())),
        };
        Answer { generation, pod, namespace, enrichment }
    }

    fn wish(&self, parts: &TagParts, is_unknown: bool) {
        if is_unknown
            && !self.layout.tag_only
            && let Some(store) = &self.store
        {
            store.missed(&parts.namespace, &parts.pod);
        }
    }

    fn tag(&self, tag: &[u8]) -> Arc<Tag> {
        let shard = &self.tags[self.hasher.hash_one(tag) as usize % SHARDS];
        if let Some(known) = shard.read().unwrap_or_else(PoisonError::into_inner).get(tag) {
            return Arc::clone(known);
        }
        let parts = self.form.parse(tag);
        if parts.is_none() {
            warn!("tag '{}': names no pod, its records pass as they are", String::from_utf8_lossy(tag));
        }
        let new = Arc::new(Tag { parts, answer: ArcSwapOption::empty() });
        let mut shard = shard.write().unwrap_or_else(PoisonError::into_inner);
        if shard.len() >= TAGS_PER_SHARD {
            shard.clear();
        }
        Arc::clone(shard.entry(tag.into()).or_insert(new))
    }
}

fn is_same<T>(one: Option<&Arc<T>>, other: Option<&Arc<T>>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => Arc::ptr_eq(one, other),
        (None, None) => true,
        _ => false,
    }
}
