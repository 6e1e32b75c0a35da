//! The pods of a node, asked of its kubelet.
//!
//! Serves `watch`, in place of a list and watch of pods. Invariants: there is one request at a time, and only so many
//! however many pods records name; what is known stays until a complete answer says otherwise; a pod is known by its
//! exact name and namespace.

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use futures::FutureExt as _;
use serde::Deserialize;
use tracing::info;

use crate::kube::{
    api::{backoff::Backoff, client_config::ClientConfig, error::Failure, resource::Resource},
    object::pod::Pod,
    store::{LookupRequest, Writer},
    watch::{
        complaints::Complaints,
        counters::{Counters, took},
    },
};

/// The least time between two requests, when a record names a pod that the last answer did not.
const SPACING: Duration = Duration::from_secs(1);

/// Which kubelet, and how often it is asked.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Config {
    /// The kubelet: `https://`, its host and port.
    pub client: ClientConfig,
    /// The time between two requests.
    pub poll_interval: Duration,
}

/// Asks a kubelet, for ever.
pub(crate) struct Kubelet<'a> {
    pub(crate) client: kube::Client,
    pub(crate) config: &'a Config,
    pub(crate) writer: &'a Writer,
    pub(crate) counters: &'a Counters,
}

/// A list of pods as a kubelet writes it: without a version, and `items` is null if there is none.
#[derive(Deserialize)]
struct PodList {
    kind: Option<String>,
    items: Option<Vec<Pod>>,
}

impl Kubelet<'_> {
    pub(crate) async fn run(self) {
        let (url, every) = (&self.config.client.url, self.config.poll_interval);
        info!("pods: asking the kubelet {url} for its pods every {}s", every.as_secs_f32());
        self.writer.is_polled();
        let mut log = Complaints::default();
        let mut backoff = Backoff::default();
        let mut requests = Vec::new();
        loop {
            match self.poll().await {
                Ok(()) => {
                    // If the answer did not help, the next time is later.
                    requests.iter().for_each(|request| self.writer.absent(request));
                    log.over("pods: the kubelet answers again");
                    backoff.reset();
                    requests = self.wait().await;
                }
                Err(failure) => {
                    self.counters.failed(&failure);
                    log.say(format!(
                        "pods: asking the kubelet failed: {}; metadata stays as last known, trying again",
                        explain(&failure)
                    ));
                    tokio::time::sleep(backoff.pause(failure.retry_after())).await;
                }
            }
        }
    }

    /// Waits until the kubelet is to be asked again; answers for which pods it is asked sooner.
    async fn wait(&self) -> Vec<LookupRequest> {
        let since = Instant::now();
        let every = self.config.poll_interval;
        let Ok(request) = tokio::time::timeout(every, self.writer.next_lookup()).await else {
            return Vec::new();
        };
        tokio::time::sleep(SPACING.min(every).saturating_sub(since.elapsed())).await;
        let more = std::iter::from_fn(|| self.writer.next_lookup().now_or_never());
        std::iter::once(request).chain(more).collect()
    }

    async fn poll(&self) -> Result<(), Failure> {
        self.counters.lists.fetch_add(1, Ordering::Relaxed);
        let started = Instant::now();
        let answer = Resource::new(self.client.clone(), "").get("pods").await;
        took(&self.counters.list_micros, started);
        let list: PodList = answer?;
        if list.items.is_none() && list.kind.as_deref() != Some("PodList") {
            return Err(Failure::unreadable("it is no list of pods"));
        }
        self.writer.pods().begin();
        for pod in list.items.into_iter().flatten() {
            self.writer.pods().apply(pod);
        }
        self.writer.pods().end();
        self.counters.synced();
        Ok(())
    }
}

/// The sentence, and what an operator can do about it.
fn explain(failure: &Failure) -> String {
    let Failure::Refused { code, message, .. } = failure else { return failure.to_string() };
    let said = format!("the kubelet answers {code}: {message}");
    match code {
        401 => format!(
            "{said}; check the token file, and that the kubelet takes tokens (webhook authentication)"
        ),
        403 => format!(
            "{said}; grant get on nodes/pods, or before Kubernetes 1.33 on nodes/proxy, to the agent's service \
             account"
        ),
        _ => said,
    }
}
