//! What the server, the network and the engine may do, without an event being lost or repeated.

use std::time::{Duration, Instant};

use flb_kube::{
    options::Options,
    plugin::{Input, Wake},
    plugins::in_kube_events::{KubeEvents, KubeEventsOptions},
    runtime::{Owner, Tasks},
};
use flb_kube_testing::{
    apiserver::{ApiServer, Fault, Verb},
    collecting::{Rig, event, versions},
};

use crate::records::line;

/// Starts, lets `fault` meet the first watch, and expects the same three events as without it.
fn survives(verb: Verb, fault: Fault) {
    let server = ApiServer::start();
    server.put(event("one", 1));
    server.script(verb, "events", 1, fault.clone());
    // A stream that stalls within a line is given up then.
    let mut rig = Rig::start(&server, &[("kube_watch_timeout", "1s")]);
    rig.until_taken(1);
    server.wait_for(Verb::Watch, "events", 1);
    server.put(event("two", 1));
    server.put(event("one", 2));
    rig.until_taken(3);
    server.put(event("three", 1));
    rig.until_taken(4);
    let taken = rig.stop();
    assert!(versions(&taken).values().all(|times| *times == 1), "{fault:?}: {taken:?}");
    assert_eq!(taken.len(), 4, "{fault:?}");
}

#[test]
fn refusals_are_tried_again() {
    for code in [400, 401, 403, 404, 410, 429, 500, 503, 504] {
        survives(Verb::Watch, Fault::Status(code));
        survives(Verb::List, Fault::Status(code));
    }
}

#[test]
fn errors_in_the_stream_lead_to_a_list_or_a_new_watch() {
    for (code, reason) in [(410, "Expired"), (410, "Gone"), (500, "InternalError"), (504, "Timeout")] {
        survives(Verb::Watch, Fault::in_stream(code, reason));
    }
}

#[test]
fn an_expired_watch_lists_the_gap_and_another_error_does_not() {
    for (code, lists) in [(410, 2), (500, 1)] {
        let server = ApiServer::start();
        server.script(Verb::Watch, "events", 1, Fault::in_stream(code, "x"));
        let rig = Rig::start(&server, &[]);
        server.wait_for(Verb::Watch, "events", 2);
        assert_eq!(server.count(Verb::List, "events"), lists);
        rig.stop();
    }
}

#[test]
fn an_answer_may_break_end_or_be_cut_anywhere() {
    for bytes in [0, 1, 100, 700] {
        survives(Verb::Watch, Fault::Cut(bytes));
        survives(Verb::Watch, Fault::Truncate(bytes));
        survives(Verb::List, Fault::Cut(bytes));
        survives(Verb::List, Fault::Truncate(bytes));
    }
    for size in [1, 2, 7, 64] {
        survives(Verb::Watch, Fault::Split(size));
        survives(Verb::List, Fault::Split(size));
    }
}

