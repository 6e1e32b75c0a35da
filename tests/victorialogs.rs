//! The output `victorialogs` through its contract: chunks go in, rows come out at the stand-in sink and, where its
//! binary is found, at a real VictoriaLogs.

#![allow(clippy::unwrap_used, clippy::panic, reason = "what can't be set up fails the test right there")]

#[path = "support/sink/mod.rs"]
mod sink;
#[path = "support/victorialogs.rs"]
mod victorialogs;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant, SystemTime},
};

use flb_kube::{
    options::Options as _,
    plugin::{Chunk, Flushed, Output as _},
    plugins::out_victorialogs::{VictoriaLogs, VictoriaLogsOptions},
    runtime::{Owner, Tasks},
    victorialogs::tally::Reason,
};
use rmpv::Value;
use sink::{Answer, Row, Sink};
use victorialogs::RealServer;

/// Where rows arrive: the sink or a real server.
trait Server {
    fn url(&self) -> String;
    /// All rows of a tenant, sorted by time.
    fn rows(&self, tenant: (u32, u32)) -> Vec<Row>;
}

impl Server for Sink {
    fn url(&self) -> String {
        self.url()
    }

    fn rows(&self, tenant: (u32, u32)) -> Vec<Row> {
        assert_eq!(self.dropped(), Vec::<String>::new(), "the server would have dropped these in silence");
        let mut rows: Vec<Row> = self.rows().into_iter().filter(|row| row.tenant == tenant).collect();
        rows.sort_by_key(|row| row.time);
        rows
    }
}

impl Server for RealServer {
    fn url(&self) -> String {
        self.url()
    }

    fn rows(&self, tenant: (u32, u32)) -> Vec<Row> {
        self.rows(tenant)
    }
}

/// Runs each case on the sink, and on the real server where there is one.
macro_rules! on_both {
    ($($case:ident)*) => {
        mod on_the_sink {
            $(#[test] fn $case() { super::$case(&super::Sink::start()); })*
        }
        mod on_victorialogs {
            $(#[test] fn $case() {
                match super::RealServer::start(&[]) {
                    Some(server) => super::$case(&server),
                    None => eprintln!("skipped: {}: no VictoriaLogs found, set VICTORIA_LOGS", stringify!($case)),
                }
            })*
        }
    };
}

/// A running output with its tasks.
struct Running {
    output: VictoriaLogs,
    tasks: Tasks,
}

impl Running {
    fn flush(&self, data: &[u8]) -> Flushed {
        self.output.flush(Chunk { tag: b"kube.shop", data })
    }

    fn count(&self, reason: Reason) -> u64 {
        self.output.tally().counts().of(reason)
    }
}

fn start(options: &[(&str, &str)]) -> Result<Running, String> {
    let load = |key: &str| options.iter().find(|(name, _)| *name == key).map(|(_, value)| value.to_string());
    let options = VictoriaLogsOptions::load(&load).map_err(|bad| bad.to_string())?;
    let tasks = Tasks::new(Owner { name: "output:victorialogs:test".into(), level: 4 }).unwrap();
    let output = VictoriaLogs::start(options, tasks.clone()).map_err(|refusal| refusal.to_string())?;
    Ok(Running { output, tasks })
}

fn output(url: &str, options: &[(&str, &str)]) -> Running {
    start(&[&[("url", url)], options].concat()).unwrap()
}

fn refusal(options: &[(&str, &str)]) -> String {
    start(options).err().expect("this should be refused")
}

/// Now, in nanoseconds: real servers drop what is old.
fn now() -> i64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos() as i64
}

fn event_time(nanos: i64) -> Value {
    let seconds = (nanos / 1_000_000_000) as u32;
    let rest = (nanos % 1_000_000_000) as u32;
    Value::Ext(0, [seconds.to_be_bytes(), rest.to_be_bytes()].concat())
}

fn map(pairs: &[(&str, Value)]) -> Value {
    Value::Map(pairs.iter().map(|(key, value)| ((*key).into(), value.clone())).collect())
}

fn pack(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    rmpv::encode::write_value(&mut bytes, value).unwrap();
    bytes
}

/// An event of today's form.
fn event(nanos: i64, body: Value) -> Vec<u8> {
    pack(&Value::Array(vec![Value::Array(vec![event_time(nanos), map(&[])]), body]))
}

fn line(nanos: i64, log: &str) -> Vec<u8> {
    event(nanos, map(&[("log", log.into())]))
}

fn pod(name: &str) -> Value {
    map(&[
        ("pod_name", name.into()),
        ("namespace_name", "shop".into()),
        ("labels", map(&[("app.kubernetes.io/name", "web".into()), ("odd name", "x=1, \"y\"".into())])),
        ("annotations", map(&[("note", "first\nsecond \\ \"quoted\"".into())])),
        ("container_name", "app".into()),
    ])
}

fn from_pod(nanos: i64, name: &str, log: &str) -> Vec<u8> {
    event(nanos, map(&[("log", log.into()), ("stream", "stdout".into()), ("kubernetes", pod(name))]))
}

fn fields(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
}

const PROTOCOLS: [&str; 2] = ["loki", "jsonline"];

