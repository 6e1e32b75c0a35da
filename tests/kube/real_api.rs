//! The pod watch and the events input against the real etcd and kube-apiserver: what only they can show.
//!
//! Serves the reader who doubts the scripted server: versions that are compacted away or belong to another cluster, a
//! server that crashes, rights that come late, pods that churn. Skipped by name where the servers are not built.

#![allow(clippy::unwrap_used, clippy::panic, reason = "that is how a test fails")]

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use flb_kube::kube::{
    api::client_config::ClientConfig,
    store,
    watch::{Node, PodWatch, WatchConfig},
};
use flb_kube_testing::{
    collecting::{Rig, versions},
    servers::{
        kubernetes::{Kubernetes, Programs},
        roster,
    },
    watching::{self, start, synced, wait},
};
use serde_json::{Value, json};

/// Those of this machine.
fn programs(case: &str) -> Option<Programs> {
    let programs = Programs::find();
    match &programs {
        Some(programs) => {
            let (etcd, apiserver) = programs.versions();
            roster::real("etcd", etcd);
            roster::real("kube-apiserver", apiserver);
        }
        None => roster::skipped(case, "no etcd and kube-apiserver: make servers builds them, with Go"),
    }
    programs
}

fn shared(case: &str) -> Option<&'static Kubernetes> {
    programs(case).and_then(|_| Kubernetes::shared())
}

/// Watches `node` with the rights that `token_file` gives.
fn config(kubernetes: &Kubernetes, node: &str, token_file: &Path) -> WatchConfig {
    let client = ClientConfig {
        url: kubernetes.api().url().to_owned(),
        ca_file: Some(kubernetes.ca_file()),
        token_file: Some(token_file.to_owned()),
        ..ClientConfig::default()
    };
    let store = store::Config { delete_grace: Duration::ZERO, namespaces: false, ..Default::default() };
    WatchConfig::new(client, Node::Named(node.into()), store)
}

fn namespace(kubernetes: &Kubernetes, name: &str) {
    kubernetes.api().create("/api/v1/namespaces", &json!({ "metadata": { "name": name } }));
}

fn pod(name: &str, node: &str) -> Value {
    json!({
        "metadata": { "name": name, "labels": { "team": "red" } },
        "spec": { "nodeName": node, "containers": [{ "name": "main", "image": "web:1" }] },
    })
}

fn pods(namespace: &str) -> String {
    format!("/api/v1/namespaces/{namespace}/pods")
}

fn events(namespace: &str) -> String {
    format!("/api/v1/namespaces/{namespace}/events")
}

fn event(name: &str, namespace: &str) -> Value {
    json!({
        "metadata": { "name": name }, "reason": "BackOff", "type": "Warning", "count": 1,
        "involvedObject": { "kind": "Pod", "namespace": namespace, "name": "web-1" },
    })
}

/// Follows the events of `namespace`.
fn follow(kubernetes: &Kubernetes, namespace: &str, options: &[(&str, &str)]) -> Rig {
    let (ca, token) = (kubernetes.ca_file(), kubernetes.reader_token_file());
    let mut all = vec![
        ("kube_ca_file", ca.to_str().unwrap()),
        ("kube_token_file", token.to_str().unwrap()),
        ("kube_namespace", namespace),
    ];
    all.extend(options);
    Rig::at(kubernetes.api().url(), &all)
}

/// Each pod of the server on `node`: its uid, and its label `team`.
fn listed(kubernetes: &Kubernetes, namespace: &str) -> BTreeMap<String, (String, String)> {
    let list = kubernetes.api().get(&pods(namespace));
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let entry = |pod: &Value| {
        let meta = &pod["metadata"];
        (text(&meta["name"]), (text(&meta["uid"]), text(&meta["labels"]["team"])))
    };
    list["items"].as_array().unwrap().iter().map(entry).collect()
}

/// Whether what is known of `namespace` is `listed`, no more and no less.
fn is_known(watch: &PodWatch, namespace: &str, listed: &BTreeMap<String, (String, String)>) -> bool {
    watch.store().len() == listed.len()
        && listed.iter().all(|(name, (uid, team))| {
            watch.store().lookup(namespace, name).is_some_and(|pod| {
                pod.meta.uid.as_deref() == Some(uid)
                    && pod.labels.as_ref().is_some_and(|labels| labels.contains(team))
            })
        })
}

fn knows(watch: &PodWatch, namespace: &str, name: &str) -> bool {
    watch.store().lookup(namespace, name).is_some()
}

/// Works through `numbers` from several sides at once: the server is slow to one, and quick to many.
fn at_once(numbers: std::ops::Range<usize>, work: impl Fn(usize) + Sync) {
    let sides = 8;
    thread::scope(|scope| {
        for side in 0..sides {
            let (numbers, work) = (numbers.clone(), &work);
            scope.spawn(move || numbers.skip(side).step_by(sides).for_each(work));
        }
    });
}

