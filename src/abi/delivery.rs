//! The threads on which an output's chunks are delivered, and the wait of a flush for one of them.
//!
//! Serves `output`. Invariants: the threads are made when the instance starts, or it does not start, so that no flush
//! waits for a thread that never comes; a chunk that lies with the host is read by a job only while its flush waits.

use std::{
    collections::VecDeque,
    io,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crate::{plugin::Flushed, runtime::Owner};

/// How often a waiting flush looks whether the engine still runs.
const LOOK: Duration = Duration::from_millis(100);
/// How long an instance's end waits for its threads.
const JOIN_LIMIT: Duration = Duration::from_secs(2);

type Work = Box<dyn FnOnce() + Send>;

/// The threads of one instance.
pub(super) struct Threads {
    queue: Arc<Queue>,
    handles: Mutex<Vec<JoinHandle<()>>>,
}

#[derive(Default)]
struct Queue {
    state: Mutex<Jobs>,
    changed: Condvar,
}

#[derive(Default)]
struct Jobs {
    waiting: VecDeque<Work>,
    is_closed: bool,
}

impl Threads {
    /// Makes `count` threads that work on the account of `owner`.
    pub(super) fn start(count: usize, owner: &Arc<Owner>) -> io::Result<Self> {
        let threads = Self { queue: Arc::default(), handles: Mutex::default() };
        for _ in 0..count.max(1) {
            let (queue, owner) = (Arc::clone(&threads.queue), Arc::clone(owner));
            let run = move || {
                while let Some(work) = queue.next() {
                    owner.scope(work);
                }
            };
            let made = thread::Builder::new().name("flb-kube-flush".into()).spawn(run)?;
            threads.handles.lock().unwrap_or_else(PoisonError::into_inner).push(made);
        }
        Ok(threads)
    }

    /// Has the next free thread do it. After [`Self::stop`] nobody does: the work is dropped.
    pub(super) fn give(&self, work: impl FnOnce() + Send + 'static) {
        let mut jobs = self.queue.lock();
        if !jobs.is_closed {
            jobs.waiting.push_back(Box::new(work));
            self.queue.changed.notify_one();
        }
    }

    /// Waits for what is under way, two seconds at most, and ends the threads.
    pub(super) fn stop(&self) {
        self.queue.close();
        let handles = std::mem::take(&mut *self.handles.lock().unwrap_or_else(PoisonError::into_inner));
        let deadline = Instant::now() + JOIN_LIMIT;
        for handle in handles {
            while !handle.is_finished() && Instant::now() < deadline {
                thread::sleep(Duration::from_millis(1));
            }
            if handle.is_finished() {
                let _ = handle.join();
            }
        }
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.queue.close();
    }
}

impl Queue {
    /// The next job; none when there will be no more.
    fn next(&self) -> Option<Work> {
        let mut jobs = self.lock();
        loop {
            if let Some(work) = jobs.waiting.pop_front() {
                return Some(work);
            }
            if jobs.is_closed {
                return None;
            }
            jobs = self.changed.wait(jobs).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn close(&self) {
        self.lock().is_closed = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Jobs> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A flush that waits for its job.
#[derive(Default)]
pub(super) struct Flush {
    state: Mutex<State>,
    answered: Condvar,
}

#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Waiting,
    Begun,
    Answered(Flushed),
}

impl Flush {
    /// Waits for the answer; calls `look` every [`LOOK`].
    pub(super) fn wait(&self, look: impl Fn()) -> Flushed {
        let mut state = self.state();
        loop {
            if let State::Answered(answer) = *state {
                return answer;
            }
            let (back, timeout) =
                self.answered.wait_timeout(state, LOOK).unwrap_or_else(PoisonError::into_inner);
            state = back;
            if timeout.timed_out() {
                drop(state);
                look();
                state = self.state();
            }
        }
    }

    /// Answers "retry" unless the job has begun: then it must be waited for.
    pub(super) fn abandon(&self) {
        let mut state = self.state();
        if *state == State::Waiting {
            *state = State::Answered(Flushed::Retry);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The duty to answer a flush: retry, if it is dropped unanswered.
pub(super) struct Duty(pub(super) Arc<Flush>);

impl Duty {
    /// Whether the flush still waits. If not, what the job would read is gone.
    pub(super) fn begin(&self) -> bool {
        let mut state = self.0.state();
        let is_wanted = *state == State::Waiting;
        if is_wanted {
            *state = State::Begun;
        }
        is_wanted
    }

    pub(super) fn answer(self, flushed: Flushed) {
        *self.0.state() = State::Answered(flushed);
    }
}

impl Drop for Duty {
    fn drop(&mut self) {
        let mut state = self.0.state();
        if !matches!(*state, State::Answered(_)) {
            *state = State::Answered(Flushed::Retry);
        }
        drop(state);
        self.0.answered.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_that_was_abandoned_never_begins() {
        let flush = Arc::new(Flush::default());
        let duty = Duty(Arc::clone(&flush));
        flush.abandon();
        assert_eq!(flush.wait(|| ()), Flushed::Retry);
        assert!(!duty.begin());
    }

    #[test]
    fn a_job_that_has_begun_is_waited_for() {
        let flush = Arc::new(Flush::default());
        let duty = Duty(Arc::clone(&flush));
        assert!(duty.begin());
        flush.abandon();
        duty.answer(Flushed::Done);
        assert_eq!(flush.wait(|| ()), Flushed::Done);
    }

    #[test]
    fn a_job_that_is_dropped_is_tried_again() {
        let flush = Arc::new(Flush::default());
        let duty = Duty(Arc::clone(&flush));
        assert!(duty.begin());
        drop(duty);
        assert_eq!(flush.wait(|| ()), Flushed::Retry);
    }

    #[test]
    fn threads_do_what_they_are_given_and_end() {
        let owner = Arc::new(Owner { name: "output:test:test.0".into(), level: 3 });
        let threads = Threads::start(2, &owner).unwrap();
        let flushes: Vec<_> = (0..20).map(|_| Arc::new(Flush::default())).collect();
        for flush in &flushes {
            let duty = Duty(Arc::clone(flush));
            threads.give(move || {
                if duty.begin() {
                    duty.answer(Flushed::Done);
                }
            });
        }
        assert!(flushes.iter().all(|flush| flush.wait(|| ()) == Flushed::Done));
        threads.stop();
        assert!(threads.handles.lock().unwrap().is_empty());
        let late = Arc::new(Flush::default());
        let duty = Duty(Arc::clone(&late));
        threads.give(move || duty.answer(Flushed::Done));
        assert_eq!(late.wait(|| ()), Flushed::Retry, "nobody is there any more");
    }
}
