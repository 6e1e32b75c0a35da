//! The fields that records gain: a test for each line of the target list about them, hostile metadata, and what only
//! an API server or a host can show.

#![allow(clippy::unwrap_used, clippy::panic, reason = "that is how a test fails")]

mod hostile;
mod live;
mod rig;

use rig::{Rig, TAG, owned, pod, tag_of};
use serde_json::json;

/// Everything that can be added.
const ALL: [(&str, &str); 14] = [
    ("owner_references", "on"),
    ("namespace_labels", "on"),
    ("namespace_annotations", "on"),
    ("node_labels", "on"),
    ("node_annotations", "on"),
    ("workload", "on"),
    ("restart_count", "on"),
    ("image_id", "on"),
    ("container_type", "on"),
    ("pod_ips", "on"),
    ("pod_start_time", "on"),
    ("pod_phase", "on"),
    ("mark_unenriched", "on"),
    ("labels_format", "map"),
];

const OF_THE_BUILT_IN: [&str; 12] = [
    "pod_name",
    "namespace_name",
    "pod_id",
    "labels",
    "annotations",
    "ownerReferences",
    "host",
    "pod_ip",
    "container_name",
    "docker_id",
    "container_hash",
    "container_image",
];

#[test]
fn line_2_keys_and_their_order_are_those_of_the_built_in_and_others_come_after_them() {
    let usual = Rig::knowing(&pod(), &[("owner_references", "on"), ("namespace_labels", "on")]);
    let record = usual.record(TAG);
    assert_eq!(record.keys("/"), ["log", "kubernetes", "kubernetes_namespace"]);
    assert_eq!(record.keys("/kubernetes"), OF_THE_BUILT_IN);
    assert_eq!(record.keys("/kubernetes_namespace"), ["name", "labels"]);

    let all = Rig::knowing(&pod(), &ALL).record(TAG).keys("/kubernetes");
    let (first, then) = all.split_at(OF_THE_BUILT_IN.len());
    assert_eq!(first, OF_THE_BUILT_IN);
    let ours = [
        "container_image_id",
        "container_type",
        "restart_count",
        "pod_ips",
        "pod_start_time",
        "pod_phase",
        "workload_kind",
        "workload_name",
        "node_labels",
        "node_annotations",
    ];
    assert_eq!(then, ours);
}

#[test]
fn line_9_metadata_of_the_namespace_is_beside_that_of_the_pod_or_within_it() {
    let wanted = [("namespace_labels", "on"), ("namespace_annotations", "on"), ("labels", "off")];
    let beside = Rig::knowing(&pod(), &wanted).record(TAG);
    assert_eq!(
        beside.at("/kubernetes_namespace"),
        json!({"name": "shop", "labels": {"team": "retail"}, "annotations": {"cost": "7"}})
    );
    let within = Rig::knowing(&pod(), &[&wanted[..], &[("namespace_nested", "on")]].concat()).record(TAG);
    assert_eq!(within.keys("/"), ["log", "kubernetes"]);
    assert_eq!(within.at("/kubernetes/namespace_labels"), json!({"team": "retail"}));
    assert_eq!(within.at("/kubernetes/namespace_annotations"), json!({"cost": "7"}));

    let nothing = Rig::knowing(&pod(), &[("namespace_metadata_only", "on")]).record(TAG);
    assert_eq!(nothing.keys("/"), ["log"]);
    let alone = [&wanted[..], &[("namespace_metadata_only", "on")]].concat();
    assert_eq!(Rig::knowing(&pod(), &alone).record(TAG).keys("/"), ["log", "kubernetes_namespace"]);
    let alone = Rig::knowing(&pod(), &[&alone[..], &[("namespace_nested", "on")]].concat()).record(TAG);
    assert_eq!(alone.keys("/kubernetes"), ["namespace_name", "namespace_labels", "namespace_annotations"]);
}

