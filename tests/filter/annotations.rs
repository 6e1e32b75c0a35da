//! What pods ask for in their annotations: that lines are dropped, or read by a parser.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on fails")]

use std::time::{Duration, Instant};

use flb_kube::{
    plugin::{Chunk, Filter, Filtered},
    plugins::filter_kube::KubeFilter,
};
use flb_kube_testing::{
    apiserver::ApiServer,
    filtering::{ParsersFile, Running, TIME, pass, start},
    told::told,
};
use serde_json::{Value, json};
use tracing::Level;

const PARSERS: &str = r"
[PARSER]
    Name     words
    Format   regex
    Regex    ^(?<first>\w+) (?<rest>.+)$
[PARSER]
    Name     timed
    Format   regex
    Regex    ^\[(?<time>[^\]]+)\] (?<message>.+)$
    Time_Key time
[PARSER]
    Name     object
    Format   json
";

fn tag(container: &str) -> String {
    format!("kube.var.log.containers.web_shop_{container}-{}.log", "0".repeat(64))
}

fn pod(annotations: &Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "web", "namespace": "shop", "annotations": annotations},
        "spec": {"nodeName": "n1"},
    })
}

/// A filter that knows the pod `web` with these annotations.
fn knowing(annotations: &Value, options: &[(&str, &str)]) -> (ApiServer, Running) {
    let server = ApiServer::start();
    server.put(pod(annotations));
    let url = server.url();
    let own = [
        ("kube_url", url.as_str()),
        ("kube_token_file", ""),
        ("kube_node_name", "n1"),
        ("annotations", "off"),
    ];
    let filter = start(&ParsersFile::read(PARSERS), &[&own, options].concat());
    (server, filter)
}

fn line(stream: &str, log: &str) -> Value {
    json!({"stream": stream, "log": log})
}

/// Which streams of a container's records pass: of those of stdout, stderr, another and none.
fn passing(filter: &KubeFilter, container: &str) -> Vec<Value> {
    let records = [line("stdout", "x"), line("stderr", "x"), line("other", "x"), json!({"log": "x"})];
    pass(filter, &tag(container), &records).into_iter().map(|(_, record)| record["stream"].clone()).collect()
}

/// The one record that comes out, without its metadata, and its time.
fn read(filter: &KubeFilter, record: Value) -> ((u64, u32), Value) {
    let mut read = pass(filter, &tag("main"), &[record]);
    assert_eq!(read.len(), 1);
    let (time, mut record) = read.remove(0);
    assert!(record.as_object_mut().unwrap().remove("kubernetes").is_some());
    (time, record)
}

