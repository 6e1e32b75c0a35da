//! Which pod a uid or a container's id belongs to.
//!
//! Serves `store`. A container's id tells runs of pods apart that had the same name one after the other. Invariant: an id
//! leads to the pod that had it, or to none: a pod of the same name with another uid is not meant.

use std::{sync::Arc, time::Instant};

use crate::kube::{object::pod::Pod, store::table::Table};

/// A pod, by its key in the store and its uid.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Owner {
    key: Arc<str>,
    uid: Option<Box<str>>,
    /// Of a container's id: how often the container had been restarted before that run.
    restarts: Option<u32>,
}

/// The ids of all known pods and of their containers' runs.
pub(crate) struct Ids {
    owners: Table<Owner>,
}

impl Ids {
    pub(crate) fn new() -> Self {
        Self { owners: Table::new() }
    }

    /// The ids of a pod, as it is now.
    pub(crate) fn add(&self, key: &str, pod: &Pod) {
        let key: Arc<str> = key.into();
        for (id, restarts) in ids(pod) {
            self.owners.put(id, Owner { key: Arc::clone(&key), uid: pod.meta.uid.clone(), restarts });
        }
    }

    /// Lets the ids of a pod go, but for those that `unless` has too.
    pub(crate) fn expire(&self, pod: &Pod, unless: Option<&Pod>, expires: Instant) {
        let stays = |id: &str| unless.is_some_and(|pod| ids(pod).any(|(other, _)| other == id));
        for (id, _) in ids(pod).filter(|(id, _)| !stays(id)) {
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
        for (id, restarts) in ids(pod) {
            let owner = Owner { key: Arc::clone(&key), uid: pod.meta.uid.clone(), restarts };
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

    /// How often a container had been restarted before the run with this id.
    pub(crate) fn restarts(&self, id: &str) -> Option<u32> {
        self.owners.get(id)?.restarts
    }
}

/// The ids of a pod and of its containers' runs; of a run also how many there had been before.
fn ids(pod: &Pod) -> impl Iterator<Item = (&str, Option<u32>)> {
    let runs = pod.containers.iter().flat_map(|container| {
        let before = container.restarts.and_then(|restarts| restarts.checked_sub(1));
        [(&container.id, container.restarts), (&container.last_id, before)]
    });
    let ids =
        runs.chain([(&pod.meta.uid, None)]).filter_map(|(id, restarts)| Some((id.as_deref()?, restarts)));
    ids.filter(|(id, _)| !id.is_empty())
}
