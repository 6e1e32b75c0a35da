//! Kubernetes Events: listed once, watched from then on, each version of each event handed over once.
//!
//! Serves the input `kube_events`. Invariants: what the engine did not take is kept; the cursor is committed only after
//! the engine took what it stands for, so that a death at any point loses nothing and repeats one batch at most.

mod api;
mod cursor;
mod db;
mod keeper;
mod object;
mod queue;
mod shape;
mod time;
mod watch;

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::{
    Mutex,
    mpsc::{UnboundedSender, unbounded_channel},
    oneshot, watch as flag,
};

pub use self::db::{Journal, Settings as DbSettings, Synchronous};
use self::{
    api::Api,
    cursor::Cursor,
    keeper::{Keeper, Taken},
    queue::Queue,
    watch::{Unreadable, Watcher},
};
use crate::{
    kube::api::{backoff::Backoff, connection::Connection, resource::Resource},
    runtime::{self, Tasks},
};

/// What to follow, and how.
#[derive(Debug, Clone)]
pub struct Config {
    /// One namespace, or all of them.
    pub namespace: Option<String>,
    /// Events per page of a list; 0 for all in one.
    pub page: u32,
    /// How long an event is remembered, and how old one may be at the first start.
    pub retention: Duration,
    /// How long a watch lasts; the server chooses if unset.
    pub watch_timeout: Option<Duration>,
    /// The first pause after a failure; it doubles up to 30 seconds.
    pub retry: Duration,
    /// Where the cursor is kept; in memory only if unset.
    pub db: Option<DbSettings>,
}

/// The events on their way to the engine.
#[derive(Debug)]
pub struct Events {
    queue: Arc<Queue>,
    taken: Option<UnboundedSender<Taken>>,
    paused: flag::Sender<bool>,
}

impl Events {
    /// Starts to follow the events of `server`, whose address names the cursor. `wake` is called when there is
    /// something to deliver. The system may have no thread for the cursor's file.
    pub fn start(
        config: Config,
        connection: Connection,
        server: &str,
        tasks: &Tasks,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let queue = Arc::new(Queue::default());
        let wake = Arc::new(wake);
        let (paused, pause) = flag::channel(false);
        let path = match &config.namespace {
            Some(namespace) => format!("/api/v1/namespaces/{namespace}/events"),
            None => "/api/v1/events".to_owned(),
        };
        let (loaded, stored) = oneshot::channel();
        let scope = format!("{}{path}", server.trim_end_matches('/'));
        let taken = config.db.map(|settings| {
            let (taken, commits) = unbounded_channel();
            let (queue, wake, keeper) = (Arc::clone(&queue), Arc::clone(&wake), tasks.clone());
            let committed = move |weight| {
                if queue.release(weight) {
                    wake();
                }
            };
            let keep = move || Keeper::run(settings, scope, loaded, commits, committed, &keeper);
            tasks.spawn_thread("flb-kube-cursor", keep).map(|()| taken)
        });
        let taken = taken.transpose()?;
        let shared = Arc::clone(&queue);
        let restarts = Arc::clone(tasks.restarts());
        tasks.spawn(async move {
            let watcher = Watcher {
                api: Api {
                    resource: Resource::new(connection.client(), &*path),
                    page: config.page,
                    watch_timeout: config.watch_timeout,
                },
                path,
                // Without a database nothing is stored.
                cursor: stored.await.unwrap_or_else(|_| Cursor::default()),
                retention: config.retention,
                backoff: Backoff::new(config.retry),
                queue: shared,
                paused: pause,
                wake,
                unreadable: Unreadable::default(),
                forgot: Instant::now(),
            };
            // What it knows outlives a panic.
            let watcher = Mutex::new(watcher);
            runtime::lasting("events", &restarts, || async { watcher.lock().await.run().await }).await;
        });
        Ok(Self { queue, taken, paused })
    }

    /// Hands what is ready to `append` (records, bytes), which answers whether it took it. What it did not take comes
    /// first the next time. Never waits.
    pub fn deliver(&self, mut append: impl FnMut(usize, &[u8]) -> bool) {
        while let Some(batch) = self.queue.take() {
            if batch.records > 0 && !append(batch.records, &batch.data) {
                return self.queue.put_back(batch);
            }
            let weight = batch.weight();
            let taken = Taken { change: batch.change, weight };
            if self.taken.as_ref().is_none_or(|keeper| keeper.send(taken).is_err()) {
                self.queue.release(weight);
            }
        }
    }

    /// Stops to read from the server.
    pub fn pause(&self) {
        self.paused.send_replace(true);
    }

    /// Reads on.
    pub fn resume(&self) {
        self.paused.send_replace(false);
    }
}
