//! Lists and watches events, and puts what is new into the queue.
//!
//! Serves the input, as its one background task. Invariants: the cursor never passes an event that is not in the
//! queue before it; what can't be read is counted and skipped, and its neighbours arrive; nothing is read while the
//! engine is paused or the queue is full.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::watch;
use tracing::{debug, info, warn};

use super::{
    api::Api,
    cursor::Cursor,
    object::Event,
    queue::{Batch, Queue},
    shape::{self, Line},
    time::{self, Nanos},
};
use crate::kube::api::{
    backoff::{self, Backoff},
    error::Failure,
    lines::{self, Lines},
    resource::Stream,
};

/// How often what is history is forgotten.
const FORGET_EVERY: Duration = Duration::from_secs(60);
/// Unreadable lines are reported at most this often.
const REPORT_EVERY: Duration = Duration::from_secs(10);
/// So much of an unreadable line is shown.
const SHOWN: usize = 120;

/// The background task of an input.
pub(super) struct Watcher {
    pub(super) api: Api,
    /// What is followed, for the log.
    pub(super) path: String,
    pub(super) cursor: Cursor,
    pub(super) retention: Duration,
    pub(super) backoff: Backoff,
    pub(super) queue: Arc<Queue>,
    pub(super) paused: watch::Receiver<bool>,
    pub(super) wake: Arc<dyn Fn() + Send + Sync>,
    pub(super) unreadable: Unreadable,
    pub(super) forgot: Instant,
}

impl Watcher {
    /// Follows the events until it is dropped.
    pub(super) async fn run(&mut self) {
        loop {
            let opened = Instant::now();
            let version = self.cursor.resource_version().map(str::to_owned);
            let followed = match &version {
                None => self.list().await,
                Some(version) => self.watch(version).await,
            };
            if opened.elapsed() > backoff::CAP {
                self.backoff.reset();
            }
            let pause = match followed {
                Ok(Followed::Listed) => continue,
                // Nothing happened, or the version is ahead of the server's (another cluster, a restored etcd), which
                // then keeps silent about all that happens. Only a list tells.
                Ok(Followed::Silence) => {
                    self.cursor.expire();
                    if self.backoff.is_first() {
                        continue;
                    }
                    self.backoff.pause(None)
                }
                // The normal end of a watch; but one that ends at once again and again is not normal.
                Ok(Followed::Watched) if self.backoff.is_first() => continue,
                Ok(Followed::Watched) => self.backoff.pause(None),
                Err(failure) if failure.is_expired(version.is_some()) => {
                    info!("events {}: {failure}; listing them again", self.path);
                    self.cursor.expire();
                    if self.backoff.is_first() {
                        continue;
                    }
                    self.backoff.pause(None)
                }
                Err(failure) => {
                    let pause = self.backoff.pause(failure.retry_after());
                    let why = failure.explain("get, list and watch", "events");
                    warn!("events {}: {why}; next try in {:.1}s", self.path, pause.as_secs_f32());
                    pause
                }
            };
            tokio::time::sleep(pause).await;
        }
    }

    /// Takes what exists and is news, page by page; then a watch can go on after it.
    async fn list(&mut self) -> Result<Followed, Failure> {
        let started = time::now();
        let horizon = self.cursor.horizon(started, self.retention);
        let (mut version, mut next) = (None, String::new());
        let (mut listed, mut news) = (0, 0);
        loop {
            self.unpaused().await;
            let page = self.api.list(&next).await?;
            listed += page.items.len();
            // All pages tell the version of the first one; if one does not, going on after the first loses nothing.
            let version = version.get_or_insert(page.resource_version);
            let mut batch = Batch::default();
            for item in page.items {
                match item {
                    Ok(event) if self.is_news(&event, horizon) => {
                        news += 1;
                        self.take(&event, &page.data, &mut batch, started);
                        self.send_if(Batch::is_full, &mut batch).await;
                    }
                    Ok(_) => {}
                    Err(bad) => self.unreadable.count("item of the list", &bad, b""),
                }
            }
            if page.next.is_empty() {
                // Zero would mean any version, not this one.
                if matches!(version.as_str(), "" | "0") {
                    return Err(Failure::unreadable("the list has no resourceVersion"));
                }
                batch.change.position = Some(self.cursor.advance(version, started));
                self.send(batch).await;
                info!(
                    "events {}: listed {listed}, {news} of them news, watching on from {version}",
                    self.path
                );
                return Ok(Followed::Listed);
            }
            self.send_if(|batch| batch.records > 0, &mut batch).await;
            next = page.next;
        }
    }

    /// An unknown event that is older than what is remembered was emitted long ago, or is too old for a first start.
    fn is_news(&self, event: &Event, horizon: Nanos) -> bool {
        self.cursor.is_new(&event.uid, &event.resource_version)
            && (event.newest >= horizon || self.cursor.knows(&event.uid))
    }

