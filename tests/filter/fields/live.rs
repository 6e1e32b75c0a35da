//! Fields that come by a watch: from the scripted API server, from the real one, and in every host.

use std::time::{Duration, Instant};

use flb_kube::{
    kube::{
        api::client_config::ClientConfig,
        store,
        watch::{Node, PodWatch, WatchConfig},
    },
    runtime::Owner,
};
use flb_kube_testing::{
    apiserver::{ApiServer, Fault, Verb},
    host::{Host, each},
    servers::{
        kubernetes::{Kubernetes, Programs},
        roster,
    },
};
use serde_json::{Value, json};

use super::rig::{Record, Rig, TAG, pod};

const WANTED: [(&str, &str); 5] = [
    ("kube_node_name", "n1"),
    ("node_labels", "on"),
    ("namespace_labels", "on"),
    ("namespace_nested", "on"),
    ("workload", "on"),
];

fn node(name: &str, zone: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": {"zone": zone}}})
}

fn namespace(team: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "labels": {"team": team}}})
}

fn wait(rig: &Rig, what: &str, is_so: impl Fn(&Record) -> bool) -> Duration {
    let started = Instant::now();
    while !is_so(&rig.record(TAG)) {
        assert!(
            started.elapsed() < Duration::from_secs(60),
            "waited in vain for {what}: {:?}",
            rig.record(TAG)
        );
        std::thread::sleep(Duration::from_millis(5));
    }
    started.elapsed()
}

#[test]
fn line_10_the_node_is_watched_alone_and_only_if_asked_for() {
    let server = ApiServer::start();
    for object in [pod(), namespace("red"), node("n1", "z1"), node("n2", "z2")] {
        server.put(object);
    }
    let url = server.url();
    let usual = [("kube_url", url.as_str()), ("kube_token_file", ""), ("kube_node_name", "n1")];
    drop(Rig::with(&usual));
    assert_eq!(server.count(Verb::List, "nodes"), 0);

    let rig = Rig::with(&[&usual[..2], &WANTED].concat());
    // The first record has it already: the start waits for its list.
    assert_eq!(rig.record(TAG).at("/kubernetes/node_labels"), json!({"zone": "z1"}));
    server.wait_for(Verb::Watch, "nodes", 1);
    for verb in [Verb::List, Verb::Watch] {
        let asked = server.requests_of(verb, "nodes");
        assert_eq!(asked.len(), 1);
        assert_eq!(asked[0].param("fieldSelector"), Some("metadata.name=n1"));
    }
    server.put(node("n1", "z9"));
    wait(&rig, "the node's edit", |record| record.at("/kubernetes/node_labels/zone") == "z9");
    server.put(namespace("blue"));
    wait(&rig, "the namespace's edit", |record| record.at("/kubernetes/namespace_labels/team") == "blue");
}

#[test]
fn line_10_a_node_that_may_not_be_read_is_warned_of_once_and_nothing_else_is_missing() {
    each(Host::few(), |host| {
        let server = ApiServer::start();
        for object in [pod(), namespace("red"), node("n1", "z1")] {
            server.put(object);
        }
        server.script(Verb::List, "nodes", usize::MAX, Fault::Status(403));
        let config = format!(
            "[SERVICE]\n    Flush 0.1\n    Grace 1\n    Log_Level info\n\
             [INPUT]\n    Name dummy\n    Tag {TAG}\n    Rate 10\n    Dummy {{\"log\":\"hello\"}}\n\
             [FILTER]\n    Name kube\n    Match kube.*\n    Kube_URL {}\n    Kube_Node_Name n1\n    \
             Node_Labels on\n    Workload on\n    Namespace_Labels on\n    Namespace_Nested on\n    \
             Labels_Allow app,tier\n    Labels_Format text\n    Wait_For_Sync 30s\n    Node_Annotations_Allow x\n\
             [OUTPUT]\n    Name stdout\n    Match *\n    Format json_lines\n",
            server.url()
        );
        let started = Instant::now();
        let mut running = host.start(&config).run();
        running.wait_for_lines("\"log\":\"hello\"", 3);
        assert!(started.elapsed() < Duration::from_secs(25), "{}: the start waited for the node", host.name);
        // So that it was refused several times.
        server.wait_for(Verb::List, "nodes", 3);
        running.stop();
        assert_eq!(running.count("nodes: list failed"), 1, "{}\n{}", host.name, running.log());
        assert_eq!(running.count("grant get, list and watch on nodes"), 1, "{}", running.log());
        assert_eq!(
            running.count("'node_annotations_allow': has no effect, since 'node_annotations' is off"),
            1
        );
        let log = running.log();
        let records = log.lines().filter_map(|line| line.get(line.find("{\"")?..));
        for record in records.filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
            let shown = &record["kubernetes"];
            assert_eq!(shown["workload_name"], "web", "{}: {record}", host.name);
            assert_eq!(shown["labels"], "app=web,tier=a.b");
            assert_eq!(shown["namespace_labels"], "team=red");
            assert_eq!(shown["node_labels"], Value::Null);
        }
    });
}

