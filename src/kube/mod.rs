//! Kubernetes, as the plugins use it: the way to the API server, what is watched there, what is known of it, and
//! how a tag leads to that.
//!
//! Serves the filter and the events input. Invariant: those who ask the store never wait; only what runs on the shared
//! runtime talks to the API server.

pub mod api;
pub mod enrich;
pub mod metadata;
pub mod object;
pub mod origin;
pub mod store;
pub mod watch;

pub use object::msgpack::Verbatim;
