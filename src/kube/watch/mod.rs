//! The pods of a node or of the cluster, and if asked for all namespaces and nodes, watched into a [`Store`].
//!
//! Serves the filter. Invariants: instances with the same settings share one watch
//! per process, which ends with the last of them; an API server that is away, slow or refuses changes nothing of
//! what is known.

pub mod aws_services;
mod complaints;
mod counters;
pub mod kubelet;
mod lookup;
mod node_name;
mod reflector;

use std::{
    io,
    sync::{Arc, Mutex, PoisonError, Weak, atomic::AtomicU64},
    time::{Duration, Instant},
};

use thiserror::Error;
use tokio::sync::watch as flag;
use tracing::info;

pub(crate) use crate::kube::watch::complaints::Complaints;
pub use crate::kube::watch::{counters::Counters, node_name::Node};
use crate::{
    kube::{
        api::{
            backoff::Backoff, client_config::ClientConfig, connection::Connection, error::BadConfig,
            resource::Resource,
        },
        store::{
            self, Store, Writer,
            disk::keeper,
            section::{Kept, Section},
        },
        watch::{kubelet::Kubelet, reflector::Reflector},
    },
    runtime::{Owner, Tasks},
};

/// What to watch, and how.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct WatchConfig {
    /// The API server.
    pub client: ClientConfig,
    /// Whose pods.
    pub node: Node,
    /// Whether pods are watched and looked up; else only namespaces are.
    pub pods: bool,
    /// What the store keeps; namespaces are watched only if it wants them.
    pub store: store::Config,
    /// Whether the node is watched too, for its labels and annotations.
    pub nodes: bool,
    /// The kubelet to ask for the node's pods, instead of the API server.
    pub kubelet: Option<kubelet::Config>,
    /// Where what is known of pods outlasts the process.
    pub snapshot: Option<keeper::Settings>,
    /// A watch on which nothing came for this long, no bookmark either, is replaced, by way of a list if nothing came
    /// on it at all. Servers send a bookmark every minute.
    pub idle_limit: Duration,
}

impl WatchConfig {
    /// The usual settings for a node's pods.
    pub fn new(client: ClientConfig, node: Node, store: store::Config) -> Self {
        let idle_limit = Duration::from_secs(180);
        Self { client, node, pods: true, store, nodes: false, kubelet: None, snapshot: None, idle_limit }
    }
}

impl WatchConfig {
    /// Whether a watch with these settings does for `other` too: they are the same, but that it may keep more.
    fn serves(&self, other: &Self) -> bool {
        let mut same = other.clone();
        same.store.unshown = self.store.unshown;
        *self == same && self.store.unshown.is_within(other.store.unshown)
    }
}

