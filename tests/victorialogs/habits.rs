//! The habits of VictoriaLogs 1.52.1 that the output must know, asked of the real server and of the sink with requests
//! that the output would never send.

use std::{
    io::{self, Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use flb_kube_testing::servers::wait_for;

use super::*;

on_both! {
    success_is_204_for_loki_and_200_for_jsonline_also_of_nothing
    stream_fields_with_signs_of_the_label_syntax_are_refused
    what_precedes_a_broken_element_is_stored_although_the_answer_is_400
    an_unknown_encoding_is_refused_by_loki_and_loses_all_behind_200_by_jsonline
    rows_with_too_many_fields_or_too_long_a_name_vanish_alone
    rows_beyond_two_thousand_names_of_a_streams_block_vanish
    labels_are_the_stream_where_none_is_named
    extra_values_that_are_empty_are_no_second_value
}

const LOKI: &str = "/insert/loki/api/v1/push?disable_message_parsing=1";
const JSON_LINES: &str = "/insert/jsonline?_time_field=at&_msg_field=log";

/// Sends a body in one piece; the status and the text of the answer.
fn post(server: &dyn Server, path: &str, encoding: &str, body: &[u8]) -> io::Result<(u16, String)> {
    let mut stream = send(server, path, encoding, body.len(), body)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| io::Error::other("no answer"))?;
    Ok((status, answer.split_once("\r\n\r\n").map(|(_, text)| text.to_owned()).unwrap_or_default()))
}

/// Sends a request of `len` bytes, but only those given.
fn send(server: &dyn Server, path: &str, encoding: &str, len: usize, body: &[u8]) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(server.url().trim_start_matches("http://"))?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: logs\r\nConnection: close\r\nContent-Type: application/x-protobuf\r\n\
         Content-Encoding: {encoding}\r\nContent-Length: {len}\r\n\r\n"
    );
    stream.write_all(&[head.as_bytes(), body].concat())?;
    Ok(stream)
}

fn push(server: &dyn Server, path: &str, body: &[u8]) -> u16 {
    post(server, path, "identity", body).unwrap().0
}

fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

fn bytes_field(number: u64, bytes: &[u8]) -> Vec<u8> {
    [varint(number << 3 | 2), varint(bytes.len() as u64), bytes.to_vec()].concat()
}

/// An entry of a Loki stream with its structured metadata.
fn entry(time: i64, message: &str, metadata: &[(&str, &str)]) -> Vec<u8> {
    let (seconds, nanos) = (time as u64 / 1_000_000_000, time as u64 % 1_000_000_000);
    let time = [varint(1 << 3), varint(seconds), varint(2 << 3), varint(nanos)].concat();
    let pair = |(name, value): &(&str, &str)| {
        bytes_field(3, &[bytes_field(1, name.as_bytes()), bytes_field(2, value.as_bytes())].concat())
    };
    let metadata: Vec<u8> = metadata.iter().flat_map(pair).collect();
    [bytes_field(1, &time), bytes_field(2, message.as_bytes()), metadata].concat()
}

fn stream(labels: &str, entries: &[Vec<u8>]) -> Vec<u8> {
    let entries: Vec<u8> = entries.iter().flat_map(|entry| bytes_field(2, entry)).collect();
    bytes_field(1, &[bytes_field(1, labels.as_bytes()), entries].concat())
}

fn messages(server: &dyn Server) -> Vec<String> {
    server.stored().iter().map(|row| row.message().to_owned()).collect()
}

fn success_is_204_for_loki_and_200_for_jsonline_also_of_nothing(server: &dyn Server) {
    let line = format!("{{\"at\":{},\"log\":\"m\"}}\n", now());
    assert_eq!(push(server, LOKI, b""), 204);
    assert_eq!(push(server, JSON_LINES, b""), 200);
    assert_eq!(push(server, LOKI, &stream("{}", &[entry(now(), "m", &[])])), 204);
    assert_eq!(push(server, JSON_LINES, line.as_bytes()), 200);
    assert_eq!(messages(server), ["m", "m"]);
}

