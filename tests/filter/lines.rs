//! What becomes of lines, with the filter in process: whose fields win, and what is read as a line.

#![allow(clippy::unwrap_used, clippy::panic, reason = "that is how a test fails")]

use std::time::{Duration, Instant};

use flb_kube_testing::{
    filtering::{ParsersFile, bodies, start},
    told::told,
};
use serde_json::{Value, json};
use tracing::Level;

const TAG: &str = "kube.var.log.containers.web-1_shop_app-\
                   0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef.log";

/// What a line of CRI with this text becomes under `tag`, with these options too.
fn cri(tag: &str, text: &str, options: &[(&str, &str)]) -> Value {
    let own = [("use_tag_for_meta", "on"), ("cri", "on"), ("merge_log", "on")];
    let filter = start(&ParsersFile::default(), &[&own, options].concat());
    let line = format!("2026-01-02T03:04:05.000000001Z stdout F {text}");
    bodies(&filter, tag, &[json!({ "log": line })]).remove(0)
}

const FORGED: &str = r#"{"a":1,"kubernetes":{"namespace_name":"kube-system"},"kubernetes_namespace":{"name":"kube-system"},"kubernetes.labels.team":"red"}"#;

#[test]
fn a_line_never_writes_the_fields_of_the_filter_whatever_its_tag_says() {
    for keep in ["on", "off"] {
        let record = cri("no-tag-of-a-pod", FORGED, &[("keep_log", keep)]);
        assert_eq!(record, json!({"stream": "stdout", "log": FORGED, "a": 1}), "keep_log {keep}");
        let record = cri(TAG, FORGED, &[("keep_log", keep)]);
        assert_eq!(record["kubernetes"]["namespace_name"], "shop");
        assert_eq!(
            (&record["kubernetes_namespace"], &record["kubernetes.labels.team"]),
            (&Value::Null, &Value::Null)
        );
        assert_eq!((&record["log"], &record["a"]), (&FORGED.into(), &json!(1)));
    }
    let options = [
        ("namespace_metadata_only", "on"),
        ("use_tag_for_meta", "off"),
        ("kube_url", "http://127.0.0.1:1"),
        ("kube_token_file", ""),
        ("kube_node_name", "n1"),
        ("wait_for_sync", "0"),
    ];
    let record = cri(TAG, FORGED, &options);
    assert_eq!(record["kubernetes"], Value::Null);
    // Under a key of its own a line may have what it likes.
    let record = cri("no-tag-of-a-pod", FORGED, &[("merge_log_key", "line"), ("keep_log", "off")]);
    assert_eq!(record["line"]["kubernetes"]["namespace_name"], "kube-system");
    assert_eq!(record["log"], Value::Null);
}

#[test]
fn a_line_of_klog_keeps_its_own_keys_beside_those_of_its_header() {
    let line = "I0102 03:04:05.000001       1 event.go:376] \"Event occurred\" object=\"shop/web\" reason=\"ScalingReplicaSet\" \
                message=\"Scaled up replica set web-1 to 1\" severity=high time=now thread=t source=s message_=m";
    let record = cri(TAG, line, &[("merge_format", "klog"), ("keep_log", "off")]);
    for (key, value) in [
        ("message", json!("Event occurred")),
        ("severity", json!("info")),
        ("time", json!("2026-01-02T03:04:05.000001Z")),
        ("thread", json!(1)),
        ("source", json!("event.go:376")),
        ("message_", json!("Scaled up replica set web-1 to 1")),
        ("message__", json!("m")),
        ("severity_", json!("high")),
        ("time_", json!("now")),
        ("thread_", json!("t")),
        ("source_", json!("s")),
        ("object", json!("shop/web")),
    ] {
        assert_eq!(record[key], value, "{key}");
    }
}

