//! One run of the whole path: pods that log before and after the host starts, one that is created late, events
//! that come and are counted up; and what must have arrived in the end.
//!
//! Serves the end-to-end tests. Expected metadata is read back from the API, never from what was sent to it.

mod events;
mod pods;

use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    rig::{cluster::Cluster, config::Config, host::Host, logs::Logs, node::Node},
    servers::{kubernetes::Kubernetes, process::Process},
};

use events::Events;
use pods::{Container, LINES};

/// How long lines may take on a machine that is busy with other tests.
const ARRIVAL_LIMIT: Duration = Duration::from_secs(120);

/// A stage of its own: no other scene shares its namespace or node.
pub struct Scene {
    name: String,
    cluster: Cluster,
    logs: Logs,
    folder: TempDir,
    node: Node,
}

impl Scene {
    /// Sets the stage.
    pub fn new(name: &str, cluster: Cluster, logs: Logs) -> Self {
        let folder = tempfile::Builder::new().prefix("flb-kube-scene-").tempdir().expect("a folder");
        let node = Node::new(folder.path());
        let labels = json!({ "team": "storefront" });
        cluster.create(&json!({ "kind": "Namespace", "metadata": { "name": name, "labels": labels } }));
        Self { name: name.to_owned(), cluster, logs, folder, node }
    }

    /// Runs the scene and checks what arrived.
    pub fn plays_on(&self, host: &Host) {
        let mut containers = pods::early(self);
        let mut events = Events::default();
        events.create(self, 0..15);
        for container in &containers {
            container.log(self, 0..LINES / 2);
        }
        let mut process = host.start(self.folder.path(), &self.config());
        self.wait(&mut process, "the lines of before", || self.has_lines(&containers, LINES / 2));
        self.wait(&mut process, "the events of before", || self.has_events(&events));
        containers.extend(pods::late(self));
        events.create(self, 15..30);
        events.count_up(self, 10..20);
        // By then the watch of pods, no slower than that of events, has seen the late one.
        self.wait(&mut process, "the events of now", || self.has_events(&events));
        for container in &containers {
            let from = if container.is_late() { 0 } else { LINES / 2 };
            container.log(self, from..LINES);
        }
        self.wait(&mut process, "all lines", || self.has_lines(&containers, LINES));
        let status = process.stop(Duration::from_secs(20));
        assert!(status.is_some_and(|status| status.success()), "{status:?}: {}", process.last_lines(20));
        for container in &containers {
            container.check(&self.lines());
        }
        events.check(&self.events());
    }

    /// Runs the scene with a token that is known but may do nothing: lines arrive with what the tag says, and the
    /// host's log says which right is missing.
    pub fn plays_without_rights_on(&self, host: &Host, kubernetes: &Kubernetes) {
        let containers = pods::early(self);
        for container in &containers {
            container.log(self, 0..LINES);
        }
        let path = |file: PathBuf| file.display().to_string();
        let (known, denied) = (path(kubernetes.reader_token_file()), path(kubernetes.nobody_token_file()));
        let mut process = host.start(self.folder.path(), &self.config().replace(&known, &denied));
        self.wait(&mut process, "all lines", || self.has_lines(&containers, LINES));
        for what in ["pods", "events"] {
            let told = |line: &str| line.contains("403") && line.contains(what);
            self.wait(&mut process, "what is missing", || process_says(&self.folder, told));
        }
        for container in &containers {
            container.check_what_the_tag_says(&self.lines());
        }
    }

    fn wait(&self, process: &mut Process, what: &str, done: impl Fn() -> bool) {
        let deadline = Instant::now() + ARRIVAL_LIMIT;
        while !done() {
            process.must_run();
            let (lines, events) = (self.lines().len(), self.events().len());
            assert!(
                Instant::now() < deadline,
                "{}: {what} did not arrive: {lines} lines and {events} events; the host says:\n{}",
                self.name,
                process.last_lines(40)
            );
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn lines(&self) -> Vec<Value> {
        self.logs.rows("kubernetes.namespace_name", &self.name)
    }

    fn events(&self) -> Vec<Value> {
        self.logs.rows("metadata.namespace", &self.name)
    }

    fn has_lines(&self, containers: &[Container], each: usize) -> bool {
        self.lines().len() >= containers.len() * each
    }

    fn has_events(&self, events: &Events) -> bool {
        self.events().len() >= events.count()
    }

    fn config(&self) -> String {
        let Self { name, cluster, logs, folder, node } = self;
        let events = format!("    Kube_Namespace   {name}\n");
        let config = Config { folder: folder.path(), cluster, node, node_name: name, events: &events, logs };
        config.classic()
    }
}

fn process_says(folder: &TempDir, told: impl Fn(&str) -> bool) -> bool {
    let log = fs::read_to_string(folder.path().join("host.log")).unwrap_or_default();
    log.lines().any(told)
}