#[test]
fn a_line_that_can_not_be_read_is_skipped_and_the_next_event_arrives() {
    let deep = format!("{}1{}", "[".repeat(500), "]".repeat(500));
    let lines = [
        Fault::Line("not JSON at all".into()),
        Fault::Line("{".into()),
        Fault::Line("null".into()),
        Fault::Line(
            r#"{"typeExtra":"ADDED","object":{"metadata":{"uid":"u","resourceVersion":"5"}}}"#.into(),
        ),
        Fault::Line(r#"{"type":"ADDED"}"#.into()),
        line("NEWS", r#"{"metadata":{"uid":"u","resourceVersion":"5"}}"#),
        line("ADDED", "[]"),
        line("ADDED", r#"{"metadata":{"name":"no uid","resourceVersion":"5"}}"#),
        line("ADDED", r#"{"metadata":{"name":"no version","uid":"u"}}"#),
        line("BOOKMARK", "{}"),
        line("ERROR", "5"),
        line("ADDED", &format!(r#"{{"metadata":{{"uid":"u","resourceVersion":"5"}},"deep":{deep}}}"#)),
        line("ADDED", "{\"metadata\":{\"uid\":\"\\ud800\"}}"),
    ];
    for line in lines {
        let server = ApiServer::start();
        server.script(Verb::Watch, "events", 1, line.clone());
        let mut rig = Rig::start(&server, &[]);
        server.wait_for(Verb::Watch, "events", 1);
        server.put(event("next", 1));
        rig.until_named("next");
        assert_eq!(rig.names(), ["next"], "{line:?}");
        assert_eq!(server.count(Verb::Watch, "events"), 1, "it goes on in the same watch: {line:?}");
        rig.stop();
    }
}

#[test]
fn a_rotated_token_is_read_again_when_the_old_one_is_refused() {
    let (server, folder) = (ApiServer::start(), tempfile::tempdir().unwrap());
    let path = folder.path().join("token");
    std::fs::write(&path, "token-1").unwrap();
    server.require_token("token-1");
    server.put(event("one", 1));
    let mut rig =
        Rig::start(&server, &[("kube_token_file", path.to_str().unwrap()), ("kube_token_ttl", "1d")]);
    rig.until_taken(1);
    server.wait_for(Verb::Watch, "events", 1);
    std::fs::write(&path, "token-2").unwrap();
    server.require_token("token-2");
    server.cut();
    server.put(event("two", 1));
    rig.until_taken(2);
    assert_eq!(server.count(Verb::List, "events"), 1);
    rig.stop();
}

#[test]
fn a_server_that_asks_for_time_gets_it() {
    let server = ApiServer::start();
    server.script(Verb::List, "events", 1, Fault::TooMany(1));
    server.put(event("one", 1));
    let started = Instant::now();
    let mut rig = Rig::start(&server, &[]);
    rig.until_taken(1);
    assert!(started.elapsed() >= Duration::from_secs(1));
    rig.stop();
}

#[test]
fn a_server_that_is_down_is_found_when_it_is_back() {
    let server = ApiServer::start();
    server.set_down(true);
    server.put(event("one", 1));
    let mut rig = Rig::start(&server, &[]);
    rig.until_taken(0);
    server.set_down(false);
    rig.until_taken(1);
    server.set_down(true);
    server.put(event("two", 1));
    server.set_down(false);
    rig.until_taken(2);
    rig.stop();
}

#[test]
fn a_watch_that_ends_as_usual_goes_on_where_it_was() {
    let server = ApiServer::start();
    let mut rig = Rig::start(&server, &[("kube_watch_timeout", "1s")]);
    for (n, name) in ["one", "two", "three"].into_iter().enumerate() {
        server.wait_for(Verb::Watch, "events", n + 1);
        server.put(event(name, 1));
        rig.until_named(name);
    }
    let taken = rig.stop();
    assert_eq!(taken.len(), 3);
    assert_eq!(server.count(Verb::List, "events"), 1);
    let watches = server.requests().into_iter().filter(|seen| seen.verb == Verb::Watch);
    assert!(watches.into_iter().all(|seen| seen.param("timeoutSeconds") == Some("1")));
}

#[test]
fn after_a_watch_that_brought_nothing_a_list_tells_whether_there_was_nothing() {
    let server = ApiServer::start();
    server.script(Verb::Watch, "events", 1, Fault::Truncate(0));
    let mut rig = Rig::start(&server, &[]);
    server.wait_for(Verb::List, "events", 2);
    server.put(event("one", 1));
    rig.until_taken(1);
    rig.stop();
}

#[test]
fn nothing_is_read_while_the_engine_is_paused() {
    let server = ApiServer::start();
    let mut rig = Rig::start(&server, &[]);
    server.put(event("one", 1));
    rig.until_taken(1);
    rig.input.pause();
    server.put(event("two", 1));
    let until = Instant::now() + Duration::from_millis(300);
    while Instant::now() < until {
        rig.input.collect(&mut rig.engine);
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(rig.names(), ["one"]);
    rig.input.resume();
    rig.until_taken(2);
    rig.stop();
}

#[test]
fn an_engine_that_takes_nothing_stops_the_reading() {
    let server = ApiServer::start();
    let mut big = event("", 1);
    big["message"] = "x".repeat(2_000).into();
    server.put_all((0..10_000).map(|n| {
        let mut big = big.clone();
        big["metadata"]["name"] = format!("e-{n:05}").into();
        big
    }));
    let mut rig = Rig::start(&server, &[]);
    server.wait_for(Verb::List, "events", 3);
    // All pages would be 20; the queue has room for about four.
    let (mut pages, mut since) = (0, Instant::now());
    while since.elapsed() < Duration::from_millis(500) {
        let now = server.count(Verb::List, "events");
        if now != pages {
            (pages, since) = (now, Instant::now());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(pages < 10, "{pages} pages were read");
    rig.until_taken(10_000);
    assert!(versions(&rig.stop()).values().all(|times| *times == 1));
}

#[test]
fn an_instance_ends_while_its_server_stalls() {
    for verb in [Verb::List, Verb::Watch] {
        let server = ApiServer::start();
        server.script(verb, "events", 1, Fault::Stall);
        let rig = Rig::start(&server, &[]);
        server.wait_for(verb, "events", 1);
        rig.stop();
    }
}

#[test]
fn a_bad_option_is_refused_with_a_sentence() {
    let refused = |key: &str, value: &str| {
        let loaded = KubeEventsOptions::load(&|asked| (asked == key).then(|| value.to_owned()));
        let options = match loaded {
            Err(bad) => return bad.to_string(),
            Ok(options) => options,
        };
        let tasks = Tasks::new(Owner { name: "input:kube_events:test".into(), level: 3 }).unwrap();
        let refusal = KubeEvents::start(options, tasks.clone(), Wake::new(|| ())).unwrap_err();
        tasks.stop();
        refusal.to_string()
    };
    for (key, value) in [
        ("kube_url", "kubernetes"),
        ("kube_namespace", "../pods"),
        ("kube_request_limit", "many"),
        ("kube_retention_time", "-1"),
        ("db.sync", "maybe"),
        ("db.locking", "maybe"),
        ("db.journal_mode", "maybe"),
    ] {
        let refused = refused(key, value);
        assert!(refused.contains(&format!("'{value}'")), "{key}: {refused}");
    }
}