on_both! {
    enriched_records_arrive_in_the_stream_of_their_container_with_flat_names
    rows_of_several_pods_in_one_chunk_keep_their_streams_and_their_order
    both_protocols_and_all_compressions_store_the_same_rows
    tenants_are_kept_apart
    fields_are_renamed_left_out_and_added_as_asked
    the_message_is_the_first_candidate_that_is_not_empty
    without_a_message_the_fields_become_one
    the_time_field_stands_above_the_records_time
    all_forms_of_events_arrive_and_group_markers_do_not
    values_of_all_types_are_stored_as_text
    names_given_twice_keep_the_last_value
    invalid_utf8_is_replaced_and_told
    rows_at_the_servers_limits_pass_untouched
    rows_over_the_servers_limits_are_made_to_fit
    a_hundred_thousand_records_arrive_once_each
    without_stream_fields_all_rows_are_of_one_stream
    a_record_without_its_pod_arrives_as_well
}

fn enriched_records_arrive_in_the_stream_of_their_container_with_flat_names(server: &dyn Server) {
    for protocol in PROTOCOLS {
        let output = output(
            &server.url(),
            &[("protocol", protocol), ("account_id", if protocol == "loki" { "1" } else { "2" })],
        );
        let time = now();
        assert_eq!(output.flush(&from_pod(time, "web-1", "hello")), Flushed::Done);
        let rows = server.rows(if protocol == "loki" { (1, 0) } else { (2, 0) });
        assert_eq!(rows.len(), 1, "{protocol}");
        assert_eq!(rows[0].time, time, "{protocol}");
        assert_eq!(
            rows[0].stream,
            fields(&[
                ("kubernetes.namespace_name", "shop"),
                ("kubernetes.pod_name", "web-1"),
                ("kubernetes.container_name", "app"),
            ]),
            "{protocol}"
        );
        assert_eq!(
            rows[0].fields,
            fields(&[
                ("_msg", "hello"),
                ("stream", "stdout"),
                ("kubernetes.namespace_name", "shop"),
                ("kubernetes.pod_name", "web-1"),
                ("kubernetes.container_name", "app"),
                ("kubernetes.labels.app.kubernetes.io/name", "web"),
                ("kubernetes.labels.odd name", "x=1, \"y\""),
                ("kubernetes.annotations.note", "first\nsecond \\ \"quoted\""),
            ]),
            "{protocol}"
        );
    }
}

fn rows_of_several_pods_in_one_chunk_keep_their_streams_and_their_order(server: &dyn Server) {
    let (output, start) = (output(&server.url(), &[]), now());
    let chunk: Vec<u8> = (0..60)
        .flat_map(|n| from_pod(start + n, ["web-1", "web-2", "db-1"][n as usize % 3], &n.to_string()))
        .collect();
    assert_eq!(output.flush(&chunk), Flushed::Done);
    let rows = server.rows((0, 0));
    assert_eq!(rows.len(), 60);
    for (n, row) in rows.iter().enumerate() {
        assert_eq!((row.time, row.message()), (start + n as i64, n.to_string().as_str()));
        assert_eq!(row.stream["kubernetes.pod_name"], ["web-1", "web-2", "db-1"][n % 3]);
    }
}

fn both_protocols_and_all_compressions_store_the_same_rows(server: &dyn Server) {
    let start = now();
    let chunk: Vec<u8> = (0..50)
        .flat_map(|n| {
            let body = map(&[
                ("log", format!("line {n} with \"quotes\", \\ and é\ttab\n").into()),
                ("n", n.into()),
                ("deep", map(&[("list", Value::Array(vec![1.into(), "two".into()])), ("on", true.into())])),
                ("kubernetes", pod("web-1")),
            ]);
            event(start + n, body)
        })
        .collect();
    let mut stored = Vec::new();
    for (account, (protocol, compress)) in [
        ("loki", "zstd"),
        ("loki", "gzip"),
        ("loki", "none"),
        ("jsonline", "zstd"),
        ("jsonline", "gzip"),
        ("jsonline", "none"),
    ]
    .into_iter()
    .enumerate()
    {
        let account = account as u32 + 1;
        let options = [("protocol", protocol), ("compress", compress), ("account_id", &account.to_string())];
        assert_eq!(output(&server.url(), &options).flush(&chunk), Flushed::Done);
        let mut rows = server.rows((account, 0));
        rows.iter_mut().for_each(|row| row.tenant = (0, 0));
        stored.push(rows);
    }
    assert_eq!(stored[0].len(), 50);
    assert_eq!(stored[0][7].message(), "line 7 with \"quotes\", \\ and é\ttab\n");
    assert_eq!(stored[0][7].field("deep.list"), "[1,\"two\"]");
    for other in &stored[1..] {
        assert_eq!(other, &stored[0]);
    }
}

fn tenants_are_kept_apart(server: &dyn Server) {
    for (account, project) in [("0", "0"), ("12", "0"), ("12", "34"), ("4294967295", "4294967295")] {
        let output = output(&server.url(), &[("account_id", account), ("project_id", project)]);
        assert_eq!(output.flush(&line(now(), &format!("{account}:{project}"))), Flushed::Done);
    }
    for (account, project) in [(0, 0), (12, 0), (12, 34), (u32::MAX, u32::MAX)] {
        let rows = server.rows((account, project));
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].message(), format!("{account}:{project}"));
    }
}

