//! The API's objects, as far as records tell of them.
//!
//! Serves `store`, `watch` and `metadata`. Invariant: a field that is absent or null is nothing, never an error.

pub mod annotations;
pub(crate) mod msgpack;
pub mod node;
pub mod pod;
mod status;
pub mod workload;
