//! The plugins in their hosts: what the shared object shows, how a host loads, reloads and ends them, and what
//! operators copy.

mod configurations;
mod demo;
mod exports;
mod lifecycle;
mod replay_api;