#[test]
fn the_store_is_what_the_server_lists_after_pods_of_three_pages_churned() {
    let name = "churn";
    let Some(kubernetes) = shared(name) else { return };
    let api = kubernetes.api();
    namespace(kubernetes, name);
    at_once(0..1_100, |n| _ = api.create(&pods(name), &pod(&format!("web-{n:04}"), "churn-1")));
    let watch = synced(&config(kubernetes, "churn-1", &kubernetes.reader_token_file()));
    assert!(is_known(&watch, name, &listed(kubernetes, name)));
    at_once(0..400, |n| {
        let path = format!("{}/web-{n:04}", pods(name));
        match n % 4 {
            0 => _ = api.patch(&path, &json!({ "metadata": { "labels": { "team": format!("t{n}") } } })),
            1 => api.delete(&path),
            2 => {
                api.delete(&path);
                // The name with another uid.
                api.create(&pods(name), &pod(&format!("web-{n:04}"), "churn-1"));
            }
            _ => _ = api.create(&pods(name), &pod(&format!("new-{n:04}"), "churn-1")),
        }
    });
    let after = listed(kubernetes, name);
    wait("the store to be what the server lists", || is_known(&watch, name, &after));
    let counters = watch.counters();
    assert_eq!(counters.lists.load(Ordering::Relaxed), 1);
    assert_eq!(counters.bad_lines.load(Ordering::Relaxed), 0);
}

#[test]
fn numbers_that_only_the_server_finds_good_hide_no_neighbour() {
    let name = "absurd";
    let Some(kubernetes) = shared(name) else { return };
    let api = kubernetes.api();
    namespace(kubernetes, name);
    for pod_name in ["absurd", "usual"] {
        api.create(&pods(name), &pod(pod_name, "absurd-1"));
    }
    let status =
        json!({ "name": "main", "image": "web:1", "imageID": "", "ready": true, "restartCount": -1 });
    let path = format!("{}/absurd/status", pods(name));
    api.patch(&path, &json!({ "status": { "containerStatuses": [status] } }));
    let watch = synced(&config(kubernetes, "absurd-1", &kubernetes.reader_token_file()));
    assert!(knows(&watch, name, "usual") && knows(&watch, name, "absurd"));
}

#[test]
fn rights_that_come_late_and_a_token_that_is_rotated_are_taken_up() {
    let name = "rights";
    let Some(kubernetes) = shared(name) else { return };
    let api = kubernetes.api();
    namespace(kubernetes, name);
    api.create(&pods(name), &pod("web", "rights-1"));
    let (_folder, token) = watching::file("unknown-token");
    let watch = start(&config(kubernetes, "rights-1", &token));
    let failures = || watch.counters().failures.load(Ordering::Relaxed);
    wait("an unknown token to be refused", || failures() > 0);
    fs::copy(kubernetes.nobody_token_file(), &token).unwrap();
    let refused = failures();
    wait("a token without rights to be refused", || failures() > refused);
    assert!(watch.store().is_empty());
    let binding = json!({
        "metadata": { "name": "late" },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "flb-kube" },
        "subjects": [{ "kind": "User", "name": "nobody", "apiGroup": "rbac.authorization.k8s.io" }],
    });
    api.create("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", &binding);
    wait("the rights to be taken up", || knows(&watch, name, "web"));
}

#[test]
fn a_cursor_that_was_compacted_away_leads_to_a_list_and_only_its_news() {
    let name = "compacted";
    let Some(kubernetes) = shared(name) else { return };
    let (api, folder) = (kubernetes.api(), tempfile::tempdir().unwrap());
    let db = folder.path().join("events.db");
    let options = [("db", db.to_str().unwrap()), ("kube_request_limit", "1")];
    namespace(kubernetes, name);
    at_once(0..100, |n| _ = api.create(&events(name), &event(&format!("e-{n:03}"), name)));
    let mut rig = follow(kubernetes, name, &options);
    // In the midst of its pages: the continuation is gone.
    rig.until_taken(3);
    kubernetes.compact(&api.create(&events(name), &event("in-the-midst", name)));
    rig.until_taken(101);
    api.create(&events(name), &event("watched", name));
    rig.until_taken(102);
    let mut taken = rig.stop();
    api.patch(&format!("{}/e-007", events(name)), &json!({ "count": 2 }));
    kubernetes.compact(&api.create(&events(name), &event("gap", name)));
    let mut rig = follow(kubernetes, name, &options);
    rig.until_taken(2);
    api.patch(&format!("{}/e-007", events(name)), &json!({ "count": 3 }));
    rig.until_taken(3);
    assert_eq!(rig.names(), ["e-007", "gap", "e-007"]);
    taken.extend(rig.stop());
    let versions = versions(&taken);
    assert_eq!(versions.len(), 105);
    assert!(versions.values().all(|times| *times == 1), "{versions:?}");
}

