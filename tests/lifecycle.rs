//! The plugins' life in a host: loading, starting, refusing, reloading, panicking, ending. On the stand-in host as
//! each of the 17 epochs, and on every real Fluent Bit of this machine.

#![allow(clippy::unwrap_used, clippy::panic, reason = "that is how a test fails")]

#[path = "support/apiserver/mod.rs"]
mod apiserver;
#[path = "support/host/mod.rs"]
mod host;
#[allow(dead_code, reason = "the end-to-end tests use more of it")]
#[path = "support/servers/mod.rs"]
mod servers;
#[allow(unused_imports, reason = "asked for rows only")]
#[path = "support/sink/mod.rs"]
mod sink;

#[path = "lifecycle/ending.rs"]
mod ending;
#[path = "lifecycle/loading.rs"]
mod loading;
#[path = "lifecycle/panics.rs"]
mod panics;
#[path = "lifecycle/refusals.rs"]
mod refusals;
#[path = "lifecycle/reload.rs"]
mod reload;
#[path = "lifecycle/scenery.rs"]
mod scenery;
#[path = "lifecycle/workers.rs"]
mod workers;
