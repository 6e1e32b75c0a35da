//! Pods, namespaces and nodes from files, for where there is no API server, or to go before it.
//!
//! Serves `enrich`. The files are those of the built-in filter: `<namespace>_<pod>.meta` holds a pod or a list of pods,
//! `<namespace>.namespace_meta` a namespace; and `<node>.node_meta` a node. Invariant: they are read once, at the start;
//! a bad file is named and leaves the others alone.

use std::{collections::HashMap, fs, io, path::Path, sync::Arc};

use serde::{Deserialize, de::DeserializeOwned};
use tracing::warn;

use crate::kube::object::{
    labelled::{Namespace, NodeMeta},
    pod::Pod,
};

/// What the files say.
#[derive(Debug, Default)]
pub struct Preload {
    pods: HashMap<(String, String), Arc<Pod>>,
    namespaces: HashMap<String, Arc<Namespace>>,
    nodes: HashMap<String, Arc<NodeMeta>>,
}

#[derive(Deserialize)]
struct Pods {
    #[serde(default)]
    items: Vec<Pod>,
}

impl Preload {
    /// Reads all files of a folder.
    pub fn read(folder: &Path) -> io::Result<Self> {
        let mut preload = Self::default();
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if let Some((namespace, pod)) = name.strip_suffix(".meta").and_then(|name| name.split_once('_')) {
                if let Some(known) = parse(&path, |text| read_pod(text, namespace, pod)) {
                    preload.pods.insert((namespace.into(), pod.into()), Arc::new(known));
                }
            } else if let Some(namespace) = name.strip_suffix(".namespace_meta")
                && let Some(known) = parse(&path, json)
            {
                preload.namespaces.insert(namespace.into(), Arc::new(known));
            } else if let Some(node) = name.strip_suffix(".node_meta")
                && let Some(known) = parse(&path, json)
            {
                preload.nodes.insert(node.into(), Arc::new(known));
            }
        }
        Ok(preload)
    }

    /// What is known of a pod.
    pub fn pod(&self, namespace: &str, pod: &str) -> Option<Arc<Pod>> {
        // A pair of borrowed texts can't be looked up in a map of owned ones; this runs once per tag and change.
        self.pods.get(&(namespace.to_owned(), pod.to_owned())).cloned()
    }

    /// What is known of a namespace.
    pub fn namespace(&self, namespace: &str) -> Option<Arc<Namespace>> {
        self.namespaces.get(namespace).cloned()
    }

    /// What is known of a node.
    pub fn node(&self, node: &str) -> Option<Arc<NodeMeta>> {
        self.nodes.get(node).cloned()
    }
}

fn parse<T>(path: &Path, read: impl FnOnce(&[u8]) -> serde_json::Result<T>) -> Option<T> {
    let known = fs::read(path).and_then(|text| Ok(read(&text)?));
    known.inspect_err(|why| warn!("metadata file {}: {why}, ignored", path.display())).ok()
}

fn json<T: DeserializeOwned>(text: &[u8]) -> serde_json::Result<T> {
    serde_json::from_slice(text)
}

/// The pod of a file, or the one of just that name in its list.
fn read_pod(text: &[u8], namespace: &str, name: &str) -> serde_json::Result<Pod> {
    let is_it = |pod: &Pod| {
        pod.meta.namespace.as_deref() == Some(namespace) && pod.meta.name.as_deref() == Some(name)
    };
    match json::<Pods>(text)?.items.into_iter().find(is_it) {
        Some(pod) => Ok(pod),
        None => json(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_name_their_pod_whatever_they_hold() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write("shop_web.meta", r#"{"metadata":{"name":"other","uid":"u1"}}"#);
        write("shop_empty.meta", "{}");
        write("shop_broken.meta", "{");
        write(
            "shop_web-1.meta",
            r#"{"items":[{"metadata":{"name":"web-10","namespace":"shop","uid":"no"}},
                         {"metadata":{"name":"web-1","namespace":"shop","uid":"u2"}}]}"#,
        );
        write("shop.namespace_meta", r#"{"metadata":{"uid":"n1"}}"#);
        write("node-1.node_meta", r#"{"metadata":{"uid":"n2"}}"#);

        let preload = Preload::read(folder.path()).unwrap();
        let uid = |pod| preload.pod("shop", pod).map(|pod| pod.meta.uid.clone());
        assert_eq!(uid("web"), Some(Some("u1".into())));
        assert_eq!(uid("web-1"), Some(Some("u2".into())));
        assert_eq!(uid("empty"), Some(None));
        assert_eq!(uid("broken"), None);
        assert_eq!(preload.namespace("shop").and_then(|n| n.meta.uid.clone()), Some("n1".into()));
        assert_eq!(preload.node("node-1").and_then(|n| n.meta.uid.clone()), Some("n2".into()));
    }
}