fn fields_are_renamed_left_out_and_added_as_asked(server: &dyn Server) {
    let options = [
        ("ignore_fields", "secret, kubernetes.annotations.*, deep.x*"),
        ("extra_fields", "cluster=eu-1, stage=a=b"),
        ("stream_fields", "cluster, app"),
    ];
    let body = map(&[
        ("log", "m".into()),
        ("secret", "s".into()),
        ("cluster", "of the record".into()),
        ("app", "web".into()),
        ("deep", map(&[("x1", 1.into()), ("x2", map(&[("y", 2.into())])), ("z", 3.into())])),
        ("_time", "yesterday".into()),
        ("_stream", "s".into()),
        ("_stream_id", "i".into()),
        ("", "nameless".into()),
        ("kubernetes", pod("web-1")),
    ]);
    for (account, protocol) in [("1", "loki"), ("2", "jsonline")] {
        let output = output(
            &server.url(),
            &[&options[..], &[("protocol", protocol), ("account_id", account)]].concat(),
        );
        assert_eq!(output.flush(&event(now(), body.clone())), Flushed::Done);
        let rows = server.rows((account.parse().unwrap(), 0));
        assert_eq!(rows[0].stream, fields(&[("cluster", "eu-1"), ("app", "web")]), "{protocol}");
        assert_eq!(
            rows[0].fields,
            fields(&[
                ("_msg", "m"),
                ("cluster", "eu-1"),
                ("stage", "a=b"),
                ("app", "web"),
                ("deep.z", "3"),
                ("_orig_time", "yesterday"),
                ("_orig_stream", "s"),
                ("_orig_stream_id", "i"),
                ("_orig", "nameless"),
                ("kubernetes.pod_name", "web-1"),
                ("kubernetes.namespace_name", "shop"),
                ("kubernetes.container_name", "app"),
                ("kubernetes.labels.app.kubernetes.io/name", "web"),
                ("kubernetes.labels.odd name", "x=1, \"y\""),
            ]),
            "{protocol}"
        );
        assert_eq!(output.count(Reason::Reserved), 4);
    }
}

fn the_message_is_the_first_candidate_that_is_not_empty(server: &dyn Server) {
    let (output, start) = (output(&server.url(), &[]), now());
    let bodies = [
        map(&[("message", "from message".into()), ("log", "from log".into())]),
        map(&[("log", "".into()), ("MESSAGE", "journal".into())]),
        map(&[("log", Value::Nil), ("msg", 42.into())]),
        map(&[("log", "from log".into()), ("_msg", "from _msg".into())]),
        map(&[("log", map(&[("a", 1.into())])), ("message", "flat".into())]),
    ];
    let chunk: Vec<u8> = (start..).zip(bodies).flat_map(|(time, body)| event(time, body)).collect();
    assert_eq!(output.flush(&chunk), Flushed::Done);
    let rows = server.rows((0, 0));
    let messages: Vec<&str> = rows.iter().map(Row::message).collect();
    assert_eq!(messages, ["from log", "journal", "42", "from _msg", "flat"]);
    assert_eq!(rows[0].field("message"), "from message");
    assert_eq!(rows[3].field("log"), "from log");
    assert_eq!(rows[4].field("log.a"), "1");
}

