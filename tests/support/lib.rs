//! What tests, benches and the demo have in common: servers, real and scripted, hosts, and the plugins in process.
//!
//! Invariant: it is compiled once for all of them, and nothing that is delivered depends on it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that can't set its scene fails")]
#![allow(clippy::new_without_default, reason = "what starts servers is asked for by name")]
#![allow(missing_docs, reason = "named for those who read the tests, and published to nobody")]

pub mod apiserver;
pub mod collecting;
pub mod filtering;
pub mod host;
pub mod kubelet;
pub mod ordered;
pub mod replay;
pub mod rig;
pub mod scene;
pub mod scenery;
pub mod servers;
pub mod sink;
pub mod told;
pub mod varied;
pub mod victorialogs;
pub mod watching;

use std::path::Path;

/// The repository's root.
pub fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}
