//! Three Fluent Bit plugins in one shared object: the filter `kube`, the input `kube_events`, the output
//! `victorialogs`.

pub mod options;
pub mod plugin;
pub mod plugins;
pub mod runtime;
pub mod victorialogs;
