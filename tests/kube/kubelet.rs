//! Kubelet mode: pods asked of the node's kubelet, against a scripted one over TLS, as a library and within hosts.

#![allow(clippy::unwrap_used, reason = "that is how a test fails")]

use std::{
    fs,
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use flb_kube::kube::{
    store::LookupFor,
    watch::{PodWatch, WatchConfig},
};
use flb_kube_testing::{
    apiserver::ApiServer,
    host::{FILTER, Host, each},
    kubelet::{Kubelet, Meets, fixture},
    watching::{self, file, start, synced, wait},
};
use serde_json::{Value, json};

fn pod(namespace: &str, name: &str, team: &str) -> Value {
    json!({
        "metadata": {
            "name": name, "namespace": namespace, "uid": format!("of {namespace}/{name}"), "labels": {"team": team},
        },
        "spec": {"nodeName": "n1"},
    })
}

/// Asks this kubelet so often; there is an API server as well.
fn config(kubelet: &Kubelet, server: &ApiServer, every: Duration) -> WatchConfig {
    let mut config = watching::config(server);
    let mut client = config.client.clone();
    client.url = format!("https://127.0.0.1:{}", kubelet.port());
    client.ca_file = Some(fixture("ca.pem"));
    client.tls_verify_hostname = false;
    config.kubelet = Some(flb_kube::kube::watch::kubelet::Config { client, poll_interval: every });
    config
}

fn team(watch: &PodWatch, namespace: &str, name: &str, team: &str) -> bool {
    let pod = watch.store().lookup(namespace, name);
    pod.is_some_and(|pod| pod.labels.as_ref().is_some_and(|labels| labels.contains(team)))
}

const RARELY: Duration = Duration::from_secs(3600);
const OFTEN: Duration = Duration::from_millis(50);

#[test]
fn line_14_one_answer_serves_all_pods_by_their_exact_name_and_no_api_server_is_asked() {
    let (kubelet, server) = (Kubelet::start(), ApiServer::start());
    kubelet.set_pods([
        pod("shop-prod", "web-10", "wrong"),
        pod("shop", "web-10", "ten"),
        pod("shop", "web-1", "one"),
        pod("shop-prod", "web-1", "other"),
    ]);
    let config = config(&kubelet, &server, RARELY);
    let watch = synced(&config);
    let again = start(&config);
    for _ in 0..10_000 {
        assert!(team(&watch, "shop", "web-1", "one") && team(&again, "shop", "web-10", "ten"));
        assert!(team(&watch, "shop-prod", "web-1", "other"));
        assert!(watch.store().lookup("shop", "web").is_none());
    }
    let requests = kubelet.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].path, "/pods");
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn line_14_the_kubelet_is_asked_once_per_interval() {
    let (kubelet, server) = (Kubelet::start(), ApiServer::start());
    kubelet.set_pods([pod("shop", "web", "red")]);
    let watch = synced(&config(&kubelet, &server, Duration::from_millis(400)));
    kubelet.set_pods([pod("shop", "web", "blue")]);
    wait("the edit", || team(&watch, "shop", "web", "blue"));
    wait("five requests", || kubelet.count() >= 5);
    let requests = kubelet.requests();
    let least = requests.windows(2).map(|two| two[1].at - two[0].at).min().unwrap();
    assert!(least >= Duration::from_millis(390), "{least:?}");
}

#[test]
fn line_14_a_pod_that_the_last_answer_did_not_name_is_asked_for_sooner_and_rarely() {
    let (kubelet, server) = (Kubelet::start(), ApiServer::start());
    kubelet.set_pods([pod("shop", "web", "red")]);
    let watch = synced(&config(&kubelet, &server, RARELY));
    kubelet.set_pods([pod("shop", "web", "red"), pod("shop", "new", "blue")]);
    let named = Instant::now();
    wait("the new pod", || {
        watch.store().missed("shop", "new", LookupFor::Files);
        (0..100).for_each(|n| watch.store().missed("shop", &format!("gone-{n}"), LookupFor::Files));
        team(&watch, "shop", "new", "blue")
    });
    assert!(named.elapsed() < Duration::from_secs(30));
    // Those that are gone are not asked for again for five seconds.
    let until = Instant::now() + Duration::from_secs(3);
    while Instant::now() < until {
        (0..100).for_each(|n| watch.store().missed("shop", &format!("gone-{n}"), LookupFor::Files));
    }
    let requests = kubelet.requests();
    assert!((2..=3).contains(&requests.len()), "{requests:?}");
    assert!(
        requests.windows(2).all(|two| two[1].at - two[0].at >= Duration::from_millis(990)),
        "{requests:?}"
    );
}

