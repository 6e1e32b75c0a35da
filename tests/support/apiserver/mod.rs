//! A scripted API server: objects in memory, list and watch over HTTP, faults on demand.
//!
//! Serves tests and the demo where no real kube-apiserver is at hand, and those faults that a real one won't show.
//! It knows no schema: a resource is whatever lies under `/api/v1` or `/apis/<group>/<version>`. Invariant: what a
//! client can tell from HTTP (versions, pages, events, conflicts) is as with the real one.

mod fault;
mod objects;
mod serve;
mod stream;

use std::{
    net::{SocketAddr, TcpListener},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{Builder, JoinHandle},
    time::{Duration, Instant},
};

pub use fault::{Fault, Verb};
use objects::Objects;
use serde_json::Value;
use tokio::sync::watch;

/// A request, as it came in.
#[derive(Debug, Clone)]
pub struct Seen {
    /// What it asks for.
    pub verb: Verb,
    /// The plural of the kind: `pods`.
    pub resource: String,
    /// The HTTP method.
    pub method: String,
    /// The path.
    pub path: String,
    /// The decoded query.
    pub query: Vec<(String, String)>,
    /// When it came.
    pub at: Instant,
    /// The `authorization` header.
    pub authorization: Option<String>,
}

impl Seen {
    /// The value of a query parameter.
    pub fn param(&self, key: &str) -> Option<&str> {
        self.query.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }
}

/// What connections share.
struct Shared {
    objects: Mutex<Objects>,
    script: Mutex<Vec<fault::Rule>>,
    requests: Mutex<Vec<Seen>>,
    token: Mutex<Option<String>>,
    /// What a SelfSubjectAccessReview does not allow: `list pods`.
    denied: Mutex<Vec<String>>,
    /// The last resourceVersion; watches wait for it to change.
    version: watch::Sender<u64>,
    /// Changes when every watch is to send a bookmark.
    bookmarks: watch::Sender<u64>,
    connections: Mutex<Connections>,
    down: AtomicBool,
}

/// The connections that one cut ends.
#[derive(Default)]
struct Connections {
    cut: watch::Sender<bool>,
    /// Held by each of them.
    open: Arc<()>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A running server, on a thread of its own; it ends when dropped.
pub struct ApiServer {
    shared: Arc<Shared>,
    address: SocketAddr,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl ApiServer {
    /// Starts on a free port of the loopback.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port on the loopback");
        let address = listener.local_addr().expect("a bound address");
        let shared = Arc::new(Shared {
            objects: Mutex::new(Objects::new()),
            script: Mutex::default(),
            requests: Mutex::default(),
            token: Mutex::default(),
            denied: Mutex::default(),
            version: watch::Sender::new(0),
            bookmarks: watch::Sender::new(0),
            connections: Mutex::default(),
            down: AtomicBool::new(false),
        });
        let (stop, stopped) = watch::channel(false);
        let served = Arc::clone(&shared);
        let thread = Builder::new()
            .name("apiserver".into())
            .spawn(move || serve::run(listener, served, stopped))
            .expect("a thread");
        Self { shared, address, stop, thread: Some(thread) }
    }

    /// `http://127.0.0.1:<port>`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Creates an object, or replaces it; answers its resourceVersion.
    pub fn put(&self, object: Value) -> String {
        let version = locked(&self.shared.objects).put(object);
        self.shared.version.send_replace(version);
        version.to_string()
    }

    /// Creates or replaces many objects, which watches see at once.
    pub fn put_all(&self, objects: impl IntoIterator<Item = Value>) {
        let mut held = locked(&self.shared.objects);
        let version = objects.into_iter().map(|object| held.put(object)).last();
        drop(held);
        if let Some(version) = version {
            self.shared.version.send_replace(version);
        }
    }

    /// Deletes an object; false if there is none.
    pub fn delete(&self, resource: &str, namespace: &str, name: &str) -> bool {
        let deleted = locked(&self.shared.objects).delete(resource, namespace, name);
        if let Some((version, _)) = &deleted {
            self.shared.version.send_replace(*version);
        }
        deleted.is_some()
    }

    /// All objects of a resource, in the order of their names.
    pub fn all(&self, resource: &str) -> Vec<Value> {
        locked(&self.shared.objects).all(resource)
    }

    /// The next `times` requests of this kind meet `fault`.
    pub fn script(&self, verb: Verb, resource: &str, times: usize, fault: Fault) {
        locked(&self.shared.script).push(fault::Rule::new(verb, resource, times, fault));
    }

    /// Forgets the faults that are still to come.
    pub fn heal(&self) {
        locked(&self.shared.script).clear();
    }

    /// From now on only this token is let in; none is asked for at first.
    pub fn require_token(&self, token: &str) {
        *locked(&self.shared.token) = Some(token.to_owned());
    }

    /// Says from now on, when asked, that this is not allowed: `list pods`, `get nodes/proxy`.
    pub fn deny(&self, what: &str) {
        locked(&self.shared.denied).push(what.to_owned());
    }

    /// Forgets all history: a watch from before gets 410, and so does the next page of a list.
    pub fn compact(&self) {
        locked(&self.shared.objects).compact();
    }

    /// Sends a bookmark on every watch that asked for bookmarks.
    pub fn bookmark(&self) {
        self.shared.bookmarks.send_modify(|sent| *sent += 1);
    }

    /// Ends every connection, without a farewell; they are gone when this returns.
    pub fn cut(&self) {
        let ended = std::mem::take(&mut *locked(&self.shared.connections));
        ended.cut.send_replace(true);
        while Arc::strong_count(&ended.open) > 1 {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Closes connections as soon as they are made, or takes them again.
    pub fn set_down(&self, down: bool) {
        self.shared.down.store(down, Ordering::Release);
        if down {
            self.cut();
        }
    }

    /// Every request so far.
    pub fn requests(&self) -> Vec<Seen> {
        locked(&self.shared.requests).clone()
    }

    /// Every request of this kind so far.
    pub fn requests_of(&self, verb: Verb, resource: &str) -> Vec<Seen> {
        let requests = locked(&self.shared.requests);
        requests.iter().filter(|seen| seen.verb == verb && seen.resource == resource).cloned().collect()
    }

    /// How many requests of this kind came so far.
    pub fn count(&self, verb: Verb, resource: &str) -> usize {
        self.requests_of(verb, resource).len()
    }

    /// Waits until `count` requests of this kind came; for tests that need the client to be at a certain point.
    pub fn wait_for(&self, verb: Verb, resource: &str, count: usize) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while self.count(verb, resource) < count {
            assert!(Instant::now() < deadline, "{count} {verb:?} of {resource}: {:?}", self.requests());
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for ApiServer {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
