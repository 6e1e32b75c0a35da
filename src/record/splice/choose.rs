//! Which treatment a record of a chunk gets.
//!
//! Serves `splice`, which asks it for every record; `kube` answers it where records name their container.

use crate::record::{
    msgpack::reader::{Event, Map, text},
    splice::treatment::Treatment,
};

/// Chooses the treatment of each record of a chunk.
pub trait Choose {
    /// How to treat a record; `None` passes it as it is.
    fn choose(&mut self, event: &Event<'_>, body: Map<'_>) -> Option<&Treatment>;

    /// How records tell their stream.
    fn stream(&self) -> StreamOf {
        |body| body.get(b"stream").and_then(text)
    }
}

/// Finds the name of a record's stream.
pub type StreamOf = for<'a> fn(Map<'a>) -> Option<&'a [u8]>;

/// The same for all records, as where the tag names the container.
pub struct Always<'a>(pub &'a Treatment);

impl Choose for Always<'_> {
    #[inline]
    fn choose(&mut self, _: &Event<'_>, _: Map<'_>) -> Option<&Treatment> {
        Some(self.0)
    }
}
