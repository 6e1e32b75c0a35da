//! The plugins' life in a host: loading, starting, refusing, reloading, panicking, ending. On the stand-in host as
//! each of the 17 epochs, and on every real Fluent Bit of this machine.

#![allow(clippy::unwrap_used, clippy::panic, reason = "that is how a test fails")]

mod ending;
mod loading;
mod panics;
mod refusals;
mod reload;
mod scarcity;
mod workers;
