//! The filter `kube`: what records become, in process and through hosts.

mod access;
mod annotations;
mod aws;
mod bounds;
mod cluster;
mod cri;
mod drop_in;
mod fields;
mod golden;
mod journal;
mod lines;
mod merge;
mod metrics;
