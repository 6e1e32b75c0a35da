//! Events of the API, and which rows they must become: one for each that is created, one for each counting up.

use std::{collections::BTreeMap, ops::Range};

use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

use super::Scene;

/// What must arrive: the message by uid and resourceVersion.
#[derive(Default)]
pub(super) struct Events {
    created: Vec<Value>,
    expected: BTreeMap<(String, String), String>,
}

impl Events {
    /// How many rows must arrive.
    pub(super) fn count(&self) -> usize {
        self.expected.len()
    }

    /// Creates events.
    pub(super) fn create(&mut self, scene: &Scene, numbers: Range<usize>) {
        for number in numbers {
            let now = now();
            let event = json!({
                "kind": "Event",
                "apiVersion": "v1",
                "metadata": { "name": format!("web.{number}"), "namespace": scene.name },
                "involvedObject": { "kind": "Pod", "namespace": scene.name, "name": "web-7d9c5b8f6d-x2k4p" },
                "type": "Warning",
                "reason": "Unhealthy",
                "message": format!("Readiness probe failed: event {number}"),
                "firstTimestamp": now,
                "lastTimestamp": now,
                "count": 1,
                "source": { "component": "kubelet", "host": scene.name },
            });
            let created = scene.cluster.create(&event);
            self.expect(&created);
            self.created.push(created);
        }
    }

    /// Counts events up, as a recorder does when the same thing happens again.
    pub(super) fn count_up(&mut self, scene: &Scene, numbers: Range<usize>) {
        for number in numbers {
            let path = format!("/api/v1/namespaces/{}/events/web.{number}", scene.name);
            let patch = json!({ "count": 2, "lastTimestamp": now() });
            let updated = scene.cluster.api().patch(&path, &patch);
            self.expect(&updated);
        }
    }

    fn expect(&mut self, event: &Value) {
        self.expected.insert(
            identity(&event["metadata"]["uid"], &event["metadata"]["resourceVersion"]),
            content(&event["message"], &event["count"]),
        );
    }

    /// Each is among `rows` once, as the API has it.
    pub(super) fn check(&self, rows: &[Value]) {
        let mut found: Vec<_> = rows
            .iter()
            .map(|row| {
                let identity = identity(&row["metadata.uid"], &row["metadata.resourceVersion"]);
                (identity, content(message(row), &row["count"]))
            })
            .collect();
        found.sort();
        let expected: Vec<_> = self.expected.clone().into_iter().collect();
        assert_eq!(found, expected);
        for row in rows {
            assert_eq!(row["kind"], "Event", "listed and watched events look alike");
        }
    }
}

/// What happened long ago is no news: the input passes it over.
fn now() -> String {
    Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The message is the row's text.
fn message(row: &Value) -> &Value {
    row.get("message").unwrap_or(&row["_msg"])
}

fn identity(uid: &Value, version: &Value) -> (String, String) {
    (plain(uid), plain(version))
}

fn content(message: &Value, count: &Value) -> String {
    format!("{} x{}", plain(message), plain(count))
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
