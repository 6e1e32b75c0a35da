//! The two requests that events need, and which of their failures ask for a new list.
//!
//! Serves the watcher. Invariant: bodies are handed over as they came, since records are to hold them verbatim.

use std::time::Duration;

use kube::api::ListParams;

use super::{
    shape::{self, Page},
    time,
};
use crate::kube::api::resource::{Failure, Resource, Stream};

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

/// Whether where a list or watch wants to go on is gone: the events have to be listed from the start.
pub(super) fn is_expired(watch: bool, failure: &Failure) -> bool {
    match failure {
        Failure::Refused { code: 410, .. } => true,
        // A version that is ahead of the server's (another cluster, a restored etcd) may answer 504, and one that is
        // none 400 or 500.
        Failure::Refused { code, message, .. } => {
            let not_ours = ["Too large resource version", "resourceVersion: Invalid value"];
            watch && (*code == 400 || not_ours.iter().any(|said| message.contains(said)))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    #[test]
    fn a_version_that_the_server_does_not_know_leads_to_a_list() {
        let refused = |watch, code, message: &str| {
            let status = Status::failure(message, "").with_code(code);
            is_expired(watch, &Failure::from_status(status, None))
        };
        assert!(refused(true, 410, "too old resource version: 1 (2)"));
        assert!(refused(false, 410, "The provided continue parameter is too old"));
        assert!(refused(true, 504, "Too large resource version: 9, current: 3"));
        assert!(refused(true, 400, "invalid resource version"));
        assert!(refused(
            true,
            500,
            "resourceVersion: Invalid value: \"x\": strconv.ParseUint: invalid syntax"
        ));
        assert!(!refused(false, 400, "bad continue"));
        assert!(!refused(true, 500, "etcdserver: leader changed"));
    }
}
