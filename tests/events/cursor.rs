//! The cursor: what a restart goes on from, and what happens when its file can't be used.

use std::path::Path;

use flb_kube_testing::{
    apiserver::{ApiServer, Fault, Seen, Verb},
    collecting::{Record, Rig, event, versions},
};
use rusqlite::Connection;

fn watches(server: &ApiServer) -> Vec<Seen> {
    server.requests().into_iter().filter(|seen| seen.verb == Verb::Watch).collect()
}

fn db(folder: &Path) -> String {
    folder.join("events.db").to_str().unwrap().to_owned()
}

/// Whatever was taken was taken once.
fn once(runs: &[Vec<Record>]) -> usize {
    let versions = versions(&runs.concat());
    assert!(versions.values().all(|times| *times == 1), "{versions:?}");
    versions.len()
}

#[test]
fn a_restart_goes_on_from_the_cursor_without_a_list() {
    let (server, folder) = (ApiServer::start(), tempfile::tempdir().unwrap());
    let path = db(folder.path());
    server.put_all((0..10).map(|n| event(&format!("before-{n}"), 1)));
    let mut rig = Rig::start(&server, &[("db", &path)]);
    rig.until_taken(10);
    server.put(event("watched", 1));
    rig.until_taken(11);
    let first = rig.stop();
    // Meanwhile: a new one, and an update of one that is known.
    server.put(event("meanwhile", 1));
    server.put(event("before-3", 2));
    let mut rig = Rig::start(&server, &[("db", &path)]);
    rig.until_taken(2);
    assert_eq!(rig.names(), ["meanwhile", "before-3"]);
    assert_eq!(once(&[first, rig.stop()]), 13);
    assert_eq!(server.count(Verb::List, "events"), 1);
}

#[test]
fn a_bookmark_moves_the_cursor() {
    let (server, folder) = (ApiServer::start(), tempfile::tempdir().unwrap());
    let path = db(folder.path());
    server.put(event("one", 1));
    let mut rig = Rig::start(&server, &[("db", &path)]);
    rig.until_taken(1);
    server.wait_for(Verb::Watch, "events", 1);
    assert_eq!(watches(&server)[0].param("allowWatchBookmarks"), Some("true"));
    let pods = server.put(serde_json::json!({"kind": "Pod", "metadata": {"name": "web-1"}}));
    server.bookmark();
    let stored = || {
        let query = "SELECT resource_version FROM cursor";
        Connection::open(&path).unwrap().query_row(query, [], |row| row.get::<_, String>(0)).ok()
    };
    rig.until("the bookmark in the database", |_| stored().as_deref() == Some(&pods));
    rig.stop();
    let rig = Rig::start(&server, &[("db", &path)]);
    server.wait_for(Verb::Watch, "events", 2);
    assert_eq!(watches(&server)[1].param("resourceVersion"), Some(pods.as_str()));
    rig.stop();
}

#[test]
fn what_the_engine_did_not_take_is_kept_and_not_committed() {
    let (server, folder) = (ApiServer::start(), tempfile::tempdir().unwrap());
    let path = db(folder.path());
    server.put_all((0..100).map(|n| event(&format!("e-{n:03}"), 1)));
    let mut rig = Rig::start(&server, &[("db", &path)]);
    rig.engine.refuse = 3;
    rig.until("three refusals", |engine| engine.refuse == 0);
    rig.until_taken(100);
    server.wait_for(Verb::Watch, "events", 1);
    rig.engine.refuse = usize::MAX;
    server.put_all((0..5).map(|n| event(&format!("late-{n}"), 1)));
    rig.until("a refusal", |engine| engine.refuse < usize::MAX);
    let first = rig.stop();
    assert_eq!(first.len(), 100);
    let mut rig = Rig::start(&server, &[("db", &path)]);
    rig.until_taken(5);
    assert_eq!(once(&[first, rig.stop()]), 105);
    assert_eq!(server.count(Verb::List, "events"), 1);
}

