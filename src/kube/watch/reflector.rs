//! One resource kept in step with the API server: list, then watch, and again from where it broke.
//!
//! Serves `watch`. Invariants: what is known stays until a complete list says otherwise; a watch goes on from the
//! last version that came, also after an outage of any length. A new list is made only when that version is gone, or
//! the watch is silent or denied, and the server answers it from its own memory wherever it can.

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use kube::{
    api::{ListParams, VersionMatch},
    core::WatchEvent,
};
use tracing::{debug, warn};

use crate::{
    kube::{
        api::{
            backoff::{self, Backoff, jitter},
            error::Failure,
            resource::{Resource, Watch},
        },
        store::section::{Kept, Section},
        watch::{
            complaints::Complaints,
            counters::{Counters, took},
        },
    },
    pace::more,
};

/// Objects per page, as kubectl and client-go have it.
const PAGE: u32 = 500;
/// A watch that lasted this long was a good one, even if nothing happened.
const CALM: Duration = backoff::CAP;
/// List again after this many points of watches in a row that brought nothing: one for a server that is out of order
/// or overloaded, more where a list is likely to help.
const FRUITLESS: u32 = 30;
/// For a watch that was denied, or that ended without an event.
const LIKELY: u32 = 10;

/// How recent a list has to be.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Recency {
    /// Whatever the server has in memory.
    Any,
    /// That, but not older than this version.
    NotOlderThan(String),
    /// Read from the store behind the server, which costs it most: only where a version is of no use.
    Latest,
}

/// How a watch ended.
enum End {
    /// The server ended it, in the stream's proper way.
    Closed,
    /// The server can't go on from the version: only a list helps.
    Expired(Failure),
    /// Nothing came for too long.
    Idle,
    Failed(Failure),
}

/// Keeps a section of the store in step.
pub(crate) struct Reflector<'a, T> {
    pub(crate) resource: Resource,
    pub(crate) section: Section<'a, T>,
    /// Which objects: a field selector.
    pub(crate) fields: Option<String>,
    pub(crate) idle_limit: Duration,
    pub(crate) counters: &'a Counters,
    pub(crate) log: Complaints,
    pub(crate) backoff: Backoff,
}

