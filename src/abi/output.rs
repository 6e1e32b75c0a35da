//! A proxied output's callbacks. The host calls them by fixed names, one set per shared object.
//!
//! A flush runs on a coroutine's small stack: it hands the chunk to a thread of ours and waits. So that the wait
//! never holds up the engine, each instance gets host workers: as many as chunks may be under way at once.

use std::{
    ffi::{CStr, CString, c_char, c_int, c_void},
    marker::PhantomData,
    slice,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicPtr, Ordering},
    },
};

use tracing::info;

use super::{
    callback::{ProxyStart, Start, Zero, caught},
    config_map, context,
    delivery::{Duty, Flush, Threads},
    host::{self, Host},
    instance::{Instance, Kind, release},
    line_queue, reload_mark, sys, workers,
    written::Written,
};
use crate::{
    options::Options,
    plugin::{Chunk, Flushed, Output, Refusal},
    runtime::Tasks,
};

/// An output: one per shared object, since the host's names are fixed.
pub struct Registration<O: Output> {
    /// The tokens of the instances that run.
    live: Mutex<Vec<Token>>,
    host_checks_keys: AtomicBool,
    texts: OnceLock<[CString; 2]>,
    map: OnceLock<AtomicPtr<c_void>>,
    output: PhantomData<fn() -> O>,
}

/// What the host knows an instance by.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Token(*mut c_void);

// SAFETY: a token is no address: it is compared and looked up, never read through.
unsafe impl Send for Token {}

/// What is kept for an instance.
struct Running<O: Output> {
    instance: Instance<O>,
    threads: Threads,
    workers: Mutex<workers::Workers>,
    engine: Option<workers::Engine>,
    /// Whether a flush may print, on the stack that it runs on.
    has_room_to_print: bool,
}

/// The least stack of a flush on which the host's own printing, of 9 KiB, is safe: most of the least default.
const ROOM_TO_PRINT: u32 = 20 << 10;