#[test]
fn line_10_labels_and_annotations_of_the_node_pass_an_allow_list() {
    let wanted = [
        ("node_labels", "on"),
        ("node_labels_allow", "topology.kubernetes.io/*"),
        ("node_annotations", "on"),
        ("node_annotations_allow", "rack"),
    ];
    let record = Rig::knowing(&pod(), &wanted).record(TAG);
    assert_eq!(record.at("/kubernetes/node_labels"), json!({"topology.kubernetes.io/zone": "z1"}));
    assert_eq!(record.at("/kubernetes/node_annotations"), json!({"rack": "7"}));
    let record = Rig::knowing(&pod(), &[]).record(TAG);
    assert_eq!(record.at("/kubernetes/node_labels"), json!(null));
}

#[test]
fn line_11_the_workload_is_told_from_the_pod_alone() {
    let told = |kind: &str, name: &str, hash: &str| {
        let record = Rig::knowing(&owned(kind, name, hash), &[("workload", "on")]).record(TAG);
        (record.at("/kubernetes/workload_kind"), record.at("/kubernetes/workload_name"))
    };
    for (kind, name, hash, workload) in [
        ("ReplicaSet", "web-5d8f", "5d8f", ("Deployment", "web")),
        ("ReplicaSet", "web-5d8f", "77aa", ("ReplicaSet", "web-5d8f")),
        ("Job", "backup-28012345", "", ("CronJob", "backup")),
        ("Job", "backup-20260131", "", ("Job", "backup-20260131")),
        ("StatefulSet", "db", "", ("StatefulSet", "db")),
        ("DaemonSet", "agent", "", ("DaemonSet", "agent")),
        ("Node", "n1", "", ("Node", "n1")),
        ("Rollout", "canary", "", ("Rollout", "canary")),
    ] {
        assert_eq!(told(kind, name, hash), (json!(workload.0), json!(workload.1)), "{kind} {name} {hash}");
    }
    let mut bare = pod();
    bare["metadata"]["ownerReferences"] = json!(null);
    let record = Rig::knowing(&bare, &[("workload", "on")]).record(TAG);
    assert!(!record.keys("/kubernetes").iter().any(|key| key.starts_with("workload")), "nothing owns it");
}

#[test]
fn line_12_lists_choose_by_name_prefix_and_glob_and_names_are_changed_after_that() {
    let labels =
        |options: &[(&str, &str)]| Rig::knowing(&pod(), options).record(TAG).at("/kubernetes/labels");
    assert_eq!(labels(&[("labels_allow", "app")]), json!({"app": "web"}));
    assert_eq!(labels(&[("labels_allow", "app*")]), json!({"app": "web", "app.kubernetes.io/name": "web"}));
    assert_eq!(
        labels(&[("labels_allow", "*/nam?, tier")]),
        json!({"app.kubernetes.io/name": "web", "tier": "a.b"})
    );
    assert_eq!(
        labels(&[("labels_allow", "app*"), ("labels_deny", "app")]),
        json!({"app.kubernetes.io/name": "web"})
    );
    assert_eq!(labels(&[("labels_deny", "*")]), json!(null), "an empty rest is no field");
    let changed = [("labels_deny", "pod-*"), ("rename", "tier=the.tier"), ("dedot", "_"), ("deslash", "-")];
    // The value stays as it is.
    assert_eq!(labels(&changed), json!({"app": "web", "app_kubernetes_io-name": "web", "the.tier": "a.b"}));
    let record = Rig::knowing(&pod(), &[("rename", "tier=app,app.kubernetes.io/name=app")]).record(TAG);
    assert_eq!(record.at("/kubernetes/labels"), json!({"app": "a.b", "pod-template-hash": "5d8f"}));
    assert_eq!(record.keys("/kubernetes/labels").len(), 2, "the last that gets a name has it, alone");

    for (key, text, why) in [
        ("rename", "a=b, app", "has no old=new in 'app'"),
        ("labels_format", "tree", "is none of map, flat and text"),
        ("existing_metadata", "drop", "is none of replace, keep and merge"),
        ("metadata_max_size", "big", "is not a size"),
    ] {
        let said = Rig::refusal(key, text);
        assert!(said.contains(&format!("'{key}': '{text}' {why}")), "{said}");
    }
}

