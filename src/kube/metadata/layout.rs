//! Which fields records gain, and in which form.
//!
//! Serves `metadata`; an operator's options become it. Invariant: the default is what the built-in filter adds.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use super::select::{Names, Select};
use crate::record::splice::treatment::Existing;

/// Which fields records gain. Of labels and annotations it says which; with `None` the field is left out.
#[derive(Debug, Clone)]
pub struct Layout {
    /// `kubernetes.labels`
    pub labels: Option<Select>,
    /// `kubernetes.annotations`
    pub annotations: Option<Select>,
    /// `kubernetes.ownerReferences`
    pub owner_references: bool,
    /// `kubernetes_namespace.labels`
    pub namespace_labels: Option<Select>,
    /// `kubernetes_namespace.annotations`
    pub namespace_annotations: Option<Select>,
    /// Both of them in `kubernetes` instead, as `namespace_labels` and `namespace_annotations`.
    pub namespace_nested: bool,
    /// The namespace's metadata, and nothing of the pod.
    pub namespace_only: bool,
    /// `kubernetes.node_labels`
    pub node_labels: Option<Select>,
    /// `kubernetes.node_annotations`
    pub node_annotations: Option<Select>,
    /// What the built-in filter does not have.
    pub more: More,
    /// What labels and annotations are called.
    pub names: Names,
    /// The form of labels.
    pub labels_format: LabelsFormat,
    /// How many bytes the added fields may be, else labels and annotations are left out; no limit if 0.
    pub max_size: usize,
    /// How much was left out for that.
    pub left_out: LeftOut,
    /// What becomes of fields of the same name that a record has already.
    pub existing: Existing,
    /// What the tag says, and nothing else.
    pub tag_only: bool,
}

/// Fields of `kubernetes` that the built-in filter does not have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct More {
    /// `container_image_id`
    pub image_id: bool,
    /// `container_type`
    pub container_type: bool,
    /// `restart_count`
    pub restart_count: bool,
    /// `pod_ips`
    pub pod_ips: bool,
    /// `pod_start_time`
    pub pod_start_time: bool,
    /// `pod_phase`
    pub pod_phase: bool,
    /// `workload_kind` and `workload_name`
    pub workload: bool,
    /// `enriched`, where it is false
    pub mark_unenriched: bool,
}

impl Default for Layout {
    fn default() -> Self {
        Self {
            labels: Some(Select::default()),
            annotations: Some(Select::default()),
            owner_references: false,
            namespace_labels: None,
            namespace_annotations: None,
            namespace_nested: false,
            namespace_only: false,
            node_labels: None,
            node_annotations: None,
            more: More::default(),
            names: Names::default(),
            labels_format: LabelsFormat::default(),
            max_size: 0,
            left_out: LeftOut::default(),
            existing: Existing::default(),
            tag_only: false,
        }
    }
}

impl Layout {
    /// Whether namespaces matter.
    pub fn namespaces(&self) -> bool {
        !self.tag_only && (self.namespace_labels.is_some() || self.namespace_annotations.is_some())
    }

    /// Whether nodes matter.
    pub fn nodes(&self) -> bool {
        !self.tag_only
            && !self.namespace_only
            && (self.node_labels.is_some() || self.node_annotations.is_some())
    }
}

/// The form of labels.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LabelsFormat {
    /// A map: `labels: {app: web}`.
    #[default]
    Map,
    /// A field each: `labels.app: web`.
    Flat,
    /// One text, as selectors are written: `labels: "app=web,tier=front"`.
    Text,
}

/// Counts what a size limit leaves out, and remembers of which pods that was told; clones share both.
#[derive(Debug, Clone, Default)]
pub struct LeftOut(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    bytes: AtomicU64,
    /// By the pod's namespace and name.
    told: Mutex<HashMap<Box<str>, Told>>,
}

/// What was told of a pod.
#[derive(Debug, Clone, Default)]
pub(super) struct Told {
    /// That the limit of a record leaves out some of its metadata.
    pub(super) record: Arc<AtomicBool>,
    /// That the limit of a chunk does.
    pub(super) chunk: Arc<AtomicBool>,
}

/// After this many pods their names are forgotten, and may be told again.
const MOST_TOLD: usize = 1024;

impl LeftOut {
    /// Bytes of labels and annotations so far: once each time that a container's fields are encoded, not per record.
    pub fn bytes(&self) -> u64 {
        self.0.bytes.load(Ordering::Relaxed)
    }

    pub(super) fn add(&self, bytes: usize) {
        self.0.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// What was told of the pod of that name.
    pub(super) fn told(&self, pod: &str) -> Told {
        let mut told = self.0.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() >= MOST_TOLD {
            told.clear();
        }
        told.entry(pod.into()).or_default().clone()
    }
}
