//! An input's table and callbacks. The input runs on the engine's thread: what it appends is in the engine's chunk
//! when the append returns, and not in a queue that a kill would lose.

use std::{
    ffi::{CStr, CString, c_int, c_long, c_void},
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    ptr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use super::{
    config_map,
    guard::guard,
    host::{self, Host},
    instance::{Instance, Kind},
    sys,
    table::Table,
    written::Written,
};
use crate::{
    options::Options,
    plugin::{Engine, Input, NotTaken, Refusal, Wake},
};

const NEEDED: &[&str] = &[
    "flb_input_get_property",
    "flb_input_name",
    "flb_input_set_context",
    "flb_input_log_check",
    "flb_input_set_collector_time",
    "flb_input_set_collector_event",
    "flb_input_log_append_records",
    "flb_log_print",
];
/// Without a wake-up the host asks this often.
const COLLECT_SECONDS: c_long = 1;

macro_rules! tables {
    ($($size:literal => $struct:ident { $($more:ident: $value:expr),* },)*) => {
        /// Fills an input's table in the host's layout.
        ///
        /// # Safety
        /// Called once, inside dlopen.
        pub(super) unsafe fn fill<I: Input>(table: &Table) {
            let host = Host::get();
            let known = matches!(host.input_size, $(Some($size))|*);
            let size = if known { host.input_size } else { Some(232) };
            let map = if known {
                config_map::leak(I::Options::SPECS, host.wide_config_maps)
            } else {
                ptr::null_mut()
            };
            $(if size == Some($size) {
                let layout = sys::$struct {
                    type_: 0,
                    proxy: ptr::null_mut(),
                    flags: 0,
                    name: CString::new(I::NAME).unwrap_or_default().into_raw(),
                    description: CString::new(I::DESCRIPTION).unwrap_or_default().into_raw(),
                    config_map: map,
                    cb_init: if known { Some(init::<I>) } else { Some(refuse::<I>) },
                    cb_pre_run: None,
                    cb_collect: Some(collect::<I>),
                    cb_flush_buf: ptr::null_mut(),
                    cb_flush_end: ptr::null_mut(),
                    cb_pause: Some(pause::<I>),
                    cb_resume: Some(resume::<I>),
                    cb_ingest: ptr::null_mut(),
                    cb_exit: Some(exit::<I>),
                    instance: ptr::null_mut(),
                    _head: sys::mk_list { prev: ptr::null_mut(), next: ptr::null_mut() },
                    $($more: $value,)*
                };
                // SAFETY: as the caller promises.
                unsafe { table.write(layout) };
            })*
        }
    };
}

tables! {
    144 => flb_input_plugin_144 { event_type: 0 },
    152 => flb_input_plugin_152 { cb_destroy: None },
    160 => flb_input_plugin_160 { cb_notification: None, cb_destroy: None },
    208 => flb_input_plugin_208 { cb_notification: None, cb_destroy: None, test_formatter: [0; 6] },
    232 => flb_input_plugin_232 {
        cb_notification: None,
        cb_pause_checked: None,
        cb_resume_checked: None,
        cb_pre_exit: None,
        cb_destroy: None,
        test_formatter: [0; 6]
    },
}

/// What the host keeps for an instance.
struct Running<I> {
    instance: Box<Instance<I>>,
    bell: Arc<Bell>,
    /// A paused host takes records from some inputs all the same, and then never finishes its shutdown.
    paused: AtomicBool,
}

/// An eventfd that the engine's loop watches: a wake-up for `collect`.
struct Bell(OwnedFd);

impl Bell {
    fn new() -> std::io::Result<Self> {
        // SAFETY: takes no memory of ours.
        let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        if fd < 0 {
            return Err(std::io::Error::last_os_error());
        }
        // SAFETY: a new descriptor that nobody else owns.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    fn ring(&self) {
        let one = 1_u64;
        // SAFETY: writes 8 bytes of ours to a descriptor that we own. A full counter is rung already.
        let _ = unsafe { libc::write(self.0.as_raw_fd(), (&raw const one).cast(), 8) };
    }

    fn quiet(&self) {
        let mut count = 0_u64;
        // SAFETY: reads at most 8 bytes into ours. An empty counter is quiet already.
        let _ = unsafe { libc::read(self.0.as_raw_fd(), (&raw mut count).cast(), 8) };
    }
}

/// The first callback on a host whose layout is unknown.
unsafe extern "C" fn refuse<I: Input>(
    _: *mut sys::flb_input_instance,
    _: *mut sys::flb_config,
    _: *mut c_void,
) -> c_int {
    let host = Host::get();
    Kind::Input.refuse(I::NAME, &host.unknown_layout("input", host.input_size))
}

/// `cb_init`.
unsafe extern "C" fn init<I: Input>(
    ins: *mut sys::flb_input_instance,
    config: *mut sys::flb_config,
    _: *mut c_void,
) -> c_int {
    let host = Host::get();
    if let Err(refusal) = host.needs(NEEDED) {
        return Kind::Input.refuse(I::NAME, &refusal);
    }
    let functions = &host.functions;
    let (Some(get), Some(name), Some(set_context), Some(check), Some(by_event), Some(by_time)) = (
        functions.flb_input_get_property,
        functions.flb_input_name,
        functions.flb_input_set_context,
        functions.flb_input_log_check,
        functions.flb_input_set_collector_event,
        functions.flb_input_set_collector_time,
    ) else {
        return -1;
    };
    if is_own_thread_of_input() {
        let refusal = Refusal::new(
            "option 'threaded': on is not possible here, since the engine takes what such an input appends only later, \
             and a crash between loses events that the cursor has passed; leave it out, this input works on threads of \
             its own anyway",
        );
        return Kind::Input.refuse(I::NAME, &refusal);
    }
    let bell = match Bell::new() {
        Ok(bell) => Arc::new(bell),
        Err(error) => {
            let refusal = Refusal::new(format_args!("no eventfd can be made: {error}"));
            return Kind::Input.refuse(I::NAME, &refusal);
        }
    };
    // SAFETY: the host's own instance, alive during its cb_init; the answer is a string of the instance's.
    let name = unsafe { host::text(name(ins)) }.unwrap_or_default();
    // SAFETY: as above; the key is NUL-terminated.
    let first = |key: &CStr| unsafe { get(key.as_ptr(), ins) };
    // SAFETY: as above; the answers are strings of the instance's.
    let written = unsafe { Written::read(ins.cast(), I::Options::SPECS, &first) };
    let property = |key: &CStr| written.get(key);
    let level = (1..=5_u8).rev().find(|level| {
        // SAFETY: as above.
        (unsafe { check(ins, c_int::from(*level)) }) != 0
    });
    let ring = Arc::clone(&bell);
    let started =
        Instance::start(Kind::Input, I::NAME, &name, level.unwrap_or(0), &property, |options, tasks| {
            written.check_repeats()?;
            I::start(options, tasks, Wake::new(move || ring.ring()))
        });
    let Some(instance) = started else { return -1 };
    let fd = bell.0.as_raw_fd();
    let running = Box::new(Running { instance, bell, paused: AtomicBool::new(false) });
    // SAFETY: the context is ours until cb_exit gets it back; the descriptor lives as long.
    let collectors = unsafe {
        set_context(ins, Box::into_raw(running).cast());
        [
            by_event(ins, Some(collect::<I>), fd, config),
            by_time(ins, Some(collect::<I>), COLLECT_SECONDS, 0, config),
        ]
    };
    if collectors.iter().any(|id| *id < 0) {
        return Kind::Input.refuse(I::NAME, &Refusal::new("the host takes no collector"));
    }
    0
}

/// Whether the calling thread is one that the host made for a single input, which `threaded` asks for. No function tells,
/// and the key is the host's own; all releases name the thread `flb-in-…`.
fn is_own_thread_of_input() -> bool {
    let mut name = [0_u8; 16];
    // SAFETY: the kernel writes 16 bytes at most, NUL-terminated, into ours.
    unsafe { libc::prctl(libc::PR_GET_NAME, name.as_mut_ptr()) };
    name.starts_with(b"flb-in-")
}

/// The engine during one collection.
struct HostEngine(*mut sys::flb_input_instance);

impl Engine for HostEngine {
    fn append(&mut self, records: usize, data: &[u8]) -> Result<(), NotTaken> {
        let append = Host::get().functions.flb_input_log_append_records.ok_or(NotTaken)?;
        // SAFETY: the instance of the running cb_collect; the host copies `data` before it returns. No tag of ours:
        // the instance's own.
        let taken = unsafe { append(self.0, records, ptr::null(), 0, data.as_ptr().cast(), data.len()) };
        if taken < 0 { Err(NotTaken) } else { Ok(()) }
    }
}

/// `cb_collect`.
unsafe extern "C" fn collect<I: Input>(
    ins: *mut sys::flb_input_instance,
    _: *mut sys::flb_config,
    context: *mut c_void,
) -> c_int {
    // SAFETY: the context that cb_init set; shared only.
    let Some(running) = (unsafe { context.cast::<Running<I>>().as_ref() }) else { return 0 };
    running.bell.quiet();
    if running.paused.load(Ordering::Relaxed) {
        return 0;
    }
    running.instance.owner.scope(|| {
        guard(I::NAME, "collect", (), || running.instance.plugin.collect(&mut HostEngine(ins)));
    });
    0
}

/// `cb_pause`.
unsafe extern "C" fn pause<I: Input>(context: *mut c_void, _: *mut sys::flb_config) {
    // SAFETY: as in collect.
    let Some(running) = (unsafe { context.cast::<Running<I>>().as_ref() }) else { return };
    running.paused.store(true, Ordering::Relaxed);
    running.instance.owner.scope(|| guard(I::NAME, "pause", (), || running.instance.plugin.pause()));
}

/// `cb_resume`.
unsafe extern "C" fn resume<I: Input>(context: *mut c_void, _: *mut sys::flb_config) {
    // SAFETY: as in collect.
    let Some(running) = (unsafe { context.cast::<Running<I>>().as_ref() }) else { return };
    running.paused.store(false, Ordering::Relaxed);
    running.instance.owner.scope(|| guard(I::NAME, "resume", (), || running.instance.plugin.resume()));
    running.bell.ring();
}

/// `cb_exit`.
unsafe extern "C" fn exit<I: Input>(context: *mut c_void, _: *mut sys::flb_config) -> c_int {
    if !context.is_null() {
        // SAFETY: the context that cb_init made with Box::into_raw, given back once.
        let running = unsafe { Box::from_raw(context.cast::<Running<I>>()) };
        running.instance.end();
    }
    0
}
