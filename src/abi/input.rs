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
    callback::{Start, Zero, callback},
    config_map, context,
    host::{self, Host},
    instance::{Instance, Kind, release},
    sys,
    table::Table,
    written::Written,
};
use crate::{
    options::Options,
    plugin::{Engine, Input, NotTaken, Refusal, Wake},
};

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
            let known = matches!(host.input_layout.known(), $(Some($size))|*);
            let size = if known { host.input_layout.known() } else { Some(232) };
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
    instance: Instance<I>,
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
    config: *mut sys::flb_config,
    _: *mut c_void,
) -> c_int {
    callback(I::NAME, "init", || {
        let host = Host::get();
        // SAFETY: every release gives its first callback the config here; see SAFETY.md.
        unsafe { host.learn_version(config) };
        Kind::Input.refuse(I::NAME, &host.unknown_layout("input", host.input_layout.size))
    })
}

/// `cb_init`.
unsafe extern "C" fn init<I: Input>(
    ins: *mut sys::flb_input_instance,
    config: *mut sys::flb_config,
    _: *mut c_void,
) -> c_int {
    callback(I::NAME, "init", || {
        // SAFETY: the host's own instance and config, alive during its cb_init, which this is.
        unsafe { start::<I>(ins, config) }
    })
}

/// Starts an instance.
///
/// # Safety
/// `ins` and `config` are what a running `cb_init` got.
unsafe fn start<I: Input>(ins: *mut sys::flb_input_instance, config: *mut sys::flb_config) -> Start {
    let host = Host::get();
    // SAFETY: as the caller promises.
    unsafe { host.learn_version(config) };
    let functions = match host.needs(&host.input) {
        Ok(functions) => functions,
        Err(refusal) => return Kind::Input.refuse(I::NAME, &refusal),
    };
    if is_threaded() {
        return Kind::Input.refuse(
            I::NAME,
            &Refusal::new(
                "option 'threaded': 'on' would lose events: a threaded input's records lie in a queue that a kill \
                 empties, after the cursor has passed them; set it to off, or leave it out",
            ),
        );
    }
    let bell = match Bell::new() {
        Ok(bell) => Arc::new(bell),
        Err(error) => {
            let refusal = Refusal::new(format_args!("no eventfd can be made: {error}"));
            return Kind::Input.refuse(I::NAME, &refusal);
        }
    };
    // SAFETY: as the caller promises; the answer is a string of the instance's.
    let name = unsafe { host::text((functions.flb_input_name)(ins)) }.unwrap_or_default();
    // SAFETY: as above; the key is NUL-terminated.
    let first = |key: &CStr| unsafe { (functions.flb_input_get_property)(key.as_ptr(), ins) };
    // SAFETY: as above; the answers are strings of the instance's.
    let written = unsafe { Written::read(ins.cast(), I::Options::SPECS, &first) };
    let level = (1..=5_u8).rev().find(|level| {
        // SAFETY: as above.
        (unsafe { (functions.flb_input_log_check)(ins, c_int::from(*level)) }) != 0
    });
    let ring = Arc::clone(&bell);
    let started =
        Instance::start(Kind::Input, I::NAME, &name, level.unwrap_or(0), &written, |options, tasks| {
            written.check_repeats()?;
            I::start(options, tasks, Wake::new(move || ring.ring()))
        });
    let Some(instance) = started else { return Start::Refused };
    let fd = bell.0.as_raw_fd();
    let token = context::keep(Arc::new(Running { instance, bell, paused: AtomicBool::new(false) }));
    // SAFETY: the context is a token, of which the host reads nothing; the descriptor lives as long as what it stands
    // for.
    let collectors = unsafe {
        (functions.flb_input_set_context)(ins, token);
        [
            (functions.flb_input_set_collector_event)(ins, Some(collect::<I>), fd, config),
            (functions.flb_input_set_collector_time)(ins, Some(collect::<I>), COLLECT_SECONDS, 0, config),
        ]
    };
    if collectors.iter().any(|id| *id < 0) {
        end::<I>(token);
        return Kind::Input.refuse(I::NAME, &Refusal::new("the host takes no collector"));
    }
    Start::Started
}

/// Whether the host runs this input on a thread of its own: all releases name such a thread `flb-in-…`, and the
/// engine's `flb-pipeline`.
fn is_threaded() -> bool {
    let mut name = [0_u8; 16];
    // SAFETY: writes at most 16 bytes, which are ours.
    unsafe { libc::prctl(libc::PR_GET_NAME, name.as_mut_ptr()) };
    name.starts_with(b"flb-in-")
}

/// The engine during one collection.
struct HostEngine(*mut sys::flb_input_instance);

impl Engine for HostEngine {
    fn append(&mut self, records: usize, data: &[u8]) -> Result<(), NotTaken> {
        let append = Host::get().input.map_err(|_| NotTaken)?.flb_input_log_append_records;
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
    callback(I::NAME, "collect", || {
        with::<I>(context, |running| {
            running.bell.quiet();
            if !running.paused.load(Ordering::Relaxed) {
                running.instance.plugin.collect(&mut HostEngine(ins));
            }
        });
        Zero
    })
}

/// `cb_pause`.
unsafe extern "C" fn pause<I: Input>(context: *mut c_void, _: *mut sys::flb_config) {
    callback(I::NAME, "pause", || {
        with::<I>(context, |running| {
            running.paused.store(true, Ordering::Relaxed);
            running.instance.plugin.pause();
        });
    });
}

/// `cb_resume`.
unsafe extern "C" fn resume<I: Input>(context: *mut c_void, _: *mut sys::flb_config) {
    callback(I::NAME, "resume", || {
        with::<I>(context, |running| {
            running.paused.store(false, Ordering::Relaxed);
            running.instance.plugin.resume();
            running.bell.ring();
        });
    });
}

/// `cb_exit`.
unsafe extern "C" fn exit<I: Input>(context: *mut c_void, _: *mut sys::flb_config) -> c_int {
    callback(I::NAME, "exit", || {
        end::<I>(context);
        Zero
    })
}

/// Runs `work` with what `context` stands for, on its account.
fn with<I: Input>(context: *mut c_void, work: impl FnOnce(&Running<I>)) {
    if let Some(running) = context::borrow::<Running<I>>(context) {
        running.instance.owner.scope(|| work(&running));
    }
}

fn end<I: Input>(context: *mut c_void) {
    if let Some(running) = context::end::<Running<I>>(context) {
        running.instance.stop();
        release(running, |running| &running.instance);
    }
}
