//! What the filter costs: time per record, and heap per known pod.
//!
//! Lines vary, see `flb_kube_testing::varied`; a pod has 10 labels and 5 annotations, which make 1.4 KB of fields. Times
//! are of a chunk of 1,000 records, so that its microseconds are nanoseconds per record. The heap of a known pod is the
//! thousandth part of the `max alloc` of `known_pods`; the fields of its one container are a part of that.

#![allow(clippy::unwrap_used, reason = "a bench that can't go on fails")]

use divan::{AllocProfiler, Bencher, counter::ItemsCount};
use flb_kube::{
    kube::{
        enrich::{Resolver, TagForm},
        metadata::Layout,
        object::pod::Pod,
        store::{self, Store, preload::Preload},
    },
    record::{
        msgpack::write,
        runtime_line::partial::{Limits, Parts},
        splice::{
            Lines,
            choose::Always,
            merge::{Format, Merge},
            splice, splice_raw,
        },
    },
};
use flb_kube_testing::varied::{self, Line, SEED};

#[global_allocator]
static HEAP: AllocProfiler = AllocProfiler::system();

const RECORDS: usize = 1000;

fn main() {
    let resolver = resolver(known(1));
    let fields = resolver.resolve(tag(0).as_bytes()).unwrap().pairs().len();
    let events = records(Line::text).len() / RECORDS;
    println!("a record has {events} bytes, the fields that it gains {fields}");
    divan::main();
}

fn pod(number: usize) -> Pod {
    serde_json::from_str(&varied::pod_json(number, "node-1")).unwrap()
}

fn tag(number: usize) -> String {
    format!("kube.var.log.containers.{}.log", varied::container_file(number))
}

fn known(pods: usize) -> Store {
    let config = store::Config {
        delete_grace: std::time::Duration::from_secs(60),
        namespaces: false,
        ..Default::default()
    };
    let (writer, store) = store::channel(config);
    writer.pods().begin();
    (0..pods).for_each(|number| writer.pods().apply(pod(number)));
    writer.pods().end();
    store
}

fn resolver(store: Store) -> Resolver {
    let form = TagForm::Kubelet("kube.var.log.containers.".into());
    Resolver::new(form, Layout::default(), Preload::default(), Some(store))
}

