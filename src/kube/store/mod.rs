//! What the watch knows, for the filter to read: pods, namespaces and nodes, deleted ones for a while longer.
//!
//! Serves the watch through [`Writer`] and filters through [`Store`]; see [`channel`]. Invariants: a reader never
//! waits; a list shows when it is complete; a deleted pod stays for the grace time, through a new list too.

pub mod disk;
mod id_index;
mod lookup_queue;
mod lookups;
pub mod preload;
pub mod section;
mod table;

use std::{
    collections::HashMap,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::watch;

pub use crate::kube::store::lookup_queue::{LookupFor, LookupRequest};
use crate::kube::{
    object::{
        labelled::{Namespace, NodeMeta},
        pod::Pod,
    },
    store::{id_index::Ids, lookup_queue::LookupQueue, table::Table},
};

/// How a store behaves.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Config {
    /// How long a deleted pod stays known.
    pub delete_grace: Duration,
    /// Whether namespaces are watched too, and so belong to a complete first sync.
    pub namespaces: bool,
    /// What is not kept of pods.
    pub unshown: Unshown,
}

/// Which parts of pods no record shows, so that none is kept. What annotations ask for is kept in any case.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Unshown {
    /// Labels.
    pub labels: bool,
    /// Annotations.
    pub annotations: bool,
    /// Owner references.
    pub owner_references: bool,
}

impl Unshown {
    /// Whether all of this is in `other` too.
    pub(crate) fn is_within(self, other: Self) -> bool {
        let parts = [
            (self.labels, other.labels),
            (self.annotations, other.annotations),
            (self.owner_references, other.owner_references),
        ];
        parts.iter().all(|(own, other)| !own || *other)
    }

    /// A pod without the parts that are not kept of it.
    fn strip(self, pod: &mut Pod) {
        if self.labels {
            pod.labels = None;
        }
        if self.annotations {
            pod.annotations = None;
        }
        if self.owner_references {
            pod.owner_references = None;
        }
    }
}

/// Makes the two ends of a store.
pub fn channel(config: Config) -> (Writer, Store) {
    let inner = Arc::new(Inner {
        pods: Table::new(),
        ids: Ids::new(),
        namespaces: Table::new(),
        nodes: Table::new(),
        requests: LookupQueue::default(),
        looks_up: AtomicBool::new(true),
        generation: AtomicU64::new(1),
        missing: watch::Sender::new(Missing { pods: true, namespaces: config.namespaces, nodes: false }),
        polled: AtomicBool::new(false),
        node: OnceLock::new(),
        config,
    });
    (Writer(Arc::clone(&inner)), Store(inner))
}

struct Inner {
    config: Config,
    pods: Table<Pod>,
    ids: Ids,
    namespaces: Table<Namespace>,
    nodes: Table<NodeMeta>,
    requests: LookupQueue,
    looks_up: AtomicBool,
    /// Moves with every change that a reader can see.
    generation: AtomicU64,
    missing: watch::Sender<Missing>,
    polled: AtomicBool,
    /// Whose pods are watched; unset for all nodes, and while it is unknown.
    node: OnceLock<Box<str>>,
}

/// Which first lists are not complete yet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Missing {
    pods: bool,
    namespaces: bool,
    nodes: bool,
}

impl Missing {
    fn nothing(self) -> bool {
        !self.pods && !self.namespaces && !self.nodes
    }
}

impl Inner {
    fn changed(&self, is_news: bool) {
        if is_news {
            self.generation.fetch_add(1, Ordering::Release);
        }
    }

    /// When what goes now is forgotten.
    fn grace(&self) -> Instant {
        Instant::now() + self.config.delete_grace
    }
}

/// The reading end. Clones share it.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

impl Store {
    /// Whether the first lists are complete.
    pub fn is_synced(&self) -> bool {
        self.0.missing.borrow().nothing()
    }

    /// Resolves when the first lists are complete.
    pub async fn synced(&self) {
        // The sender lives in what `self` holds.
        let _ = self.0.missing.subscribe().wait_for(|missing| missing.nothing()).await;
    }

    /// A number that moves with every change: while it stands, so do earlier answers.
    pub fn generation(&self) -> u64 {
        self.0.generation.load(Ordering::Acquire)
    }

    /// What is known of a pod.
    pub fn lookup(&self, namespace: &str, pod: &str) -> Option<Arc<Pod>> {
        self.get(&key(namespace, pod))
    }

    /// What is known of the pod that has this uid, also after another took its name; else of the one that has the name
    /// now.
    pub fn lookup_run(&self, namespace: &str, pod: &str, uid: Option<&str>) -> Option<Arc<Pod>> {
        let known = self.lookup(namespace, pod);
        let Some(uid) = uid else { return known };
        if known.as_ref().is_some_and(|pod| pod.meta.uid.as_deref() == Some(uid)) {
            return known;
        }
        self.0.pods.get(&former_key(&key(namespace, pod), uid)).or(known)
    }

    /// Shows every pod, and whether it is to stay.
    pub(crate) fn each_pod(&self, mut show: impl FnMut(&Arc<Pod>, bool)) {
        self.0.pods.each(|_, pod, stays| show(pod, stays));
    }

    /// Whether the pods were listed once.
    pub(crate) fn has_listed_pods(&self) -> bool {
        self.0.pods.is_listed()
    }

    /// What is known of a namespace.
    pub fn lookup_namespace(&self, namespace: &str) -> Option<Arc<Namespace>> {
        self.0.namespaces.get(namespace)
    }

    /// What is known of a node.
    pub fn lookup_node(&self, node: &str) -> Option<Arc<NodeMeta>> {
        self.0.nodes.get(node)
    }

