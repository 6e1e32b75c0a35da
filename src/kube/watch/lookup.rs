//! Look-ups of single pods that records name and no list knows.
//!
//! Serves `watch`. Invariant: one request at a time and only so many a second, however many pods are asked for.

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use tracing::warn;

use crate::kube::{
    api::{backoff::Backoff, error::Failure, resource::Resource},
    object::pod::Pod,
    store::{LookupFor, LookupRequest, Store, Writer},
    watch::{
        complaints::Complaints,
        counters::{Counters, took},
    },
};

/// The least time between two look-ups.
const SPACING: Duration = Duration::from_millis(100);

/// Looks up what records ask for, for ever.
pub(crate) async fn run(client: kube::Client, writer: &Writer, counters: &Counters) {
    let mut log = Complaints::default();
    let mut backoff = Backoff::default();
    let (store, mut elsewhere) = (writer.store(), Elsewhere::default());
    loop {
        let asked = Asked { request: writer.next_lookup().await, writer };
        let request = &asked.request;
        let mut pause = SPACING;
        if is_name(&request.namespace) && is_name(&request.pod) {
            counters.lookups.fetch_add(1, Ordering::Relaxed);
            let pods =
                Resource::new(client.clone(), format!("/api/v1/namespaces/{}/pods", request.namespace));
            let started = Instant::now();
            let answer = pods.get::<Pod>(&request.pod).await;
            took(&counters.lookup_micros, started);
            match answer {
                Ok(pod) => {
                    if request.named_by == LookupFor::Files && elsewhere.is(&pod, &store) {
                        writer.absent(request);
                    } else {
                        counters.found.fetch_add(1, Ordering::Relaxed);
                        writer.found(request, pod);
                    }
                    log.settled("pods");
                    backoff.reset();
                }
                Err(failure) if failure.code() == Some(404) => {
                    writer.absent(request);
                    log.settled("pods");
                    backoff.reset();
                }
                Err(failure) => {
                    log.failed("pods", "look-up", &failure);
                    if matches!(failure, Failure::Unreadable(_)) {
                        writer.absent(request);
                    } else {
                        pause = backoff.pause(failure.retry_after());
                    }
                }
            }
        } else {
            writer.absent(request);
        }
        drop(asked);
        tokio::time::sleep(pause).await;
    }
}

/// Watches for a wrong node name: then files of this node name pods that all run on one other node.
#[derive(Default)]
struct Elsewhere {
    node: Box<str>,
    /// How many look-ups in a row found a pod of that node.
    count: u32,
}

/// Warn of a wrong node name after this many look-ups in a row that found pods of one other node.
const SUSPECT: u32 = 5;

impl Elsewhere {
    /// Whether a pod that a file of this node names runs on another one.
    fn is(&mut self, pod: &Pod, store: &Store) -> bool {
        let node = pod.node.as_deref().unwrap_or_default();
        if !store.is_elsewhere(pod) {
            self.count = 0;
            return false;
        }
        if *self.node != *node {
            *self = Self { node: node.into(), count: 0 };
        }
        self.count = self.count.saturating_add(1);
        if self.count == SUSPECT {
            warn!(
                "node: log files here name pods that run on node {node}, and this agent watches those of node {}; if \
                 it runs on {node}, mend kube_node_name or env NODE_NAME",
                store.node().unwrap_or_default()
            );
        }
        true
    }
}

/// A request that is answered in the end, also when the look-up is abandoned.
struct Asked<'a> {
    request: LookupRequest,
    writer: &'a Writer,
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        self.writer.unanswered(&self.request);
    }
}

/// Whether a text from a tag can name an object, and so be part of a path.
fn is_name(text: &str) -> bool {
    let of_name =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.');
    (1..=253).contains(&text.len()) && text.bytes().all(of_name) && !text.starts_with('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_can_not_lead_the_look_up_to_another_path() {
        for text in ["", ".", "..", "a/b", "a?watch=1", "a%2fb", "Ä", "A"] {
            assert!(!is_name(text), "{text}");
        }
        assert!(is_name("web-7d4b.shop-0"));
    }
}
