//! Which fields records gain, from the options.
//!
//! Serves the filter. Invariant: an option that can have no effect as things are set is said at the start.

use tracing::warn;

use super::options::FieldOptions;
use crate::{
    choices,
    kube::metadata::{ExtraFields, LabelsFormat, Layout, Naming, Renames, Select},
    options::{Kind, Value},
    record::splice::treatment::Existing,
};

impl FieldOptions {
    pub(super) fn layout(&self) -> Layout {
        if self.namespace_metadata_only && !self.namespace_labels && !self.namespace_annotations {
            warn!(
                "option 'namespace_metadata_only': adds nothing unless namespace_labels or namespace_annotations is on"
            );
        }
        Layout {
            labels: select("labels", self.labels, &self.labels_allow, &self.labels_deny),
            annotations: select(
                "annotations",
                self.annotations,
                &self.annotations_allow,
                &self.annotations_deny,
            ),
            owner_references: self.owner_references,
            namespace_labels: select(
                "namespace_labels",
                self.namespace_labels,
                &self.namespace_labels_allow,
                &self.namespace_labels_deny,
            ),
            namespace_annotations: select(
                "namespace_annotations",
                self.namespace_annotations,
                &self.namespace_annotations_allow,
                &self.namespace_annotations_deny,
            ),
            namespace_nested: self.namespace_nested,
            namespace_only: self.namespace_metadata_only,
            node_labels: select(
                "node_labels",
                self.node_labels,
                &self.node_labels_allow,
                &self.node_labels_deny,
            ),
            node_annotations: select(
                "node_annotations",
                self.node_annotations,
                &self.node_annotations_allow,
                &self.node_annotations_deny,
            ),
            extra: ExtraFields {
                image_id: self.image_id,
                container_type: self.container_type,
                restart_count: self.restart_count,
                pod_ips: self.pod_ips,
                pod_start_time: self.pod_start_time,
                pod_phase: self.pod_phase,
                workload: self.workload,
                mark_unenriched: self.mark_unenriched,
            },
            names: Naming {
                renames: self.rename.clone(),
                dot: self.dedot.clone(),
                slash: self.deslash.clone(),
            },
            labels_format: self.labels_format,
            max_size: usize::try_from(self.metadata_max_size.0).unwrap_or(usize::MAX),
            existing: self.existing_metadata,
            tag_only: self.use_tag_for_meta,
            ..Layout::default()
        }
    }
}

fn select(key: &str, is_on: bool, allow: &[String], deny: &[String]) -> Option<Select> {
    if is_on {
        return Some(Select::new(allow, deny));
    }
    for (list, what) in [(allow, "allow"), (deny, "deny")] {
        if !list.is_empty() {
            warn!("option '{key}_{what}': has no effect, since '{key}' is off");
        }
    }
    None
}

choices! { LabelsFormat: "map" => Self::Map, "flat" => Self::Flat, "text" => Self::Text }

choices! { Existing: "replace" => Self::Replace, "keep" => Self::Keep, "merge" => Self::Merge }

impl Value for Renames {
    const KIND: Kind = Kind::List;

    fn parse(text: &str) -> Result<Self, String> {
        Self::parse(&Vec::<String>::parse(text)?)
    }
}
