//! The fields that a record gains, as msgpack ready to be copied.
//!
//! Serves `enrich`. Invariant: every field says what the tag or the API says of just this container: what neither knows
//! is absent. Keys come in this order, those of the built-in filter first and in its order:
//!
//! - `kubernetes`: `pod_name`, `namespace_name`, `pod_id`, `labels`, `annotations`, `ownerReferences`, `host`, `pod_ip`,
//!   `container_name`, `docker_id`, `container_hash`, `container_image`; then ours: `container_image_id`,
//!   `container_type`, `restart_count`, `pod_ips`, `pod_start_time`, `pod_phase`, `workload_kind`, `workload_name`,
//!   `namespace_labels`, `namespace_annotations`, `node_labels`, `node_annotations`, `enriched`
//! - `kubernetes_namespace`: `name`, `labels`, `annotations`

pub mod aws;
mod entries;
mod known;
mod layout;
mod map_writer;
mod select;

use std::sync::atomic::Ordering;

use k8s_openapi::jiff::{Timestamp, Zoned, tz::TimeZone};
use tracing::warn;

use self::{entries::Maps, map_writer::MapWriter};
pub use self::{
    known::Known,
    layout::{ExtraFields, LabelsFormat, Layout, OmittedBytes},
    select::{Naming, Renames, Select},
};
use crate::{
    kube::{
        metadata::aws::{Service, Services},
        object::{
            msgpack::Msgpack,
            pod::{Container, Pod},
            workload::Workload,
        },
        origin::container_ref::ContainerRef,
    },
    record::splice::treatment::{Existing, Treatment},
};

/// The fields that only the filter may write.
const OWNED: &[&str] = &["kubernetes", "kubernetes_namespace"];

/// Metadata of up to this many bytes are ordinary: records have them whatever their chunk grows by.
const ORDINARY: usize = 4096;

/// The treatment of records whose tag names no pod: nothing is added, but what is the filter's own stays so.
pub fn unknown() -> Treatment {
    let mut treatment = Treatment::default();
    treatment.owned = OWNED;
    treatment
}

/// `kubernetes` with the time under `dummy`, in UTC.
pub fn dummy() -> Treatment {
    let now = Zoned::now().with_time_zone(TimeZone::UTC);
    let mut fields = MapWriter::under("kubernetes");
    fields.text("dummy", Some(&now.strftime("%a %b %e %H:%M:%S %Y").to_string()));
    Treatment::adding(fields.finish())
}

/// What `origin` and, where it is known, the API say of a container.
pub fn treatment(layout: &Layout, origin: &ContainerRef, mut known: Known<'_>) -> Treatment {
    if known.pod.is_none() {
        known.node = None;
    }
    let mut maps = Maps::choose(layout, known);
    let mut pairs = encode(layout, origin, known, &maps);
    let wanted = pairs.len();
    let max_size = if layout.max_size > 0 { layout.max_size } else { usize::MAX };
    while pairs.len() > max_size && maps.cut(pairs.len() - max_size) {
        pairs = encode(layout, origin, known, &maps);
    }
    let small = (wanted > ORDINARY).then(|| small(layout, origin, known));
    if let Some(small) = small.as_ref().filter(|_| pairs.len() > max_size) {
        pairs.clone_from(small);
    }
    let mut treatment = Treatment::adding(pairs);
    let left_out = wanted - treatment.pairs().len();
    if let Some(small) = small {
        let pod = format!("{}/{}", origin.namespace, origin.pod);
        let told = layout.omitted.told(&pod);
        if left_out > 0 && !told.record.swap(true, Ordering::Relaxed) {
            warn!(
                "pod '{pod}': its metadata has {wanted} bytes, of which {left_out} are left out, the largest labels and \
                 annotations first: metadata_max_size allows a record {max_size} bytes"
            );
        }
        treatment = treatment.or_small(small, &pod, told.chunk);
    }
    layout.omitted.add(left_out);
    treatment.owned = OWNED;
    treatment.is_known = match layout.namespace_only {
        true => known.namespace.is_some(),
        false => known.pod.is_some() || layout.tag_only,
    };
    // What another agent knew is more than what the tag says.
    treatment.existing = match layout.existing {
        Existing::Replace if !treatment.is_known => Existing::Keep,
        existing => existing,
    };
    treatment
}

