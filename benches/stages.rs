//! What each stage costs a line, in instructions of valgrind's callgrind, the same on every run: CRI to msgpack, msgpack
//! to protobuf, zstd. Lines vary, see `flb_kube_testing::varied`; a pod has 10 labels and 5 annotations.
//!
//! The bench starts itself below valgrind once for each kind of line and stage; only what `measured` calls is counted.
//! Pieces have the sizes that they have in a host: what `tail` reads at a time, chunks of 2 MB, bodies of a request.

#![allow(clippy::unwrap_used, reason = "a bench that can't go on fails")]

use std::{env, fs, process::Command};

use flb_kube::{
    kube::{
        enrich::{Resolver, TagForm},
        metadata::Layout,
        store::{self, preload::Preload},
    },
    options::Options as _,
    plugins::out_victorialogs::{VictoriaLogsOptions, config},
    record::{
        msgpack::write,
        runtime_line::partial::{Limits, Parts},
        splice::{Lines as HowToRead, choose::Always, merge::Merge, splice_raw},
    },
    victorialogs::{compress::Compressor, encode::Encoder},
};
use flb_kube_testing::varied::{self, Line, Lines};

const LINES: usize = 20_000;
/// `Buffer_Chunk_Size` of `tail`.
const READ_AT_A_TIME: usize = 32 << 10;
const CHUNK: usize = 2_000_000;
/// How a line says what it has to say.
type Said = fn(&Line) -> String;
const KINDS: [(&str, Said); 2] = [("JSON", Line::json), ("text", Line::text)];
const STAGES: [&str; 3] = ["CRI to msgpack", "msgpack to protobuf", "zstd"];
/// How the bench is told to be the program below valgrind.
const STAGE: &str = "FLB_KUBE_STAGE";

fn main() {
    if env::args().any(|argument| argument == "--test" || argument == "--list") {
        return; // cargo test looks at benches too
    }
    if let Ok(stage) = env::var(STAGE) {
        let (kind, stage) = stage.split_once('/').unwrap();
        return run(KINDS[kind.parse::<usize>().unwrap()].1, stage.parse().unwrap());
    }
    if Command::new("valgrind").arg("--version").output().is_err() {
        println!("stages: no valgrind here: instructions are not counted");
        return;
    }
    println!("| instructions per line | {} |\n|---|{}", STAGES.join(" | "), "---|".repeat(STAGES.len()));
    for (number, (kind, _)) in KINDS.iter().enumerate() {
        let counted: Vec<String> =
            (0..STAGES.len()).map(|stage| instructions(number, stage).to_string()).collect();
        println!("| {kind} | {} |", counted.join(" | "));
    }
}

/// Instructions per line of one stage.
fn instructions(kind: usize, stage: usize) -> u64 {
    let folder = tempfile::tempdir().unwrap();
    let counts = folder.path().join("counts");
    let ended = Command::new("valgrind")
        .args(["--tool=callgrind", "--toggle-collect=*stages*measured*"])
        .arg(format!("--callgrind-out-file={}", counts.display()))
        .arg(env::current_exe().unwrap())
        .env(STAGE, format!("{kind}/{stage}"))
        // Valgrind takes each byte that one instruction of glibc copies for an instruction of its own.
        .env("GLIBC_TUNABLES", "glibc.cpu.x86_rep_movsb_threshold=0x40000000")
        .output()
        .unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    let counts = fs::read_to_string(counts).unwrap();
    let total = counts.lines().find_map(|line| line.strip_prefix("totals: ")).unwrap();
    let total: u64 = total.trim().parse().unwrap();
    assert!(total > 0, "callgrind saw no `measured`");
    total / LINES as u64
}

/// What callgrind counts.
#[inline(never)]
fn measured(work: &mut dyn FnMut()) {
    work();
}

