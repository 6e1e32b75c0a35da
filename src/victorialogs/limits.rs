//! What the server drops in silence, and the names that it keeps for itself.
//!
//! Serves `row` and `encode`. Invariant: these are the server's own borders, so that what is at the border passes
//! untouched.

/// A row's estimated size as JSON: more is dropped with no more than a line in the server's log.
pub(crate) const ROW: usize = 2 * 1024 * 1024;
/// A line of JSON without its newline; a longer one takes neighbours with it.
pub(crate) const LINE: usize = 256 * 1024 - 1;
/// Fields of a row, with the message and, in JSON lines, the time.
pub(crate) const FIELDS: usize = 1000;
/// A field's name.
pub(crate) const NAME: usize = 128;
/// A stream field's value: the server's index has no room for streams of more than 64 KiB in all, and their rows then
/// can't be found.
pub(crate) const STREAM_VALUE: usize = 4 * 1024;

/// The estimate of a row without fields.
pub(crate) const ROW_BASE: usize = 48;
/// What a field adds to the estimate beyond name and value.
pub(crate) const FIELD_BASE: usize = 6;

/// A map that is the same for many records is sent once for them all only below these.
pub(crate) const SHARED_FIELDS: usize = 500;
pub(crate) const SHARED_BYTES: usize = 96 * 1024;

/// A body grows up to this, uncompressed; with one more row of any size it stays far below the server's 64 MiB.
pub(crate) const BODY: usize = 4 * 1024 * 1024;
/// And up to this many streams.
pub(crate) const STREAMS: usize = 4096;

/// Maps nested deeper than this travel as JSON text.
pub(crate) const FLATTEN_DEPTH: usize = 32;
/// JSON nested deeper than this is cut.
pub(crate) const JSON_DEPTH: usize = 128;

/// The field that holds, as JSON, what has too long a name or is one too many.
pub(crate) const SURPLUS: &str = "_extra";
/// Put before a name that the server keeps for itself.
pub(crate) const RESERVED_PREFIX: &str = "_orig";

/// Names that the server keeps for itself; the message's own is judged apart.
pub(crate) fn is_reserved(name: &[u8]) -> bool {
    matches!(name, b"_time" | b"_stream" | b"_stream_id")
}
