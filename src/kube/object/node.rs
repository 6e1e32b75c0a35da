//! Labels and annotations of nodes.
//!
//! Serves `watch`, which keeps them in step, and `preload`. Invariant: they are an addition: an agent that may not
//! read nodes says so once and lacks these fields, and nothing else waits for them.

use serde::Deserialize;

use crate::kube::{
    api::error::Failure,
    object::{
        msgpack::Verbatim,
        pod::{Meta, WireMeta},
    },
    store::Writer,
    watch::reflector::Sink,
};

/// A node.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(from = "WireNode")]
pub struct NodeMeta {
    /// What names it.
    pub meta: Meta,
    /// Labels, in the API's order.
    pub labels: Option<Verbatim>,
    /// Annotations, in the API's order.
    pub annotations: Option<Verbatim>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct WireNode {
    metadata: Option<WireMeta>,
}

impl From<WireNode> for NodeMeta {
    fn from(wire: WireNode) -> Self {
        let mut meta = wire.metadata.unwrap_or_default();
        Self { meta: meta.names(), labels: meta.labels, annotations: meta.annotations }
    }
}

/// Where watched nodes go.
pub(crate) struct Nodes<'a>(pub(crate) &'a Writer);

impl Sink for Nodes<'_> {
    type Object = NodeMeta;
    const RESOURCE: &'static str = "nodes";

    fn meta(node: &NodeMeta) -> &Meta {
        &node.meta
    }

    fn begin(&self) {
        self.0.begin_node_list();
    }

    fn apply(&self, node: NodeMeta) {
        self.0.apply_node(node);
    }

    fn keep(&self, _: &str, name: &str) {
        self.0.keep_node(name);
    }

    fn delete(&self, node: &NodeMeta) {
        self.0.delete_node(node.meta.name.as_deref().unwrap_or_default());
    }

    fn end(&self) {
        self.0.end_node_list();
    }

    fn failed(&self, _: &Failure) {
        self.0.await_nodes(false);
    }
}
