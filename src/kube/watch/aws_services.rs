//! Keeps the map of pods to services up to date, by asking the CloudWatch agent again and again.
//!
//! Serves the filter's AWS fields. Invariant: runs off the pipeline; while the agent is away, what is known stays.

use std::time::Duration;

use crate::kube::{
    api::{backoff::jitter, resource::Resource},
    metadata::aws::Services,
    watch::complaints::Complaints,
};

/// Asks the agent for `map` every `interval`, for ever, and puts its answers into `services`.
pub async fn follow(services: &Services, map: &Resource, interval: Duration) {
    let interval = interval.max(Duration::from_secs(1));
    let mut log = Complaints::default();
    loop {
        match map.document().await {
            Ok(answer) => match services.learn(&answer) {
                Ok(()) => log.over("services: the agent's map is read again"),
                Err(why) => log.say(format!("services: the agent's map can't be read: {why}; trying again")),
            },
            Err(failure) => log.say(format!(
                "services: the map of pods to services can't be had: {failure}; what is known stays, trying again"
            )),
        }
        services.sweep();
        tokio::time::sleep(interval + jitter(Duration::from_millis(500))).await;
    }
}
