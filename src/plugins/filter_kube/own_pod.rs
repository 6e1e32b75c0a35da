//! The agent's own pod: what the input `fluentbit_logs` (Fluent Bit 5.1) reads is the agent's own log.
//!
//! Serves the filter. Invariant: records of that input gain the metadata of the agent's pod or none: under the host's
//! network env HOSTNAME names the node, and no pod has that name.

use std::{env, fs};

use super::options::ApiOptions;
use crate::kube::{api::client_config::IN_CLUSTER_NAMESPACE, origin::container_ref::ContainerRef};

/// The input that reads the agent's log.
const INPUT: &str = "fluentbit_logs";
/// Stands for the agent's pod where tags stand for others; no tag holds a NUL.
pub(super) const KEY: &[u8] = b"\0own pod";

/// Whether an input of this name, such as `fluentbit_logs.0`, reads the agent's log.
pub(super) fn is_own_log(input: &str) -> bool {
    input.strip_prefix(INPUT).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// The agent's pod, by env HOSTNAME and the namespace file; none outside a cluster.
pub(super) fn find(api: &ApiOptions) -> Option<ContainerRef> {
    let file = api.namespace_file.as_deref().unwrap_or(IN_CLUSTER_NAMESPACE);
    let namespace = fs::read_to_string(file).ok()?.trim().to_owned();
    let pod = env::var("HOSTNAME").ok()?;
    let is_some = !namespace.is_empty() && !pod.is_empty();
    is_some.then(|| ContainerRef { pod, namespace, ..ContainerRef::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_agents_own_log_is_told_by_the_name_of_its_input() {
        assert!(is_own_log("fluentbit_logs") && is_own_log("fluentbit_logs.0"));
        assert!(!is_own_log("fluentbit_metrics.0") && !is_own_log("fluentbit_logs_2") && !is_own_log(""));
    }
}