fn without_a_message_the_fields_become_one(server: &dyn Server) {
    let (output, start) = (output(&server.url(), &[("msg_field", "text")]), now());
    let body = map(&[
        ("status", 200.into()),
        ("path", "/a\"b".into()),
        ("_msg", "other".into()),
        ("kubernetes", pod("web-1")),
    ]);
    let chunk = [event(start, body), event(start + 1, map(&[]))].concat();
    assert_eq!(output.flush(&chunk), Flushed::Done);
    let rows = server.rows((0, 0));
    assert_eq!(rows[0].message(), r#"{"status":200,"path":"/a\"b","_orig_msg":"other"}"#);
    assert_eq!(rows[0].field("status"), "200");
    assert_eq!(rows[0].field("_orig_msg"), "other");
    assert_eq!(rows[1].message(), "{}");
    assert_eq!(output.count(Reason::NoMessage), 2);
}

fn the_time_field_stands_above_the_records_time(server: &dyn Server) {
    let start = now() / 1_000_000_000 * 1_000_000_000;
    let seconds = start / 1_000_000_000;
    let output = output(&server.url(), &[("time_field", "ts, at")]);
    let with =
        |key: &str, value: Value| event(start + 900_000_000, map(&[("log", "m".into()), (key, value)]));
    let chunk = [
        with("ts", format!("{seconds}.000000001").into()),
        with("at", (start + 2).into()),
        with("ts", (start / 1_000_000 + 1).into()),
        with("ts", "no time".into()),
    ]
    .concat();
    assert_eq!(output.flush(&chunk), Flushed::Done);
    let rows = server.rows((0, 0));
    let times: Vec<i64> = rows.iter().map(|row| row.time - start).collect();
    assert_eq!(times, [1, 2, 1_000_000, 900_000_000]);
    assert_eq!(rows[0].fields, fields(&[("_msg", "m")]));
    assert_eq!(rows[3].field("ts"), "no time");
    assert_eq!(output.count(Reason::BadTime), 1);
}

fn all_forms_of_events_arrive_and_group_markers_do_not(server: &dyn Server) {
    let (output, start) = (output(&server.url(), &[]), now() / 1_000_000_000 * 1_000_000_000);
    let (seconds, body) = (start / 1_000_000_000, |text: &str| map(&[("log", text.into())]));
    let metadata = map(&[("severity", "info".into()), ("otlp", map(&[("trace", "abc".into())]))]);
    let marker = |sec: u32| Value::Ext(0, [sec.to_be_bytes(), 0u32.to_be_bytes()].concat());
    // array32 for both headers, as old hosts write them
    let wide = [
        &[0xdd, 0, 0, 0, 2, 0xdd, 0, 0, 0, 2][..],
        &pack(&event_time(start + 4)),
        &pack(&map(&[])),
        &pack(&body("wide")),
    ]
    .concat();
    let chunk = [
        pack(&Value::Array(vec![
            Value::Array(vec![marker(u32::MAX), map(&[("g", 1.into())])]),
            map(&[("r", 1.into())]),
        ])),
        pack(&Value::Array(vec![Value::Array(vec![event_time(start + 1), metadata]), body("otlp")])),
        pack(&Value::Array(vec![Value::Array(vec![marker(u32::MAX - 1), map(&[])]), map(&[])])),
        pack(&Value::Array(vec![event_time(start + 2), body("legacy")])),
        pack(&Value::Array(vec![(seconds + 1).into(), body("integer")])),
        pack(&Value::Array(vec![(seconds as f64 + 1.5).into(), body("float")])),
        wide,
        pack(&"no event".into()),
        pack(&Value::Array(vec!["no time".into(), body("lost")])),
    ]
    .concat();
    assert_eq!(output.flush(&chunk), Flushed::Done);
    let rows = server.rows((0, 0));
    let seen: Vec<(&str, i64)> = rows.iter().map(|row| (row.message(), row.time - start)).collect();
    assert_eq!(
        seen,
        [("otlp", 1), ("legacy", 2), ("wide", 4), ("integer", 1_000_000_000), ("float", 1_500_000_000)]
    );
    assert_eq!(
        rows[0].fields,
        fields(&[("_msg", "otlp"), ("metadata.severity", "info"), ("metadata.otlp.trace", "abc")])
    );
    assert_eq!(output.count(Reason::Foreign), 2);
}

fn values_of_all_types_are_stored_as_text(server: &dyn Server) {
    let body = Value::Map(vec![
        ("log".into(), "m".into()),
        ("nil".into(), Value::Nil),
        ("empty".into(), "".into()),
        ("empty_map".into(), map(&[])),
        ("empty_list".into(), Value::Array(vec![])),
        ("yes".into(), true.into()),
        ("negative".into(), (-123456789012345i64).into()),
        ("large".into(), u64::MAX.into()),
        ("half".into(), 0.5.into()),
        ("binary".into(), Value::Binary(b"bytes".to_vec())),
        ("ext".into(), Value::Ext(5, vec![0xab, 0x01])),
        ("list".into(), Value::Array(vec![map(&[("a", "b\"".into())]), Value::Nil, 2.into()])),
        (7.into(), "numbered".into()),
    ]);
    for (account, protocol) in [("1", "loki"), ("2", "jsonline")] {
        let output = output(&server.url(), &[("protocol", protocol), ("account_id", account)]);
        assert_eq!(output.flush(&event(now(), body.clone())), Flushed::Done);
        let rows = server.rows((account.parse().unwrap(), 0));
        assert_eq!(
            rows[0].fields,
            fields(&[
                ("_msg", "m"),
                ("empty_list", "[]"),
                ("yes", "true"),
                ("negative", "-123456789012345"),
                ("large", "18446744073709551615"),
                ("half", "0.5"),
                ("binary", "bytes"),
                ("ext", "ab01"),
                ("list", r#"[{"a":"b\""},null,2]"#),
                ("7", "numbered"),
            ]),
            "{protocol}"
        );
    }
}

fn names_given_twice_keep_the_last_value(server: &dyn Server) {
    let (output, start) = (output(&server.url(), &[]), now());
    let twice = Value::Map(vec![
        ("log".into(), "m".into()),
        ("stream".into(), "first".into()),
        ("a.b".into(), "flat".into()),
        ("a".into(), map(&[("b", "nested".into())])),
        ("stream".into(), "last".into()),
        ("kubernetes".into(), pod("first")),
        ("kubernetes".into(), pod("last")),
    ]);
    let flat_last =
        map(&[("log", "m".into()), ("kubernetes", pod("nested")), ("kubernetes.pod_name", "flat".into())]);
    let chunk = [event(start, twice), event(start + 1, flat_last)].concat();
    assert_eq!(output.flush(&chunk), Flushed::Done);
    let rows = server.rows((0, 0));
    assert_eq!(rows[0].field("stream"), "last");
    assert_eq!(rows[0].field("a.b"), "nested");
    assert_eq!(rows[0].field("kubernetes.pod_name"), "last");
    assert_eq!(rows[1].field("kubernetes.pod_name"), "flat");
    assert_eq!(rows[1].stream["kubernetes.pod_name"], "flat");
    assert_eq!(rows[1].stream["kubernetes.namespace_name"], "shop");
    assert_eq!(output.count(Reason::Duplicate), 4);
}

fn invalid_utf8_is_replaced_and_told(server: &dyn Server) {
    let bytes =
        |bytes: &[u8]| Value::String(rmpv::Utf8String::from(String::from_utf8_lossy(bytes).into_owned()));
    let mut packed = event(now(), map(&[("log", bytes(b"a?b")), ("k?y", "v".into())]));
    for byte in &mut packed {
        if *byte == b'?' {
            *byte = 0xff;
        }
    }
    for (account, protocol) in [("1", "loki"), ("2", "jsonline")] {
        let output = output(&server.url(), &[("protocol", protocol), ("account_id", account)]);
        assert_eq!(output.flush(&packed), Flushed::Done);
        let rows = server.rows((account.parse().unwrap(), 0));
        assert_eq!(rows[0].fields, fields(&[("_msg", "a\u{fffd}b"), ("k\u{fffd}y", "v")]), "{protocol}");
        assert_eq!(output.count(Reason::NotUtf8), 2);
    }
}

/// A record of so many fields, with the message.
fn wide(count: usize) -> Value {
    let names: Vec<String> = (1..count).map(|n| format!("f{n:04}")).collect();
    let mut pairs: Vec<(&str, Value)> = vec![("log", "m".into())];
    pairs.extend(names.iter().map(|name| (name.as_str(), Value::from("v"))));
    map(&pairs)
}

fn rows_at_the_servers_limits_pass_untouched(server: &dyn Server) {
    let start = now();
    let loki = output(&server.url(), &[("account_id", "1")]);
    let name = "n".repeat(128);
    // What the server counts for a row beyond its message.
    let longest = "x".repeat((2 << 20) - 48 - 6 - "_msg".len());
    let chunk = [
        event(start, wide(1000)),
        event(start + 1, map(&[("log", "m".into()), (&name, "v".into())])),
        line(start + 2, &longest),
    ]
    .concat();
    assert_eq!(loki.flush(&chunk), Flushed::Done);
    let rows = server.rows((1, 0));
    assert_eq!(rows.len(), 3);
    assert_eq!(rows[0].fields.len(), 1000);
    assert_eq!(rows[1].field(&name), "v");
    assert_eq!(rows[2].message().len(), longest.len());
    assert!(loki.output.tally().counts().is_empty());

    let jsonline = output(&server.url(), &[("account_id", "2"), ("protocol", "jsonline")]);
    let longest = "x".repeat(262_143 - r#"{"_time":,"_msg":""}"#.len() - start.to_string().len());
    let chunk = [event(start, wide(999)), line(start + 1, &longest), line(start + 2, "neighbour")].concat();
    assert_eq!(jsonline.flush(&chunk), Flushed::Done);
    let rows = server.rows((2, 0));
    assert_eq!(rows.len(), 3);
    assert_eq!(rows[1].message().len(), longest.len());
    assert!(jsonline.output.tally().counts().is_empty());
}

fn rows_over_the_servers_limits_are_made_to_fit(server: &dyn Server) {
    let start = now();
    for (account, protocol, fields, too_long) in [
        ("1", "loki", 1001, (2 << 20) - 48 - 6 - "_msg".len() + 1),
        ("2", "jsonline", 1000, 262_144 - r#"{"_time":,"_msg":""}"#.len() - start.to_string().len()),
    ] {
        let output = output(&server.url(), &[("account_id", account), ("protocol", protocol)]);
        let name = "n".repeat(129);
        let both =
            map(&[("log", "é".repeat(too_long).into()), ("other", "\u{1}".repeat(too_long * 2).into())]);
        let chunk = [
            event(start, wide(fields)),
            event(start + 1, map(&[("log", "m".into()), (&name, 5.into()), ("_extra", "own".into())])),
            line(start + 2, &"x".repeat(too_long)),
            event(start + 3, both),
            line(start + 4, "neighbour"),
        ]
        .concat();
        assert_eq!(output.flush(&chunk), Flushed::Done);
        let rows = server.rows((account.parse().unwrap(), 0));
        assert_eq!(rows.len(), 5, "{protocol}");
        let extra: serde_json::Value = serde_json::from_str(rows[0].field("_extra")).unwrap();
        let kept = rows[0].fields.len() - 2;
        assert_eq!(kept + extra.as_object().unwrap().len(), fields - 1, "{protocol}");
        let extra: serde_json::Value = serde_json::from_str(rows[1].field("_extra")).unwrap();
        assert_eq!(extra, serde_json::json!({ name.as_str(): 5, "_extra": "own" }), "{protocol}");
        let mark = format!("... [truncated, {too_long} bytes]");
        assert!(rows[2].message().starts_with("xxx") && rows[2].message().ends_with(&mark), "{protocol}");
        assert!(rows[2].message().len() > too_long - 100, "{protocol}");
        assert!(rows[3].field("other").ends_with(" bytes]"), "{protocol}");
        assert_eq!(rows[4].message(), "neighbour", "{protocol}");
        assert_eq!(output.count(Reason::LongName), 1, "{protocol}");
        assert!(output.count(Reason::Truncated) >= 2, "{protocol}");
        assert!(output.count(Reason::ManyFields) >= 2, "{protocol}");
    }
}

fn a_hundred_thousand_records_arrive_once_each(server: &dyn Server) {
    let (output, start) = (output(&server.url(), &[]), now());
    let padding = "x".repeat(100);
    let chunk: Vec<u8> = (0..100_000).flat_map(|n| line(start + n, &format!("{n} {padding}"))).collect();
    assert_eq!(output.flush(&chunk), Flushed::Done);
    let rows = server.rows((0, 0));
    assert_eq!(rows.len(), 100_000);
    for (n, row) in rows.iter().enumerate() {
        assert!(row.message().starts_with(&format!("{n} ")));
    }
    assert_eq!(output.output.tally().delivered(), 100_000);
}

fn without_stream_fields_all_rows_are_of_one_stream(server: &dyn Server) {
    for (account, protocol) in [("1", "loki"), ("2", "jsonline")] {
        let options = [("stream_fields", ","), ("account_id", account), ("protocol", protocol)];
        let output = output(&server.url(), &options);
        let chunk = [from_pod(now(), "web-1", "a"), from_pod(now(), "web-2", "b")].concat();
        assert_eq!(output.flush(&chunk), Flushed::Done);
        let rows = server.rows((account.parse().unwrap(), 0));
        assert_eq!(rows.len(), 2);
        assert!(rows.iter().all(|row| row.stream.is_empty()), "{protocol}");
        assert_eq!(rows[1].field("kubernetes.pod_name"), "web-2");
    }
}

fn a_record_without_its_pod_arrives_as_well(server: &dyn Server) {
    let output = output(&server.url(), &[]);
    let start = now();
    let odd = event(start + 1, map(&[("log", "text".into()), ("kubernetes", "no map".into())]));
    assert_eq!(output.flush(&[line(start, "plain"), odd].concat()), Flushed::Done);
    let rows = server.rows((0, 0));
    assert_eq!(rows[0].fields, fields(&[("_msg", "plain")]));
    assert_eq!(rows[1].fields, fields(&[("_msg", "text"), ("kubernetes", "no map")]));
}

#[test]
fn what_a_pods_rows_share_travels_once_per_batch() {
    let sink = Sink::start();
    let output = output(&sink.url(), &[("compress", "none")]);
    let shared = map(&[("pod_name", "web-1".into()), ("labels", map(&[("app", "x".repeat(1000).into())]))]);
    let one = event(now(), map(&[("log", "hello".into()), ("kubernetes", shared)]));
    output.flush(&one);
    output.flush(&one.repeat(1001));
    let wire: Vec<usize> = sink.requests().iter().map(|request| request.wire_len).collect();
    assert!(wire[0] > 1000 && (wire[1] - wire[0]) / 1000 < 30, "{wire:?}");
}

#[test]
fn the_request_says_what_the_server_must_know() {
    let sink = Sink::start();
    let options = [
        ("stream_fields", "a b, kubernetes.pod_name, ü&?"),
        ("header", "X-One: 1; X-Two: two: 2\nAuthorization: Custom abc"),
        ("account_id", "3"),
    ];
    output(&format!("{}/insert-is-no-prefix", sink.url()).replace("/insert-is-no-prefix", ""), &options)
        .flush(&line(now(), "m"));
    let request = &sink.requests()[0];
    assert_eq!(request.path, "/insert/loki/api/v1/push");
    assert_eq!(
        request.query,
        "_stream_fields=a%20b%2Ckubernetes.pod_name%2C%C3%BC%26%3F&disable_message_parsing=1"
    );
    for (name, value) in [
        ("x-one", "1"),
        ("x-two", "two: 2"),
        ("authorization", "Custom abc"),
        ("accountid", "3"),
        ("projectid", "0"),
        ("content-encoding", "zstd"),
        ("content-type", "application/x-protobuf"),
    ] {
        assert_eq!(request.headers[name], value);
    }
}

#[test]
fn a_path_before_the_servers_own_is_kept() {
    let sink = Sink::start();
    output(&format!("{}/logs/", sink.url()), &[]).flush(&line(now(), "m"));
    assert_eq!(sink.requests()[0].path, "/logs/insert/loki/api/v1/push");
}

#[test]
fn every_kind_of_credentials_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "from-file\n").unwrap();
    for (options, header) in [
        (vec![("http_user", "me"), ("http_passwd", "pa:ss")], "Basic bWU6cGE6c3M="),
        (vec![("bearer_token", "abc")], "Bearer abc"),
        (vec![("bearer_token_file", token.to_str().unwrap())], "Bearer from-file"),
    ] {
        let sink = Sink::start();
        sink.require("Authorization", header);
        assert_eq!(output(&sink.url(), &options).flush(&line(now(), "m")), Flushed::Done);
        assert_eq!(output(&sink.url(), &[]).flush(&line(now(), "m")), Flushed::Retry);
        assert_eq!(sink.rows().len(), 1);
    }
}

#[test]
fn a_token_that_is_replaced_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "old").unwrap();
    let sink = Sink::start();
    sink.require("Authorization", "Bearer renewed");
    let output = output(&sink.url(), &[("bearer_token_file", token.to_str().unwrap())]);
    assert_eq!(output.flush(&line(now(), "m")), Flushed::Retry);
    std::fs::write(&token, "renewed").unwrap();
    assert_eq!(output.flush(&line(now(), "m")), Flushed::Done);
}

