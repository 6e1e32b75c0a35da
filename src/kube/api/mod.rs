//! The way to the API server: a connection, and requests over it.
//!
//! Serves `watch`, and the events input. Invariant: every request is answered or fails within its limits, and a failure
//! is one sentence.

pub mod access;
pub mod backoff;
pub mod client_config;
pub mod connection;
pub mod error;
pub(crate) mod lines;
mod list_items;
pub mod resource;
pub mod risk;
mod timeout_body;
