//! Host workers for a proxied output: threads of the host on which its flushes wait, so that the engine never does.
//!
//! Releases since 2.2.0 make the pool of `workers` twice and never join the first, which would leak threads at each
//! hot reload. So the pool is made here, once, after the host had its chance; where the operator set `workers`, the
//! host's own pools stand.

use std::{
    ffi::CString,
    fs,
    ptr::NonNull,
    sync::atomic::{AtomicI32, Ordering},
};

use tracing::warn;

use super::{host::Host, sys};

/// Linux cuts thread names here.
const THREAD_NAME: usize = 15;

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
    thread_name: String,
    threads_before: usize,
    made: bool,
}

// SAFETY: the instance is the host's and outlives us; it is only handed back to the host's functions, on its thread.
unsafe impl Send for Workers {}

impl Workers {
    /// Before the host could make any for the instance: asks for them at once where that is right or the only way.
    pub(super) fn new(
        ins: *mut sys::flb_output_instance,
        name: &str,
        concurrency: usize,
        engine: Option<&Engine>,
    ) -> Self {
        let host = Host::get();
        let mut thread_name = format!("flb-out-{name}-w");
        thread_name.truncate(thread_name.floor_char_boundary(THREAD_NAME));
        let mut workers = Self {
            ins,
            wanted: CString::new(concurrency.max(1).to_string()).unwrap_or_default(),
            threads_before: threads(&thread_name),
            thread_name,
            made: false,
        };
        let later = engine.is_some() && host.functions.flb_output_enable_multi_threading.is_some();
        if !host.since_2_2_0 || !later {
            workers.ask();
            workers.made = true;
        }
        workers
    }

    /// After the host could make them: makes them, unless the operator asked the host to.
    pub(super) fn make(&mut self, engine: Option<&Engine>) {
        if std::mem::replace(&mut self.made, true) || threads(&self.thread_name) > self.threads_before {
            return;
        }
        let (Some(engine), Some(enable)) = (engine, Host::get().functions.flb_output_enable_multi_threading)
        else {
            return;
        };
        self.ask();
        // SAFETY: the instance and the config that it belongs to, on the engine's thread, before it runs.
        if unsafe { enable(self.ins, engine.0.as_ptr().cast()) } != 0 {
            warn!("the host made no workers: a slow server holds up the whole pipeline");
        }
    }

    /// Sets the instance's `workers`.
    fn ask(&self) {
        if let Some(set) = Host::get().functions.flb_output_set_property {
            // SAFETY: the host copies both strings.
            unsafe { set(self.ins, c"workers".as_ptr(), self.wanted.as_ptr()) };
        }
    }
}

/// How many threads of this process bear a name that begins so.
fn threads(name: &str) -> usize {
    let Ok(tasks) = fs::read_dir("/proc/self/task") else { return 0 };
    let bears_it = |task: &fs::DirEntry| {
        fs::read_to_string(task.path().join("comm")).is_ok_and(|comm| comm.starts_with(name))
    };
    tasks.filter_map(Result::ok).filter(bears_it).count()
}
