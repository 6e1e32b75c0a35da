//! Loading: all three, one alone, two of each, as processors.

use std::{
    collections::BTreeSet,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
};

use flb_kube_testing::{
    host::{FILTER, Host, INPUT, OUTPUT, address_of_ones_own, each},
    scenery::{STDOUT, Scenery, TAG, dummy, service},
};
use serde_json::json;

#[test]
fn every_host_runs_the_three_plugins_under_their_three_names() {
    each(Host::all(), |host| {
        let scenery = Scenery::new();
        scenery.event("started", "app has started");
        let mut running = host.start(&scenery.all()).run();
        running.wait("a record with its pod's labels is delivered", |_| {
            let rows = scenery.sink.rows();
            rows.iter().any(|row| row.message() == "hello" && row.field("kubernetes.labels.team") == "blue")
        });
        running.wait("the event is delivered", |_| scenery.rows_with("app has started") == 1);
        let (major, minor, patch) = host.version;
        let hello = format!("in Fluent Bit {major}.{minor}.{patch}");
        assert_eq!(running.count(&hello), 1, "{}: {}", host.name, running.log());
        running.stop();
    });
}

#[test]
fn each_plugin_runs_where_the_others_are_not_loaded() {
    each(Host::all(), |host| {
        let scenery = Scenery::new();
        scenery.event("alone", "an event alone");
        let cases = [
            (
                FILTER,
                [service("info"), dummy("hello"), scenery.filter(""), STDOUT.into()].concat(),
                "\"team\":\"blue\"",
            ),
            (INPUT, [service("info"), scenery.events(""), STDOUT.into()].concat(), "an event alone"),
        ];
        for (plugin, config, proof) in cases {
            let mut running = host.start(&config).plugins(&[plugin]).run();
            running.wait_for_lines(proof, 1);
            running.stop();
        }
        let config = [service("info"), dummy("from the output alone"), scenery.output("")].concat();
        let mut running = host.start(&config).plugins(&[OUTPUT]).run();
        running.wait("a record is delivered", |_| scenery.rows_with("from the output alone") > 0);
        running.stop();
    });
}

#[test]
fn two_instances_of_each_plugin_live_side_by_side() {
    each(Host::all(), |host| {
        let scenery = Scenery::new();
        scenery.event("twice", "seen by both");
        let second = "    Alias second\n";
        let config = [
            service("info"),
            dummy("hello"),
            scenery.events(""),
            scenery.events(second),
            scenery.filter(""),
            scenery.filter("    Alias second\n    Annotations off\n"),
            scenery.output("    Extra_Fields via=first\n"),
            scenery.output("    Alias second\n    Extra_Fields via=second\n"),
        ]
        .concat();
        let mut running = host.start(&config).run();
        running.wait("both outputs deliver what both inputs saw", |_| {
            let rows = scenery.sink.rows();
            let via = |name: &str| {
                rows.iter().filter(|row| row.field("via") == name && row.message() == "seen by both").count()
            };
            via("first") == 2 && via("second") == 2
        });
        running.stop();
    });
}

#[test]
fn the_filter_serves_processors_that_many_threads_run() {
    each(Host::since(2, 1, 0), |host| {
        let scenery = Scenery::new();
        let api = scenery.api.url();
        let unit = format!(
            "\n          - name: kube\n            kube_url: {api}\n            kube_node_name: n1\n"
        );
        let input = |number: usize| {
            format!(
                "    - name: dummy\n      tag: {TAG}\n      threaded: on\n      rate: 50\n      dummy: \
                 '{{\"log\":\"input {number}\"}}'\n      processors:\n        logs:{unit}"
            )
        };
        let config = format!(
            "service:\n  flush: 0.1\n  grace: 2\n  log_level: info\npipeline:\n  inputs:\n{}{}  outputs:\n    - name: \
             stdout\n      match: '*'\n      format: json_lines\n      workers: 3\n      processors:\n        \
             logs:{unit}",
            input(1),
            input(2)
        );
        let mut running = host.start(&config).plugins(&[FILTER]).yaml().run();
        for number in [1, 2] {
            let proof =
                |line: &str| line.contains(&format!("input {number}")) && line.contains("\"team\":\"blue\"");
            running.wait("enriched records of both inputs", |running| {
                running.log().lines().filter(|line| proof(line)).count() >= 100
            });
        }
        running.stop();
        let log = running.log();
        let bare =
            log.lines().filter(|line| line.contains("\"log\":\"input ") && !line.contains("web-1")).count();
        assert_eq!(bare, 0, "{}: a record went by unenriched", host.name);
    });
}

