//! Pods and namespaces as far as records tell of them: everything else is skipped while reading.
//!
//! Serves `watch` (which reads them off the API through kube-rs), `preload` (off files) and `store`. Invariant: a
//! field that is absent or null is nothing, never an error.

use std::borrow::Cow;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{
    Resource,
    core::{ClusterResourceScope, NamespaceResourceScope},
};
use serde::Deserialize;

use super::{annotation::Rules, verbatim::Verbatim};

/// The annotation of a pod that a kubelet runs from a file.
const MIRROR: &str = "kubernetes.io/config.mirror";

/// A pod.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(from = "WirePod")]
pub struct Pod {
    /// Name, namespace, uid and resourceVersion only.
    pub meta: ObjectMeta,
    /// Labels, in the API's order.
    pub labels: Option<Verbatim>,
    /// Annotations, in the API's order.
    pub annotations: Option<Verbatim>,
    /// What the annotations ask for.
    pub rules: Option<Box<Rules>>,
    /// Owner references.
    pub owner_references: Option<Verbatim>,
    /// The node that it runs on.
    pub node: Option<String>,
    /// Its address.
    pub ip: Option<String>,
    /// What is known of its containers, of all kinds.
    pub containers: Vec<Container>,
    /// Made by a kubelet from a file: its log folder carries another uid than the API.
    pub is_mirror: bool,
}

/// A container's status.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Container {
    /// Its name, unique within the pod.
    pub name: String,
    /// The image that was asked for.
    pub image: Option<String>,
    /// The image that runs, without a scheme.
    pub image_hash: Option<String>,
    /// The container's id, without a scheme.
    pub id: Option<String>,
    /// The id of the one before the last restart.
    pub last_id: Option<String>,
    /// How often it was restarted.
    pub restarts: u32,
}

/// A namespace.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(from = "WireNamespace")]
pub struct Namespace {
    /// Name, uid and resourceVersion only.
    pub meta: ObjectMeta,
    /// Labels, in the API's order.
    pub labels: Option<Verbatim>,
    /// Annotations, in the API's order.
    pub annotations: Option<Verbatim>,
    /// What the annotations ask for, of all its pods.
    pub rules: Option<Box<Rules>>,
}

impl Resource for Pod {
    type DynamicType = ();
    type Scope = NamespaceResourceScope;

    fn kind((): &()) -> Cow<'_, str> {
        "Pod".into()
    }

    fn group((): &()) -> Cow<'_, str> {
        "".into()
    }

    fn version((): &()) -> Cow<'_, str> {
        "v1".into()
    }

    fn plural((): &()) -> Cow<'_, str> {
        "pods".into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.meta
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.meta
    }
}

impl Resource for Namespace {
    type DynamicType = ();
    type Scope = ClusterResourceScope;

    fn kind((): &()) -> Cow<'_, str> {
        "Namespace".into()
    }

    fn group((): &()) -> Cow<'_, str> {
        "".into()
    }

    fn version((): &()) -> Cow<'_, str> {
        "v1".into()
    }

    fn plural((): &()) -> Cow<'_, str> {
        "namespaces".into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.meta
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.meta
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct WirePod {
    metadata: Option<WireMeta>,
    spec: Option<WireSpec>,
    status: Option<WireStatus>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct WireNamespace {
    metadata: Option<WireMeta>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct WireMeta {
    name: Option<String>,
    namespace: Option<String>,
    uid: Option<String>,
    resource_version: Option<String>,
    labels: Option<Verbatim>,
    annotations: Option<Verbatim>,
    owner_references: Option<Verbatim>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct WireSpec {
    node_name: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct WireStatus {
    #[serde(rename = "podIP")]
    pod_ip: Option<String>,
    container_statuses: Option<Vec<WireContainer>>,
    init_container_statuses: Option<Vec<WireContainer>>,
    ephemeral_container_statuses: Option<Vec<WireContainer>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct WireContainer {
    name: Option<String>,
    image: Option<String>,
    #[serde(rename = "imageID")]
    image_id: Option<String>,
    #[serde(rename = "containerID")]
    container_id: Option<String>,
    /// The server takes negative ones too.
    restart_count: Option<i64>,
    last_state: Option<WireState>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct WireState {
    terminated: Option<WireTerminated>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct WireTerminated {
    #[serde(rename = "containerID")]
    container_id: Option<String>,
}

impl WireMeta {
    fn object_meta(&mut self) -> ObjectMeta {
        ObjectMeta {
            name: self.name.take(),
            namespace: self.namespace.take(),
            uid: self.uid.take(),
            resource_version: self.resource_version.take(),
            ..ObjectMeta::default()
        }
    }
}

impl From<WirePod> for Pod {
    fn from(wire: WirePod) -> Self {
        let mut meta = wire.metadata.unwrap_or_default();
        let status = wire.status.unwrap_or_default();
        let statuses =
            [status.container_statuses, status.init_container_statuses, status.ephemeral_container_statuses];
        let is_mirror = meta.annotations.as_ref().is_some_and(|annotations| annotations.contains(MIRROR));
        Self {
            meta: meta.object_meta(),
            labels: meta.labels,
            rules: Rules::of(meta.annotations.as_ref()),
            annotations: meta.annotations,
            owner_references: meta.owner_references,
            node: wire.spec.unwrap_or_default().node_name,
            ip: status.pod_ip,
            containers: statuses.into_iter().flatten().flatten().map(Container::from).collect(),
            is_mirror,
        }
    }
}

impl From<WireNamespace> for Namespace {
    fn from(wire: WireNamespace) -> Self {
        let mut meta = wire.metadata.unwrap_or_default();
        Self {
            meta: meta.object_meta(),
            labels: meta.labels,
            rules: Rules::of(meta.annotations.as_ref()),
            annotations: meta.annotations,
        }
    }
}

impl From<WireContainer> for Container {
    fn from(wire: WireContainer) -> Self {
        let last_id = wire.last_state.and_then(|state| state.terminated).and_then(|end| end.container_id);
        Self {
            name: wire.name.unwrap_or_default(),
            image: wire.image.filter(|image| !image.is_empty()),
            image_hash: wire.image_id.and_then(without_scheme),
            id: wire.container_id.and_then(without_scheme),
            last_id: last_id.and_then(without_scheme),
            restarts: wire.restart_count.and_then(|count| count.try_into().ok()).unwrap_or_default(),
        }
    }
}

/// `docker://x` is `x`, `sha256:x` is itself, and what has no colon is no id.
fn without_scheme(mut id: String) -> Option<String> {
    let after = id.find(':')? + 1;
    let rest = id[after..].trim_start_matches('/');
    if rest.len() < id.len() - after {
        id = rest.to_owned();
    }
    (!id.is_empty()).then_some(id)
}
