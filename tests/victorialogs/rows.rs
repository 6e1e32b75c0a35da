//! What becomes of a record: stream, message, time, fields.

use super::*;

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
    assert_eq!(stored[0][7].message(), "line 7 with \"quotes\", \\ and é\ttab");
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
    let small_last = Value::Map(vec![
        ("log".into(), "m".into()),
        ("kubernetes".into(), pod("first")),
        ("kubernetes".into(), map(&[("pod_name", "small".into())])),
    ]);
    let chunk = [event(start, twice), event(start + 1, flat_last), event(start + 2, small_last)].concat();
    assert_eq!(output.flush(&chunk), Flushed::Done);
    let rows = server.rows((0, 0));
    assert_eq!(rows[2].field("kubernetes.pod_name"), "small");
    assert_eq!(rows[2].stream["kubernetes.pod_name"], "small");
    assert_eq!(rows[0].field("stream"), "last");
    assert_eq!(rows[0].field("a.b"), "nested");
    assert_eq!(rows[0].field("kubernetes.pod_name"), "last");
    assert_eq!(rows[1].field("kubernetes.pod_name"), "flat");
    assert_eq!(rows[1].stream["kubernetes.pod_name"], "flat");
    assert_eq!(rows[1].stream["kubernetes.namespace_name"], "shop");
    assert_eq!(output.count(Reason::Duplicate), 5);
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