#[test]
fn a_record_that_the_server_refuses_is_dropped_alone() {
    let sink = Sink::start();
    sink.refuse("poison");
    let (output, start) = (output(&sink.url(), &[]), now());
    let chunk: Vec<u8> = (0..1000)
        .flat_map(|n| line(start + n, &format!("{} {n}", if n == 0 || n == 613 { "poison" } else { "good" })))
        .collect();
    assert_eq!(output.flush(&chunk), Flushed::Done);
    let rows = sink.rows();
    assert_eq!(rows.len(), 998);
    let times: Vec<i64> = rows.iter().map(|row| row.time - start).collect();
    let expected: Vec<i64> = (0..1000).filter(|n| ![0, 613].contains(n)).collect();
    assert_eq!(times, expected, "the neighbours arrive once each and in order");
    assert_eq!(output.count(Reason::Refused), 2);
    assert_eq!(output.output.tally().delivered(), 998);
    assert!(sink.requests().len() < 60, "{}", sink.requests().len());
}

#[test]
fn a_server_that_refuses_everything_loses_nothing() {
    let sink = Sink::start();
    let wrong_path = output(&format!("{}/wrong", sink.url()), &[]);
    let chunk = [line(now(), "a"), line(now(), "b")].concat();
    assert_eq!(wrong_path.flush(&chunk), Flushed::Retry);
    sink.always(Some(Answer::Status(400)));
    assert_eq!(output(&sink.url(), &[]).flush(&chunk), Flushed::Retry);
    assert_eq!(wrong_path.count(Reason::Refused), 0);
    sink.always(None);
    let right = output(&format!("{0}/wrong,{0}", sink.url()), &[]);
    assert_eq!(right.flush(&chunk), Flushed::Done, "another address takes it");
    assert_eq!(sink.rows().len(), 2);
}