#[test]
fn events_of_any_size_and_shape_that_the_server_takes_arrive() {
    let name = "shapes";
    let Some(kubernetes) = shared(name) else { return };
    let api = kubernetes.api();
    namespace(kubernetes, name);
    let create = |prefix: &str| {
        let mut big = event(&format!("{prefix}-big"), name);
        big["message"] = "x".repeat(1_400_000).into();
        api.create(&events(name), &big);
        let bare = json!({ "metadata": { "name": format!("{prefix}-bare") }, "involvedObject": { "namespace": name } });
        api.create(&events(name), &bare);
    };
    create("listed");
    let mut rig = follow(kubernetes, name, &[]);
    rig.until_taken(2);
    create("watched");
    rig.until_taken(4);
    assert_eq!(rig.names(), ["listed-bare", "listed-big", "watched-big", "watched-bare"]);
    let taken = rig.stop();
    assert!(taken.iter().all(|record| record.body["kind"] == "Event" && record.body["apiVersion"] == "v1"));
    assert_eq!(taken[2].body["message"].as_str().unwrap().len(), 1_400_000);
}

#[test]
fn a_version_that_is_none_leads_to_a_list() {
    let name = "no-version";
    let Some(kubernetes) = shared(name) else { return };
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("events.db");
    namespace(kubernetes, name);
    let options = [("db", db.to_str().unwrap())];
    kubernetes.api().create(&events(name), &event("first", name));
    let mut rig = follow(kubernetes, name, &options);
    rig.until_taken(1);
    kubernetes.api().create(&events(name), &event("second", name));
    rig.until_taken(2);
    rig.stop();
    let file = rusqlite::Connection::open(&db).unwrap();
    assert_eq!(file.execute("UPDATE cursor SET resource_version = 'none'", []).unwrap(), 1);
    drop(file);
    kubernetes.api().create(&events(name), &event("third", name));
    let mut rig = follow(kubernetes, name, &options);
    rig.until_taken(1);
    assert_eq!(rig.names(), ["third"]);
    rig.stop();
}

#[test]
fn a_server_that_crashes_and_a_cluster_that_is_made_anew_are_followed_on() {
    let name = "crash";
    let Some(programs) = programs(name) else { return };
    let mut kubernetes = Kubernetes::start(&programs);
    namespace(&kubernetes, name);
    let create = |kubernetes: &Kubernetes, what: &str| {
        kubernetes.api().create(&pods(name), &pod(what, "crash-1"));
        kubernetes.api().create(&events(name), &event(what, name))
    };
    let mut config = config(&kubernetes, "crash-1", &kubernetes.reader_token_file());
    config.idle_limit = Duration::from_secs(3);
    config.store.delete_grace = Duration::from_secs(600);
    create(&kubernetes, "before");
    let watch: Arc<PodWatch> = synced(&config);
    let mut rig = follow(&kubernetes, name, &[("kube_watch_timeout", "3s")]);
    rig.until_taken(1);

    kubernetes.crash();
    assert!(knows(&watch, name, "before"));
    create(&kubernetes, "after");
    wait("a pod after the crash", || knows(&watch, name, "after"));
    rig.until_named("after");
    assert_eq!(rig.names(), ["before", "after"]);

    // So that the versions of the new cluster stay behind those that are known.
    (0..300)
        .for_each(|n| _ = kubernetes.api().patch(&format!("{}/after", events(name)), &json!({ "count": n })));
    let newest = create(&kubernetes, "newest");
    rig.until_named("newest");
    kubernetes.begin_anew();
    namespace(&kubernetes, name);
    let anew = create(&kubernetes, "anew");
    let version =
        |event: &Value| event["metadata"]["resourceVersion"].as_str().unwrap().parse::<u64>().unwrap();
    assert!(version(&anew) < version(&newest), "the case is none: {anew} {newest}");
    wait("a pod of the new cluster", || knows(&watch, name, "anew"));
    rig.until_named("anew");
    rig.stop();
}

#[test]
fn a_server_that_crashes_costs_no_list() {
    let name = "no-list";
    let Some(programs) = programs(name) else { return };
    let mut kubernetes = Kubernetes::start(&programs);
    namespace(&kubernetes, name);
    let create = |kubernetes: &Kubernetes, what: &str| {
        kubernetes.api().create(&pods(name), &pod(what, "crash-2"));
    };
    create(&kubernetes, "before");
    let watch = synced(&config(&kubernetes, "crash-2", &kubernetes.reader_token_file()));
    wait("the first pod", || knows(&watch, name, "before"));
    kubernetes.crash();
    create(&kubernetes, "after");
    wait("a pod after the crash", || knows(&watch, name, "after"));
    // A server that starts anew may not have the version any more, and says so: that alone costs a list.
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let counters = watch.counters();
    assert_eq!(count(&counters.lists), 1 + count(&counters.expired), "{counters:?}");
}