    /// Takes events as they come, until the server ends the watch.
    async fn watch(&mut self, version: &str) -> Result<Followed, Failure> {
        self.unpaused().await;
        let mut stream = self.api.watch(version).await?;
        debug!("events {}: watching on from {version}", self.path);
        let mut lines = Lines::default();
        let mut followed = Followed::Silence;
        while let Some(bytes) = self.read(&mut stream).await {
            followed = Followed::Watched;
            lines.push(&bytes?);
            self.take_lines(&mut lines).await?;
        }
        // A last line may lack its end, if the answer was complete; half a line comes again with the next watch.
        if shape::line(lines.rest(), 0, &mut Vec::new()).is_ok() {
            lines.push(b"\n");
            self.take_lines(&mut lines).await?;
        }
        Ok(followed)
    }

    /// The next bytes, but none while the engine is paused.
    async fn read(&mut self, stream: &mut Stream) -> Option<Result<bytes::Bytes, Failure>> {
        loop {
            self.unpaused().await;
            tokio::select! {
                biased;
                Ok(_) = self.paused.wait_for(|paused| *paused) => {}
                bytes = stream.next() => return bytes,
            }
        }
    }

    async fn take_lines(&mut self, lines: &mut Lines) -> Result<(), Failure> {
        let now = time::now();
        let mut batch = Batch::default();
        let mut ended = Ok(());
        let mut scratch = Vec::new();
        while let Some(line) = lines.next_line() {
            let text = match line {
                lines::Line::Whole(text) => text,
                lines::Line::TooLong => {
                    self.unreadable.count("line of the watch", &"too long", b"");
                    continue;
                }
            };
            scratch.clear();
            match shape::line(text, now, &mut scratch) {
                Ok(Line::News(event)) => {
                    self.backoff.reset();
                    if self.cursor.is_new(&event.uid, &event.resource_version) {
                        self.take(&event, &scratch, &mut batch, now);
                    }
                    batch.change.position = Some(self.cursor.advance(&event.resource_version, now));
                    self.send_if(Batch::is_full, &mut batch).await;
                }
                Ok(Line::Passed(version)) => {
                    self.backoff.reset();
                    batch.change.position = Some(self.cursor.advance(&version, now));
                }
                Ok(Line::Ended(status)) => {
                    ended = Err(Failure::from_status(*status, None));
                    break;
                }
                Err(bad) => self.unreadable.count("line of the watch", &bad, text),
            }
        }
        self.forget(&mut batch, now);
        self.send_if(|batch| batch.change != Default::default(), &mut batch).await;
        ended
    }

    fn take(&mut self, event: &Event, data: &[u8], batch: &mut Batch, now: Nanos) {
        let row = self.cursor.note(&event.uid, &event.resource_version, event.newest, now);
        batch.change.rows.push(row);
        batch.data.extend_from_slice(data.get(event.record.clone()).unwrap_or_default());
        batch.records += 1;
    }

    fn forget(&mut self, batch: &mut Batch, now: Nanos) {
        if self.forgot.elapsed() >= FORGET_EVERY {
            self.forgot = Instant::now();
            let horizon = self.cursor.horizon(now, self.retention);
            self.cursor.forget(horizon);
            batch.change.forget = Some(horizon);
        }
    }

    async fn send_if(&mut self, ready: impl FnOnce(&Batch) -> bool, batch: &mut Batch) {
        if ready(batch) {
            self.send(std::mem::take(batch)).await;
        }
    }

    async fn send(&mut self, batch: Batch) {
        self.queue.push(batch).await;
        (self.wake)();
    }

    async fn unpaused(&mut self) {
        // An error means that the input is gone, and this task with it.
        let _ = self.paused.wait_for(|paused| !paused).await;
    }
}

enum Followed {
    Listed,
    Watched,
    /// A watch that brought nothing.
    Silence,
}

/// Counts what can't be read, and reports it now and then.
#[derive(Debug, Default)]
pub(super) struct Unreadable {
    count: u64,
    reported: Option<Instant>,
}

impl Unreadable {
    fn count(&mut self, what: &str, bad: &dyn std::fmt::Display, text: &[u8]) {
        self.count += 1;
        if self.reported.is_some_and(|at| at.elapsed() < REPORT_EVERY) {
            return;
        }
        self.reported = Some(Instant::now());
        let shown = String::from_utf8_lossy(text.get(..SHOWN).unwrap_or(text));
        let shown = if shown.is_empty() { String::new() } else { format!(": {shown}") };
        warn!("events: skipped a {what} that is {bad}, {} so far{shown}", self.count);
    }
}
