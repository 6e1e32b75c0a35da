//! One resource kept in step with the API server: list, then watch, and again from where it broke.
//!
//! Serves `watch`. Invariants: what is known stays until a complete list says otherwise; a watch goes on from the
//! last version that came, and a new list is made only when that version is gone or the watch can't be had.

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use kube::{Resource as _, api::ListParams, core::WatchEvent};
use serde::de::DeserializeOwned;
use tracing::{debug, info, warn};

use super::{
    api::{Failure, Resource, Watch},
    backoff::{self, Backoff, jitter},
    watch::Counters,
};

/// Objects per page, as kubectl and client-go have it.
const PAGE: u32 = 500;
/// A watch that lasted this long was a good one, even if nothing happened.
const CALM: Duration = backoff::CAP;
/// After so many watches in a row that brought nothing, the version is not trusted any more.
const FRUITLESS: u32 = 3;

/// Where objects go.
pub(super) trait Sink {
    /// The object as far as it is wanted.
    type Object: kube::Resource + DeserializeOwned;
    /// The plural, for the log.
    const RESOURCE: &'static str;

    /// A list begins.
    fn begin(&self);
    /// An object as it is now.
    fn apply(&self, object: Self::Object);
    /// An object is gone.
    fn delete(&self, object: &Self::Object);
    /// The list is complete.
    fn end(&self);
    /// A list or a watch failed, and is tried again.
    fn failed(&self) {}
}

/// How a watch ended.
enum End {
    /// The server ended it, in the stream's proper way.
    Closed,
    /// The version is too old: only a list helps.
    Expired,
    /// Nothing came for too long.
    Idle,
    Failed(Failure),
}

/// Keeps a sink in step.
pub(super) struct Reflector<'a, S> {
    pub(super) resource: Resource,
    pub(super) sink: S,
    /// Which objects: a field selector.
    pub(super) fields: Option<String>,
    pub(super) idle_limit: Duration,
    pub(super) counters: &'a Counters,
    pub(super) log: Complaints,
    pub(super) backoff: Backoff,
}

