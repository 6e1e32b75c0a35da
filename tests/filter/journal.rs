//! Records of the systemd journal: a container's gain metadata, all others pass.

#![allow(clippy::unwrap_used, clippy::panic, reason = "that is how a test fails")]

use std::fs;

use flb_kube_testing::{
    apiserver::ApiServer,
    filtering::{beside, bodies, built_in_cases, bytes, chunk},
    host::{self, Host, each},
};
use serde_json::{Value, json};

const ID: &str = "c9898099f6d235126d564ed38a020007ea7a6fac6e25e718de683c9dd0076c16";
const UID: &str = "d6c53deb-05a4-11e8-a8c4-080027435fb7";
const ON: (&str, &str) = ("use_journal", "on");

fn cluster() -> ApiServer {
    let server = ApiServer::start();
    server.put(json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "web-1", "namespace": "shop", "uid": UID, "labels": {"team": "blue"}},
        "spec": {"nodeName": "n1"},
        "status": {"podIP": "10.0.0.7", "containerStatuses": [
            {"name": "app", "image": "app:1", "imageID": "app@sha256:1", "containerID": format!("cri-o://{ID}"), "restartCount": 0},
        ]},
    }));
    server
}

/// As conmon writes it for CRI-O, and Docker for dockershim.
fn by_name() -> Value {
    json!({
        "PRIORITY": "6", "CONTAINER_NAME": format!("k8s_app_web-1_shop_{UID}_0"), "CONTAINER_ID": &ID[..12],
        "CONTAINER_ID_FULL": ID, "SYSLOG_IDENTIFIER": "conmon", "_COMM": "conmon", "MESSAGE": "by name",
        "_SYSTEMD_CGROUP": format!("/kubepods.slice/kubepods-pod{}.slice/crio-conmon-{ID}.scope", UID.replace('-', "_")),
    })
}

/// As journald writes what a process in a container of containerd's sent to it.
fn by_cgroup() -> Value {
    let slice = format!("kubepods-besteffort-pod{}.slice", UID.replace('-', "_"));
    json!({
        "PRIORITY": "5", "SYSLOG_IDENTIFIER": "app", "MESSAGE": "by cgroup",
        "_SYSTEMD_CGROUP": format!("/kubepods.slice/kubepods-besteffort.slice/{slice}/cri-containerd-{ID}.scope"),
        "_SYSTEMD_UNIT": format!("cri-containerd-{ID}.scope"), "_SYSTEMD_SLICE": slice,
    })
}

fn of_kubelet() -> Value {
    json!({"PRIORITY": "6", "_SYSTEMD_UNIT": "kubelet.service", "_SYSTEMD_CGROUP": "/system.slice/kubelet.service", "MESSAGE": "pod"})
}

fn metadata() -> Value {
    json!({
        "pod_name": "web-1", "namespace_name": "shop", "pod_id": UID, "labels": {"team": "blue"}, "host": "n1",
        "pod_ip": "10.0.0.7", "container_name": "app", "docker_id": ID, "container_hash": "sha256:1",
        "container_image": "app:1",
    })
}

#[test]
fn line_17_records_of_all_runtimes_gain_metadata_and_all_others_pass_untouched() {
    let server = cluster();
    let filter = beside(&server.url(), &[ON]).unwrap();
    let other =
        json!({"CONTAINER_NAME": "registry", "CONTAINER_ID_FULL": "1".repeat(64), "MESSAGE": "podman"});
    let empty = json!({});
    let records = [of_kubelet(), by_name(), other.clone(), by_cgroup(), empty.clone()];
    let made = bodies(&filter, "systemd", &records);
    assert_eq!(made.len(), 5, "none is lost");
    for (at, record) in [(1, by_name()), (3, by_cgroup())] {
        let mut expected = record;
        expected["kubernetes"] = metadata();
        // What stands before the @ of an image id is no scheme.
        expected["kubernetes"]["container_hash"] = made[at]["kubernetes"]["container_hash"].clone();
        assert_eq!(made[at], expected);
    }
    assert_eq!((&made[0], &made[2], &made[4]), (&of_kubelet(), &other, &empty));

    let untouched = chunk(&[of_kubelet(), other, empty]);
    assert_eq!(bytes(&filter, "systemd", &untouched), untouched);
    // With others beside it, byte for byte as well.
    let mixed = bytes(&filter, "systemd", &chunk(&[of_kubelet(), by_name()]));
    let first = chunk(&[of_kubelet()]);
    assert_eq!(mixed[..first.len()], first);
}

