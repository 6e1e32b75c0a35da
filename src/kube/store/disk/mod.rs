//! What is known of pods, in a file that outlasts the process.
//!
//! Serves `watch`. Invariant: no reader and no watch waits for the disk.

mod db;
pub mod keeper;
mod row;