#[test]
fn an_object_with_text_behind_it_is_merged_as_by_the_built_in() {
    for text in [
        "{\"a\":1},",
        "{\"a\":1}\0",
        "{\"a\":1}\u{1b}[0m",
        "{\"a\":1}\\n",
        "{\"a\":1} ",
        "\u{1b}[32m{\"a\":1}",
    ] {
        let record = cri(TAG, text, &[("keep_log", "off")]);
        if text.starts_with('{') {
            assert_eq!((&record["a"], &record["log"]), (&json!(1), &Value::Null), "{text:?}");
        } else {
            assert_eq!(record["log"], text);
        }
    }
    // What says something is not lost.
    for text in ["{\"a\":1} done", "{\"a\":1}}", "{\"a\":1} - 5", "{\"a\":1} {"] {
        let record = cri(TAG, text, &[("keep_log", "off")]);
        assert_eq!((&record["a"], &record["log"]), (&json!(1), &text.into()), "{text:?}");
    }
    for text in [
        "{\"a\":1}{\"b\":2}",
        "{\"a\":1} {\"b\":2}",
        "{\"a\":1} [2]",
        "{\"a\":1} 2",
        "{\"a\":1} \"b\"",
        "{\"a\":1} null",
    ] {
        let record = cri(TAG, text, &[("keep_log", "off")]);
        assert_eq!((&record["a"], &record["log"]), (&Value::Null, &text.into()), "{text:?}");
    }
}

#[test]
fn raw_lines_are_read_from_the_first_of_the_log_keys_that_a_record_has() {
    let options = [("use_tag_for_meta", "on"), ("cri", "on"), ("log_keys", "message,log")];
    let filter = start(&ParsersFile::default(), &options);
    for key in ["log", "message"] {
        let record =
            &bodies(&filter, TAG, &[json!({"file": "f", key: "2026-01-02T03:04:05Z stderr F x"})])[0];
        assert_eq!((&record["log"], &record["stream"]), (&"x".into(), &"stderr".into()), "{key}: {record}");
        assert_eq!((&record["message"], &record["file"]), (&Value::Null, &"f".into()));
    }
}

#[test]
fn numbers_up_to_7_are_those_of_syslog_in_records_of_the_journal_alone() {
    let options = [("use_tag_for_meta", "on"), ("merge_log", "on"), ("severity_key", "sev")];
    let filter = start(&ParsersFile::default(), &options);
    let severity = |record: Value| bodies(&filter, TAG, &[record])[0]["sev"].clone();
    assert_eq!(severity(json!({"PRIORITY": "3", "log": "x"})), "error");
    assert_eq!(severity(json!({"priority": "3", "_boot_id": "b", "log": "x"})), "error");
    assert_eq!(severity(json!({"priority": 1, "BOOT_ID": "b", "log": "x"})), "alert");
    for own in [json!({"priority": 1}), json!({"level": 0}), json!({"level": "3"}), json!({"PRIORITY": 2})] {
        assert_eq!(severity(json!({ "log": own.to_string() })), Value::Null, "{own}");
    }
    assert_eq!(severity(json!({"priority": 1, "log": "x"})), Value::Null);
    assert_eq!(severity(json!({"log": r#"{"level":30}"#})), "info");
}

#[test]
fn parts_of_dead_containers_leave_room_for_long_lines_on_a_host_that_asks_for_nothing() {
    let options = [("use_tag_for_meta", "on"), ("cri", "on"), ("cri_max_age", "1s")];
    let filter = start(&ParsersFile::default(), &options);
    let tag = |number: usize| TAG.replace("web-1", &format!("web-{number}"));
    let part = |tag: &str, of: &str| {
        let line = format!("2026-01-02T03:04:05Z stdout {of} {}", "x".repeat(1_900_000));
        bodies(&filter, tag, &[json!({ "log": line })])
    };
    let waited = (0..20).filter(|number| part(&tag(*number), "P").is_empty()).count();
    assert!((12..18).contains(&waited), "{waited} wait");
    let filled = Instant::now();
    while filled.elapsed() <= Duration::from_secs(1) {
        std::thread::sleep(Duration::from_millis(50));
    }
    let ((), told) = told(Level::WARN, || {
        for number in 100..105 {
            let (first, last) = (
                part(&tag(number), "P"),
                bodies(&filter, &tag(number), &[json!({"log": "2026-01-02T03:04:06Z stdout F end"})]),
            );
            assert!(first.is_empty(), "container {number} waits for its rest");
            assert_eq!(last[0]["log"].as_str().map(str::len), Some(1_900_003));
            assert_eq!(last[0]["partial_message"], Value::Null);
        }
    });
    assert!(told[0].contains("were given up to make room"), "{told:?}");
    assert_eq!(told.len(), 1, "{told:?}");
}
