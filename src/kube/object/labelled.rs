//! Objects of which records tell labels and annotations alone: namespaces and nodes.
//!
//! Serves `store`, `watch` and `metadata`. Invariant: a field that is absent or null is nothing, never an error.

use std::marker::PhantomData;

use serde::Deserialize;

use super::{
    annotations::Rules,
    meta::{Meta, Object, WireMeta},
    msgpack::Msgpack,
};

/// A kind of such objects.
pub trait Kind: PartialEq {
    /// The plural, for the log.
    const RESOURCE: &'static str;
}

/// Namespaces.
#[derive(Debug, Clone, PartialEq)]
pub struct Namespaces;

/// Nodes.
#[derive(Debug, Clone, PartialEq)]
pub struct Nodes;

impl Kind for Namespaces {
    const RESOURCE: &'static str = "namespaces";
}

impl Kind for Nodes {
    const RESOURCE: &'static str = "nodes";
}

/// A namespace.
pub type Namespace = Labelled<Namespaces>;
/// A node.
pub type NodeMeta = Labelled<Nodes>;

/// An object with labels and annotations.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(from = "WireLabelled", bound = "")]
pub struct Labelled<K> {
    /// What names it.
    pub meta: Meta,
    /// Labels, in the API's order.
    pub labels: Option<Msgpack>,
    /// Annotations, in the API's order.
    pub annotations: Option<Msgpack>,
    /// What the annotations ask for, of all the pods in it.
    pub rules: Option<Box<Rules>>,
    kind: PhantomData<fn() -> K>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct WireLabelled {
    metadata: Option<WireMeta>,
}

impl<K> From<WireLabelled> for Labelled<K> {
    fn from(wire: WireLabelled) -> Self {
        let mut meta = wire.metadata.unwrap_or_default();
        Self {
            meta: meta.names(),
            labels: meta.labels,
            rules: Rules::of(meta.annotations.as_ref()),
            annotations: meta.annotations,
            kind: PhantomData,
        }
    }
}

impl<K: Kind> Object for Labelled<K> {
    const RESOURCE: &'static str = K::RESOURCE;

    fn meta(&self) -> &Meta {
        &self.meta
    }

    fn meta_mut(&mut self) -> &mut Meta {
        &mut self.meta
    }
}