/// Does one stage twice: the first time warms up buffers, the second is counted.
fn run(kind: Said, stage: usize) {
    let lines: Vec<String> =
        Lines::new(varied::SEED).take(LINES).map(|line| line.cri(&kind(&line))).collect();
    let mut enrichment = Enrichment::new(&lines);
    let chunks = enrichment.chunks();
    if stage == 0 {
        return measured(&mut || enrichment.records(|_| ()));
    }
    let mut delivery = Delivery::new();
    if stage == 1 {
        delivery.encode(&chunks, |_, _| ());
        return measured(&mut || delivery.encode(&chunks, |_, _| ()));
    }
    let mut bodies = Vec::new();
    delivery.encode(&chunks, |_, body| bodies.push(body.to_vec()));
    let mut pack = || bodies.iter().for_each(|body| drop(delivery.compressor.pack(body).unwrap()));
    pack();
    measured(&mut pack);
}

/// The filter on its way from lines to records.
struct Enrichment {
    /// Events as `tail` makes them, in the pieces that it reads.
    read: Vec<Vec<u8>>,
    how: HowToRead,
    resolver: Resolver,
    tag: String,
    parts: Parts,
    out: Vec<u8>,
}

impl Enrichment {
    fn new(lines: &[String]) -> Self {
        let mut read: Vec<Vec<u8>> = Vec::new();
        let mut left = 0;
        for line in lines {
            if left < line.len() {
                read.push(Vec::new());
                left = READ_AT_A_TIME;
            }
            left -= line.len();
            let piece = read.last_mut().unwrap();
            piece.extend_from_slice(&[0x92, 0x92, 0xd7, 0x00, 0x65, 0, 0, 0, 0, 0, 0, 1, 0x80]);
            write::map_header(piece, 1);
            write::str(piece, "log");
            write::str(piece, line);
        }
        let config = store::Config {
            delete_grace: std::time::Duration::from_secs(60),
            namespaces: false,
            unshown: Default::default(),
        };
        let (writer, store) = store::channel(config);
        writer.pods().begin();
        writer.pods().apply(serde_json::from_str(&varied::pod_json(0, "node-1")).unwrap());
        writer.pods().end();
        let form = TagForm::Kubelet("kube.var.log.containers.".into());
        let limits = Limits { line: 2 << 20, age: std::time::Duration::from_secs(30), total: 32 << 20 };
        Self {
            read,
            how: HowToRead {
                raw: Some("log".into()),
                merge: Some(Merge { keep: false, ..Merge::default() }),
                ..HowToRead::default()
            },
            resolver: Resolver::new(form, Layout::default(), Preload::default(), Some(store)),
            tag: format!("kube.var.log.containers.{}.log", varied::container_file(0)),
            parts: Parts::new(limits),
            out: Vec::new(),
        }
    }

    /// Makes records of all that was read; `done` sees them piece by piece.
    fn records(&mut self, mut done: impl FnMut(&[u8])) {
        for piece in &self.read {
            self.out.clear();
            let fields = self.resolver.resolve(self.tag.as_bytes()).unwrap();
            let joiner = &mut self.parts.of(self.tag.as_bytes());
            splice_raw(piece, &self.how, &mut Always(&fields), joiner, &mut self.out);
            done(&self.out);
        }
    }

    /// The records as the host keeps them for outputs.
    fn chunks(&mut self) -> Vec<Vec<u8>> {
        let mut chunks: Vec<Vec<u8>> = Vec::new();
        self.records(|records| match chunks.last_mut() {
            Some(chunk) if chunk.len() < CHUNK => chunk.extend_from_slice(records),
            _ => chunks.push(records.to_vec()),
        });
        chunks
    }
}

/// The output on its way from records to bodies.
struct Delivery {
    encoder: Encoder,
    compressor: Compressor,
}

impl Delivery {
    fn new() -> Self {
        let load = |key: &str| (key == "url").then(|| "http://localhost".to_owned());
        let config = config(VictoriaLogsOptions::load(&load).unwrap()).unwrap();
        Self { encoder: Encoder::new(&config), compressor: Compressor::new(config.compression).unwrap() }
    }

    fn encode(&mut self, chunks: &[Vec<u8>], mut done: impl FnMut(usize, &[u8])) {
        for chunk in chunks {
            let mut at = 0;
            while at < chunk.len() {
                let batch = self.encoder.encode(&chunk[at..]);
                at += batch.consumed;
                done(batch.records, self.encoder.body());
            }
        }
    }
}