#[test]
fn a_cursor_that_the_server_has_forgotten_leads_to_a_list_and_only_its_news() {
    let (server, folder) = (ApiServer::start(), tempfile::tempdir().unwrap());
    let path = db(folder.path());
    server.put_all((0..10).map(|n| event(&format!("before-{n}"), 1)));
    let mut rig = Rig::start(&server, &[("db", &path)]);
    rig.until_taken(10);
    server.wait_for(Verb::Watch, "events", 1);
    let first = rig.stop();
    server.put(event("gap", 1));
    server.put(event("before-7", 2));
    server.compact();
    let mut rig = Rig::start(&server, &[("db", &path)]);
    rig.until_taken(2);
    server.put(event("after", 1));
    rig.until_taken(3);
    assert_eq!(rig.names(), ["before-7", "gap", "after"]);
    assert_eq!(once(&[first, rig.stop()]), 13);
    assert_eq!(server.count(Verb::List, "events"), 2);
}

#[test]
fn a_downtime_longer_than_the_retention_hides_nothing() {
    let (server, folder) = (ApiServer::start(), tempfile::tempdir().unwrap());
    let path = db(folder.path());
    server.put(event("known", 1));
    let mut rig = Rig::start(&server, &[("db", &path), ("kube_retention_time", "1h")]);
    rig.until_taken(1);
    server.wait_for(Verb::Watch, "events", 1);
    rig.stop();
    // As if all this had been three hours ago, and the gap two.
    let hour = 3_600 * 1_000_000_000_i64;
    let file = Connection::open(&path).unwrap();
    file.execute("UPDATE cursor SET live = live - ?", [3 * hour]).unwrap();
    file.execute("UPDATE seen SET last_ns = last_ns - ?", [3 * hour]).unwrap();
    drop(file);
    let hours_ago = |hours: u64| {
        let seconds = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs() - hours * 3_600;
        kube_stamp(seconds)
    };
    for (name, hours) in [("gap", 2), ("history", 5)] {
        let mut event = event(name, 1);
        event["metadata"]["creationTimestamp"] = hours_ago(hours).into();
        server.put(event);
    }
    server.compact();
    let mut rig = Rig::start(&server, &[("db", &path), ("kube_retention_time", "1h")]);
    server.wait_for(Verb::Watch, "events", 3);
    server.put(event("after", 1));
    rig.until_named("after");
    assert_eq!(rig.names(), ["gap", "after"]);
    rig.stop();
}

fn kube_stamp(seconds: u64) -> String {
    let seconds = i64::try_from(seconds).unwrap();
    k8s_openapi::jiff::Timestamp::from_second(seconds).unwrap().to_string()
}

#[test]
fn inputs_of_different_namespaces_share_a_file_without_sharing_a_cursor() {
    let (server, folder) = (ApiServer::start(), tempfile::tempdir().unwrap());
    let path = db(folder.path());
    server.put(event("ours", 1));
    let mut all = Rig::start(&server, &[("db", &path)]);
    let mut one = Rig::start(&server, &[("db", &path), ("kube_namespace", "shop")]);
    let mut other = Rig::start(&server, &[("db", &path), ("kube_namespace", "other")]);
    all.until_taken(1);
    one.until_taken(1);
    let paths: Vec<_> = server.requests().into_iter().map(|seen| seen.path).collect();
    assert!(paths.contains(&"/api/v1/namespaces/shop/events".to_owned()), "{paths:?}");
    let mut theirs = event("theirs", 1);
    theirs["metadata"]["namespace"] = "other".into();
    server.put(theirs);
    other.until_taken(1);
    all.until_taken(2);
    assert_eq!(other.names(), ["theirs"]);
    assert_eq!(one.stop().len(), 1);
    all.stop();
    other.stop();
}

#[test]
fn a_damaged_file_is_set_aside_and_a_new_one_started() {
    let (server, folder) = (ApiServer::start(), tempfile::tempdir().unwrap());
    let path = db(folder.path());
    std::fs::write(&path, vec![b'?'; 20_000]).unwrap();
    server.put(event("one", 1));
    let mut rig = Rig::start(&server, &[("db", &path)]);
    rig.until_taken(1);
    server.wait_for(Verb::Watch, "events", 1);
    rig.stop();
    let aside = std::fs::read_dir(folder.path())
        .unwrap()
        .filter_map(Result::ok)
        .find(|file| file.file_name().to_str().unwrap().starts_with("events.db.damaged-"));
    assert_eq!(std::fs::read(aside.unwrap().path()).unwrap(), vec![b'?'; 20_000]);
    server.put(event("two", 1));
    let mut rig = Rig::start(&server, &[("db", &path)]);
    rig.until_taken(1);
    assert_eq!(rig.names(), ["two"]);
    rig.stop();
}

