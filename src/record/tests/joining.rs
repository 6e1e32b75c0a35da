//! What holds however a line is cut: its parts make the whole again, nothing of hostile lines is lost, and what waits
//! is bounded.

use std::{ops::Range, time::Duration};

use proptest::{collection::vec, prelude::*};

use crate::record::{
    msgpack::{
        reader::{Events, text},
        write,
    },
    runtime_line::partial::{Limits, Parts},
    splice::{Lines, Outcome, choose::Always, splice_overdue, splice_raw, treatment::Treatment},
};

const LIMITS: Limits = Limits { line: 1 << 20, age: Duration::from_secs(3600), total: 1 << 24 };

fn lines() -> Lines {
    Lines { raw: Some("log".into()), ..Lines::default() }
}

/// An event with this line, as `tail` makes it.
fn event(line: &[u8]) -> Vec<u8> {
    let mut event = vec![0x92, 0x92, 0xd7, 0x00, 0, 0, 0, 9, 0, 0, 0, 9, 0x81, 0xa1, b'm', 0x01, 0xde, 0, 2];
    write::str(&mut event, "file");
    write::str(&mut event, "app.log");
    write::str(&mut event, "log");
    write::str(&mut event, line);
    event
}

/// A record: seconds, stream, text, whether it is marked as a piece.
type Read = (u64, String, Vec<u8>, bool);

fn read(out: &[u8]) -> Vec<Read> {
    let mut events = Events::new(out);
    let records = events.by_ref().map(|event| {
        let body = event.body().unwrap();
        let get = |key: &[u8]| body.get(key).and_then(text).map(<[u8]>::to_vec);
        let stream = String::from_utf8(get(b"stream").unwrap_or_default()).unwrap();
        assert_eq!(get(b"file").unwrap(), b"app.log");
        assert_eq!(event.metadata(), [0x81, 0xa1, b'm', 0x01]);
        let seconds = event.time().unwrap().seconds;
        (seconds, stream, get(b"log").unwrap(), body.get(b"partial_message").is_some())
    });
    let records = records.collect();
    assert!(events.rest().is_empty());
    records
}

fn run(parts: &mut Parts, chunk: &[u8], out: &mut Vec<u8>) -> Outcome {
    splice_raw(chunk, &lines(), &mut Always(&Treatment::default()), &mut parts.of(b"tag"), out)
}

fn rest(parts: &mut Parts) -> Vec<u8> {
    let mut out = Vec::new();
    splice_overdue(&lines(), &mut Always(&Treatment::default()), &mut parts.of(b"tag"), true, &mut out);
    out
}

/// A line of CRI, second by second.
fn cri(second: usize, stream: &str, tag: &str, text: &[u8]) -> Vec<u8> {
    let time = format!("1970-01-01T00:{:02}:{:02}.5Z", second / 60 % 60, second % 60);
    [format!("{time} {stream} {tag} ").as_bytes(), text].concat()
}

