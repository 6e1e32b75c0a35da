//! A filter's table and callbacks.

use std::{
    cell::Cell,
    ffi::{CStr, CString, c_char, c_int, c_void},
    ptr, slice,
    sync::Arc,
};

use super::{
    callback::{self, Start, Zero, callback},
    config_map, context, emitter,
    host::{self, Host},
    instance::{Instance, Kind, release},
    memory::Memory,
    metrics::Gate,
    running_filter::{self, Running},
    starting::Starting,
    sys,
    table::Table,
    written::Written,
};
use crate::{
    options::Options,
    plugin::{Chunk, Filter, Filtered},
};

/// Fills a filter's table in the host's layout.
///
/// # Safety
/// Called once, inside dlopen.
pub(super) unsafe fn fill<F: Filter>(table: &Table) {
    let host = Host::get();
    let name = CString::new(F::NAME).unwrap_or_default().into_raw();
    let description = CString::new(F::DESCRIPTION).unwrap_or_default().into_raw();
    let map = |known: bool| {
        if known { config_map::leak(F::Options::SPECS, host.wide_config_maps) } else { ptr::null_mut() }
    };
    let link = || sys::mk_list { prev: ptr::null_mut(), next: ptr::null_mut() };
    match host.filter_layout.known() {
        // SAFETY: as the caller promises; so for each arm.
        Some(72) => unsafe {
            table.write(sys::flb_filter_plugin_72 {
                event_type: 0,
                flags: 0,
                name,
                description,
                config_map: map(true),
                cb_init: Some(init::<F>),
                cb_filter: Some(filter::<F>),
                cb_exit: Some(exit::<F>),
                _head: link(),
            });
        },
        // SAFETY: as above.
        Some(80) => unsafe {
            table.write(sys::flb_filter_plugin_80 {
                event_type: 0,
                flags: 0,
                name,
                description,
                config_map: map(true),
                cb_pre_run: None,
                cb_init: Some(init::<F>),
                cb_filter: Some(filter::<F>),
                cb_exit: Some(exit::<F>),
                _head: link(),
            });
        },
        size => {
            // An unknown host gets a table that refuses, at both places where a release had its first callback.
            let known = size == Some(88);
            // SAFETY: as above.
            unsafe {
                table.write(sys::flb_filter_plugin_88 {
                    event_type: 0,
                    flags: 0,
                    name,
                    description,
                    config_map: map(known),
                    cb_pre_run: if known { None } else { Some(refuse::<F>) },
                    cb_init: if known { Some(init::<F>) } else { Some(refuse::<F>) },
                    cb_filter: known.then_some(filter::<F>),
                    cb_exit: known.then_some(exit::<F>),
                    cb_notification: None,
                    _head: link(),
                });
            }
        }
    }
}

/// The first callback on a host whose layout is unknown.
unsafe extern "C" fn refuse<F: Filter>(
    _: *mut sys::flb_filter_instance,
    config: *mut sys::flb_config,
    _: *mut c_void,
) -> c_int {
    callback(F::NAME, "init", || {
        let host = Host::get();
        // SAFETY: every release gives its first callback the config here; see SAFETY.md.
        unsafe { host.learn_version(config) };
        Kind::Filter.refuse(F::NAME, &host.unknown_layout("filter", host.filter_layout.size))
    })
}

/// `cb_init`.
unsafe extern "C" fn init<F: Filter>(
    ins: *mut sys::flb_filter_instance,
    config: *mut sys::flb_config,
    _: *mut c_void,
) -> c_int {
    callback(F::NAME, "init", || {
        // SAFETY: the host's own instance and config, alive during its cb_init, which this is.
        unsafe { start::<F>(ins, config) }
    })
}

/// Starts an instance.
///
/// # Safety
/// `ins` and `config` are what a running `cb_init` got.
unsafe fn start<F: Filter>(ins: *mut sys::flb_filter_instance, config: *mut sys::flb_config) -> Start {
    let host = Host::get();
    // SAFETY: as the caller promises.
    unsafe { host.learn_version(config) };
    let functions = match host.needs(&host.filter) {
        Ok(functions) => functions,
        Err(refusal) => return Kind::Filter.refuse(F::NAME, &refusal),
    };
    // SAFETY: as the caller promises; the answer is a string of the instance's.
    let name = unsafe { host::text((functions.flb_filter_name)(ins)) }.unwrap_or_default();
    // SAFETY: as above; the key is NUL-terminated.
    let first = |key: &CStr| unsafe { (functions.flb_filter_get_property)(key.as_ptr(), ins) };
    // SAFETY: as above; the answers are strings of the instance's.
    let written = unsafe { Written::read(ins.cast(), F::Options::SPECS, &first) };
    // SAFETY: as above.
    let level = unsafe { log_level(ins) };
    // SAFETY: as above.
    let is_of_pipeline = unsafe { is_of_pipeline(ins, config) };
    let gate = Gate::open();
    let emitter = Cell::new(None);
    let create = || {
        if emitter.get().is_none() {
            if !is_of_pipeline {
                return Err("it runs as a processor");
            }
            // SAFETY: the config is alive during the cb_init, which this is.
            emitter.set(Some(unsafe { emitter::create::<F>(config, &name) }?));
        }
        Ok(())
    };
    let started = Instance::start(Kind::Filter, F::NAME, &name, level, &written, |options, tasks| {
        written.check_repeats()?;
        let gate = gate.clone();
        F::start(options, tasks, &Starting { plugin: F::NAME, ins, config, gate, emitter: &create })
    });
    let Some(instance) = started else {
        gate.close();
        return Start::Refused;
    };
    let emitter = emitter.get();
    let token = context::keep(Arc::new(Running { instance, emitter, gate, is_of_pipeline }));
    if let Some(emitter) = emitter {
        emitter.serves(token);
    }
    // SAFETY: the context is a token, of which the host reads nothing.
    unsafe { (functions.flb_filter_set_context)(ins, token) };
    Start::Started
}

