//! A map that one side writes and any thread reads without waiting.
//!
//! Serves `store`. Split into shards, each an immutable snapshot: a change copies one shard, not the whole.
//! Invariant: a reader sees a shard before a change or after it, and an entry that goes lingers until its time.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use arc_swap::ArcSwap;

/// A change among 50,000 entries copies 200 of them.
const SHARDS: usize = 256;

/// A copy of a shard shares its keys too.
type Shard<T> = HashMap<Arc<str>, Slot<T>>;

/// An entry, and when it is to be forgotten.
struct Slot<T> {
    value: Arc<T>,
    expires: Option<Instant>,
    refresh: Refresh,
}

/// When an entry that no watch keeps up to date is asked for again.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Refresh {
    Never,
    At(Instant),
    /// As soon as a reader asks for the entry.
    Due,
}

impl<T> Slot<T> {
    fn new(value: Arc<T>, expires: Option<Instant>) -> Self {
        Self { value, expires, refresh: Refresh::Never }
    }
}

impl<T> Clone for Slot<T> {
    fn clone(&self) -> Self {
        Self { value: Arc::clone(&self.value), expires: self.expires, refresh: self.refresh }
    }
}

/// The map.
pub(crate) struct Table<T> {
    shards: Box<[ArcSwap<Shard<T>>]>,
    hasher: RandomState,
    /// Held by whoever writes; the list that is under way.
    draft: Mutex<Option<Shard<T>>>,
    /// Whether a list was complete. Changes under the lock.
    listed: AtomicBool,
}

