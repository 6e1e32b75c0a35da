//! From what names a container, be it a tag or a record, to the fields that its records gain.
//!
//! Serves the filter. A name is read when it is first seen; its fields are encoded when something about its pod
//! changes. Invariant: what stands costs one hash and one load, and no lock is held for longer.

pub mod by_record;
mod find;
pub mod policy;

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    ptr,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use arc_swap::ArcSwapOption;
use tracing::warn;

use crate::{
    kube::{
        enrich::policy::AnnotationPolicy,
        metadata::{
            self, Known, Layout,
            aws::{Service, Services},
        },
        object::{
            labelled::{Namespace, NodeMeta},
            pod::Pod,
        },
        origin::{
            container_ref::{ContainerRef, TagParser},
            tag,
        },
        store::{LookupFor, Store, preload::Preload},
    },
    pace::{SharedPace, more},
    record::splice::treatment::Treatment,
};

const SHARDS: usize = 16;
/// A shard makes room at this many names, or at twice as many as were in use the last time.
const FEW_NAMES: usize = 64;
/// A shard that is full of names in use starts anew: they are read again.
const MOST_NAMES: usize = 4096;

/// No file's tag is longer: a folder of the kubelet's, a name of 255 bytes in it, and room for what stands before; nor are
/// a record's names. What others send may be, and would fill the memory.
const LONGEST_KEY: usize = 1024;

/// After this time a pod is taken for the one that is meant although no run of it is known to have the container's id.
const LONGEST_DOUBT: Duration = Duration::from_secs(15);

/// What was not used for this time, or up to twice as long, is forgotten.
const FORGET_AFTER: Duration = Duration::from_secs(120);

/// How tags are read.
pub enum TagForm {
    /// The kubelet's own forms, behind this prefix.
    Kubelet(String),
    /// Of the operator's own, after a prefix of this many bytes.
    Custom(usize, Box<dyn TagParser>),
}

impl TagForm {
    fn parse(&self, tag: &[u8]) -> Option<ContainerRef> {
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
    policy: AnnotationPolicy,
    preload: Preload,
    store: Option<Store>,
    services: Option<Arc<Services>>,
    named_by: LookupFor,
    shards: [RwLock<Shard>; SHARDS],
    hasher: RandomState,
    /// Which shard is next to forget what is unused, and when.
    sweep: Mutex<(usize, Instant)>,
    /// Of tags that name no pod.
    unreadable_tags: SharedPace,
}

/// What a shard holds.
struct Shard {
    known: HashMap<Box<[u8]>, Arc<CachedOrigin>>,
    limit: usize,
}

impl Default for Shard {
    fn default() -> Self {
        Self { known: HashMap::new(), limit: FEW_NAMES }
    }
}

impl Shard {
    /// Forgets those that nobody used since it was last done.
    fn forget_unused(&mut self) {
        self.known.retain(|_, name| name.is_used.swap(false, Ordering::Relaxed));
    }

    /// Makes room for one more.
    fn make_room(&mut self) {
        if self.known.len() < self.limit {
            return;
        }
        self.forget_unused();
        if self.known.len() >= MOST_NAMES {
            self.known.clear();
        }
        self.known.shrink_to(FEW_NAMES);
        self.limit = (2 * self.known.len()).clamp(FEW_NAMES, MOST_NAMES);
    }
}

/// What a tag or a key says, and what it leads to.
struct CachedOrigin {
    origin: Option<ContainerRef>,
    since: Instant,
    /// Whether a pod is taken that was doubtful.
    is_settled: AtomicBool,
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
    /// The pod of that name, where it may not be the one that is meant: a look at the API, or time, will tell.
    doubted: Option<Arc<Pod>>,
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
            && at(self.doubted.as_ref()) == at(other.doubted.as_ref())
    }
}