#[test]
fn line_17_a_container_of_a_pod_that_is_not_known_gains_what_the_record_says() {
    let server = ApiServer::start();
    let filter = beside(&server.url(), &[ON]).unwrap();
    let made = bodies(&filter, "systemd", &[by_name(), by_cgroup()]);
    assert_eq!(
        made[0]["kubernetes"],
        json!({"pod_name": "web-1", "namespace_name": "shop", "pod_id": UID, "container_name": "app", "docker_id": ID})
    );
    assert_eq!(made[1]["kubernetes"], json!({"pod_id": UID, "docker_id": ID}));
}

#[test]
fn line_17_field_names_as_the_systemd_input_rewrites_them_are_known_too() {
    let server = cluster();
    let filter = beside(&server.url(), &[ON]).unwrap();
    let rewritten = |record: Value| {
        let fields = record.as_object().unwrap().iter();
        let fields = fields.map(|(key, value)| (key.trim_start_matches('_').to_lowercase(), value.clone()));
        Value::Object(fields.collect())
    };
    for made in bodies(&filter, "systemd", &[rewritten(by_name()), rewritten(by_cgroup())]) {
        assert_eq!(made["kubernetes"]["labels"]["team"], "blue");
    }
}

#[test]
fn line_17_the_built_in_filters_own_case_comes_out_as_from_itself() {
    let Some(folder) = built_in_cases() else { return };
    let meta = folder.join("meta").display().to_string();
    let options = [ON, ("kube_meta_preload_cache_dir", meta.as_str())];
    let filter = beside("http://127.0.0.1:1", &options).unwrap();
    let name = "k8s_kairosdb_kairosdb-914055854-b63vq_default_d6c53deb-05a4-11e8-a8c4-080027435fb7_23";
    let made = bodies(
        &filter,
        "kube.journal",
        &[json!({"PRIORITY": "6", "_COMM": "dockerd", "CONTAINER_NAME": name})],
    );
    let out = fs::read_to_string(folder.join("out/kairosdb-914055854-b63vq.out")).unwrap();
    let (_, after) = out.split_once(r#""kubernetes":"#).unwrap();
    let expected: Value = serde_json::from_str(after.trim_end().strip_suffix("}]").unwrap()).unwrap();
    assert_eq!(made[0]["kubernetes"], expected);
}

#[test]
fn line_17_in_every_host_the_journals_records_of_containers_are_enriched() {
    each(Host::few(), |host| {
        let server = cluster();
        let input = |record: Value| {
            format!("[INPUT]\n    Name dummy\n    Tag systemd\n    Rate 5\n    Dummy {record}\n")
        };
        let config = format!(
            "[SERVICE]\n    Flush 0.1\n    Grace 1\n{}{}{}[FILTER]\n    Name kube\n    Match systemd\n    Kube_URL {}\n    \
             Kube_Node_Name n1\n    Use_Journal On\n[OUTPUT]\n    Name stdout\n    Match *\n    Format json_lines\n",
            input(by_name()),
            input(by_cgroup()),
            input(of_kubelet()),
            server.url()
        );
        let mut running = host.start(&config).plugins(&[host::FILTER]).run();
        for message in ["\"by name\"", "\"by cgroup\"", "\"kubelet.service\""] {
            running.wait_for_lines(message, 1);
        }
        running.stop();
        for line in running.log().lines().filter(|line| line.contains("\"MESSAGE\"")) {
            assert_eq!(line.contains("\"team\":\"blue\""), !line.contains("kubelet.service"), "{line}");
        }
    });
}
