//! Kubernetes, as the plugins use it: the way to the API server, what is watched there, what is known of it, and
//! how a tag leads to that.
//!
//! Serves the filter, the output's straight path and the events input. Invariant: those who ask the store never
//! wait; only what runs on the shared runtime talks to the API server.

mod body;
pub mod client;
pub mod pod;
pub mod store;
mod table;
mod tls;
mod token;
mod verbatim;
mod wish;

pub use verbatim::Verbatim;
