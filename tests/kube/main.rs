//! The domain of Kubernetes: the client, the watches, the kubelet and the snapshot, against a scripted API server and,
//! where it is built, the real one.

mod apiserver;
mod client;
mod kubelet;
mod real_api;
mod snapshot;
mod watch;
mod watch_scope;
