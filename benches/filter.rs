//! What the filter costs: time per record, and heap per known pod.
//!
//! A record has 100 bytes of text; a pod has 10 labels and 5 annotations, which make 1.4 KB of fields. Times are of a
//! chunk of 1,000 records, so that its microseconds are nanoseconds per record. The heap of a known pod is the
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

#[global_allocator]
static HEAP: AllocProfiler = AllocProfiler::system();

const RECORDS: usize = 1000;

fn main() {
    let resolver = resolver(known(1));
    let fields = resolver.resolve(tag(0).as_bytes()).unwrap().pairs().len();
    let events = chunk(&text()).len() / RECORDS;
    println!("a record has {events} bytes, the fields that it gains {fields}");
    divan::main();
}

fn pod(number: usize) -> Pod {
    serde_json::from_str(&pod_json(number)).unwrap()
}

/// A pod as the API server sends it.
fn pod_json(number: usize) -> String {
    let pairs = |count: usize, name: &str, value: &str| {
        let pairs = (0..count).map(|i| format!(r#""{name}-{i}.example.com/of-a-label":"{value}-{i}""#));
        pairs.collect::<Vec<_>>().join(",")
    };
    format!(
        r#"{{"metadata":{{"name":"web-{number}","namespace":"shop","uid":"7b9c9a62-33dd-4a2a-9d6b-{number:012}",
            "labels":{{{}}},"annotations":{{{}}}}},
            "spec":{{"nodeName":"node-1"}},
            "status":{{"podIP":"10.1.2.3","containerStatuses":[{{"name":"nginx","restartCount":0,
                "containerID":"containerd://{number:064}","image":"docker.io/library/nginx:1.29",
                "imageID":"docker.io/library/nginx@sha256:{number:064}"}}]}}}}"#,
        pairs(10, "label", "value-of-the-usual-length"),
        pairs(5, "annotation", "a longer value, as annotations have: a line of text"),
    )
}

fn tag(number: usize) -> String {
    format!("kube.var.log.containers.web-{number}_shop_nginx-{number:064}.log")
}

fn known(pods: usize) -> Store {
    let config = store::Config { delete_grace: std::time::Duration::from_secs(60), namespaces: false };
    let (writer, store) = store::channel(config);
    writer.begin_list();
    (0..pods).for_each(|number| writer.apply(pod(number)));
    writer.end_list();
    store
}

fn resolver(store: Store) -> Resolver {
    let form = TagForm::Kubelet("kube.var.log.containers.".into());
    Resolver::new(form, Layout::default(), Preload::default(), Some(store))
}

fn text() -> String {
    format!("{:100}", "GET /index.html 200 12ms")
}

fn chunk(log: &str) -> Vec<u8> {
    let mut chunk = Vec::new();
    for _ in 0..RECORDS {
        chunk.extend_from_slice(&[0x92, 0x92, 0xd7, 0x00, 0x65, 0, 0, 0, 0, 0, 0, 1, 0x80]);
        write::map_header(&mut chunk, 3);
        for (key, value) in [("log", log), ("stream", "stdout"), ("logtag", "F")] {
            write::str(&mut chunk, key);
            write::str(&mut chunk, value);
        }
    }
    chunk
}

fn enrich(bencher: Bencher<'_, '_>, log: &str, merge: Option<Merge>) {
    let resolver = resolver(known(1));
    let (tag, chunk) = (tag(0), chunk(log));
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
    enrich(bencher, &text(), None);
}

#[divan::bench]
fn text_records_with_merge_log(bencher: Bencher<'_, '_>) {
    enrich(bencher, &text(), Some(Merge::default()));
}

#[divan::bench]
fn json_records_merged(bencher: Bencher<'_, '_>) {
    let log = r#"{"level":"info","status":200,"took":0.012,"path":"/index.html","user":null,"msg":"request served\n"}"#;
    enrich(bencher, log, Some(Merge { keep: false, ..Merge::default() }));
}

/// A message of exactly 200 bytes, of the usual shape: time, level, text, a few fields, an object within.
#[divan::bench]
fn json_records_of_200_bytes_merged(bencher: Bencher<'_, '_>) {
    let log = r#"{"time":"2026-11-21T14:30:00.123456789Z","level":"info","msg":"request served","status":200,"took":0.0123,"http":{"method":"GET","path":"/v1/carts/4711","host":"shop.example"},"user":"u-1a","ok":true}"#;
    assert_eq!(log.len(), 200);
    enrich(bencher, log, Some(Merge { keep: false, ..Merge::default() }));
}

