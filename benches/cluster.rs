//! What watching a whole cluster costs: CPU and heap of the first list of 50,000 pods, changes among them, and records
//! that name their own pod.
//!
//! A pod is that of the bench `filter` (10 labels, 5 annotations, one container), as the API server sends it: with
//! managed fields, environment and conditions, 9 KB of JSON. The server is another process, so that the CPU is ours
//! alone. `cargo bench --bench cluster -- 10000` takes another number of pods.

#![allow(clippy::unwrap_used, reason = "a bench that can't go on fails")]
#![allow(unsafe_code, reason = "an allocator that counts is one")]

use std::{
    alloc::{GlobalAlloc, Layout as Memory, System},
    env, fs,
    hint::black_box,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use flb_kube::{
    kube::{
        api::client_config::ClientConfig,
        enrich::by_record::ByRecord,
        enrich::{Resolver, TagForm},
        metadata::Layout,
        object::pod::Pod,
        origin::record_fields::{Fields, Paths, RecordForm},
        store::{self, Store, Writer, preload::Preload},
        watch::{Node, PodWatch, WatchConfig},
    },
    record::{
        msgpack::{reader::Events, write},
        splice::{Lines, choose::Choose, splice},
    },
    runtime::Owner,
};

/// The heap, counted.
struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static HEAP: Counting = Counting;

// SAFETY: all is System's own; counting changes nothing of it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, memory: Memory) -> *mut u8 {
        MOST.fetch_max(HELD.fetch_add(memory.size(), Relaxed) + memory.size(), Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(memory) }
    }

    unsafe fn dealloc(&self, at: *mut u8, memory: Memory) {
        HELD.fetch_sub(memory.size(), Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(at, memory) }
    }
}

fn main() {
    let arguments: Vec<String> = env::args().collect();
    if let Some(at) = arguments.iter().position(|argument| argument == "--serve") {
        return serve(arguments[at + 1].parse().unwrap());
    }
    let pods = arguments.iter().find_map(|argument| argument.parse().ok()).unwrap_or(50_000);
    first_list(pods);
    changes(pods);
    records(pods);
}

