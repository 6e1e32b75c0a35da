//! Records as the host hands them over: msgpack events, read where they lie and written once.
//!
//! Serves the filter and the output. Invariant: bytes that nobody asked to change come out as they came in, and
//! hostile bytes never panic.

pub mod cri;
pub mod existing;
pub mod json;
mod klog;
mod logfmt;
pub mod merge;
pub mod object;
pub mod partial;
pub mod reader;
pub mod severity;
pub mod splice;
pub mod treatment;
pub(crate) mod walk;
pub mod write;

#[cfg(test)]
mod joining;
#[cfg(test)]
mod properties;
