//! Pods and namespaces as far as records tell of them: everything else is skipped while reading.
//!
//! Serves `watch` (which reads them off the API through kube-rs), `preload` (off files) and `store`. Invariant: a
//! field that is absent or null is nothing, never an error.

mod state;

use std::borrow::Cow;

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::ObjectMeta, jiff::Timestamp};
use kube::{
    Resource,
    core::{ClusterResourceScope, NamespaceResourceScope},
};
use serde::Deserialize;

pub use self::state::{Kind, Phase};
use super::verbatim::Verbatim;

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
    /// Owner references.
    pub owner_references: Option<Verbatim>,
    /// The node that it runs on.
    pub node: Option<String>,
    /// Its address.
    pub ip: Option<String>,
    /// Those beside it; see [`Self::ips`].
    pub other_ips: Box<[Box<str>]>,
    /// When its kubelet took it up.
    pub started: Option<Timestamp>,
    /// How far it is.
    pub phase: Option<Phase>,
    /// What is known of its containers, of all kinds.
    pub containers: Vec<Container>,
    /// Made by a kubelet from a file: its log folder carries another uid than the API.
    pub is_mirror: bool,
}

impl Pod {
    /// All its addresses.
    pub fn ips(&self) -> impl Iterator<Item = &str> {
        self.ip.as_deref().into_iter().chain(self.other_ips.iter().map(|ip| &**ip))
    }
}

/// A container: its status, or no more than name and kind while it has none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Container {
    /// Its name, unique within the pod.
    pub name: String,
    /// What it is for.
    pub kind: Kind,
    /// The image that was asked for.
    pub image: Option<String>,
    /// The image that runs.
    pub image_id: Option<String>,
    /// The container's id, without a scheme.
    pub id: Option<String>,
    /// The id of the one before the last restart.
    pub last_id: Option<String>,
    /// How often it was restarted; none without a status.
    pub restarts: Option<u32>,
}

impl Container {
    /// The image that runs, without a scheme.
    pub fn image_hash(&self) -> Option<&str> {
        self.image_id.as_deref().and_then(without_scheme)
    }
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
pub(super) struct WireMeta {
    name: Option<String>,
    namespace: Option<String>,
    uid: Option<String>,
    resource_version: Option<String>,
    pub(super) labels: Option<Verbatim>,
    pub(super) annotations: Option<Verbatim>,
    owner_references: Option<Verbatim>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct WireSpec {
    node_name: Option<String>,
    containers: Option<Vec<WireName>>,
    init_containers: Option<Vec<WireName>>,
    ephemeral_containers: Option<Vec<WireName>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct WireName {
    name: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct WireStatus {
    #[serde(rename = "podIP")]
    pod_ip: Option<String>,
    #[serde(rename = "podIPs")]
    pod_ips: Option<Vec<WireIp>>,
    start_time: Option<String>,
    phase: Option<String>,
    container_statuses: Option<Vec<WireContainer>>,
    init_container_statuses: Option<Vec<WireContainer>>,
    ephemeral_container_statuses: Option<Vec<WireContainer>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct WireIp {
    ip: Option<Box<str>>,
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
    pub(super) fn object_meta(&mut self) -> ObjectMeta {
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
        let (spec, status) = (wire.spec.unwrap_or_default(), wire.status.unwrap_or_default());
        let mut containers = Vec::new();
        for (kind, statuses, names) in [
            (Kind::Container, status.container_statuses, spec.containers),
            (Kind::Init, status.init_container_statuses, spec.init_containers),
            (Kind::Ephemeral, status.ephemeral_container_statuses, spec.ephemeral_containers),
        ] {
            containers.extend(statuses.into_iter().flatten().map(|status| status.container(kind)));
            for name in names.into_iter().flatten().filter_map(|wire| wire.name) {
                if !containers.iter().any(|container| container.name == name) {
                    containers.push(Container { name, kind, ..Container::default() });
                }
            }
        }
        containers.shrink_to_fit();
        let ip = status.pod_ip;
        let ips = status.pod_ips.into_iter().flatten().filter_map(|wire| wire.ip);
        let other_ips = ips.filter(|other| Some(&**other) != ip.as_deref()).collect();
        let is_mirror = meta.annotations.as_ref().is_some_and(|annotations| annotations.contains(MIRROR));
        Self {
            meta: meta.object_meta(),
            labels: meta.labels,
            annotations: meta.annotations,
            owner_references: meta.owner_references,
            node: spec.node_name,
            ip,
            other_ips,
            started: status.start_time.and_then(|time| time.parse().ok()),
            phase: status.phase.as_deref().and_then(Phase::parse),
            containers,
            is_mirror,
        }
    }
}

impl From<WireNamespace> for Namespace {
    fn from(wire: WireNamespace) -> Self {
        let mut meta = wire.metadata.unwrap_or_default();
        Self { meta: meta.object_meta(), labels: meta.labels, annotations: meta.annotations }
    }
}

impl WireContainer {
    fn container(self, kind: Kind) -> Container {
        let last_id = self.last_state.and_then(|state| state.terminated).and_then(|end| end.container_id);
        let id = |id: Option<String>| id.as_deref().and_then(without_scheme).map(str::to_owned);
        Container {
            name: self.name.unwrap_or_default(),
            kind,
            image: self.image.filter(|image| !image.is_empty()),
            image_id: self.image_id.filter(|id| !id.is_empty()),
            id: id(self.container_id),
            last_id: id(last_id),
            restarts: Some(self.restart_count.and_then(|count| count.try_into().ok()).unwrap_or_default()),
        }
    }
}

/// `docker://x` is `x`, `sha256:x` is itself, and what has no colon is no id.
fn without_scheme(id: &str) -> Option<&str> {
    let (_, after) = id.split_once(':')?;
    let rest = after.trim_start_matches('/');
    Some(if rest.len() < after.len() { rest } else { id }).filter(|id| !id.is_empty())
}
