//! A pod as the file holds it: JSON in the API's own shape, as far as a pod is kept at all.
//!
//! Serves the snapshot's file; [`Pod`] reads it as it reads the API's. Invariant: what is read back equals what was
//! written, so whatever [`Pod`] gains is to be written here too.

use std::cell::RefCell;

use serde::{
    Serialize, Serializer,
    ser::{Error, SerializeMap as _, SerializeSeq as _},
};

use crate::{
    kube::object::{
        msgpack::Msgpack,
        pod::{Container, Kind, Phase, Pod},
    },
    record::msgpack::walk::{Value, Walk},
};

/// The JSON of a pod.
pub(super) fn write(pod: &Pod) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(&OutPod {
        metadata: OutMeta {
            name: pod.meta.name.as_deref(),
            namespace: pod.meta.namespace.as_deref(),
            uid: pod.meta.uid.as_deref(),
            creation_timestamp: pod.created.map(|time| time.to_string()),
            labels: pod.labels.as_ref().map(Json),
            annotations: pod.annotations.as_ref().map(Json),
            owner_references: pod.owner_references.as_ref().map(Json),
        },
        spec: OutSpec {
            node_name: pod.node.as_deref(),
            containers: named(pod, Kind::Container),
            init_containers: named(pod, Kind::Init),
            ephemeral_containers: named(pod, Kind::Ephemeral),
        },
        status: OutStatus {
            pod_ip: pod.ip.as_deref(),
            pod_ips: pod.ips().map(|ip| OutIp { ip }).collect(),
            start_time: pod.started.map(|time| time.to_string()),
            phase: pod.phase.map(Phase::as_str),
            container_statuses: statuses(pod, Kind::Container),
            init_container_statuses: statuses(pod, Kind::Init),
            ephemeral_container_statuses: statuses(pod, Kind::Ephemeral),
        },
    })
}

/// The containers of a kind that have no status yet.
fn named(pod: &Pod, kind: Kind) -> Vec<OutName<'_>> {
    let of_kind = pod.containers.iter().filter(|container| container.kind == kind);
    of_kind
        .filter(|container| container.restarts.is_none())
        .map(|c| OutName { name: &c.name, image: c.image.as_deref() })
        .collect()
}

/// Those of a kind that have one.
fn statuses(pod: &Pod, kind: Kind) -> Vec<OutContainer<'_>> {
    let of_kind = pod.containers.iter().filter(|container| container.kind == kind);
    of_kind.filter_map(|container| Some(OutContainer::new(container, container.restarts?))).collect()
}

/// Reads what [`write()`] wrote.
pub(super) fn read(json: &[u8]) -> serde_json::Result<Pod> {
    serde_json::from_slice(json)
}

#[derive(Serialize)]
struct OutPod<'a> {
    metadata: OutMeta<'a>,
    spec: OutSpec<'a>,
    status: OutStatus<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OutMeta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    creation_timestamp: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    labels: Option<Json<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    annotations: Option<Json<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner_references: Option<Json<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OutSpec<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    node_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    containers: Vec<OutName<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    init_containers: Vec<OutName<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ephemeral_containers: Vec<OutName<'a>>,
}

#[derive(Serialize)]
struct OutName<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OutStatus<'a> {
    #[serde(rename = "podIP", skip_serializing_if = "Option::is_none")]
    pod_ip: Option<&'a str>,
    #[serde(rename = "podIPs", skip_serializing_if = "Vec::is_empty")]
    pod_ips: Vec<OutIp<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phase: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    container_statuses: Vec<OutContainer<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    init_container_statuses: Vec<OutContainer<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ephemeral_container_statuses: Vec<OutContainer<'a>>,
}

#[derive(Serialize)]
struct OutIp<'a> {
    ip: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OutContainer<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<&'a str>,
    #[serde(rename = "imageID", skip_serializing_if = "Option::is_none")]
    image_id: Option<&'a str>,
    #[serde(rename = "containerID", skip_serializing_if = "Option::is_none")]
    container_id: Option<String>,
    restart_count: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_state: Option<OutState>,
}

#[derive(Serialize)]
struct OutState {
    terminated: OutTerminated,
}

#[derive(Serialize)]
struct OutTerminated {
    #[serde(rename = "containerID")]
    container_id: String,
}

impl<'a> OutContainer<'a> {
    fn new(container: &'a Container, restarts: u32) -> Self {
        // A container's id is read without its scheme, and only with one.
        let id = |id: Option<&str>| id.map(|id| format!("id://{id}"));
        Self {
            name: &container.name,
            image: container.image.as_deref(),
            image_id: container.image_id.as_deref(),
            container_id: id(container.id.as_deref()),
            restart_count: restarts,
            last_state: id(container.last_id.as_deref())
                .map(|container_id| OutState { terminated: OutTerminated { container_id } }),
        }
    }
}

/// Msgpack, written as the JSON that it was.
struct Json<'a>(&'a Msgpack);

impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        Next(&RefCell::new(Walk::new(self.0.bytes()))).serialize(out)
    }
}

/// The next value of a walk.
struct Next<'w, 'a>(&'w RefCell<Walk<'a>>);

impl Serialize for Next<'_, '_> {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        let value = self.0.borrow_mut().next().map_err(|_| S::Error::custom("damaged msgpack"))?;
        match value {
            Value::Nil => out.serialize_unit(),
            Value::Bool(value) => out.serialize_bool(value),
            Value::Unsigned(value) => out.serialize_u64(value),
            Value::Signed(value) => out.serialize_i64(value),
            Value::Float(value) => out.serialize_f64(value),
            Value::Str(text) | Value::Bin(text) | Value::Ext(_, text) => {
                out.serialize_str(&String::from_utf8_lossy(text))
            }
            Value::Array(items) => {
                let mut array = out.serialize_seq(Some(items as usize))?;
                for _ in 0..items {
                    array.serialize_element(self)?;
                }
                array.end()
            }
            Value::Map(pairs) => {
                let mut map = out.serialize_map(Some(pairs as usize))?;
                for _ in 0..pairs {
                    map.serialize_key(self)?;
                    map.serialize_value(self)?;
                }
                map.end()
            }
        }
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
                "annotations": {"kubernetes.io/config.mirror": "x", "empty": ""},
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
}
