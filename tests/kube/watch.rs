//! The pod watch against a scripted API server: what it asks for, and what it keeps through faults.

use std::{
    fs,
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use flb_kube_testing::{
    apiserver::{ApiServer, Fault, Verb},
    watching::{config, each, file, knows, pod, start, synced, team, wait},
};

#[test]
fn any_number_of_look_ups_costs_one_list_from_the_servers_memory_and_one_watch() {
    let server = ApiServer::start();
    server.put_all((0..1_200).map(|number| pod(&format!("web-{number:04}"), "n1", "red")));
    let watch = synced(&config(&server));
    server.wait_for(Verb::Watch, "pods", 1);
    for number in 0..100_000 {
        assert!(knows(&watch, &format!("web-{:04}", number % 1_200)));
    }
    let lists = server.requests_of(Verb::List, "pods");
    assert_eq!(lists.len(), 1);
    assert_eq!(lists[0].param("fieldSelector"), Some("spec.nodeName=n1"));
    assert_eq!((lists[0].param("resourceVersion"), lists[0].param("limit")), (Some("0"), None));
    assert_eq!(server.requests().len(), 2);
    let watches = server.requests_of(Verb::Watch, "pods");
    assert_eq!(watches[0].param("fieldSelector"), Some("spec.nodeName=n1"));
    assert_eq!(watches[0].param("allowWatchBookmarks"), Some("true"));
    assert_eq!(watches[0].param("resourceVersion"), Some("1201"), "the version of the list");
}

#[test]
fn pods_of_other_nodes_are_not_known() {
    let server = ApiServer::start();
    server.put(pod("near", "n1", "red"));
    server.put(pod("far", "n2", "red"));
    let watch = synced(&config(&server));
    assert!(knows(&watch, "near") && !knows(&watch, "far"));
}

#[test]
fn a_label_edit_and_a_new_pod_are_seen() {
    let server = ApiServer::start();
    server.put(pod("web", "n1", "red"));
    let watch = synced(&config(&server));
    server.put(pod("web", "n1", "blue"));
    wait("the edit", || team(&watch, "web", "blue"));
    server.put(pod("new", "n1", "red"));
    wait("the new pod", || knows(&watch, "new"));
    assert_eq!(server.count(Verb::List, "pods"), 1);
}

#[test]
fn a_deleted_pod_stays_for_the_grace_time_and_no_longer() {
    let server = ApiServer::start();
    server.put_all([pod("web", "n1", "red"), pod("other", "n1", "red")]);
    let mut config = config(&server);
    config.store.delete_grace = Duration::from_millis(300);
    let watch = synced(&config);
    server.delete("pods", "shop", "web");
    server.put(pod("after", "n1", "red"));
    wait("the event after the deletion", || knows(&watch, "after"));
    assert!(knows(&watch, "web"), "its last lines may still come");
    wait("the end of the grace time", || !knows(&watch, "web"));
    assert!(knows(&watch, "other"));
}

#[test]
fn line_33_after_410_a_new_list_keeps_the_known_and_lets_the_deleted_linger() {
    for in_stream in [false, true] {
        let server = ApiServer::start();
        server.put_all([pod("stays", "n1", "red"), pod("goes", "n1", "red")]);
        let watch = synced(&config(&server));
        server.wait_for(Verb::Watch, "pods", 1);
        server.set_down(true);
        server.delete("pods", "shop", "goes");
        server.put(pod("comes", "n1", "red"));
        if in_stream {
            server.compact();
        } else {
            server.script(Verb::Watch, "pods", 1, Fault::Status(410));
        }
        server.set_down(false);
        wait("the pod that came meanwhile", || knows(&watch, "comes"));
        assert!(knows(&watch, "stays") && knows(&watch, "goes"));
        assert_eq!(watch.counters().expired.load(Ordering::Relaxed), 1);
        assert_eq!(server.count(Verb::List, "pods"), 2);
    }
}

#[test]
fn a_list_whose_pages_expire_is_taken_whole() {
    let server = ApiServer::start();
    server.put_all((0..600).map(|number| pod(&format!("web-{number}"), "n1", "red")));
    server.script(Verb::List, "pods", 1, Fault::Status(400));
    server.script(Verb::List, "pods", 1, Fault::Split(4096));
    server.script(Verb::List, "pods", 1, Fault::Status(410));
    let watch = synced(&config(&server));
    assert_eq!(watch.store().len(), 600);
    let limits: Vec<_> =
        server.requests_of(Verb::List, "pods").iter().map(|list| list.param("limit").is_some()).collect();
    assert_eq!(limits, [false, true, true, false], "a server that takes no version, then pages, then all");
}

#[test]
fn line_19_a_refused_token_is_read_again_at_once() {
    let server = ApiServer::start();
    server.put(pod("web", "n1", "red"));
    server.require_token("first");
    let (_dir, token) = file("first\n");
    let mut config = config(&server);
    config.client.token_file = Some(token.clone());
    config.client.token_ttl = Duration::from_secs(3600);
    let watch = synced(&config);
    server.wait_for(Verb::Watch, "pods", 1);
    // Same length and, with luck, the same second: only the refusal tells.
    let before = fs::metadata(&token).unwrap().modified().unwrap();
    fs::write(&token, "other\n").unwrap();
    fs::File::options().append(true).open(&token).unwrap().set_modified(before).unwrap();
    server.require_token("other");
    server.cut();
    server.wait_for(Verb::Watch, "pods", 3);
    let sent: Vec<_> =
        server.requests_of(Verb::Watch, "pods").into_iter().map(|seen| seen.authorization.unwrap()).collect();
    assert_eq!(sent[..3], ["Bearer first", "Bearer first", "Bearer other"]);
    server.put(pod("web", "n1", "blue"));
    wait("the edit", || team(&watch, "web", "blue"));
    assert_eq!(watch.counters().failures.load(Ordering::Relaxed), 1, "the cut alone");
}

#[test]
fn a_token_that_stays_refused_is_no_reason_to_hammer() {
    let server = ApiServer::start();
    server.require_token("right");
    let (_dir, token) = file("wrong");
    let mut config = config(&server);
    config.client.token_file = Some(token.clone());
    let started = Instant::now();
    let watch = start(&config);
    server.wait_for(Verb::List, "pods", 4);
    // Pauses of at least 200, 400 and 800 ms lie between four tries.
    assert!(started.elapsed() >= Duration::from_millis(1400));
    fs::write(&token, "right").unwrap();
    wait("the right token", || watch.store().is_synced());
}

#[test]
fn line_33_what_is_known_stays_through_every_fault_and_the_watch_recovers() {
    let faults = [
        Fault::Status(500),
        Fault::Status(403),
        Fault::TooMany(1),
        Fault::Stall,
        Fault::Cut(0),
        Fault::Cut(100),
        Fault::Truncate(100),
        Fault::Line("{\"type\":\"MODIFIED\",\"object\":[]}".into()),
        Fault::Line("not even JSON".into()),
        Fault::Line("too long ".repeat(1 << 20)),
        Fault::in_stream(500, "InternalError"),
    ];
    each(faults, |fault| {
        let server = ApiServer::start();
        server.put(pod("web", "n1", "red"));
        let watch = synced(&config(&server));
        server.wait_for(Verb::Watch, "pods", 1);
        server.script(Verb::Watch, "pods", 2, fault.clone());
        server.cut();
        server.wait_for(Verb::Watch, "pods", 2);
        assert!(knows(&watch, "web"), "{fault:?}");
        server.put(pod("web", "n1", "blue"));
        wait(&format!("the edit in spite of {fault:?}"), || team(&watch, "web", "blue"));
    });
}

#[test]
fn line_33_a_list_that_fails_in_any_way_is_tried_again_and_never_half_believed() {
    let faults =
        [Fault::Status(503), Fault::Cut(700), Fault::Truncate(700), Fault::Stall, Fault::StallAfter(700)];
    each(faults, |fault| {
        let server = ApiServer::start();
        server.put_all((0..10).map(|number| pod(&format!("web-{number}"), "n1", "red")));
        server.script(Verb::List, "pods", 1, fault.clone());
        let watch = start(&config(&server));
        server.wait_for(Verb::List, "pods", 1);
        assert!(watch.store().is_empty(), "{fault:?}");
        wait(&format!("a list in spite of {fault:?}"), || watch.store().is_synced());
        assert_eq!(watch.store().len(), 10);
    });
}

#[test]
fn an_answer_in_pieces_of_any_size_reads_the_same() {
    each([1, 2, 3, 7, 64, 1000], |size| {
        let server = ApiServer::start();
        server.put(pod("listed", "n1", "red"));
        server.script(Verb::List, "pods", 1, Fault::Split(size));
        server.script(Verb::Watch, "pods", 1, Fault::Split(size));
        let watch = synced(&config(&server));
        server.put_all((0..5).map(|number| pod(&format!("web-{number}"), "n1", "grün")));
        wait("the watched pods", || (0..5).all(|number| team(&watch, &format!("web-{number}"), "grün")));
        assert_eq!(watch.counters().bad_lines.load(Ordering::Relaxed), 0);
    });
}

#[test]
fn a_broken_watch_goes_on_from_the_last_version_without_a_list() {
    let server = ApiServer::start();
    server.put(pod("web", "n1", "red"));
    let watch = synced(&config(&server));
    server.wait_for(Verb::Watch, "pods", 1);
    let version = server.put(pod("web", "n1", "blue"));
    wait("the edit", || team(&watch, "web", "blue"));
    server.cut();
    server.wait_for(Verb::Watch, "pods", 2);
    assert_eq!(server.requests_of(Verb::Watch, "pods")[1].param("resourceVersion"), Some(version.as_str()));
    assert_eq!(server.count(Verb::List, "pods"), 1);
}

#[test]
fn line_33_a_bookmark_moves_the_version_that_a_quiet_watch_goes_on_from() {
    let server = ApiServer::start();
    let watch = synced(&config(&server));
    server.wait_for(Verb::Watch, "pods", 1);
    let version = server.put(pod("elsewhere", "n2", "red"));
    let before = watch.counters().last_sync.swap(0, Ordering::Relaxed);
    assert!(before > 0);
    wait("the bookmark", || {
        server.bookmark();
        watch.counters().last_sync.load(Ordering::Relaxed) > 0
    });
    server.cut();
    server.wait_for(Verb::Watch, "pods", 2);
    assert_eq!(server.requests_of(Verb::Watch, "pods")[1].param("resourceVersion"), Some(version.as_str()));
}

#[test]
fn after_a_watch_on_which_nothing_came_a_list_tells_what_happened() {
    let server = ApiServer::start();
    server.put(pod("web", "n1", "red"));
    server.script(Verb::Watch, "pods", 1, Fault::StallAfter(0));
    let mut config = config(&server);
    config.idle_limit = Duration::from_millis(200);
    let watch = synced(&config);
    server.wait_for(Verb::Watch, "pods", 1);
    server.put(pod("web", "n1", "blue"));
    wait("the edit, by a second list", || team(&watch, "web", "blue"));
    assert!(server.count(Verb::List, "pods") >= 2);
    assert!(watch.counters().idle.load(Ordering::Relaxed) >= 1);
}

#[test]
fn the_pause_that_a_server_asks_for_is_kept() {
    let server = ApiServer::start();
    server.script(Verb::List, "pods", 1, Fault::TooMany(2));
    let _watch = synced(&config(&server));
    let lists = server.requests_of(Verb::List, "pods");
    assert!(lists[1].at - lists[0].at >= Duration::from_secs(2));
}

#[test]
fn an_outage_of_any_length_costs_no_list() {
    let faults = [
        None,
        Some(Fault::Status(503)),
        Some(Fault::TooMany(0)),
        Some(Fault::in_stream(500, "InternalError")),
    ];
    each(faults, |fault| {
        let server = ApiServer::start();
        server.put(pod("web", "n1", "red"));
        let watch = synced(&config(&server));
        server.wait_for(Verb::Watch, "pods", 1);
        match &fault {
            Some(fault) => {
                server.script(Verb::Watch, "pods", 5, fault.clone());
                server.cut();
            }
            None => server.set_down(true),
        }
        wait("five failures", || watch.counters().failures.load(Ordering::Relaxed) >= 5);
        server.put(pod("web", "n1", "blue"));
        server.set_down(false);
        wait("the edit", || team(&watch, "web", "blue"));
        assert_eq!(server.count(Verb::List, "pods"), 1, "{fault:?}");
    });
}

#[test]
fn a_new_list_is_not_older_than_what_is_known_and_asks_for_no_version_where_the_server_is_behind_it() {
    let server = ApiServer::start();
    server.put_all((0..600).map(|number| pod(&format!("web-{number}"), "n1", "red")));
    let watch = synced(&config(&server));
    server.wait_for(Verb::Watch, "pods", 1);
    server.script(Verb::Watch, "pods", 1, Fault::Status(410));
    server.script(Verb::List, "pods", 1, Fault::Status(504));
    server.cut();
    server.wait_for(Verb::Watch, "pods", 3);
    assert_eq!(watch.store().len(), 600);
    let asked = |key: &str| -> Vec<_> {
        let lists = server.requests_of(Verb::List, "pods");
        lists.iter().map(|list| list.param(key).map(str::to_owned)).collect()
    };
    let is_set = |key: &str| asked(key).iter().map(Option::is_some).collect::<Vec<_>>();
    assert_eq!(asked("resourceVersion")[..2], [Some("0".into()), Some("601".into())]);
    assert_eq!(asked("resourceVersionMatch")[1].as_deref(), Some("NotOlderThan"));
    assert_eq!(is_set("resourceVersion"), [true, true, false, false]);
    assert_eq!(is_set("limit"), [false, false, true, true], "pages of 500 only where they cost nothing more");
    assert_eq!(is_set("continue"), [false, false, false, true]);
}

#[test]
fn an_object_of_a_list_that_can_not_be_read_keeps_what_was_known_of_it() {
    let server = ApiServer::start();
    server.put_all(["one", "two", "gone"].map(|name| pod(name, "n1", "red")));
    let mut config = config(&server);
    config.store.delete_grace = Duration::from_millis(100);
    let watch = synced(&config);
    server.wait_for(Verb::Watch, "pods", 1);
    server.set_down(true);
    for name in ["one", "two"] {
        let mut bad = pod(name, "n1", "blue");
        bad["status"]["phase"] = serde_json::json!({"no": "text"});
        server.put(bad);
    }
    server.delete("pods", "shop", "gone");
    server.compact();
    server.set_down(false);
    wait("the end of the grace time", || !knows(&watch, "gone"));
    assert!(team(&watch, "one", "red") && team(&watch, "two", "red"));
    assert_eq!(watch.counters().bad_lines.load(Ordering::Relaxed), 2);
}

#[test]
fn a_server_that_is_away_at_the_start_is_waited_for() {
    let server = ApiServer::start();
    server.put(pod("web", "n1", "red"));
    server.set_down(true);
    let watch = start(&config(&server));
    wait("the first failure", || watch.counters().failures.load(Ordering::Relaxed) > 0);
    assert!(!watch.store().is_synced());
    server.set_down(false);
    wait("the list", || knows(&watch, "web"));
}