#[test]
fn a_file_that_another_process_locks_stops_no_event() {
    let (server, folder) = (ApiServer::start(), tempfile::tempdir().unwrap());
    let path = db(folder.path());
    server.put(event("one", 1));
    let other = Connection::open(&path).unwrap();
    other.execute_batch("PRAGMA locking_mode = EXCLUSIVE; CREATE TABLE theirs (x); BEGIN EXCLUSIVE").unwrap();
    let mut rig = Rig::start(&server, &[("db", &path)]);
    rig.until_taken(1);
    server.put(event("two", 1));
    rig.until_taken(2);
    assert_eq!(once(&[rig.stop()]), 2);
}

#[test]
fn a_file_that_can_not_be_made_stops_no_event() {
    let (server, folder) = (ApiServer::start(), tempfile::tempdir().unwrap());
    let path = db(&folder.path().join("missing"));
    server.put(event("one", 1));
    let mut rig = Rig::start(&server, &[("db", &path)]);
    rig.until_taken(1);
    server.put(event("two", 1));
    rig.until_taken(2);
    assert_eq!(once(&[rig.stop()]), 2);
}

#[test]
fn sqlite_is_set_as_the_options_say() {
    let (server, folder) = (ApiServer::start(), tempfile::tempdir().unwrap());
    for (n, mode) in ["DELETE", "truncate", "PERSIST", "memory", "WAL", "OFF"].into_iter().enumerate() {
        let path = folder.path().join(format!("{n}.db")).to_str().unwrap().to_owned();
        let options =
            [("db", path.as_str()), ("db.journal_mode", mode), ("db.locking", "on"), ("db.sync", "full")];
        let rig = Rig::start(&server, &options);
        server.wait_for(Verb::Watch, "events", n + 1);
        rig.stop();
        let query = |query: &str| {
            let value = |row: &rusqlite::Row<'_>| row.get::<_, rusqlite::types::Value>(0);
            Connection::open(&path).unwrap().query_row(query, [], value).unwrap()
        };
        let wal = rusqlite::types::Value::Text("wal".into());
        assert_eq!(query("PRAGMA journal_mode") == wal, mode == "WAL", "only this mode is kept in the file");
        assert_eq!(query("PRAGMA user_version"), rusqlite::types::Value::Integer(1));
    }
}

#[test]
fn twenty_thousand_events_arrive_once_page_by_page() {
    let (server, folder) = (ApiServer::start(), tempfile::tempdir().unwrap());
    server.put_all((0..20_000).map(|n| event(&format!("e-{n:05}"), 1)));
    let mut rig = Rig::start(&server, &[("db", &db(folder.path()))]);
    rig.until_taken(20_000);
    server.wait_for(Verb::Watch, "events", 1);
    let lists: Vec<_> = server.requests().into_iter().filter(|seen| seen.verb == Verb::List).collect();
    assert_eq!(lists.len(), 40);
    assert!(lists.iter().all(|seen| seen.param("limit") == Some("500")));
    assert_eq!(once(&[rig.stop()]), 20_000);
}

#[test]
fn a_list_whose_next_page_has_expired_begins_again_and_repeats_nothing() {
    let server = ApiServer::start();
    server.put_all((0..30).map(|n| event(&format!("e-{n:02}"), 1)));
    server.script(Verb::List, "events", 1, Fault::Split(1 << 20));
    server.script(Verb::List, "events", 1, Fault::Status(410));
    let mut rig = Rig::start(&server, &[("kube_request_limit", "10")]);
    rig.until_taken(30);
    server.wait_for(Verb::Watch, "events", 1);
    assert_eq!(once(&[rig.stop()]), 30);
    assert_eq!(server.count(Verb::List, "events"), 5);
}
