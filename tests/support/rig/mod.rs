//! The whole path: a cluster, a node's log files, a host with the plugins, and what keeps the logs.
//!
//! Serves the end-to-end tests and the demo. Each part is real or its stand-in; both answer the same questions.

pub mod cluster;
pub mod config;
pub mod host;
pub mod logs;
pub mod node;
