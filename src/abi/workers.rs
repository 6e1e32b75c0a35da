//! Host workers for a proxied output: threads of the host on which its flushes wait, so that the engine never does.
//!
//! Releases since 2.2.0 make the pool of `workers` twice and never join the first, which would leak threads at each
//! hot reload. So the pool is made here, once, after the host had its chance; where the operator set `workers`, the
//! host's own pools stand.

use std::{
    ffi::{CStr, CString, c_int},
    ptr::NonNull,
    sync::atomic::{AtomicI32, Ordering},
};

use tracing::warn;

use super::{host::Host, sys};

/// The engine's state, as far as it is stable: see `flb_config_head` in the header.
pub(super) struct Engine(NonNull<sys::flb_config_head>);

// SAFETY: the host's config outlives all instances; only one word is read, atomically.
unsafe impl Send for Engine {}
// SAFETY: as above.
unsafe impl Sync for Engine {}

impl Engine {
    /// Finds the config of the engine whose thread this is, and believes it only if the instance holds it too.
    pub(super) fn find(ins: *mut sys::flb_output_instance) -> Option<Self> {
        let get = Host::get().functions.flb_worker_get?;
        // SAFETY: takes nothing; answers the calling thread's worker or NULL.
        let worker = NonNull::new(unsafe { get() })?;
        // SAFETY: a live heap block of the process's malloc.
        let bytes = unsafe { libc::malloc_usable_size(ins.cast()) };
        // SAFETY: as many bytes as the block has; a pointer is valid at any bit pattern.
        let words = unsafe { std::slice::from_raw_parts(ins.cast::<*mut sys::flb_config_head>(), bytes / 8) };
        [sys::FLB_WORKER_CONFIG_2_0_9, sys::FLB_WORKER_CONFIG_2_0_0].into_iter().find_map(|offset| {
            // SAFETY: every release's worker is larger than that, and has a pointer there.
            let config =
                unsafe { worker.cast::<*mut sys::flb_config_head>().byte_add(offset as usize).read() };
            words.contains(&config).then_some(Self(NonNull::new(config)?))
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
    /// Before the host could make any for the instance: asks for them at once where that is right or the only way.
    pub(super) fn new(
        ins: *mut sys::flb_output_instance,
        concurrency: usize,
        engine: Option<&Engine>,
    ) -> Self {
        let host = Host::get();
        let wanted = CString::new(concurrency.max(1).to_string()).unwrap_or_default();
        let mut workers = Self { ins, wanted, made: true };
        let later = engine.is_some()
            && host.since_2_2_0
            && host.functions.flb_output_enable_multi_threading.is_some();
        match workers.of_operator() {
            Some(1..) => {}
            Some(_) if later => workers.made = false,
            _ => workers.ask(&workers.wanted),
        }
        workers
    }

    /// After the host could make them: makes them, unless the operator asked the host to.
    pub(super) fn make(&mut self, engine: Option<&Engine>) {
        if std::mem::replace(&mut self.made, true) {
            return;
        }
        let (Some(engine), Some(enable)) = (engine, Host::get().functions.flb_output_enable_multi_threading)
        else {
            return;
        };
        self.ask(&self.wanted);
        // SAFETY: the instance and the config that it belongs to, on the engine's thread, before it runs.
        if unsafe { enable(self.ins, engine.0.as_ptr().cast()) } != 0 {
            warn!("the host made no workers: a slow server holds up the whole pipeline");
        }
    }

    /// How many `workers` the operator asked for. No function tells, and each release keeps the number elsewhere: it
    /// is the one word of the instance that follows what is set.
    fn of_operator(&self) -> Option<c_int> {
        let before = self.words();
        self.ask(c"1");
        let one = self.words();
        self.ask(c"2");
        let two = self.words();
        let mut followers =
            (0..before.len()).filter(|at| (one.get(*at), two.get(*at)) == (Some(&1), Some(&2)));
        let (Some(at), None) = (followers.next(), followers.next()) else { return None };
        let asked = before[at];
        self.ask(&CString::new(asked.to_string()).ok()?);
        Some(asked)
    }

    /// The instance as it is now.
    fn words(&self) -> Vec<c_int> {
        // SAFETY: a live heap block of the process's malloc.
        let bytes = unsafe { libc::malloc_usable_size(self.ins.cast()) };
        // SAFETY: as many bytes as the block has; an int is valid at any bit pattern, and only this thread writes.
        unsafe { std::slice::from_raw_parts(self.ins.cast::<c_int>(), bytes / size_of::<c_int>()) }.to_vec()
    }

    /// Sets the instance's `workers`.
    fn ask(&self, count: &CStr) {
        if let Some(set) = Host::get().functions.flb_output_set_property {
            // SAFETY: the host copies both strings.
            unsafe { set(self.ins, c"workers".as_ptr(), count.as_ptr()) };
        }
    }
}
