//! Three Fluent Bit plugins in one shared object: the filter `kube`, the input `kube_events`, the output
//! `victorialogs`.

#[expect(unsafe_code, reason = "the host's C interface: the one place for it")]
pub mod abi;
pub mod events;
pub mod kube;
pub mod options;
pub mod plugin;
pub mod plugins;
pub mod record;
pub mod runtime;
pub mod victorialogs;