proptest! {
    #[test]
    fn the_parts_of_a_line_make_the_whole_however_it_is_cut(
        cuts in vec((vec(1..=255_u8, 0..40), any::<bool>(), any::<bool>()), 1..20),
        ends in any::<bool>(),
    ) {
        // Text of stdout and of stderr, interleaved; a chunk ends wherever it says so.
        let mut parts = Parts::new(LIMITS);
        let (mut out, mut chunk) = (Vec::new(), Vec::new());
        let mut wholes = [Vec::new(), Vec::new()];
        let mut began = [None, None];
        let mut write = |at: usize, text: &[u8], is_err: bool, tag: &str, chunk: &mut Vec<u8>| {
            let text: Vec<u8> = text.iter().copied().filter(|byte| *byte != b'\n').collect();
            began[usize::from(is_err)].get_or_insert(at as u64);
            wholes[usize::from(is_err)].extend_from_slice(&text);
            chunk.extend(event(&cri(at, ["stdout", "stderr"][usize::from(is_err)], tag, &text)));
        };
        for (at, (text, is_err, ends_chunk)) in cuts.iter().enumerate() {
            write(at, text, *is_err, "P", &mut chunk);
            if *ends_chunk {
                run(&mut parts, &std::mem::take(&mut chunk), &mut out);
            }
        }
        if ends {
            for is_err in [false, true] {
                write(cuts.len(), b"end", is_err, "F:x", &mut chunk);
            }
        }
        run(&mut parts, &chunk, &mut out);
        let waits = rest(&mut parts);
        prop_assert_eq!(waits.is_empty(), ends);
        out.extend(waits);
        let mut found = read(&out);
        found.sort_by(|one, other| other.1.cmp(&one.1));
        let expected: Vec<Read> = [0, 1].into_iter().filter_map(|at: usize| {
            Some((began[at]?, ["stdout", "stderr"][at].to_owned(), wholes[at].clone(), !ends))
        }).collect();
        prop_assert_eq!(found, expected);
        prop_assert!(parts.overdue(true).is_empty());
    }

    #[test]
    fn nothing_is_lost_and_what_waits_is_bounded_whatever_the_limits(
        texts in vec((vec(b'a'..=b'z', 1..60), any::<bool>(), any::<bool>()), 1..60),
        line in 1..100_usize,
        total in 1..3000_usize,
    ) {
        let mut parts = Parts::new(Limits { line, total, ..LIMITS });
        let mut out = Vec::new();
        let mut said = [Vec::new(), Vec::new()];
        for (at, (text, is_err, is_last)) in texts.iter().enumerate() {
            said[usize::from(*is_err)].extend_from_slice(text);
            let tag = if *is_last { "F" } else { "P" };
            run(&mut parts, &event(&cri(at, ["stdout", "stderr"][usize::from(*is_err)], tag, text)), &mut out);
            prop_assert!(parts.waiting().1 <= total + 60);
        }
        out.extend(rest(&mut parts));
        for (at, stream) in ["stdout", "stderr"].into_iter().enumerate() {
            let records = read(&out);
            let found: Vec<u8> =
                records.into_iter().filter(|record| record.1 == stream).flat_map(|record| record.2).collect();
            prop_assert_eq!(&found, &said[at]);
        }
    }

    #[test]
    fn lines_that_nobody_wrote_as_a_runtime_does_pass_as_they_are(
        line in prop_oneof![
            vec(any::<u8>(), 0..200),
            "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{0,12}Z (stdout|stderr|x) [FPx:]{0,3} .{0,20}"
                .prop_map(String::into_bytes),
            "\\{\"log\":\".{0,9}\",\"stream\":\"(stdout|x)\",\"time\":\"[0-9T:Z-]{0,20}\"\\}?".prop_map(String::into_bytes),
        ],
    ) {
        let mut parts = Parts::new(LIMITS);
        let (mut out, chunk) = (Vec::new(), event(&line));
        let outcome = run(&mut parts, &chunk, &mut out);
        out.extend(rest(&mut parts));
        let records = read(&out);
        prop_assert_eq!((outcome.records, records.len()), (1, 1));
        if records[0].1.is_empty() {
            prop_assert_eq!(&records[0].2, &line);
            prop_assert_eq!(records[0].0, 9);
        }
    }
}

#[test]
fn a_piece_and_its_rest_are_marked_and_the_next_line_is_not() {
    let mut parts = Parts::new(Limits { line: 4, ..LIMITS });
    let mut out = Vec::new();
    let chunk = [("P", "aaa"), ("P", "bbb"), ("F", "c"), ("F", "next")];
    let chunk: Vec<u8> = chunk
        .iter()
        .enumerate()
        .flat_map(|(at, (tag, text))| event(&cri(at, "stdout", tag, text.as_bytes())))
        .collect();
    let outcome = run(&mut parts, &chunk, &mut out);
    assert_eq!((outcome.records, outcome.joined, outcome.unfinished), (4, 1, 2));
    let read: Vec<_> = read(&out).into_iter().map(|(at, _, text, is_piece)| (at, text, is_piece)).collect();
    assert_eq!(read, [(0, b"aaa".to_vec(), true), (1, b"bbbc".to_vec(), true), (3, b"next".to_vec(), false)]);
}

