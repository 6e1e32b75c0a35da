//! A proxied output's callbacks. The host calls them by fixed names, one set per shared object.
//!
//! A flush runs on a coroutine's small stack: it hands the chunk to a thread of ours and waits. So that the wait
//! never holds up the engine, each instance gets host workers: as many as chunks may be under way at once.

use std::{
    ffi::{CStr, CString, c_char, c_int, c_void},
    ptr::{self, NonNull},
    slice,
    sync::{
        Arc, Condvar, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicPtr, Ordering},
    },
    time::Duration,
};

use tracing::info;

use super::{
    config_map,
    guard::guard,
    host::{self, Host},
    instance::{Instance, Kind},
    line_queue, reload_mark, sys, workers,
    written::Written,
};
use crate::{
    options::Options,
    plugin::{Chunk, Flushed, Output},
};

const NEEDED: &[&str] = &["flb_output_name", "flb_output_set_property", "flb_log_print"];
/// How often a waiting flush looks whether the engine still runs.
const LOOK: Duration = Duration::from_millis(100);

/// The live instances of an output: one per shared object, since the host's names are fixed.
pub struct Registration<O: Output> {
    live: Mutex<Vec<Address<O>>>,
    host_checks_keys: AtomicBool,
    texts: OnceLock<[CString; 2]>,
    map: OnceLock<AtomicPtr<c_void>>,
}

/// A live instance, by address.
struct Address<O: Output>(NonNull<Running<O>>);

// SAFETY: what it points to is shared between the host's threads anyway.
unsafe impl<O: Output> Send for Address<O> {}

/// What the host keeps for an instance.
struct Running<O: Output> {
    instance: Box<Instance<O>>,
    workers: Mutex<workers::Workers>,
    engine: Option<workers::Engine>,
}

impl<O: Output> Registration<O> {
    /// No instance yet.
    #[allow(clippy::new_without_default, reason = "only a static's initialiser makes one")]
    pub const fn new() -> Self {
        Self {
            live: Mutex::new(Vec::new()),
            host_checks_keys: AtomicBool::new(false),
            texts: OnceLock::new(),
            map: OnceLock::new(),
        }
    }

    /// `FLBPluginRegister`: describes the plugin in as many bytes as the host allocated.
    ///
    /// # Safety
    /// `definition` is the host's heap block.
    pub unsafe fn register(&self, definition: *mut c_void) -> c_int {
        let host = Host::get();
        // SAFETY: a block of the process's malloc.
        let room = unsafe { libc::malloc_usable_size(definition) };
        if room < size_of::<sys::flb_plugin_proxy_def_32>() {
            return Kind::Output.refuse(O::NAME, &host.unknown_layout("output", Some(room)));
        }
        // A hot reload registers again: what the host keeps is made once.
        let texts = self
            .texts
            .get_or_init(|| [O::NAME, O::DESCRIPTION].map(|text| CString::new(text).unwrap_or_default()));
        // SAFETY: the block has room for it.
        unsafe {
            definition.cast::<sys::flb_plugin_proxy_def_32>().write(sys::flb_plugin_proxy_def_32 {
                type_: sys::FLB_PROXY_OUTPUT_PLUGIN,
                proxy: sys::FLB_PROXY_GOLANG,
                flags: 0,
                name: texts[0].as_ptr(),
                description: texts[1].as_ptr(),
            });
        }
        if room >= size_of::<sys::flb_plugin_proxy_def_40>() {
            // SAFETY: the block has room for it.
            unsafe { (*definition.cast::<sys::flb_plugin_proxy_def_40>()).event_type = sys::FLB_OUTPUT_LOGS };
        }
        let checks = room >= size_of::<sys::flb_plugin_proxy_def_48>() && host.wide_config_maps;
        if checks {
            let map = self
                .map
                .get_or_init(|| AtomicPtr::new(config_map::leak(O::Options::SPECS, host.wide_config_maps)));
            // SAFETY: the block has room for it.
            unsafe {
                (*definition.cast::<sys::flb_plugin_proxy_def_48>()).config_map = map.load(Ordering::Relaxed);
            }
        }
        self.host_checks_keys.store(checks, Ordering::Relaxed);
        0
    }

