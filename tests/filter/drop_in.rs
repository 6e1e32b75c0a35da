//! What those rely on who come from the built-in filter, beside the records of its own cases.

#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

use std::{
    fs,
    time::{Duration, Instant},
};

use flb_kube::{options::Options, plugins::filter_kube::KubeOptions};
use flb_kube_testing::{
    apiserver::{ApiServer, Verb},
    filtering::{self, ParsersFile, pass, start},
    told::told,
};
use k8s_openapi::jiff::fmt::strtime;
use serde_json::{Value, json};
use tracing::Level;

/// Each property of the built-in filter of 5.1.1, and a value that it takes. `use_pod_association` is another name of
/// `aws_use_pod_association`, and makes 53 of the 52.
const PROPERTIES: [(&str, &str); 53] = [
    ("buffer_size", "64K"),
    ("tls.debug", "1"),
    ("tls.verify", "off"),
    ("tls.vhost", "kubernetes"),
    ("tls.verify_hostname", "off"),
    ("merge_log", "on"),
    ("merge_parser", "words"),
    ("merge_log_key", "fields"),
    ("merge_log_trim", "off"),
    ("keep_log", "off"),
    ("kube_url", "https://kubernetes:6443"),
    ("kube_meta_preload_cache_dir", "/tmp"),
    ("kube_ca_file", "/ca.crt"),
    ("kube_ca_path", "/ca"),
    ("kube_tag_prefix", "kube."),
    ("kube_namespace_file", "/namespace"),
    ("kube_token_file", "/token"),
    ("kube_token_command", "echo token"),
    ("kube_token_ttl", "1h"),
    ("labels", "off"),
    ("annotations", "off"),
    ("owner_references", "on"),
    ("namespace_labels", "on"),
    ("namespace_annotations", "on"),
    ("namespace_metadata_only", "on"),
    ("k8s-logging.parser", "on"),
    ("k8s-logging.exclude", "on"),
    ("use_journal", "on"),
    ("regex_parser", "tag"),
    ("dummy_meta", "on"),
    ("dns_retries", "3"),
    ("dns_wait_time", "10"),
    ("cache_use_docker_id", "on"),
    ("use_tag_for_meta", "on"),
    ("use_kubelet", "on"),
    ("kubelet_host", "10.0.0.1"),
    ("kubelet_port", "10255"),
    ("kube_meta_cache_ttl", "1h"),
    ("kube_meta_namespace_cache_ttl", "1h"),
    ("aws_use_pod_association", "on"),
    ("use_pod_association", "on"),
    ("aws_pod_association_host", "agent"),
    ("aws_pod_association_endpoint", "/map"),
    ("aws_pod_association_port", "4312"),
    ("aws_pod_service_map_ttl", "60"),
    ("aws_pod_service_map_refresh_interval", "30"),
    ("aws_pod_service_preload_cache_dir", "/tmp"),
    ("aws_pod_association_host_server_ca_file", "/ca.crt"),
    ("aws_pod_association_host_client_cert_file", "/client.crt"),
    ("aws_pod_association_host_client_key_file", "/client.key"),
    ("aws_pod_association_host_tls_debug", "1"),
    ("aws_pod_association_host_tls_verify", "off"),
    ("set_platform", "eks"),
];

const TAG: &str = "kube.var.log.containers.web_shop_main-\
                   0000000000000000000000000000000000000000000000000000000000000000.log";

fn line() -> Value {
    json!({"log": "a line"})
}

#[test]
fn line_1_all_52_property_names_and_their_values_are_accepted_and_told_of() {
    let migrating = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/migrating.md")).unwrap();
    for (key, value) in PROPERTIES {
        assert!(KubeOptions::SPECS.iter().any(|spec| spec.key == key), "{key}");
        let loaded = KubeOptions::load(&|asked| (asked == key).then(|| value.to_owned()));
        assert!(loaded.is_ok(), "{key}: {:?}", loaded.err());
        assert!(migrating.contains(&format!("`{key}`")), "docs/migrating.md does not tell of {key}");
    }
}

#[test]
fn what_has_no_effect_any_more_is_said_once_with_the_reason() {
    let set =
        [("use_tag_for_meta", "on"), ("buffer_size", "64K"), ("dns_retries", "3"), ("set_platform", "eks")];
    let (_, told) = told(Level::WARN, || {
        let filter = start(&ParsersFile::default(), &set);
        for _ in 0..3 {
            pass(&filter, TAG, &[line()]);
        }
    });
    assert_eq!(told.len(), 1, "{told:?}");
    for part in
        ["'buffer_size' (answers of the API", "'dns_retries' (names", "'set_platform' (nor has it any"]
    {
        assert!(told[0].contains(part), "{part} is not in {told:?}");
    }
    let silent =
        told_at_start(&[("use_tag_for_meta", "on"), ("buffer_size", "32k"), ("dns_wait_time", "30")]);
    assert_eq!(silent, [""; 0]);
}

fn told_at_start(options: &[(&str, &str)]) -> Vec<String> {
    told(Level::WARN, || drop(start(&ParsersFile::default(), options))).1
}

#[test]
fn dummy_meta_adds_the_time_as_the_c_library_writes_it_and_asks_nobody() {
    let filter = start(&ParsersFile::default(), &[("dummy_meta", "on"), ("kube_url", "http://127.0.0.1:1")]);
    let passed = pass(&filter, "any.tag", &[line()]);
    let record = passed[0].1.as_object().unwrap();
    assert_eq!(record.keys().collect::<Vec<_>>(), ["kubernetes", "log"]);
    let dummy = record["kubernetes"]["dummy"].as_str().unwrap();
    assert_eq!(dummy.len(), "Thu Jan  1 00:00:00 1970".len());
    strtime::parse("%a %b %d %H:%M:%S %Y", dummy).unwrap();
}

