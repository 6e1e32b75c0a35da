//! Pods that records name and no list knows: whom to ask the API server about, and when.
//!
//! Serves `store`: the callback leaves a request, the watch takes it. Invariant: their number is bounded, a pod is
//! asked for once at a time, and what does not exist is asked for ever more rarely.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::Notify;

/// How many pods may be waited for or known to be absent.
const LIMIT: usize = 1024;
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(600);

/// What names the pod to look up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LookupFor {
    /// The tag of a log file of this node: a pod of another node is not meant.
    Files,
    /// A record's own fields: the pod may run on any node.
    Records,
    /// What an earlier look-up found is about to expire, and readers still ask for it.
    Refresh,
}

/// A pod to look up.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LookupRequest {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub pod: String,
    /// What names it.
    pub named_by: LookupFor,
}

impl LookupRequest {
    fn new(namespace: &str, pod: &str, named_by: LookupFor) -> Self {
        Self { namespace: namespace.to_owned(), pod: pod.to_owned(), named_by }
    }
}

/// What became of a request.
struct State {
    /// When to ask again; `None` while the question is open.
    again: Option<Instant>,
    pause: Duration,
    /// When the last answer came.
    answered: Option<Instant>,
}

#[derive(Default)]
pub(crate) struct LookupQueue {
    inner: Mutex<Inner>,
    arrived: Notify,
}

#[derive(Default)]
struct Inner {
    states: HashMap<LookupRequest, State>,
    waiting: VecDeque<LookupRequest>,
}

impl Inner {
    /// Forgets the answer that came first; whether there was any. Names that a sender invents so take no place from
    /// those of real pods for longer than their look-up takes.
    fn make_room(&mut self) -> bool {
        let answered = self.states.iter().filter(|(_, state)| state.again.is_some());
        let oldest = answered.min_by_key(|(_, state)| state.answered).map(|(request, _)| request.clone());
        oldest.is_some_and(|oldest| self.states.remove(&oldest).is_some())
    }
}

impl LookupQueue {
    /// Asks for a pod, unless it was asked for already and it is too early to ask again.
    pub(crate) fn add(&self, namespace: &str, pod: &str, named_by: LookupFor, now: Instant) {
        let request = LookupRequest::new(namespace, pod, named_by);
        let mut inner = self.lock();
        match inner.states.get_mut(&request) {
            Some(state) if state.again.is_some_and(|again| again <= now) => state.again = None,
            Some(_) => return,
            None => {
                if inner.states.len() >= LIMIT && !inner.make_room() {
                    return;
                }
                inner
                    .states
                    .insert(request.clone(), State { again: None, pause: FIRST_PAUSE, answered: None });
            }
        }
        inner.waiting.push_back(request);
        drop(inner);
        self.arrived.notify_one();
    }

    /// The next pod to ask for; waits for one.
    pub(crate) async fn next(&self) -> LookupRequest {
        loop {
            if let Some(request) = self.lock().waiting.pop_front() {
                return request;
            }
            self.arrived.notified().await;
        }
    }

    /// There was no answer: whoever asks next asks at once, and a refresh is tried again by itself.
    pub(crate) fn unanswered(&self, request: &LookupRequest, now: Instant) {
        let mut inner = self.lock();
        let Some(state) = inner.states.get_mut(request).filter(|state| state.again.is_none()) else { return };
        if request.named_by == LookupFor::Refresh {
            inner.waiting.push_back(request.clone());
            drop(inner);
            self.arrived.notify_one();
        } else {
            state.again = Some(now);
        }
    }

    /// Whether the refresh of a pod was requested and has no answer yet.
    pub(crate) fn is_refreshing(&self, namespace: &str, pod: &str) -> bool {
        let request = LookupRequest::new(namespace, pod, LookupFor::Refresh);
        self.lock().states.get(&request).is_some_and(|state| state.again.is_none())
    }

    /// The answer was that the pod does not exist.
    pub(crate) fn absent(&self, request: &LookupRequest, now: Instant) {
        if let Some(state) = self.lock().states.get_mut(request) {
            state.answered = Some(now);
            state.again = Some(now + state.pause);
            state.pause = (state.pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// The pod is known now.
    pub(crate) fn resolved(&self, request: &LookupRequest) {
        self.lock().states.remove(request);
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.lock().states.len()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queued(queue: &LookupQueue) -> usize {
        queue.lock().waiting.len()
    }

    #[test]
    fn an_absent_pod_is_asked_for_ever_more_rarely() {
        let queue = LookupQueue::default();
        let request =
            LookupRequest { namespace: "shop".into(), pod: "gone".into(), named_by: LookupFor::Files };
        let mut now = Instant::now();
        let mut pauses = Vec::new();
        for _ in 0..10 {
            queue.add("shop", "gone", LookupFor::Files, now);
            assert_eq!(queue.lock().waiting.pop_front().as_ref(), Some(&request));
            queue.absent(&request, now);
            let mut pause = Duration::ZERO;
            while queued(&queue) == 0 {
                pause += Duration::from_secs(1);
                queue.add("shop", "gone", LookupFor::Files, now + pause);
            }
            queue.lock().waiting.clear();
            queue.absent(&request, now);
            now += LONGEST_PAUSE + pause;
            pauses.push(pause);
        }
        assert_eq!(pauses[0], FIRST_PAUSE);
        assert_eq!(pauses.last(), Some(&LONGEST_PAUSE));
        assert!(pauses.is_sorted());
    }

    #[test]
    fn without_an_answer_a_pod_is_asked_for_again_at_once() {
        let queue = LookupQueue::default();
        let now = Instant::now();
        for _ in 0..10 {
            queue.add("shop", "web", LookupFor::Files, now);
            let request = queue.lock().waiting.pop_front().unwrap();
            queue.unanswered(&request, now);
        }
    }

    #[test]
    fn their_number_is_bounded_and_the_oldest_answer_makes_room() {
        let queue = LookupQueue::default();
        let now = Instant::now();
        (0..2 * LIMIT).for_each(|n| queue.add("shop", &format!("web-{n}"), LookupFor::Files, now));
        assert_eq!((queue.len(), queued(&queue)), (LIMIT, LIMIT));

        let first = queue.lock().waiting.pop_front().unwrap();
        queue.absent(&first, now);
        queue.add("shop", "late", LookupFor::Files, now);
        assert_eq!(queue.lock().waiting.back().map(|request| request.pod.clone()).as_deref(), Some("late"));
    }
}
