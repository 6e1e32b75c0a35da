//! Kubernetes, as the plugins use it: the API server's client, pods that are watched, what is known of them.
//!
//! Serves the filter, the output's straight path and the events input. Invariants: nothing here knows Fluent Bit; those
//! who ask what is known never wait, only the watch, on the shared runtime, talks to the API server.

mod body;
pub mod client;
pub mod pod;
pub mod store;
mod table;
mod tls;
mod token;
mod verbatim;
mod wish;

pub(crate) use verbatim::Append;
pub use verbatim::Verbatim;
