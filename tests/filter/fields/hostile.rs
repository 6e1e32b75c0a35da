//! Metadata of any size and content: the record that comes out is whole, and its neighbours too.

use serde_json::{Value, json};

use super::rig::{Rig, TAG, pod};

fn with(labels: Value, annotations: Value) -> Value {
    let mut pod = pod();
    pod["metadata"]["labels"] = labels;
    pod["metadata"]["annotations"] = annotations;
    pod
}

/// In each form of labels, with names changed and not.
fn every_way(pod: &Value, check: impl Fn(&str, super::rig::Record)) {
    for form in ["map", "flat", "text"] {
        for dedot in ["", "_"] {
            let options =
                [("labels_format", form), ("dedot", dedot), ("workload", "on"), ("node_labels", "on")];
            check(form, Rig::knowing(pod, &options).record(TAG));
        }
    }
}

#[test]
fn control_characters_and_any_letters_come_out_as_they_are() {
    let strange = "tab\tbell\u{7}nul\u{0}\u{1f680}ü\"\\";
    every_way(&with(json!({"app": strange, "ü": "1"}), json!({"note": strange})), |form, record| {
        assert_eq!(record.at("/kubernetes/annotations/note"), json!(strange));
        let app = match form {
            "map" => record.at("/kubernetes/labels/app"),
            "flat" => record.at("/kubernetes/labels.app"),
            _ => json!(
                record
                    .at("/kubernetes/labels")
                    .as_str()
                    .unwrap()
                    .trim_start_matches("app=")
                    .replace(",ü=1", "")
            ),
        };
        assert_eq!(app, json!(strange), "{form}");
    });
}

#[test]
fn maps_that_are_empty_null_or_no_maps_spoil_nothing() {
    for nothing in [json!({}), json!(null), json!("text"), json!([1, {}]), json!(7)] {
        every_way(&with(nothing.clone(), nothing.clone()), |_, record| {
            assert_eq!(record.at("/kubernetes/pod_name"), json!("web-1"));
            assert_eq!(record.at("/kubernetes/docker_id"), json!("a".repeat(64)));
        });
    }
    every_way(&with(json!({"app": null, "": "", "n": {"deep": [1]}}), json!({"a": null})), |form, record| {
        assert_eq!(record.keys("/kubernetes/annotations"), ["a"]);
        if form == "text" {
            assert_eq!(record.at("/kubernetes/labels"), json!("=,app=,n="));
        }
    });
}

#[test]
fn a_thousand_labels_are_a_thousand_labels() {
    let labels: Value =
        (0..1_000).map(|n| (format!("label.{n:04}"), json!("v"))).collect::<serde_json::Map<_, _>>().into();
    let pod = with(labels, json!({}));
    let counted =
        |options: &[(&str, &str)]| Rig::knowing(&pod, options).record(TAG).keys("/kubernetes/labels").len();
    assert_eq!(counted(&[]), 1_000);
    assert_eq!(counted(&[("labels_allow", "label.00*")]), 100);
    assert_eq!(counted(&[("dedot", "_"), ("labels_deny", "*.????")]), 0);
    let some = counted(&[("metadata_max_size", "4K"), ("annotations", "off")]);
    assert!((200..500).contains(&some), "{some}");
    let flat = Rig::knowing(&pod, &[("labels_format", "flat")]).record(TAG).keys("/kubernetes");
    assert_eq!(flat.iter().filter(|key| key.starts_with("labels.")).count(), 1_000);
}

#[test]
fn an_annotation_of_256_kib_is_passed_on_or_left_out() {
    let big = "{\"kind\":\"Pod\"}".repeat((256 << 10) / 14);
    let pod = with(
        json!({"app": "web"}),
        json!({"kubectl.kubernetes.io/last-applied-configuration": big, "a": "b"}),
    );
    let whole = Rig::knowing(&pod, &[("metadata_max_size", "0")]);
    assert_eq!(
        whole.record(TAG).at("/kubernetes/annotations/kubectl.kubernetes.io~1last-applied-configuration"),
        json!(big)
    );
    let usual = Rig::knowing(&pod, &[]);
    assert_eq!(usual.record(TAG).at("/kubernetes/annotations"), json!({"a": "b"}));
    let limited = Rig::knowing(&pod, &[("metadata_max_size", "8K")]);
    assert_eq!(limited.record(TAG).at("/kubernetes/annotations"), json!({"a": "b"}));
    assert!(limited.added(TAG) < 8_000);
    let denied = Rig::knowing(&pod, &[("annotations_deny", "kubectl.kubernetes.io/*")]);
    assert_eq!(denied.record(TAG).at("/kubernetes/annotations"), json!({"a": "b"}));
}
