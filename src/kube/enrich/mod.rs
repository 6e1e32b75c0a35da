//! From what names a container, be it a tag or a record, to the fields that its records gain.
//!
//! Serves the filter. A name is read when it is first seen; its fields are encoded when something about its pod
//! changes. Invariant: what stands costs one hash and one load, and no lock is held for longer.

mod find;

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    ptr,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use arc_swap::ArcSwapOption;
use tracing::warn;

use crate::{
    kube::{
        metadata::{
            self, Known, Layout,
            aws::{Service, Services},
        },
        object::{
            annotations::Heed,
            node::NodeMeta,
            pod::{Namespace, Pod},
        },
        origin::tag::{self, TagParser, TagParts},
        store::{LookupFor, Store, preload::Preload},
    },
    pace::{SharedPace, more},
    record::splice::treatment::Treatment,
};

const SHARDS: usize = 16;
/// A shard makes room when it has so many names, or twice as many as were in use the last time.
const FEW_NAMES: usize = 64;
/// A shard that is full of names in use starts anew: they are read again.
const MOST_NAMES: usize = 4096;

/// No file's tag is longer: a folder of the kubelet's, a name of 255 bytes in it, and room for what stands before; nor are
/// a record's names. What others send may be, and would fill the memory.
const LONGEST_KEY: usize = 1024;

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
    heed: Heed,
    preload: Preload,
    store: Option<Store>,
    services: Option<Arc<Services>>,
    named_by: LookupFor,
    names: [RwLock<Names>; SHARDS],
    hasher: RandomState,
    /// Of tags that name no pod.
    strange: SharedPace,
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
    found: Found,
    treatment: Option<Arc<Treatment>>,
}

/// What is known of a container's surroundings; the same if it is the same memory.
#[derive(Default)]
struct Found {
    pod: Option<Arc<Pod>>,
    namespace: Option<Arc<Namespace>>,
    node: Option<Arc<NodeMeta>>,
    service: Option<Arc<Service>>,
}

impl PartialEq for Found {
    fn eq(&self, other: &Self) -> bool {
        fn at<T>(known: Option<&Arc<T>>) -> *const T {
            known.map_or(ptr::null(), Arc::as_ptr)
        }
        at(self.pod.as_ref()) == at(other.pod.as_ref())
            && at(self.namespace.as_ref()) == at(other.namespace.as_ref())
            && at(self.node.as_ref()) == at(other.node.as_ref())
            && at(self.service.as_ref()) == at(other.service.as_ref())
    }
}

impl Resolver {
    /// Asks `preload` first, then `store`.
    pub fn new(form: TagForm, layout: Layout, preload: Preload, store: Option<Store>) -> Self {
        let names = std::array::from_fn(|_| RwLock::default());
        Self {
            form,
            layout,
            heed: Heed::default(),
            preload,
            store,
            services: None,
            named_by: LookupFor::Files,
            names,
            hasher: RandomState::new(),
            strange: SharedPace::default(),
        }
    }

    /// Whether pods that are not known may be so only because no list is complete yet.
    pub fn is_synced(&self) -> bool {
        self.store.as_ref().is_none_or(Store::is_synced)
    }

    /// Has done what pods ask for in those annotations.
    pub fn heeding(mut self, heed: Heed) -> Self {
        self.heed = heed;
        self
    }

    /// Says whether tags or records name the pods; tags, unless it is said.
    pub fn named_by(mut self, named_by: LookupFor) -> Self {
        self.named_by = named_by;
        self
    }

    /// Names the services of pods too.
    pub fn naming(mut self, services: Option<Arc<Services>>) -> Self {
        self.services = services;
        self
    }

    /// A number that moves with everything that is known.
    fn generation(&self) -> u64 {
        let store = self.store.as_ref().map_or(0, Store::generation);
        store + self.services.as_ref().map_or(0, |services| services.generation())
    }

    /// Whether pods matter.
    fn pods(&self) -> bool {
        !self.layout.tag_only && (!self.layout.namespace_only || self.heed.any())
    }

    /// Which fields records gain.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The treatment of records of `tag`; `None` if it names no pod.
    pub fn resolve(&self, tag: &[u8]) -> Option<Arc<Treatment>> {
        let mut is_new = tag.len() > LONGEST_KEY;
        let treatment = self.resolve_key(tag, || {
            is_new = true;
            self.form.parse(tag)
        });
        if is_new
            && treatment.is_none()
            && let Some(held_back) = self.strange.admit()
        {
            let shown = String::from_utf8_lossy(&tag[..tag.len().min(LONGEST_KEY)]);
            warn!(
                "tag '{shown}': names no pod, its records pass as they are{}",
                more(held_back, "such tags")
            );
        }
        treatment
    }

