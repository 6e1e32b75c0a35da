//! What a record is: its body, its time, and that lists and watches give the same.

use flb_kube_testing::{
    apiserver::{ApiServer, Fault, Verb},
    collecting::{Record, Rig, event},
};
use serde_json::{Value, json};

/// A line of a watch with this object.
pub fn line(kind: &str, object: &str) -> Fault {
    Fault::Line(format!(r#"{{"type":"{kind}","object":{object}}}"#))
}

/// What the input makes of an object that is watched.
fn watched(object: &str) -> Record {
    let server = ApiServer::start();
    server.script(Verb::Watch, "events", 1, line("ADDED", object));
    let mut rig = Rig::start(&server, &[]);
    rig.until_taken(1);
    rig.stop().remove(0)
}

#[test]
fn an_event_is_the_same_record_whether_it_was_listed_or_watched() {
    let server = ApiServer::start();
    let mut watching = Rig::start(&server, &[]);
    server.wait_for(Verb::Watch, "events", 1);
    server.put(event("crash", 3));
    watching.until_taken(1);
    let mut listing = Rig::start(&server, &[]);
    listing.until_taken(1);
    let (watched, listed) = (watching.stop(), listing.stop());
    assert_eq!(watched, listed);
    assert_eq!(listed[0].body["kind"], "Event");
    assert_eq!(listed[0].body["apiVersion"], "v1");
}

#[test]
fn the_body_is_the_event_as_received_with_all_its_fields() {
    let object = r#"{"kind":"Event","apiVersion":"v1","metadata":{"name":"é\n","uid":"u","resourceVersion":"9",
        "managedFields":[{"manager":"kubelet","time":"2026-01-02T03:04:05Z","fieldsV1":{"f:count":{}}}]},
        "lastTimestamp":"2026-01-02T03:04:05Z","firstTimestamp":null,"source":{},
        "future":{"list":[1,-2,18446744073709551615,2.5,true,null,{"deep":[[]]}],"long":"0123456789012345678901234567890123456789"}}"#;
    let record = watched(&object.replace('\n', " "));
    let expected: Value = serde_json::from_str(&object.replace('\n', " ")).unwrap();
    assert_eq!(record.body, expected);
}

#[test]
fn kind_and_api_version_come_first_and_the_rest_in_the_order_received() {
    let record = watched(
        r#"{"metadata":{"uid":"u","resourceVersion":"9"},"zeta":1,"apiVersion":"v1","alpha":2,"kind":"Event"}"#,
    );
    let rmpv::Value::Array(parts) = rmpv::decode::read_value(&mut record.bytes.as_slice()).unwrap() else {
        panic!("an array")
    };
    let keys: Vec<_> = parts[1].as_map().unwrap().iter().map(|(key, _)| key.as_str().unwrap()).collect();
    assert_eq!(keys, ["kind", "apiVersion", "metadata", "zeta", "alpha"]);
}

#[test]
fn the_time_is_the_best_stamp_there_is_with_its_microseconds() {
    let cases = [
        (
            json!({"series": {"count": 7, "lastObservedTime": "2026-01-02T03:04:05.600007Z"},
                "lastTimestamp": "2026-01-01T00:00:00Z", "eventTime": "2026-01-01T00:00:00.5Z"}),
            (1_767_323_045, 600_007_000),
        ),
        (
            json!({"series": null, "lastTimestamp": "2026-01-02T03:04:05Z", "firstTimestamp": "2026-01-01T00:00:00Z",
                "eventTime": "2026-01-01T00:00:00.5Z"}),
            (1_767_323_045, 0),
        ),
        (
            json!({"lastTimestamp": null, "firstTimestamp": "2026-01-01T00:00:00Z",
                "eventTime": "2026-01-02T03:04:05.000001Z"}),
            (1_767_323_045, 1_000),
        ),
        (json!({"firstTimestamp": "2026-01-02T03:04:05Z", "eventTime": null}), (1_767_323_045, 0)),
        (json!({"lastTimestamp": "no time", "eventTime": 5}), (1_767_225_600, 0)),
    ];
    for (stamps, time) in cases {
        let mut object = json!({"kind": "Event", "metadata": {
            "uid": "u", "resourceVersion": "9", "creationTimestamp": "2026-01-01T00:00:00Z"}});
        object.as_object_mut().unwrap().extend(stamps.as_object().unwrap().clone());
        let record = watched(&object.to_string());
        assert_eq!((record.seconds, record.nanos), time, "{object}");
    }
}

