//! What is refused at the start.

use super::*;

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
        (vec![url, ("protocol", "es")], "option \'protocol\': 'es' is neither loki nor jsonline"),
        (vec![url, ("compress", "br")], "compress 'br' is none of zstd, gzip and none"),
        (vec![url, ("compress_level", "23")], "compress_level '23' is not from 1 to 22, which zstd knows"),
        (
            vec![url, ("extra_fields", "a")],
            "option 'extra_fields': 'a' is not of the form name=value, several separated by commas",
        ),
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