fn stream_fields_with_signs_of_the_label_syntax_are_refused(server: &dyn Server) {
    for name in ["a%3Db", "a%7D"] {
        for path in [LOKI, JSON_LINES] {
            let (status, why) =
                post(server, &format!("{path}&_stream_fields={name}"), "identity", b"").unwrap();
            assert_eq!(status, 400, "{path} {name}");
            assert!(why.contains("stream field names"), "{why}");
        }
    }
}

fn what_precedes_a_broken_element_is_stored_although_the_answer_is_400(server: &dyn Server) {
    let part = |labels: &str, message: &str| stream(labels, &[entry(now(), message, &[])]);
    let bad_labels =
        [part("{a=\"1\"}", "before"), part("{a=\"1}", "bad"), part("{a=\"1\"}", "after")].concat();
    assert_eq!(push(server, LOKI, &bad_labels), 400);
    let cut_off = [part("{a=\"1\"}", "first"), b"\x0a\x7fxx".to_vec()].concat();
    assert_eq!(push(server, LOKI, &cut_off), 400);
    assert_eq!(messages(server), ["before", "first"]);
}

fn an_unknown_encoding_is_refused_by_loki_and_loses_all_behind_200_by_jsonline(server: &dyn Server) {
    let line = format!("{{\"at\":{},\"log\":\"m\"}}\n", now());
    for encoding in ["br", "zstd"] {
        let loki = post(server, LOKI, encoding, &stream("{}", &[entry(now(), "m", &[])])).unwrap();
        assert_eq!(loki.0, 400, "{encoding}");
        assert_eq!(post(server, JSON_LINES, encoding, line.as_bytes()).unwrap().0, 200, "{encoding}");
    }
    assert_eq!(messages(server), Vec::<String>::new());
}

fn rows_with_too_many_fields_or_too_long_a_name_vanish_alone(server: &dyn Server) {
    let names: Vec<String> = (0..1000).map(|n| format!("f{n}")).collect();
    let wide: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "v")).collect();
    let long = "n".repeat(129);
    let entries = [
        entry(now(), "1,001 fields", &wide),
        entry(now(), "1,000 fields", &wide[1..]),
        entry(now(), "a name of 129 bytes", &[(&long, "v")]),
        entry(now(), "a name of 128 bytes", &[(&long[1..], "v")]),
    ];
    assert_eq!(push(server, LOKI, &stream("{}", &entries)), 204);
    assert_eq!(messages(server), ["1,000 fields", "a name of 128 bytes"]);
}

fn rows_beyond_two_thousand_names_of_a_streams_block_vanish(server: &dyn Server) {
    let start = now();
    let names: Vec<Vec<String>> = (0..4)
        .map(|row| (0..if row < 3 { 900 } else { 1 }).map(|n| format!("r{row}n{n}")).collect())
        .collect();
    let entries: Vec<Vec<u8>> = names
        .iter()
        .enumerate()
        .map(|(row, names)| {
            let fields: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "v")).collect();
            entry(start + row as i64, &row.to_string(), &fields)
        })
        .collect();
    let other = stream("{app=\"other\"}", &entries[3..]);
    // The block goes by time, and a row too many takes the smallest after it along.
    let body = [stream("{app=\"wide\"}", &[&entries[2..], &entries[..2]].concat()), other].concat();
    assert_eq!(push(server, LOKI, &body), 204);
    let seen: Vec<(String, String)> =
        server.stored().iter().map(|row| (row.stream["app"].clone(), row.message().to_owned())).collect();
    let expected = [("wide", "0"), ("wide", "1"), ("other", "3")];
    assert_eq!(seen, expected.map(|(app, message)| (app.to_owned(), message.to_owned())));
}

fn labels_are_the_stream_where_none_is_named(server: &dyn Server) {
    let body = stream("{a=\"1\"}", &[entry(now(), "m", &[("a", "2"), ("b", "3")])]);
    assert_eq!(push(server, LOKI, &body), 204);
    assert_eq!(server.stored()[0].stream, fields(&[("a", "1")]));
}

fn extra_values_that_are_empty_are_no_second_value(server: &dyn Server) {
    let body = stream("{a=\"1\",a=\"\"}", &[entry(now(), "m", &[])]);
    assert_eq!(push(server, LOKI, &body), 204);
    assert_eq!(server.stored()[0].stream, fields(&[("a", "1")]));
}