#[test]
fn what_may_mend_is_tried_again_and_what_can_not_is_not() {
    for status in [301, 302, 401, 403, 404, 405, 408, 429, 500, 501, 502, 503, 504, 507] {
        let sink = Sink::start();
        sink.script([Answer::Status(status)]);
        let output = output(&sink.url(), &[]);
        assert_eq!(output.flush(&line(now(), "m")), Flushed::Retry, "{status}");
        assert_eq!(output.flush(&line(now(), "m")), Flushed::Done, "{status}");
        assert_eq!((sink.rows().len(), sink.requests().len()), (1, 2), "{status}");
    }
    for status in [400, 406, 411, 413, 415, 422, 431] {
        let sink = Sink::start();
        sink.script([Answer::Status(status)]);
        let output = output(&sink.url(), &[]);
        assert_eq!(output.flush(&line(now(), "m")), Flushed::Done, "{status}");
        assert_eq!((sink.rows().len(), output.count(Reason::Refused)), (0, 1), "{status}");
    }
}

#[test]
fn a_connection_that_fails_is_tried_again() {
    let sink = Sink::start();
    sink.script([Answer::Cut]);
    let output = output(&sink.url(), &[("timeout", "300ms")]);
    assert_eq!(output.flush(&line(now(), "m")), Flushed::Retry, "cut");
    sink.script([Answer::Stall]);
    assert_eq!(output.flush(&line(now(), "m")), Flushed::Retry, "stalled");
    assert_eq!(output.flush(&line(now(), "m")), Flushed::Done);
    let url = sink.url();
    drop(sink);
    assert_eq!(self::output(&url, &[]).flush(&line(now(), "m")), Flushed::Retry, "nobody listens");
}

