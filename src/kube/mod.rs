//! Kubernetes, as the plugins use it: the way to the API server, what is watched there, what is known of it, and
//! how a tag leads to that.
//!
//! Serves the filter and the events input. Invariant: those who ask the store never wait; only what runs on the shared
//! runtime talks to the API server.
//!
//! # A pod's way to a record
//!
//! 1. [`watch`] lists and watches over [`api`], and gets one object after the other as [`object`] reads it.
//! 2. It writes them into a section of the [`store`], where a list shows when it is complete.
//! 3. A chunk comes, and [`origin`] reads its tag, or fields of its records: which container wrote them.
//! 4. [`enrich`] finds the pod that is meant, asks for a look-up where there is none,
//! 5. and has [`metadata`] write what records gain, once per container and change.
//!
//! A room knows those below it: `watch` and `enrich` stand on `store` and `metadata`, these on `object`, `api` and `origin`.

pub mod api;
pub mod enrich;
pub mod metadata;
pub mod object;
pub mod origin;
pub mod store;
pub mod watch;

pub use object::msgpack::Msgpack;
