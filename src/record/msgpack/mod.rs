//! The bytes of records: read where they lie, walked value by value, written.
//!
//! Serves all of `record`, the metadata of `kube`, and the output. Invariant: hostile bytes never panic.

pub mod reader;
pub(crate) mod walk;
pub mod write;
