//! The plugins, put together: what an operator may set, and the glue between the host's calls and the domain.

pub mod filter_kube;
