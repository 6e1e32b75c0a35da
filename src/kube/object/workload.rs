//! What runs a pod, told from its owner references and its own labels: nothing else is asked for or kept.
//!
//! Serves `metadata`. Invariant: an owner's owner is named only where its name follows from what Kubernetes itself wrote
//! on the pod, never from what a name looks like; else the owner is what is shown.

use crate::record::msgpack::{
    reader::{Map, text},
    walk::{Value, Walk},
};

/// The label by which a Deployment tells its ReplicaSets apart, and that by which a Rollout of Argo's does.
const TEMPLATE_HASHES: [(&str, &[u8]); 2] =
    [("Deployment", b"pod-template-hash"), ("Rollout", b"rollouts-pod-template-hash")];
/// The minutes since 1970 in which a CronJob can have made a Job: from July 2015, the first release of Kubernetes, on.
const SCHEDULES: std::ops::RangeInclusive<i64> = 23_928_000..=99_999_999;
/// How many minutes before its pod's creation a Job may have been scheduled: a late start, or a pod that is tried again.
const LATEST_START: i64 = 7 * 24 * 60;
/// How many minutes the clocks of the controller and of the API server may be apart.
const CLOCK_SKEW: i64 = 5;

/// What runs a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Workload<'a> {
    /// Its kind: `Deployment`, `StatefulSet`, `Node` for a static pod, or any other that owns pods.
    pub kind: &'a str,
    /// Its name.
    pub name: &'a str,
}

impl<'a> Workload<'a> {
    /// From the pod's owner references and labels, as msgpack, and the time of its creation in seconds. Of several owners
    /// the one that controls it counts, else the first.
    pub fn of(owners: &'a [u8], labels: Option<&[u8]>, created: Option<i64>) -> Option<Self> {
        let owner = controller(owners)?;
        let field = |key: &[u8]| std::str::from_utf8(text(owner.get(key)?)?).ok();
        let (kind, name) = (field(b"kind")?, field(b"name")?);
        let above = match kind {
            "ReplicaSet" => above_replica_set(name, labels),
            "Job" => cron_job(name, created).map(|name| Self { kind: "CronJob", name }),
            _ => None,
        };
        Some(above.unwrap_or(Self { kind, name }))
    }
}

fn controller(owners: &[u8]) -> Option<Map<'_>> {
    const TRUE: &[u8] = &[0xc3];
    let mut walk = Walk::new(owners);
    let Ok(Value::Array(count)) = walk.next() else { return None };
    let mut first = None;
    for _ in 0..count {
        let Some(owner) = Map::of(walk.skip().ok()?) else { continue };
        if owner.get(b"controller") == Some(TRUE) {
            return Some(owner);
        }
        first = first.or(Some(owner));
    }
    first
}

/// `web` for the ReplicaSet `web-5d8f` of pods labelled `pod-template-hash: 5d8f`.
fn above_replica_set<'a>(replica_set: &'a str, labels: Option<&[u8]>) -> Option<Workload<'a>> {
    let labels = Map::of(labels?)?;
    TEMPLATE_HASHES.into_iter().find_map(|(kind, label)| {
        let hash = std::str::from_utf8(text(labels.get(label)?)?).ok().filter(|hash| !hash.is_empty())?;
        let name = replica_set.strip_suffix(hash)?.strip_suffix('-').filter(|name| !name.is_empty())?;
        Some(Workload { kind, name })
    })
}