impl<T: PartialEq> Table<T> {
    pub(crate) fn new() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| ArcSwap::default()).collect(),
            hasher: RandomState::new(),
            draft: Mutex::new(None),
            listed: AtomicBool::new(false),
        }
    }

    fn shard(&self, key: &str) -> &ArcSwap<Shard<T>> {
        &self.shards[self.hasher.hash_one(key) as usize % SHARDS]
    }

    pub(crate) fn get(&self, key: &str) -> Option<Arc<T>> {
        self.shard(key).load().get(key).map(|slot| Arc::clone(&slot.value))
    }

    /// The entry, and whether it is time to refresh it.
    pub(crate) fn get_aged(&self, key: &str) -> Option<(Arc<T>, bool)> {
        let shard = self.shard(key).load();
        shard.get(key).map(|slot| (Arc::clone(&slot.value), slot.refresh == Refresh::Due))
    }

    /// Whether there is an entry that a list or a watch keeps up to date.
    pub(crate) fn is_kept(&self, key: &str) -> bool {
        self.is_listed() && self.shard(key).load().get(key).is_some_and(|slot| slot.expires.is_none())
    }

    /// Whether a list was complete.
    pub(crate) fn is_listed(&self) -> bool {
        self.listed.load(Ordering::Relaxed)
    }

    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.load().len()).sum()
    }

    /// A list begins: what is put from now on shows at its end.
    pub(crate) fn begin(&self) {
        *self.lock() = Some(Shard::new());
    }

    /// Puts a watched entry; answers whether readers see something new.
    pub(crate) fn put(&self, key: &str, value: T) -> bool {
        let mut draft = self.lock();
        let shard = self.shard(key);
        let before = shard.load();
        let known = before.get_key_value(key);
        // The same allocation tells readers that nothing changed, and a list that comes again takes no more memory.
        let same = known.filter(|(_, slot)| *slot.value == value).map(|(_, slot)| Arc::clone(&slot.value));
        let is_news = same.is_none();
        let key = || known.map_or_else(|| Arc::from(key), |(key, _)| Arc::clone(key));
        let slot = Slot::new(same.unwrap_or_else(|| Arc::new(value)), None);
        if let Some(draft) = draft.as_mut() {
            draft.insert(key(), slot);
            return false;
        }
        if is_news || known.is_some_and(|(_, slot)| slot.expires.is_some()) {
            let mut after = Shard::clone(&before);
            after.insert(key(), slot);
            shard.store(Arc::new(after));
        }
        is_news
    }

    /// What is known belongs to the list that is under way.
    pub(crate) fn keep(&self, key: &str) {
        let mut draft = self.lock();
        let shard = self.shard(key).load();
        if let (Some(draft), Some((key, slot))) = (draft.as_mut(), shard.get_key_value(key)) {
            draft.entry(Arc::clone(key)).or_insert_with(|| Slot::new(Arc::clone(&slot.value), None));
        }
    }

    /// Puts an entry that no watch will keep up to date, until `expires`, always as a new allocation, which tells readers
    /// that it was read again; a watched one is better and stays. Before the first list none is watched.
    pub(crate) fn put_until(&self, key: &str, value: T, expires: Instant) -> bool {
        self.put_slot(key, Slot::new(Arc::new(value), Some(expires)))
    }

    /// As [`Self::put_until`], of an entry that is due for a refresh at `refresh`.
    pub(crate) fn put_aging(&self, key: &str, value: T, refresh: Instant, expires: Instant) -> bool {
        let slot = Slot { value: Arc::new(value), expires: Some(expires), refresh: Refresh::At(refresh) };
        self.put_slot(key, slot)
    }

    fn put_slot(&self, key: &str, slot: Slot<T>) -> bool {
        let _writing = self.lock();
        let shard = self.shard(key);
        let before = shard.load();
        let known = before.get(key);
        if self.is_listed() && known.is_some_and(|slot| slot.expires.is_none()) {
            return false;
        }
        let mut after = Shard::clone(&before);
        after.insert(key.into(), slot);
        shard.store(Arc::new(after));
        true
    }

    /// Puts entries that were known before this process, where there is none yet. The first complete list says which
    /// of them go, and when; after it they go at `expires`. Answers those whose place was taken.
    pub(crate) fn adopt(
        &self,
        entries: impl IntoIterator<Item = (String, Arc<T>)>,
        expires: Instant,
    ) -> Vec<(Arc<str>, Arc<T>)> {
        let mut taken = Vec::new();
        let mut after: Vec<Shard<T>> = (0..SHARDS).map(|_| Shard::new()).collect();
        let _writing = self.lock();
        let expires = self.listed.load(Ordering::Relaxed).then_some(expires);
        for (key, value) in entries {
            let slot = Slot::new(value, expires);
            after[self.hasher.hash_one(&*key) as usize % SHARDS].insert(key.into(), slot);
        }
        for (shard, mut after) in self.shards.iter().zip(after).filter(|(_, after)| !after.is_empty()) {
            for (key, slot) in shard.load().iter() {
                let adopted = after.insert(Arc::clone(key), slot.clone());
                taken.extend(adopted.map(|adopted| (Arc::clone(key), adopted.value)));
            }
            shard.store(Arc::new(after));
        }
        taken
    }

    /// Shows every entry with its key, and whether it is to stay; a shard at a time as it is then.
    pub(crate) fn each(&self, mut show: impl FnMut(&str, &Arc<T>, bool)) {
        for shard in &self.shards {
            shard.load().iter().for_each(|(key, slot)| show(key, &slot.value, slot.expires.is_none()));
        }
    }

    /// Lets an entry go at `expires` if `is_it` says that it is the one meant.
    pub(crate) fn expire(&self, key: &str, expires: Instant, is_it: impl Fn(&T) -> bool) {
        let mut draft = self.lock();
        if let Some(draft) = draft.as_mut()
            && draft.get(key).is_some_and(|slot| is_it(&slot.value))
        {
            draft.remove(key);
        }
        let shard = self.shard(key);
        let before = shard.load();
        if before.get(key).is_some_and(|slot| slot.expires.is_none() && is_it(&slot.value)) {
            let mut after = Shard::clone(&before);
            if let Some(slot) = after.get_mut(key) {
                slot.expires = Some(expires);
            }
            shard.store(Arc::new(after));
        }
    }

    /// The list is complete: it shows, and what it does not name goes at `expires`. Answers what it took the place of.
    pub(crate) fn end(&self, expires: Instant) -> Vec<(Arc<str>, Arc<T>)> {
        let mut draft = self.lock();
        let mut replaced = Vec::new();
        let Some(listed) = draft.take() else { return replaced };
        self.listed.store(true, Ordering::Relaxed);
        let mut after: Vec<Shard<T>> = (0..SHARDS).map(|_| Shard::new()).collect();
        for (key, slot) in listed {
            after[self.hasher.hash_one(&*key) as usize % SHARDS].insert(key, slot);
        }
        for (shard, mut after) in self.shards.iter().zip(after) {
            for (key, slot) in shard.load().iter() {
                match after.get_mut(key) {
                    Some(new) if Arc::ptr_eq(&new.value, &slot.value) => {}
                    Some(_) => replaced.push((Arc::clone(key), Arc::clone(&slot.value))),
                    None => {
                        let expires = Some(slot.expires.unwrap_or(expires));
                        after.insert(Arc::clone(key), Slot { expires, ..slot.clone() });
                    }
                }
            }
            shard.store(Arc::new(after));
        }
        replaced
    }

    /// Forgets what is due, but for entries of which `is_awaited` says that their refresh is under way; answers whether
    /// readers see a difference: something went, or is to be refreshed.
    pub(crate) fn sweep(&self, now: Instant, is_awaited: impl Fn(&str) -> bool) -> bool {
        let _writing = self.lock();
        let goes = |key: &str, slot: &Slot<T>| {
            let is_due = slot.expires.is_some_and(|expires| expires <= now);
            is_due && !(slot.refresh == Refresh::Due && is_awaited(key))
        };
        let ages = |slot: &Slot<T>| matches!(slot.refresh, Refresh::At(at) if at <= now);
        let mut any = false;
        for shard in &self.shards {
            let before = shard.load();
            if before.iter().any(|(key, slot)| ages(slot) || goes(key, slot)) {
                any = true;
                let mut after = Shard::clone(&before);
                after.retain(|key, slot| !goes(key, slot));
                after.values_mut().filter(|slot| ages(slot)).for_each(|slot| slot.refresh = Refresh::Due);
                shard.store(Arc::new(after));
            }
        }
        any
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Shard<T>>> {
        self.draft.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
