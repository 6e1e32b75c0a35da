//! Records as the host hands them over: msgpack events, read where they lie and written once.
//!
//! Serves the filter and the output. Invariant: bytes that nobody asked to change come out as they came in, and
//! hostile bytes never panic.

pub(crate) mod calendar;
pub mod fields;
pub mod msgpack;
pub mod runtime_line;
pub mod splice;

#[cfg(test)]
mod tests;