/// `backup` for the Job `backup-28012345`: the number is the minute for which it was scheduled, shortly before the pod was
/// created. A date that someone wrote, such as 31122025, is not.
fn cron_job(job: &str, created: Option<i64>) -> Option<&str> {
    let (name, minutes) = job.rsplit_once('-')?;
    let is_schedule = minutes.len() == 8
        && minutes.bytes().all(|byte| byte.is_ascii_digit())
        && minutes.parse().is_ok_and(|minutes| match created.map(|seconds| seconds / 60) {
            Some(created) => (created - LATEST_START..=created + CLOCK_SKEW).contains(&minutes),
            None => SCHEDULES.contains(&minutes),
        });
    (is_schedule && !name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::kube::Msgpack;

    fn workload(owners: Value, labels: Value) -> Option<(String, String)> {
        let [owners, labels] =
            [owners, labels].map(|value| serde_json::from_value::<Msgpack>(value).unwrap());
        let found = Workload::of(owners.bytes(), Some(labels.bytes()), None)?;
        Some((found.kind.to_owned(), found.name.to_owned()))
    }

    fn owner(kind: &str, name: &str, hash: &str) -> String {
        let owners = json!([{"apiVersion": "v1", "kind": kind, "name": name, "controller": true}]);
        let (kind, name) = workload(owners, json!({"app": "x", "pod-template-hash": hash})).unwrap();
        format!("{kind}/{name}")
    }

    #[test]
    fn a_replica_set_is_its_deployments_exactly_where_the_label_says_so() {
        assert_eq!(owner("ReplicaSet", "web-5d8f", "5d8f"), "Deployment/web");
        assert_eq!(owner("ReplicaSet", "web-5d8f-77", "77"), "Deployment/web-5d8f");
        for (name, hash) in [("web-5d8f", "5d8"), ("web-5d8f", "d8f"), ("web-5d8f", ""), ("-5d8f", "5d8f")] {
            assert_eq!(owner("ReplicaSet", name, hash), format!("ReplicaSet/{name}"), "{hash}");
        }
        let owners = json!([{"kind": "ReplicaSet", "name": "web-5d8f"}]);
        let alone = Some(("ReplicaSet".into(), "web-5d8f".into()));
        for labels in [json!({}), json!(null), json!({"pod-template-hash": null})] {
            assert_eq!(workload(owners.clone(), labels), alone);
        }
    }

    #[test]
    fn a_job_is_its_cron_jobs_only_where_its_number_is_a_time() {
        assert_eq!(owner("Job", "backup-28012345", ""), "CronJob/backup");
        assert_eq!(owner("Job", "a-b-29384750", ""), "CronJob/a-b");
        // Made by hand: a day, a number too low, too long, or no number.
        for name in
            ["load-20260131", "load-10000000", "load-0028012345", "load-128012345", "load", "28012345"]
        {
            assert_eq!(owner("Job", name, ""), format!("Job/{name}"));
        }
        assert_eq!(owner("Job", "load-2801234x", ""), "Job/load-2801234x");
        assert_eq!(owner("Job", "-28012345", ""), "Job/-28012345");
    }

    #[test]
    fn a_job_is_its_cron_jobs_only_where_the_minute_is_shortly_before_its_pods_creation() {
        let kind = |name: &str, created: i64| {
            let owners = json!([{"kind": "Job", "name": name}]);
            let owners = serde_json::from_value::<Msgpack>(owners).unwrap();
            let found = Workload::of(owners.bytes(), None, Some(created)).unwrap();
            format!("{}/{}", found.kind, found.name)
        };
        let minute = 29_384_750;
        assert_eq!(kind("backup-29384750", minute * 60 + 3), "CronJob/backup");
        assert_eq!(kind("backup-29384750", (minute + LATEST_START) * 60), "CronJob/backup");
        assert_eq!(kind("backup-29384750", (minute + LATEST_START + 1) * 60), "Job/backup-29384750");
        assert_eq!(kind("migrate-31122025", minute * 60), "Job/migrate-31122025");
    }

    #[test]
    fn a_replica_set_of_a_rollout_is_the_rollouts() {
        let owners = json!([{"kind": "ReplicaSet", "name": "web-5d8f", "controller": true}]);
        let labels = json!({"rollouts-pod-template-hash": "5d8f"});
        assert_eq!(workload(owners, labels), Some(("Rollout".into(), "web".into())));
    }

    #[test]
    fn other_owners_are_shown_as_they_are() {
        for kind in ["StatefulSet", "DaemonSet", "Node", "Workflow"] {
            assert_eq!(owner(kind, "x-28012345", "28012345"), format!("{kind}/x-28012345"));
        }
    }

    #[test]
    fn the_owner_that_controls_counts_else_the_first() {
        let both =
            |flag: Value| json!([{"kind": "A", "name": "a"}, {"kind": "B", "name": "b", "controller": flag}]);
        assert_eq!(workload(both(json!(true)), json!({})), Some(("B".into(), "b".into())));
        assert_eq!(workload(both(json!(false)), json!({})), Some(("A".into(), "a".into())));
    }

    #[test]
    fn what_is_no_owner_is_nothing() {
        for owners in
            [json!([]), json!({}), json!(null), json!("x"), json!([null, 7]), json!([{"kind": "A"}])]
        {
            assert_eq!(workload(owners, json!({})), None);
        }
    }
}
