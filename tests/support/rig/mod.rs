//! The whole path: a cluster, a node's log files, a host with the plugins, and what keeps the logs.
//!
//! Serves the end-to-end tests and the demo. Each part is real or its stand-in; both answer the same questions.

#![allow(clippy::panic, reason = "a test that can't set its scene fails")]

#[path = "../apiserver/mod.rs"]
pub(crate) mod apiserver;
pub(crate) mod cluster;
pub(crate) mod config;
pub(crate) mod host;
pub(crate) mod logs;
pub(crate) mod node;
#[path = "../servers/mod.rs"]
pub(crate) mod servers;
#[allow(unused_imports, clippy::unwrap_used, reason = "written for tests, and asked for rows only")]
#[path = "../sink/mod.rs"]
mod sink;
