//! `cri on`: lines as container runtimes write them, read by `tail` without a parser. On the stand-in, which has no
//! `emitter`, and on every real Fluent Bit of this machine, beside its own `multiline.parser docker, cri`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "that is how a test fails")]

use std::{fs::OpenOptions, io::Write as _, time::Duration};

use flb_kube_testing::{
    filtering,
    host::{FILTER, Host, Running, each},
};
use serde_json::Value;

const TAG: &str = "kube.var.log.containers.web-1_shop_app-\
                   0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef.log";

const LINES: &str = r#"2016-10-06T00:17:09.669794202Z stdout F whole
2016-10-06T00:17:10.1Z stdout P one, 
2016-10-06T00:17:10.2Z stderr P other, 
2016-10-06T02:17:11.3+02:00 stdout P two, 
2016-10-06T00:17:12.4Z stdout F three
2016-10-06T00:17:13Z stderr F end
2016-10-06T00:17:14.123456789Z stdout F 
2016-10-06T00:17:15.5Z stdout F {"level":"info"}
no line of a runtime
2016-10-06T00:17:15.5Z elsewhere F odd
{"log":"plain\n","stream":"stdout","time":"2021-02-01T01:40:03.534121234Z"}
{"log":"first, ","stream":"stderr","time":"2021-02-01T01:40:04.5Z"}
{"log":"\"second\"\t\u00e9\n","stream":"stderr","time":"2021-02-01T01:40:05.5Z"}
{"log":"cut in ha
"#;

/// What `LINES` are: text, stream, time.
const READ: [(&str, &str, f64); 11] = [
    ("whole", "stdout", 1_475_713_029.669_794_3),
    ("one, two, three", "stdout", 1_475_713_030.1),
    ("other, end", "stderr", 1_475_713_030.2),
    ("", "stdout", 1_475_713_034.123_456_7),
    (r#"{"level":"info"}"#, "stdout", 1_475_713_035.5),
    ("no line of a runtime", "", 0.0),
    ("2016-10-06T00:17:15.5Z elsewhere F odd", "", 0.0),
    ("plain\n", "stdout", 1_612_143_603.534_121_3),
    ("first, \"second\"\té\n", "stderr", 1_612_143_604.5),
    (r#"{"log":"cut in ha"#, "", 0.0),
    ("last", "stdout", 1_612_143_609.0),
];
const LAST: &str = "2021-02-01T01:40:09Z stdout F last\n";

fn tail(tag: &str, more: &str) -> String {
    format!(
        "[INPUT]\n    Name tail\n    Tag {tag}\n    Path FOLDER/app.txt\n    Read_from_Head on\n    \
         Refresh_Interval 1\n{more}"
    )
}

fn config(options: &str) -> String {
    let service = "[SERVICE]\n    Flush 0.1\n    Grace 3\n    Log_Level info\n    Hot_Reload On\n";
    let output = "[OUTPUT]\n    Name stdout\n    Match *\n    Format json_lines\n";
    let filter = "[FILTER]\n    Name kube\n    Match kube.*\n    use_tag_for_meta on\n    cri on\n";
    [service, &tail(TAG, "    DB FOLDER/tail.db\n"), filter, options, output].concat()
}

/// Appends to the file that `tail` follows.
fn append(running: &Running, text: &str) {
    let file = OpenOptions::new().create(true).append(true).open(running.folder().join("app.txt"));
    file.unwrap().write_all(text.as_bytes()).unwrap();
}

/// The records that the host printed.
fn records(running: &Running) -> Vec<Value> {
    let log = running.log();
    log.lines()
        .filter(|line| line.starts_with('{'))
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

/// Those with this text.
fn with_text(running: &Running, text: &str) -> Vec<Value> {
    records(running).into_iter().filter(|record| record["log"] == text).collect()
}

fn wait_for(running: &mut Running, text: &str) -> Value {
    running.wait(&format!("a record '{}'", text.get(..40).unwrap_or(text)), |host| {
        with_text(host, text).len() == 1
    });
    with_text(running, text).remove(0)
}

/// Text, stream, and time where the runtime told it.
fn told(record: &Value) -> (String, String, f64) {
    let text = |key: &str| record[key].as_str().unwrap_or_default().to_owned();
    let stream = text("stream");
    let time = if stream.is_empty() { 0.0 } else { record["date"].as_f64().unwrap() };
    (text("log"), stream, time)
}

fn is_same(one: &(String, String, f64), other: &(String, String, f64)) -> bool {
    (&one.0, &one.1) == (&other.0, &other.1) && (one.2 - other.2).abs() < 2e-6
}

#[test]
fn lines_of_cri_and_docker_become_the_records_that_the_built_in_parsers_make() {
    each(Host::few(), |host| {
        let built_in =
            if host.is_real { tail("built-in", "    multiline.parser docker, cri\n") } else { String::new() };
        let text = format!("{LINES}{LAST}");
        let mut running =
            host.start(&(config("") + &built_in)).plugins(&[FILTER]).file("app.txt", &text).run();
        let inputs = if host.is_real { 2 } else { 1 };
        running.wait("the last line", |host| with_text(host, "last").len() == inputs);
        running.stop();
        let (ours, theirs): (Vec<_>, Vec<_>) =
            records(&running).into_iter().partition(|record| record.get("kubernetes").is_some());
        let ours: Vec<_> = ours.iter().map(told).collect();
        let read: Vec<_> = READ.map(|(text, stream, time)| (text.to_owned(), stream.to_owned(), time)).into();
        let agree = |one: &[_], other: &[_]| {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| is_same(one, other))
        };
        assert!(agree(&ours, &read), "{}: {ours:#?}", host.name);
        if host.is_real {
            let mut theirs: Vec<_> = theirs.iter().map(told).collect();
            let mut ours = ours;
            // The built-in keeps no order between a stream that waits and one that does not.
            let order = |list: &mut Vec<(String, String, f64)>| list.sort_by(|a, b| a.0.cmp(&b.0));
            order(&mut ours);
            order(&mut theirs);
            assert!(agree(&ours, &theirs), "{}: {ours:#?}\n{theirs:#?}", host.name);
        }
    });
}

#[test]
fn parts_are_joined_across_chunks_and_streams() {
    each(Host::few(), |host| {
        let mut running = host.start(&config("")).plugins(&[FILTER]).file("app.txt", "").run();
        // What comes with a part shows that the part was read.
        let read = |running: &mut Running, line: &str, seen: usize| {
            append(running, &format!("{line}\nseen {seen}\n"));
            wait_for(running, &format!("seen {seen}"));
        };
        read(&mut running, "2016-10-06T00:17:10Z stdout P a", 1);
        read(&mut running, "2016-10-06T00:17:11Z stderr P x", 2);
        read(&mut running, "2016-10-06T00:17:12Z stdout P b", 3);
        read(&mut running, "2016-10-06T00:17:13Z stderr F y", 4);
        append(&running, "2016-10-06T00:17:14Z stdout F c\n");
        let record = wait_for(&mut running, "abc");
        assert_eq!(told(&record), ("abc".into(), "stdout".into(), 1_475_713_030.0), "{}", host.name);
        let record = wait_for(&mut running, "xy");
        assert_eq!(told(&record), ("xy".into(), "stderr".into(), 1_475_713_031.0), "{}", host.name);
        assert_eq!(record["kubernetes"]["pod_name"], "web-1");
        assert_eq!(record["partial_message"], Value::Null);
        running.stop();
        assert_eq!(records(&running).len(), 6, "{}: {}", host.name, running.log());
    });
}

#[test]
fn a_part_whose_rest_does_not_come_is_emitted_after_its_age_and_marked_as_is_its_rest() {
    each(Host::few(), |host| {
        let mut running =
            host.start(&config("    cri_max_age 1s\n")).plugins(&[FILTER]).file("app.txt", "").run();
        append(&running, "2016-10-06T00:17:10.25Z stdout P begun\nseen\n");
        wait_for(&mut running, "seen");
        assert!(with_text(&running, "begun").is_empty(), "{}: emitted at once", host.name);
        if !host.is_real {
            // Without an emitter it comes out with the next lines.
            running.wait_for_lines("takes no records out of turn", 1);
            std::thread::sleep(Duration::from_millis(1100)); // the age itself
            append(&running, "more\n");
        }
        let record = wait_for(&mut running, "begun");
        assert_eq!(record["partial_message"], true, "{}", host.name);
        assert_eq!(record["kubernetes"]["pod_name"], "web-1", "{}", host.name);
        assert_eq!(told(&record).2, 1_475_713_030.25, "{}", host.name);
        append(&running, "2016-10-06T00:17:11Z stdout F ended\n");
        let record = wait_for(&mut running, "ended");
        let is_marked = record["partial_message"] == true;
        assert!(is_marked || host.is_real, "{}: {record}", host.name);
        append(&running, "2016-10-06T00:17:11Z stdout F whole\n");
        assert_eq!(wait_for(&mut running, "whole")["partial_message"], Value::Null, "{}", host.name);
        running.stop();
    });
}

#[test]
fn a_line_longer_than_it_may_be_comes_out_in_marked_pieces_and_one_that_never_waits_comes_whole() {
    each(Host::few(), |host| {
        let mut running =
            host.start(&config("    cri_max_size 1000\n")).plugins(&[FILTER]).file("app.txt", "").run();
        let (a, b, c) = ("a".repeat(600), "b".repeat(600), "c".repeat(300));
        let long = "l".repeat(20_000);
        let at = "2016-10-06T00:17:10Z stdout";
        append(&running, &format!("{at} P {a}\n{at} P {b}\n{at} F {c}\n{at} F {long}\n"));
        assert_eq!(wait_for(&mut running, &long)["partial_message"], Value::Null, "{}", host.name);
        assert_eq!(wait_for(&mut running, &a)["partial_message"], true, "{}", host.name);
        assert_eq!(wait_for(&mut running, &(b + &c))["partial_message"], true, "{}", host.name);
        running.stop();
    });
}

#[test]
fn what_waits_at_the_stop_is_emitted_or_counted() {
    each(Host::few(), |host| {
        let mut running = host.start(&config("")).plugins(&[FILTER]).file("app.txt", "").run();
        append(&running, "2016-10-06T00:17:10Z stdout P last words\nseen\n");
        wait_for(&mut running, "seen");
        running.wait_for_a_new_second();
        running.stop_within(Duration::from_secs(8));
        let emitted = with_text(&running, "last words").len();
        let told = running.count("1 lines (10 bytes) end unfinished");
        assert_eq!(emitted + told, 1, "{}: {}", host.name, running.log());
        assert!(emitted == 1 || !host.is_real, "{}: not emitted\n{}", host.name, running.log());
    });
}

#[test]
fn a_reload_emits_what_waits_and_goes_on() {
    let real = Host::real().into_iter().filter(|host| host.version >= (2, 1, 0)).collect();
    each(real, |host| {
        let mut running =
            host.start(&config("    cri_max_age 2s\n")).plugins(&[FILTER]).file("app.txt", "").run();
        for round in 1..=3 {
            append(&running, &format!("2016-10-06T00:17:10Z stdout P before {round}\nseen {round}\n"));
            wait_for(&mut running, &format!("seen {round}"));
            running.wait_for_a_new_second();
            running.signal("HUP");
            assert_eq!(wait_for(&mut running, &format!("before {round}"))["partial_message"], true);
            running.wait_for_lines("inotify_fs_add", round + 1);
            append(&running, &format!("2016-10-06T00:17:10Z stderr P after {round}\n"));
            assert_eq!(wait_for(&mut running, &format!("after {round}"))["partial_message"], true);
        }
        running.stop();
    });
}

#[test]
fn a_size_without_room_is_refused() {
    let mut running = Host::stand_in("5.1.1").start(&config("    cri_max_size 0\n")).plugins(&[FILTER]).run();
    assert!(!running.wait_for_end().success());
    assert_eq!(running.count("option 'cri_max_size': '0' leaves no room"), 1, "{}", running.log());
}

#[test]
fn two_filters_that_join_emit_past_each_other_whatever_storage_inputs_have() {
    let real = Host::real();
    each(real, |host| {
        let storage = "    storage.path FOLDER/storage\n    storage.max_chunks_up 2\n";
        let input = tail(TAG, "    storage.type filesystem\n    storage.pause_on_chunks_overlimit on\n");
        let other = tail(&TAG.replace("web-1", "web-2"), "").replace("app.txt", "other.txt");
        let filter = |name: &str, pattern: &str| {
            format!(
                "[FILTER]\n    Name kube\n    Alias {name}\n    Match {pattern}\n    use_tag_for_meta on\n    cri on\n    \
                 cri_max_age 1s\n"
            )
        };
        let config = [
            "[SERVICE]\n    Flush 0.1\n    Grace 3\n    Log_Level info\n",
            storage,
            &input,
            &other,
            &filter("one", "*web-1*"),
            &filter("two", "kube.*"),
            "[OUTPUT]\n    Name stdout\n    Match *\n    Format json_lines\n",
        ]
        .concat();
        let text = "2016-10-06T00:17:10Z stdout P of the other\n";
        let mut running =
            host.start(&config).plugins(&[FILTER]).file("app.txt", "").file("other.txt", text).run();
        for round in 1..=3 {
            append(&running, &format!("2016-10-06T00:17:10Z stdout P begun {round}\n"));
            assert_eq!(wait_for(&mut running, &format!("begun {round}"))["partial_message"], true);
        }
        // The second alone reads the other file.
        wait_for(&mut running, "of the other");
        append(&running, "2016-10-06T00:17:10Z stdout P last words\nseen\n");
        wait_for(&mut running, "seen");
        running.wait_for_a_new_second();
        running.stop_within(Duration::from_secs(8));
        assert_eq!(with_text(&running, "last words").len(), 1, "{}: {}", host.name, running.log());
        assert_eq!(records(&running).len(), 6, "{}: {}", host.name, running.log());
    });
}

#[test]
fn a_start_that_is_refused_when_its_emitter_is_made_already_ends_in_order() {
    each(Host::few(), |host| {
        // An address that no machine has.
        let options = "    metrics_listen 203.0.113.1:2021\n";
        let mut running = host.start(&config(options)).plugins(&[FILTER]).file("app.txt", LINES).run();
        let status = running.wait_for_end();
        assert!(status.code().is_some_and(|code| code != 0), "{}: {status}\n{}", host.name, running.log());
        assert_eq!(running.count("option 'metrics_listen'"), 1, "{}: {}", host.name, running.log());
    });
}

#[test]
fn as_a_processor_it_joins_and_says_that_it_takes_nothing_out_of_turn() {
    let real = Host::real().into_iter().filter(|host| host.version >= (2, 1, 0)).collect();
    each(real, |host| {
        let config = format!(
            "service:\n  flush: 0.1\n  grace: 2\n  log_level: info\npipeline:\n  inputs:\n    - name: tail\n      tag: {TAG}\n      \
             path: FOLDER/app.txt\n      read_from_head: on\n      refresh_interval: 1\n      processors:\n        \
             logs:\n          - name: kube\n            use_tag_for_meta: on\n            cri: on\n  outputs:\n    \
             - name: stdout\n      match: '*'\n      format: json_lines\n"
        );
        let text = "2016-10-06T00:17:10Z stdout P a\n2016-10-06T00:17:10Z stdout F b\n";
        let mut running = host.start(&config).plugins(&[FILTER]).yaml().file("app.txt", text).run();
        assert_eq!(wait_for(&mut running, "ab")["kubernetes"]["pod_name"], "web-1", "{}", host.name);
        let told = "takes no records out of turn, since it runs as a processor";
        assert_eq!(running.count(told), 1, "{}: {}", host.name, running.log());
        running.stop();
    });
}

#[test]
fn lines_are_read_under_a_tag_that_names_no_pod_too() {
    let options = [("cri", "on"), ("use_tag_for_meta", "on"), ("merge_log", "on"), ("keep_log", "off")];
    let filter = filtering::beside("http://127.0.0.1:1", &options).unwrap();
    let line = r#"2016-10-06T00:17:15.5Z stdout F {"level":"info"}"#;
    let records = filtering::pass(&filter, "kube.other", &[serde_json::json!({ "log": line })]);
    let expected = serde_json::json!({"stream": "stdout", "level": "info"});
    assert_eq!(records, [((1_475_713_035, 500_000_000), expected)]);
}