/// The fields without what a pod's author can make large: names and ids.
fn small(layout: &Layout, origin: &ContainerRef, known: Known<'_>) -> Vec<u8> {
    let layout = Layout { owner_references: false, ..layout.clone() };
    encode(&layout, origin, known, &Maps::default())
}

fn encode(layout: &Layout, origin: &ContainerRef, known: Known<'_>, maps: &Maps<'_>) -> Vec<u8> {
    let has_namespace = layout.namespaces() && !origin.namespace.is_empty();
    let mut pairs = match layout.namespace_only {
        true if layout.namespace_nested && has_namespace => namespace_alone(layout, origin, maps),
        true => Vec::new(),
        false => kubernetes(layout, origin, known, maps),
    };
    if has_namespace && !layout.namespace_nested {
        let mut fields = MapWriter::under("kubernetes_namespace");
        fields.text("name", Some(&origin.namespace));
        fields.labels("labels", maps.namespace_labels.as_ref(), layout.labels_format);
        fields.map("annotations", maps.namespace_annotations.as_ref());
        pairs.extend_from_slice(&fields.finish());
    }
    pairs
}

fn kubernetes(layout: &Layout, origin: &ContainerRef, known: Known<'_>, maps: &Maps<'_>) -> Vec<u8> {
    let (extra, pod) = (&layout.extra, known.pod);
    let container = pod.and_then(|pod| status(origin, pod));
    let docker_id = origin.docker_id.as_deref().or_else(|| container.and_then(|c| current_id(origin, c)));
    // The status entry, unless that is about another run of the container.
    let run = container.filter(|container| is_run(docker_id, container));

    let mut fields = MapWriter::under("kubernetes");
    fields.text("pod_name", Some(&origin.pod));
    fields.text("namespace_name", Some(&origin.namespace));
    let pod = pod.filter(|_| !layout.tag_only);
    if let Some((services, service)) = known.aws {
        aws(&mut fields, services, service, origin, pod);
    }
    if let Some(pod) = pod {
        fields.text("pod_id", pod.meta.uid.as_deref());
        fields.labels("labels", maps.labels.as_ref(), layout.labels_format);
        fields.map("annotations", maps.annotations.as_ref());
        fields.value("ownerReferences", pod.owner_references.as_ref().filter(|_| layout.owner_references));
        fields.text("host", pod.node.as_deref());
        fields.text("pod_ip", pod.ip.as_deref());
    } else if !layout.tag_only {
        // That of a static pod's folder is a hash without dashes, and not its id.
        fields.text("pod_id", origin.uid.as_deref().filter(|uid| uid.contains('-')));
    }
    fields.text("container_name", origin.container.as_deref());
    fields.text("docker_id", docker_id);
    if !layout.tag_only {
        let hash = origin.container_hash.as_deref().or_else(|| run?.image_hash());
        fields.text("container_hash", hash);
        // All runs of a container have the image that its pod asks for.
        let image = container.filter(|container| known.is_sure || is_run(docker_id, container));
        fields.text("container_image", image.and_then(|c| c.image.as_deref()));
        fields.text("container_image_id", run.and_then(|c| c.image_id.as_deref()).filter(|_| extra.image_id));
        fields.text("container_type", container.map(|c| c.kind.as_str()).filter(|_| extra.container_type));
    }
    let restarts = origin.restarts.or_else(|| restarts(docker_id, container?));
    fields.number("restart_count", restarts.filter(|_| extra.restart_count));
    if let Some(pod) = pod {
        fields.texts("pod_ips", pod.ips().filter(|_| extra.pod_ips));
        let started = pod.started.filter(|_| extra.pod_start_time).map(|time| time.to_string());
        fields.text("pod_start_time", started.as_deref());
        fields.text("pod_phase", pod.phase.map(|phase| phase.as_str()).filter(|_| extra.pod_phase));
        if let Some(workload) = workload(pod).filter(|_| extra.workload) {
            fields.text("workload_kind", Some(workload.kind));
            fields.text("workload_name", Some(workload.name));
        }
    }
    if layout.namespace_nested && layout.namespaces() {
        fields.labels("namespace_labels", maps.namespace_labels.as_ref(), layout.labels_format);
        fields.map("namespace_annotations", maps.namespace_annotations.as_ref());
    }
    fields.labels("node_labels", maps.node_labels.as_ref(), layout.labels_format);
    fields.map("node_annotations", maps.node_annotations.as_ref());
    if extra.mark_unenriched && pod.is_none() && !layout.tag_only {
        fields.flag("enriched", false);
    }
    fields.finish()
}

