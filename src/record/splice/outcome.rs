//! What was done to a chunk.
//!
//! Serves `splice`, which counts it, and the filter, which adds it up.

use crate::record::runtime_line::partial::GivenUp;

/// What was done to a chunk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Records that came.
    pub records: usize,
    /// Records that gained fields of a pod that is known.
    pub enriched: usize,
    /// Records that gained what their tag says, and no more.
    pub unenriched: usize,
    /// Records that were dropped because their container asks for it.
    pub dropped: usize,
    /// Records with nothing to be done to them.
    pub passed: usize,
    /// Lines that were joined from parts.
    pub joined: usize,
    /// Pieces of lines that were emitted before the rest came.
    pub unfinished: usize,
    /// Lines of dead containers whose parts were given up to make room.
    pub given_up: GivenUp,
    /// Records that gained the short form of their fields, as their chunk had grown by too much.
    pub reduced: usize,
    /// Bytes of fields that were added.
    pub added_bytes: usize,
    /// Bytes at the end that could not be read, and were passed on.
    pub unread: usize,
}

impl Outcome {
    /// Whether the chunk stands as it came.
    pub fn is_unchanged(&self) -> bool {
        self.records == self.passed && self.unfinished == 0
    }
}
