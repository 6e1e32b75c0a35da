//! Pods and namespaces as far as records tell of them: everything else is skipped while reading.
//!
//! Serves `watch` (which reads them off the API through kube-rs), `preload` (off files) and `store`. Invariant: a
//! field that is absent or null is nothing, never an error.

use k8s_openapi::jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use super::status::{Kind, Phase};
use crate::{
    kube::object::{
        annotations::Rules,
        meta::{Meta, Object, WireMeta},
        msgpack::Msgpack,
    },
    record::msgpack::reader::Map,
};

/// The annotation of a pod that a kubelet runs from a file.
const MIRROR: &[u8] = b"kubernetes.io/config.mirror";

/// A pod. There may be tens of thousands: texts carry no room to grow.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(from = "WirePod")]
pub struct Pod {
    /// What names it.
    pub meta: Meta,
    /// Labels, in the API's order.
    pub labels: Option<Msgpack>,
    /// Annotations, in the API's order.
    pub annotations: Option<Msgpack>,
    /// What the annotations ask for.
    pub rules: Option<Box<Rules>>,
    /// Owner references.
    pub owner_references: Option<Msgpack>,
    /// The node that it runs on.
    pub node: Option<Box<str>>,
    /// Its address.
    pub ip: Option<Box<str>>,
    /// Those beside it; see [`Self::ips`].
    pub other_ips: Box<[Box<str>]>,
    /// When it was created.
    pub created: Option<Timestamp>,
    /// When its kubelet took it up.
    pub started: Option<Timestamp>,
    /// How far it is.
    pub phase: Option<Phase>,
    /// What is known of its containers, of all kinds.
    pub containers: Box<[Container]>,
    /// Made by a kubelet from a file: its log folder carries another uid than the API.
    pub is_mirror: bool,
}

impl Pod {
    /// All its addresses.
    pub fn ips(&self) -> impl Iterator<Item = &str> {
        self.ip.as_deref().into_iter().chain(self.other_ips.iter().map(|ip| &**ip))
    }
}

impl Object for Pod {
    const RESOURCE: &'static str = "pods";

    fn meta(&self) -> &Meta {
        &self.meta
    }

    fn meta_mut(&mut self) -> &mut Meta {
        &mut self.meta
    }
}

/// A container: its status, or no more than name and kind while it has none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Container {
    /// Its name, unique within the pod.
    pub name: Box<str>,
    /// What it is for.
    pub kind: Kind,
    /// The image: as the status names it, or as the spec does where there is no status or only a digest in it.
    pub image: Option<Box<str>>,
    /// The image that runs.
    pub image_id: Option<Box<str>>,
    /// The container's id, without a scheme.
    pub id: Option<Box<str>>,
    /// The id of the one before the last restart.
    pub last_id: Option<Box<str>>,
    /// How often it was restarted; none without a status.
    pub restarts: Option<u32>,
}

impl Container {
    /// The image that runs, without a scheme.
    pub fn image_hash(&self) -> Option<&str> {
        self.image_id.as_deref().and_then(without_scheme)
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
#[serde(default, rename_all = "camelCase")]
struct WireSpec {
    node_name: Option<Box<str>>,
    containers: Option<Vec<WireName>>,
    init_containers: Option<Vec<WireName>>,
    ephemeral_containers: Option<Vec<WireName>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct WireName {
    name: Option<Box<str>>,
    image: Option<Box<str>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct WireStatus {
    #[serde(rename = "podIP")]
    pod_ip: Option<Box<str>>,
    #[serde(rename = "podIPs")]
    pod_ips: Option<Vec<WireIp>>,
    start_time: Option<Box<str>>,
    phase: Option<Box<str>>,
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
            for WireName { name, image } in names.into_iter().flatten() {
                let (Some(name), image) = (name, image.filter(|image| !image.is_empty())) else { continue };
                match containers.iter_mut().find(|container| container.name == name) {
                    None => containers.push(Container { name, kind, image, ..Container::default() }),
                    // Some runtimes report a digest without a name.
                    Some(known) if known.image.as_deref().is_none_or(is_digest) => {
                        known.image = image.or_else(|| known.image.take());
                    }
                    Some(_) => {}
                }
            }
        }
        let ip = status.pod_ip;
        let ips = status.pod_ips.into_iter().flatten().filter_map(|wire| wire.ip);
        let other_ips = ips.filter(|other| Some(&**other) != ip.as_deref()).collect();
        let annotations = meta.annotations.as_ref().and_then(|annotations| Map::of(annotations.bytes()));
        let is_mirror = annotations.is_some_and(|annotations| annotations.get(MIRROR).is_some());
        Self {
            meta: meta.names(),
            labels: meta.labels,
            rules: Rules::of(meta.annotations.as_ref()),
            annotations: meta.annotations,
            owner_references: meta.owner_references,
            node: spec.node_name,
            ip,
            other_ips,
            created: meta.creation_timestamp.and_then(|time| time.parse().ok()),
            started: status.start_time.and_then(|time| time.parse().ok()),
            phase: status.phase.as_deref().and_then(Phase::parse),
            containers: containers.into(),
            is_mirror,
        }
    }
}

impl WireContainer {
    fn container(self, kind: Kind) -> Container {
        let last_id = self.last_state.and_then(|state| state.terminated).and_then(|end| end.container_id);
        let id = |id: Option<Box<str>>| id.as_deref().and_then(without_scheme).map(Box::from);
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

fn is_digest(image: &str) -> bool {
    image.starts_with("sha256:")
}

/// `docker://x` is `x`, `sha256:x` is itself, and what has no colon is no id.
fn without_scheme(id: &str) -> Option<&str> {
    let (_, after) = id.split_once(':')?;
    let rest = after.trim_start_matches('/');
    Some(if rest.len() < after.len() { rest } else { id }).filter(|id| !id.is_empty())
}
