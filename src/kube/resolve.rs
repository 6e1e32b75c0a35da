//! From what names a container, be it a tag or a record, to the fields that its records gain.
//!
//! Serves the filter. A name is read when it is first seen; its fields are encoded when something about its pod
//! changes. Invariant: what stands costs one hash and one load, and no lock is held for longer.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use arc_swap::ArcSwapOption;
use tracing::warn;

use super::{
    encode::{self, Layout},
    find,
    pod::{Namespace, Pod},
    preload::Preload,
    store::Store,
    tag::{self, TagParser, TagParts},
};
use crate::record::treatment::Treatment;

const SHARDS: usize = 16;
/// A shard makes room when it has so many names, or twice as many as were in use the last time.
const FEW_NAMES: usize = 64;
/// A shard that is full of names in use starts anew: they are read again.
const MOST_NAMES: usize = 4096;

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

/// Resolves tags, and keys of records.
pub struct Resolver {
    form: TagForm,
    layout: Layout,
    preload: Preload,
    store: Option<Store>,
    names: [RwLock<Names>; SHARDS],
    hasher: RandomState,
}

/// What a shard holds.
struct Names {
    known: HashMap<Box<[u8]>, Arc<Name>>,
    limit: usize,
}

impl Default for Names {
    fn default() -> Self {
        Self { known: HashMap::new(), limit: FEW_NAMES }
    }
}

impl Names {
    /// Forgets, when there are many, those that nobody used since it was last done.
    fn make_room(&mut self) {
        if self.known.len() < self.limit {
            return;
        }
        self.known.retain(|_, name| name.is_used.swap(false, Ordering::Relaxed));
        if self.known.len() >= MOST_NAMES {
            self.known.clear();
        }
        self.known.shrink_to(FEW_NAMES);
        self.limit = (2 * self.known.len()).clamp(FEW_NAMES, MOST_NAMES);
    }
}

/// What a tag or a key says, and what it leads to.
struct Name {
    parts: Option<TagParts>,
    is_used: AtomicBool,
    answer: ArcSwapOption<Answer>,
}

/// What was true at a generation of the store.
struct Answer {
    generation: AtomicU64,
    pod: Option<Arc<Pod>>,
    namespace: Option<Arc<Namespace>>,
    treatment: Option<Arc<Treatment>>,
}

impl Resolver {
    /// Asks `preload` first, then `store`.
    pub fn new(form: TagForm, layout: Layout, preload: Preload, store: Option<Store>) -> Self {
        let names = std::array::from_fn(|_| RwLock::default());
        Self { form, layout, preload, store, names, hasher: RandomState::new() }
    }

    /// The treatment of records of `tag`; `None` if it names no pod.
    pub fn resolve(&self, tag: &[u8]) -> Option<Arc<Treatment>> {
        self.resolve_key(tag, || {
            let parts = self.form.parse(tag);
            if parts.is_none() {
                warn!("tag '{}': names no pod, its records pass as they are", String::from_utf8_lossy(tag));
            }
            parts
        })
    }

    /// The treatment of records that name their container by `key`, which `read` can tell the meaning of.
    pub fn resolve_key(&self, key: &[u8], read: impl FnOnce() -> Option<TagParts>) -> Option<Arc<Treatment>> {
        let name = self.name(key, read);
        let parts = name.parts.as_ref()?;
        let generation = self.store.as_ref().map_or(0, Store::generation);
        let before = name.answer.load();
        if let Some(answer) = &*before
            && answer.generation.load(Ordering::Acquire) == generation
        {
            self.wish(parts, answer);
            return answer.treatment.clone();
        }
        let (pod, namespace, completed) = self.known(parts);
        if let Some(answer) = &*before
            && is_same(answer.pod.as_ref(), pod.as_ref())
            && is_same(answer.namespace.as_ref(), namespace.as_ref())
        {
            answer.generation.store(generation, Ordering::Release);
            self.wish(parts, answer);
            return answer.treatment.clone();
        }
        let treatment = completed.map(|parts| {
            Arc::new(encode::treatment(&self.layout, &parts, pod.as_deref(), namespace.as_deref()))
        });
        let answer = Arc::new(Answer { generation: generation.into(), pod, namespace, treatment });
        name.answer.store(Some(Arc::clone(&answer)));
        self.wish(parts, &answer);
        answer.treatment.clone()
    }

