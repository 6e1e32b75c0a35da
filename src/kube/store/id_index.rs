//! Which pod a uid or a container's id belongs to, for records that name no pod.
//!
//! Serves `store`, once a reader asks for it. Invariant: an id leads to the pod that had it, or to none: a pod of the
//! same name with another uid is not meant.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use crate::kube::{object::pod::Pod, store::table::Table};

/// A pod, by its key in the store and its uid.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Owner {
    key: Arc<str>,
    uid: Option<Box<str>>,
}

/// The ids of all known pods, or none where nobody asks for them.
pub(crate) struct Ids {
    is_wanted: AtomicBool,
    owners: Table<Owner>,
}

impl Ids {
    pub(crate) fn new() -> Self {
        Self { is_wanted: AtomicBool::new(false), owners: Table::new() }
    }

    /// Whether they are kept.
    pub(crate) fn are_wanted(&self) -> bool {
        self.is_wanted.load(Ordering::Acquire)
    }

    /// Keeps them from now on; those of the pods that are known have to be told again.
    pub(crate) fn want(&self) {
        self.is_wanted.store(true, Ordering::Release);
    }

    /// The ids of a pod, as it is now.
    pub(crate) fn add(&self, key: &str, pod: &Pod) {
        let key: Arc<str> = key.into();
        for id in ids(pod) {
            self.owners.put(id, Owner { key: Arc::clone(&key), uid: pod.meta.uid.clone() });
        }
    }

    /// Lets the ids of a pod go, but for those that `unless` has too.
    pub(crate) fn expire(&self, pod: &Pod, unless: Option<&Pod>, expires: Instant) {
        for id in ids(pod).filter(|id| !unless.is_some_and(|pod| ids(pod).any(|other| other == *id))) {
            self.owners.expire(id, expires, |owner| owner.uid == pod.meta.uid);
        }
    }

    /// These are all pods that are known: the ids of others go, and at the same time those of pods that do.
    pub(crate) fn replace(&self, pods: &Table<Pod>, expires: Instant) {
        self.owners.begin();
        let mut going = Vec::new();
        pods.each(|key, pod, stays| match stays {
            true => self.add(key, pod),
            false => going.push((key.to_owned(), Arc::clone(pod))),
        });
        self.owners.end(expires);
        going.iter().for_each(|(key, pod)| self.add_until(key, pod, expires));
    }

    /// The ids of a pod that goes.
    pub(crate) fn add_until(&self, key: &str, pod: &Pod, expires: Instant) {
        let key: Arc<str> = key.into();
        for id in ids(pod) {
            let owner = Owner { key: Arc::clone(&key), uid: pod.meta.uid.clone() };
            self.owners.put_until(id, owner, expires);
        }
    }

    /// Forgets what is due.
    pub(crate) fn sweep(&self, now: Instant) {
        self.owners.sweep(now, |_| false);
    }

    /// The key and the uid of the pod that an id belongs to.
    pub(crate) fn get(&self, id: &str) -> Option<(Arc<str>, Option<Box<str>>)> {
        self.owners.get(id).map(|owner| (Arc::clone(&owner.key), owner.uid.clone()))
    }
}

fn ids(pod: &Pod) -> impl Iterator<Item = &str> {
    let containers = pod.containers.iter().flat_map(|container| [&container.id, &container.last_id]);
    containers.chain([&pod.meta.uid]).filter_map(|id| id.as_deref()).filter(|id| !id.is_empty())
}