fn first_list(pods: usize) {
    let mut server = Command::new(env::current_exe().unwrap())
        .args(["--serve", &pods.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut port = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut port).unwrap();
    let client = ClientConfig {
        url: format!("http://127.0.0.1:{}", port.trim()),
        token_file: None,
        ..ClientConfig::default()
    };
    let config = WatchConfig::new(client, Node::All, config());
    let (held, memory, cpu, started) = (HELD.load(Relaxed), resident(), cpu(), Instant::now());
    MOST.store(held, Relaxed);
    let watch = PodWatch::shared(&config, &Owner { name: "bench".into(), level: 1 }).unwrap();
    while !watch.store().is_synced() && started.elapsed() < Duration::from_secs(300) {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(watch.store().len(), pods);
    println!(
        "first list of {pods} pods: {:.2} s of CPU, {:.2} s; heap per pod {} bytes ({} at most meanwhile), \
         resident memory per pod {} bytes",
        self::cpu() - cpu,
        started.elapsed().as_secs_f64(),
        (HELD.load(Relaxed) - held) / pods,
        (MOST.load(Relaxed) - held) / pods,
        (resident() - memory) / pods,
    );
    drop(watch);
    // Its end: the server reads its input to the end.
    drop(server.stdin.take());
    server.wait().unwrap();
}

/// Changes among many pods, while as many tags as a node has look for theirs.
fn changes(pods: usize) {
    const TAGS: usize = 1000;
    const CHANGES: usize = 2000;
    let (writer, store) = known(pods);
    let resolver = resolver(store);
    let tags: Vec<String> = (0..TAGS)
        .map(|number| format!("kube.var.log.containers.web-{number}_shop_nginx-{number:064}.log"))
        .collect();
    let resolve_all = || tags.iter().for_each(|tag| drop(black_box(resolver.resolve(tag.as_bytes()))));
    resolve_all();
    let changed: Vec<Pod> = (0..CHANGES)
        .map(|number| Pod { ip: Some(format!("10.9.{number}.1").into()), ..pod(number * 7 % pods) })
        .collect();
    let started = busy();
    changed.into_iter().for_each(|pod| writer.pods().apply(pod));
    let apply = (busy() - started) / CHANGES as u32;
    let mut checked = Duration::ZERO;
    for round in 0..100 {
        writer.pods().apply(Pod { ip: Some(format!("10.8.{round}.1").into()), ..pod(pods - 1) });
        let started = busy();
        resolve_all();
        checked += busy() - started;
    }
    let started = busy();
    (0..100).for_each(|_| resolve_all());
    let standing = (busy() - started) / 100 / TAGS as u32;
    println!(
        "a change among {pods} pods: {apply:?}; a tag after a change: {:?}, else {standing:?}; {TAGS} tags at 50 \
         changes a second: {:.2} % of a CPU",
        checked / 100 / TAGS as u32,
        (checked / 2).as_secs_f64() * 100.0,
    );
}

/// Chunks whose records name their own pods.
fn records(pods: usize) {
    let (_writer, store) = known(pods);
    let resolver = resolver(store);
    let step = |name: &str| vec!["kubernetes".to_owned(), name.to_owned()];
    let paths = Paths {
        pod: step("pod_name"),
        namespace: step("namespace_name"),
        container: step("container_name"),
        ..Paths::default()
    };
    let lookup = RecordForm::Fields(Fields::new(&paths));
    const RECORDS: usize = 2000;
    for of in [1, 30, 1000] {
        let mut chunk = Vec::new();
        (0..RECORDS).for_each(|number| record(&mut chunk, number % of));
        let events: Vec<_> = Events::new(&chunk).collect();
        let rounds = 200;
        let mut chosen = Duration::ZERO;
        for _ in 0..rounds {
            let mut chooser = ByRecord::new(&resolver, &lookup);
            let started = busy();
            for event in &events {
                black_box(chooser.choose(event, event.body().unwrap()).is_some());
            }
            chosen += busy() - started;
        }
        let mut out = Vec::new();
        let started = busy();
        for _ in 0..rounds {
            out.clear();
            splice(black_box(&chunk), &Lines::default(), &mut ByRecord::new(&resolver, &lookup), &mut out);
        }
        let whole = busy() - started;
        let each = |time: Duration| time.as_nanos() / (rounds * RECORDS) as u128;
        println!(
            "records of {of} pods in a chunk: {} ns each to find the pod, {} ns with all that is written",
            each(chosen),
            each(whole)
        );
    }
}

fn record(chunk: &mut Vec<u8>, number: usize) {
    chunk.extend_from_slice(&[0x92, 0x92, 0xd7, 0x00, 0x65, 0, 0, 0, 0, 0, 0, 1, 0x80]);
    write::map_header(chunk, 3);
    for (key, value) in [("log", "GET /index.html 200 12ms and some more text"), ("stream", "stdout")] {
        write::str(chunk, key);
        write::str(chunk, value);
    }
    write::str(chunk, "kubernetes");
    write::map_header(chunk, 3);
    let name = format!("web-{number}");
    for (key, value) in [("pod_name", name.as_str()), ("namespace_name", "shop"), ("container_name", "nginx")]
    {
        write::str(chunk, key);
        write::str(chunk, value);
    }
}

fn config() -> store::Config {
    store::Config { delete_grace: Duration::from_secs(60), namespaces: false, ..Default::default() }
}

fn known(pods: usize) -> (Writer, Store) {
    let (writer, store) = store::channel(config());
    writer.pods().begin();
    (0..pods).for_each(|number| writer.pods().apply(pod(number)));
    writer.pods().end();
    (writer, store)
}

fn resolver(store: Store) -> Resolver {
    let form = TagForm::Kubelet("kube.var.log.containers.".into());
    Resolver::new(form, Layout::default(), Preload::default(), Some(store))
}

fn pod(number: usize) -> Pod {
    serde_json::from_str(&pod_json(number, "")).unwrap()
}

/// A pod as the API server sends it; `spec` is what nobody asked for.
fn pod_json(number: usize, spec: &str) -> String {
    let pairs = |count: usize, name: &str, value: &str| {
        let pairs = (0..count).map(|i| format!(r#""{name}-{i}.example.com/of-a-label":"{value}-{i}""#));
        pairs.collect::<Vec<_>>().join(",")
    };
    format!(
        r#"{{"metadata":{{"name":"web-{number}","namespace":"shop","uid":"7b9c9a62-33dd-4a2a-9d6b-{number:012}",
            "resourceVersion":"{number}","labels":{{{}}},"annotations":{{{}}}{}}},
            "spec":{{"nodeName":"node-{}"{spec}}},
            "status":{{"podIP":"10.1.2.3","containerStatuses":[{{"name":"nginx","restartCount":0,
                "containerID":"containerd://{number:064}","image":"docker.io/library/nginx:1.29",
                "imageID":"docker.io/library/nginx@sha256:{number:064}"}}]}}}}"#,
        pairs(10, "label", "value-of-the-usual-length"),
        pairs(5, "annotation", "a longer value, as annotations have: a line of text"),
        if spec.is_empty() {
            ""
        } else {
            r#","managedFields":[{"fieldsV1":{"f:metadata":{"f:labels":{}}}}]"#
        },
        number / 50,
    )
}

