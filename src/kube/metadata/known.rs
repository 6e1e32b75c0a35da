//! What is known of a container's surroundings when its metadata is written.
//!
//! Serves `metadata`; `enrich` finds it. Invariant: what is not known is none.

use crate::kube::{
    metadata::aws::{Service, Services},
    object::{
        labelled::{Namespace, NodeMeta},
        pod::Pod,
    },
};

/// What the API, or a file, says of a container's surroundings.
#[derive(Debug, Clone, Copy, Default)]
pub struct Known<'a> {
    /// Its pod: the one that the container is meant to be in.
    pub pod: Option<&'a Pod>,
    /// Whether a uid or a container's id says that it is its pod, and not the name alone.
    pub is_sure: bool,
    /// Its namespace.
    pub namespace: Option<&'a Namespace>,
    /// Its node.
    pub node: Option<&'a NodeMeta>,
    /// The agent of AWS, and the service that it has for the pod.
    pub aws: Option<(&'a Services, Option<&'a Service>)>,
}