#[divan::bench]
fn logfmt_records_of_200_bytes_merged(bencher: Bencher<'_, '_>) {
    let log = r#"time=2026-11-21T14:30:00.123456789Z level=info msg="request served" status=200 took=12.3ms method=GET path=/v1/carts/4711 host=shop.example user=u-1a agent="Mozilla/5.0 (X11; Linux x86_64)" bytes=5123"#;
    assert_eq!(log.len(), 200);
    enrich(bencher, log, Some(Merge { keep: false, format: Format::Auto, ..Merge::default() }));
}

#[divan::bench]
fn klog_records_of_200_bytes_merged(bencher: Bencher<'_, '_>) {
    let log = r#"I1121 14:30:00.123456       1 httplog.go:132] "HTTP" verb="GET" URI="/api/v1/namespaces/shop/pods/web-1" latency="1.234567ms" userAgent="kube-probe/1.34" audit-ID="a-1" srcIP="10.1.2.3:41234" resp=200"#;
    assert_eq!(log.len(), 200);
    enrich(bencher, log, Some(Merge { keep: false, format: Format::Auto, ..Merge::default() }));
}

/// The same records as a container runtime wrote them, read by `tail` without a parser.
fn enrich_raw(bencher: Bencher<'_, '_>, line: impl Fn(usize) -> String, merge: Option<Merge>) {
    let resolver = resolver(known(1));
    let tag = tag(0);
    let mut chunk = Vec::new();
    for number in 0..RECORDS {
        chunk.extend_from_slice(&[0x92, 0x92, 0xd7, 0x00, 0x65, 0, 0, 0, 0, 0, 0, 1, 0x80]);
        write::map_header(&mut chunk, 1);
        write::str(&mut chunk, "log");
        write::str(&mut chunk, line(number));
    }
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

fn cri(number: usize, text: &str) -> String {
    format!("2026-01-02T03:04:{:02}.{:09}Z stdout F {text}", number / 20, number * 9999)
}

#[divan::bench]
fn cri_lines(bencher: Bencher<'_, '_>) {
    enrich_raw(bencher, |number| cri(number, &text()), None);
}

#[divan::bench]
fn cri_lines_in_two_parts(bencher: Bencher<'_, '_>) {
    let line = |number: usize| match number % 2 {
        0 => cri(number, &text()).replace(" F ", " P "),
        _ => cri(number, &text()),
    };
    enrich_raw(bencher, line, None);
}

#[divan::bench]
fn cri_lines_of_json_merged(bencher: Bencher<'_, '_>) {
    let log = r#"{"time":"2024-05-05T05:05:05.123456Z","level":"info","status":200,"took":0.012,"path":"/api/v1/items/4711/details","user":null,"trace":"4bf92f3577b34da6a3ce929d0e0e4736","ok":true,"msg":"request served ok"}"#;
    enrich_raw(bencher, |number| cri(number, log), Some(Merge { keep: false, ..Merge::default() }));
}

#[divan::bench]
fn docker_lines(bencher: Bencher<'_, '_>) {
    let line =
        |_| format!(r#"{{"log":"{}\n","stream":"stdout","time":"2026-01-02T03:04:05.678901234Z"}}"#, text());
    enrich_raw(bencher, line, None);
}

#[divan::bench]
fn text_records_into_a_fresh_buffer(bencher: Bencher<'_, '_>) {
    let resolver = resolver(known(1));
    let (tag, chunk) = (tag(0), chunk(&text()));
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
    let config = store::Config { delete_grace: std::time::Duration::from_secs(60), namespaces: false };
    let (writer, _store) = store::channel(config);
    writer.begin_list();
    (0..10_000).for_each(|number| writer.apply(pod(number)));
    writer.end_list();
    let mut ip = 0;
    bencher
        .with_inputs(|| {
            ip += 1;
            Pod { ip: Some(format!("10.0.0.{ip}").into()), ..pod(77) }
        })
        .bench_local_values(|pod| writer.apply(pod));
}

#[divan::bench(sample_count = 10)]
fn known_pods(bencher: Bencher<'_, '_>) {
    let pods: Vec<String> = (0..1000).map(pod_json).collect();
    bencher.counter(ItemsCount::new(1000_usize)).bench_local(|| {
        let config = store::Config { delete_grace: std::time::Duration::from_secs(60), namespaces: false };
        let (writer, store) = store::channel(config);
        writer.begin_list();
        pods.iter().for_each(|pod| writer.apply(serde_json::from_str(pod).unwrap()));
        writer.end_list();
        let resolver = resolver(store);
        (0..1000).for_each(|number| drop(resolver.resolve(tag(number).as_bytes())));
        resolver
    });
}