    /// `FLBPluginInit`: starts an instance.
    ///
    /// # Safety
    /// `plugin` is the host's, alive during the call.
    pub unsafe fn init(&self, plugin: *mut sys::flbgo_output_plugin) -> c_int {
        // SAFETY: as the caller promises.
        let Some(plugin) = (unsafe { plugin.as_ref() }) else { return sys::FLB_ERROR };
        let host = Host::get();
        if let Err(refusal) = host.needs(NEEDED) {
            Kind::Output.refuse(O::NAME, &refusal);
            return sys::FLB_ERROR;
        }
        // SAFETY: the host's table of functions lives as long as the plugin.
        let api = unsafe { plugin.api.as_ref() };
        let (Some(name), Some((Some(get), Some(check)))) =
            (host.functions.flb_output_name, api.map(|api| (api.output_get_property, api.output_log_check)))
        else {
            return sys::FLB_ERROR;
        };
        let ins = plugin.o_ins;
        // SAFETY: the host's own instance, alive during its init; the key is NUL-terminated.
        let first = |key: &CStr| unsafe { get(key.as_ptr(), ins) };
        // SAFETY: as above; the answers are strings of the instance's.
        let written = unsafe { Written::read(ins.cast(), O::Options::SPECS, &first) };
        let property = |key: &CStr| written.get(key);
        // SAFETY: as above.
        let name = unsafe { host::text(name(ins)) }.unwrap_or_default();
        let level = (1..=5_u8).rev().find(|level| {
            // SAFETY: as above.
            (unsafe { check(ins, c_int::from(*level)) }) != 0
        });
        let start = |options, tasks| {
            if !self.host_checks_keys.load(Ordering::Relaxed) {
                written.check_keys(O::FOREIGN_KEYS, &first)?;
                tell_what_has_no_effect(&written);
            }
            written.check_repeats()?;
            O::start(options, tasks)
        };
        let started = Instance::start(Kind::Output, O::NAME, &name, level.unwrap_or(0), &property, start);
        let Some(instance) = started else { return sys::FLB_ERROR };
        let engine = workers::Engine::find(ins);
        if let Some(engine) = &engine {
            reload_mark::take_back(engine, &instance.tasks);
        }
        let concurrency = instance.plugin.concurrency();
        let workers = workers::Workers::new(ins, concurrency, engine.as_ref());
        let running = Box::new(Running { instance, workers: Mutex::new(workers), engine });
        let running = NonNull::from(Box::leak(running));
        self.live().push(Address(running));
        // SAFETY: the instance's context, whose first word is for us.
        unsafe { (*plugin.context).remote_context = running.as_ptr().cast() };
        sys::FLB_OK
    }

    /// `FLBPluginOutputPreRun`: all outputs are ready, the engine is about to run.
    pub fn pre_run(&self) -> c_int {
        guard(O::NAME, "pre_run", (), || {
            for running in self.live().iter() {
                // SAFETY: it is live, and stays so while we hold the list.
                let running = unsafe { running.0.as_ref() };
                let mut workers = running.workers.lock().unwrap_or_else(PoisonError::into_inner);
                running.instance.owner.scope(|| workers.make(running.engine.as_ref()));
            }
        });
        0
    }

