//! What one pod may cost: the bytes that its metadata adds to a record and to a chunk, in process and in the memory of
//! real hosts.

#![allow(clippy::unwrap_used, clippy::panic, reason = "that is how a test fails")]

use std::{fmt::Write as _, fs};

use flb_kube_testing::{
    filtering::{ParsersFile, Running, bodies, bytes, chunk, start},
    host::{self, Host},
    told::told,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tracing::Level;

const TAG: &str = "kube.var.log.containers.web-1_shop_app-\
                   0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef.log";
const LINE: &str = "2016-10-06T00:17:09.669794202Z stdout F x\n";

/// A pod whose annotations have so many bytes, in pieces of 1,000.
fn pod(annotations: usize) -> String {
    let pieces = (0..annotations / 1000).map(|number| (format!("note-{number}"), json!("x".repeat(1000))));
    json!({"metadata": {
        "name": "web-1", "namespace": "shop", "uid": "u-1", "labels": {"team": "blue"},
        "annotations": Value::Object(pieces.collect()),
    }})
    .to_string()
}

/// The filter that knows this pod.
fn knowing(pod: &str, options: &[(&str, &str)]) -> (Running, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("shop_web-1.meta"), pod).unwrap();
    let path = folder.path().display().to_string();
    let own = [
        ("kube_url", "http://127.0.0.1:1"),
        ("kube_token_file", ""),
        ("kube_node_name", "n1"),
        ("wait_for_sync", "0"),
        ("kube_meta_preload_cache_dir", path.as_str()),
    ];
    (start(&ParsersFile::default(), &[&own, options].concat()), folder)
}

fn short_lines(count: usize) -> Vec<u8> {
    chunk(&vec![json!({"log": "x", "stream": "stdout"}); count])
}

fn annotations(record: &Value) -> usize {
    record["kubernetes"]["annotations"].as_object().map_or(0, serde_json::Map::len)
}

#[test]
fn a_record_gains_32_kib_of_metadata_at_most_and_the_pod_is_named_once() {
    let ((), told) = told(Level::WARN, || {
        let (filter, _folder) = knowing(&pod(256_000), &[]);
        for _ in 0..3 {
            let record = &bodies(&filter, TAG, &[json!({"log": "x"})])[0];
            assert_eq!(record["kubernetes"]["pod_id"], "u-1");
            assert_eq!(record["kubernetes"]["labels"]["team"], "blue");
            let size = record.to_string().len();
            assert!((20_000..34_000).contains(&size), "{size}");
        }
    });
    let told: Vec<_> = told.iter().filter(|line| line.contains("'shop/web-1'")).collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("metadata_max_size"), "{told:?}");
}

#[test]
fn a_chunk_of_short_lines_grows_by_2_mib_of_metadata_at_most_and_every_record_has_its_names() {
    let chunk = short_lines(5000);
    let ((), told) = told(Level::WARN, || {
        let (filter, _folder) = knowing(&pod(256_000), &[]);
        for _ in 0..2 {
            let out = bytes(&filter, TAG, &chunk);
            assert!(out.len() < chunk.len() + (5 << 20), "{} bytes become {}", chunk.len(), out.len());
            let records = flb_kube_testing::filtering::read(&out);
            assert_eq!(records.len(), 5000);
            let last = flb_kube_testing::filtering::json(&records[4999].1);
            assert_eq!(last["kubernetes"]["pod_name"], "web-1");
            assert_eq!(last["kubernetes"]["namespace_name"], "shop");
            assert_eq!(last["kubernetes"]["pod_id"], "u-1");
            assert_eq!(last["kubernetes"]["container_name"], "app");
            assert_eq!(last["kubernetes"]["labels"], Value::Null);
            assert!(annotations(&flb_kube_testing::filtering::json(&records[0].1)) > 20);
        }
    });
    let told: Vec<_> = told.iter().filter(|line| line.contains("metadata_max_growth")).collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("'shop/web-1'"), "{told:?}");
}

#[test]
fn an_ordinary_pod_keeps_all_its_metadata_however_short_its_lines_are() {
    let (filter, _folder) = knowing(&pod(3000), &[]);
    let out = bytes(&filter, TAG, &short_lines(5000));
    let records = flb_kube_testing::filtering::read(&out);
    let is_whole = |record: &rmpv::Value| annotations(&flb_kube_testing::filtering::json(record)) == 3;
    assert!(records.len() == 5000 && records.iter().all(|(_, record)| is_whole(record)));
}

#[test]
fn without_limits_a_record_has_all_its_metadata() {
    let (filter, _folder) =
        knowing(&pod(256_000), &[("metadata_max_size", "0"), ("metadata_max_growth", "0")]);
    let out = bytes(&filter, TAG, &short_lines(100));
    let records = flb_kube_testing::filtering::read(&out);
    let is_whole = |record: &rmpv::Value| annotations(&flb_kube_testing::filtering::json(record)) == 256;
    assert!(records.len() == 100 && records.iter().all(|(_, record)| is_whole(record)));
}

/// The most memory that a host held which read 5,000 lines of one byte.
fn peak(host: &Host, pod: &str) -> usize {
    let config = format!(
        "[SERVICE]\n    Flush 0.5\n    Grace 2\n    Log_Level info\n\
         [INPUT]\n    Name tail\n    Path FOLDER/lines.log\n    Tag {TAG}\n    Read_From_Head on\n\
         [FILTER]\n    Name kube\n    Match kube.*\n    cri on\n    Kube_URL http://127.0.0.1:9\n    \
         Kube_Meta_Preload_Cache_Dir FOLDER\n    wait_for_sync 0\n\
         [OUTPUT]\n    Name file\n    Match *\n    Path FOLDER\n    File records\n    Format plain\n"
    );
    let mut lines = String::new();
    (0..5000).for_each(|_| write!(lines, "{LINE}").unwrap());
    let start = host.start(&config).plugins(&[host::FILTER]).file("shop_web-1.meta", pod);
    let mut running = start.run_with(|folder, config| {
        fs::write(folder.join("lines.log"), &lines).unwrap();
        config
    });
    running.wait("all records", |host| {
        let records = fs::read(host.folder().join("records")).unwrap_or_default();
        records.iter().filter(|byte| **byte == b'\n').count() == 5000
    });
    let peak = running.peak_memory();
    running.stop();
    peak
}

#[test]
fn a_pod_with_256_kib_of_annotations_costs_a_real_host_less_than_64_mib_beside_its_own() {
    for host in Host::real() {
        let own = peak(&host, &pod(0));
        let hostile = peak(&host, &pod(256_000));
        println!("{}: {} MiB, with the pod {} MiB", host.name, own >> 20, hostile >> 20);
        assert!(hostile < own + (64 << 20), "{}: {own} bytes become {hostile}", host.name);
    }
}