impl<S: Sink> Reflector<'_, S> {
    /// Runs for ever.
    pub(super) async fn run(mut self) {
        let mut by_pages = true;
        loop {
            match self.list(by_pages).await {
                Ok(version) => {
                    by_pages = true;
                    self.follow(version).await;
                }
                Err(failure) => {
                    // The continuation of a long list may expire before its end: the next try takes it whole.
                    by_pages = failure.code() != Some(410);
                    self.failed("list", failure).await;
                }
            }
        }
    }

    async fn list(&mut self, by_pages: bool) -> Result<String, Failure> {
        self.counters.lists.fetch_add(1, Ordering::Relaxed);
        let mut params = ListParams { field_selector: self.fields.clone(), ..ListParams::default() };
        params.limit = by_pages.then_some(PAGE);
        self.sink.begin();
        loop {
            let page = self.resource.page::<S::Object>(&params).await?;
            for object in page.items {
                self.sink.apply(object);
            }
            if page.metadata.continues.is_empty() {
                let version = page.metadata.resource_version;
                if version.is_empty() {
                    return Err(Failure::unreadable("the list has no resourceVersion"));
                }
                self.sink.end();
                self.counters.synced();
                return Ok(version);
            }
            params.continue_token = Some(page.metadata.continues);
        }
    }

    /// Watches from `version` on until only a new list helps.
    async fn follow(&mut self, mut version: String) {
        let mut fruitless = 0;
        while fruitless < FRUITLESS {
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
            fruitless += 1;
            match end {
                End::Failed(failure) => self.failed("watch", failure).await,
                End::Expired => {
                    debug!("{}: version {version} has expired, listing again", S::RESOURCE);
                    return tokio::time::sleep(self.backoff.pause(None)).await;
                }
                // Not even a bookmark: the version may be ahead of the server's (another cluster, a restored etcd),
                // which then keeps silent about all that happens.
                End::Idle => return tokio::time::sleep(self.backoff.pause(None)).await,
                End::Closed => tokio::time::sleep(self.backoff.pause(None)).await,
            }
        }
    }

    /// One watch, from its request to its end.
    async fn watch(&mut self, version: &mut String) -> End {
        self.counters.watches.fetch_add(1, Ordering::Relaxed);
        // Servers end a watch in time; agents that started together should not have theirs ended together.
        let timeout = Duration::from_secs(240) + jitter(Duration::from_secs(50));
        let watch = self.resource.watch::<S::Object>(version, self.fields.as_deref(), Some(timeout));
        let mut watch = match watch.await {
            Ok(watch) => watch,
            Err(failure) if failure.code() == Some(410) => return self.expired(),
            Err(failure) => return End::Failed(failure),
        };
        self.log.settled(S::RESOURCE);
        loop {
            if let Some(end) = self.event(&mut watch, version).await {
                return end;
            }
        }
    }

    async fn event(&mut self, watch: &mut Watch<S::Object>, version: &mut String) -> Option<End> {
        let Ok(event) = tokio::time::timeout(self.idle_limit, watch.next()).await else {
            self.counters.idle.fetch_add(1, Ordering::Relaxed);
            debug!("{}: nothing came for {}s, watching anew", S::RESOURCE, self.idle_limit.as_secs());
            return Some(End::Idle);
        };
        match event {
            None => return Some(End::Closed),
            Some(Ok(WatchEvent::Added(object) | WatchEvent::Modified(object))) => {
                moved(version, object.meta().resource_version.as_ref());
                self.sink.apply(object);
            }
            Some(Ok(WatchEvent::Deleted(object))) => {
                moved(version, object.meta().resource_version.as_ref());
                self.sink.delete(&object);
            }
            Some(Ok(WatchEvent::Bookmark(mark))) => moved(version, Some(&mark.metadata.resource_version)),
            Some(Ok(WatchEvent::Error(status))) if status.code == 410 => return Some(self.expired()),
            Some(Ok(WatchEvent::Error(status))) => {
                return Some(End::Failed(Failure::from_status(*status, None)));
            }
            Some(Err(Failure::Unreadable(why))) => {
                self.counters.bad_lines.fetch_add(1, Ordering::Relaxed);
                warn!("{}: an event that can't be read was skipped: {why}", S::RESOURCE);
                return None;
            }
            Some(Err(failure)) => return Some(End::Failed(failure)),
        }
        self.counters.synced();
        None
    }

    fn expired(&self) -> End {
        self.counters.expired.fetch_add(1, Ordering::Relaxed);
        End::Expired
    }

    async fn failed(&mut self, doing: &str, failure: Failure) {
        self.counters.failures.fetch_add(1, Ordering::Relaxed);
        self.log.failed(S::RESOURCE, doing, &failure);
        self.sink.failed();
        tokio::time::sleep(self.backoff.pause(failure.retry_after())).await;
    }
}

fn moved(version: &mut String, to: Option<&String>) {
    if let Some(to) = to.filter(|to| !to.is_empty()) {
        version.clone_from(to);
    }
}

/// Says each trouble once, and its end.
#[derive(Debug, Default)]
pub(super) struct Complaints {
    last: Option<String>,
}

impl Complaints {
    pub(super) fn failed(&mut self, resource: &str, doing: &str, failure: &Failure) {
        let why = failure.explain("get, list and watch", resource);
        self.say(format!("{resource}: {doing} failed: {why}; metadata stays as last known, trying again"));
    }

    pub(super) fn say(&mut self, text: String) {
        if self.last.as_ref() == Some(&text) {
            debug!("{text}");
        } else {
            warn!("{text}");
            self.last = Some(text);
        }
    }

    pub(super) fn settled(&mut self, resource: &str) {
        if self.last.take().is_some() {
            info!("{resource}: watching again");
        }
    }
}