/// The instance's own level; the host's where it has none.
///
/// # Safety
/// `ins` is the host's filter instance, alive.
unsafe fn log_level(ins: *mut sys::flb_filter_instance) -> u8 {
    let host = Host::get();
    let offset =
        if host.since_2_1_0 { sys::FLB_FILTER_LOG_LEVEL_2_1_0 } else { sys::FLB_FILTER_LOG_LEVEL_2_0_0 };
    // SAFETY: the header states where each release keeps it; the instance is far larger.
    let level = unsafe { ins.cast::<c_int>().byte_add(offset as usize).read() };
    match u8::try_from(level) {
        Ok(level @ 0..=5) => level,
        _ => host.thread_level(),
    }
}

/// `cb_filter`.
#[allow(clippy::too_many_arguments, reason = "the host's signature")]
unsafe extern "C" fn filter<F: Filter>(
    data: *const c_void,
    bytes: usize,
    tag: *const c_char,
    tag_len: c_int,
    out_buf: *mut *mut c_void,
    out_size: *mut usize,
    _: *mut sys::flb_filter_instance,
    input: *mut sys::flb_input_instance,
    context: *mut c_void,
    _: *mut sys::flb_config,
) -> c_int {
    callback(F::NAME, "filter", || {
        let Some(running) = context::borrow::<Running<F>>(context) else {
            return callback::Filter::NotTouched;
        };
        if data.is_null() || tag.is_null() || running.emitter.is_some_and(|emitter| emitter.is(input)) {
            return callback::Filter::NotTouched;
        }
        let chunk = Chunk {
            // SAFETY: the host lends `tag_len` bytes for the call.
            tag: unsafe { slice::from_raw_parts(tag.cast(), usize::try_from(tag_len).unwrap_or(0)) },
            // SAFETY: the host lends `bytes` bytes for the call.
            data: unsafe { slice::from_raw_parts(data.cast(), bytes) },
            // SAFETY: as a filter of the pipeline we get the host's input, alive during the call; its name lives as long.
            input: if running.is_of_pipeline { unsafe { name_of(input) }.unwrap_or_default() } else { "" },
        };
        let mut out = Vec::new();
        let instance = &running.instance;
        match instance.owner.scope(|| instance.plugin.filter(chunk, &mut out)) {
            Filtered::Unchanged => callback::Filter::NotTouched,
            Filtered::Changed => {
                let (buffer, size) = hand_over(out);
                // SAFETY: both are the host's to be written.
                unsafe {
                    *out_buf = buffer;
                    *out_size = size;
                }
                callback::Filter::Modified
            }
        }
    })
}

/// Whether a filter is one of the pipeline's, which get the input of each chunk. A processor's gets whatever it belongs
/// to, an output as well, in its place.
///
/// # Safety
/// Both are the host's own, alive.
unsafe fn is_of_pipeline(ins: *mut sys::flb_filter_instance, config: *mut sys::flb_config) -> bool {
    Memory::open().is_some_and(|mut memory| {
        // SAFETY: as the caller promises; both are blocks of the process's malloc.
        let (ins, config) = unsafe { (memory.block(ins), memory.block(config)) };
        memory.is_listed(&ins, &config)
    })
}

/// The name of an input.
///
/// # Safety
/// `input` is null, or an input of the host's that outlives `'a`.
unsafe fn name_of<'a>(input: *mut sys::flb_input_instance) -> Option<&'a str> {
    let functions = Host::get().input.as_ref().ok().filter(|_| !input.is_null())?;
    // SAFETY: the host's own function, on an input of its own; it answers a text of the input's, ended by NUL, or null.
    let name = unsafe { (functions.flb_input_name)(input) };
    if name.is_null() {
        return None;
    }
    // SAFETY: as above.
    unsafe { CStr::from_ptr(name) }.to_str().ok()
}

/// Gives bytes to the host, which frees them with free(): a byte vector of the system allocator is malloc's memory, and
/// the crate sets no other allocator. An empty chunk is NULL.
fn hand_over(bytes: Vec<u8>) -> (*mut c_void, usize) {
    if bytes.is_empty() {
        return (ptr::null_mut(), 0);
    }
    let mut bytes = std::mem::ManuallyDrop::new(bytes);
    (bytes.as_mut_ptr().cast(), bytes.len())
}

/// `cb_exit`.
unsafe extern "C" fn exit<F: Filter>(context: *mut c_void, _: *mut sys::flb_config) -> c_int {
    callback(F::NAME, "exit", || {
        // An instance whose start was refused has no context.
        if let Some(running) = context::end::<Running<F>>(context) {
            running_filter::rests(context);
            running.instance.stop();
            running.gate.close();
            release(running, |running| &running.instance);
        }
        Zero
    })
}
