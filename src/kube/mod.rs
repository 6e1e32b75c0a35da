//! Kubernetes, as the plugins use it: the way to the API server, what is watched there, what is known of it, and
//! how a tag leads to that.
//!
//! Serves the filter, the output's straight path and the events input. Invariant: those who ask the store never
//! wait; only what runs on the shared runtime talks to the API server.

pub mod access;
pub mod annotation;
pub mod api;
pub mod backoff;
mod body;
pub mod client;
pub mod encode;
mod find;
pub(crate) mod frame;
mod ids;
mod items;
mod journal;
pub mod kubelet;
mod lookup;
mod node;
pub mod nodes;
pub mod pod;
pub mod preload;
pub mod record_key;
mod reflect;
pub mod resolve;
pub mod services;
pub mod snapshot;
pub mod store;
mod table;
pub mod tag;
mod verbatim;
pub mod watch;
mod wish;
pub mod workload;

pub(crate) use verbatim::Append;
pub use verbatim::Verbatim;