impl Resolver {
    /// Asks `preload` first, then `store`.
    pub fn new(form: TagForm, layout: Layout, preload: Preload, store: Option<Store>) -> Self {
        let shards = std::array::from_fn(|_| RwLock::default());
        Self {
            form,
            layout,
            policy: AnnotationPolicy::default(),
            preload,
            store,
            services: None,
            named_by: LookupFor::Files,
            shards,
            hasher: RandomState::new(),
            sweep: Mutex::new((0, Instant::now())),
            unreadable_tags: SharedPace::default(),
        }
    }

    /// Whether pods that are not known may be so only because no list is complete yet.
    pub fn is_synced(&self) -> bool {
        self.store.as_ref().is_none_or(Store::is_synced)
    }

    /// Obeys `fluentbit.io/exclude` and `fluentbit.io/parser` as `policy` says.
    pub fn with_annotation_policy(mut self, policy: AnnotationPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// Says whether tags or records name the pods; tags, unless it is said.
    pub fn named_by(mut self, named_by: LookupFor) -> Self {
        self.named_by = named_by;
        self
    }

    /// Names the services of pods too.
    pub fn with_services(mut self, services: Option<Arc<Services>>) -> Self {
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
        !self.layout.tag_only && (!self.layout.namespace_only || self.policy.any())
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
            && let Some(held_back) = self.unreadable_tags.admit()
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
    pub fn resolve_key(
        &self,
        key: &[u8],
        read: impl FnOnce() -> Option<ContainerRef>,
    ) -> Option<Arc<Treatment>> {
        let name = self.name(key, read);
        let origin = name.origin.as_ref()?;
        let generation = self.generation();
        let before = name.answer.load();
        if let Some(answer) = &*before
            && answer.generation.load(Ordering::Acquire) == generation
            && answer.found.doubted.is_none()
        {
            self.wish(origin, answer);
            return answer.treatment.clone();
        }
        let found = self.find(origin, &name, before.as_deref());
        if let Some(answer) = &*before
            && answer.found == found
        {
            answer.generation.store(generation, Ordering::Release);
            self.wish(origin, answer);
            return answer.treatment.clone();
        }
        self.forget_unused(Instant::now());
        let treatment = self.treatment(origin, &found).map(Arc::new);
        let answer = Arc::new(Answer { generation: generation.into(), found, treatment });
        name.answer.store(Some(Arc::clone(&answer)));
        self.wish(origin, &answer);
        answer.treatment.clone()
    }

    /// What is known of the pod that `origin` mean, and of what is around it.
    fn find(&self, origin: &ContainerRef, name: &CachedOrigin, before: Option<&Answer>) -> Found {
        let store = self.store.as_ref();
        let mut found = Found::default();
        if self.pods() {
            let preloaded = self.preload.pod(&origin.namespace, &origin.pod);
            let may_be = |pod: &Arc<Pod>| {
                self.named_by == LookupFor::Records || !store.is_some_and(|store| store.is_elsewhere(pod))
            };
            let known = || store.and_then(|store| find::pod(store, origin)).filter(may_be);
            found.pod = preloaded.filter(|pod| find::meant(origin, Some(pod)).is_some());
            if found.pod.is_none() {
                let doubted = before.and_then(|answer| answer.found.doubted.as_ref());
                match known() {
                    Some(pod) if self.doubts(origin, name, &pod, doubted) => found.doubted = Some(pod),
                    pod => found.pod = pod,
                }
            }
        }
        let pod = found.pod.as_deref();
        if self.layout.namespaces() {
            // The name in the tag may be cut.
            let name = pod.and_then(|pod| pod.meta.namespace.as_deref()).unwrap_or(&origin.namespace);
            let known = || store.and_then(|store| store.lookup_namespace(name));
            found.namespace = self.preload.namespace(name).or_else(known);
        }
        if let Some(name) = pod.and_then(|pod| pod.node.as_deref()).filter(|_| self.layout.nodes()) {
            found.node = self.preload.node(name).or_else(|| store.and_then(|store| store.lookup_node(name)));
        }
        if let Some(services) = &self.services {
            let name = || pod.and_then(|pod| pod.meta.name.as_deref());
            let name = if find::is_named(origin) { Some(&*origin.pod) } else { name() };
            found.service = name.and_then(|name| services.of(name));
        }
        found
    }

    /// Forgets those of one shard that nobody used since its last turn: they hold the metadata of pods that are long gone.
    fn forget_unused(&self, now: Instant) {
        let Ok(mut sweep) = self.sweep.try_lock() else { return };
        let (shard, last) = &mut *sweep;
        if now.duration_since(*last) < FORGET_AFTER / SHARDS as u32 {
            return;
        }
        (*shard, *last) = ((*shard + 1) % SHARDS, now);
        self.shards[*shard].write().unwrap_or_else(PoisonError::into_inner).forget_unused();
    }

    /// Whether `pod` is not to be taken yet for the one that `origin` means: it may be that of a new container whose pod
    /// took over the name. It is taken once it was read again since it was first `doubted`, or when that takes too long.
    fn doubts(
        &self,
        origin: &ContainerRef,
        name: &CachedOrigin,
        pod: &Arc<Pod>,
        doubted: Option<&Arc<Pod>>,
    ) -> bool {
        let Some(store) = &self.store else { return false };
        if name.is_settled.load(Ordering::Relaxed) || !find::is_doubtful(store, origin, pod) {
            return false;
        }
        let is_fresh = doubted.is_some_and(|before| !Arc::ptr_eq(before, pod));
        let is_settled = is_fresh || name.since.elapsed() >= LONGEST_DOUBT;
        name.is_settled.store(is_settled, Ordering::Relaxed);
        !is_settled
    }

    /// What is to be done with the records of what `origin` mean; none if nothing can be said of it.
    fn treatment(&self, origin: &ContainerRef, found: &Found) -> Option<Treatment> {
        let pod = find::meant(origin, found.pod.as_deref());
        let (namespace, node) = (found.namespace.as_deref(), found.node.as_deref());
        let aws = self.services.as_deref().map(|services| (services, found.service.as_deref()));
        let mut origin = find::complete(origin, pod)?;
        let store = self.store.as_ref();
        let is_sure = pod.is_some_and(|pod| find::is_sure(store, &origin, pod));
        if is_sure && origin.restarts.is_none() {
            origin.restarts = origin.docker_id.as_deref().and_then(|id| store?.restarts(id));
        }
        let treatment =
            metadata::treatment(&self.layout, &origin, Known { pod, is_sure, namespace, node, aws });
        Some(self.policy.complete(treatment, &origin, pod, namespace))
    }

    fn wish(&self, origin: &ContainerRef, answer: &Answer) {
        let Some(store) = self.store.as_ref().filter(|_| self.pods() && find::is_named(origin)) else {
            return;
        };
        match &answer.found.pod {
            None if answer.found.doubted.is_some() => {
                store.request_refresh(&origin.namespace, &origin.pod, self.named_by);
            }
            None => store.missed(&origin.namespace, &origin.pod, self.named_by),
            Some(pod) if find::meant(origin, Some(pod)).is_none() => {
                store.request_refresh(&origin.namespace, &origin.pod, self.named_by);
            }
            Some(_) => {}
        }
    }

    fn name(&self, key: &[u8], read: impl FnOnce() -> Option<ContainerRef>) -> Arc<CachedOrigin> {
        let shard = &self.shards[self.hasher.hash_one(key) as usize % SHARDS];
        if let Some(known) = shard.read().unwrap_or_else(PoisonError::into_inner).known.get(key) {
            // A store that changes nothing would still take the line from the other threads.
            if !known.is_used.load(Ordering::Relaxed) {
                known.is_used.store(true, Ordering::Relaxed);
            }
            return Arc::clone(known);
        }
        let is_short = key.len() <= LONGEST_KEY;
        let origin = is_short.then(read).flatten();
        let name = CachedOrigin {
            origin,
            since: Instant::now(),
            is_settled: false.into(),
            is_used: true.into(),
            answer: ArcSwapOption::empty(),
        };
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
