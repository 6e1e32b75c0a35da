//! Kubernetes, as the plugins use it: the API server's client, pods that are watched, what is known of them.
//!
//! Serves the filter and the events input. Invariant: nothing here knows Fluent Bit.

mod body;
pub mod client;
mod tls;
mod token;
