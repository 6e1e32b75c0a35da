//! The input `kube_events` against a scripted API server: what reaches the engine, through restarts and faults.

#![allow(unreachable_pub, reason = "its parts are modules of one binary")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "that is how a test fails")]

#[path = "support/apiserver/mod.rs"]
mod apiserver;

#[path = "events/cursor.rs"]
mod cursor;
#[path = "events/faults.rs"]
mod faults;
#[path = "events/killed.rs"]
mod killed;
#[path = "events/records.rs"]
mod records;
#[path = "events/rig.rs"]
mod rig;
