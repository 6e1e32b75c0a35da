//! Structured lines through a host: the fields of JSON, logfmt and klog, their severity, and the keys that hold them.
//!
//! Each case runs on the oldest and the newest stand-in and on every real Fluent Bit of this machine.

#![allow(clippy::unwrap_used, clippy::panic, reason = "that is how a test fails")]

use std::fs;

use flb_kube_testing::host::{FILTER, Host, each};
use serde_json::{Value, json};

const TAG: &str = "kube.var.log.containers.web-1_shop_app-\
                   0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef.log";

const POD: &str = r#"{"metadata":{"name":"web-1","namespace":"shop","uid":"u-1","labels":{"team":"blue"}}}"#;

/// When every record was made.
const TIME: &str = "2026-01-02T03:04:05.500000000Z";
const SECONDS: f64 = 1_767_323_045.5;

const PARSERS: &str = "\
[PARSER]
    Name record
    Format json
    Time_Key at
    Time_Format %Y-%m-%dT%H:%M:%S.%LZ
[PARSER]
    Name words
    Format regex
    Regex ^(?<first>[^ ]+) (?<second>[^ ]+)$
";

/// What `records` become in `host`, with these options of the filter; with their time as `date`.
fn filtered(host: &Host, options: &[&str], records: &[Value]) -> Vec<Value> {
    let mut options: String = options.iter().map(|option| format!("    {option}\n")).collect();
    if !options.contains("Merge_Log off") {
        options += "    Merge_Log on\n";
    }
    let config = format!(
        "[SERVICE]\n    Flush 0.1\n    Grace 2\n    Log_Level info\n    Parsers_File FOLDER/parsers.conf\n\
         [INPUT]\n    Name tail\n    Path FOLDER/lines.log\n    Tag {TAG}\n    Parser record\n    Read_From_Head on\n\
         [FILTER]\n    Name kube\n    Match kube.*\n    Kube_URL http://127.0.0.1:9\n    \
         Kube_Meta_Preload_Cache_Dir FOLDER\n{options}\
         [OUTPUT]\n    Name stdout\n    Match *\n    Format json_lines\n"
    );
    let lines = records.iter().map(|record| {
        let mut record = record.clone();
        record["at"] = TIME.into();
        record["stream"] = "stdout".into();
        format!("{record}\n")
    });
    let lines: String = lines.collect();
    let mut running =
        host.start(&config).plugins(&[FILTER]).file("shop_web-1.meta", POD).run_with(|folder, config| {
            fs::write(folder.join("parsers.conf"), PARSERS).unwrap();
            fs::write(folder.join("lines.log"), lines).unwrap();
            config
        });
    running.wait_for_lines("\"kubernetes\":{", records.len());
    let log = running.log();
    running.stop();
    let rows = log.lines().filter(|line| line.starts_with('{'));
    let rows: Vec<Value> = rows.map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), records.len(), "{}: {rows:#?}", host.name);
    rows.into_iter()
        .map(|mut row| {
            let row_of = row.as_object_mut().unwrap();
            let pod = row_of.remove("kubernetes").unwrap();
            assert_eq!((&pod["pod_name"], &pod["labels"]), (&json!("web-1"), &json!({"team": "blue"})));
            assert_eq!(row_of.remove("date").unwrap().as_f64(), Some(SECONDS), "{}", host.name);
            assert_eq!(row_of.remove("stream"), Some("stdout".into()));
            row
        })
        .collect()
}

/// Checks on each host what becomes of each record.
fn check(options: &[&str], cases: &[(Value, Value)]) {
    let (records, expected): (Vec<_>, Vec<_>) = cases.iter().cloned().unzip();
    each(Host::few(), |host| {
        let rows = filtered(host, options, &records);
        for ((row, expected), record) in rows.iter().zip(&expected).zip(&records) {
            assert_eq!(row, expected, "{}, {options:?}: {record}", host.name);
        }
    });
}

const LOGFMT: &str = r#"level=info msg="a \"b\" c" took=12ms flag dur=1.5 took=13ms"#;
const KLOG: &str = r#"E1231 23:59:59.123456       1 pod.go:12] "Not \"ready\"" pod="shop/web-1" code=500"#;
const PROSE: &str = "GET /x?a=b 200";

fn log(text: &str) -> Value {
    json!({ "log": text })
}

fn of_klog() -> Value {
    json!({
        "severity": "error", "time": "2025-12-31T23:59:59.123456Z", "thread": 1, "source": "pod.go:12",
        "message": "Not \"ready\"", "pod": "shop/web-1", "code": "500",
    })
}

