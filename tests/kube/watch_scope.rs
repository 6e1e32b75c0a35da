//! What the pod watch is responsible for: whose pods, which look-ups, for how many instances.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Instant,
};

use flb_kube::{
    kube::{
        store::LookupFor,
        watch::{Node, PodWatch},
    },
    runtime::Owner,
};
use flb_kube_testing::{
    apiserver::{ApiServer, Fault, Verb},
    watching::{config, file, knows, pod, start, synced, team, wait},
};
use serde_json::json;

#[test]
fn line_23_twenty_thousand_lines_of_a_pod_that_is_gone_cost_one_request() {
    let server = ApiServer::start();
    let watch = synced(&config(&server));
    for _ in 0..20_000 {
        watch.store().missed("shop", "gone", LookupFor::Files);
    }
    server.wait_for(Verb::Get, "pods", 1);
    watch.store().missed("shop", "gone-too", LookupFor::Files);
    server.wait_for(Verb::Get, "pods", 2);
    let asked: Vec<_> = server.requests_of(Verb::Get, "pods").into_iter().map(|seen| seen.path).collect();
    assert_eq!(asked, ["/api/v1/namespaces/shop/pods/gone", "/api/v1/namespaces/shop/pods/gone-too"]);
}

#[test]
fn look_ups_of_many_unknown_pods_are_spread_over_time() {
    let server = ApiServer::start();
    let watch = synced(&config(&server));
    let started = Instant::now();
    for number in 0..20_000 {
        watch.store().missed("shop", &format!("gone-{number}"), LookupFor::Files);
    }
    server.wait_for(Verb::Get, "pods", 5);
    let most = started.elapsed().as_millis() / 100 + 1;
    assert!((server.count(Verb::Get, "pods") as u128) <= most, "ten a second, one at a time");
}

#[test]
fn a_pod_that_only_a_look_up_finds_is_known_from_then_on() {
    let server = ApiServer::start();
    server.put(pod("far", "n2", "red"));
    let watch = synced(&config(&server));
    watch.store().missed("shop", "far", LookupFor::Records);
    wait("the look-up", || knows(&watch, "far"));
    assert_eq!(watch.counters().found.load(Ordering::Relaxed), 1);
}

#[test]
fn a_file_of_this_node_never_means_a_pod_that_runs_on_another() {
    let server = ApiServer::start();
    server.put(pod("moved", "n2", "red"));
    let watch = synced(&config(&server));
    watch.store().missed("shop", "moved", LookupFor::Files);
    server.put(pod("later", "n1", "red"));
    server.wait_for(Verb::Get, "pods", 1);
    watch.store().missed("shop", "gone", LookupFor::Files);
    server.wait_for(Verb::Get, "pods", 2);
    assert!(!knows(&watch, "moved"));
    // For a record of another node's it is the right one.
    watch.store().missed("shop", "moved", LookupFor::Records);
    wait("the look-up", || knows(&watch, "moved"));
    assert!(watch.store().is_elsewhere(&watch.store().lookup("shop", "moved").unwrap()));
}

#[test]
fn an_outage_does_not_put_off_the_look_ups_after_it() {
    let server = ApiServer::start();
    server.put(pod("far", "n2", "red"));
    let watch = synced(&config(&server));
    server.script(Verb::Get, "pods", 4, Fault::Status(503));
    // As records do, again and again. Pods that don't exist are asked for after 5, 10, 20 and 40 seconds.
    wait("the look-up", || {
        watch.store().missed("shop", "far", LookupFor::Records);
        knows(&watch, "far")
    });
    assert_eq!(server.count(Verb::Get, "pods"), 5);
}

#[test]
fn a_name_that_no_pod_can_have_is_never_asked_for() {
    let server = ApiServer::start();
    server.put(pod("far", "n2", "red"));
    let watch = synced(&config(&server));
    watch.store().missed("shop", "../../../version", LookupFor::Files);
    watch.store().missed("..", "secrets", LookupFor::Files);
    watch.store().missed("shop", "far", LookupFor::Records);
    wait("the look-up after them", || knows(&watch, "far"));
    assert_eq!(server.count(Verb::Get, "pods"), 1);
    assert_eq!(server.requests().len(), 3, "{:?}", server.requests());
}

#[test]
fn namespaces_are_watched_only_when_asked_for() {
    let server = ApiServer::start();
    let shop = |team: &str| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "labels": {"team": team}}});
    server.put(shop("red"));
    server.put(pod("web", "n1", "red"));
    let mut config = config(&server);
    let without = synced(&config);
    server.wait_for(Verb::Watch, "pods", 1);
    assert!(without.store().lookup_namespace("shop").is_none());
    assert_eq!(server.count(Verb::List, "namespaces"), 0);
    config.store.namespaces = true;
    let with = synced(&config);
    assert!(with.store().lookup_namespace("shop").is_some());
    server.put(shop("blue"));
    wait("the edit", || {
        let namespace = with.store().lookup_namespace("shop");
        namespace
            .is_some_and(|namespace| namespace.labels.as_ref().is_some_and(|labels| labels.contains("blue")))
    });
    assert_eq!(server.requests_of(Verb::List, "namespaces")[0].param("fieldSelector"), None);
}