#[test]
fn line_25_metadata_and_group_markers_pass_the_filter_in_their_place() {
    let hosts = Host::epochs().into_iter().filter(|host| host.version >= (2, 1, 0)).collect();
    each(hosts, |host| {
        let scenery = Scenery::new();
        let events = "[-1, {\"group\": 7}, {\"resource\": \"r\"}]\n[1767225600.5, {\"trace\": \"t\"}, {\"log\": \
                      \"inside\"}]\n[-2, {}, {}]\n";
        let input = format!("[INPUT]\n    Name stand_in_lines\n    Tag {TAG}\n    Path FOLDER/events\n");
        let stdout = "[OUTPUT]\n    Name stdout\n    Match *\n";
        let config = [service("info"), input, scenery.filter(""), stdout.into()].concat();
        let mut running = host.start(&config).plugins(&[FILTER]).file("events", events).run();
        running.wait_for_lines("[4294967294.000000000, {}], {}]", 1);
        running.stop();
        let log = running.log();
        let printed: Vec<&str> = log.lines().filter(|line| line.contains(&format!("{TAG}: [["))).collect();
        assert_eq!(printed.len(), 3, "{}: {log}", host.name);
        assert!(
            printed[0].ends_with("[[4294967295.000000000, {\"group\":7}], {\"resource\":\"r\"}]"),
            "{log}"
        );
        assert!(
            printed[1]
                .contains("[[1767225600.500000000, {\"trace\":\"t\"}], {\"log\":\"inside\",\"kubernetes\""),
            "{log}"
        );
    });
}

#[test]
fn a_chunk_of_groups_and_no_record_passes_the_filter_whole() {
    let hosts = Host::epochs().into_iter().filter(|host| host.version >= (2, 1, 0)).collect();
    each(hosts, |host| {
        let scenery = Scenery::new();
        let events: String =
            (0..1_000).map(|n| format!("[-1, {{\"group\": {n}}}, {{}}]\n[-2, {{}}, {{}}]\n")).collect();
        let input = format!("[INPUT]\n    Name stand_in_lines\n    Tag {TAG}\n    Path FOLDER/events\n");
        let stdout = "[OUTPUT]\n    Name stdout\n    Match *\n";
        let config = [service("info"), input, scenery.filter(""), stdout.into()].concat();
        let mut running = host.start(&config).plugins(&[FILTER]).file("events", &events).run();
        running.wait_for_lines("[[4294967294.000000000, {}], {}]", 1_000);
        running.stop();
        let log = running.log();
        for n in [0, 499, 999] {
            let group = format!("[[4294967295.000000000, {{\"group\":{n}}}], {{}}]");
            assert_eq!(log.matches(&group).count(), 1, "{}: {group}", host.name);
        }
        assert!(!log.contains("\"kubernetes\""), "{}: a group is no record", host.name);
    });
}

#[test]
fn a_batch_that_the_engine_refuses_is_offered_again() {
    each(Host::epochs(), |host| {
        let scenery = Scenery::new();
        scenery.event("first", "refused at first");
        let refusing = "    Stand_In_Refuse_Appends 3\n";
        let config = [service("info"), refusing.into(), scenery.events(""), scenery.output("")].concat();
        let mut running = host.start(&config).run();
        running.wait("the event is delivered", |_| scenery.rows_with("refused at first") == 1);
        scenery.event("second", "taken at once");
        running.wait("the next one, too", |_| scenery.rows_with("taken at once") == 1);
        running.stop();
        assert_eq!(scenery.rows_with("refused at first"), 1, "{}", host.name);
    });
}

#[test]
fn the_help_of_every_host_shows_the_options() {
    each(Host::all(), |host| {
        for (flag, plugin, key) in
            [("-F", "kube", "kube_node_name"), ("-i", "kube_events", "kube_retention_time")]
        {
            let help = host.help(flag, plugin);
            assert!(help.contains(key), "{}: {plugin}: {help}", host.name);
        }
    });
}

