//! Where each plugin is put together: its options, and the glue between them and the domain.
//!
//! Serves `abi/`, which exports what is here. Invariant: an option is read here and nowhere else.

pub mod filter_kube;
pub mod in_kube_events;
pub mod out_victorialogs;
