//! An input of a filter's own, for records that come out of turn: the host's `emitter`, as its own filters use it, with
//! a timer of ours on it.
//!
//! Serves `filter`. Invariant: the host's pointers that no function tells are read off the host and believed only where
//! its own structures agree with each other; where they don't, there is no emitter, and the caller is told why.

use std::{
    ffi::{CString, c_int, c_long, c_void},
    ptr::{self, NonNull},
};

use super::{
    callback::{Zero, callback},
    context,
    host::Host,
    memory::Memory,
    running_filter::{Emitter, Running, owner},
    sys,
};
use crate::plugin::{Emit, Filter, NotTaken};

/// So often overdue records are asked for. The host lets its timers begin at a full second, that of its end too: so this
/// one fires between the host's "pause" and its end, which is less than a second later.
const PERIOD_NANOSECONDS: c_long = 100_000_000;

/// Makes one for the pipeline's filter `name`, during its `cb_init`; else says what this host lacks.
///
/// # Safety
/// The config is the host's own, alive, and this is the thread that starts the pipeline.
pub(super) unsafe fn create<F: Filter>(
    config: *mut sys::flb_config,
    name: &str,
) -> Result<Emitter, &'static str> {
    let functions = Host::get().emitter.ok_or("it does not export what makes an input")?;
    let mut memory = Memory::open().ok_or("no pipe can be made")?;
    // SAFETY: the config is alive; the name is a plugin of every release.
    let made = unsafe { (functions.flb_input_new)(config, c"emitter".as_ptr(), ptr::null_mut(), 0) };
    let made = NonNull::new(made).ok_or("it has no input 'emitter'")?;
    let input = made.as_ptr();
    // SAFETY: config and inputs are blocks of the host's, alive during the start; the config has a new input now.
    let (owner, block) = unsafe { (memory.block(config), memory.block(input)) };
    let Some(context) = memory.storage(&owner, &block) else {
        // SAFETY: the instance was made above and is not known to anybody yet.
        unsafe { (functions.flb_input_instance_destroy)(input) };
        return Err("its storage is not where other releases have it");
    };
    let alias = CString::new(format!("emitter_for_{name}")).unwrap_or_default();
    for (key, value) in [(c"alias", alias.as_c_str()), (c"storage.type", c"memory")] {
        // SAFETY: the instance is alive; the host copies both strings.
        unsafe { (functions.flb_input_set_property)(input, key.as_ptr(), value.as_ptr()) };
    }
    // SAFETY: the order in which the host's own filters start theirs; the context is that of all inputs; a timer is
    // for an instance that is started.
    let timed = unsafe {
        (functions.flb_input_instance_init)(input, config) == 0
            && (functions.flb_storage_input_create)(ptr::with_exposed_provenance_mut(context), input) == 0
            && (functions.flb_input_set_collector_time)(
                input,
                Some(collect::<F>),
                0,
                PERIOD_NANOSECONDS,
                config,
            ) >= 0
    };
    if timed { Ok(Emitter::at(input)) } else { Err("its input 'emitter' does not start") }
}

/// The timer's callback, on the engine's thread.
unsafe extern "C" fn collect<F: Filter>(
    input: *mut sys::flb_input_instance,
    config: *mut sys::flb_config,
    _: *mut c_void,
) -> c_int {
    callback(F::NAME, "emit", || {
        if let Some(running) = owner(input).and_then(context::borrow::<Running<F>>) {
            // SAFETY: the host's own input and config, on the engine's thread.
            unsafe { emit(&running, input, config) };
        }
        Zero
    })
}

/// Has the filter emit what is overdue.
///
/// # Safety
/// `input` and `config` are what a running collector got.
unsafe fn emit<F: Filter>(
    running: &Running<F>,
    input: *mut sys::flb_input_instance,
    config: *mut sys::flb_config,
) {
    // SAFETY: the engine's own config; its first words are those of every release.
    let head = unsafe { config.cast::<sys::flb_config_head>().read_volatile() };
    let is_last = head.is_shutting_down != 0 || head.is_ingestion_active == 0;
    let instance = &running.instance;
    let mut engine = Engine { input, has_taken: false };
    instance.owner.scope(|| instance.plugin.overdue(is_last, &mut engine));
    // Before 4.2 a host that ends waits for what was handed to outputs, not for what lies in chunks.
    if let Some(functions) = Host::get().engine
        && is_last
        && engine.has_taken
    {
        // SAFETY: as the host's own timer calls it, on this thread.
        unsafe { (functions.flb_engine_flush)(config, ptr::null_mut()) };
    }
}

/// The engine during one call of the timer.
struct Engine {
    input: *mut sys::flb_input_instance,
    has_taken: bool,
}

impl Emit for Engine {
    fn emit(&mut self, tag: &[u8], data: &[u8]) -> Result<(), NotTaken> {
        let append = Host::get().emitter.ok_or(NotTaken)?.flb_input_log_append;
        // SAFETY: the instance whose collector runs; the host copies tag and data before it returns.
        let taken =
            unsafe { append(self.input, tag.as_ptr().cast(), tag.len(), data.as_ptr().cast(), data.len()) };
        if taken < 0 {
            return Err(NotTaken);
        }
        self.has_taken = true;
        Ok(())
    }
}
