//! One resource kept in step with the API server: list, then watch, and again from where it broke.
//!
//! Serves `watch`. Invariants: what is known stays until a complete list says otherwise; a watch goes on from the
//! last version that came, and a new list is made only when that version is gone or the watch can't be had.

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use kube::{api::ListParams, core::WatchEvent};
use serde::de::DeserializeOwned;
use tracing::{debug, info, warn};

use crate::{
    kube::{
        api::{
            backoff::{self, Backoff, jitter},
            resource::{Failure, Resource, Watch},
        },
        object::pod::Meta,
        watch::{Counters, took},
    },
    pace::{Pace, more},
};

/// Objects per page, as kubectl and client-go have it.
const PAGE: u32 = 500;
/// A watch that lasted this long was a good one, even if nothing happened.
const CALM: Duration = backoff::CAP;
/// After so many watches in a row that brought nothing, the version is not trusted any more.
const FRUITLESS: u32 = 3;

/// Where objects go.
pub(crate) trait Sink {
    /// The object as far as it is wanted.
    type Object: DeserializeOwned;
    /// The plural, for the log.
    const RESOURCE: &'static str;

    /// What names an object.
    fn meta(object: &Self::Object) -> &Meta;
    /// A list begins.
    fn begin(&self);
    /// An object as it is now.
    fn apply(&self, object: Self::Object);
    /// An object is gone.
    fn delete(&self, object: &Self::Object);
    /// The list is complete.
    fn end(&self);
    /// A list or a watch failed, and is tried again.
    fn failed(&self, _: &Failure) {}
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
pub(crate) struct Reflector<'a, S> {
    pub(crate) resource: Resource,
    pub(crate) sink: S,
    /// Which objects: a field selector.
    pub(crate) fields: Option<String>,
    pub(crate) idle_limit: Duration,
    pub(crate) counters: &'a Counters,
    pub(crate) log: Complaints,
    pub(crate) backoff: Backoff,
}

impl<S: Sink> Reflector<'_, S> {
    /// Runs for ever.
    pub(crate) async fn run(mut self) {
        let mut by_pages = true;
        loop {
            let started = Instant::now();
            let listed = self.list(by_pages).await;
            took(&self.counters.list_micros, started);
            match listed {
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
            let mut unreadable = None;
            let page = self.resource.each(&params, |object| match object {
                Ok(object) => self.sink.apply(object),
                Err(failure) => unreadable = Some(failure),
            });
            let page = page.await?;
            if let Some(failure) = unreadable {
                // The others of the list are good.
                self.counters.bad_lines.fetch_add(1, Ordering::Relaxed);
                self.log.say(format!("{}: one of the list was skipped: {failure}", S::RESOURCE));
            }
            if page.continues.is_empty() {
                let version = page.resource_version;
                if version.is_empty() {
                    return Err(Failure::unreadable("the list has no resourceVersion"));
                }
                self.sink.end();
                self.counters.synced();
                return Ok(version);
            }
            params.continue_token = Some(page.continues);
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
        let started = Instant::now();
        let begun = watch.await;
        took(&self.counters.watch_micros, started);
        let mut watch = match begun {
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
            None => {
                self.counters.closed.fetch_add(1, Ordering::Relaxed);
                return Some(End::Closed);
            }
            Some(Ok(WatchEvent::Added(object) | WatchEvent::Modified(object))) => {
                moved(version, S::meta(&object).resource_version.as_deref());
                self.sink.apply(object);
            }
            Some(Ok(WatchEvent::Deleted(object))) => {
                moved(version, S::meta(&object).resource_version.as_deref());
                self.sink.delete(&object);
            }
            Some(Ok(WatchEvent::Bookmark(mark))) => moved(version, Some(&mark.metadata.resource_version)),
            Some(Ok(WatchEvent::Error(status))) if status.code == 410 => return Some(self.expired()),
            Some(Ok(WatchEvent::Error(status))) => {
                return Some(End::Failed(Failure::from_status(*status, None)));
            }
            Some(Err(Failure::Unreadable(why))) => {
                self.counters.bad_lines.fetch_add(1, Ordering::Relaxed);
                if let Some(held_back) = self.log.skipped.admit(Instant::now()) {
                    let more = more(held_back, "such events");
                    warn!("{}: an event that can't be read was skipped: {why}{more}", S::RESOURCE);
                }
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
        self.counters.failed(&failure);
        self.log.failed(S::RESOURCE, doing, &failure);
        self.sink.failed(&failure);
        tokio::time::sleep(self.backoff.pause(failure.retry_after())).await;
    }
}

fn moved(version: &mut String, to: Option<&str>) {
    if let Some(to) = to.filter(|to| !to.is_empty()) {
        to.clone_into(version);
    }
}

/// Says each trouble once, and its end; one cause at most once a minute, however often it comes and goes.
#[derive(Debug, Default)]
pub(crate) struct Complaints {
    last: Option<String>,
    paces: Vec<(String, Pace)>,
    /// Of events that were skipped.
    pub(crate) skipped: Pace,
}

/// So many causes are told apart; more count as one.
const CAUSES: usize = 16;

impl Complaints {
    pub(crate) fn failed(&mut self, resource: &str, doing: &str, failure: &Failure) {
        let why = failure.explain("get, list and watch", resource);
        let cause = match failure {
            Failure::Refused { code, .. } => format!("{doing} {code}"),
            Failure::NoAnswer(_) => format!("{doing} unanswered"),
            Failure::Unreadable(_) => format!("{doing} unreadable"),
        };
        let text = format!("{resource}: {doing} failed: {why}; metadata stays as last known, trying again");
        self.tell(cause, text, Instant::now());
    }

    pub(crate) fn say(&mut self, text: String) {
        self.tell(text.clone(), text, Instant::now());
    }

    fn tell(&mut self, cause: String, text: String, now: Instant) {
        if self.last.as_ref() != Some(&text) && self.pace(cause).admit(now).is_some() {
            warn!("{text}");
            self.last = Some(text);
        } else {
            debug!("{text}");
        }
    }

    fn pace(&mut self, cause: String) -> &mut Pace {
        let known = self.paces.iter().position(|(of, _)| *of == cause);
        let at = known.unwrap_or_else(|| {
            if self.paces.len() < CAUSES {
                self.paces.push((cause, Pace::default()));
            }
            self.paces.len() - 1
        });
        &mut self.paces[at].1
    }

    pub(crate) fn settled(&mut self, resource: &str) {
        self.over(&format!("{resource}: watching again"));
    }

    /// Says once that the trouble is over.
    pub(crate) fn over(&mut self, text: &str) {
        if self.last.take().is_some() {
            info!("{text}");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::pace::EVERY;

    /// How often a trouble is told that comes and goes every second.
    fn told(seconds: u64, cause: impl Fn(u64) -> String) -> usize {
        let (mut log, start) = (Complaints::default(), Instant::now());
        let mut told = 0;
        for second in 0..seconds {
            log.tell(cause(second), format!("no. {second}"), start + Duration::from_secs(second));
            told += usize::from(log.last.is_some());
            log.settled("pods");
        }
        told
    }

    #[test]
    fn a_cause_that_comes_and_goes_is_told_once_a_minute() {
        let minutes = 5;
        assert_eq!(told(minutes * EVERY.as_secs(), |_| "list 500".into()), minutes as usize);
    }

    #[test]
    fn ever_new_causes_are_told_of_no_more_than_a_few_times() {
        assert!(told(EVERY.as_secs(), |second| format!("cause {second}")) <= CAUSES);
    }
}