#[test]
fn a_stream_field_given_twice_ends_the_server() {
    let of_labels = stream("{a=\"1\",a=\"2\"}", &[entry(now(), "m", &[])]);
    let of_metadata = stream("{a=\"1\"}", &[entry(now(), "m", &[("a", "2")])]);
    let json = format!(r#"{{"at":{0},"log":"m","a":"1","a":"2","b.c":"1","b":{{"c":"2"}}}}"#, now());
    for (path, body) in [
        (LOKI.to_owned(), of_labels.as_slice()),
        (format!("{LOKI}&_stream_fields=a"), &of_labels),
        (format!("{LOKI}&_stream_fields=a"), &of_metadata),
        (format!("{JSON_LINES}&_stream_fields=a"), json.as_bytes()),
        (format!("{JSON_LINES}&_stream_fields=b.c"), json.as_bytes()),
    ] {
        let sink = Sink::start();
        let real = RealServer::start(&[]);
        for server in [Some(&sink as &dyn Server), real.as_ref().map(|real| real as _)].into_iter().flatten()
        {
            let answer = post(server, &path, "identity", body);
            assert!(answer.is_err(), "{path}: {answer:?}");
            wait_for("the server is gone", Duration::from_secs(30), || {
                TcpStream::connect(server.url().trim_start_matches("http://")).is_err().then_some(())
            });
        }
        let name = path.split_once("_stream_fields=").map_or("a", |(_, name)| name);
        assert_eq!(sink.died(), Some(format!("a row has the stream field {name:?} twice")));
    }
}

#[test]
fn an_insert_node_drops_rows_over_two_mebibytes_in_native_form_and_those_with_a_stream_field_twice() {
    let sink = Sink::of_cluster();
    let real = RealServer::cluster();
    let label = "x".repeat(1000);
    // Tenant and time, the stream's length, count, name and value, the fields' count and names, the message's length.
    let most = (2 << 20) - 16 - (2 + 1 + 2 + 2 + 1000) - (1 + 2 + 2 + 1000) - (1 + 3);
    let entries = [
        entry(now(), &"a".repeat(most), &[]),
        entry(now(), &"b".repeat(most + 1), &[]),
        entry(now(), "neighbour", &[]),
        entry(now(), "twice", &[("a", "2")]),
    ];
    for server in [Some(&sink as &dyn Server), real.as_ref().map(|real| real as _)].into_iter().flatten() {
        let body = stream(&format!("{{a=\"{label}\"}}"), &entries);
        assert_eq!(push(server, &format!("{LOKI}&_stream_fields=a"), &body), 204);
        let lengths: Vec<usize> = messages(server).iter().map(String::len).collect();
        assert_eq!(lengths, [most, "neighbour".len()]);
    }
}

#[test]
fn an_overloaded_server_answers_503_to_loki_loses_jsonline_and_stores_whose_client_gave_up() {
    let sink = Sink::with_queue(1, Duration::from_secs(1));
    let real = RealServer::start(&["-maxConcurrentInserts=1", "-insert.maxQueueDuration=1s"]);
    for server in [Some(&sink as &dyn Server), real.as_ref().map(|real| real as _)].into_iter().flatten() {
        let body = stream("{}", &[entry(now(), "m", &[])]);
        // The one slot is taken by a request that is not whole. It takes a moment until the server has read its head.
        let slow = send(server, LOKI, "identity", body.len() + 1, &body).unwrap();
        wait_for("the slot is taken", Duration::from_secs(60), || {
            (push(server, LOKI, b"") == 503).then_some(())
        });
        let line = format!("{{\"at\":{},\"log\":\"lost\"}}\n", now());
        assert_eq!(push(server, JSON_LINES, line.as_bytes()), 200);
        let late = stream("{}", &[entry(now(), "of a client that gave up", &[])]);
        let mut gives_up = send(server, LOKI, "identity", late.len(), &late).unwrap();
        gives_up.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        assert!(gives_up.read(&mut [0]).is_err(), "no answer yet");
        drop(gives_up);
        drop(slow);
        wait_for("the row is stored", Duration::from_secs(30), || {
            (messages(server) == ["of a client that gave up"]).then_some(())
        });
    }
}
