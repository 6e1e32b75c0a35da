//! The filter with a pod, its namespace and its node known from files, and records to ask for what was added.

use std::{collections::HashMap, fs, sync::Arc};

use flb_kube::{
    options::Options,
    plugin::{Chunk, Filter, Filtered, Host, Parser, Parsers},
    plugins::filter_kube::{KubeFilter, KubeOptions},
    record::{reader::Events, write},
    runtime::{Owner, Tasks},
};
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
    filter: KubeFilter,
    _folder: Option<TempDir>,
}

struct NoParsers;

impl Host for NoParsers {
    fn parsers(&self) -> Arc<dyn Parsers> {
        Arc::new(NoParsers)
    }
}

impl Parsers for NoParsers {
    fn get(&self, _: &str) -> Option<Arc<dyn Parser>> {
        None
    }
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
        let filter = start(&[&usual, options].concat());
        Self { filter, _folder: Some(folder) }
    }

    /// A filter with just these options.
    pub(crate) fn with(options: &[(&str, &str)]) -> Self {
        Self { filter: start(options), _folder: None }
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
        let result = self.bytes(tag, body);
        let mut events = Events::new(&result);
        let event = events.next().expect("a record");
        assert!(events.next().is_none() && events.rest().is_empty());
        Record(rmpv::decode::read_value(&mut &event.bytes[event.head().len()..]).unwrap())
    }

    /// How many bytes a record gains, without the header of its map.
    pub(crate) fn added(&self, tag: &str) -> usize {
        let body = json!({"log": "x"});
        self.bytes(tag, &body).len() - event(&body).len()
    }

    fn bytes(&self, tag: &str, body: &Value) -> Vec<u8> {
        let chunk = event(body);
        let mut out = Vec::new();
        match self.filter.filter(Chunk { tag: tag.as_bytes(), data: &chunk }, &mut out) {
            Filtered::Changed => out,
            Filtered::Unchanged => chunk,
        }
    }
}

fn start(options: &[(&str, &str)]) -> KubeFilter {
    let options: HashMap<&str, &str> = options.iter().copied().collect();
    let options = KubeOptions::load(&|key| options.get(key).map(|value| (*value).to_owned())).unwrap();
    let tasks = Tasks::new(Owner { name: "filter:kube:kube.0".into(), level: 3 }).unwrap();
    KubeFilter::start(options, tasks, &NoParsers).unwrap()
}

fn event(body: &Value) -> Vec<u8> {
    let mut bytes = vec![0x92, 0x92, 0xd7, 0x00, 1, 2, 3, 4, 0, 0, 0, 5];
    write::map_header(&mut bytes, 0);
    rmpv::encode::write_value(&mut bytes, &packed(body)).unwrap();
    bytes
}

fn packed(value: &Value) -> Packed {
    match value {
        Value::Null => Packed::Nil,
        Value::Bool(flag) => (*flag).into(),
        Value::Number(number) => number.as_i64().unwrap().into(),
        Value::String(text) => text.as_str().into(),
        Value::Array(items) => items.iter().map(packed).collect::<Vec<_>>().into(),
        Value::Object(map) => {
            Packed::Map(map.iter().map(|(key, value)| (key.as_str().into(), packed(value))).collect())
        }
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
        json_of(&self.0).pointer(path).cloned().unwrap_or_default()
    }
}

fn json_of(value: &Packed) -> Value {
    match value {
        Packed::Array(items) => items.iter().map(json_of).collect(),
        Packed::Map(pairs) => {
            pairs.iter().map(|(key, value)| (key.as_str().unwrap().to_owned(), json_of(value))).collect()
        }
        Packed::String(text) => text.as_str().unwrap().into(),
        Packed::Integer(number) => number.as_i64().into(),
        Packed::Boolean(flag) => (*flag).into(),
        _ => Value::Null,
    }
}