#[test]
fn line_10_the_node_that_the_agents_own_pod_names_is_watched_and_until_then_nothing_waits_for_it() {
    let server = ApiServer::start();
    server.put(node("n1", "z1"));
    let folder = tempfile::tempdir().unwrap();
    let namespace_file = folder.path().join("namespace");
    std::fs::write(&namespace_file, "shop").unwrap();
    let client = ClientConfig { url: server.url(), token_file: None, ..ClientConfig::default() };
    let store = store::Config { delete_grace: Duration::ZERO, namespaces: false, ..Default::default() };
    let agent = Node::OfPod { name: "web-1".into(), namespace_file };
    let config = WatchConfig { nodes: true, ..WatchConfig::new(client, agent, store) };
    let watch = PodWatch::shared(&config, &Owner { name: "filter:kube:kube.0".into(), level: 3 }).unwrap();
    until("the first sync", || watch.store().is_synced());
    assert_eq!(server.count(Verb::List, "nodes"), 0);
    server.put(pod());
    until("the node", || watch.store().lookup_node("n1").is_some());
    assert_eq!(server.requests_of(Verb::List, "nodes")[0].param("fieldSelector"), Some("metadata.name=n1"));
}

fn until(what: &str, is_so: impl Fn() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < Duration::from_secs(60), "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn the_real_api_tells_node_namespace_and_workload_and_edits_are_seen_within_a_second() {
    let name = "fields of the real API";
    let Some(programs) = Programs::find() else {
        return roster::skipped(name, "no etcd and kube-apiserver: make servers builds them, with Go");
    };
    let (etcd, apiserver) = programs.versions();
    roster::real("etcd", etcd);
    roster::real("kube-apiserver", apiserver);
    let kubernetes = Kubernetes::start(&programs);
    let api = kubernetes.api();
    api.create("/api/v1/namespaces", &namespace("red"));
    api.create("/api/v1/nodes", &node("n1", "z1"));
    let mut pod = pod();
    for (kind, key) in [("initContainers", "setup"), ("containers", "web")] {
        pod["spec"][kind] = json!([{"name": key, "image": "web:1"}]);
    }
    let spec = pod["spec"].as_object_mut().unwrap();
    spec.remove("ephemeralContainers");
    pod["status"].as_object_mut().unwrap().remove("ephemeralContainerStatuses");
    for statuses in ["containerStatuses", "initContainerStatuses"] {
        pod["status"][statuses][0]["ready"] = json!(true);
    }
    pod["status"]["containerStatuses"][0]["lastState"]["terminated"]["exitCode"] = json!(1);
    pod["metadata"].as_object_mut().unwrap().remove("uid");
    let owner = &mut pod["metadata"]["ownerReferences"][0];
    (owner["apiVersion"], owner["uid"]) = (json!("apps/v1"), json!("1-2-3"));
    api.create("/api/v1/namespaces/shop/pods", &pod);

    let (ca, token) = (kubernetes.ca_file(), kubernetes.reader_token_file());
    let of_the_server = [
        ("kube_url", api.url()),
        ("kube_ca_file", ca.to_str().unwrap()),
        ("kube_token_file", token.to_str().unwrap()),
        ("restart_count", "on"),
        ("pod_ips", "on"),
        ("pod_start_time", "on"),
        ("pod_phase", "on"),
        ("container_type", "on"),
        ("image_id", "on"),
    ];
    let rig = Rig::with(&[&of_the_server[..], &WANTED].concat());
    let shown = rig.record(TAG).at("/kubernetes");
    for (key, value) in [
        ("workload_kind", json!("Deployment")),
        ("workload_name", json!("web")),
        ("restart_count", json!(3)),
        ("pod_ips", json!(["10.0.0.9", "fd00::9"])),
        ("pod_start_time", json!("2026-01-02T03:04:05Z")),
        ("pod_phase", json!("Running")),
        ("container_type", json!("container")),
        ("container_image_id", json!("docker-pullable://docker.io/library/web@sha256:ab")),
    ] {
        assert_eq!(shown[key], value, "{key} of {shown}");
    }
    assert_eq!(shown["namespace_labels"]["team"], "red");
    assert_eq!(shown["node_labels"], Value::Null, "the role has no rights on nodes yet");
    grant_nodes(&kubernetes);
    wait(&rig, "the rights on nodes", |record| record.at("/kubernetes/node_labels/zone") == "z1");

    // The machine may be busy: of a few edits of each kind one shows what is possible.
    for (path, key, shown) in [
        ("/api/v1/namespaces/shop/pods/web-1", "tier", "/kubernetes/labels/tier"),
        ("/api/v1/namespaces/shop", "team", "/kubernetes/namespace_labels/team"),
        ("/api/v1/nodes/n1", "zone", "/kubernetes/node_labels/zone"),
    ] {
        let edit = |value: String| {
            api.patch(path, &json!({"metadata": {"labels": {key: value}}}));
            wait(&rig, path, |record| record.at(shown) == value)
        };
        let quickest = (0..5).map(|number| edit(format!("edit-{number}"))).min().unwrap();
        assert!(quickest <= Duration::from_secs(1), "{path}: {quickest:?}");
    }
}

fn grant_nodes(kubernetes: &Kubernetes) {
    let rbac = "/apis/rbac.authorization.k8s.io/v1";
    let role = json!({
        "metadata": {"name": "nodes"},
        "rules": [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "list", "watch"]}],
    });
    let binding = json!({
        "metadata": {"name": "nodes"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "nodes"},
        "subjects": [{"kind": "User", "name": "flb-kube", "apiGroup": "rbac.authorization.k8s.io"}],
    });
    kubernetes.api().create(&format!("{rbac}/clusterroles"), &role);
    kubernetes.api().create(&format!("{rbac}/clusterrolebindings"), &binding);
}
