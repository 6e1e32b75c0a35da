//! What outlasts a pod, a list, a server and a process: lingering, the bound of the start, and the file `db`.

#![allow(clippy::unwrap_used, reason = "that is how a test fails")]

use std::{
    fs,
    net::TcpListener,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    time::{Duration, Instant},
};

use flb_kube::kube::{
    store::{LookupFor, disk::keeper::Settings},
    watch::{Node, WatchConfig},
};
use flb_kube_testing::{
    apiserver::{self, ApiServer, Verb},
    host::{FILTER, Host, Running, each},
    watching::{self, file, knows, start, synced, team, wait},
};
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};

fn pod(name: &str, team: &str) -> Value {
    let mut pod = watching::pod(name, "n1", team);
    pod["metadata"]["uid"] = json!(format!("of {name}"));
    pod
}

/// With a file in this folder.
fn config(server: &ApiServer, folder: &Path) -> WatchConfig {
    let mut config = watching::config(server);
    config.snapshot = Some(Settings { path: folder.join("pods.db"), max_pods: 1000 });
    config
}

fn rows(file: &Path) -> i64 {
    let db = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_WRITE);
    db.and_then(|db| db.query_row("SELECT count(*) FROM pod", [], |row| row.get(0))).unwrap_or(0)
}

fn assert_sound(file: &Path) {
    let db = Connection::open(file).unwrap();
    let answer: String = db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(answer, "ok");
}

#[test]
fn line_15_after_a_restart_without_an_api_server_pods_are_known_for_as_long_as_it_is_away() {
    let (server, folder) = (ApiServer::start(), tempfile::tempdir().unwrap());
    let mut config = config(&server, folder.path());
    config.store.delete_grace = Duration::from_millis(100);
    server.put_all([pod("web", "red"), pod("other", "blue")]);
    drop(synced(&config));
    server.set_down(true);
    server.delete("pods", "shop", "other");
    server.put(pod("web", "green"));

    let watch = start(&config);
    wait("what the file knows", || team(&watch, "web", "red") && team(&watch, "other", "blue"));
    assert!(!watch.store().is_synced());
    let pod = watch.store().lookup("shop", "web").unwrap();
    assert_eq!(pod.node.as_deref(), Some("n1"));
    assert_eq!(pod.containers[0].image_hash(), Some("web@sha256:1"));
    assert_eq!(pod.containers[0].id.as_deref(), Some("abc"));
    // Longer than the grace time: it begins with a list.
    std::thread::sleep(Duration::from_millis(800));
    assert!(team(&watch, "other", "blue"));
    server.set_down(false);
    wait("the list", || team(&watch, "web", "green"));
    wait("the end of the grace time", || !knows(&watch, "other"));
    assert!(knows(&watch, "web"));
}

#[test]
fn line_15_pods_that_went_while_the_agent_was_down_are_known_for_the_grace_time_also_by_their_uid() {
    let (server, folder) = (ApiServer::start(), tempfile::tempdir().unwrap());
    let config = config(&server, folder.path());
    server.put_all([pod("gone", "red"), pod("db-0", "red")]);
    drop(synced(&config));
    server.delete("pods", "shop", "gone");
    server.delete("pods", "shop", "db-0");
    let mut next = pod("db-0", "blue");
    next["metadata"]["uid"] = json!("of the next");
    server.put(next);

    let watch = synced(&config);
    wait("the file", || knows(&watch, "gone"));
    assert!(team(&watch, "db-0", "blue"));
    let run = |uid: &str| watch.store().lookup_run("shop", "db-0", Some(uid)).unwrap();
    assert!(run("of db-0").labels.as_ref().unwrap().contains("red"));
    assert!(run("of the next").labels.as_ref().unwrap().contains("blue"));
}

#[test]
fn without_a_node_name_what_the_file_knew_outlasts_the_grace_time_and_a_look_up_renews_it() {
    let (server, folder) = (ApiServer::start(), tempfile::tempdir().unwrap());
    let mut config = config(&server, folder.path());
    config.store.delete_grace = Duration::from_millis(100);
    server.put(pod("web", "red"));
    drop(synced(&config));
    let (_dir, namespace_file) = file("shop");
    config.node = Node::OfPod { name: "no-such-pod".into(), namespace_file };
    let watch = synced(&config);
    wait("what the file knows", || knows(&watch, "web"));
    // Longer than the grace time, and the sweeps after it.
    std::thread::sleep(Duration::from_millis(800));
    assert!(team(&watch, "web", "red"));
    let mut next = pod("web", "blue");
    next["metadata"]["uid"] = json!("of the next");
    server.put(next);
    watch.store().request_refresh("shop", "web", LookupFor::Files);
    wait("the look-up", || team(&watch, "web", "blue"));
}

