//! Golden cases of the filter: a log file, metadata files, and the records that must come out.
//!
//! `tests/golden` holds our own; `BLESS=1` writes their `out` files anew. The built-in filter's cases are run too where
//! they are present: in the folder that env `FLB_KUBE_CORPUS` names, or beside the repository.

#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

use std::{collections::HashMap, env, fs, path::Path};

use flb_kube::{
    kube::Msgpack,
    record::msgpack::{
        reader::{Map, text},
        write,
    },
};
use flb_kube_testing::{
    filtering::{ParsersFile, built_in_cases, bytes, read, start},
    ordered::json,
};
use k8s_openapi::jiff::Timestamp;
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    name: String,
    log: String,
    tag: Option<String>,
    stream: Option<String>,
    records: Option<usize>,
    properties: HashMap<String, String>,
}

fn cases(folder: &Path) -> Vec<Case> {
    serde_json::from_slice(&fs::read(folder.join("cases.json")).unwrap()).unwrap()
}

/// The lines of a Docker log file as events, as `tail` with `Parser docker` makes them.
fn events(log: &Path) -> Vec<u8> {
    let mut chunk = Vec::new();
    for line in fs::read_to_string(log).unwrap().lines() {
        let line: Msgpack = serde_json::from_str(line).unwrap();
        let map = Map::of(line.bytes()).unwrap();
        let time: Timestamp =
            std::str::from_utf8(text(map.get(b"time").unwrap()).unwrap()).unwrap().parse().unwrap();
        chunk.extend_from_slice(&[0x92, 0x92, 0xd7, 0x00]);
        chunk.extend_from_slice(&u32::try_from(time.as_second()).unwrap().to_be_bytes());
        chunk.extend_from_slice(&time.subsec_nanosecond().cast_unsigned().to_be_bytes());
        write::map_header(&mut chunk, 0);
        write::map_header(&mut chunk, map.len - 1);
        for pair in map.pairs().filter(|pair| text(pair.key) != Some(b"time")) {
            chunk.extend_from_slice(pair.bytes);
        }
    }
    chunk
}

/// What the filter makes of a case: one `[time,{record}]` per record.
fn run(folder: &Path, case: &Case, parsers: &ParsersFile) -> Vec<String> {
    let mut properties = HashMap::from([
        ("kube_url".to_owned(), "http://127.0.0.1:1".to_owned()),
        ("kube_token_file".into(), String::new()),
        ("kube_node_name".into(), "node-1".into()),
        ("kube_meta_preload_cache_dir".into(), folder.join("meta").display().to_string()),
    ]);
    let mut tag = case.tag.clone();
    if tag.is_none() {
        let name: Vec<&str> = case.log.rsplit('/').next().unwrap().split('_').collect();
        tag = Some(format!("kube.{}", name.join(".")));
        properties.insert("regex_parser".into(), "kubernetes-tag".into());
        properties.insert("kube_tag_prefix".into(), "kube.".into());
    }
    properties.extend(case.properties.iter().map(|(key, value)| (key.to_lowercase(), value.clone())));
    let properties: Vec<_> = properties.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    let filter = start(parsers, &properties);

    let chunk = events(&folder.join("log").join(format!("{}.log", case.log)));
    let records = read(&bytes(&filter, &tag.unwrap(), &chunk)).into_iter().map(|((seconds, nanos), body)| {
        format!("[{:.6},{}]", seconds as f64 + f64::from(nanos) / 1e9, json(&body))
    });
    records.collect()
}

#[test]
fn our_cases_come_out_as_written_down() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    for case in cases(&folder) {
        let records = run(&folder, &case, &ParsersFile::default()).join("\n") + "\n";
        let out = folder.join("out").join(format!("{}.out", case.name));
        if env::var_os("BLESS").is_some() {
            fs::write(&out, &records).unwrap();
        }
        assert_eq!(fs::read_to_string(&out).unwrap_or_default(), records, "case {}", case.name);
    }
}

#[test]
fn line_2_cases_of_the_built_in_filter_come_out_as_from_itself() {
    let Some(folder) = built_in_cases() else { return };
    let parsers = ParsersFile::read(&fs::read_to_string(folder.join("parsers.conf")).unwrap());
    let cases = cases(&folder);
    assert_eq!(cases.len(), 93);
    for case in cases {
        let mut records = run(&folder, &case, &parsers);
        let mut out = case.log.clone();
        if let Some(stream) = &case.stream {
            out = format!("{out}_{stream}");
            records.retain(|record| record.contains(&format!(r#""stream":"{stream}""#)));
        }
        assert_eq!(Some(records.len()), case.records, "case {}", case.name);
        if records.is_empty() {
            continue;
        }
        let expected = fs::read_to_string(folder.join("out").join(format!("{out}.out"))).unwrap();
        for record in records {
            assert!(record.contains(expected.trim_end()), "case {}: {record} is not {expected}", case.name);
        }
    }
}
