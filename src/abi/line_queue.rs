//! Lines of threads that are not the host's, until one of the host's own prints them.
//!
//! The host prints a line to its `Log_File` only for threads that it made; any other thread's goes to stderr, which a
//! daemon has closed. Serves `log` and the callbacks. Invariant: lines keep their order, no line waits for longer than
//! [`LIMIT`] while the runtime runs, and the queue is bounded.

use std::{
    collections::VecDeque,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use super::{host::Host, sys};
use crate::runtime;

/// How long a line waits for a callback before its own thread's way, stderr, is taken. Inputs are asked each second.
const LIMIT: Duration = Duration::from_secs(2);
/// How many lines wait; more are counted.
const MOST: usize = 1000;

static QUEUE: Mutex<Queue> = Mutex::new(Queue { lines: VecDeque::new(), left_out: 0, since: None });
/// Whether anything waits, to be asked on the way of records.
static WAITS: AtomicBool = AtomicBool::new(false);

struct Queue {
    lines: VecDeque<(u8, String)>,
    left_out: usize,
    /// When the oldest line came.
    since: Option<Instant>,
}

impl Queue {
    /// Whether this line is the first that waits.
    fn push(&mut self, level: u8, line: String, now: Instant) -> bool {
        let is_first = self.since.is_none();
        self.since.get_or_insert(now);
        if self.lines.len() < MOST {
            self.lines.push_back((level, line));
        } else {
            self.left_out += 1;
        }
        is_first
    }

    fn take(&mut self) -> Vec<(u8, String)> {
        self.since = None;
        let mut lines: Vec<_> = self.lines.drain(..).collect();
        let left_out = std::mem::take(&mut self.left_out);
        if left_out > 0 {
            let more = format!("[flb-kube] {left_out} more lines than could wait for the host were left out");
            lines.push((sys::FLB_LOG_WARN as u8, more));
        }
        lines
    }
}

fn queue() -> std::sync::MutexGuard<'static, Queue> {
    QUEUE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Prints a line now on a thread of the host's, else with the next callback.
pub(super) fn print(level: u8, line: String) {
    if Host::get().made_this_thread() {
        drain();
        return Host::get().print(level, &line);
    }
    let is_first = {
        let mut queue = queue();
        WAITS.store(true, Ordering::Release);
        queue.push(level, line, Instant::now())
    };
    if is_first && !runtime::later(LIMIT, print_what_waits_too_long) {
        print_all();
    }
}

/// Prints what waits, if this is a thread of the host's. Cheap where nothing waits.
pub(super) fn drain() {
    if WAITS.load(Ordering::Acquire) && Host::get().made_this_thread() {
        print_all();
    }
}

fn print_what_waits_too_long() {
    let is_old = queue().since.is_some_and(|since| since.elapsed() >= LIMIT);
    if is_old {
        print_all();
    }
}

fn print_all() {
    let lines = {
        let mut queue = queue();
        WAITS.store(false, Ordering::Release);
        queue.take()
    };
    for (level, line) in lines {
        Host::get().print(level, &line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_queue_counts_what_it_leaves_out() {
        let mut queue = Queue { lines: VecDeque::new(), left_out: 0, since: None };
        let now = Instant::now();
        assert!(queue.push(3, "line 0".into(), now));
        for number in 1..MOST + 7 {
            assert!(!queue.push(3, format!("line {number}"), now));
        }
        let lines = queue.take();
        assert_eq!(lines.len(), MOST + 1);
        assert_eq!(lines[MOST - 1].1, format!("line {}", MOST - 1));
        assert!(lines[MOST].1.contains(" 7 more lines"), "{}", lines[MOST].1);
        assert!(queue.push(3, "again".into(), now));
        assert_eq!(queue.take().len(), 1);
    }
}