#[test]
fn watches_that_share_a_file_share_what_they_know_and_keep_it_sound() {
    let (server, folder) = (ApiServer::start(), tempfile::tempdir().unwrap());
    let first = config(&server, folder.path());
    let mut second = first.clone();
    second.idle_limit += Duration::from_secs(1);
    for round in 0..3 {
        server.put_all((0..200).map(|n| pod(&format!("web-{n}"), &format!("team-{round}"))));
        std::thread::scope(|scope| {
            for config in [&first, &second] {
                scope.spawn(|| {
                    let watch = synced(config);
                    wait("all pods", || team(&watch, "web-199", &format!("team-{round}")));
                });
            }
        });
    }
    let path = folder.path().join("pods.db");
    assert_eq!(rows(&path), 200);
    assert_sound(&path);
    let modes = fs::read_dir(folder.path()).unwrap().flatten();
    assert!(
        modes.map(|entry| entry.metadata().unwrap().permissions().mode() & 0o777).all(|mode| mode == 0o600)
    );
}

const TAG: &str = "kube.var.log.containers.web-1_shop_app-\
                   0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef.log";

/// A record every 100 ms, enriched by filters with these options, printed.
fn pipeline(filters: &[String]) -> String {
    let filters: String = filters
        .iter()
        .map(|options| format!("[FILTER]\n    Name kube\n    Match kube.*\n{options}"))
        .collect();
    format!(
        "[SERVICE]\n    Flush 0.1\n    Grace 2\n    Log_Level info\n\
         [INPUT]\n    Name dummy\n    Tag {TAG}\n    Rate 10\n    Dummy {{\"log\":\"hello\"}}\n{filters}\
         [OUTPUT]\n    Name stdout\n    Match *\n    Format json_lines\n"
    )
}

fn api(url: &str, more: &str) -> String {
    format!("    Kube_URL {url}\n    Kube_Node_Name n1\n{more}")
}

const RED: &str = "\"team\":\"red\"";

/// Lines with a record but without what its pod's labels say.
fn bare(running: &Running) -> usize {
    running
        .log()
        .lines()
        .filter(|line| line.contains("\"log\":\"hello\"") && !line.contains("\"team\""))
        .count()
}

#[test]
fn line_15_in_every_host_lines_are_enriched_after_a_restart_with_the_api_server_away() {
    each(Host::few(), |host| {
        let (server, folder) = (ApiServer::start(), tempfile::tempdir().unwrap());
        server.put(pod("web-1", "red"));
        let db = folder.path().join("pods.db");
        let options = |more: &str| api(&server.url(), &format!("    DB {}\n{more}", db.display()));
        // Two filters with one file.
        let config = pipeline(&[options(""), options("    Annotations off\n    Namespace_Labels off\n")]);
        let mut running = host.start(&config).plugins(&[FILTER]).run();
        running.wait_for_lines(RED, 3);
        running.stop_within(Duration::from_secs(10));
        assert_eq!(rows(&db), 1, "{}", running.log());
        assert_eq!(fs::metadata(&db).unwrap().permissions().mode() & 0o777, 0o600);

        server.set_down(true);
        let mut running =
            host.start(&pipeline(&[options("    Wait_For_Sync 1s\n")])).plugins(&[FILTER]).run();
        running.wait_for_lines(RED, 5);
        running.stop_within(Duration::from_secs(10));
        assert_eq!(bare(&running), 0, "{}: {}", host.name, running.log());
        assert_eq!(running.count("no complete list within 1s"), 1, "{}", running.log());
        assert_sound(&db);
    });
}

#[test]
fn a_host_that_is_killed_at_any_time_leaves_a_sound_file() {
    let (server, folder) = (ApiServer::start(), tempfile::tempdir().unwrap());
    let db = folder.path().join("pods.db");
    let config = pipeline(&[api(&server.url(), &format!("    DB {}\n", db.display()))]);
    let host = Host::real().into_iter().next().unwrap_or_else(|| Host::stand_in("5.1.1"));
    server.put(pod("web-1", "red"));
    for round in 0..3 {
        let mut running = host.start(&config).plugins(&[FILTER]).run();
        running.wait_for_lines(RED, 1);
        server.put_all((0..500).map(|n| pod(&format!("of-{round}-{n}"), "red")));
        // As soon as something of it is there, with luck while more is written.
        running.wait("a save", |_| rows(&db) > 500 * round);
        running.signal("KILL");
        running.wait_for_end();
        assert_sound(&db);
        let aside = fs::read_dir(folder.path()).unwrap().flatten();
        assert!(!aside.map(|entry| entry.path()).any(|path| path.to_string_lossy().contains("damaged")));
    }
    server.set_down(true);
    let mut running = host.start(&config).plugins(&[FILTER]).run();
    running.wait_for_lines(RED, 1);
    running.stop();
}

#[test]
fn processes_may_share_a_file() {
    let (server, folder) = (ApiServer::start(), tempfile::tempdir().unwrap());
    let db = folder.path().join("pods.db");
    let config = pipeline(&[api(&server.url(), &format!("    DB {}\n", db.display()))]);
    let hosts = Host::few();
    server.put(pod("web-1", "red"));
    for round in 0..2 {
        let mut running: Vec<_> =
            hosts.iter().map(|host| host.start(&config).plugins(&[FILTER]).run()).collect();
        for running in &mut running {
            running.wait_for_lines(RED, 1);
        }
        server.put_all((0..300).map(|n| pod(&format!("of-{round}-{n}"), "red")));
        running[0].wait("a save", |_| rows(&db) > 300 * round);
        // All at once, so that their last saves meet.
        running.iter().for_each(|running| running.signal("TERM"));
        for mut running in running {
            running.wait_for_end();
            let log = running.log();
            assert!(!log.lines().any(|line| line.contains("[ warn]") && line.contains(" db ")), "{log}");
        }
    }
    assert_eq!(rows(&db), 601);
    assert_sound(&db);
}