#[test]
fn line_13_what_is_known_of_the_container_and_its_pod_is_shown_if_asked_for() {
    let record = Rig::knowing(&pod(), &ALL).record(TAG);
    let shown = record.at("/kubernetes");
    for (key, value) in [
        ("container_image", json!("docker.io/library/web:1")),
        ("container_hash", json!("docker.io/library/web@sha256:ab")),
        ("container_image_id", json!("docker-pullable://docker.io/library/web@sha256:ab")),
        ("container_type", json!("container")),
        ("restart_count", json!(3)),
        ("pod_ips", json!(["10.0.0.9", "fd00::9"])),
        ("pod_start_time", json!("2026-01-02T03:04:05Z")),
        ("pod_phase", json!("Running")),
    ] {
        assert_eq!(shown[key], value, "{key}");
    }
    let usual = Rig::knowing(&pod(), &[]).record(TAG).keys("/kubernetes");
    assert!(usual.iter().all(|key| OF_THE_BUILT_IN.contains(&key.as_str())), "only if asked for: {usual:?}");

    let rig = Rig::knowing(&pod(), &ALL);
    for (container, id, kind) in
        [("setup", '1', "init"), ("shell", '2', "ephemeral"), ("late", '3', "container")]
    {
        let record = rig.record(&tag_of(container, id));
        assert_eq!(record.at("/kubernetes/container_type"), json!(kind), "{container}");
    }
    assert_eq!(rig.record(&tag_of("stranger", '4')).at("/kubernetes/container_type"), json!(null));
}

#[test]
fn line_24_ids_restarts_and_images_are_those_of_the_run_that_the_tag_names() {
    let rig = Rig::knowing(&pod(), &ALL);
    // The runs of a pod share the image that it asks for; of a run that is not known it may be another pod's.
    for (id, restarts, is_current, has_image) in
        [('a', json!(3), true, true), ('b', json!(2), false, true), ('c', json!(null), false, false)]
    {
        let shown = rig.record(&tag_of("web", id)).at("/kubernetes");
        assert_eq!(shown["docker_id"], json!(id.to_string().repeat(64)), "{id}");
        assert_eq!(shown["restart_count"], restarts, "{id}");
        for key in ["container_hash", "container_image_id"] {
            assert_eq!(shown[key].is_string(), is_current, "{id} {key}");
        }
        assert_eq!(shown["container_image"].is_string(), has_image, "{id}");
    }
    for (run, id) in [(3, Some('a')), (2, Some('b')), (1, None)] {
        let shown = rig.record(&format!("kube.var.log.pods.shop_web-1_u-1.web.{run}.log")).at("/kubernetes");
        assert_eq!(shown["restart_count"], json!(run));
        assert_eq!(shown["docker_id"], json!(id.map(|id| id.to_string().repeat(64))), "{run}");
    }
}