    /// The treatment of records that name their container by `key`, which `read` can tell the meaning of.
    pub fn resolve_key(&self, key: &[u8], read: impl FnOnce() -> Option<TagParts>) -> Option<Arc<Treatment>> {
        let name = self.name(key, read);
        let parts = name.parts.as_ref()?;
        let generation = self.generation();
        let before = name.answer.load();
        if let Some(answer) = &*before
            && answer.generation.load(Ordering::Acquire) == generation
        {
            self.wish(parts, answer);
            return answer.treatment.clone();
        }
        let found = self.find(parts);
        if let Some(answer) = &*before
            && answer.found == found
        {
            answer.generation.store(generation, Ordering::Release);
            self.wish(parts, answer);
            return answer.treatment.clone();
        }
        let treatment = self.treatment(parts, &found).map(Arc::new);
        let answer = Arc::new(Answer { generation: generation.into(), found, treatment });
        name.answer.store(Some(Arc::clone(&answer)));
        self.wish(parts, &answer);
        answer.treatment.clone()
    }

    /// What is known of the pod that `parts` mean, and of what is around it.
    fn find(&self, parts: &TagParts) -> Found {
        let store = self.store.as_ref();
        let mut found = Found::default();
        if self.pods() {
            let preloaded = self.preload.pod(&parts.namespace, &parts.pod);
            let may_be = |pod: &Arc<Pod>| {
                self.named_by == LookupFor::Records || !store.is_some_and(|store| store.is_elsewhere(pod))
            };
            let known = || store.and_then(|store| find::pod(store, parts)).filter(may_be);
            found.pod = preloaded.filter(|pod| metadata::meant(parts, Some(pod)).is_some()).or_else(known);
        }
        let pod = found.pod.as_deref();
        if self.layout.namespaces() {
            // The name in the tag may be cut.
            let name = pod.and_then(|pod| pod.meta.namespace.as_deref()).unwrap_or(&parts.namespace);
            let known = || store.and_then(|store| store.lookup_namespace(name));
            found.namespace = self.preload.namespace(name).or_else(known);
        }
        if let Some(name) = pod.and_then(|pod| pod.node.as_deref()).filter(|_| self.layout.nodes()) {
            found.node = self.preload.node(name).or_else(|| store.and_then(|store| store.lookup_node(name)));
        }
        if let Some(services) = &self.services {
            let name = || pod.and_then(|pod| pod.meta.name.as_deref());
            let name = if find::is_named(parts) { Some(&*parts.pod) } else { name() };
            found.service = name.and_then(|name| services.of(name));
        }
        found
    }

    /// What is to be done with the records of what `parts` mean; none if nothing can be said of it.
    fn treatment(&self, parts: &TagParts, found: &Found) -> Option<Treatment> {
        let pod = metadata::meant(parts, found.pod.as_deref());
        let (namespace, node) = (found.namespace.as_deref(), found.node.as_deref());
        let aws = self.services.as_deref().map(|services| (services, found.service.as_deref()));
        let parts = find::complete(parts, pod)?;
        let treatment = metadata::treatment(&self.layout, &parts, Known { pod, namespace, node, aws });
        Some(self.heed.complete(treatment, &parts, pod, namespace))
    }

    fn wish(&self, parts: &TagParts, answer: &Answer) {
        let Some(store) = self.store.as_ref().filter(|_| self.pods() && find::is_named(parts)) else {
            return;
        };
        match &answer.found.pod {
            None => store.missed(&parts.namespace, &parts.pod, self.named_by),
            Some(pod) if metadata::meant(parts, Some(pod)).is_none() => {
                store.request_refresh(&parts.namespace, &parts.pod, self.named_by);
            }
            Some(_) => {}
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
        let is_short = key.len() <= LONGEST_KEY;
        let parts = is_short.then(read).flatten();
        let name = Name { parts, is_used: true.into(), answer: ArcSwapOption::empty() };
        if !is_short {
            return Arc::new(name);
        }
        let mut shard = shard.write().unwrap_or_else(PoisonError::into_inner);
        shard.make_room();
        Arc::clone(shard.known.entry(key.into()).or_insert_with(|| Arc::new(name)))
    }
}

#[cfg(test)]
mod tests;
