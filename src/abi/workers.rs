//! Host workers for a proxied output: threads of the host on which its flushes wait, so that the engine never does.
//!
//! Releases since 2.2.0 make the pool of `workers` twice and never join the first, which would leak threads at each
//! hot reload. So the pool is made here, once, after the host had its chance: of as many as the operator's `workers` says,
//! else of as many as the output delivers at once.

use std::{
    ffi::{CStr, CString, c_int},
    ptr::NonNull,
    sync::atomic::{AtomicI32, Ordering},
};

use tracing::warn;

use super::{host::Host, memory::Memory, sys};

/// The engine's state, as far as it is stable: see `flb_config_head` in the header.
pub(super) struct Engine(NonNull<sys::flb_config_head>);

// SAFETY: the host's config outlives all instances; only one word is read, atomically.
unsafe impl Send for Engine {}
// SAFETY: as above.
unsafe impl Sync for Engine {}

impl Engine {
    /// Finds the config of the engine whose thread this is, and believes it only if the instance holds it too.
    pub(super) fn find(ins: *mut sys::flb_output_instance) -> Option<Self> {
        let functions = Host::get().thread?;
        // SAFETY: takes nothing; answers the calling thread's worker or NULL.
        let worker = NonNull::new(unsafe { (functions.flb_worker_get)() })?;
        // SAFETY: the host's own instance, a block that is alive.
        let words = unsafe { Memory::open()?.block(ins) }.words;
        [sys::FLB_WORKER_CONFIG_2_0_9, sys::FLB_WORKER_CONFIG_2_0_0].into_iter().find_map(|offset| {
            // SAFETY: every release's worker is larger than that, and has a pointer there.
            let config =
                unsafe { worker.cast::<*mut sys::flb_config_head>().byte_add(offset as usize).read() };
            words.contains(&config.addr()).then_some(Self(NonNull::new(config)?))
        })
    }

    /// The host's config.
    pub(super) fn config(&self) -> NonNull<sys::flb_config_head> {
        self.0
    }

    /// Whether the engine still runs; it stops before it joins its workers.
    pub(super) fn is_running(&self) -> bool {
        // SAFETY: the config is alive, and the word is an aligned int that the engine's thread writes.
        unsafe { AtomicI32::from_ptr(&raw mut (*self.0.as_ptr()).is_running) }.load(Ordering::Relaxed) != 0
    }
}

/// The workers of one instance: made by the host, or still to be made.
pub(super) struct Workers {
    ins: *mut sys::flb_output_instance,
    wanted: CString,
    made: bool,
}

// SAFETY: the instance is the host's and outlives us; it is only handed back to the host's functions, on its thread.
unsafe impl Send for Workers {}

impl Workers {
    /// As many as the operator asked for, else `concurrency`. Where they can't be made later, the host is asked for them
    /// at once.
    pub(super) fn new(
        ins: *mut sys::flb_output_instance,
        concurrency: usize,
        engine: Option<&Engine>,
    ) -> Self {
        let host = Host::get();
        let mut workers = Self { ins, wanted: CString::default(), made: true };
        let of_operator = workers.of_operator();
        let count = of_operator.filter(|count| *count > 0).unwrap_or(concurrency.max(1));
        workers.wanted = CString::new(count.to_string()).unwrap_or_default();
        let later = engine.is_some() && host.since_2_2_0 && host.workers.is_some();
        match of_operator {
            // The host makes none now, of which it would lose one pool at each hot reload.
            Some(_) if later => {
                workers.ask(c"0");
                workers.made = false;
            }
            _ => workers.ask(&workers.wanted),
        }
        workers
    }

    /// After the host could make them: makes them.
    pub(super) fn make(&mut self, engine: Option<&Engine>) {
        if std::mem::replace(&mut self.made, true) {
            return;
        }
        let (Some(engine), Some(functions)) = (engine, Host::get().workers) else { return };
        self.ask(&self.wanted);
        // SAFETY: the instance and the config that it belongs to, on the engine's thread, before it runs.
        let made =
            unsafe { (functions.flb_output_enable_multi_threading)(self.ins, engine.0.as_ptr().cast()) };
        if made != 0 {
            warn!("the host made no workers: a slow server holds up the whole pipeline");
        }
    }

    /// How many `workers` the operator asked for. No function tells, and each release keeps the number elsewhere: it
    /// is the one int of the instance that follows what is set.
    fn of_operator(&self) -> Option<usize> {
        let before = self.ints();
        self.ask(c"1");
        let one = self.ints();
        self.ask(c"2");
        let two = self.ints();
        let mut followers =
            (0..before.len()).filter(|at| (one.get(*at), two.get(*at)) == (Some(&1), Some(&2)));
        let (Some(at), None) = (followers.next(), followers.next()) else { return None };
        let asked = before[at];
        self.ask(&CString::new(asked.to_string()).ok()?);
        usize::try_from(asked).ok()
    }

    /// The instance as it is now.
    fn ints(&self) -> Vec<c_int> {
        let Some(mut memory) = Memory::open() else { return Vec::new() };
        // SAFETY: the host's own instance, a block that is alive.
        let words = unsafe { memory.block(self.ins) }.words;
        let halves = |word: &usize| {
            let [a, b, c, d, e, f, g, h] = word.to_ne_bytes();
            [[a, b, c, d], [e, f, g, h]].map(c_int::from_ne_bytes)
        };
        words.iter().flat_map(halves).collect()
    }

    /// Sets the instance's `workers`.
    fn ask(&self, count: &CStr) {
        if let Ok(functions) = Host::get().output {
            // SAFETY: the host copies both strings.
            unsafe { (functions.flb_output_set_property)(self.ins, c"workers".as_ptr(), count.as_ptr()) };
        }
    }
}
