//! What is known of pods and namespaces, and how a tag leads to it.
//!
//! Serves the filter and the output's straight path. Invariant: those who ask never wait; only the watch, on the
//! shared runtime, talks to the API server.

pub mod encode;
pub mod pod;
pub mod preload;
pub mod resolve;
pub mod store;
mod table;
pub mod tag;
mod verbatim;
mod wish;

pub use verbatim::Verbatim;
