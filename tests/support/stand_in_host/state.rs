//! What one life of the host, from start to stop or reload, lends to its plugins: `struct flb_config`, the
//! `struct flb_worker` of its threads, the parsers.
//!
//! Invariant: only the words that `include/fluent_bit.h` names mean anything; all else is zero.

use std::{
    cell::RefCell,
    ffi::c_void,
    mem::offset_of,
    ptr,
    sync::{
        Arc,
        atomic::{AtomicPtr, AtomicU32, Ordering},
    },
};

use crate::{
    log::{self, Level},
    parser::Parser,
    release::Release,
    sys,
};

const CONFIG_WORDS: usize = 16 * 1024;
/// Where the config has its `flb_hot_reload`, in bytes.
pub(crate) const HOT_RELOAD: usize = 4096;
const WORKER_WORDS: usize = 32;

/// The state of one life.
pub(crate) struct State {
    pub(crate) release: Release,
    pub(crate) parsers: Vec<Parser>,
    config: Box<[AtomicU32]>,
    worker: Box<[AtomicPtr<c_void>]>,
}

impl State {
    pub(crate) fn new(release: Release, parsers: Vec<Parser>) -> Arc<Self> {
        let config: Box<[AtomicU32]> = (0..CONFIG_WORDS).map(|_| AtomicU32::new(0)).collect();
        let worker: Box<[AtomicPtr<c_void>]> =
            (0..WORKER_WORDS).map(|_| AtomicPtr::new(ptr::null_mut())).collect();
        let offset =
            if release.since(2, 0, 9) { sys::FLB_WORKER_CONFIG_2_0_9 } else { sys::FLB_WORKER_CONFIG_2_0_0 };
        worker[offset as usize / size_of::<usize>()]
            .store(config.as_ptr().cast_mut().cast(), Ordering::Release);
        Arc::new(Self { release, parsers, config, worker })
    }

    pub(crate) fn config(&self) -> *mut sys::flb_config {
        self.config.as_ptr().cast_mut().cast()
    }

    pub(crate) fn set_running(&self, running: bool) {
        self.set(offset_of!(sys::flb_config_head, is_running), running);
        self.set(offset_of!(sys::flb_config_head, is_ingestion_active), running);
    }

    pub(crate) fn set_shutting_down(&self) {
        self.set(offset_of!(sys::flb_config_head, is_shutting_down), true);
    }

    /// A hot reload begins.
    pub(crate) fn set_reloading(&self) {
        if self.release.since(2, 2, 0) {
            self.set(HOT_RELOAD + offset_of!(sys::flb_hot_reload, shutdown_by_hot_reloading), true);
        }
    }

    /// Whether this release does not call proxied outputs now, since a hot reload began.
    pub(crate) fn silences_proxies(&self) -> bool {
        let offset = HOT_RELOAD + offset_of!(sys::flb_hot_reload, shutdown_by_hot_reloading);
        let is_marked = self.config[offset / size_of::<u32>()].load(Ordering::Acquire) != 0;
        is_marked && self.release.since(2, 2, 0) && !self.release.since(3, 1, 0)
    }

    fn set(&self, offset: usize, on: bool) {
        self.config[offset / size_of::<u32>()].store(u32::from(on), Ordering::Release);
    }

    /// Makes this thread one of the host's.
    pub(crate) fn enter(self: &Arc<Self>) {
        CURRENT.with(|current| *current.borrow_mut() = Some(Arc::clone(self)));
    }
}

thread_local! {
    static CURRENT: RefCell<Option<Arc<State>>> = const { RefCell::new(None) };
}

/// The state that this thread works for; `None` on threads that are not the host's.
fn current() -> Option<Arc<State>> {
    CURRENT.try_with(|current| current.borrow().clone()).ok().flatten()
}

/// Whether proxied outputs are not called now by the life that this thread works for.
pub(crate) fn is_silent() -> bool {
    current().is_some_and(|state| state.silences_proxies())
}

pub(crate) extern "C" fn worker() -> *mut c_void {
    current().map_or(ptr::null_mut(), |state| state.worker.as_ptr().cast_mut().cast())
}

pub(crate) extern "C" fn worker_log_level() -> i32 {
    log::level() as i32
}

/// Finds a parser by name.
pub(crate) unsafe extern "C" fn parser(name: *const std::ffi::c_char) -> *mut c_void {
    // SAFETY: the plugin gives a C string.
    let name = unsafe { std::ffi::CStr::from_ptr(name) }.to_string_lossy();
    let found = current().and_then(|state| state.parsers.iter().find(|p| p.name == name).map(ptr::from_ref));
    found.map_or(ptr::null_mut(), |parser| parser.cast_mut().cast())
}

/// Runs a parser: answers with a map in memory from malloc.
pub(crate) unsafe extern "C" fn parse(
    parser: *mut c_void,
    text: *const std::ffi::c_char,
    length: usize,
    out: *mut *mut c_void,
    out_size: *mut usize,
    out_time: *mut sys::flb_time,
) -> i32 {
    // SAFETY: the parser is one that `parser` gave, which lives as long as the state; the text is lent.
    let (parser, text) =
        unsafe { (&*parser.cast::<Parser>(), std::slice::from_raw_parts(text.cast::<u8>(), length)) };
    let Some((time, record)) = parser.parse(text) else { return -1 };
    let mut encoded = Vec::new();
    rmpv::encode::write_value(&mut encoded, &record).expect("a Vec takes all bytes");
    // SAFETY: the out pointers are the caller's to fill; the copy fits into what malloc gave.
    unsafe {
        let copy = libc::malloc(encoded.len().max(1));
        ptr::copy_nonoverlapping(encoded.as_ptr(), copy.cast(), encoded.len());
        *out = copy;
        *out_size = encoded.len();
        let seconds = time.map_or(0, |time| i64::from(time.seconds));
        let nanoseconds = time.map_or(0, |time| i64::from(time.nanoseconds));
        *out_time = sys::flb_time { seconds, nanoseconds };
    }
    length as i32
}

/// Prints what a plugin says.
pub(crate) unsafe extern "C" fn print(level: i32, text: *const std::ffi::c_char, length: usize) {
    // SAFETY: the shim gives its buffer with its length.
    let text = unsafe { std::slice::from_raw_parts(text.cast::<u8>(), length) };
    let (level, text) = (Level::from_number(level), String::from_utf8_lossy(text));
    // SAFETY: both take nothing.
    let is_main = unsafe { libc::gettid() == libc::getpid() };
    if is_main || current().is_some() { log::print(level, text) } else { log::print_to_stderr(level, text) }
}
