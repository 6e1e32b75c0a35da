//! Look-ups of single pods: what readers request, and what the watch answers.
//!
//! Serves `enrich` and `watch`. Invariants: a pod that a list or a watch keeps up to date is never looked up; what a
//! look-up found stays until its refresh is answered, for as long as readers ask for it.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use super::{LookupFor, LookupRequest, Store, Writer, key};
use crate::kube::object::pod::Pod;

/// How long a pod that was looked up, and is not watched, stays known after its last refresh.
pub(super) const LOOKED_UP_FOR: Duration = Duration::from_secs(600);
/// How long after a look-up the pod is looked up again, if readers still ask for it.
pub(super) const REFRESH_AFTER: Duration = Duration::from_secs(480);

impl Store {
    /// What is known under a key; asks for a refresh where it is due.
    pub(super) fn get(&self, key: &str) -> Option<Arc<Pod>> {
        let (pod, is_old) = self.0.pods.get_aged(key)?;
        if is_old && let Some((namespace, name)) = key.split_once('/') {
            self.0.requests.add(namespace, name, LookupFor::Refresh, Instant::now());
        }
        Some(pod)
    }

    /// Tells that a record names a pod which [`Self::lookup`] doesn't know: it may be looked up. Cheap to repeat.
    pub fn missed(&self, namespace: &str, pod: &str, named_by: LookupFor) {
        // Before that the list will tell.
        if self.0.looks_up.load(Ordering::Relaxed) && !self.0.missing.borrow().pods {
            self.0.requests.add(namespace, pod, named_by, Instant::now());
        }
    }

    /// Requests a fresh look-up when the known pod has this name but another uid. A watched pod is up to date, so it is
    /// not looked up.
    pub fn request_refresh(&self, namespace: &str, pod: &str, named_by: LookupFor) {
        if self.0.polled.load(Ordering::Relaxed) || !self.0.pods.is_kept(&key(namespace, pod)) {
            self.missed(namespace, pod, named_by);
        }
    }
}

impl Writer {
    /// Requests for look-ups are ignored: every pod comes with the watch.
    pub fn disable_lookups(&self) {
        self.0.looks_up.store(false, Ordering::Relaxed);
    }

    /// Requests for look-ups are taken, as they are at first.
    pub fn enable_lookups(&self) {
        self.0.looks_up.store(true, Ordering::Relaxed);
    }

    /// The next pod that a record named and nobody knows; waits for one.
    pub async fn next_lookup(&self) -> LookupRequest {
        self.0.requests.next().await
    }

    /// The answer to a request.
    pub fn found(&self, request: &LookupRequest, mut pod: Pod) {
        self.0.config.unshown.strip(&mut pod);
        let (key, now) = (key(&request.namespace, &request.pod), Instant::now());
        let until = now + LOOKED_UP_FOR;
        let known = self.0.pods.get(&key);
        known.iter().for_each(|known| self.keep_former(&key, known, &pod));
        self.0.ids.add_until(&key, &pod, until);
        let is_other = known.is_none_or(|known| known.meta.uid != pod.meta.uid);
        self.0.changed(self.0.pods.put_aging(&key, pod, now + REFRESH_AFTER, until));
        match is_other || request.named_by == LookupFor::Refresh {
            true => self.0.requests.resolved(request),
            // The one that was meant is not there.
            false => self.absent(request),
        }
    }

    /// There was no answer to a request, if it is still open: the pod may be requested again at once.
    pub fn unanswered(&self, request: &LookupRequest) {
        self.0.requests.unanswered(request, Instant::now());
    }

    /// The pod of a request doesn't exist: it may be requested again later, each time after a longer pause.
    pub fn absent(&self, request: &LookupRequest) {
        self.0.requests.absent(request, Instant::now());
    }
}