#[test]
fn line_26_metadata_that_a_record_has_is_replaced_kept_or_merged_and_never_there_twice() {
    let existing = json!({
        "log": "{\"kubernetes\":\"forged\",\"level\":\"info\"}",
        "kubernetes": {"pod_name": "old", "cluster": "c-1", "labels": {"old": "1"}},
    });
    let with = |policy: &str, merge: &str, body: &serde_json::Value| {
        let options = [("existing_metadata", policy), ("merge_log", merge), ("annotations", "off")];
        let record = Rig::knowing(&pod(), &options).record_of(TAG, body);
        let times = record.keys("/").iter().filter(|key| *key == "kubernetes").count();
        assert_eq!(times, 1, "{policy}: {record:?}");
        record
    };
    for merge in ["off", "on"] {
        let replaced = with("replace", merge, &existing);
        assert_eq!(replaced.at("/kubernetes/pod_name"), json!("web-1"));
        assert_eq!(replaced.at("/kubernetes/cluster"), json!(null));

        assert_eq!(with("keep", merge, &existing).at("/kubernetes"), existing["kubernetes"]);

        let merged = with("merge", merge, &existing);
        assert_eq!(merged.at("/kubernetes/pod_name"), json!("web-1"), "what is known now goes before");
        assert_eq!(merged.at("/kubernetes/cluster"), json!("c-1"));
        assert_eq!(merged.at("/kubernetes/labels/app"), json!("web"));
        let keys = merged.keys("/kubernetes");
        assert_eq!(keys.iter().filter(|key| *key == "pod_name").count(), 1, "{keys:?}");
    }
    // What a line says is no metadata, whatever the policy.
    let forged = json!({"log": "{\"kubernetes\":\"forged\",\"level\":\"info\"}"});
    for policy in ["replace", "keep", "merge"] {
        let record = with(policy, "on", &forged);
        assert_eq!(record.at("/kubernetes/pod_name"), json!("web-1"), "{policy}");
        assert_eq!(record.at("/level"), json!("info"));
        let record = with(policy, "off", &json!({"log": "x", "kubernetes": "no map"}));
        assert_eq!(record.at("/kubernetes") == json!("no map"), policy == "keep");
    }
}

#[test]
fn line_29_labels_have_a_form_and_fields_a_size() {
    let labels = [("labels_allow", "app,tier"), ("annotations", "off"), ("namespace_labels", "on")];
    let form = |form: &str| {
        let options = [&labels[..], &[("labels_format", form), ("namespace_nested", "on")]].concat();
        Rig::knowing(&pod(), &options).record(TAG)
    };
    assert_eq!(form("map").at("/kubernetes/labels"), json!({"app": "web", "tier": "a.b"}));
    let flat = form("flat");
    assert_eq!(flat.at("/kubernetes/labels.app"), json!("web"));
    assert_eq!(flat.at("/kubernetes/namespace_labels.team"), json!("retail"));
    assert_eq!(flat.keys("/kubernetes")[3..5], ["labels.app", "labels.tier"], "where labels are");
    assert_eq!(form("text").at("/kubernetes/labels"), json!("app=web,tier=a.b"));

    let whole = Rig::knowing(&pod(), &[]);
    let size = whole.added(TAG);
    for limit in [size, size - 1, size / 2, 1] {
        let rig = Rig::knowing(&pod(), &[("metadata_max_size", &limit.to_string())]);
        let record = rig.record(TAG);
        assert!(
            record.keys("/kubernetes").contains(&"container_image".to_owned()),
            "never left out: {record:?}"
        );
        let has_rest = ["labels", "annotations"].iter().any(|key| record.at("/kubernetes")[key].is_object());
        assert!(rig.added(TAG) <= limit || !has_rest, "{} of {limit}", rig.added(TAG));
        assert_eq!(rig.added(TAG) == size, limit == size);
    }
    let cut = Rig::knowing(&pod(), &[("metadata_max_size", &(size - 1).to_string())]).record(TAG);
    assert_eq!(cut.keys("/kubernetes/annotations"), ["note"], "the largest goes first");
    assert_eq!(cut.keys("/kubernetes/labels").len(), 4);
}

#[test]
fn line_8_records_of_a_pod_that_is_not_known_are_marked_if_asked_for() {
    let rig = Rig::knowing(&pod(), &ALL);
    assert_eq!(rig.record(TAG).at("/kubernetes/enriched"), json!(null));
    let unknown = rig.record(&TAG.replace("web-1", "gone"));
    assert_eq!(unknown.at("/kubernetes/enriched"), json!(false));
    assert_eq!(unknown.keys("/kubernetes").last().map(String::as_str), Some("enriched"));
}
