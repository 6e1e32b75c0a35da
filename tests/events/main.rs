//! The input `kube_events` against a scripted API server: what reaches the engine, through restarts and faults.

#![allow(unreachable_pub, reason = "its parts are modules of one binary")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "that is how a test fails")]

mod cursor;
mod faults;
mod killed;
mod records;
