//! The API's objects, as far as records tell of them.
//!
//! Serves `store`, `watch` and `metadata`. Invariant: a field that is absent or null is nothing, never an error.

pub mod annotations;
pub mod labelled;
pub mod meta;
pub(crate) mod msgpack;
pub mod pod;
mod status;
pub mod workload;
