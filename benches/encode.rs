//! What a record costs the output `victorialogs` before it is on the wire: enriched records as `kube` leaves them, eight
//! fields of JSON that was merged, a pod with 10 labels and 5 annotations. Lines vary, see `flb_kube_testing::varied`.
//! Divide the time of a row by its records.

use divan::{Bencher, counter::ItemsCount};
use flb_kube::{
    options::Options as _,
    plugins::out_victorialogs::{VictoriaLogsOptions, config},
    victorialogs::{compress::Compressor, encode::Encoder},
};
use flb_kube_testing::varied::{Lines, SEED};
use rmpv::Value;

const RECORDS: usize = 2000;

fn main() {
    divan::main();
}

fn map(pairs: Vec<(String, Value)>) -> Value {
    Value::Map(pairs.into_iter().map(|(key, value)| (key.into(), value)).collect())
}

fn pod(number: usize) -> Value {
    let labels =
        (0..10).map(|n| (format!("app.kubernetes.io/label-{n}"), format!("value-of-label-{n}").into()));
    let annotations =
        (0..5).map(|n| (format!("example.org/annotation-{n}"), "some longer text ".repeat(4).into()));
    map(vec![
        ("pod_name".into(), format!("web-5d9c7b8f6d-{number:05}").into()),
        ("namespace_name".into(), "shop".into()),
        ("pod_id".into(), "0b0e2f5c-6a39-4f0c-9d3f-6c1f4a6d8e21".into()),
        ("labels".into(), map(labels.collect())),
        ("annotations".into(), map(annotations.collect())),
        ("host".into(), "node-1.example.org".into()),
        ("pod_ip".into(), "10.1.2.3".into()),
        ("container_name".into(), "app".into()),
        ("docker_id".into(), "4f".repeat(32).into()),
        ("container_hash".into(), format!("registry.example.org/web@sha256:{}", "0a".repeat(32)).into()),
        ("container_image".into(), "registry.example.org/web:1.2.3".into()),
    ])
}

fn merged(value: &serde_json::Value) -> Value {
    match value {
        serde_json::Value::Number(number) if number.is_u64() => {
            number.as_u64().map_or(Value::Nil, Value::from)
        }
        serde_json::Value::Number(number) => number.as_f64().map_or(Value::Nil, Value::from),
        text => text.as_str().map_or(Value::Nil, Value::from),
    }
}

/// A chunk whose records come from so many pods in turn.
fn chunk(pods: usize) -> Vec<u8> {
    let pods: Vec<Value> = (0..pods).map(pod).collect();
    let mut chunk = Vec::new();
    for (n, line) in Lines::new(SEED).take(RECORDS).enumerate() {
        let time = [1_795_228_958u32.to_be_bytes(), (n as u32 * 1000).to_be_bytes()].concat();
        let said: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(&line.json()).expect("a line is JSON");
        let mut body = vec![("stream".to_owned(), Value::from("stdout"))];
        body.extend(said.into_iter().map(|(key, value)| (key, merged(&value))));
        body.push(("kubernetes".to_owned(), pods[n % pods.len()].clone()));
        let head = Value::Array(vec![Value::Ext(0, time), map(vec![])]);
        rmpv::encode::write_value(&mut chunk, &Value::Array(vec![head, map(body)])).expect("a Vec takes all");
    }
    chunk
}

fn encoder(protocol: &str) -> Encoder {
    let load = |key: &str| match key {
        "url" => Some("http://localhost".to_owned()),
        "protocol" => Some(protocol.to_owned()),
        _ => None,
    };
    Encoder::new(&config(VictoriaLogsOptions::load(&load).expect("good options")).expect("good options"))
}

#[divan::bench(args = [1, 2, 30])]
fn loki(bencher: Bencher, pods: usize) {
    let (chunk, mut encoder) = (chunk(pods), encoder("loki"));
    bencher.counter(ItemsCount::new(RECORDS)).bench_local(|| encoder.encode(divan::black_box(&chunk)));
}

#[divan::bench(args = [1, 30])]
fn jsonline(bencher: Bencher, pods: usize) {
    let (chunk, mut encoder) = (chunk(pods), encoder("jsonline"));
    bencher.counter(ItemsCount::new(RECORDS)).bench_local(|| encoder.encode(divan::black_box(&chunk)));
}

#[divan::bench(args = [1, 3])]
fn loki_with_zstd(bencher: Bencher, level: i32) {
    let (chunk, mut encoder) = (chunk(1), encoder("loki"));
    let mut compressor =
        Compressor::new(flb_kube::victorialogs::config::Compression::Zstd(level)).expect("a known level");
    bencher.counter(ItemsCount::new(RECORDS)).bench_local(|| {
        encoder.encode(divan::black_box(&chunk));
        compressor.pack(encoder.body())
    });
}

#[divan::bench]
fn jsonline_with_zstd(bencher: Bencher) {
    let (chunk, mut encoder) = (chunk(1), encoder("jsonline"));
    let mut compressor =
        Compressor::new(flb_kube::victorialogs::config::Compression::Zstd(1)).expect("a known level");
    bencher.counter(ItemsCount::new(RECORDS)).bench_local(|| {
        encoder.encode(divan::black_box(&chunk));
        compressor.pack(encoder.body())
    });
}