#[test]
fn a_server_that_asks_for_a_pause_is_left_alone() {
    let sink = Sink::start();
    sink.script([Answer::RetryAfter(429, 100)]);
    let output = output(&sink.url(), &[]);
    assert_eq!(output.flush(&line(now(), "m")), Flushed::Retry);
    assert_eq!(output.flush(&line(now(), "m")), Flushed::Retry);
    assert_eq!(sink.requests().len(), 1);
}

#[test]
fn another_address_stands_in_and_the_failed_one_is_spared_for_a_while() {
    let (first, second) = (Sink::start(), Sink::start());
    first.always(Some(Answer::Status(503)));
    let output = output(&format!("{}, {}", first.url(), second.url()), &[]);
    for _ in 0..3 {
        assert_eq!(output.flush(&line(now(), "m")), Flushed::Done);
    }
    assert_eq!((first.requests().len(), second.rows().len()), (1, 3));
    first.always(None);
    let deadline = Instant::now() + Duration::from_secs(10);
    while first.rows().is_empty() && Instant::now() < deadline {
        assert_eq!(output.flush(&line(now(), "m")), Flushed::Done);
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(!first.rows().is_empty(), "the first address is preferred once it is well again");
}

#[test]
fn a_later_try_of_a_chunk_sends_only_what_did_not_arrive() {
    let sink = Sink::start();
    let (output, start) = (output(&sink.url(), &[]), now());
    let padding = "x".repeat(1000);
    let chunk: Vec<u8> = (0..12_000).flat_map(|n| line(start + n, &format!("{n} {padding}"))).collect();
    sink.script([Answer::Take, Answer::Take, Answer::Status(503), Answer::Take, Answer::Cut]);
    assert_eq!(output.flush(&chunk), Flushed::Retry);
    let arrived = sink.rows().len();
    assert!(arrived > 0 && arrived < 12_000);
    assert_eq!(output.flush(&line(start, "of another chunk")), Flushed::Done);
    assert_eq!(sink.rows().len(), arrived + 1);
    sink.script([Answer::Take]);
    while output.flush(&chunk) == Flushed::Retry {}
    let mut times: Vec<i64> = sink
        .rows()
        .iter()
        .filter(|row| row.message() != "of another chunk")
        .map(|row| row.time - start)
        .collect();
    times.sort_unstable();
    assert_eq!(times, (0..12_000).collect::<Vec<_>>(), "each record arrived once");
    assert_eq!(output.flush(&chunk), Flushed::Done);
    assert_eq!(sink.rows().len(), 24_001, "a finished chunk is forgotten");
}

#[test]
fn damage_costs_only_what_follows_it() {
    let sink = Sink::start();
    let output = output(&sink.url(), &[]);
    let mut chunk = [line(now(), "first"), line(now(), "second"), line(now(), "third")].concat();
    chunk.truncate(chunk.len() - 3);
    assert_eq!(output.flush(&chunk), Flushed::Done);
    let messages: Vec<String> = sink.rows().iter().map(|row| row.message().to_owned()).collect();
    assert_eq!(messages, ["first", "second"]);
    assert_eq!(output.count(Reason::Damaged), 1);
}

#[test]
fn bytes_of_any_kind_never_stop_the_output() {
    let sink = Sink::start();
    let output = output(&sink.url(), &[]);
    let good = [from_pod(now(), "web-1", "m"), line(now(), "n")].concat();
    for at in 0..good.len() {
        let mut chunk = good.clone();
        chunk[at] = chunk[at].wrapping_mul(31).wrapping_add(97);
        assert_eq!(output.flush(&chunk), Flushed::Done, "byte {at}");
    }
}

#[test]
fn times_out_of_the_servers_range_are_told_and_still_sent() {
    let sink = Sink::start();
    let output = output(&sink.url(), &[]);
    let day = 86_400_000_000_000;
    let chunk = [line(now() - 8 * day, "old"), line(now() + 3 * day, "ahead"), line(now(), "now")].concat();
    assert_eq!(output.flush(&chunk), Flushed::Done);
    assert_eq!(sink.rows().len(), 3);
    assert_eq!((output.count(Reason::TooOld), output.count(Reason::TooNew)), (1, 1));
}

#[test]
fn a_flush_that_waits_for_a_stalled_server_ends_when_the_instance_stops() {
    let sink = Sink::start();
    sink.always(Some(Answer::Stall));
    let output = output(&sink.url(), &[("timeout", "10m")]);
    std::thread::scope(|scope| {
        let flush = scope.spawn(|| output.flush(&line(now(), "m")));
        let deadline = Instant::now() + Duration::from_secs(10);
        while sink.requests().is_empty() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(2));
        }
        output.tasks.stop();
        assert_eq!(flush.join().unwrap(), Flushed::Retry);
    });
    assert_eq!(output.flush(&line(now(), "m")), Flushed::Retry);
}