fn of_logfmt() -> Value {
    json!({ "level": "info", "msg": "a \"b\" c", "flag": true, "dur": "1.5", "took": "13ms" })
}

#[test]
fn json_is_merged_and_no_other_format() {
    check(
        &["Keep_Log off"],
        &[
            (
                log(r#"{"a":1,"b":{"c":[1.5,null,true]},"a":2}"#),
                json!({ "a": 2, "b": { "c": [1.5, null, true] } }),
            ),
            (log(LOGFMT), log(LOGFMT)),
            (log(KLOG), log(KLOG)),
            (log(PROSE), log(PROSE)),
        ],
    );
}

#[test]
fn logfmt_is_merged_and_no_other_format() {
    check(
        &["Keep_Log off", "Merge_Format logfmt"],
        &[
            (log(LOGFMT), of_logfmt()),
            (log(KLOG), log(KLOG)),
            (log(r#"{"a":1}"#), log(r#"{"a":1}"#)),
            (log(PROSE), log(PROSE)),
            (log("msg=\"cut"), log("msg=\"cut")),
        ],
    );
}

#[test]
fn klog_is_merged_and_the_records_own_time_stays() {
    check(
        &["Keep_Log off", "Merge_Format klog"],
        &[
            (log(KLOG), of_klog()),
            (
                log("W0102 03:04:05.000001    4711 a.go:7] it = works\n"),
                json!({ "severity": "warning", "time": "2026-01-02T03:04:05.000001Z", "thread": 4711,
                    "source": "a.go:7", "message": "it = works" }),
            ),
            (log(LOGFMT), log(LOGFMT)),
            (log("I am prose"), log("I am prose")),
        ],
    );
}

#[test]
fn auto_merges_whichever_format_a_line_has() {
    check(
        &["Keep_Log off", "Merge_Format auto"],
        &[
            (log(KLOG), of_klog()),
            (log(LOGFMT), of_logfmt()),
            (log(r#" {"a":1} "#), json!({ "a": 1 })),
            (log(PROSE), log(PROSE)),
            (log("a=1"), log("a=1")),
            (log("I0102 cut"), log("I0102 cut")),
            (log(r#"{"a":1"#), log(r#"{"a":1"#)),
        ],
    );
}

#[test]
fn severity_is_one_word_wherever_it_stands() {
    check(
        &["Merge_Format auto", "Keep_Log off", "Severity_Key severity"],
        &[
            (log(KLOG), of_klog()),
            (log(r#"{"level":50,"a":1}"#), json!({ "level": 50, "a": 1, "severity": "error" })),
            (log(r#"{"severity":"WARN"}"#), json!({ "severity": "warning" })),
            (log("level=dbg b=2"), json!({ "level": "dbg", "b": "2", "severity": "debug" })),
            (
                log(r#"{"log":{"level":"Information"}}"#),
                json!({ "log": { "level": "Information" }, "severity": "info" }),
            ),
            (
                json!({ "PRIORITY": "3", "log": PROSE }),
                json!({ "PRIORITY": "3", "log": PROSE, "severity": "error" }),
            ),
            (
                json!({ "PRIORITY": "6", "log": r#"{"lvl":"E"}"# }),
                json!({ "PRIORITY": "6", "lvl": "E", "severity": "error" }),
            ),
            (json!({ "severity": "odd", "log": PROSE }), json!({ "severity": "odd", "log": PROSE })),
            (log(PROSE), log(PROSE)),
        ],
    );
    // Without a line to merge, and in the place of what it is read off.
    check(
        &["Merge_Log off", "Severity_Key level"],
        &[
            (json!({ "level": "ERR", "log": "x" }), json!({ "level": "error", "log": "x" })),
            (json!({ "level": 3.5, "log": "x" }), json!({ "level": 3.5, "log": "x" })),
            (json!({ "kubernetes": 1, "lvl": "w" }), json!({ "lvl": "w", "level": "warning" })),
        ],
    );
    // What is merged under a key tells it too.
    check(
        &["Merge_Log_Key line", "Severity_Key severity"],
        &[(
            log(r#"{"level":"warn"}"#),
            json!({ "log": r#"{"level":"warn"}"#, "line": { "level": "warn" }, "severity": "warning" }),
        )],
    );
    // The metadata's own key is not taken.
    check(
        &["Severity_Key kubernetes"],
        &[(log(r#"{"level":"warn"}"#), json!({ "log": r#"{"level":"warn"}"#, "level": "warn" }))],
    );
}

#[test]
fn no_severity_is_added_unless_it_is_asked_for() {
    check(&["Keep_Log off"], &[(log(r#"{"level":"WARN"}"#), json!({ "level": "WARN" }))]);
}

/// Line 18 of the features: which keys hold lines.
#[test]
fn line_18_the_first_of_several_keys_that_a_record_has_is_merged() {
    let line = r#"{"a":1}"#;
    check(
        &["Log_Keys log, message, MESSAGE", "Keep_Log off"],
        &[
            (json!({ "message": line }), json!({ "a": 1 })),
            (json!({ "MESSAGE": line, "b": 2 }), json!({ "b": 2, "a": 1 })),
            (json!({ "MESSAGE": line, "message": r#"{"c":3}"# }), json!({ "MESSAGE": line, "c": 3 })),
            (json!({ "message": line, "log": "text" }), json!({ "message": line, "log": "text" })),
            (json!({ "other": line }), json!({ "other": line })),
        ],
    );
    check(
        &["Log_Keys message"],
        &[
            (json!({ "message": line, "log": line }), json!({ "message": line, "log": line, "a": 1 })),
            (log(line), log(line)),
        ],
    );
}

/// Line 18 of the features: trimming, keeping and the merge key, in every format.
#[test]
fn line_18_trim_keep_and_merge_key_hold_for_every_format() {
    let lines = [
        r#"{"message":"end\n","number":1}"#,
        r#"message="end\n" number=1"#,
        "I0102 03:04:05.000001       7 a.go:7] \"end\\n\" number=1",
    ];
    let records: Vec<Value> = lines.iter().map(|line| log(line)).collect();
    each(Host::few(), |host| {
        let kept = filtered(host, &["Merge_Format auto", "Merge_Log_Key line"], &records);
        let gone = filtered(host, &["Merge_Format auto", "Keep_Log off", "Merge_Log_Trim off"], &records);
        for ((kept, gone), line) in kept.iter().zip(&gone).zip(lines) {
            assert_eq!(kept["log"], line, "{}", host.name);
            assert_eq!(kept["line"]["message"], "end", "{}: {line}", host.name);
            assert_eq!(kept["message"], Value::Null, "{}: {line}", host.name);
            assert_eq!(
                (&gone["log"], &gone["message"]),
                (&Value::Null, &"end\n".into()),
                "{}: {line}",
                host.name
            );
        }
    });
}

/// Line 18 of the features: what is no text is never lost.
#[test]
fn line_18_a_line_that_is_no_text_is_merged_if_it_is_a_map_and_else_kept() {
    for format in ["json", "logfmt", "klog", "auto"] {
        check(
            &["Keep_Log off", &format!("Merge_Format {format}")],
            &[
                (json!({ "log": 7 }), json!({ "log": 7 })),
                (json!({ "log": null }), json!({ "log": null })),
                (json!({ "log": ["a", 1] }), json!({ "log": ["a", 1] })),
                (json!({ "log": true }), json!({ "log": true })),
                (json!({ "log": 1.5 }), json!({ "log": 1.5 })),
                (json!({ "log": "" }), json!({ "log": "" })),
                (json!({ "log": { "a": "b\n" }, "c": 1 }), json!({ "a": "b\n", "c": 1 })),
            ],
        );
    }
}

/// Line 18 of the features: a parser without a time leaves the record its own, as `filtered` checks of every record.
#[test]
fn line_18_a_parser_that_finds_no_time_leaves_the_records_own() {
    check(
        &["Keep_Log off", "Merge_Parser words"],
        &[(log("one two"), json!({ "first": "one", "second": "two" })), (log("one"), log("one"))],
    );
}

#[test]
fn a_value_that_would_merge_nothing_refuses_the_start() {
    each(Host::few(), |host| {
        for (option, said) in [
            ("Merge_Format yaml", "option 'merge_format': 'yaml' is none of json, logfmt, klog and auto"),
            ("Log_Keys ,", "option 'log_keys': ',' names no field; to merge nothing, set merge_log to off"),
        ] {
            let config = format!(
                "[INPUT]\n    Name dummy\n    Tag {TAG}\n[FILTER]\n    Name kube\n    Match *\n    {option}\n\
                 [OUTPUT]\n    Name stdout\n    Match *\n"
            );
            let mut running = host.start(&config).plugins(&[FILTER]).run();
            let status = running.wait_for_end();
            let log = running.log();
            assert!(!status.success() && log.contains(said), "{}: {option}: {status}\n{log}", host.name);
        }
    });
}