/// Why a watch can't start.
#[derive(Debug, Error)]
pub enum CantWatch {
    /// The settings are wrong.
    #[error(transparent)]
    Config(#[from] BadConfig),
    /// The runtime did not start.
    #[error("the runtime can't start: {0}")]
    Runtime(#[from] io::Error),
}

/// A running watch. It ends when the last holder drops it.
pub struct PodWatch {
    connection: Connection,
    store: Store,
    counters: Arc<Counters>,
    is_loaded: flag::Receiver<bool>,
    tasks: Tasks,
}

static RUNNING: Mutex<Vec<(WatchConfig, Weak<PodWatch>)>> = Mutex::new(Vec::new());

impl PodWatch {
    /// The watch with these settings: the one that runs, or a new one. `owner` is on whose account a new one logs.
    /// Not to be called on the runtime.
    pub fn shared(config: &WatchConfig, owner: &Owner) -> Result<Arc<Self>, CantWatch> {
        let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        running.retain(|(_, watch)| watch.strong_count() > 0);
        let same = running.iter().find(|(held, _)| held.serves(config));
        if let Some(watch) = same.and_then(|(_, watch)| watch.upgrade()) {
            return Ok(watch);
        }
        let watch = Arc::new(Self::start(config, owner)?);
        running.push((config.clone(), Arc::downgrade(&watch)));
        Ok(watch)
    }

    fn start(config: &WatchConfig, owner: &Owner) -> Result<Self, CantWatch> {
        let connection = Connection::new(&config.client)?;
        let kubelet = config.kubelet.as_ref().map(|kubelet| Connection::new(&kubelet.client)).transpose()?;
        let tasks = Tasks::new(Owner { name: owner.name.clone(), level: owner.level })?;
        let (writer, store) = store::channel(config.store.clone());
        // A watch of all pods tells of each by itself.
        if config.node == Node::All {
            writer.disable_lookups();
        }
        let counters = Arc::new(Counters::default());
        let (loaded, is_loaded) = flag::channel(config.snapshot.is_none());
        let watch =
            Self { connection: connection.clone(), store, counters: Arc::clone(&counters), is_loaded, tasks };
        let clients = async { (connection.client(), kubelet.as_ref().map(Connection::client)) };
        let Some((client, kubelet)) = watch.tasks.block_on(clients) else {
            return Ok(watch);
        };
        if config.nodes {
            writer.await_nodes();
        }
        let shared = Arc::new(Shared { client, writer, counters, config: config.clone() });
        if let Some(settings) = config.snapshot.clone() {
            let (shared, tasks) = (Arc::clone(&shared), watch.tasks.clone());
            let loaded = move || _ = loaded.send_replace(true);
            let keep = move || keeper::run(settings, &shared.writer, loaded, &tasks);
            watch.tasks.spawn_thread("flb-kube-db", keep)?;
        }
        match kubelet {
            _ if !config.pods => {
                // There is no list to wait for.
                shared.writer.pods().await_none();
            }
            Some(kubelet) => {
                let asking = Arc::clone(&shared);
                watch
                    .tasks
                    .spawn_lasting("kubelet", move || Arc::clone(&asking).ask_kubelet(kubelet.clone()));
                watch.tasks.spawn_lasting("node", again(&shared, Shared::watch_own_node));
            }
            None => {
                watch.tasks.spawn_lasting("pods", again(&shared, Shared::watch_pods));
                watch.tasks.spawn_lasting("look-ups", again(&shared, Shared::look_up));
            }
        }
        if config.store.namespaces {
            watch.tasks.spawn_lasting("namespaces", again(&shared, Shared::watch_namespaces));
        }
        watch.tasks.spawn_lasting("sweep", again(&shared, Shared::sweep));
        Ok(watch)
    }

    /// The way to the API server, with the watch's own token.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Resolves when what the snapshot knew is in the store, or can't be had.
    pub async fn loaded(&self) {
        // The sender goes when its work is done.
        let _ = self.is_loaded.clone().wait_for(|is_loaded| *is_loaded).await;
    }

    /// What is known.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// How many of its tasks were started again because they panicked.
    pub fn restarts(&self) -> &Arc<AtomicU64> {
        self.tasks.restarts()
    }

    /// What the watch did so far.
    pub fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }
}

impl Drop for PodWatch {
    fn drop(&mut self) {
        self.tasks.stop();
    }
}

/// What the tasks of one watch share.
struct Shared {
    client: kube::Client,
    writer: Writer,
    counters: Arc<Counters>,
    config: WatchConfig,
}

/// The task `work` of `shared`, to be begun as often as need be.
fn again<F>(shared: &Arc<Shared>, work: fn(Arc<Shared>) -> F) -> impl Fn() -> F + use<F> {
    let shared = Arc::clone(shared);
    move || work(Arc::clone(&shared))
}

impl Shared {
    async fn watch_pods(self: Arc<Self>) {
        let node = self.config.node.resolve(&self.client, "pods are looked up one by one", || {
            // Without a node there is no list to wait for: records may ask for single pods.
            self.writer.pods().await_none();
            self.writer.nodes().await_none();
        });
        let node = node.await;
        match &node {
            Some(node) => {
                self.writer.set_node(node);
                info!("pods: watching those of node {node}");
            }
            None => info!("pods: watching those of the whole cluster"),
        }
        let of = |field: &str| node.as_ref().map(|node| format!("{field}={node}"));
        let pods = self.reflect("/api/v1/pods", self.writer.pods(), of("spec.nodeName"));
        tokio::join!(pods, self.watch_nodes(of("metadata.name")));
    }

    /// The node of a kubelet, which tells of its pods only.
    async fn watch_own_node(self: Arc<Self>) {
        if self.config.nodes {
            let node = self
                .config
                .node
                .resolve(&self.client, "records gain nothing of it", || self.writer.nodes().await_none())
                .await;
            self.watch_nodes(node.map(|node| format!("metadata.name={node}"))).await;
        }
    }

    async fn watch_nodes(&self, fields: Option<String>) {
        if self.config.nodes {
            self.reflect("/api/v1/nodes", self.writer.nodes(), fields).await;
        }
    }

    async fn ask_kubelet(self: Arc<Self>, client: kube::Client) {
        if let Some(config) = &self.config.kubelet {
            Kubelet { client, config, writer: &self.writer, counters: &self.counters }.run().await;
        }
    }

    async fn watch_namespaces(self: Arc<Self>) {
        self.reflect("/api/v1/namespaces", self.writer.namespaces(), None).await;
    }

    async fn reflect<T: Kept>(&self, path: &str, section: Section<'_, T>, fields: Option<String>) {
        let reflector = Reflector {
            resource: Resource::new(self.client.clone(), path),
            section,
            fields,
            idle_limit: self.config.idle_limit,
            counters: &self.counters,
            log: Complaints::default(),
            backoff: Backoff::default(),
        };
        reflector.run().await;
    }

    async fn look_up(self: Arc<Self>) {
        lookup::run(self.client.clone(), &self.writer, &self.counters).await;
    }

    async fn sweep(self: Arc<Self>) {
        let (shortest, longest) = (Duration::from_millis(250), Duration::from_secs(5));
        let pause = (self.config.store.delete_grace / 4).clamp(shortest, longest);
        loop {
            tokio::time::sleep(pause).await;
            self.writer.sweep(Instant::now());
        }
    }
}