#[test]
fn several_chunks_at_once_keep_their_connections() {
    let sink = Sink::start();
    let output = output(&sink.url(), &[("threads", "4")]);
    assert_eq!(output.output.concurrency(), 4);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for n in 0..25 {
                    assert_eq!(output.flush(&line(now(), &n.to_string())), Flushed::Done);
                }
            });
        }
    });
    assert_eq!(sink.rows().len(), 100);
    let mut peers: Vec<_> = sink.requests().iter().map(|request| request.peer).collect();
    peers.sort_unstable();
    peers.dedup();
    assert!(peers.len() <= 8, "{} connections for 100 requests", peers.len());
}

#[test]
fn options_that_make_no_sense_are_refused_in_a_sentence() {
    let url = ("url", "http://127.0.0.1:9428");
    for (options, sentence) in [
        (vec![], "url must be set, as http://host:9428 (Host and Port are not read)"),
        (vec![("url", "http://a, b")], "url: address 2 must begin with http:// or https://"),
        (
            vec![("url", "http://u:hunter2@a")],
            "url: address 1 holds a user: give it as http_user and http_passwd",
        ),
        (vec![url, ("protocol", "es")], "protocol 'es' is neither loki nor jsonline"),
        (vec![url, ("compress", "br")], "compress 'br' is none of zstd, gzip and none"),
        (vec![url, ("compress_level", "23")], "compress_level '23' is not from 1 to 22, which zstd knows"),
        (vec![url, ("extra_fields", "a")], "extra_fields: 'a' is not of the form name=value"),
        (
            vec![url, ("extra_fields", "_time=1")],
            "extra_fields: '_time' can't be set, the server reserves it or it is too long",
        ),
        (
            vec![url, ("account_id", "-1")],
            "option 'account_id': '-1' is not a whole number from 0 to 4294967295",
        ),
        (vec![url, ("http_passwd", "hunter2")], "http_passwd is set without http_user"),
        (
            vec![url, ("http_user", "a"), ("bearer_token", "hunter2")],
            "only one of http_user, bearer_token and bearer_token_file can be set",
        ),
        (
            vec![url, ("bearer_token", "hunter2\nhunter2")],
            "bearer_token: the value holds characters that a header can't carry",
        ),
        (vec![url, ("header", "X: 1; hunter2")], "header: number 2 is not of the form Name: value"),
        (
            vec![url, ("header", "Content-Encoding: br")],
            "header: 'Content-Encoding' is set by the output itself",
        ),
        (vec![url, ("timeout", "0")], "timeout must be longer than 0"),
        (vec![url, ("threads", "0")], "threads '0' must be from 1 to 64"),
        (
            vec![("url", "https://a"), ("tls_crt_file", "/nowhere")],
            "tls_crt_file and tls_key_file must be given together",
        ),
    ] {
        assert_eq!(refusal(&options), sentence);
    }
    let missing = refusal(&[url, ("bearer_token_file", "/nowhere/token")]);
    assert!(missing.starts_with("bearer_token_file: '/nowhere/token' can't be read: "), "{missing}");
    let missing = refusal(&[("url", "https://a"), ("tls_ca_file", "/nowhere/ca")]);
    assert!(
        missing.starts_with("tls_ca_file: '/nowhere/ca' can't be read as certificates in PEM form: "),
        "{missing}"
    );
}

mod with_flags_of_a_real_server {
    use super::*;

    fn real(flags: &[&str]) -> Option<RealServer> {
        let server = RealServer::start(flags);
        if server.is_none() {
            eprintln!("skipped: a VictoriaLogs with {flags:?}: none found, set VICTORIA_LOGS");
        }
        server
    }

    #[test]
    fn credentials_are_checked() {
        let Some(server) = real(&["-httpAuth.username=me", "-httpAuth.password=secret"]) else { return };
        let chunk = line(now(), "m");
        assert_eq!(output(&server.url(), &[]).flush(&chunk), Flushed::Retry);
        let options = [("http_user", "me"), ("http_passwd", "secret")];
        assert_eq!(output(&server.url(), &options).flush(&chunk), Flushed::Done);
    }

    #[test]
    fn a_full_disk_and_a_wrong_path_are_tried_again() {
        let Some(server) = real(&["-storage.minFreeDiskSpaceBytes=9000GB"]) else { return };
        for protocol in PROTOCOLS {
            let output = output(&server.url(), &[("protocol", protocol)]);
            assert_eq!(output.flush(&line(now(), "m")), Flushed::Retry);
            assert_eq!(output.count(Reason::Refused), 0);
        }
        let wrong = output(&format!("{}/wrong", server.url()), &[]);
        assert_eq!(wrong.flush(&line(now(), "m")), Flushed::Retry);
        assert_eq!(wrong.count(Reason::Refused), 0);
    }
}