/// What CloudWatch calls the entity.
fn aws(
    fields: &mut MapWriter,
    services: &Services,
    service: Option<&Service>,
    origin: &ContainerRef,
    pod: Option<&Pod>,
) {
    if let Some(service) = service {
        fields.text("aws_entity_service_name", Some(&service.name));
        fields.text("aws_entity_environment", Some(&service.environment));
        fields.text("aws_entity_name_source", Some(&service.source));
    }
    fields.text("aws_entity_platform", Some(services.platform));
    fields.text("aws_entity_cluster", services.cluster.as_deref());
    let name = pod.map(|pod| workload(pod).map_or(&*origin.pod, |workload| workload.name));
    fields.text("aws_entity_workload", name);
}

fn namespace_alone(layout: &Layout, origin: &ContainerRef, maps: &Maps<'_>) -> Vec<u8> {
    let mut fields = MapWriter::under("kubernetes");
    fields.text("namespace_name", Some(&origin.namespace));
    fields.labels("namespace_labels", maps.namespace_labels.as_ref(), layout.labels_format);
    fields.map("namespace_annotations", maps.namespace_annotations.as_ref());
    fields.finish()
}

fn workload(pod: &Pod) -> Option<Workload<'_>> {
    let labels = pod.labels.as_ref().map(Msgpack::bytes);
    Workload::of(pod.owner_references.as_ref()?.bytes(), labels, pod.created.map(Timestamp::as_second))
}

/// The status of the container that the tag names.
fn status<'a>(origin: &ContainerRef, pod: &'a Pod) -> Option<&'a Container> {
    let name = origin.container.as_deref()?;
    pod.containers.iter().find(|container| *container.name == *name)
}

/// The id of the run that wrote the file, for tags that name none.
fn current_id<'a>(origin: &ContainerRef, container: &'a Container) -> Option<&'a str> {
    match (origin.restarts, container.restarts) {
        (Some(tag), Some(now)) if tag.checked_add(1) == Some(now) => container.last_id.as_deref(),
        (Some(tag), Some(now)) if tag != now => None,
        _ => container.id.as_deref(),
    }
}

/// Whether the container's status is about the run with this id.
fn is_run(docker_id: Option<&str>, container: &Container) -> bool {
    match (docker_id, container.id.as_deref()) {
        (Some(shown), Some(id)) => shown == id,
        (None, Some(_)) => false,
        (Some(_), None) => container.last_id.is_none(),
        (None, None) => true,
    }
}

/// How often the container had been restarted before the run with this id.
fn restarts(docker_id: Option<&str>, container: &Container) -> Option<u32> {
    if is_run(docker_id, container) {
        return container.restarts;
    }
    let is_last = docker_id.is_some() && docker_id == container.last_id.as_deref();
    container.restarts.filter(|_| is_last)?.checked_sub(1)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_size_limit_leaves_out_is_counted_once_per_encoding() {
        let pod =
            json!({"metadata": {"labels": {"a": "x".repeat(100), "b": "1"}, "annotations": {"c": "2"}}});
        let pod: Pod = serde_json::from_value(pod).unwrap();
        let origin = ContainerRef { pod: "web".into(), namespace: "shop".into(), ..ContainerRef::default() };
        let known = Known { pod: Some(&pod), ..Known::default() };
        let size = |layout: &Layout| treatment(layout, &origin, known).pairs().len();
        let whole = size(&Layout::default());
        let limited = Layout { max_size: whole - 1, ..Layout::default() };
        let cut = size(&limited);
        assert!(cut < whole - 100);
        assert_eq!(limited.omitted.bytes(), (whole - cut) as u64);
        size(&limited.clone());
        assert_eq!(limited.omitted.bytes(), 2 * (whole - cut) as u64);
        let enough = Layout { max_size: whole, ..Layout::default() };
        assert_eq!((size(&enough), enough.omitted.bytes()), (whole, 0));
    }
}
