//! What goes over the wire beside the rows.

use super::*;

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
