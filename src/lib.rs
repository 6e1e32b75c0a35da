//! Three Fluent Bit plugins in one shared object: the filter `kube`, the input `kube_events`, the output
//! `victorialogs`.
//!
//! # A record's journey
//!
//! 1. The host's `tail` reads a container's line and calls the filter's table, which [`abi`] filled.
//! 2. `abi` runs the callback, stops any panic of ours, and calls [`plugins::filter_kube`].
//! 3. [`kube::origin`] tells the container by the tag; [`kube::enrich`] finds its pod in [`kube::store`], which
//!    [`kube::watch`] keeps in step with the API server, and has [`kube::metadata`] encode it, once per change.
//! 4. [`record`] walks the chunk and splices those bytes into each event.
//! 5. At flush, `abi` hands the chunk to a thread of the output's own, which calls [`plugins::out_victorialogs`].
//! 6. [`victorialogs`] groups by stream, encodes, compresses, sends, and answers what became of the chunk.
//!
//! Kubernetes Events come by [`events`] through [`plugins::in_kube_events`].
//!
//! # Where things are
//!
//! | Question | Answer |
//! |---|---|
//! | Where does an option live? | one row of an `options!` block in `plugins/<plugin>` |
//! | What may a plugin do? | what [`plugin`] says, one screen |
//! | Where is the background work? | tasks of [`runtime`], which end with their instance |
//! | Where is unsafe code allowed? | in [`abi`] alone; SAFETY.md says what it relies on |
//!
//! Knowledge flows `abi -> plugin <- plugins -> {record, kube, events, victorialogs}`: the domain knows no host, and
//! `abi` knows no Kubernetes. What the domain's parts have in common is in [`runtime`] and, private, in `clock`,
//! `http`, `metrics`, `pace`, `secret`, `sqlite`, `tls`, `token` and `stamp`.

#[expect(unsafe_code, reason = "the host's C interface: the one place for it")]
pub mod abi;
mod clock;
pub mod events;
mod http;
pub mod kube;
pub mod metrics;
pub mod options;
mod pace;
pub mod plugin;
pub mod plugins;
pub mod record;
pub mod runtime;
pub mod secret;
mod sqlite;
mod stamp;
mod tls;
mod token;
pub mod victorialogs;

use plugins::{filter_kube::KubeFilter, in_kube_events::KubeEvents, out_victorialogs::VictoriaLogs};

export_plugins! {
    filter filter_kube_plugin: KubeFilter,
    input in_kube_events_plugin: KubeEvents,
    output: VictoriaLogs
}
