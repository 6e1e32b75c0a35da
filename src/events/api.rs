//! The two requests that events need: a page of a list, and a watch.
//!
//! Serves the watcher. Invariant: bodies are handed over as they came, since records are to hold them verbatim.

use std::time::Duration;

use kube::api::ListParams;

use super::{
    shape::{self, Page},
    time,
};
use crate::kube::api::{
    error::Failure,
    resource::{Resource, Stream},
};

/// The way to the events of one cluster or namespace.
pub(super) struct Api {
    pub(super) resource: Resource,
    /// Items per page; 0 for all in one.
    pub(super) page: u32,
    /// How long a watch lasts; the server chooses if unset.
    pub(super) watch_timeout: Option<Duration>,
}

impl Api {
    /// Lists the page that `next` asks for; the first if it is empty.
    pub(super) async fn list(&self, next: &str) -> Result<Page, Failure> {
        let params = ListParams {
            limit: Some(self.page).filter(|page| *page > 0),
            continue_token: Some(next.to_owned()).filter(|next| !next.is_empty()),
            ..ListParams::default()
        };
        shape::page(&self.resource.list(&params).await?, time::now()).map_err(Failure::unreadable)
    }

    /// Opens a watch that goes on after `version`.
    pub(super) async fn watch(&self, version: &str) -> Result<Stream, Failure> {
        self.resource.stream(version, None, self.watch_timeout).await
    }
}