/// A chunk of events with these pairs of text.
fn chunk<const N: usize>(pairs: impl Fn(&Line) -> [(&'static str, String); N]) -> Vec<u8> {
    let mut chunk = Vec::new();
    for line in varied::Lines::new(SEED).take(RECORDS) {
        chunk.extend_from_slice(&[0x92, 0x92, 0xd7, 0x00, 0x65, 0, 0, 0, 0, 0, 0, 1, 0x80]);
        write::map_header(&mut chunk, N);
        for (key, value) in pairs(&line) {
            write::str(&mut chunk, key);
            write::str(&mut chunk, value);
        }
    }
    chunk
}

fn records(said: fn(&Line) -> String) -> Vec<u8> {
    chunk(|line| [("log", said(line)), ("stream", "stdout".to_owned()), ("logtag", "F".to_owned())])
}

fn merged() -> Option<Merge> {
    Some(Merge { keep: false, ..Merge::default() })
}

fn enrich(bencher: Bencher<'_, '_>, said: fn(&Line) -> String, merge: Option<Merge>) {
    let resolver = resolver(known(1));
    let (tag, chunk) = (tag(0), records(said));
    let lines = Lines { merge, ..Lines::default() };
    // The host's buffer is warm too: its allocator hands out the same pages again.
    let mut out = Vec::new();
    bencher.counter(ItemsCount::new(RECORDS)).bench_local(|| {
        out.clear();
        let fields = resolver.resolve(tag.as_bytes()).unwrap();
        splice(divan::black_box(&chunk), &lines, &mut Always(&fields), &mut out)
    });
}

#[divan::bench]
fn text_records(bencher: Bencher<'_, '_>) {
    enrich(bencher, Line::text, None);
}

#[divan::bench]
fn text_records_with_merge_log(bencher: Bencher<'_, '_>) {
    enrich(bencher, Line::text, Some(Merge::default()));
}

#[divan::bench]
fn json_records_merged(bencher: Bencher<'_, '_>) {
    enrich(bencher, Line::json, merged());
}

#[divan::bench]
fn logfmt_records_merged(bencher: Bencher<'_, '_>) {
    enrich(bencher, Line::logfmt, Some(Merge { keep: false, format: Format::Auto, ..Merge::default() }));
}

#[divan::bench]
fn klog_records_merged(bencher: Bencher<'_, '_>) {
    enrich(bencher, Line::klog, Some(Merge { keep: false, format: Format::Auto, ..Merge::default() }));
}

/// The same records as a container runtime wrote them, read by `tail` without a parser.
fn enrich_raw(bencher: Bencher<'_, '_>, line: impl Fn(&Line) -> String, merge: Option<Merge>) {
    let resolver = resolver(known(1));
    let (tag, chunk) = (tag(0), chunk(|written| [("log", line(written))]));
    let lines = Lines { raw: Some("log".into()), merge, ..Lines::default() };
    let limits = Limits { line: 2 << 20, age: std::time::Duration::from_secs(30), total: 32 << 20 };
    let mut parts = Parts::new(limits);
    let mut out = Vec::new();
    bencher.counter(ItemsCount::new(RECORDS)).bench_local(|| {
        out.clear();
        let fields = resolver.resolve(tag.as_bytes()).unwrap();
        let joiner = &mut parts.of(tag.as_bytes());
        splice_raw(divan::black_box(&chunk), &lines, &mut Always(&fields), joiner, &mut out)
    });
}

#[divan::bench]
fn cri_lines(bencher: Bencher<'_, '_>) {
    enrich_raw(bencher, |line| line.cri(&line.text()), None);
}

#[divan::bench]
fn cri_lines_in_two_parts(bencher: Bencher<'_, '_>) {
    let is_first = std::cell::Cell::new(false);
    let half = |line: &Line| {
        is_first.set(!is_first.get());
        let whole = line.cri(&line.text()).replace(" stderr ", " stdout ");
        if is_first.get() { whole.replace(" F ", " P ") } else { whole }
    };
    enrich_raw(bencher, half, None);
}

#[divan::bench]
fn cri_lines_of_json_merged(bencher: Bencher<'_, '_>) {
    enrich_raw(bencher, |line| line.cri(&line.json()), merged());
}

#[divan::bench]
fn docker_lines(bencher: Bencher<'_, '_>) {
    let docker = |line: &Line| {
        let text = serde_json::Value::from(line.text() + "\n");
        format!(r#"{{"log":{text},"stream":"stdout","time":"2026-01-02T03:04:05.678901234Z"}}"#)
    };
    enrich_raw(bencher, docker, None);
}

#[divan::bench]
fn text_records_into_a_fresh_buffer(bencher: Bencher<'_, '_>) {
    let resolver = resolver(known(1));
    let (tag, chunk) = (tag(0), records(Line::text));
    bencher.counter(ItemsCount::new(RECORDS)).bench_local(|| {
        let mut out = Vec::new();
        let fields = resolver.resolve(tag.as_bytes()).unwrap();
        splice(divan::black_box(&chunk), &Lines::default(), &mut Always(&fields), &mut out);
        out
    });
}

#[divan::bench]
fn resolve_a_known_tag(bencher: Bencher<'_, '_>) {
    let resolver = resolver(known(1000));
    let tag = tag(500);
    bencher.bench_local(|| resolver.resolve(divan::black_box(tag.as_bytes())));
}

#[divan::bench]
fn apply_a_changed_pod_among_10_000(bencher: Bencher<'_, '_>) {
    let config = store::Config {
        delete_grace: std::time::Duration::from_secs(60),
        namespaces: false,
        ..Default::default()
    };
    let (writer, _store) = store::channel(config);
    writer.pods().begin();
    (0..10_000).for_each(|number| writer.pods().apply(pod(number)));
    writer.pods().end();
    let mut ip = 0;
    bencher
        .with_inputs(|| {
            ip += 1;
            Pod { ip: Some(format!("10.0.0.{ip}").into()), ..pod(77) }
        })
        .bench_local_values(|pod| writer.pods().apply(pod));
}

#[divan::bench(sample_count = 10)]
fn known_pods(bencher: Bencher<'_, '_>) {
    let pods: Vec<String> = (0..1000).map(|number| varied::pod_json(number, "node-1")).collect();
    bencher.counter(ItemsCount::new(1000_usize)).bench_local(|| {
        let config = store::Config {
            delete_grace: std::time::Duration::from_secs(60),
            namespaces: false,
            ..Default::default()
        };
        let (writer, store) = store::channel(config);
        writer.pods().begin();
        pods.iter().for_each(|pod| writer.pods().apply(serde_json::from_str(pod).unwrap()));
        writer.pods().end();
        let resolver = resolver(store);
        (0..1000).for_each(|number| drop(resolver.resolve(tag(number).as_bytes())));
        resolver
    });
}