#[test]
fn an_event_without_any_stamp_has_the_time_of_its_receipt() {
    let before = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let record = watched(r#"{"metadata":{"uid":"u","resourceVersion":"9"},"lastTimestamp":null}"#);
    let after = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    assert!((before..=after).contains(&record.seconds.into()), "{before} {} {after}", record.seconds);
}

#[test]
fn a_stamp_that_a_host_would_take_for_a_marker_is_passed_over() {
    let record = watched(
        r#"{"metadata":{"uid":"u","resourceVersion":"9"},"lastTimestamp":"2106-02-07T06:28:15Z",
        "eventTime":"1969-12-31T23:59:58Z","firstTimestamp":"2026-01-02T03:04:05Z"}"#
            .replace('\n', " ")
            .as_str(),
    );
    assert_eq!(record.seconds, 1_767_323_045);
}

#[test]
fn every_update_of_an_event_is_a_record_and_its_deletion_is_none() {
    let server = ApiServer::start();
    let mut rig = Rig::start(&server, &[]);
    server.wait_for(Verb::Watch, "events", 1);
    for count in 1..=3 {
        server.put(event("crash", count));
    }
    server.delete("events", "shop", "crash");
    server.put(event("last", 1));
    rig.until_named("last");
    let counts: Vec<_> = rig.stop().iter().map(|record| record.body["count"].as_u64().unwrap()).collect();
    assert_eq!(counts, [1, 2, 3, 1]);
}

#[test]
fn the_first_start_takes_what_is_younger_than_the_retention_by_any_of_its_stamps() {
    let server = ApiServer::start();
    let old = |name: &str| {
        let mut event = event(name, 1);
        event["metadata"]["creationTimestamp"] = json!("2023-12-24T13:37:16Z");
        for stamp in ["firstTimestamp", "lastTimestamp"] {
            event[stamp] = json!("2023-12-24T13:37:16Z");
        }
        event
    };
    server.put(event("young", 1));
    let now = server.all("events")[0]["metadata"]["creationTimestamp"].clone();
    server.put(old("history"));
    let mut series = old("series");
    series["series"] = json!({"count": 9, "lastObservedTime": now});
    server.put(series);
    let mut written = old("written");
    written["metadata"]["managedFields"] = json!([{"manager": "kubelet"}, {"time": now}]);
    server.put(written);
    let mut rig = Rig::start(&server, &[("kube_retention_time", "1h")]);
    rig.until_taken(3);
    // Only what is listed is measured: in a watch an event is news whatever its stamps say.
    server.wait_for(Verb::Watch, "events", 1);
    server.put(old("watched"));
    rig.until_taken(4);
    assert_eq!(rig.names(), ["series", "written", "young", "watched"]);
    rig.stop();
}

#[test]
fn the_golden_events_of_the_built_in_become_the_same_bodies() {
    let corpus = std::env::var_os("FLB_KUBE_CORPUS").map_or_else(
        || std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus"),
        std::path::PathBuf::from,
    );
    let folder = corpus.join("kubernetes_events");
    if !folder.is_dir() {
        println!("skipped: no corpus; FLB_KUBE_CORPUS names its folder");
        return;
    }
    // The time of the second one is its eventTime, where the built-in takes the second of its creation.
    for (name, time) in [
        ("eventlist_v1_with_lastTimestamp", (1_703_410_191, 0)),
        ("eventlist_v1_with_creationTimestamp", (1_703_425_036, 335_172_000)),
        ("watch_v1_with_lastTimestamp", (1_722_451_635, 0)),
    ] {
        let read = |end: &str| std::fs::read_to_string(folder.join(format!("{name}.{end}"))).unwrap();
        let input: Value = serde_json::from_str(&read("json")).unwrap();
        let object = input.get("object").unwrap_or(&input["items"][0]);
        let record = watched(&object.to_string());
        let expected: Value = serde_json::from_str(&read("out")).unwrap();
        let mut body = expected[1].clone();
        body["kind"] = json!("Event");
        body["apiVersion"] = json!("v1");
        assert_eq!(record.body, body, "{name}");
        assert_eq!((record.seconds, record.nanos), time, "{name}");
    }
}
