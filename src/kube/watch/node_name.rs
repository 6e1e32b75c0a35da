//! Whose pods to watch: the node's name, given or found from the agent's own pod.
//!
//! Serves `watch`. Invariant: an unknown node never stops a start, nor does it make every agent watch the cluster.

use std::{
    env, fs,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::kube::{
    api::{backoff::Backoff, client_config::IN_CLUSTER_NAMESPACE, resource::Resource},
    object::pod::Pod,
    watch::complaints::Complaints,
};

/// Whose pods to watch.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Node {
    /// Those of all nodes, as an aggregator needs them.
    All,
    /// This node's.
    Named(String),
    /// Those of the node on which this pod runs.
    OfPod {
        /// The agent's pod.
        name: String,
        /// The file that holds the agent's namespace.
        namespace_file: PathBuf,
    },
}

impl Node {
    /// The node as an operator names it; else env `NODE_NAME`; else that of the pod which env `HOSTNAME` names, in
    /// the namespace of `namespace_file`.
    pub fn find(name: Option<&str>, namespace_file: Option<PathBuf>) -> Self {
        let variable = |key| env::var(key).ok().filter(|value| !value.is_empty());
        match name.filter(|name| !name.is_empty()).map(str::to_owned).or_else(|| variable("NODE_NAME")) {
            Some(name) => Self::Named(name),
            None => Self::OfPod {
                name: variable("HOSTNAME").unwrap_or_default(),
                namespace_file: namespace_file.unwrap_or_else(|| IN_CLUSTER_NAMESPACE.into()),
            },
        }
    }

    /// The node's name, at once or as soon as the API server tells it; none for all nodes. `unknown` is called when
    /// trying again is not likely to help; the log says how it is until then.
    pub(crate) async fn resolve(
        &self,
        client: &kube::Client,
        until_then: &str,
        mut unknown: impl FnMut(),
    ) -> Option<String> {
        let (name, namespace_file) = match self {
            Self::All => return None,
            Self::Named(name) => return Some(name.clone()),
            Self::OfPod { name, namespace_file } => (name, namespace_file),
        };
        let mut backoff = Backoff::default();
        let mut log = Complaints::default();
        loop {
            let why = match of_pod(client, name, namespace_file).await {
                Ok(node) => return Some(node),
                Err(why) => why,
            };
            log.say(format!(
                "node: its name is unknown: {}; set kube_node_name, or env NODE_NAME from spec.nodeName; until then \
                 {until_then}",
                why.text
            ));
            if why.lasting {
                unknown();
            }
            tokio::time::sleep(backoff.pause(why.retry_after)).await;
        }
    }
}

/// Why the agent's own pod did not tell the node.
struct Unknown {
    text: String,
    lasting: bool,
    retry_after: Option<Duration>,
}

impl Unknown {
    fn lasting(text: String) -> Self {
        Self { text, lasting: true, retry_after: None }
    }
}

async fn of_pod(client: &kube::Client, name: &str, namespace_file: &Path) -> Result<String, Unknown> {
    if name.is_empty() {
        return Err(Unknown::lasting("env HOSTNAME is not set".into()));
    }
    let namespace = fs::read_to_string(namespace_file)
        .map_err(|why| Unknown::lasting(format!("{}: {why}", namespace_file.display())))?;
    let namespace = namespace.trim();
    let pods = Resource::new(client.clone(), format!("/api/v1/namespaces/{namespace}/pods"));
    let pod = pods.get::<Pod>(name).await.map_err(|failure| {
        Unknown {
            text: format!("pod {namespace}/{name}: {}", failure.explain("get", "pods")),
            // With host networking HOSTNAME is no pod's name.
            lasting: matches!(failure.code(), Some(403 | 404)),
            retry_after: failure.retry_after(),
        }
    })?;
    pod.node
        .filter(|node| !node.is_empty())
        .map(String::from)
        .ok_or_else(|| Unknown::lasting(format!("pod {namespace}/{name} is on no node")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_given_is_taken() {
        assert_eq!(Node::find(Some("n1"), None), Node::Named("n1".into()));
    }
}
