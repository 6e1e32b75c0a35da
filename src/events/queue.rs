//! The bounded queue between the watcher, the engine and the database.
//!
//! Serves `collect`, which must never wait, and the watcher, which must: a full queue stops it from reading the
//! socket. Invariants: a batch leaves the account only when what it changes is committed, so that a slow engine and a
//! slow disk both hold the source back; one batch at a time is under way, so that a death repeats no more than one.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

use super::cursor::Change;

/// Bytes that may be held before the watcher waits.
const HELD_LIMIT: usize = 4 << 20;
/// Bytes of one batch, beyond which it takes no more.
const BATCH_BYTES: usize = 256 << 10;
/// Records of one batch, beyond which it takes no more.
const BATCH_RECORDS: usize = 1000;
/// What a record weighs beside its bytes.
const ROW_WEIGHT: usize = 128;

/// Records that are ready for the engine, and what to remember once it has taken them.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// How many records `data` holds.
    pub(super) records: usize,
    /// msgpack events back to back.
    pub(super) data: Vec<u8>,
    /// What they change.
    pub(super) change: Change,
}

impl Batch {
    /// Whether the batch should go as it is.
    pub(super) fn is_full(&self) -> bool {
        self.records >= BATCH_RECORDS || self.data.len() >= BATCH_BYTES
    }

    /// What the batch weighs on the account.
    pub(super) fn weight(&self) -> usize {
        self.data.len() + self.change.rows.len() * ROW_WEIGHT
    }

    fn takes(&self, other: &Batch) -> bool {
        self.records + other.records <= BATCH_RECORDS && self.data.len() + other.data.len() <= BATCH_BYTES
    }
}

#[derive(Debug, Default)]
struct State {
    ready: VecDeque<Batch>,
    held: usize,
    under_way: bool,
}

/// Batches on their way to the engine.
#[derive(Debug, Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    room: Notify,
}

impl Queue {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a batch, as soon as there is room.
    pub(super) async fn push(&self, batch: Batch) {
        let mut room = std::pin::pin!(self.room.notified());
        loop {
            room.as_mut().enable();
            if self.state().held < HELD_LIMIT {
                break;
            }
            room.as_mut().await;
            room.set(self.room.notified());
        }
        let mut state = self.state();
        state.held += batch.weight();
        match state.ready.back_mut() {
            Some(last) if last.takes(&batch) => {
                last.records += batch.records;
                last.data.extend_from_slice(&batch.data);
                last.change.merge(batch.change);
            }
            _ => state.ready.push_back(batch),
        }
    }

    /// Takes the oldest batch, if none is under way. The caller puts it back, or releases its weight once it is
    /// committed.
    pub(super) fn take(&self) -> Option<Batch> {
        let mut state = self.state();
        if state.under_way {
            return None;
        }
        let batch = state.ready.pop_front();
        state.under_way = batch.is_some();
        batch
    }

    /// Puts back what is under way and was not accepted.
    pub(super) fn put_back(&self, batch: Batch) {
        let mut state = self.state();
        state.ready.push_front(batch);
        state.under_way = false;
    }

    /// What was under way is committed: takes its weight off the account. Answers whether more is ready.
    pub(super) fn release(&self, weight: usize) -> bool {
        let mut state = self.state();
        state.held = state.held.saturating_sub(weight);
        state.under_way = false;
        let more = !state.ready.is_empty();
        drop(state);
        self.room.notify_waiters();
        more
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    fn batch(bytes: usize) -> Batch {
        Batch { records: 1, data: vec![0; bytes], change: Change::default() }
    }

    fn push(queue: &Queue, bytes: usize) -> bool {
        queue.push(batch(bytes)).now_or_never().is_some()
    }

    #[test]
    fn a_full_queue_holds_the_source_until_a_batch_is_committed() {
        let queue = Queue::default();
        assert!(push(&queue, HELD_LIMIT));
        assert!(!push(&queue, 1));
        let taken = queue.take().unwrap();
        assert!(!push(&queue, 1), "taken is not committed");
        queue.release(taken.weight());
        assert!(push(&queue, 1));
    }

    #[test]
    fn a_waiting_source_goes_on_when_there_is_room() {
        let queue = Queue::default();
        assert!(push(&queue, HELD_LIMIT));
        let mut waiting = std::pin::pin!(queue.push(batch(1)));
        assert!(waiting.as_mut().now_or_never().is_none());
        let taken = queue.take().unwrap();
        queue.release(taken.weight());
        assert!(waiting.now_or_never().is_some());
    }

    #[test]
    fn small_batches_join_and_keep_their_order() {
        let queue = Queue::default();
        for byte in 0..3u8 {
            let batch = Batch { records: 1, data: vec![byte], change: Change::default() };
            queue.push(batch).now_or_never().unwrap();
        }
        let batch = queue.take().unwrap();
        assert_eq!((batch.records, &batch.data), (3, &vec![0, 1, 2]));
        assert!(!queue.release(batch.weight()));
    }

    #[test]
    fn what_is_put_back_comes_first_again() {
        let queue = Queue::default();
        assert!(push(&queue, BATCH_BYTES));
        assert!(push(&queue, BATCH_BYTES - 1));
        let first = queue.take().unwrap();
        queue.put_back(first);
        assert_eq!(queue.take().unwrap().data.len(), BATCH_BYTES);
    }

    #[test]
    fn the_next_batch_waits_until_the_one_under_way_is_committed() {
        let queue = Queue::default();
        assert!(push(&queue, BATCH_BYTES));
        assert!(push(&queue, BATCH_BYTES - 1));
        let first = queue.take().unwrap();
        assert!(queue.take().is_none());
        assert!(queue.release(first.weight()), "there is more");
        let second = queue.take().unwrap();
        assert!(!queue.release(second.weight()));
    }
}
