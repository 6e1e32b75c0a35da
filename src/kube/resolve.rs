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
    encode::{self, Known, Layout},
    nodes::NodeMeta,
    pod::{Namespace, Pod},
    preload::Preload,
    store::Store,
    tag::{self, TagParser, TagParts},
};
use crate::record::treatment::Treatment;

const SHARDS: usize = 16;
/// A shard that is full starts anew: its tags are parsed again.
const TAGS_PER_SHARD: usize = 1024;

/// No file's tag is longer: a folder of the kubelet's, a name of 255 bytes in it, and room for what stands before. What
/// others send may be, and would fill the memory.
const LONGEST_TAG: usize = 1024;

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
    node: Option<Arc<NodeMeta>>,
    treatment: Arc<Treatment>,
}

impl Resolver {
    /// Asks `preload` first, then `store`.
    pub fn new(form: TagForm, layout: Layout, preload: Preload, store: Option<Store>) -> Self {
        let tags = std::array::from_fn(|_| RwLock::default());
        Self { form, layout, preload, store, tags, hasher: RandomState::new() }
    }

    /// Which fields records gain.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The fields for records of `tag`; `None` if it names no pod.
    pub fn resolve(&self, tag: &[u8]) -> Option<Arc<Treatment>> {
        let known = self.tag(tag);
        let parts = known.parts.as_ref()?;
        let generation = self.store.as_ref().map_or(0, Store::generation);
        if let Some(answer) = &*known.answer.load()
            && answer.generation == generation
        {
            self.wish(parts, answer.pod.is_none());
            return Some(Arc::clone(&answer.treatment));
        }
        let answer = Arc::new(self.answer(parts, generation, known.answer.load_full()));
        known.answer.store(Some(Arc::clone(&answer)));
        self.wish(parts, answer.pod.is_none());
        Some(Arc::clone(&answer.treatment))
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
        let name = pod.as_ref().and_then(|pod| pod.node.as_deref()).filter(|_| self.layout.nodes());
        let node = name.and_then(|name| {
            self.preload.node(name).or_else(|| self.store.as_ref().and_then(|store| store.lookup_node(name)))
        });
        let unchanged = before.filter(|before| {
            is_same(before.pod.as_ref(), pod.as_ref())
                && is_same(before.namespace.as_ref(), namespace.as_ref())
                && is_same(before.node.as_ref(), node.as_ref())
        });
        let treatment = match unchanged {
            Some(before) => Arc::clone(&before.treatment),
            None => {
                let known =
                    Known { pod: pod.as_deref(), namespace: namespace.as_deref(), node: node.as_deref() };
                Arc::new(encode::treatment(&self.layout, parts, known))
            }
        };
        Answer { generation, pod, namespace, node, treatment }
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
        let is_short = tag.len() <= LONGEST_TAG;
        let parts = is_short.then(|| self.form.parse(tag)).flatten();
        if parts.is_none() {
            let shown = String::from_utf8_lossy(&tag[..tag.len().min(LONGEST_TAG)]);
            warn!("tag '{shown}': names no pod, its records pass as they are");
        }
        let new = Arc::new(Tag { parts, answer: ArcSwapOption::empty() });
        if !is_short {
            return new;
        }
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::kube::store::{Config, Writer, channel};

    fn known() -> (Writer, Resolver) {
        let (writer, store) = channel(Config { delete_grace: Duration::from_secs(60), namespaces: false });
        writer.begin_list();
        writer.end_list();
        let form = TagForm::Kubelet("kube.".into());
        (writer, Resolver::new(form, Layout::default(), Preload::default(), Some(store)))
    }

    fn pod(name: &str, label: &str) -> Pod {
        let meta =
            serde_json::json!({"name": name, "namespace": "shop", "uid": "1", "labels": {"app": label}});
        serde_json::from_value(serde_json::json!({"metadata": meta})).unwrap()
    }

    fn tag(pod: &str) -> Vec<u8> {
        format!("kube.var.log.pods.shop_{pod}_1.main.0.log").into_bytes()
    }

    fn has(treatment: &Treatment, text: &str) -> bool {
        memchr::memmem::find(treatment.pairs(), text.as_bytes()).is_some()
    }

    #[test]
    fn a_change_of_the_pod_shows_in_the_next_chunk() {
        let (writer, resolver) = known();
        writer.apply(pod("web", "before"));
        assert!(has(&resolver.resolve(&tag("web")).unwrap(), "before"));
        writer.apply(pod("web", "after"));
        assert!(has(&resolver.resolve(&tag("web")).unwrap(), "after"));
    }

    #[test]
    fn a_change_of_another_pod_costs_no_new_encoding() {
        let (writer, resolver) = known();
        writer.apply(pod("web", "a"));
        let before = resolver.resolve(&tag("web")).unwrap();
        writer.apply(pod("other", "a"));
        assert!(Arc::ptr_eq(&before, &resolver.resolve(&tag("web")).unwrap()));
    }

    #[test]
    fn a_tag_of_another_form_resolves_to_nothing() {
        let (_writer, resolver) = known();
        assert!(resolver.resolve(b"cpu.local").is_none());
        assert!(resolver.resolve(b"cpu.local").is_none());
    }

    #[tokio::test]
    async fn an_unknown_pod_is_wished_for_and_enriched_once_found() {
        let (writer, resolver) = known();
        assert!(!has(&resolver.resolve(&tag("web")).unwrap(), "labels"));
        let wish = writer.next_wish().await;
        writer.found(&wish, pod("web", "found"));
        assert!(has(&resolver.resolve(&tag("web")).unwrap(), "found"));
    }

    #[test]
    fn a_tag_longer_than_that_of_any_file_names_no_pod_and_is_not_remembered() {
        let (_writer, resolver) = known();
        let longest = |len: usize| [b"x".repeat(len - tag("web").len()), tag("web")].concat();
        assert!(resolver.resolve(&longest(LONGEST_TAG)).is_some());
        assert!(resolver.resolve(&longest(LONGEST_TAG + 1)).is_none());
        assert!(resolver.resolve(&longest(1 << 20)).is_none());
        let tags: usize = resolver.tags.iter().map(|shard| shard.read().unwrap().len()).sum();
        assert_eq!(tags, 1);
    }

    #[test]
    fn the_number_of_remembered_tags_is_bounded() {
        let (_writer, resolver) = known();
        for n in 0..SHARDS * TAGS_PER_SHARD * 2 {
            resolver.resolve(&tag(&format!("web-{n}")));
        }
        let tags: usize = resolver.tags.iter().map(|shard| shard.read().unwrap().len()).sum();
        assert!(tags <= SHARDS * TAGS_PER_SHARD, "{tags}");
        assert!(resolver.resolve(&tag("web-0")).is_some());
    }
}
