//! The fields that a record gains, as msgpack ready to be copied.
//!
//! Serves `resolve`. Invariant: keys and their order are those of the built-in filter, and every field says what the
//! tag or the API says of just this container: what neither knows is absent.

use k8s_openapi::jiff::{Zoned, tz::TimeZone};

use super::{
    pod::{Container, Namespace, Pod},
    tag::TagParts,
    verbatim::Verbatim,
};
use crate::record::{treatment::Treatment, write};

/// Which fields records gain.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Layout {
    /// `kubernetes.labels`
    pub labels: bool,
    /// `kubernetes.annotations`
    pub annotations: bool,
    /// `kubernetes.ownerReferences`
    pub owner_references: bool,
    /// `kubernetes_namespace.labels`
    pub namespace_labels: bool,
    /// `kubernetes_namespace.annotations`
    pub namespace_annotations: bool,
    /// What the tag says, and nothing else.
    pub tag_only: bool,
}

impl Default for Layout {
    fn default() -> Self {
        Self {
            labels: true,
            annotations: true,
            owner_references: false,
            namespace_labels: false,
            namespace_annotations: false,
            tag_only: false,
        }
    }
}

impl Layout {
    /// Whether namespaces matter.
    pub fn namespaces(&self) -> bool {
        !self.tag_only && (self.namespace_labels || self.namespace_annotations)
    }
}

/// `kubernetes` with the time under `dummy`, in UTC.
pub fn dummy() -> Treatment {
    let now = Zoned::now().with_time_zone(TimeZone::UTC);
    let mut fields = Fields::under("kubernetes");
    fields.text("dummy", Some(&now.strftime("%a %b %e %H:%M:%S %Y").to_string()));
    Treatment::adding(fields.finish())
}

/// What `parts` and, where it is known, the API say of a container.
pub fn treatment(
    layout: &Layout,
    parts: &TagParts,
    pod: Option<&Pod>,
    namespace: Option<&Namespace>,
) -> Treatment {
    let pod = pod.filter(|pod| is_meant(parts, pod));
    let mut pairs = kubernetes(layout, parts, pod);
    if layout.namespaces() && !parts.namespace.is_empty() {
        pairs.extend_from_slice(&kubernetes_namespace(layout, parts, namespace));
    }
    let mut treatment = Treatment::adding(pairs);
    treatment.is_known = pod.is_some() || layout.tag_only;
    treatment
}

/// Whether `pod` is the one that the tag names, not another that has its name now. A static pod's folder is named by
/// the hash of its file.
fn is_meant(parts: &TagParts, pod: &Pod) -> bool {
    match (&parts.uid, &pod.meta.uid) {
        (Some(tag), Some(api)) => **tag == **api || pod.is_mirror,
        _ => true,
    }
}

fn kubernetes(layout: &Layout, parts: &TagParts, pod: Option<&Pod>) -> Vec<u8> {
    let container = pod.and_then(|pod| status(parts, pod));
    let docker_id = parts.docker_id.as_deref().or_else(|| container.and_then(|c| current_id(parts, c)));
    // The image of the status entry, unless that is about another run of the container.
    let is_same_run = |c: &&Container| match (docker_id, &c.id) {
        (Some(shown), Some(id)) => *shown == **id,
        (None, Some(_)) => false,
        (_, None) => true,
    };
    let image = container.filter(is_same_run);

    let mut fields = Fields::under("kubernetes");
    fields.text("pod_name", Some(&parts.pod));
    fields.text("namespace_name", Some(&parts.namespace));
    if let Some(pod) = pod.filter(|_| !layout.tag_only) {
        fields.text("pod_id", pod.meta.uid.as_deref());
        fields.value("labels", pod.labels.as_ref().filter(|_| layout.labels));
        fields.value("annotations", pod.annotations.as_ref().filter(|_| layout.annotations));
        fields.value("ownerReferences", pod.owner_references.as_ref().filter(|_| layout.owner_references));
        fields.text("host", pod.node.as_deref());
        fields.text("pod_ip", pod.ip.as_deref());
    } else if !layout.tag_only {
        // That of a static pod's folder is a hash without dashes, and not its id.
        fields.text("pod_id", parts.uid.as_deref().filter(|uid| uid.contains('-')));
    }
    fields.text("container_name", parts.container.as_deref());
    fields.text("docker_id", docker_id);
    if !layout.tag_only {
        let hash = parts.container_hash.as_deref().or_else(|| image?.image_hash.as_deref());
        fields.text("container_hash", hash);
        fields.text("container_image", image.and_then(|c| c.image.as_deref()));
    }
    fields.finish()
}

/// The status of the container that the tag names.
fn status<'a>(parts: &TagParts, pod: &'a Pod) -> Option<&'a Container> {
    let name = parts.container.as_deref()?;
    pod.containers.iter().find(|container| *container.name == *name)
}

/// The id of the run that wrote the file, for tags that name none.
fn current_id<'a>(parts: &TagParts, container: &'a Container) -> Option<&'a str> {
    match parts.restarts {
        Some(restarts) if restarts.checked_add(1) == Some(container.restarts) => container.last_id.as_deref(),
        Some(restarts) if restarts != container.restarts => None,
        _ => container.id.as_deref(),
    }
}

fn kubernetes_namespace(layout: &Layout, parts: &TagParts, namespace: Option<&Namespace>) -> Vec<u8> {
    let mut fields = Fields::under("kubernetes_namespace");
    fields.text("name", Some(&parts.namespace));
    if let Some(namespace) = namespace {
        fields.value("labels", namespace.labels.as_ref().filter(|_| layout.namespace_labels));
        fields.value("annotations", namespace.annotations.as_ref().filter(|_| layout.namespace_annotations));
    }
    fields.finish()
}

/// A pair whose value is a map that grows.
struct Fields {
    pairs: Vec<u8>,
    start: usize,
    count: usize,
}

impl Fields {
    fn under(key: &str) -> Self {
        let mut pairs = Vec::with_capacity(1024);
        write::str(&mut pairs, key);
        let start = write::open(&mut pairs);
        Self { pairs, start, count: 0 }
    }

    fn text(&mut self, key: &str, text: Option<&str>) {
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            write::str(&mut self.pairs, key);
            write::str(&mut self.pairs, text);
            self.count += 1;
        }
    }

    fn value(&mut self, key: &str, value: Option<&Verbatim>) {
        if let Some(value) = value {
            write::str(&mut self.pairs, key);
            self.pairs.extend_from_slice(value.bytes());
            self.count += 1;
        }
    }

    fn finish(mut self) -> Vec<u8> {
        write::close(&mut self.pairs, self.start, write::map_header, self.count);
        self.pairs
    }
}
