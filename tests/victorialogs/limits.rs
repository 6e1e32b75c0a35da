//! Rows at the server's limits, and over them.

use super::*;

on_both! {
    rows_at_the_servers_limits_pass_untouched
    rows_over_the_servers_limits_are_made_to_fit
    a_huge_value_of_a_stream_field_is_cut_like_any_other
    maps_below_a_long_name_are_packed_and_not_repeated_for_each_value
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

fn a_huge_value_of_a_stream_field_is_cut_like_any_other(server: &dyn Server) {
    let start = now();
    for (account, protocol) in [("1", "loki"), ("2", "jsonline")] {
        let options = [("account_id", account), ("protocol", protocol), ("stream_fields", "owner,app")];
        let output = output(&server.url(), &options);
        let owned = |owner: &str| map(&[("log", "m".into()), ("owner", owner.into()), ("app", "web".into())]);
        let chunk = [event(start, owned(&"o".repeat(3 << 20))), event(start + 1, owned("me"))].concat();
        assert_eq!(output.flush(&chunk), Flushed::Done);
        let rows = server.rows((account.parse().unwrap(), 0));
        assert_eq!(rows.len(), 2, "{protocol}");
        assert!(rows[0].field("owner").ends_with("... [truncated, 3145728 bytes]"), "{protocol}");
        assert_eq!((rows[0].message(), rows[0].field("app")), ("m", "web"), "{protocol}");
        assert_eq!(rows[1].stream, fields(&[("owner", "me"), ("app", "web")]), "{protocol}");
    }
}

fn maps_below_a_long_name_are_packed_and_not_repeated_for_each_value(server: &dyn Server) {
    let name = "n".repeat(50_000);
    let leaves: Vec<String> = (0..2000).map(|n| format!("f{n}")).collect();
    let below = map(&leaves.iter().map(|leaf| (leaf.as_str(), Value::from(1))).collect::<Vec<_>>());
    let output = output(&server.url(), &[]);
    let body = map(&[("log", "m".into()), ("outer", map(&[(&name, below)]))]);
    assert_eq!(output.flush(&event(now(), body)), Flushed::Done);
    let rows = server.rows((0, 0));
    let extra: serde_json::Value = serde_json::from_str(rows[0].field("_extra")).unwrap();
    assert_eq!(extra[format!("outer.{name}")].as_object().unwrap().len(), leaves.len());
    assert_eq!((output.count(Reason::LongName), output.count(Reason::Truncated)), (1, 0));
}