#[test]
fn line_14_a_pod_whose_name_another_had_is_asked_for_sooner_by_its_uid() {
    let (kubelet, server) = (Kubelet::start(), ApiServer::start());
    let of = |uid: &str| json!({"metadata": {"name": "db-0", "namespace": "shop", "uid": uid, "labels": {"run": uid}}});
    kubelet.set_pods([of("u-1")]);
    let watch = synced(&config(&kubelet, &server, RARELY));
    kubelet.set_pods([of("u-2")]);
    let run = |uid: &str| {
        let pod = watch.store().lookup_run("shop", "db-0", Some(uid));
        pod.is_some_and(|pod| pod.meta.uid.as_deref() == Some(uid))
    };
    assert!(run("u-1") && !run("u-2"));
    wait("the new pod", || {
        watch.store().request_refresh("shop", "db-0", LookupFor::Files);
        run("u-2")
    });
    assert!(run("u-1"), "the last lines of the one before");
    assert_eq!(kubelet.count(), 2);
}

#[test]
fn an_answer_of_many_megabytes_in_pieces_is_read() {
    let (kubelet, server) = (Kubelet::start(), ApiServer::start());
    let large = |n: usize| {
        let mut pod = pod("shop", &format!("web-{n}"), "red");
        let env: Vec<_> =
            (0..500).map(|n| json!({"name": format!("VARIABLE_{n}"), "value": "x".repeat(80)})).collect();
        pod["spec"]["containers"] = json!([{"name": "main", "env": env}]);
        pod
    };
    let pods: Vec<Value> = (0..100).map(large).collect();
    assert!(json!(pods).to_string().len() > 5 << 20);
    kubelet.set_pods(pods);
    kubelet.script(1, &Meets::Pieces(10_000));
    let watch = synced(&config(&kubelet, &server, RARELY));
    assert_eq!(watch.store().len(), 100);
}

#[test]
fn what_is_known_stays_through_every_fault_and_pauses_grow() {
    let faults = [
        Meets::Status(500, "oops"),
        Meets::Status(403, "Forbidden"),
        Meets::Stall,
        Meets::Cut(20),
        Meets::Body("{}"),
        Meets::Body("{\"kind\":\"Status\"}"),
        Meets::Body("not JSON"),
    ];
    watching::each(faults, |fault| {
        let (kubelet, server) = (Kubelet::start(), ApiServer::start());
        kubelet.set_pods([pod("shop", "web", "red")]);
        let watch = synced(&config(&kubelet, &server, OFTEN));
        kubelet.script(3, &fault);
        let from = kubelet.count();
        let count = |count: &std::sync::atomic::AtomicU64| count.load(Ordering::Relaxed);
        wait("the failures", || {
            let counters = watch.counters();
            count(&counters.failures) >= 3 && count(&counters.unanswered) + count(&counters.unreadable) >= 3
        });
        assert!(team(&watch, "shop", "web", "red"), "{fault:?}");
        kubelet.set_pods([pod("shop", "web", "blue")]);
        wait(&format!("the edit after {fault:?}"), || team(&watch, "shop", "web", "blue"));
        let requests = kubelet.requests();
        // Pauses of at least 200, 400 and 800 ms follow three failures.
        let took = requests.last().unwrap().at - requests[from].at;
        assert!(took >= Duration::from_millis(1300), "{fault:?}: {took:?}");
    });
}

#[test]
fn a_pod_that_the_kubelet_names_no_more_stays_for_the_grace_time_also_if_it_was_the_last() {
    let (kubelet, server) = (Kubelet::start(), ApiServer::start());
    kubelet.set_pods([pod("shop", "web", "red")]);
    let mut config = config(&kubelet, &server, OFTEN);
    config.store.delete_grace = Duration::from_secs(1);
    let watch = synced(&config);
    kubelet.set_pods([]);
    let asked = kubelet.count();
    wait("two answers without it", || kubelet.count() >= asked + 3);
    assert!(team(&watch, "shop", "web", "red"), "its last lines may still come");
    wait("the end of the grace time", || watch.store().is_empty());
}

