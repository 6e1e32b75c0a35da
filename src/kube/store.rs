//! What the watch knows, for the filter to read: pods and namespaces, deleted ones for a while longer.
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
        wishes: Wishes::default(),
        generation: AtomicU64::new(1),
        missing: watch::Sender::new(Missing { pods: true, namespaces: config.namespaces }),
        config,
    });
    (Writer(Arc::clone(&inner)), Store(inner))
}

struct Inner {
    config: Config,
    pods: Table<Pod>,
    namespaces: Table<Namespace>,
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
}

impl Missing {
    fn nothing(self) -> bool {
        !self.pods && !self.namespaces
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

    /// Forgets what is due. To be called every few seconds.
    pub fn sweep(&self, now: Instant) {
        let any = self.0.pods.sweep(now) | self.0.namespaces.sweep(now);
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
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_secs(60);

    fn empty() -> (Writer, Store) {
        let (writer, store) = channel(Config { delete_grace: GRACE, namespaces: false });
        writer.begin_list();
        writer.end_list();
        (writer, store)
    }

    fn pod(name: &str, uid: &str) -> Pod {
        let json = serde_json::json!({"metadata": {"name": name, "namespace": "shop", "uid": uid}});
        serde_json::from_value(json).unwrap()
    }

    fn uid(store: &Store, name: &str) -> Option<String> {
        store.lookup("shop", name)?.meta.uid.clone()
    }

    #[test]
    fn a_list_shows_when_it_is_complete() {
        let (writer, store) = channel(Config { delete_grace: GRACE, namespaces: false });
        writer.begin_list();
        writer.apply(pod("web", "1"));
        assert_eq!(uid(&store, "web"), None);
        assert!(!store.is_synced());
        writer.end_list();
        assert_eq!(uid(&store, "web").as_deref(), Some("1"));
        assert!(store.is_synced());
    }

    #[test]
    fn a_list_that_broke_off_leaves_nothing_behind() {
        let (writer, store) = empty();
        writer.begin_list();
        writer.apply(pod("half", "1"));
        writer.begin_list();
        writer.apply(pod("web", "2"));
        writer.end_list();
        assert_eq!(uid(&store, "half"), None);
        assert_eq!(uid(&store, "web").as_deref(), Some("2"));
    }

    #[test]
    fn wanted_namespaces_belong_to_the_first_sync() {
        let (writer, store) = channel(Config { delete_grace: GRACE, namespaces: true });
        writer.begin_list();
        writer.end_list();
        assert!(!store.is_synced());
        writer.begin_namespace_list();
        writer.apply_namespace(serde_json::from_str(r#"{"metadata":{"name":"shop"}}"#).unwrap());
        writer.end_namespace_list();
        assert!(store.is_synced());
        assert!(store.lookup_namespace("shop").is_some());
    }

    #[test]
    fn a_deleted_pod_stays_for_the_grace_time_through_a_new_list() {
        let (writer, store) = empty();
        writer.apply(pod("web", "1"));
        writer.delete("shop", "web", "1");
        writer.begin_list();
        writer.end_list();
        writer.sweep(Instant::now() + GRACE / 2);
        assert_eq!(uid(&store, "web").as_deref(), Some("1"));
        writer.sweep(Instant::now() + GRACE);
        assert_eq!(uid(&store, "web"), None);
    }

    #[test]
    fn a_pod_that_a_new_list_leaves_out_stays_for_the_grace_time() {
        let (writer, store) = empty();
        writer.apply(pod("web", "1"));
        writer.begin_list();
        writer.end_list();
        assert_eq!(uid(&store, "web").as_deref(), Some("1"));
        writer.sweep(Instant::now() + GRACE);
        assert!(store.is_empty());
    }

    #[test]
    fn a_new_pod_takes_the_name_over_and_a_late_deletion_of_the_old_is_not_meant_for_it() {
        let (writer, store) = empty();
        writer.apply(pod("web", "old"));
        writer.apply(pod("web", "new"));
        writer.delete("shop", "web", "old");
        writer.sweep(Instant::now() + 2 * GRACE);
        assert_eq!(uid(&store, "web").as_deref(), Some("new"));
    }

    #[test]
    fn a_pod_that_comes_back_is_no_longer_due() {
        let (writer, store) = empty();
        writer.apply(pod("web", "1"));
        writer.delete("shop", "web", "1");
        writer.apply(pod("web", "1"));
        writer.sweep(Instant::now() + 2 * GRACE);
        assert_eq!(uid(&store, "web").as_deref(), Some("1"));
    }

    #[test]
    fn what_records_do_not_show_does_not_move_the_generation() {
        let (writer, store) = empty();
        let version = |version: &str| {
            let mut pod = pod("web", "1");
            pod.meta.resource_version = Some(version.into());
            pod
        };
        writer.apply(version("1"));
        let before = (store.generation(), store.lookup("shop", "web").unwrap());
        writer.apply(version("2"));
        assert_eq!(store.generation(), before.0);
        writer.begin_list();
        writer.apply(version("3"));
        writer.end_list();
        assert!(Arc::ptr_eq(&before.1, &store.lookup("shop", "web").unwrap()));
    }

    #[tokio::test]
    async fn a_missed_pod_is_wished_for_once_until_it_is_found() {
        let (writer, store) = empty();
        (0..3).for_each(|_| store.missed("shop", "web"));
        store.missed("shop", "other");
        let wish = writer.next_wish().await;
        assert_eq!((wish.namespace.as_str(), wish.pod.as_str()), ("shop", "web"));
        writer.found(&wish, pod("web", "1"));
        assert_eq!(uid(&store, "web").as_deref(), Some("1"));

        let other = writer.next_wish().await;
        assert_eq!(other.pod, "other");
        writer.absent(&other);
        store.missed("shop", "other");
        let soon = tokio::time::timeout(Duration::from_millis(20), writer.next_wish()).await;
        assert!(soon.is_err(), "asked again at once");
    }

    #[test]
    fn nothing_is_wished_for_before_the_first_list() {
        let (writer, store) = channel(Config { delete_grace: GRACE, namespaces: false });
        store.missed("shop", "web");
        assert_eq!(writer.0.wishes.len(), 0);
    }

    #[tokio::test]
    async fn namespaces_that_can_not_be_listed_keep_no_pod_from_being_looked_up() {
        let (writer, store) = channel(Config { delete_grace: GRACE, namespaces: true });
        writer.begin_list();
        writer.end_list();
        store.missed("shop", "web");
        assert_eq!(writer.next_wish().await.pod, "web");
    }

    #[test]
    fn a_watched_pod_is_better_than_a_looked_up_one() {
        let (writer, store) = empty();
        let wish = Wish { namespace: "shop".into(), pod: "web".into() };
        writer.apply(pod("web", "watched"));
        writer.found(&wish, pod("web", "looked up"));
        assert_eq!(uid(&store, "web").as_deref(), Some("watched"));
    }

    #[test]
    fn a_looked_up_pod_is_forgotten_in_time() {
        let (writer, store) = empty();
        let wish = Wish { namespace: "shop".into(), pod: "web".into() };
        writer.found(&wish, pod("web", "1"));
        writer.sweep(Instant::now() + LOOKED_UP_FOR);
        assert!(store.is_empty());
    }

    #[test]
    fn readers_see_each_pod_while_others_change() {
        let (writer, store) = empty();
        (0..500).for_each(|n| writer.apply(pod(&format!("web-{n}"), "1")));
        std::thread::scope(|scope| {
            let readers: Vec<_> = (0..3)
                .map(|_| {
                    scope.spawn(|| {
                        while store.lookup("shop", "end").is_none() {
                            assert!((0..500).all(|n| store.lookup("shop", &format!("web-{n}")).is_some()));
                        }
                    })
                })
                .collect();
            (0..500).for_each(|n| writer.apply(pod(&format!("web-{n}"), "2")));
            (0..500).for_each(|n| writer.apply(pod(&format!("more-{n}"), "1")));
            writer.apply(pod("end", "1"));
            readers.into_iter().for_each(|reader| reader.join().unwrap());
        });
        assert_eq!(store.len(), 1001);
    }
}
