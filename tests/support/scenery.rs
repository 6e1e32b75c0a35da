//! What a host needs around it: an API server with a pod and events, a sink, and configurations that name them.

use serde_json::json;

use crate::{apiserver::ApiServer, sink::Sink};

pub const TAG: &str = "kube.var.log.containers.web-1_shop_app-\
                              0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef.log";

/// The servers of one test.
pub struct Scenery {
    pub api: ApiServer,
    pub sink: Sink,
}

impl Scenery {
    /// With the pod `shop/web-1` on node `n1`.
    pub fn new() -> Self {
        let api = ApiServer::start();
        api.put(json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {
                "name": "web-1", "namespace": "shop", "uid": "u-1", "labels": {"team": "blue"},
                "creationTimestamp": "2026-01-01T00:00:00Z",
            },
            "spec": {"nodeName": "n1", "containers": [{"name": "app", "image": "shop/app:1"}]},
            "status": {"podIP": "10.0.0.1", "phase": "Running"},
        }));
        Self { api, sink: Sink::start() }
    }

    /// An event happens.
    pub fn event(&self, name: &str, message: &str) {
        let now = k8s_openapi::jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        self.api.put(json!({
            "apiVersion": "v1", "kind": "Event",
            "metadata": {"name": name, "namespace": "shop", "uid": format!("u-{name}"), "creationTimestamp": now},
            "involvedObject": {"kind": "Pod", "namespace": "shop", "name": "web-1"},
            "reason": "Started", "message": message, "type": "Normal", "count": 1,
            "firstTimestamp": now, "lastTimestamp": now,
        }));
    }

    /// How many rows have this message.
    pub fn rows_with(&self, message: &str) -> usize {
        self.sink.rows().iter().filter(|row| row.message() == message).count()
    }

    pub fn filter(&self, more: &str) -> String {
        let url = self.api.url();
        format!(
            "[FILTER]\n    Name kube\n    Match kube.*\n    Kube_URL {url}\n    Kube_Node_Name n1\n{more}"
        )
    }

    pub fn events(&self, more: &str) -> String {
        let url = self.api.url();
        format!("[INPUT]\n    Name kube_events\n    Tag events\n    Kube_URL {url}\n{more}")
    }

    pub fn output(&self, more: &str) -> String {
        let url = self.sink.url();
        format!("[OUTPUT]\n    Name victorialogs\n    Match *\n    Url {url}\n{more}")
    }

    /// All three, with records under the pod's tag.
    pub fn all(&self) -> String {
        [service("info"), dummy("hello"), self.events(""), self.filter(""), self.output("")].concat()
    }
}

pub fn service(level: &str) -> String {
    format!("[SERVICE]\n    Flush 0.1\n    Grace 2\n    Log_Level {level}\n    Hot_Reload On\n")
}

/// A source of records with this text.
pub fn dummy(text: &str) -> String {
    format!("[INPUT]\n    Name dummy\n    Tag {TAG}\n    Rate 10\n    Dummy {{\"log\":\"{text}\"}}\n")
}

pub const STDOUT: &str = "[OUTPUT]\n    Name stdout\n    Match *\n    Format json_lines\n";