#[test]
fn a_list_may_be_written_in_several_rows_with_commas_or_with_blanks() {
    each(Host::all(), |host| {
        let scenery = Scenery::new();
        scenery.api.put(json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {
                "name": "web-1", "namespace": "shop", "uid": "u-1", "labels": {"a": "1", "b": "2", "c": "3", "d": "4"},
                "creationTimestamp": "2026-01-01T00:00:00Z",
            },
            "spec": {"nodeName": "n1", "containers": [{"name": "app", "image": "shop/app:1"}]},
            "status": {"podIP": "10.0.0.1", "phase": "Running"},
        }));
        let lists = "    Labels_Allow a b\n    Labels_Allow c\n";
        let output = "    Url http://127.0.0.1:1\n".to_owned()
            + &format!("    URL {}\n    Header X-One: 1\n    Header X-Two: 2\n", scenery.sink.url());
        let output = format!("[OUTPUT]\n    Name victorialogs\n    Match *\n{output}");
        let config = [service("info"), dummy("hello"), scenery.filter(lists), output].concat();
        let mut running = host.start(&config).run();
        running.wait("a record arrives at the second server", |_| scenery.rows_with("hello") > 0);
        let row = scenery.sink.rows().into_iter().find(|row| row.message() == "hello").unwrap();
        let has = |label: &str| !row.field(&format!("kubernetes.labels.{label}")).is_empty();
        assert_eq!(["a", "b", "c", "d"].map(has), [true, true, true, false], "{}: {row:?}", host.name);
        let request = scenery.sink.requests().pop().unwrap();
        for (name, value) in [("x-one", "1"), ("x-two", "2")] {
            let sent = request.headers.get(name).map(|sent| sent.to_str().unwrap());
            assert_eq!(sent, Some(value), "{}: {name}", host.name);
        }
        running.stop();
    });
}

#[test]
fn a_list_may_be_a_list_of_yaml() {
    let hosts = Host::all().into_iter().filter(|host| host.version >= (2, 1, 0)).collect();
    each(hosts, |host| {
        let scenery = Scenery::new();
        let (api, sink) = (scenery.api.url(), scenery.sink.url());
        let config = format!(
            "service:\n  flush: 0.1\n  grace: 2\npipeline:\n  inputs:\n    - name: dummy\n      tag: {TAG}\n      \
             dummy: '{{\"log\":\"hello\"}}'\n  filters:\n    - name: kube\n      match: 'kube.*'\n      \
             kube_url: {api}\n      kube_node_name: n1\n      labels_allow:\n        - nothing\n        - team\n  \
             outputs:\n    - name: victorialogs\n      match: '*'\n      url:\n        - http://127.0.0.1:1\n        \
             - {sink}\n      header:\n        - 'X-One: 1'\n        - 'X-Two: 2'\n"
        );
        let mut running = host.start(&config).yaml().run();
        running.wait("a record arrives", |_| scenery.rows_with("hello") > 0);
        let row = scenery.sink.rows().into_iter().find(|row| row.message() == "hello").unwrap();
        assert_eq!(row.field("kubernetes.labels.team"), "blue", "{}: {row:?}", host.name);
        let request = scenery.sink.requests().pop().unwrap();
        assert!(["x-one", "x-two"].iter().all(|name| request.headers.contains_key(*name)), "{}", host.name);
        running.stop();
    });
}

#[test]
fn filters_of_processors_that_the_host_calls_alike_have_series_and_log_lines_of_their_own() {
    each(Host::since(2, 1, 0), |host| {
        let scenery = Scenery::new();
        let address = address_of_ones_own();
        let api = scenery.api.url();
        let input = format!(
            "    - name: dummy\n      tag: {TAG}\n      dummy: '{{\"log\":\"x\"}}'\n      processors:\n        logs:\n          \
             - name: kube\n            kube_url: {api}\n            kube_node_name: n1\n            metrics_listen: \
             '{address}'\n"
        );
        let config = format!(
            "service:\n  flush: 0.1\n  grace: 2\n  log_level: debug\npipeline:\n  inputs:\n{input}{input}  outputs:\n    - \
             name: stdout\n      match: '*'\n      format: json_lines\n"
        );
        let mut running = host.start(&config).plugins(&[FILTER]).yaml().run();
        let mut shown = String::new();
        running.wait("metrics of both", |_| {
            shown = get(address).unwrap_or_default();
            shown.matches("_cached_pods{").count() == 2
        });
        let series = shown.lines().filter(|line| !line.starts_with('#'));
        let names: Vec<&str> = series.filter_map(|line| Some(line.rsplit_once(' ')?.0)).collect();
        let unique: BTreeSet<&str> = names.iter().copied().collect();
        assert_eq!(unique.len(), names.len(), "{}: {shown}", host.name);
        running.stop();
        let log = running.log();
        let ended: BTreeSet<&str> =
            log.lines().filter_map(|line| line.split("[filter:kube:").nth(1)).collect();
        assert_eq!(ended.iter().filter(|line| line.ends_with("] ended")).count(), 2, "{}: {log}", host.name);
    });
}

/// What is shown at `/metrics` of an address.
pub(super) fn get(address: SocketAddr) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    Some(text)
}