/// Waits until it is so, and answers how long that took.
fn within_a_second(what: &str, mut is_so: impl FnMut() -> bool) {
    let since = Instant::now();
    while !is_so() {
        assert!(since.elapsed() < Duration::from_secs(1), "not within a second: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn line_5_an_exclusion_annotated_on_a_running_pod_stops_its_records_within_a_second() {
    let (server, filter) = knowing(&json!({}), &[("k8s-logging.exclude", "on")]);
    assert_eq!(passing(&filter, "main").len(), 4);
    server.put(pod(&json!({"fluentbit.io/exclude": "true"})));
    within_a_second("no records any more", || passing(&filter, "main").is_empty());
    server.put(pod(&json!({"fluentbit.io/exclude": "false"})));
    within_a_second("records again", || passing(&filter, "main").len() == 4);
}

#[test]
fn line_5_exclude_stdout_of_a_container_affects_only_that_stream_and_container() {
    let annotations = json!({"fluentbit.io/exclude_stdout-main": "true"});
    let (_server, filter) = knowing(&annotations, &[("k8s-logging.exclude", "on")]);
    assert_eq!(passing(&filter, "main"), [json!("stderr"), json!("other"), Value::Null]);
    assert_eq!(passing(&filter, "sidecar").len(), 4);
}

#[test]
fn line_31_a_fully_excluded_container_costs_no_look_at_its_chunk() {
    for annotations in [
        json!({"fluentbit.io/exclude": "true"}),
        json!({"fluentbit.io/exclude_stderr-main": "yes", "fluentbit.io/exclude_stdout": "on"}),
    ] {
        let (_server, filter) = knowing(&annotations, &[("k8s-logging.exclude", "on")]);
        let mut out = Vec::new();
        // What can't be read would be passed on, had anybody read it.
        let tag = tag("main");
        let unreadable = Chunk { tag: tag.as_bytes(), data: &[0xc1; 100], input: "" };
        assert_eq!(filter.filter(unreadable, &mut out), Filtered::Changed, "{annotations}");
        assert!(out.is_empty(), "{annotations}");
    }
}

#[test]
fn without_the_options_annotations_are_not_heeded() {
    let annotations =
        json!({"fluentbit.io/exclude": "true", "fluentbit.io/parser": "nobody's", "fluentbit.io/x": ""});
    let ((_server, filter), told_of_start) =
        told(Level::WARN, || knowing(&annotations, &[("merge_log", "on")]));
    let (passed, told) = told(Level::WARN, || passing(&filter, "main"));
    assert_eq!(passed.len(), 4);
    assert_eq!([told_of_start, told].concat(), [""; 0]);
}

#[test]
fn line_6_a_parser_reads_lines_with_and_without_a_stream_and_without_merge_log() {
    let annotations = json!({"fluentbit.io/parser-main": "words"});
    for merge_log in ["off", "on"] {
        let options = [("k8s-logging.parser", "on"), ("merge_log", merge_log)];
        let (_server, filter) = knowing(&annotations, &options);
        for stream in [Some("stdout"), Some("stderr"), Some("other"), None] {
            let mut record = json!({"log": "GET the page"});
            if let Some(stream) = stream {
                record["stream"] = json!(stream);
            }
            let (time, read) = read(&filter, record.clone());
            record["first"] = json!("GET");
            record["rest"] = json!("the page");
            assert_eq!((time, read), (TIME, record), "merge_log {merge_log}, {stream:?}");
        }
        // What does not match stays, whatever else could read it.
        let record = line("stdout", r#"{"a":1}"#);
        assert_eq!(read(&filter, record.clone()).1, record, "merge_log {merge_log}");
    }
}

#[test]
fn without_merge_log_only_lines_of_annotated_streams_are_read() {
    let annotations = json!({"fluentbit.io/parser_stderr": "words"});
    let (_server, filter) = knowing(&annotations, &[("k8s-logging.parser", "on")]);
    for record in [
        line("stdout", "GET the page"),
        line("stdout", r#"{"a":1}"#),
        json!({"log": "GET the page"}),
        json!({"log": {"a": 1}, "stream": "stderr"}),
    ] {
        assert_eq!(read(&filter, record.clone()).1, record);
    }
    assert_eq!(read(&filter, line("stderr", "GET the page")).1["first"], "GET");
}

#[test]
fn one_parser_for_both_streams_reads_lines_of_no_stream_too() {
    let annotations = json!({"fluentbit.io/parser_stderr": "words", "fluentbit.io/parser_stdout": "words"});
    let (_server, filter) = knowing(&annotations, &[("k8s-logging.parser", "on")]);
    assert_eq!(read(&filter, json!({"log": "GET the page"})).1["first"], "GET");
}

#[test]
fn the_time_that_a_parser_finds_replaces_the_records_and_none_keeps_it() {
    let annotations = json!({"fluentbit.io/parser_stdout": "timed", "fluentbit.io/parser_stderr": "object"});
    let (_server, filter) = knowing(&annotations, &[("k8s-logging.parser", "on"), ("keep_log", "off")]);
    let (time, record) = read(&filter, line("stdout", "[2026-01-02T03:04:05.678] done"));
    assert_eq!(time, (1_767_323_045, 678_000_000));
    assert_eq!(record, json!({"stream": "stdout", "message": "done"}));
    let (time, record) = read(&filter, line("stderr", r#"{"time":"2026-01-02T03:04:05Z","a":"b\n"}"#));
    assert_eq!(time, TIME);
    assert_eq!(record, json!({"stream": "stderr", "time": "2026-01-02T03:04:05Z", "a": "b"}));
}

#[test]
fn parsed_fields_go_where_merged_ones_go() {
    let options = [
        ("k8s-logging.parser", "on"),
        ("keep_log", "off"),
        ("merge_log_key", "parsed"),
        ("merge_log_trim", "off"),
    ];
    let (_server, filter) = knowing(&json!({"fluentbit.io/parser": "object"}), &options);
    let (_, record) = read(&filter, line("stdout", r#"{"a":"b\n"}"#));
    assert_eq!(record, json!({"stream": "stdout", "parsed": {"a": "b\n"}}));
}

#[test]
fn a_parser_annotated_on_a_running_pod_reads_its_lines_within_a_second() {
    let (server, filter) = knowing(&json!({}), &[("k8s-logging.parser", "on")]);
    let first = || read(&filter, line("stdout", "GET the page")).1["first"].clone();
    assert_eq!(first(), Value::Null);
    server.put(pod(&json!({"fluentbit.io/parser": "words"})));
    within_a_second("a parsed line", || first() == "GET");
}

#[test]
fn a_parser_that_the_host_has_not_is_told_of_once_by_pod_and_name_and_lines_stay() {
    let annotations = json!({"fluentbit.io/parser": "nobody's"});
    let (server, filter) = knowing(&annotations, &[("k8s-logging.parser", "on")]);
    let record = line("stdout", "GET the page");
    let ((), told) = told(Level::WARN, || {
        for container in ["main", "sidecar", "main"] {
            let passed = pass(&filter, &tag(container), &[record.clone(), record.clone()]);
            assert_eq!(passed[1].1["log"], "GET the page");
            assert_eq!(passed[1].1["first"], Value::Null);
        }
        server.put(pod(
            &json!({"fluentbit.io/parser": "nobody's", "fluentbit.io/parser_stderr-main": "words"}),
        ));
        within_a_second("the other parser", || {
            pass(&filter, &tag("main"), &[line("stderr", "GET it")])[0].1["first"] == "GET"
        });
    });
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("pod shop/web") && told[0].contains("'nobody's'"), "{told:?}");
}

#[test]
fn annotations_outside_the_grammar_are_told_of_once_for_a_pod_and_ignored() {
    let annotations =
        json!({"fluentbit.io/exclude_": "true", "fluentbit.io/exclude-": "true", "fluentbit.io/x": "1"});
    let (_server, filter) = knowing(&annotations, &[("k8s-logging.exclude", "on")]);
    let (passed, told) =
        told(Level::WARN, || [passing(&filter, "main"), passing(&filter, "sidecar")].concat());
    assert_eq!(passed.len(), 8);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("pod shop/web") && told[0].contains("exclude_"), "{told:?}");
}

#[test]
fn line_9_what_a_namespace_asks_for_holds_for_its_pods_that_ask_for_nothing() {
    let options =
        [("k8s-logging.exclude", "on"), ("k8s-logging.parser", "on"), ("namespace_annotations", "on")];
    let server = ApiServer::start();
    let namespace = |annotations: Value| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "annotations": annotations}});
    let asked = json!({"fluentbit.io/exclude_stderr": "true", "fluentbit.io/parser": "words"});
    server.put(namespace(asked));
    server.put(pod(&json!({})));
    let url = server.url();
    let own = [("kube_url", url.as_str()), ("kube_token_file", ""), ("kube_node_name", "n1")];
    let filter = start(&ParsersFile::read(PARSERS), &[&own[..], &options].concat());
    assert_eq!(passing(&filter, "main"), [json!("stdout"), json!("other"), Value::Null]);
    let first = |stream: &str| {
        pass(&filter, &tag("main"), &[line(stream, "GET the page")])
            .first()
            .map(|(_, record)| record["first"].clone())
    };
    assert_eq!(first("stdout"), Some(json!("GET")));
    // The pod's own word counts first.
    server.put(pod(&json!({"fluentbit.io/exclude": "false", "fluentbit.io/parser_stdout": "object"})));
    within_a_second("the pod's word", || first("stderr") == Some(json!("GET")));
    assert_eq!(first("stdout"), Some(Value::Null));
    server.put(pod(&json!({})));
    server.put(namespace(json!({"fluentbit.io/exclude": "true"})));
    within_a_second("the namespace's word", || passing(&filter, "main").is_empty());
}

#[test]
fn a_pod_that_has_the_name_now_does_not_speak_for_the_one_before() {
    let annotations = json!({"fluentbit.io/exclude": "true"});
    let (_server, filter) = knowing(&annotations, &[("k8s-logging.exclude", "on")]);
    let records = [line("stdout", "x")];
    let tag = "kube.var.log.pods.shop_web_11111111-2222-3333-4444-555555555555.main.0.log";
    assert_eq!(pass(&filter, tag, &records).len(), 1);
}