#[test]
fn a_file_that_can_not_be_used_costs_one_warning_and_no_metadata() {
    let (server, folder) = (ApiServer::start(), tempfile::tempdir().unwrap());
    server.put(pod("web-1", "red"));
    let (damaged, newer) = (folder.path().join("damaged.db"), folder.path().join("newer.db"));
    fs::write(&damaged, "no SQLite file ".repeat(1000)).unwrap();
    let file = Connection::open(&newer).unwrap();
    file.pragma_update(None, "application_id", 0x666c_6250).unwrap();
    file.pragma_update(None, "user_version", 99).unwrap();
    drop(file);
    let missing = folder.path().join("missing/pods.db");
    let cases = [
        (damaged.as_path(), "set aside as "),
        (newer.as_path(), "its schema version 99 is newer than 1"),
        (missing.as_path(), "check the file, its folder and the space on its disk"),
        (folder.path(), "check the file, its folder and the space on its disk"),
        (Path::new("/proc/pods.db"), "check the file, its folder and the space on its disk"),
    ];
    watching::each(cases, |(path, said)| {
        let host = Host::stand_in("5.1.1");
        let config = pipeline(&[api(&server.url(), &format!("    DB {}\n", path.display()))]);
        let mut running = host.start(&config).plugins(&[FILTER]).run();
        running.wait_for_lines(RED, 3);
        running.wait_for_lines(said, 1);
        running.stop();
        let log = running.log();
        let warnings = log.lines().filter(|line| line.contains("[ warn]") && line.contains(" db "));
        assert_eq!(warnings.count(), 1, "{}: {log}", path.display());
    });
    assert_eq!(rows(&damaged), 1, "begun anew");
    assert_sound(&damaged);
}

#[test]
fn a_number_of_pods_that_leaves_nothing_to_keep_refuses_the_start() {
    let options = api("http://127.0.0.1:1", "    DB FOLDER/pods.db\n    DB_Max_Pods 0\n");
    let mut running = Host::stand_in("5.1.1").start(&pipeline(&[options])).plugins(&[FILTER]).run();
    assert!(!running.wait_for_end().success());
    assert!(running.log().contains("option 'db_max_pods': '0' leaves nothing to keep"), "{}", running.log());
}

#[test]
fn line_7_a_deleted_pod_enriches_its_last_lines_through_a_list_after_410_and_then_is_forgotten() {
    each(Host::few(), |host| {
        let server = ApiServer::start();
        server.put(pod("web-1", "red"));
        let config = pipeline(&[api(&server.url(), "    Delete_Grace 1h\n    Kube_Meta_Linger 6s\n")]);
        let mut running = host.start(&config).plugins(&[FILTER]).run();
        running.wait_for_lines(RED, 1);
        server.wait_for(Verb::Watch, "pods", 1);
        server.set_down(true);
        server.delete("pods", "shop", "web-1");
        server.compact();
        let began = Instant::now();
        server.set_down(false);
        server.wait_for(Verb::List, "pods", 2);
        server.wait_for(Verb::Watch, "pods", 3);
        let before = running.count(RED);
        running.wait_for_lines(RED, before + 5);
        running.wait("its end", |running| bare(running) > 0);
        assert!(began.elapsed() >= Duration::from_secs(6), "{}: {:?}", host.name, began.elapsed());
        running.stop();
    });
}

#[test]
fn line_8_the_start_is_held_for_wait_for_sync_at_most_and_then_records_have_what_their_tag_says() {
    each(Host::few(), |host| {
        // It takes connections and never answers.
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", silent.local_addr().unwrap());
        let config = pipeline(&[api(&url, "    Wait_For_Sync 2s\n")]);
        let mut running = host.start(&config).plugins(&[FILTER]).run();
        running.wait_for_lines("no complete list within 2s", 1);
        running.wait_for_lines(
            "\"pod_name\":\"web-1\",\"namespace_name\":\"shop\",\"container_name\":\"app\"",
            3,
        );
        running.stop_within(Duration::from_secs(10));
        assert_eq!(running.count(RED), 0);
    });
}

#[test]
fn line_8_no_record_goes_by_unenriched_where_the_first_list_comes_in_time() {
    each(Host::few(), |host| {
        let server = ApiServer::start();
        server.put(pod("web-1", "red"));
        server.script(Verb::List, "pods", 1, apiserver::Fault::Slow(Duration::from_secs(1)));
        let config = pipeline(&[api(&server.url(), "    Wait_For_Sync 1m\n")]);
        let mut running = host.start(&config).plugins(&[FILTER]).run();
        running.wait_for_lines(RED, 3);
        running.stop();
        assert_eq!(bare(&running), 0, "{}: {}", host.name, running.log());
    });
}
