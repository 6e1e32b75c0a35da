//! An API server in trouble, seen from a host under way: records pass as before, keep what was last known of their
//! pod, gain what is new once the trouble is over, and the host ends when it is told to.
//!
//! Runs on the real Fluent Bit where there is one, else on the stand-in. How long each trouble lasts says
//! FLB_KUBE_FAULT_SECONDS (2).

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "it is a test")]

mod beats;
mod hostile;
mod proxy;
mod real;
mod scripted;