#[test]
fn lines_of_a_megabyte_and_of_bytes_that_are_no_utf8_come_out_whole() {
    let mut parts = Parts::new(LIMITS);
    let mut out = Vec::new();
    let long = vec![0xff; 1 << 20];
    run(&mut parts, &event(&cri(0, "stdout", "F", &long)), &mut out);
    assert_eq!(read(&out), [(0, "stdout".to_owned(), long, false)]);
}

#[test]
fn records_of_an_excluded_stream_do_not_wait() {
    let mut treatment = Treatment::default();
    treatment.dropped.stderr = true;
    let mut parts = Parts::new(LIMITS);
    let mut out = Vec::new();
    let chunk = [event(&cri(0, "stderr", "P", b"x")), event(&cri(0, "stdout", "F", b"y"))].concat();
    let outcome = splice_raw(&chunk, &lines(), &mut Always(&treatment), &mut parts.of(b"tag"), &mut out);
    assert_eq!((outcome.dropped, read(&out).len(), parts.waiting()), (1, 1, (0, 0)));
}

#[test]
fn a_part_whose_stream_is_excluded_while_it_waits_is_counted_as_dropped_and_as_no_piece() {
    let mut parts = Parts::new(LIMITS);
    let mut out = Vec::new();
    run(&mut parts, &event(&cri(0, "stderr", "P", b"x")), &mut out);
    let mut treatment = Treatment::default();
    treatment.dropped.stderr = true;
    let outcome = splice_overdue(&lines(), &mut Always(&treatment), &mut parts.of(b"tag"), true, &mut out);
    assert_eq!(outcome, Outcome { dropped: 1, ..Outcome::default() });
    assert!(out.is_empty());
}

#[test]
fn the_parts_of_many_containers_come_out_in_time_and_their_names_are_held_within_the_bound() {
    let mut parts = Parts::new(Limits { total: 1 << 24, ..LIMITS });
    let treatment = Treatment::default();
    let mut out = Vec::new();
    let name = |number: usize| format!("{number:02000}").into_bytes();
    let pieces = (0..20_000).filter(|number| {
        let chunk = event(&cri(0, "stdout", "P", b"x"));
        let lines = lines();
        let outcome =
            splice_raw(&chunk, &lines, &mut Always(&treatment), &mut parts.of(&name(*number)), &mut out);
        outcome.unfinished == 1
    });
    // Two thousand bytes of a name, and some hundreds of its line.
    let (waited, emitted) = (7_000..=8_400, pieces.count());
    assert!(waited.contains(&(20_000 - emitted)), "{} wait", 20_000 - emitted);
    let before = std::time::Instant::now();
    let overdue = parts.overdue(true);
    for tag in &overdue {
        let mut joiner = parts.of(tag);
        assert_eq!(
            splice_overdue(&lines(), &mut Always(&treatment), &mut joiner, true, &mut out).unfinished,
            1
        );
    }
    assert_eq!(overdue.len(), 20_000 - emitted);
    assert!(before.elapsed() < Duration::from_secs(2), "{:?}", before.elapsed());
}