    /// `FLBPluginFlushCtx`: delivers a chunk.
    ///
    /// # Safety
    /// `context` is what `init` set; `data` and `tag` are the host's for the call.
    pub unsafe fn flush(
        &self,
        context: *mut c_void,
        data: *const c_void,
        size: usize,
        tag: *const c_char,
    ) -> c_int {
        if data.is_null() || tag.is_null() {
            return sys::FLB_ERROR;
        }
        // SAFETY: as the caller promises; shared only.
        let Some(running) = (unsafe { context.cast::<Running<O>>().as_ref() }) else { return sys::FLB_ERROR };
        // SAFETY: the host's bytes for the call, and so for the job below, for which this function waits.
        let data: &'static [u8] = unsafe { slice::from_raw_parts(data.cast(), size) };
        // SAFETY: as above.
        let tag: &'static [u8] = unsafe { CStr::from_ptr(tag) }.to_bytes();
        // SAFETY: as above: the instance ends only after its flushes returned.
        let instance: &'static Instance<O> = unsafe { &*ptr::from_ref(&*running.instance) };
        let job = Arc::new(Job::default());
        let answer = Answer(Arc::clone(&job));
        let work = move || {
            if answer.begin() {
                let flushed =
                    guard(O::NAME, "flush", Flushed::Retry, || instance.plugin.flush(Chunk { tag, data }));
                answer.is(flushed);
            }
        };
        // Where no thread can be made this panics, and leaves the work in a queue, where a later thread may find it.
        let is_queued = instance.owner.scope(|| {
            guard(O::NAME, "flush", false, || {
                instance.tasks.spawn_blocking(work);
                true
            })
        });
        if !is_queued {
            job.abandon();
        }
        let flushed = job.wait(|| {
            line_queue::drain();
            if running.engine.as_ref().is_some_and(|engine| !engine.is_running()) {
                instance.tasks.begin_stop(); // the host joins its workers now: don't keep it waiting for a server
            }
        });
        match flushed {
            Flushed::Done => sys::FLB_OK,
            Flushed::Retry => sys::FLB_RETRY,
            Flushed::Failed => sys::FLB_ERROR,
        }
    }

    /// `FLBPluginExitCtx`: ends an instance. Releases up to 2.0.6 name the last instance each time.
    pub fn exit(&self, context: *mut c_void) -> c_int {
        let mut live = self.live();
        let named = live.iter().position(|running| running.0.as_ptr().cast() == context);
        let Some(running) = named.map(|at| live.swap_remove(at)).or_else(|| live.pop()) else { return 0 };
        drop(live);
        // SAFETY: it came from Box::leak in init, and left the list: it is given back once.
        let running = unsafe { Box::from_raw(running.0.as_ptr()) };
        running.instance.end();
        0
    }

    fn live(&self) -> std::sync::MutexGuard<'_, Vec<Address<O>>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// On hosts that take an output's keys unchecked.
fn tell_what_has_no_effect(written: &Written) {
    let unseen = if written.is_whole() { "" } else { "; a misspelt key goes unnoticed on this host" };
    info!(
        "this output's own host, port, tls, tls.*, net.* and proxy have no effect, url and tls_* do{unseen}"
    );
}

/// A flush under way on a thread of ours.
#[derive(Default)]
struct Job {
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

impl Job {
    /// Waits for the answer; calls `look` now and then.
    fn wait(&self, look: impl Fn()) -> Flushed {
        let mut state = self.state();
        loop {
            if let State::Answered(answer) = *state {
                return answer;
            }
            let (back, timeout) =
                self.answered.wait_timeout(state, LOOK).unwrap_or_else(PoisonError::into_inner);
            state = back;
            if timeout.timed_out() {
                look();
            }
        }
    }

    /// Answers "retry" unless the job has begun: then it must be waited for.
    fn abandon(&self) {
        let mut state = self.state();
        if *state == State::Waiting {
            *state = State::Answered(Flushed::Retry);
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The duty to answer a job: retry, if it is dropped unanswered.
struct Answer(Arc<Job>);

impl Answer {
    /// Whether the job is still wanted. If not, what it would read is gone.
    fn begin(&self) -> bool {
        let mut state = self.0.state();
        let is_wanted = *state == State::Waiting;
        if is_wanted {
            *state = State::Begun;
        }
        is_wanted
    }

    fn is(self, flushed: Flushed) {
        *self.0.state() = State::Answered(flushed);
    }
}

impl Drop for Answer {
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
        let job = Arc::new(Job::default());
        let answer = Answer(Arc::clone(&job));
        job.abandon();
        assert_eq!(job.wait(|| ()), Flushed::Retry);
        assert!(!answer.begin());
    }

    #[test]
    fn a_job_that_has_begun_is_waited_for() {
        let job = Arc::new(Job::default());
        let answer = Answer(Arc::clone(&job));
        assert!(answer.begin());
        job.abandon();
        answer.is(Flushed::Done);
        assert_eq!(job.wait(|| ()), Flushed::Done);
    }

    #[test]
    fn a_job_that_is_dropped_is_tried_again() {
        let job = Arc::new(Job::default());
        let answer = Answer(Arc::clone(&job));
        assert!(answer.begin());
        drop(answer);
        assert_eq!(job.wait(|| ()), Flushed::Retry);
    }
}
