//! Labels and annotations of nodes.
//!
//! Serves `watch`, which keeps them in step, and `preload`. Invariant: a field that is absent or null is nothing, never
//! an error.

use serde::Deserialize;

use crate::kube::object::{
    msgpack::Verbatim,
    pod::{Meta, WireMeta},
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