#[test]
fn parts_that_waited_too_long_are_joined_where_the_next_chunk_has_their_rest() {
    let age = Duration::from_millis(100);
    let mut parts = Parts::new(Limits { age, ..LIMITS });
    let mut out = Vec::new();
    run(&mut parts, &event(&cri(0, "stdout", "P", b"a")), &mut out);
    std::thread::sleep(age);
    // What can't be read stays behind everything that can.
    let chunk =
        [event(&cri(1, "stdout", "F", b"b")), event(&cri(2, "stderr", "F", b"c")), vec![0xc1]].concat();
    let outcome = run(&mut parts, &chunk, &mut out);
    assert_eq!((outcome.joined, outcome.unfinished, outcome.unread), (1, 0, 1));
    assert_eq!(out.pop(), Some(0xc1));
    assert_eq!(read(&out).iter().map(|read| &read.2[..]).collect::<Vec<_>>(), [&b"ab"[..], b"c"]);

    out.clear();
    run(&mut parts, &event(&cri(3, "stdout", "P", b"d")), &mut out);
    std::thread::sleep(age);
    let chunk = [event(&cri(4, "stderr", "F", b"e")), vec![0xc1]].concat();
    assert_eq!(run(&mut parts, &chunk, &mut out).unfinished, 1);
    assert_eq!(out.pop(), Some(0xc1));
    assert_eq!(read(&out).iter().map(|read| &read.2[..]).collect::<Vec<_>>(), [&b"e"[..], b"d"]);
}

/// Parts of the lines of many tags, 10,000 bytes each.
fn fill(parts: &mut Parts, tags: Range<usize>) -> Outcome {
    let mut all = Outcome::default();
    let mut out = Vec::new();
    for number in tags {
        let chunk = event(&cri(0, "stdout", "P", &[b'x'; 10_000]));
        let treatment = Treatment::default();
        let tag = format!("tag-{number}").into_bytes();
        let outcome = splice_raw(&chunk, &lines(), &mut Always(&treatment), &mut parts.of(&tag), &mut out);
        all.unfinished += outcome.unfinished;
        all.given_up.lines += outcome.given_up.lines;
        all.given_up.bytes += outcome.given_up.bytes;
    }
    all
}

#[test]
fn parts_of_dead_containers_make_room_where_nobody_asks_for_what_is_overdue() {
    let age = Duration::from_secs(1);
    let limits = Limits { age, total: 1 << 20, ..LIMITS };
    let mut parts = Parts::new(limits).giving_up();
    let dead = fill(&mut parts, 0..200);
    assert_eq!(dead.given_up.lines, 0, "a line that may still come is not given up");
    assert!(dead.unfinished > 80, "{dead:?}");
    std::thread::sleep(age);
    let living = fill(&mut parts, 1000..1020);
    assert_eq!(living.unfinished, 0);
    assert!((10..40).contains(&living.given_up.lines), "{living:?}");
    assert_eq!(living.given_up.bytes, living.given_up.lines * 10_000);
    let left = parts.overdue(true);
    assert!((1000..1020).all(|number| left.iter().any(|tag| **tag == *format!("tag-{number}").into_bytes())));

    // Where the host asks, nothing is given up.
    let mut parts = Parts::new(limits);
    fill(&mut parts, 0..200);
    std::thread::sleep(age);
    let living = fill(&mut parts, 1000..1020);
    assert_eq!((living.given_up.lines, living.unfinished), (0, 20));
}

#[test]
fn containers_that_never_end_a_line_leave_room_for_the_long_lines_of_others() {
    let mut parts = Parts::new(Limits { total: 1 << 20, ..LIMITS });
    let mut out = Vec::new();
    let treatment = Treatment::default();
    for round in 0..200 {
        for greedy in 0..16 {
            let chunk = event(&cri(round, "stdout", "P", &[b'x'; 4_000]));
            let tag = format!("greedy-{greedy}").into_bytes();
            splice_raw(&chunk, &lines(), &mut Always(&treatment), &mut parts.of(&tag), &mut out);
        }
    }
    out.clear();
    let parts_of_one = [b"P", b"P", b"P", b"F"]
        .map(|tag| event(&cri(9, "stdout", str::from_utf8(tag).unwrap(), &[b'y'; 10_000])));
    let outcome = run(&mut parts, &parts_of_one.concat(), &mut out);
    assert_eq!((outcome.joined, outcome.unfinished), (1, 0));
}