#[test]
fn namespaces_that_may_not_be_listed_hold_no_start_and_show_once_they_may() {
    let server = ApiServer::start();
    server.put(
        json!({"kind": "Namespace", "metadata": {"name": "shop", "uid": "n", "labels": {"tier": "gold"}}}),
    );
    server.script(Verb::List, "namespaces", 2, Fault::Status(403));
    let mut config = config(&server);
    config.store.namespaces = true;
    let watch = start(&config);
    wait("a sync without them", || watch.store().is_synced());
    assert!(watch.store().lookup_namespace("shop").is_none());
    wait("them", || watch.store().lookup_namespace("shop").is_some());
}

#[test]
fn instances_with_the_same_settings_share_one_watch_and_the_last_one_ends_it() {
    let server = ApiServer::start();
    server.put(pod("web", "n1", "red"));
    let config = config(&server);
    let first = synced(&config);
    let second = start(&config);
    assert!(Arc::ptr_eq(&first, &second));
    drop(first);
    server.wait_for(Verb::Watch, "pods", 1);
    server.put(pod("web", "n1", "blue"));
    wait("the edit, for the one that is left", || team(&second, "web", "blue"));
    assert_eq!(server.requests().len(), 2);
    drop(second);
    let third = synced(&config);
    assert!(team(&third, "web", "blue"));
    assert_eq!(server.count(Verb::List, "pods"), 2, "a new start is a new watch");
}

#[test]
fn other_settings_are_another_watch() {
    let server = ApiServer::start();
    let first = config(&server);
    let mut second = first.clone();
    second.node = Node::Named("n2".into());
    assert!(!Arc::ptr_eq(&start(&first), &start(&second)));
}

#[test]
fn the_node_is_found_from_the_agents_own_pod() {
    let server = ApiServer::start();
    server.put(pod("agent-x", "n7", "red"));
    server.put(pod("neighbour", "n7", "red"));
    server.script(Verb::Get, "pods", 2, Fault::Status(500));
    let (_dir, namespace_file) = file("shop\n");
    let mut config = config(&server);
    config.node = Node::OfPod { name: "agent-x".into(), namespace_file };
    let watch = synced(&config);
    assert!(knows(&watch, "neighbour"));
    assert_eq!(server.requests_of(Verb::List, "pods")[0].param("fieldSelector"), Some("spec.nodeName=n7"));
}

#[test]
fn without_a_node_name_pods_are_looked_up_one_by_one_and_never_the_whole_cluster() {
    let server = ApiServer::start();
    server.put(pod("web", "n1", "red"));
    let (_dir, namespace_file) = file("shop");
    let mut config = config(&server);
    config.node = Node::OfPod { name: "no-such-pod".into(), namespace_file };
    let watch = synced(&config);
    watch.store().missed("shop", "web", LookupFor::Files);
    wait("the look-up", || knows(&watch, "web"));
    assert_eq!(server.count(Verb::List, "pods"), 0);
    server.put(pod("no-such-pod", "n1", "red"));
    wait("the watch, once the agent's pod is there", || server.count(Verb::Watch, "pods") == 1);
}

#[test]
fn a_url_may_have_a_path_before_the_api() {
    let server = ApiServer::start();
    let mut config = config(&server);
    config.client.url = format!("{}/k8s/clusters/c-1/", server.url());
    let watch = start(&config);
    wait("a request", || !server.requests().is_empty());
    assert_eq!(server.requests()[0].path, "/k8s/clusters/c-1/api/v1/pods");
    assert!(!watch.store().is_synced());
}

#[test]
fn a_url_that_is_none_is_refused_at_the_start() {
    let server = ApiServer::start();
    let mut config = config(&server);
    config.client.url = "api-server:6443".into();
    let owner = Owner { name: "filter:kube:kube.0".into(), level: 3 };
    let said = PodWatch::shared(&config, &owner).err().unwrap().to_string();
    assert!(said.contains("'api-server:6443'") && said.contains("http://"), "{said}");

    config.client.url = "https://me:secret@api-server:6443".into();
    let said = PodWatch::shared(&config, &owner).err().unwrap().to_string();
    assert!(said.contains("kube_token_file") && !said.contains("secret"), "{said}");
}

#[test]
fn where_pods_may_be_got_and_not_listed_they_are_looked_up_one_by_one() {
    let server = ApiServer::start();
    server.put(pod("web", "n1", "red"));
    server.script(Verb::List, "pods", usize::MAX, Fault::Status(403));
    let watch = start(&config(&server));
    wait("a sync without the list", || watch.store().is_synced());
    watch.store().missed("shop", "web", LookupFor::Files);
    wait("the look-up", || knows(&watch, "web"));
}

#[test]
fn where_pods_may_be_listed_and_not_watched_new_ones_are_looked_up() {
    let server = ApiServer::start();
    server.script(Verb::Watch, "pods", usize::MAX, Fault::Status(403));
    let watch = synced(&config(&server));
    server.put(pod("web", "n1", "red"));
    watch.store().missed("shop", "web", LookupFor::Files);
    wait("the look-up", || knows(&watch, "web"));
    assert_eq!(server.count(Verb::Get, "pods"), 1);
}

#[test]
fn an_aggregator_that_may_not_list_pods_looks_them_up_too() {
    let server = ApiServer::start();
    server.put(pod("web", "n1", "red"));
    server.script(Verb::List, "pods", usize::MAX, Fault::Status(403));
    let mut config = config(&server);
    config.node = Node::All;
    let watch = synced(&config);
    watch.store().missed("shop", "web", LookupFor::Files);
    wait("the look-up", || knows(&watch, "web"));
}