/// Whether the host's `Coro_Stack_Size`, the stack of flushes, is that large; its default is.
fn has_room_to_print(engine: Option<&workers::Engine>) -> bool {
    let offset = reload_mark::offset_of_option(c"Coro_Stack_Size");
    let (Some(engine), Some(offset)) = (engine, offset) else { return true };
    // SAFETY: the host reads this option into an unsigned int at this offset of its config.
    let size = unsafe { engine.config().as_ptr().cast::<u32>().byte_add(offset).read() };
    size >= ROOM_TO_PRINT
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
            output: PhantomData,
        }
    }

    /// `FLBPluginRegister`: describes the plugin in as many bytes as the host allocated.
    ///
    /// # Safety
    /// `definition` is the host's heap block.
    pub unsafe fn register(&self, definition: *mut c_void) -> Start {
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
        Start::Started
    }

    /// `FLBPluginInit`: starts an instance.
    ///
    /// # Safety
    /// `plugin` is the host's, alive during the call.
    pub unsafe fn init(&self, plugin: *mut sys::flbgo_output_plugin) -> ProxyStart {
        // SAFETY: as the caller promises.
        ProxyStart(unsafe { self.start(plugin) })
    }

    /// # Safety
    /// As [`Self::init`].
    unsafe fn start(&self, plugin: *mut sys::flbgo_output_plugin) -> Start {
        // SAFETY: as the caller promises.
        let Some(plugin) = (unsafe { plugin.as_ref() }) else { return Start::Refused };
        let (host, ins) = (Host::get(), plugin.o_ins);
        let engine = workers::Engine::find(ins);
        if let Some(engine) = &engine {
            // SAFETY: the config of the engine that starts us.
            unsafe { host.learn_version(engine.config().as_ptr().cast()) };
        }
        let functions = match host.needs(&host.output) {
            Ok(functions) => functions,
            Err(refusal) => return Kind::Output.refuse(O::NAME, &refusal),
        };
        // SAFETY: the host's table of functions lives as long as the plugin.
        let api = unsafe { plugin.api.as_ref() };
        let Some((Some(get), Some(check))) = api.map(|api| (api.output_get_property, api.output_log_check))
        else {
            return Kind::Output
                .refuse(O::NAME, &Refusal::new("the host gives no functions to read options with"));
        };
        // SAFETY: the host's own instance, alive during its init; the key is NUL-terminated.
        let first = |key: &CStr| unsafe { get(key.as_ptr(), ins) };
        // SAFETY: as above; the answers are strings of the instance's.
        let written = unsafe { Written::read(ins.cast(), O::Options::SPECS, &first) };
        // SAFETY: as above.
        let name = unsafe { host::text((functions.flb_output_name)(ins)) }.unwrap_or_default();
        let level = (1..=5_u8).rev().find(|level| {
            // SAFETY: as above.
            (unsafe { check(ins, c_int::from(*level)) }) != 0
        });
        let mut threads = None;
        let start = |options, tasks: Tasks| {
            if !self.host_checks_keys.load(Ordering::Relaxed) {
                written.check_keys(O::FOREIGN_KEYS, &first)?;
                tell_what_has_no_effect(&written);
            }
            written.check_repeats()?;
            let owner = Arc::clone(tasks.owner());
            let output = O::start(options, tasks)?;
            let count = output.concurrency();
            let made = Threads::start(count, &owner).map_err(|error| {
                Refusal::new(format_args!("{count} threads to deliver on can't be started: {error}"))
            })?;
            threads = Some(made);
            Ok(output)
        };
        let started = Instance::start(Kind::Output, O::NAME, &name, level.unwrap_or(0), &written, start);
        let (Some(instance), Some(threads)) = (started, threads) else { return Start::Refused };
        if let Some(engine) = &engine {
            reload_mark::take_back(engine, &instance.tasks);
        }
        let concurrency = instance.plugin.concurrency();
        let workers = Mutex::new(workers::Workers::new(ins, concurrency, engine.as_ref()));
        let has_room_to_print = has_room_to_print(engine.as_ref());
        let running = Running { instance, threads, workers, engine, has_room_to_print };
        let token = Token(context::keep(Arc::new(running)));
        self.live().push(token);
        // SAFETY: the instance's context, whose first word is for us.
        unsafe { (*plugin.context).remote_context = token.0 };
        Start::Started
    }

    /// `FLBPluginOutputPreRun`: all outputs are ready, the engine is about to run.
    pub fn pre_run(&self) -> Zero {
        let live = self.live().clone();
        for running in live.into_iter().filter_map(|token| context::borrow::<Running<O>>(token.0)) {
            let mut workers = running.workers.lock().unwrap_or_else(PoisonError::into_inner);
            running.instance.owner.scope(|| workers.make(running.engine.as_ref()));
        }
        Zero
    }

    /// `FLBPluginFlushCtx`: delivers a chunk.
    ///
    /// # Safety
    /// `data` and `tag` are the host's for the call.
    pub unsafe fn flush(
        &self,
        context: *mut c_void,
        data: *const c_void,
        size: usize,
        tag: *const c_char,
    ) -> Flushed {
        let Some(running) = context::borrow::<Running<O>>(context) else { return Flushed::Failed };
        if data.is_null() || tag.is_null() {
            return Flushed::Failed;
        }
        // SAFETY: the host's bytes for the call, and so for the job below, for which this function waits.
        let data: &'static [u8] = unsafe { slice::from_raw_parts(data.cast(), size) };
        // SAFETY: as above.
        let tag: &'static [u8] = unsafe { CStr::from_ptr(tag) }.to_bytes();
        let flush = Arc::new(Flush::default());
        let (duty, here) = (Duty(Arc::clone(&flush)), Arc::clone(&running));
        running.threads.give(move || {
            if duty.begin() {
                let flushed =
                    caught(O::NAME, "flush", || here.instance.plugin.flush(Chunk { tag, data, input: "" }));
                duty.answer(flushed.unwrap_or(Flushed::Retry));
            }
        });
        flush.wait(|| {
            if running.has_room_to_print {
                line_queue::drain();
            }
            if running.engine.as_ref().is_some_and(|engine| !engine.is_running()) {
                // The host joins its workers now: neither a server nor a busy thread of ours may keep it waiting.
                flush.abandon();
                running.instance.tasks.begin_stop();
            }
        })
    }

    /// `FLBPluginExitCtx`: ends an instance. The host also ends those that it never started, as it discards the
    /// configuration of a reload that it refuses: these have no context. Releases up to 2.0.6 name the last instance
    /// each time.
    pub fn exit(&self, context: *mut c_void) -> Zero {
        let mut live = self.live();
        let named = live.iter().position(|token| token.0 == context);
        let is_unnamed = !context.is_null() && !Host::get().since_2_0_7;
        let token =
            named.map(|at| live.swap_remove(at)).or_else(|| if is_unnamed { live.pop() } else { None });
        drop(live);
        if let Some(running) = token.and_then(|token| context::end::<Running<O>>(token.0)) {
            running.instance.tasks.begin_stop();
            running.threads.stop();
            running.instance.stop();
            release(running, |running| &running.instance);
        }
        Zero
    }

    fn live(&self) -> std::sync::MutexGuard<'_, Vec<Token>> {
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
