//! Loading: all three, one alone, two of each, as processors.

use flb_kube_testing::{
    host::{FILTER, Host, INPUT, OUTPUT, each},
    scenery::{STDOUT, Scenery, TAG, dummy, service},
};

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