/// Serves one list in pages, and a watch on which nothing happens, until its input ends.
fn serve(pods: usize) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    println!("{}", listener.local_addr().unwrap().port());
    let variables: Vec<String> =
        (0..60).map(|i| format!(r#"{{"name":"VARIABLE_{i}","value":"{}"}}"#, "x\\\"y ".repeat(12))).collect();
    let spec = format!(r#","containers":[{{"name":"nginx","env":[{}]}}]"#, variables.join(","));
    let spec: Arc<str> = spec.into();
    std::thread::Builder::new()
        .name("server".into())
        .spawn(move || {
            for stream in listener.incoming() {
                let (stream, spec) = (stream.unwrap(), Arc::clone(&spec));
                let answering = move || answer(stream, pods, &spec);
                std::thread::Builder::new().name("connection".into()).spawn(answering).unwrap();
            }
        })
        .unwrap();
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}

fn answer(stream: TcpStream, pods: usize, spec: &str) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut writer = stream;
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).unwrap_or(0) == 0 {
                return;
            }
        }
        if head.contains("watch=true") {
            writer.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").unwrap();
            continue;
        }
        let number = |key: &str| {
            let (_, after) = head.split_once(key)?;
            after.split(['&', ' ']).next()?.parse::<usize>().ok()
        };
        let from = number("continue=").unwrap_or(0);
        let to = (from + number("limit=").unwrap_or(pods)).min(pods);
        let items: Vec<String> = (from..to).map(|number| pod_json(number, spec)).collect();
        let next = if to < pods { to.to_string() } else { String::new() };
        let body = format!(
            r#"{{"kind":"PodList","metadata":{{"resourceVersion":"9","continue":"{next}"}},"items":[{}]}}"#,
            items.join(",")
        );
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        writer.write_all(head.as_bytes()).unwrap();
        writer.write_all(body.as_bytes()).unwrap();
    }
}

/// The CPU that this thread took: what others do on the machine has no part in it.
fn busy() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the clock exists since Linux 2.6, and `time` is ours.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Seconds of CPU that this process took.
fn cpu() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    let ticks = |at: usize| fields[at].parse::<f64>().unwrap();
    (ticks(11) + ticks(12)) / 100.0
}

/// Bytes of resident memory.
fn resident() -> usize {
    let statm = fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}
