//! The pod watch against a scripted API server.

#[path = "support/apiserver/mod.rs"]
mod apiserver;
