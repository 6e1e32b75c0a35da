//! What follows from each answer of a server, and from none.

use std::time::{Duration, Instant};

use flb_kube_testing::sink::Answer;

use super::*;

#[test]
fn a_record_that_the_server_refuses_is_dropped_alone() {
    let sink = Sink::start();
    sink.refuse("poison");
    let (output, start) = (output(&sink.url(), &[]), now());
    let chunk: Vec<u8> = (0..1000)
        .flat_map(|n| line(start + n, &format!("{} {n}", if n == 0 || n == 613 { "poison" } else { "good" })))
        .collect();
    assert_eq!(output.flush(&chunk), Flushed::Done);
    let rows = sink.rows();
    assert_eq!(rows.len(), 998);
    let times: Vec<i64> = rows.iter().map(|row| row.time - start).collect();
    let expected: Vec<i64> = (0..1000).filter(|n| ![0, 613].contains(n)).collect();
    assert_eq!(times, expected, "the neighbours arrive once each and in order");
    assert_eq!(output.count(Reason::Refused), 2);
    assert_eq!(output.output.tally().delivered(), 998);
    assert!(sink.requests().len() < 60, "{}", sink.requests().len());
}

#[test]
fn a_server_that_refuses_everything_loses_nothing() {
    let sink = Sink::start();
    let wrong_path = output(&format!("{}/wrong", sink.url()), &[]);
    let chunk = [line(now(), "a"), line(now(), "b")].concat();
    assert_eq!(wrong_path.flush(&chunk), Flushed::Retry);
    sink.always(Some(Answer::Status(400)));
    assert_eq!(output(&sink.url(), &[]).flush(&chunk), Flushed::Retry);
    assert_eq!(wrong_path.count(Reason::Refused), 0);
    sink.always(None);
    let right = output(&format!("{0}/wrong,{0}", sink.url()), &[]);
    assert_eq!(right.flush(&chunk), Flushed::Done, "another address takes it");
    assert_eq!(sink.rows().len(), 2);
}

#[test]
fn what_may_mend_is_tried_again_and_what_can_not_is_not() {
    for status in [301, 302, 401, 403, 404, 405, 408, 429, 500, 501, 502, 503, 504, 507] {
        let sink = Sink::start();
        sink.script([Answer::Status(status)]);
        let output = output(&sink.url(), &[]);
        assert_eq!(output.flush(&line(now(), "m")), Flushed::Retry, "{status}");
        assert_eq!(output.flush(&line(now(), "m")), Flushed::Done, "{status}");
        assert_eq!((sink.rows().len(), sink.requests().len()), (1, 2), "{status}");
    }
    for status in [400, 406, 411, 413, 415, 422, 431] {
        let sink = Sink::start();
        sink.script([Answer::Status(status)]);
        let output = output(&sink.url(), &[]);
        assert_eq!(output.flush(&line(now(), "m")), Flushed::Done, "{status}");
        assert_eq!((sink.rows().len(), output.count(Reason::Refused)), (0, 1), "{status}");
    }
}

#[test]
fn a_connection_that_fails_is_tried_again() {
    let sink = Sink::start();
    sink.script([Answer::Cut]);
    let output = output(&sink.url(), &[("timeout", "300ms")]);
    assert_eq!(output.flush(&line(now(), "m")), Flushed::Retry, "cut");
    sink.script([Answer::Stall]);
    assert_eq!(output.flush(&line(now(), "m")), Flushed::Retry, "stalled");
    assert_eq!(output.flush(&line(now(), "m")), Flushed::Done);
    let url = sink.url();
    drop(sink);
    assert_eq!(self::output(&url, &[]).flush(&line(now(), "m")), Flushed::Retry, "nobody listens");
}

#[test]
fn a_server_that_asks_for_a_pause_is_left_alone() {
    let sink = Sink::start();
    sink.script([Answer::RetryAfter(429, 100)]);
    let output = output(&sink.url(), &[]);
    assert_eq!(output.flush(&line(now(), "m")), Flushed::Retry);
    assert_eq!(output.flush(&line(now(), "m")), Flushed::Retry);
    assert_eq!(sink.requests().len(), 1);
}

