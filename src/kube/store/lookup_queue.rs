//! Pods that records name and no list knows: whom to ask the API server about, and when.
//!
//! Serves `store`: the callback leaves a wish, the watch takes it. Invariant: their number is bounded, a pod is
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

/// A pod to look up.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Wish {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub pod: String,
}

/// What became of a wish.
struct State {
    /// When to ask again; `None` while the question is open.
    again: Option<Instant>,
    pause: Duration,
}

#[derive(Default)]
pub(crate) struct Wishes {
    inner: Mutex<Inner>,
    arrived: Notify,
}

#[derive(Default)]
struct Inner {
    states: HashMap<Wish, State>,
    queue: VecDeque<Wish>,
}

impl Wishes {
    /// Asks for a pod, unless it was asked for already and it is too early to ask again.
    pub(crate) fn add(&self, namespace: &str, pod: &str, now: Instant) {
        let wish = Wish { namespace: namespace.to_owned(), pod: pod.to_owned() };
        let mut inner = self.lock();
        match inner.states.get_mut(&wish) {
            Some(state) if state.again.is_some_and(|again| again <= now) => state.again = None,
            Some(_) => return,
            None => {
                if inner.states.len() >= LIMIT {
                    inner.states.retain(|_, state| state.again.is_none_or(|again| again > now));
                }
                if inner.states.len() >= LIMIT {
                    return;
                }
                inner.states.insert(wish.clone(), State { again: None, pause: FIRST_PAUSE });
            }
        }
        inner.queue.push_back(wish);
        drop(inner);
        self.arrived.notify_one();
    }

    /// The next pod to ask for; waits for one.
    pub(crate) async fn next(&self) -> Wish {
        loop {
            if let Some(wish) = self.lock().queue.pop_front() {
                return wish;
            }
            self.arrived.notified().await;
        }
    }

    /// There was no answer: whoever asks next asks at once.
    pub(crate) fn unanswered(&self, wish: &Wish, now: Instant) {
        if let Some(state) = self.lock().states.get_mut(wish) {
            state.again.get_or_insert(now);
        }
    }

    /// The answer was that the pod does not exist.
    pub(crate) fn absent(&self, wish: &Wish, now: Instant) {
        if let Some(state) = self.lock().states.get_mut(wish) {
            state.again = Some(now + state.pause);
            state.pause = (state.pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// The pod is known now.
    pub(crate) fn granted(&self, wish: &Wish) {
        self.lock().states.remove(wish);
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

    fn queued(wishes: &Wishes) -> usize {
        wishes.lock().queue.len()
    }

    #[test]
    fn an_absent_pod_is_asked_for_ever_more_rarely() {
        let wishes = Wishes::default();
        let wish = Wish { namespace: "shop".into(), pod: "gone".into() };
        let mut now = Instant::now();
        let mut pauses = Vec::new();
        for _ in 0..10 {
            wishes.add("shop", "gone", now);
            assert_eq!(wishes.lock().queue.pop_front().as_ref(), Some(&wish));
            wishes.absent(&wish, now);
            let mut pause = Duration::ZERO;
            while queued(&wishes) == 0 {
                pause += Duration::from_secs(1);
                wishes.add("shop", "gone", now + pause);
            }
            wishes.lock().queue.clear();
            wishes.absent(&wish, now);
            now += LONGEST_PAUSE + pause;
            pauses.push(pause);
        }
        assert_eq!(pauses[0], FIRST_PAUSE);
        assert_eq!(pauses.last(), Some(&LONGEST_PAUSE));
        assert!(pauses.is_sorted());
    }

    #[test]
    fn without_an_answer_a_pod_is_asked_for_again_at_once() {
        let wishes = Wishes::default();
        let now = Instant::now();
        for _ in 0..10 {
            wishes.add("shop", "web", now);
            let wish = wishes.lock().queue.pop_front().unwrap();
            wishes.unanswered(&wish, now);
        }
    }

    #[test]
    fn their_number_is_bounded_and_old_answers_make_room() {
        let wishes = Wishes::default();
        let now = Instant::now();
        (0..2 * LIMIT).for_each(|n| wishes.add("shop", &format!("web-{n}"), now));
        assert_eq!((wishes.len(), queued(&wishes)), (LIMIT, LIMIT));

        let first = wishes.lock().queue.pop_front().unwrap();
        wishes.absent(&first, now);
        wishes.add("shop", "late", now + LONGEST_PAUSE);
        assert_eq!(wishes.lock().queue.back().map(|wish| wish.pod.clone()).as_deref(), Some("late"));
    }
}
