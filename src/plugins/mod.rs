//! The three plugins as operators see them: options and glue.
//!
//! Serves `abi/`, which calls them through the contract of `plugin`. Invariant: what an option means is said here;
//! what is done is in `record`, `kube`, `events` and `victorialogs`.

pub mod filter_kube;
pub mod in_kube_events;
pub mod out_victorialogs;
