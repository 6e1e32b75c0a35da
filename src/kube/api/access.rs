//! What the agent may do, as the API server itself says (SelfSubjectAccessReview).
//!
//! Serves the filter's check at the start. Invariant: it only asks and tells; a server that can't or won't answer is
//! no trouble, since the watch shows what really fails.

use serde::Deserialize;
use serde_json::json;
use tracing::{debug, warn};

use crate::kube::api::{backoff::Backoff, error::Failure, resource::Resource};

/// Something that an option needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// What is done: `list`, `watch`.
    pub verbs: &'static [&'static str],
    /// With what, in any namespace.
    pub resource: &'static str,
    /// What degrades without.
    pub without: &'static str,
}

/// Asks for all of `needs`, and tells of each that is missing, in one sentence. Tries again where no answer comes.
pub async fn check(client: kube::Client, needs: &[Need]) {
    let reviews = Resource::new(client, "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews");
    let mut backoff = Backoff::default();
    loop {
        match missing(&reviews, needs).await {
            Ok(missing) => return tell(&missing),
            Err(failure) if failure.is_lasting() => {
                return debug!("permissions: the API server does not tell what is granted: {failure}");
            }
            Err(failure) => {
                debug!("permissions: not checked yet: {failure}");
                tokio::time::sleep(backoff.pause(failure.retry_after())).await;
            }
        }
    }
}

fn tell(missing: &[String]) {
    missing.iter().for_each(|sentence| warn!("{sentence}"));
    if missing.is_empty() {
        debug!("permissions: all that the options need are granted");
    }
}

/// A sentence for each need that is not granted.
async fn missing(reviews: &Resource, needs: &[Need]) -> Result<Vec<String>, Failure> {
    let mut sentences = Vec::new();
    for need in needs {
        let mut denied = Vec::new();
        for verb in need.verbs {
            if !is_allowed(reviews, verb, need.resource).await? {
                denied.push(*verb);
            }
        }
        if !denied.is_empty() {
            sentences.push(format!(
                "permissions: the agent may not {} {} in all namespaces, so {}; grant it to the agent's service \
                 account in a ClusterRole",
                listed(&denied),
                need.resource,
                need.without
            ));
        }
    }
    Ok(sentences)
}

/// `get`, `list and watch`, `get, list and watch`.
fn listed(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

async fn is_allowed(reviews: &Resource, verb: &str, resource: &str) -> Result<bool, Failure> {
    let attributes = json!({ "verb": verb, "group": "", "resource": resource });
    let question = json!({
        "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
        "spec": { "resourceAttributes": attributes },
    });
    Ok(reviews.create::<Review>(&question).await?.status.allowed)
}

#[derive(Deserialize)]
struct Review {
    status: Status,
}

#[derive(Deserialize)]
struct Status {
    allowed: bool,
}
