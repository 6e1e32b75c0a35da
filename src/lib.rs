//! Three Fluent Bit plugins in one shared object: the filter `kube`, the input `kube_events`, the output
//! `victorialogs`.

pub mod kube;
pub mod options;
pub mod plugin;
pub mod record;
pub mod runtime;
