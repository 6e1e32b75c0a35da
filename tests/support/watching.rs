//! What tests of the pod watch have in common.

use std::{
    fs,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use flb_kube::{
    kube::{
        api::client_config::ClientConfig,
        store,
        watch::{Node, PodWatch, WatchConfig},
    },
    runtime::Owner,
};
use serde_json::{Value, json};

use crate::apiserver::ApiServer;

/// A running pod of namespace `shop`.
pub fn pod(name: &str, node: &str, team: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": "shop", "labels": {"app": "web", "team": team}},
        "spec": {"nodeName": node, "containers": [{"name": "main", "image": "web:1"}]},
        "status": {"phase": "Running", "podIP": "10.0.0.7", "containerStatuses": [
            {"name": "main", "image": "web:1", "imageID": "web@sha256:1", "containerID": "containerd://abc", "restartCount": 0},
        ]},
    })
}

/// Watches `n1` on this server, with short limits.
pub fn config(server: &ApiServer) -> WatchConfig {
    let client = ClientConfig {
        url: server.url(),
        token_file: None,
        read_timeout: Duration::from_millis(500),
        connect_timeout: Duration::from_millis(500),
        ..ClientConfig::default()
    };
    let store =
        store::Config { delete_grace: Duration::from_secs(60), namespaces: false, ..Default::default() };
    WatchConfig::new(client, Node::Named("n1".into()), store)
}

/// Starts a watch.
pub fn start(config: &WatchConfig) -> Arc<PodWatch> {
    PodWatch::shared(config, &Owner { name: "filter:kube:kube.0".into(), level: 3 }).expect("a watch")
}

/// Starts a watch and waits for its first list.
pub fn synced(config: &WatchConfig) -> Arc<PodWatch> {
    let watch = start(config);
    wait("the first list", || watch.store().is_synced());
    watch
}

/// Waits until it is so.
pub fn wait(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Whether a pod of namespace `shop` is known.
pub fn knows(watch: &PodWatch, name: &str) -> bool {
    watch.store().lookup("shop", name).is_some()
}

/// Whether a known pod has this team in its labels.
pub fn team(watch: &PodWatch, name: &str, team: &str) -> bool {
    let pod = watch.store().lookup("shop", name);
    pod.is_some_and(|pod| pod.labels.as_ref().is_some_and(|labels| labels.contains(team)))
}

/// Runs a case for each of `all`, side by side: most of their time is spent in pauses.
pub fn each<T: Send>(all: impl IntoIterator<Item = T>, case: impl Fn(T) + Sync) {
    std::thread::scope(|scope| {
        for one in all {
            scope.spawn(|| case(one));
        }
    });
}

/// A file with this content, in a folder that goes with the first half.
pub fn file(content: &str) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("file");
    fs::write(&path, content).expect("a file");
    (dir, path)
}
