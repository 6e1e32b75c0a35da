//! The filter with a pod, its namespace and its node known from files, and records to ask for what was added.

use std::{fs, slice};

use flb_kube::{options::Options, plugins::filter_kube::KubeOptions};
use flb_kube_testing::filtering::{ParsersFile, Running, bytes, chunk, json as as_json, read, start};
use rmpv::Value as Packed;
use serde_json::{Value, json};
use tempfile::TempDir;

/// The tag of the container `web` of the pod `shop/web-1`.
pub(crate) const TAG: &str = "kube.var.log.containers.web-1_shop_web-\
                       aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.log";

/// The tag of a container of that pod, in the run whose id is made of `id`.
pub(crate) fn tag_of(container: &str, id: char) -> String {
    format!("kube.var.log.containers.web-1_shop_{container}-{}.log", id.to_string().repeat(64))
}

/// The pod `shop/web-1`, with everything that a pod can have.
pub(crate) fn pod() -> Value {
    let id = |id: &str| format!("containerd://{}", id.repeat(64));
    let status = |name: &str, run: &str| {
        json!({"name": name, "image": "busybox:1", "imageID": "busybox@sha256:cd", "containerID": id(run),
               "restartCount": 0})
    };
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": "web-1", "namespace": "shop", "uid": "u-1",
            "labels": {"app": "web", "app.kubernetes.io/name": "web", "pod-template-hash": "5d8f", "tier": "a.b"},
            "annotations": {"note": "short", "last-applied": "x".repeat(300)},
            "ownerReferences": [{"kind": "ReplicaSet", "name": "web-5d8f", "controller": true}],
        },
        "spec": {
            "nodeName": "n1",
            "containers": [{"name": "web"}, {"name": "late"}],
            "initContainers": [{"name": "setup"}],
            "ephemeralContainers": [{"name": "shell"}],
        },
        "status": {
            "phase": "Running", "startTime": "2026-01-02T03:04:05Z",
            "podIP": "10.0.0.9", "podIPs": [{"ip": "10.0.0.9"}, {"ip": "fd00::9"}],
            "containerStatuses": [{
                "name": "web", "image": "docker.io/library/web:1", "containerID": id("a"), "restartCount": 3,
                "imageID": "docker-pullable://docker.io/library/web@sha256:ab",
                "lastState": {"terminated": {"containerID": id("b")}},
            }],
            "initContainerStatuses": [status("setup", "1")],
            "ephemeralContainerStatuses": [status("shell", "2")],
        },
    })
}

/// That pod with another owner and another `pod-template-hash`.
pub(crate) fn owned(kind: &str, name: &str, hash: &str) -> Value {
    let mut pod = pod();
    pod["metadata"]["ownerReferences"] = json!([{"kind": kind, "name": name, "controller": true}]);
    pod["metadata"]["labels"]["pod-template-hash"] = hash.into();
    pod
}

/// A running filter.
pub(crate) struct Rig {
    filter: Running,
    _folder: Option<TempDir>,
}

impl Rig {
    /// A filter that knows `pod`, its namespace and its node.
    pub(crate) fn knowing(pod: &Value, options: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &Value| fs::write(folder.path().join(name), text.to_string()).unwrap();
        write("shop_web-1.meta", pod);
        let meta = |labels: Value, annotations: Value| json!({"metadata": {"labels": labels, "annotations": annotations}});
        write("shop.namespace_meta", &meta(json!({"team": "retail"}), json!({"cost": "7"})));
        let labels = json!({"kubernetes.io/hostname": "n1", "topology.kubernetes.io/zone": "z1"});
        write("n1.node_meta", &meta(labels, json!({"rack": "7", "other": "8"})));
        let path = folder.path().display().to_string();
        let usual = [
            ("kube_url", "http://127.0.0.1:1"),
            ("kube_token_file", ""),
            ("kube_node_name", "n1"),
            ("kube_meta_preload_cache_dir", &path),
        ];
        let filter = start(&ParsersFile::default(), &[&usual, options].concat());
        Self { filter, _folder: Some(folder) }
    }

    /// A filter with just these options.
    pub(crate) fn with(options: &[(&str, &str)]) -> Self {
        Self { filter: start(&ParsersFile::default(), options), _folder: None }
    }

    /// What is said of a value that an option can't take.
    pub(crate) fn refusal(key: &str, text: &str) -> String {
        KubeOptions::load(&|asked| (asked == key).then(|| text.to_owned())).unwrap_err().to_string()
    }

    /// What becomes of a record under this tag.
    pub(crate) fn record(&self, tag: &str) -> Record {
        self.record_of(tag, &json!({"log": "x"}))
    }

    /// What becomes of this record.
    pub(crate) fn record_of(&self, tag: &str, body: &Value) -> Record {
        let mut read = read(&bytes(&self.filter, tag, &chunk(slice::from_ref(body))));
        assert_eq!(read.len(), 1);
        Record(read.remove(0).1)
    }

    /// How many bytes a record gains, without the header of its map.
    pub(crate) fn added(&self, tag: &str) -> usize {
        let chunk = chunk(&[json!({"log": "x"})]);
        bytes(&self.filter, tag, &chunk).len() - chunk.len()
    }
}

/// A record that came out.
#[derive(Debug)]
pub(crate) struct Record(Packed);

impl Record {
    /// The keys of the map at this place, in their order, each as often as it comes.
    pub(crate) fn keys(&self, path: &str) -> Vec<String> {
        let mut at = &self.0;
        for part in path.split('/').filter(|part| !part.is_empty()) {
            let found =
                at.as_map().and_then(|pairs| pairs.iter().find(|(key, _)| key.as_str() == Some(part)));
            at = found.map_or(&Packed::Nil, |(_, value)| value);
        }
        let pairs = at.as_map().map(Vec::as_slice).unwrap_or_default();
        pairs.iter().map(|(key, _)| key.as_str().unwrap().to_owned()).collect()
    }

    /// The value at this place, or null.
    pub(crate) fn at(&self, path: &str) -> Value {
        as_json(&self.0).pointer(path).cloned().unwrap_or_default()
    }
}
