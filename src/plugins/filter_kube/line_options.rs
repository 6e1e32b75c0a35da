//! How the options of the filter say that lines are merged, and their severity read.
//!
//! Serves the filter. Invariant: a value that would merge nothing refuses the start.

use std::sync::Arc;

use super::options::LineOptions;
use crate::{
    choices,
    record::{
        fields::severity::Severity,
        splice::{
            merge::{Format, Merge},
            treatment::LineParser,
        },
    },
};

impl LineOptions {
    /// How lines are merged, if they are; `parser` is that of the option `merge_parser`, and `own` tells whether
    /// containers may name parsers of their own.
    pub(super) fn merge(&self, parser: Option<Arc<dyn LineParser>>, own: bool) -> Option<Merge> {
        (self.merge_log || own).then(|| Merge {
            log_keys: self.log_keys.0.clone(),
            format: self.merge_format,
            key: self.merge_log_key.clone(),
            trim: self.merge_log_trim,
            keep: self.keep_log,
            parser,
            own_only: !self.merge_log,
        })
    }

    /// How severity is added, if it is.
    pub(super) fn severity(&self) -> Option<Severity> {
        self.severity_key.as_deref().map(Severity::new)
    }
}

choices! {
    Format: "json" => Self::Json, "logfmt" => Self::Logfmt, "klog" => Self::Klog, "auto" => Self::Auto
}
