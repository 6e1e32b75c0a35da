//! Pods and namespaces as far as records tell of them: everything else is skipped while reading.
//!
//! Serves `watch` (which reads them off the API through kube-rs), `preload` (off files) and `store`. Invariant: a
//! field that is absent or null is nothing, never an error.

use serde::Deserialize;

use super::verbatim::Verbatim;

/// The annotation of a pod that a kubelet runs from a file.
const MIRROR: &str = "kubernetes.io/config.mirror";

/// What names an object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Meta {
    /// Its name.
    pub name: Option<Box<str>>,
    /// Its namespace, if it lives in one.
    pub namespace: Option<Box<str>>,
    /// Its uid.
    pub uid: Option<Box<str>>,
    /// Which state of it this is; the store keeps none.
    pub resource_version: Option<Box<str>>,
}

/// A pod. There may be tens of thousands: texts carry no room to grow.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(from = "WirePod")]
pub struct Pod {
    /// What names it.
    pub meta: Meta,
    /// Labels, in the API's order.
    pub labels: Option<Verbatim>,
    /// Annotations, in the API's order.
    pub annotations: Option<Verbatim>,
    /// Owner references.
    pub owner_references: Option<Verbatim>,
    /// The node that it runs on.
    pub node: Option<Box<str>>,
    /// Its address.
    pub ip: Option<Box<str>>,
    /// What is known of its containers, of all kinds.
    pub containers: Box<[Container]>,
    /// Made by a kubelet from a file: its log folder carries another uid than the API.
    pub is_mirror: bool,
}

/// A container's status.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Container {
    /// Its name, unique within the pod.
    pub name: Box<str>,
    /// The image that was asked for.
    pub image: Option<Box<str>>,
    /// The image that runs, without a scheme.
    pub image_hash: Option<Box<str>>,
    /// The container's id, without a scheme.
    pub id: Option<Box<str>>,
    /// The id of the one before the last restart.
    pub last_id: Option<Box<str>>,
    /// How often it was restarted.
    pub restarts: u32,
}

/// A namespace.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(from = "WireNamespace")]
pub struct Namespace {
    /// What names it.
    pub meta: Meta,
    /// Labels, in the API's order.
    pub labels: Option<Verbatim>,
    /// Annotations, in the API's order.
    pub annotations: Option<Verbatim>,
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
    name: Option<Box<str>>,
    namespace: Option<Box<str>>,
    uid: Option<Box<str>>,
    resource_version: Option<Box<str>>,
    labels: Option<Verbatim>,
    annotations: Option<Verbatim>,
    owner_references: Option<Verbatim>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct WireSpec {
    node_name: Option<Box<str>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct WireStatus {
    #[serde(rename = "podIP")]
    pod_ip: Option<Box<str>>,
    container_statuses: Option<Vec<WireContainer>>,
    init_container_statuses: Option<Vec<WireContainer>>,
    ephemeral_container_statuses: Option<Vec<WireContainer>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct WireContainer {
    name: Option<Box<str>>,
    image: Option<Box<str>>,
    #[serde(rename = "imageID")]
    image_id: Option<Box<str>>,
    #[serde(rename = "containerID")]
    container_id: Option<Box<str>>,
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
    container_id: Option<Box<str>>,
}

impl WireMeta {
    fn names(&mut self) -> Meta {
        Meta {
            name: self.name.take(),
            namespace: self.namespace.take(),
            uid: self.uid.take(),
            resource_version: self.resource_version.take(),
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
            meta: meta.names(),
            labels: meta.labels,
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
        Self { meta: meta.names(), labels: meta.labels, annotations: meta.annotations }
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
fn without_scheme(id: Box<str>) -> Option<Box<str>> {
    let after = id.find(':')? + 1;
    let rest = id[after..].trim_start_matches('/');
    let id = if rest.len() < id.len() - after { rest.into() } else { id };
    (!id.is_empty()).then_some(id)
}