impl<T: Kept> Reflector<'_, T> {
    /// Runs for ever.
    pub(crate) async fn run(mut self) {
        let (mut recency, mut by_pages) = (Recency::Any, true);
        loop {
            let started = Instant::now();
            let listed = self.list(&recency, by_pages).await;
            took(&self.counters.list_micros, started);
            match listed {
                Ok(version) => {
                    by_pages = true;
                    recency = self.follow(version).await;
                }
                Err(failure) if recency != Recency::Latest && failure.is_expired(true) => {
                    debug!("{}: {failure}; listing without a version", T::RESOURCE);
                    recency = Recency::Latest;
                }
                Err(failure) => {
                    // The continuation of a long list may expire before its end: the next try takes it whole.
                    by_pages = failure.code() != Some(410);
                    self.failed("list", failure).await;
                }
            }
        }
    }

    async fn list(&mut self, recency: &Recency, by_pages: bool) -> Result<String, Failure> {
        self.counters.lists.fetch_add(1, Ordering::Relaxed);
        let mut params = ListParams { field_selector: self.fields.clone(), ..ListParams::default() };
        params = match recency {
            Recency::Any => params.match_any(),
            Recency::NotOlderThan(version) => params.at(version).matching(VersionMatch::NotOlderThan),
            // With a limit a server does not answer from memory.
            Recency::Latest => ListParams { limit: by_pages.then_some(PAGE), ..params },
        };
        self.section.begin();
        loop {
            let (section, counters, log) = (&self.section, self.counters, &mut self.log);
            let page = self.resource.each(&params, |object| match object {
                Ok(object) => section.apply(object),
                Err(bad) => {
                    // The others of the list are good, and this one is there.
                    counters.bad_lines.fetch_add(1, Ordering::Relaxed);
                    let name = bad.name.as_deref().unwrap_or_default();
                    section.keep(bad.namespace.as_deref().unwrap_or_default(), name);
                    log.say(format!("{}: '{name}' of the list was skipped: {}", T::RESOURCE, bad.failure));
                }
            });
            let page = page.await?;
            if page.continues.is_empty() {
                let version = page.resource_version;
                // Zero would mean any version, not this one.
                if matches!(version.as_str(), "" | "0") {
                    return Err(Failure::unreadable("the list has no resourceVersion"));
                }
                self.section.end();
                self.counters.synced();
                return Ok(version);
            }
            // The token says the version too; a server refuses both.
            (params.resource_version, params.version_match) = (None, None);
            params.continue_token = Some(page.continues);
        }
    }

    /// Watches from `version` on until only a new list helps; answers how recent it has to be.
    async fn follow(&mut self, mut version: String) -> Recency {
        let mut fruitless = 0;
        loop {
            let started = Instant::now();
            let before = version.clone();
            let end = self.watch(&mut version).await;
            let moved = version != before;
            if moved || started.elapsed() >= CALM {
                self.backoff.reset();
                fruitless = 0;
                if matches!(end, End::Closed) || moved && matches!(end, End::Idle) {
                    continue;
                }
            }
            let (points, recency) = match end {
                End::Failed(failure) => {
                    let points = match &failure {
                        Failure::NoAnswer(_) => 0,
                        failure if failure.is_lasting() => LIKELY,
                        _ => 1,
                    };
                    self.failed("watch", failure).await;
                    (points, Recency::NotOlderThan(version.clone()))
                }
                End::Expired(failure) => {
                    debug!("{}: version {version}: {failure}; listing again", T::RESOURCE);
                    tokio::time::sleep(self.backoff.pause(None)).await;
                    let is_old = failure.code() == Some(410);
                    return if is_old { Recency::NotOlderThan(version) } else { Recency::Latest };
                }
                // Not even a bookmark: the version may be ahead of the server's (another cluster, a restored etcd),
                // which then keeps silent about all that happens.
                End::Idle => {
                    tokio::time::sleep(self.backoff.pause(None)).await;
                    return Recency::Latest;
                }
                End::Closed => {
                    tokio::time::sleep(self.backoff.pause(None)).await;
                    (LIKELY, Recency::Latest)
                }
            };
            fruitless += points;
            if fruitless >= FRUITLESS {
                return recency;
            }
        }
    }

    /// One watch, from its request to its end.
    async fn watch(&mut self, version: &mut String) -> End {
        self.counters.watches.fetch_add(1, Ordering::Relaxed);
        // Servers end a watch in time; agents that started together should not have theirs ended together.
        let timeout = Duration::from_secs(240) + jitter(Duration::from_secs(50));
        let watch = self.resource.watch::<T>(version, self.fields.as_deref(), Some(timeout));
        let started = Instant::now();
        let begun = watch.await;
        took(&self.counters.watch_micros, started);
        let mut watch = match begun {
            Ok(watch) => watch,
            Err(failure) => return self.ended(failure),
        };
        self.log.settled(T::RESOURCE);
        loop {
            if let Some(end) = self.event(&mut watch, version).await {
                return end;
            }
        }
    }

    async fn event(&mut self, watch: &mut Watch<T>, version: &mut String) -> Option<End> {
        let Ok(event) = tokio::time::timeout(self.idle_limit, watch.next()).await else {
            self.counters.idle.fetch_add(1, Ordering::Relaxed);
            debug!("{}: nothing came for {}s, watching anew", T::RESOURCE, self.idle_limit.as_secs());
            return Some(End::Idle);
        };
        match event {
            None => {
                self.counters.closed.fetch_add(1, Ordering::Relaxed);
                return Some(End::Closed);
            }
            Some(Ok(WatchEvent::Added(object) | WatchEvent::Modified(object))) => {
                moved(version, object.meta().resource_version.as_deref());
                self.section.apply(object);
            }
            Some(Ok(WatchEvent::Deleted(object))) => {
                moved(version, object.meta().resource_version.as_deref());
                self.section.delete(&object);
            }
            Some(Ok(WatchEvent::Bookmark(mark))) => moved(version, Some(&mark.metadata.resource_version)),
            Some(Ok(WatchEvent::Error(status))) => {
                return Some(self.ended(Failure::from_status(*status, None)));
            }
            Some(Err(Failure::Unreadable(why))) => {
                self.counters.bad_lines.fetch_add(1, Ordering::Relaxed);
                if let Some(held_back) = self.log.skipped.admit(Instant::now()) {
                    let more = more(held_back, "such events");
                    warn!("{}: an event that can't be read was skipped: {why}{more}", T::RESOURCE);
                }
                return None;
            }
            Some(Err(failure)) => return Some(End::Failed(failure)),
        }
        self.counters.synced();
        None
    }

    fn ended(&self, failure: Failure) -> End {
        if !failure.is_expired(true) {
            return End::Failed(failure);
        }
        self.counters.expired.fetch_add(1, Ordering::Relaxed);
        End::Expired(failure)
    }

    async fn failed(&mut self, doing: &str, failure: Failure) {
        self.counters.failed(&failure);
        self.log.failed(T::RESOURCE, doing, &failure);
        self.section.failed(failure.code());
        tokio::time::sleep(self.backoff.pause(failure.retry_after())).await;
    }
}

fn moved(version: &mut String, to: Option<&str>) {
    if let Some(to) = to.filter(|to| !to.is_empty()) {
        to.clone_into(version);
    }
}
