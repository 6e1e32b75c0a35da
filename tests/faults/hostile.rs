//! Pods and tags that are made to harm: their neighbours notice nothing.

use std::{
    fmt::Write as _,
    fs,
    io::Write as _,
    net::TcpStream,
    time::{Duration, Instant},
};

use flb_kube_testing::{
    apiserver::{ApiServer, Verb},
    rig::host::Host,
    servers::{free_port, process::Process, roster},
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::beats::{LIMIT, NODE, host, pod, tag};

/// A host whose filter knows the pods of `server`, with these inputs and outputs.
fn start(host: &Host, server: &ApiServer, inputs: &str, outputs: &str) -> (TempDir, Process) {
    let folder = tempfile::Builder::new().prefix("flb-kube-hostile-").tempdir().unwrap();
    let filter = format!(
        "[FILTER]\n    Name kube\n    Match *\n    Kube_Node_Name {NODE}\n    Kube_URL {}\n    Kube_Token_File none\n    \
         Metadata_Max_Size 0\n    Metadata_Max_Growth 0\n",
        server.url()
    );
    let service = "[SERVICE]\n    Flush 0.2\n    Grace 2\n    Plugins_File plugins.conf\n";
    let config = [service, inputs, &filter, outputs].concat();
    let config = config.replace("FOLDER", &folder.path().display().to_string());
    let process = host.start(folder.path(), &config);
    (folder, process)
}

/// The records in a file of the host's folder, until `are_all` of them are there.
fn records(folder: &TempDir, process: &mut Process, are_all: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let deadline = Instant::now() + LIMIT;
    loop {
        process.must_run();
        let text = fs::read_to_string(folder.path().join("records")).unwrap_or_default();
        let records: Vec<Value> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        if are_all(&records) {
            return records;
        }
        assert!(Instant::now() < deadline, "{} records\n{}", records.len(), process.last_lines(20));
        std::thread::sleep(Duration::from_millis(50));
    }
}

const RECORDS: &str =
    "[OUTPUT]\n    Name file\n    Match *\n    Path FOLDER\n    File records\n    Format plain\n";

#[test]
fn a_pod_with_a_mebibyte_of_annotation_and_one_with_ten_thousand_labels_are_known_whole_beside_their_neighbour()
 {
    let server = ApiServer::start();
    let inputs = ["giant", "many", "shop"].iter().fold(String::new(), |mut text, namespace| {
        let tag = tag(namespace);
        write!(
            text,
            "[INPUT]\n    Name dummy\n    Tag {tag}\n    Rate 5\n    Dummy {{\"of\":\"{namespace}\"}}\n"
        )
        .unwrap();
        text
    });
    let (folder, mut process) = start(&host(), &server, &inputs, RECORDS);
    server.wait_for(Verb::Watch, "pods", 1);
    let mut giant = pod("giant", "red");
    giant["metadata"]["annotations"] = json!({ "giant": "x".repeat(1 << 20) });
    let mut many = pod("many", "red");
    let labels = (0..10_000).map(|n| (format!("label-{n}"), json!(format!("value-{n}"))));
    many["metadata"]["labels"] = Value::Object(labels.collect());
    server.put_all([giant, many, pod("shop", "blue")]);
    let is_whole = |record: &Value| {
        let metadata = &record["kubernetes"];
        match record["of"].as_str() {
            Some("giant") => {
                metadata["annotations"]["giant"].as_str().is_some_and(|text| text.len() == 1 << 20)
            }
            Some("many") => metadata["labels"].as_object().is_some_and(|labels| labels.len() == 10_000),
            _ => metadata["labels"]["team"] == "blue",
        }
    };
    let has =
        |records: &[Value], of: &str| records.iter().any(|record| record["of"] == of && is_whole(record));
    records(&folder, &mut process, |records| ["giant", "many", "shop"].iter().all(|of| has(records, of)));
    let status = process.stop(LIMIT);
    assert!(status.is_some_and(|status| status.success()), "{status:?}: {}", process.last_lines(20));
}

/// A record as `forward` takes it: tag, time, body.
fn message(tag: &[u8], number: usize) -> Vec<u8> {
    let mut bytes = vec![0x93, 0xdb];
    bytes.extend(u32::try_from(tag.len()).unwrap().to_be_bytes());
    bytes.extend(tag);
    bytes.extend([0xce, 0x69, 0x55, 0xb9, 0x00, 0x81, 0xa6]);
    bytes.extend(b"number");
    bytes.extend([0xce]);
    bytes.extend(u32::try_from(number).unwrap().to_be_bytes());
    bytes
}

#[test]
fn tags_of_any_length_and_bytes_leave_the_records_between_them_enriched() {
    let host = host();
    if matches!(host, Host::StandIn(_)) {
        return roster::skipped("hostile tags", "the stand-in host has no input 'forward'");
    }
    let server = ApiServer::start();
    server.put(pod("shop", "blue"));
    let port = free_port();
    let input = format!("[INPUT]\n    Name forward\n    Listen 127.0.0.1\n    Port {port}\n");
    let output = RECORDS.replace("Match *", "Match kube.var.log.containers.web-1_shop_*");
    let (folder, mut process) =
        start(&host, &server, &input, &(output + "[OUTPUT]\n    Name null\n    Match *\n"));
    let good = tag("shop").into_bytes();
    let long = "x".repeat(1 << 20);
    let hostile: Vec<Vec<u8>> = vec![
        b"".into(),
        b"\0".into(),
        b"kube.\xff\xfe\0\x1b[2J\r\n[error]".into(),
        [b"\0", &good[..]].concat(),
        good.iter().flat_map(|byte| [*byte, 0]).collect(),
        b"../../../../etc/passwd".into(),
        b"kube.var.log.containers.a%2e%2e?x=1&_shop_app-0.log".into(),
        format!("{long}.log").into(),
        format!("kube.var.log.containers.{long}_{long}_{long}-{:064}.log", 7).into(),
        format!("kube.var.log.pods.{}_{}_u.c.1.log", &long[..300], &long[..300]).into(),
        b"kube.var.log.pods.shop_web-1_u.c.99999999999999999999.log".into(),
        "%s%n%s%n".repeat(100).into(),
    ];
    let connected = Instant::now() + LIMIT;
    let mut socket = loop {
        match TcpStream::connect(("127.0.0.1", port)) {
            Ok(socket) => break socket,
            Err(why) => assert!(Instant::now() < connected, "{why}\n{}", process.last_lines(20)),
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    let distinct = (0..2_000).map(|n| format!("kube.var.log.pods.shop_web-{n}_u-{n}.c.{n}.log").into_bytes());
    let mut sent = 0;
    for (number, hostile) in hostile.into_iter().chain(distinct).enumerate() {
        // A connection that the host closes because of a tag is its own affair: the next record takes another.
        for tag in [&hostile, &good] {
            if socket.write_all(&message(tag, number)).is_err() {
                socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
                socket.write_all(&message(tag, number)).unwrap();
            }
        }
        sent = number;
    }
    let last = json!(sent);
    let records =
        records(&folder, &mut process, |records| records.iter().any(|record| record["number"] == last));
    assert!(records.len() > 2_000, "{} of {sent} records", records.len());
    assert!(records.iter().all(|record| record["kubernetes"]["labels"]["team"] == "blue"));
    let status = process.stop(LIMIT);
    assert!(status.is_some_and(|status| status.success()), "{status:?}: {}", process.last_lines(20));
}
