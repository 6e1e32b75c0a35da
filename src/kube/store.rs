//! What the watch knows, for the filter to read: pods, namespaces and nodes, deleted ones for a while longer.
//!
//! Serves the watch through [`Writer`] and filters through [`Store`]; see [`channel`]. Invariants: a reader never
//! waits; a list shows when it is complete; a deleted pod stays for the grace time, through a new list too.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::watch;

pub use super::wish::Wish;
use super::{
    nodes::NodeMeta,
    pod::{Namespace, Pod},
    table::Table,
    wish::Wishes,
};

/// How long a pod that was looked up, and is not watched, stays known.
const LOOKED_UP_FOR: Duration = Duration::from_secs(600);

/// How a store behaves.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Config {
    /// How long a deleted pod stays known.
    pub delete_grace: Duration,
    /// Whether namespaces are watched too, and so belong to a complete first sync.
    pub namespaces: bool,
}

/// Makes the two ends of a store.
pub fn channel(config: Config) -> (Writer, Store) {
    let inner = Arc::new(Inner {
        pods: Table::new(),
        namespaces: Table::new(),
        nodes: Table::new(),
        wishes: Wishes::default(),
        generation: AtomicU64::new(1),
        missing: watch::Sender::new(Missing { pods: true, namespaces: config.namespaces, nodes: false }),
        config,
    });
    (Writer(Arc::clone(&inner)), Store(inner))
}

struct Inner {
    config: Config,
    pods: Table<Pod>,
    namespaces: Table<Namespace>,
    nodes: Table<NodeMeta>,
    wishes: Wishes,
    /// Moves with every change that a reader can see.
    generation: AtomicU64,
    missing: watch::Sender<Missing>,
}

/// Which first lists are not complete yet.
#[derive(Debug, Clone, Copy)]
struct Missing {
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
        self.0.pods.get(&key(namespace, pod))
    }

    /// What is known of a namespace.
    pub fn lookup_namespace(&self, namespace: &str) -> Option<Arc<Namespace>> {
        self.0.namespaces.get(namespace)
    }

    /// What is known of a node.
    pub fn lookup_node(&self, node: &str) -> Option<Arc<NodeMeta>> {
        self.0.nodes.get(node)
    }

    /// Tells that a record names a pod which [`Self::lookup`] doesn't know: it may be looked up. Cheap to repeat.
    pub fn missed(&self, namespace: &str, pod: &str) {
        // Before that the list will tell.
        if !self.0.missing.borrow().pods {
            self.0.wishes.add(namespace, pod, Instant::now());
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

    /// A list of pods begins; an unfinished one is forgotten.
    pub fn begin_list(&self) {
        self.0.pods.begin();
    }

    /// A pod as listed, or as it is now.
    pub fn apply(&self, mut pod: Pod) {
        // It moves with every heartbeat, and no record shows it.
        pod.meta.resource_version = None;
        if let Some(key) = pod_key(&pod) {
            self.0.changed(self.0.pods.put(key, pod));
        }
    }

    /// A pod is gone; one of the same name and another uid is not meant. An empty uid means any.
    pub fn delete(&self, namespace: &str, name: &str, uid: &str) {
        let until = Instant::now() + self.0.config.delete_grace;
        self.0.pods.expire(&key(namespace, name), until, |pod| {
            uid.is_empty() || pod.meta.uid.as_deref() == Some(uid)
        });
    }

    /// The list is complete: it replaces what was known.
    pub fn end_list(&self) {
        self.0.pods.end(Instant::now() + self.0.config.delete_grace);
        self.0.changed(true);
        self.0.missing.send_if_modified(|missing| std::mem::take(&mut missing.pods));
    }

    /// A list of namespaces begins; an unfinished one is forgotten.
    pub fn begin_namespace_list(&self) {
        self.0.namespaces.begin();
    }

    /// A namespace as listed, or as it is now.
    pub fn apply_namespace(&self, mut namespace: Namespace) {
        namespace.meta.resource_version = None;
        if let Some(name) = namespace.meta.name.clone() {
            self.0.changed(self.0.namespaces.put(name, namespace));
        }
    }

    /// A namespace is gone.
    pub fn delete_namespace(&self, name: &str) {
        self.0.namespaces.expire(name, Instant::now() + self.0.config.delete_grace, |_| true);
    }

    /// The list of namespaces is complete: it replaces what was known.
    pub fn end_namespace_list(&self) {
        self.0.namespaces.end(Instant::now() + self.0.config.delete_grace);
        self.0.changed(true);
        self.0.missing.send_if_modified(|missing| std::mem::take(&mut missing.namespaces));
    }

    /// Whether the first sync waits for nodes too; unless told so, it does not.
    pub fn await_nodes(&self, wanted: bool) {
        self.0.missing.send_if_modified(|missing| std::mem::replace(&mut missing.nodes, wanted) != wanted);
    }

    /// A list of nodes begins; an unfinished one is forgotten.
    pub fn begin_node_list(&self) {
        self.0.nodes.begin();
    }

    /// A node as listed, or as it is now.
    pub fn apply_node(&self, mut node: NodeMeta) {
        node.meta.resource_version = None;
        if let Some(name) = node.meta.name.clone() {
            self.0.changed(self.0.nodes.put(name, node));
        }
    }

    /// A node is gone.
    pub fn delete_node(&self, name: &str) {
        self.0.nodes.expire(name, Instant::now() + self.0.config.delete_grace, |_| true);
    }

    /// The list of nodes is complete: it replaces what was known.
    pub fn end_node_list(&self) {
        self.0.nodes.end(Instant::now() + self.0.config.delete_grace);
        self.0.changed(true);
        self.await_nodes(false);
    }

    /// Forgets what is due. To be called every few seconds.
    pub fn sweep(&self, now: Instant) {
        let any = self.0.pods.sweep(now) | self.0.namespaces.sweep(now) | self.0.nodes.sweep(now);
        self.0.changed(any);
    }

    /// The next pod that a record named and nobody knows; waits for one.
    pub async fn next_wish(&self) -> Wish {
        self.0.wishes.next().await
    }

    /// The answer to a wish.
    pub fn found(&self, wish: &Wish, pod: Pod) {
        let until = Instant::now() + LOOKED_UP_FOR;
        self.0.changed(self.0.pods.put_until(key(&wish.namespace, &wish.pod), pod, until));
        self.0.wishes.granted(wish);
    }

    /// There was no answer to a wish, if it is still open: the pod may be wished for again at once.
    pub fn unanswered(&self, wish: &Wish) {
        self.0.wishes.unanswered(wish, Instant::now());
    }

    /// The pod of a wish doesn't exist: it may be wished for again later, each time after a longer pause.
    pub fn absent(&self, wish: &Wish) {
        self.0.wishes.absent(wish, Instant::now());
    }
}

/// Neither half can hold a slash.
fn key(namespace: &str, pod: &str) -> String {
    [namespace, "/", pod].concat()
}

fn pod_key(pod: &Pod) -> Option<String> {
    Some(key(pod.meta.namespace.as_deref()?, pod.meta.name.as_deref()?))
}

#[cfg(test)]
mod tests;
