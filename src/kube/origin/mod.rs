//! Which container wrote a record: told by its tag, by fields of its own, or by those of the journal.
//!
//! Serves `enrich`. Invariant: what is read here comes from strangers: a text that can't be a name is none.

pub mod container_ref;
pub(crate) mod journal;
pub mod record_fields;
pub mod tag;
