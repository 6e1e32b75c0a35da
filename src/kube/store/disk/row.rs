//! A pod as a row of the file holds it: msgpack, field by field.
//!
//! Serves the file. Invariant: what is read back equals what was written, so whatever [`Pod`] gains is to be written here
//! too; a field that a row lacks is nothing.

use std::fmt;

use k8s_openapi::jiff::Timestamp;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, Visitor},
};

use crate::kube::object::{
    annotations::Rules,
    meta::Meta,
    msgpack::Msgpack,
    pod::{Container, Phase, Pod},
};

/// The bytes of a row.
pub(super) fn write(pod: &Pod) -> Result<Vec<u8>, rmp_serde::encode::Error> {
    rmp_serde::to_vec_named(&Row::from(pod))
}

/// Reads what [`write()`] wrote.
pub(super) fn read(row: &[u8]) -> Result<Pod, rmp_serde::decode::Error> {
    rmp_serde::from_slice::<Row>(row).map(Pod::from)
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Row {
    name: Option<Box<str>>,
    namespace: Option<Box<str>>,
    uid: Option<Box<str>>,
    labels: Option<Value>,
    annotations: Option<Value>,
    owner_references: Option<Value>,
    node: Option<Box<str>>,
    ip: Option<Box<str>>,
    other_ips: Box<[Box<str>]>,
    created: Option<String>,
    started: Option<String>,
    phase: Option<Phase>,
    containers: Box<[Container]>,
    is_mirror: bool,
}

impl From<&Pod> for Row {
    fn from(pod: &Pod) -> Self {
        let value = |map: &Option<Msgpack>| map.clone().map(Value);
        let time = |time: Option<Timestamp>| time.map(|time| time.to_string());
        Self {
            name: pod.meta.name.clone(),
            namespace: pod.meta.namespace.clone(),
            uid: pod.meta.uid.clone(),
            labels: value(&pod.labels),
            annotations: value(&pod.annotations),
            owner_references: value(&pod.owner_references),
            node: pod.node.clone(),
            ip: pod.ip.clone(),
            other_ips: pod.other_ips.clone(),
            created: time(pod.created),
            started: time(pod.started),
            phase: pod.phase,
            containers: pod.containers.clone(),
            is_mirror: pod.is_mirror,
        }
    }
}

impl From<Row> for Pod {
    fn from(row: Row) -> Self {
        let value = |map: Option<Value>| map.map(|Value(value)| value);
        let time = |time: Option<String>| time.and_then(|time| time.parse().ok());
        let annotations = value(row.annotations);
        Self {
            meta: Meta { name: row.name, namespace: row.namespace, uid: row.uid, resource_version: None },
            labels: value(row.labels),
            rules: Rules::of(annotations.as_ref()),
            annotations,
            owner_references: value(row.owner_references),
            node: row.node,
            ip: row.ip,
            other_ips: row.other_ips,
            created: time(row.created),
            started: time(row.started),
            phase: row.phase,
            containers: row.containers,
            is_mirror: row.is_mirror,
        }
    }
}

/// Msgpack within a row: bytes that stay as they are.
struct Value(Msgpack);

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_bytes(self.0.bytes())
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl Visitor<'_> for Bytes {
            type Value = Value;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the bytes of one msgpack value")
            }

            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Value, E> {
                Msgpack::of(bytes).map(Value).ok_or_else(|| E::custom("damaged msgpack"))
            }
        }
        input.deserialize_bytes(Bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_back_is_what_was_written() {
        let full = serde_json::json!({
            "metadata": {
                "name": "web-0", "namespace": "shop", "uid": "1-2", "creationTimestamp": "2026-01-01T00:00:00Z",
                "labels": {"app": "web", "grün": "\u{1f600}\"\\\n"},
                "annotations": {"kubernetes.io/config.mirror": "x", "fluentbit.io/exclude": "true", "empty": ""},
                "ownerReferences": [{"kind": "ReplicaSet", "name": "web", "controller": true, "n": [-1, 2.5, null]}],
            },
            "spec": {"nodeName": "n1", "containers": [{"name": "main"}, {"name": "late", "image": "late:1"}]},
            "status": {
                "phase": "Running", "podIP": "10.0.0.7", "podIPs": [{"ip": "10.0.0.7"}, {"ip": "fd00::7"}],
                "startTime": "2026-01-01T00:00:00Z",
                "containerStatuses": [{
                    "name": "main", "image": "web:1", "imageID": "docker-pullable://web@sha256:1",
                    "containerID": "containerd://abc", "restartCount": 3,
                    "lastState": {"terminated": {"containerID": "containerd://before"}},
                }],
                "initContainerStatuses": [{"name": "init", "imageID": "sha256:2", "restartCount": 0}],
                "ephemeralContainerStatuses": [{"name": "debug", "image": "busybox"}],
            },
        });
        for json in [full, serde_json::json!({}), serde_json::json!({"metadata": {"labels": {}}})] {
            let pod: Pod = serde_json::from_value(json).unwrap();
            assert_eq!(read(&write(&pod).unwrap()).unwrap(), pod);
        }
    }

    #[test]
    fn damaged_maps_within_a_row_are_an_error_and_not_metadata() {
        let pod: Pod =
            serde_json::from_value(serde_json::json!({"metadata": {"labels": {"a": "b"}}})).unwrap();
        let row = write(&pod).unwrap();
        let map = pod.labels.as_ref().unwrap().bytes();
        let at = memchr::memmem::find(&row, map).unwrap();
        // A map of two pairs, of which one is there.
        let damaged = [&row[..at], &[0x82], &row[at + 1..]].concat();
        assert!(read(&damaged).is_err());
    }
}