#[test]
fn another_address_stands_in_and_the_failed_one_is_spared_for_a_while() {
    let (first, second) = (Sink::start(), Sink::start());
    first.always(Some(Answer::Status(503)));
    let output = output(&format!("{}, {}", first.url(), second.url()), &[]);
    for _ in 0..3 {
        assert_eq!(output.flush(&line(now(), "m")), Flushed::Done);
    }
    assert_eq!((first.requests().len(), second.rows().len()), (1, 3));
    first.always(None);
    let deadline = Instant::now() + Duration::from_secs(10);
    while first.rows().is_empty() && Instant::now() < deadline {
        assert_eq!(output.flush(&line(now(), "m")), Flushed::Done);
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(!first.rows().is_empty(), "the first address is preferred once it is well again");
}

#[test]
fn a_later_try_of_a_chunk_sends_only_what_did_not_arrive() {
    let sink = Sink::start();
    let (output, start) = (output(&sink.url(), &[]), now());
    let padding = "x".repeat(1000);
    let chunk: Vec<u8> = (0..12_000).flat_map(|n| line(start + n, &format!("{n} {padding}"))).collect();
    sink.script([Answer::Take, Answer::Take, Answer::Status(503), Answer::Take, Answer::Cut]);
    assert_eq!(output.flush(&chunk), Flushed::Retry);
    let arrived = sink.rows().len();
    assert!(arrived > 0 && arrived < 12_000);
    assert_eq!(output.flush(&line(start, "of another chunk")), Flushed::Done);
    assert_eq!(sink.rows().len(), arrived + 1);
    sink.script([Answer::Take]);
    while output.flush(&chunk) == Flushed::Retry {}
    let mut times: Vec<i64> = sink
        .rows()
        .iter()
        .filter(|row| row.message() != "of another chunk")
        .map(|row| row.time - start)
        .collect();
    times.sort_unstable();
    assert_eq!(times, (0..12_000).collect::<Vec<_>>(), "each record arrived once");
    assert_eq!(output.flush(&chunk), Flushed::Done);
    assert_eq!(sink.rows().len(), 24_001, "a finished chunk is forgotten");
}

#[test]
fn damage_costs_only_what_follows_it() {
    let sink = Sink::start();
    let output = output(&sink.url(), &[]);
    let mut chunk = [line(now(), "first"), line(now(), "second"), line(now(), "third")].concat();
    chunk.truncate(chunk.len() - 3);
    assert_eq!(output.flush(&chunk), Flushed::Done);
    let messages: Vec<String> = sink.rows().iter().map(|row| row.message().to_owned()).collect();
    assert_eq!(messages, ["first", "second"]);
    assert_eq!(output.count(Reason::Damaged), 1);
}

#[test]
fn bytes_of_any_kind_never_stop_the_output() {
    let sink = Sink::start();
    let output = output(&sink.url(), &[]);
    let good = [from_pod(now(), "web-1", "m"), line(now(), "n")].concat();
    for at in 0..good.len() {
        let mut chunk = good.clone();
        chunk[at] = chunk[at].wrapping_mul(31).wrapping_add(97);
        assert_eq!(output.flush(&chunk), Flushed::Done, "byte {at}");
    }
}

#[test]
fn times_out_of_the_servers_range_are_told_and_still_sent() {
    let sink = Sink::start();
    let output = output(&sink.url(), &[]);
    let day = 86_400_000_000_000;
    let chunk = [line(now() - 8 * day, "old"), line(now() + 3 * day, "ahead"), line(now(), "now")].concat();
    assert_eq!(output.flush(&chunk), Flushed::Done);
    assert_eq!(sink.rows().len(), 3);
    assert_eq!((output.count(Reason::TooOld), output.count(Reason::TooNew)), (1, 1));
}

#[test]
fn a_flush_that_waits_for_a_stalled_server_ends_when_the_instance_stops() {
    let sink = Sink::start();
    sink.always(Some(Answer::Stall));
    let output = output(&sink.url(), &[("timeout", "10m")]);
    std::thread::scope(|scope| {
        let flush = scope.spawn(|| output.flush(&line(now(), "m")));
        let deadline = Instant::now() + Duration::from_secs(10);
        while sink.requests().is_empty() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(2));
        }
        output.tasks.stop();
        assert_eq!(flush.join().unwrap(), Flushed::Retry);
    });
    assert_eq!(output.flush(&line(now(), "m")), Flushed::Retry);
}

#[test]
fn a_flush_that_begins_after_the_stop_does_no_work() {
    let sink = Sink::start();
    let output = output(&sink.url(), &[]);
    output.tasks.stop();
    // An event that is no record costs no request, and would be counted.
    let foreign = pack(&Value::Array(vec![event_time(now()), Value::from(7)]));
    assert_eq!(output.flush(&foreign), Flushed::Retry);
    assert_eq!(output.count(Reason::Foreign), 0);
    assert!(sink.requests().is_empty());
}

#[test]
fn several_chunks_at_once_keep_their_connections() {
    let sink = Sink::start();
    let output = output(&sink.url(), &[("threads", "4")]);
    assert_eq!(output.output.concurrency(), 4);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for n in 0..25 {
                    assert_eq!(output.flush(&line(now(), &n.to_string())), Flushed::Done);
                }
            });
        }
    });
    assert_eq!(sink.rows().len(), 100);
    let mut peers: Vec<_> = sink.requests().iter().map(|request| request.peer).collect();
    peers.sort_unstable();
    peers.dedup();
    assert!(peers.len() <= 8, "{} connections for 100 requests", peers.len());
}