#[test]
fn namespace_metadata_only_adds_the_namespaces_fields_and_nothing_of_the_pod() {
    let server = ApiServer::start();
    server.put(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "labels": {"team": "red"}}}));
    let excluded =
        json!({"name": "web", "namespace": "shop", "annotations": {"fluentbit.io/exclude": "true"}});
    server.put(json!({"apiVersion": "v1", "kind": "Pod", "metadata": excluded, "spec": {"nodeName": "n1"}}));
    let url = server.url();
    let own = [
        ("kube_url", url.as_str()),
        ("kube_token_file", ""),
        ("kube_node_name", "n1"),
        ("namespace_metadata_only", "on"),
    ];
    let filter = start(&ParsersFile::default(), &[&own[..], &[("namespace_labels", "on")]].concat());
    let added = json!({"name": "shop", "labels": {"team": "red"}});
    assert_eq!(pass(&filter, TAG, &[line()])[0].1, json!({"log": "a line", "kubernetes_namespace": added}));
    server.wait_for(Verb::Watch, "namespaces", 1);
    assert_eq!(server.requests().iter().filter(|seen| seen.resource == "pods").count(), 0);

    // Pods are asked for where their annotations count.
    let heeding = [("namespace_labels", "on"), ("k8s-logging.exclude", "on")];
    let filter = start(&ParsersFile::default(), &[&own[..], &heeding].concat());
    assert_eq!(pass(&filter, TAG, &[line()]).len(), 0);

    let (filter, told) = told(Level::WARN, || start(&ParsersFile::default(), &own));
    assert_eq!(pass(&filter, TAG, &[line()])[0].1, line());
    assert!(told.len() == 1 && told[0].contains("'namespace_metadata_only'"), "{told:?}");
}

#[test]
fn a_merge_parser_that_the_host_has_not_is_told_of_and_the_start_goes_on() {
    let options = [("use_tag_for_meta", "on"), ("merge_log", "on"), ("merge_parser", "nobody's")];
    let (filter, told) = told(Level::WARN, || start(&ParsersFile::default(), &options));
    assert!(told.len() == 1 && told[0].contains("'merge_parser': 'nobody's'"), "{told:?}");
    assert_eq!(pass(&filter, TAG, &[json!({"log": "{\"a\":1}"})])[0].1["a"], 1);
}

#[test]
fn a_merge_parser_without_a_time_keeps_the_records() {
    let parsers =
        ParsersFile::read("[PARSER]\n Name words\n Format regex\n Regex ^(?<first>\\w+) (?<rest>.+)$\n");
    let options = [("use_tag_for_meta", "on"), ("merge_log", "on"), ("merge_parser", "words")];
    let passed = pass(&start(&parsers, &options), TAG, &[line()]);
    assert_eq!((passed[0].0, &passed[0].1["first"]), (filtering::TIME, &json!("a")));
}

#[test]
fn a_token_command_is_run_again_when_its_token_is_refused() {
    let server = ApiServer::start();
    server.require_token("first");
    let folder = tempfile::tempdir().unwrap();
    let (token, runs) = (folder.path().join("token"), folder.path().join("runs"));
    fs::write(&token, "first\n").unwrap();
    let command = format!("echo run >> {}; cat {}", runs.display(), token.display());
    let url = server.url();
    let options = [
        ("kube_url", url.as_str()),
        ("kube_token_file", "/no/such/file"),
        ("kube_token_command", command.as_str()),
        ("kube_token_ttl", "1h"),
        ("kube_node_name", "n1"),
    ];
    let pod = |team: &str| {
        let meta = json!({"name": "web", "namespace": "shop", "labels": {"team": team}});
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": {"nodeName": "n1"}})
    };
    server.put(pod("red"));
    let filter = start(&ParsersFile::default(), &options);
    let team = || pass(&filter, TAG, &[line()])[0].1["kubernetes"]["labels"]["team"].clone();
    assert_eq!(team(), "red");
    server.wait_for(Verb::Watch, "pods", 1);
    assert_eq!(fs::read_to_string(&runs).unwrap(), "run\n");

    fs::write(&token, "second\n").unwrap();
    server.require_token("second");
    server.cut();
    server.put(pod("blue"));
    let deadline = Instant::now() + Duration::from_secs(30);
    while team() != "blue" {
        assert!(Instant::now() < deadline, "{:?}", server.requests());
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(fs::read_to_string(&runs).unwrap(), "run\nrun\n");
}

#[test]
fn line_23_records_of_a_pod_that_is_not_found_have_what_their_tag_says_and_cost_one_request() {
    let server = ApiServer::start();
    let url = server.url();
    let options = [("kube_url", url.as_str()), ("kube_token_file", ""), ("kube_node_name", "n1")];
    let filter = start(&ParsersFile::default(), &options);
    let records: Vec<Value> = (0..100).map(|_| line()).collect();
    for _ in 0..200 {
        for (_, record) in pass(&filter, TAG, &records) {
            let said = json!({
                "pod_name": "web", "namespace_name": "shop", "container_name": "main", "docker_id": "0".repeat(64),
            });
            assert_eq!(record["kubernetes"], said);
        }
    }
    server.wait_for(Verb::Get, "pods", 1);
    for _ in 0..100 {
        pass(&filter, TAG, &records);
    }
    assert_eq!(server.count(Verb::Get, "pods"), 1);
}
