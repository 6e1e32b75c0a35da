//! Lines of container runtimes: what is cut into parts over records and chunks comes out with all its text, in order.

#![no_main]

use flb_kube::record::{runtime_line::{Reader, partial::{Limits, Parts}}, msgpack::reader::{Events, Kind, text}, splice::{Lines, splice_overdue, splice_raw, choose::Always, treatment::Treatment}};
use libfuzzer_sys::fuzz_target;
use std::time::Duration;

const TAGS: [&[u8]; 2] = [b"web", b"db"];

/// What two streams of two tags wrote: the text, and how many lines were ended.
#[derive(Debug, Default, PartialEq)]
struct Text([[Vec<u8>; 2]; 2]);

fuzz_target!(|data: &[u8]| {
    let Some((options, data)) = data.split_first() else { return };
    check_reader(data);
    let is_narrow = options & 1 != 0;
    let limits = Limits {
        line: if is_narrow { 24 } else { 1 << 20 },
        age: if options & 2 != 0 { Duration::ZERO } else { Duration::from_secs(600) },
        total: if options & 4 != 0 { 600 } else { 1 << 24 },
    };
    let is_docker = options & 8 != 0;
    let lines = Lines { raw: Some("log".into()), ..Lines::default() };
    let treatment = Treatment::adding(&b"\xa3pod\xa3web"[..]);
    let mut parts = Parts::new(limits);
    let (mut wrote, mut read) = (Text::default(), Text::default());
    let mut whole = 0;
    for piece in data.split(|byte| *byte == b'\n') {
        let Some((how, text)) = piece.split_first() else { continue };
        let (tag, stream, is_partial) = (usize::from(how & 1), usize::from(how >> 1 & 1), how & 4 != 0);
        let text: Vec<u8> = text.iter().map(|byte| if *byte == b'\r' { b' ' } else { *byte }).collect();
        let raw = if is_docker {
            let Ok(text) = std::str::from_utf8(&text) else { continue };
            if text.is_empty() && is_partial {
                continue;
            }
            docker(text, stream, is_partial)
        } else {
            cri(&text, stream, is_partial)
        };
        wrote.0[tag][stream].extend(&text);
        if !is_partial {
            wrote.0[tag][stream].push(b'\n');
        }
        whole += usize::from(!is_partial);
        let mut out = Vec::new();
        let mut joiner = parts.of(TAGS[tag]);
        let outcome = splice_raw(&record(&raw), &lines, &mut Always(&treatment), &mut joiner, &mut out);
        assert_eq!(outcome.passed, 0, "a line of a runtime is known for one");
        take(&out, &mut read.0[tag]);
        drop(joiner);
        let (_, held) = parts.waiting();
        assert!(held <= limits.total, "{held} bytes wait");
    }
    for tag in parts.overdue(true) {
        let mut out = Vec::new();
        let mut joiner = parts.of(&tag);
        splice_overdue(&lines, &mut Always(&treatment), &mut joiner, true, &mut out);
        drop(joiner);
        take(&out, &mut read.0[usize::from(*tag == *TAGS[1])]);
    }
    assert_eq!(parts.waiting(), (0, 0));
    // Where a piece ends a line and where it doesn't is not told by pieces.
    let all = |text: &Text| -> Vec<Vec<u8>> {
        let ends = |stream: &Vec<u8>| stream.iter().copied().filter(|byte| *byte != b'\n').collect();
        text.0.iter().flatten().map(ends).collect()
    };
    assert_eq!(all(&read), all(&wrote), "all text comes out, in order");
    if options & 7 == 0 {
        let ended = |text: &Text| text.0.iter().flatten().flatten().filter(|byte| **byte == b'\n').count();
        assert_eq!(ended(&read), whole, "each line that was ended is one record");
    }
});

/// Whatever is read of a line is a piece of it.
fn check_reader(data: &[u8]) {
    let mut reader = Reader::default();
    for raw in data.split(|byte| *byte == b'\n') {
        if let Some(line) = reader.read(raw) {
            assert!(line.time.nanos < 1_000_000_000 && line.time.seconds < 0xffff_fffe);
            assert_eq!(line.others.pairs().count(), line.others.len);
            if raw[0] != b'{' {
                assert!(raw.ends_with(line.text) || raw.ends_with(b"\r"));
            }
        }
    }
}

fn cri(text: &[u8], stream: usize, is_partial: bool) -> Vec<u8> {
    let (stream, tag) = (["stdout", "stderr"][stream], if is_partial { 'P' } else { 'F' });
    let mut raw = format!("2026-01-01T00:00:00.123456789Z {stream} {tag} ").into_bytes();
    raw.extend(text);
    raw
}

fn docker(text: &str, stream: usize, is_partial: bool) -> Vec<u8> {
    let end = if is_partial { "" } else { "\n" };
    let log = serde_json::Value::String(format!("{text}{end}"));
    let stream = ["stdout", "stderr"][stream];
    format!("{{\"log\":{log},\"stream\":\"{stream}\",\"time\":\"2026-01-01T00:00:00Z\"}}").into_bytes()
}

/// An event whose field `log` is this line.
fn record(raw: &[u8]) -> Vec<u8> {
    let mut event = b"\x92\x92\xd7\0\x69\x55\xb9\0\0\0\0\x05\x80\x81\xa3log\xdb".to_vec();
    event.extend(u32::try_from(raw.len()).expect("an input is short").to_be_bytes());
    event.extend(raw);
    event
}

/// Adds what came out, with an end after each record that is no piece.
fn take(out: &[u8], streams: &mut [Vec<u8>; 2]) {
    let mut events = Events::new(out);
    for event in &mut events {
        assert_eq!(event.kind, Kind::Record);
        let body = event.body().expect("a body is a map");
        assert_eq!(body.pairs().count(), body.len);
        assert!(body.get(b"pod").is_some(), "a joined line is enriched");
        let stream = usize::from(body.get(b"stream").and_then(text) == Some(b"stderr"));
        let log = body.get(b"log").and_then(text).expect("a line has a text");
        let is_piece = body.get(b"partial_message").is_some();
        streams[stream].extend(log);
        if !is_piece && !log.ends_with(b"\n") {
            streams[stream].push(b'\n');
        }
    }
    assert!(events.rest().is_empty());
}