    /// What is known of the pod and the namespace that `parts` mean, and `parts` with what follows from that; none if
    /// nothing can be said.
    fn known(&self, parts: &TagParts) -> (Option<Arc<Pod>>, Option<Arc<Namespace>>, Option<TagParts>) {
        let store = self.store.as_ref();
        let mut pod = None;
        if !self.layout.tag_only {
            let preloaded = || self.preload.pod(&parts.namespace, &parts.pod);
            pod = preloaded().or_else(|| store.and_then(|store| find::pod(store, parts)));
        }
        let completed = find::complete(parts, pod.as_deref());
        let mut namespace = None;
        if let Some(parts) = completed.as_ref().filter(|_| self.layout.namespaces()) {
            namespace = self
                .preload
                .namespace(&parts.namespace)
                .or_else(|| store.and_then(|store| store.lookup_namespace(&parts.namespace)));
        }
        (pod, namespace, completed)
    }

    fn wish(&self, parts: &TagParts, answer: &Answer) {
        if answer.pod.is_none()
            && !self.layout.tag_only
            && find::is_named(parts)
            && let Some(store) = &self.store
        {
            store.missed(&parts.namespace, &parts.pod);
        }
    }

    fn name(&self, key: &[u8], read: impl FnOnce() -> Option<TagParts>) -> Arc<Name> {
        let shard = &self.names[self.hasher.hash_one(key) as usize % SHARDS];
        if let Some(known) = shard.read().unwrap_or_else(PoisonError::into_inner).known.get(key) {
            // A store that changes nothing would still take the line from the other threads.
            if !known.is_used.load(Ordering::Relaxed) {
                known.is_used.store(true, Ordering::Relaxed);
            }
            return Arc::clone(known);
        }
        let name = Name { parts: read(), is_used: true.into(), answer: ArcSwapOption::empty() };
        let mut shard = shard.write().unwrap_or_else(PoisonError::into_inner);
        shard.make_room();
        Arc::clone(shard.known.entry(key.into()).or_insert_with(|| Arc::new(name)))
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

    /// One that needs no store, and so wishes for nothing.
    fn by_tag_only() -> Resolver {
        let layout = Layout { tag_only: true, ..Layout::default() };
        Resolver::new(TagForm::Kubelet("kube.".into()), layout, Preload::default(), None)
    }

    fn remembered(resolver: &Resolver) -> usize {
        resolver.names.iter().map(|shard| shard.read().unwrap().known.len()).sum()
    }

    #[test]
    fn the_number_of_remembered_tags_is_bounded_by_those_in_use() {
        let resolver = by_tag_only();
        let busy: Vec<_> = (0..2000).map(|n| tag(&format!("busy-{n}"))).collect();
        for n in 0..40_000 {
            resolver.resolve(&tag(&format!("web-{n}")));
            resolver.resolve(&busy[n % busy.len()]);
        }
        assert!(remembered(&resolver) <= 6 * busy.len(), "{}", remembered(&resolver));
        let before = resolver.resolve(&busy[7]).unwrap();
        (0..500).for_each(|n| drop(resolver.resolve(&tag(&format!("more-{n}")))));
        assert!(Arc::ptr_eq(&before, &resolver.resolve(&busy[7]).unwrap()));
    }

    #[test]
    fn the_number_of_remembered_tags_is_bounded_even_if_all_are_in_use() {
        let resolver = by_tag_only();
        for n in 0..SHARDS * MOST_NAMES * 5 / 4 {
            resolver.resolve(&tag(&format!("web-{n}")));
        }
        assert!(remembered(&resolver) <= SHARDS * MOST_NAMES);
        assert!(resolver.resolve(&tag("web-0")).is_some());
    }
}