    /// What is known of the pod that has this uid, or a container of this id.
    pub fn lookup_id(&self, id: &str) -> Option<Arc<Pod>> {
        let (key, uid) = self.0.ids.get(id)?;
        let is_it = |pod: &Arc<Pod>| pod.meta.uid == uid;
        let former = || self.0.pods.get(&former_key(&key, uid.as_deref()?));
        self.get(&key).filter(is_it).or_else(former)
    }

    /// How often a container had been restarted before the run with this id.
    pub fn restarts(&self, container_id: &str) -> Option<u32> {
        self.0.ids.restarts(container_id)
    }

    /// Whether a pod is kept up to date by a watch, so that what is known of it is at most a moment old.
    pub fn is_watched(&self, namespace: &str, pod: &str) -> bool {
        !self.0.polled.load(Ordering::Relaxed) && self.0.pods.is_kept(&key(namespace, pod))
    }

    /// The only pod of which `is_it` is true, of those whose name no other has now; none if there are several. Looks at
    /// all of them.
    pub fn lookup_only(&self, is_it: impl Fn(&Pod) -> bool) -> Option<Arc<Pod>> {
        let (mut found, mut count) = (None, 0);
        self.0.pods.each(|key, pod, _| {
            if is_it(pod) && !is_former(key) {
                count += 1;
                found = Some(Arc::clone(pod));
            }
        });
        found.filter(|_| count == 1)
    }

    /// The node whose pods are watched; none for all nodes, or while it is unknown.
    pub fn node(&self) -> Option<&str> {
        self.0.node.get().map(|node| &**node)
    }

    /// Whether a pod runs on another node than the one whose pods are watched, so that no log file of this node is its.
    pub fn is_elsewhere(&self, pod: &Pod) -> bool {
        match (self.0.node.get(), &pod.node) {
            (Some(own), Some(node)) => own != node && !node.is_empty(),
            _ => false,
        }
    }

    /// How many pods are known.
    pub fn len(&self) -> usize {
        self.0.pods.len()
    }

    /// Whether no pod is known.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The writing end, for one watch; its tasks may share it.
pub struct Writer(Arc<Inner>);

impl Writer {
    /// A reader of the same store.
    pub fn store(&self) -> Store {
        Store(Arc::clone(&self.0))
    }

    /// The node whose pods are watched, once it is known.
    pub fn set_node(&self, node: &str) {
        // A watch has one node.
        let _ = self.0.node.set(node.into());
    }

    /// Changes show at the next list only.
    pub(crate) fn is_polled(&self) {
        self.0.polled.store(true, Ordering::Relaxed);
    }

    /// The first sync waits for nodes too.
    pub fn await_nodes(&self) {
        self.0.missing.send_if_modified(|missing| !std::mem::replace(&mut missing.nodes, true));
    }

    /// A pod whose name `now` has, and which is another by its uid, stays for the grace time, by that uid.
    fn keep_former(&self, key: &str, former: &Arc<Pod>, now: &Pod) {
        if let Some(uid) = &former.meta.uid
            && now.meta.uid.as_ref() != Some(uid)
        {
            self.0.pods.put_until(&former_key(key, uid), Pod::clone(former), self.0.grace());
        }
    }

    /// Puts a pod, after what had its name before.
    fn keep_replaced(&self, replaced: Vec<(Arc<str>, Arc<Pod>)>) {
        for (key, former) in replaced {
            if let Some(now) = self.0.pods.get(&key) {
                self.keep_former(&key, &former, &now);
            }
        }
    }

    /// Pods that were known before this process, in the order in which they were last seen. The first complete list
    /// says which of them go.
    pub(crate) fn adopt(&self, pods: &[Arc<Pod>]) {
        let mut latest = HashMap::new();
        let mut entries = Vec::with_capacity(pods.len());
        let former =
            |key: &str, pod: &Arc<Pod>| Some((former_key(key, pod.meta.uid.as_deref()?), Arc::clone(pod)));
        for pod in pods {
            let Some(key) = pod_key(pod) else { continue };
            let before = latest.insert(key.clone(), Arc::clone(pod));
            entries.extend(before.and_then(|before| former(&key, &before)));
        }
        entries.extend(latest);
        // The watch may have been faster.
        let taken = self.0.pods.adopt(entries, self.0.grace());
        self.keep_replaced(taken);
        self.0.ids.replace(&self.0.pods, self.0.grace());
        self.0.changed(true);
    }

    /// Forgets what is due. To be called every few seconds.
    pub fn sweep(&self, now: Instant) {
        let is_awaited = |key: &str| {
            key.split_once('/').is_some_and(|(namespace, pod)| self.0.requests.is_refreshing(namespace, pod))
        };
        let pods = self.0.pods.sweep(now, is_awaited);
        let any = pods | self.0.namespaces.sweep(now, |_| false) | self.0.nodes.sweep(now, |_| false);
        self.0.ids.sweep(now);
        self.0.changed(any);
    }
}

/// Neither half can hold a slash.
fn key(namespace: &str, pod: &str) -> String {
    [namespace, "/", pod].concat()
}

/// The key of a pod whose name another has now.
fn former_key(key: &str, uid: &str) -> String {
    [key, "/", uid].concat()
}

fn is_former(key: &str) -> bool {
    key.bytes().filter(|byte| *byte == b'/').count() > 1
}

fn pod_key(pod: &Pod) -> Option<String> {
    Some(key(pod.meta.namespace.as_deref()?, pod.meta.name.as_deref()?))
}

#[cfg(test)]
mod tests;