#[test]
fn a_rotated_token_is_read_again_at_once() {
    let (kubelet, server) = (Kubelet::start(), ApiServer::start());
    kubelet.set_pods([pod("shop", "web", "red")]);
    kubelet.require_token("first");
    let (_folder, token) = file("first\n");
    let mut config = config(&kubelet, &server, OFTEN);
    config.kubelet.as_mut().unwrap().client.token_file = Some(token.clone());
    config.kubelet.as_mut().unwrap().client.token_ttl = RARELY;
    let watch = synced(&config);
    // Written first, so that the kubelet's refusal is what tells of it at the latest.
    fs::write(&token, "second\n").unwrap();
    kubelet.require_token("second");
    kubelet.set_pods([pod("shop", "web", "blue")]);
    wait("the edit", || team(&watch, "shop", "web", "blue"));
    assert!(watch.counters().failures.load(Ordering::Relaxed) <= 1);
    assert_eq!(kubelet.requests().last().unwrap().token.as_deref(), Some("second"));
}

#[test]
fn a_kubelet_that_the_ca_does_not_vouch_for_gets_no_token_unless_that_is_wished() {
    let (kubelet, server) = (Kubelet::start(), ApiServer::start());
    kubelet.set_pods([pod("shop", "web", "red")]);
    let mut config = config(&kubelet, &server, OFTEN);
    config.kubelet.as_mut().unwrap().client.ca_file = Some(fixture("other-ca.pem"));
    let watch = start(&config);
    wait("failures", || watch.counters().failures.load(Ordering::Relaxed) >= 2);
    assert_eq!((kubelet.count(), watch.store().len()), (0, 0));
    config.kubelet.as_mut().unwrap().client.tls_verify = false;
    assert!(team(&synced(&config), "shop", "web", "red"));
}

const TAG: &str = "kube.var.log.containers.web-1_shop_app-\
                   0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef.log";

/// A record every 100 ms, enriched by a filter with these options, printed.
fn pipeline(filter: &str) -> String {
    format!(
        "[SERVICE]\n    Flush 0.1\n    Grace 2\n    Log_Level info\n\
         [INPUT]\n    Name dummy\n    Tag {TAG}\n    Rate 10\n    Dummy {{\"log\":\"hello\"}}\n\
         [FILTER]\n    Name kube\n    Match kube.*\n    Use_Kubelet on\n{filter}\
         [OUTPUT]\n    Name stdout\n    Match *\n    Format json_lines\n"
    )
}

#[test]
fn line_14_lines_are_enriched_in_every_host_from_the_kubelet_alone_and_a_refusal_names_the_permission() {
    each(Host::few(), |host| {
        let (kubelet, server) = (Kubelet::start(), ApiServer::start());
        kubelet.set_pods([pod("shop-prod", "web-10", "wrong"), pod("shop", "web-1", "right")]);
        kubelet.require_token("s3cret");
        let refused = "Forbidden (user=agent, verb=get, resource=nodes, subresource(s)=[pods proxy])";
        kubelet.script(2, &Meets::Status(403, refused));
        let config = pipeline(&format!(
            "    Kube_URL {}\n    Kube_Token_File FOLDER/token\n    Kube_CA_File /no/such/file\n    \
             Kubelet_CA_File {}\n    Kubelet_Port {}\n    Kubelet_Poll_Interval 1s\n",
            server.url(),
            fixture("ca.pem").display(),
            kubelet.port()
        ));
        let mut running = host.start(&config).plugins(&[FILTER]).file("token", "s3cret\n").run();
        running.wait_for_lines("\"team\":\"right\"", 3);
        let asked = kubelet.count();
        running.wait("the next request", |_| kubelet.count() > asked);
        running.stop();
        let log = running.log();
        assert_eq!(running.count("grant get on nodes/pods"), 1, "{log}");
        assert!(log.contains("subresource(s)=[pods proxy]") && log.contains("answers again"), "{log}");
        assert!(!log.contains("wrong") && !log.contains("s3cret"), "{log}");
        assert!(kubelet.requests().iter().all(|seen| seen.path == "/pods"));
        assert_eq!(server.requests().len(), 0, "{}: the API server was asked", host.name);
    });
}

#[test]
fn options_of_the_kubelet_that_can_not_be_meant_refuse_the_start() {
    let host = Host::stand_in("5.1.1");
    for (options, said) in [
        ("    Kubelet_Host https://node\n", "option 'kubelet_host': 'https://node' is no host"),
        ("    Kubelet_Poll_Interval 0\n", "option 'kubelet_poll_interval': '0' is no time"),
        ("    Kube_Scope cluster\n", "option 'use_kubelet': 'on' does not go with kube_scope cluster"),
    ] {
        let mut running = host.start(&pipeline(options)).plugins(&[FILTER]).run();
        assert!(!running.wait_for_end().success(), "{options}");
        assert!(running.log().contains(said), "{}", running.log());
    }
}
