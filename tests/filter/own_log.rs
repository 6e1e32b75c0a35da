//! The agent's own log, as the input `fluentbit_logs` of 5.1 reads it.

#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

use std::fs;

use flb_kube_testing::{
    apiserver::ApiServer,
    host::{self, Host},
    servers::roster,
};
use serde_json::json;

#[test]
fn the_agents_own_log_gains_the_metadata_of_the_agents_pod() {
    let Some(host) = Host::real().into_iter().find(|host| host.name.contains("5.1.1")) else {
        return roster::skipped("the agent's own log", "no fluent-bit 5.1.1");
    };
    let server = ApiServer::start();
    server.put(json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "agent-x2x4z", "namespace": "logging", "uid": "u-1", "labels": {"team": "blue"}},
        "spec": {"nodeName": "n1"},
    }));
    let folder = tempfile::tempdir().unwrap();
    let namespace = folder.path().join("namespace");
    fs::write(&namespace, "logging\n").unwrap();
    let config = format!(
        "[SERVICE]\n    Flush 0.1\n    Grace 1\n[INPUT]\n    Name fluentbit_logs\n    Tag own\n[FILTER]\n    Name kube\n    \
         Match own\n    Kube_URL {}\n    Kube_Node_Name n1\n    Kube_Namespace_File {}\n[OUTPUT]\n    Name stdout\n    \
         Match *\n    Format json_lines\n",
        server.url(),
        namespace.display()
    );
    let mut running =
        host.start(&config).plugins(&[host::FILTER]).environment("HOSTNAME", "agent-x2x4z").run();
    running
        .wait_for_lines("\"pod_name\":\"agent-x2x4z\",\"namespace_name\":\"logging\",\"pod_id\":\"u-1\"", 1);
    running.stop();
}
