//! Outputs through the proxy ("Go") interface: registration, init, flushes on a coroutine's stack, the exits.
//!
//! Invariant: the plugin's definition and context have the release's exact sizes, with a guard page behind; until
//! 4.2.2 the definition comes uncleared.

use std::{
    ffi::{CString, c_char, c_int, c_void},
    ptr,
    sync::{Arc, Mutex, PoisonError},
};

use crate::{
    config_map,
    instance::{self, Instance},
    library::Library,
    memory::{Guarded, on_stack},
    output::Verdict,
    plugin::Plugin,
    release::Release,
    sys,
};

type Init = unsafe extern "C" fn(*mut sys::flbgo_output_plugin) -> c_int;
type Flush = unsafe extern "C" fn(*mut c_void, *const c_void, usize, *const c_char) -> c_int;
type ExitContext = unsafe extern "C" fn(*mut c_void) -> c_int;
type Exit = unsafe extern "C" fn() -> c_int;
type WithFlag = unsafe extern "C" fn(c_int) -> c_int;
type WithDefinition = unsafe extern "C" fn(*mut c_void) -> c_int;

/// What an allocator leaves in memory that it does not clear.
const GARBAGE: u8 = 0xa5;

/// A proxied output.
pub(crate) struct Proxy {
    release: Release,
    library: Library,
    definition: Guarded,
    shared: Box<Mutex<Shared>>,
}

/// What the host keeps once per plugin, whatever the number of instances.
struct Shared {
    plugin: sys::flbgo_output_plugin,
    _api: Guarded,
    _name: CString,
}

// SAFETY: the pointers inside are to memory of its own and to functions; the mutex orders the accesses.
unsafe impl Send for Shared {}

impl Proxy {
    /// Registers the plugin as the release does.
    pub(crate) fn register(
        library: Library,
        release: &Release,
        log_print: usize,
        reloading: bool,
    ) -> Result<Plugin, String> {
        let fill = if release.since(4, 2, 3) { 0 } else { GARBAGE };
        let definition = Guarded::new(release.epoch.def, fill);
        // SAFETY: the plugin's exports have the types that the interface gives them.
        unsafe {
            if release.since(2, 2, 0)
                && let Ok(pre_register) = library.function::<WithFlag>("FLBPluginPreRegister")
                && pre_register(c_int::from(reloading)) == -1
            {
                return Err("FLBPluginPreRegister refused".into());
            }
            let register: WithDefinition = library.function("FLBPluginRegister")?;
            if register(definition.as_ptr()) == -1 {
                return Err("FLBPluginRegister refused".into());
            }
            let front = &*definition.as_ptr::<sys::flb_plugin_proxy_def_32>();
            if front.type_ != sys::FLB_PROXY_OUTPUT_PLUGIN || front.proxy != sys::FLB_PROXY_GOLANG {
                return Err(format!(
                    "type {} of proxy {}: this host loads outputs",
                    front.type_, front.proxy
                ));
            }
            if release.epoch.def >= 40 {
                let event_type = (*definition.as_ptr::<sys::flb_plugin_proxy_def_40>()).event_type;
                if ![0, sys::FLB_OUTPUT_LOGS].contains(&event_type) {
                    return Err(format!("event_type {event_type} is not logs"));
                }
            }
            let map = match release.epoch.def {
                48 => (*definition.as_ptr::<sys::flb_plugin_proxy_def_48>()).config_map,
                _ => ptr::null_mut(),
            };
            let name = config_map::text(front.name).ok_or("the plugin has no name")?;
            let description = config_map::text(front.description).unwrap_or_default();
            let rows = config_map::read(map, release.epoch.config_map);
            library.function::<Init>("FLBPluginInit")?;
            library.function::<Flush>("FLBPluginFlushCtx")?;
            let shared = Box::new(Mutex::new(Shared::new(&name, release.epoch.api, log_print)?));
            let proxy = Self { release: *release, library, definition, shared };
            Ok(Plugin::proxied(proxy, name, description, rows, library))
        }
    }

    /// Starts an instance.
    pub(crate) fn init(&self, instance: &Arc<Instance>) -> Result<Remote, String> {
        let context = Guarded::new(size_of::<sys::flb_plugin_proxy_context>(), 0);
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let pointer: *mut sys::flb_plugin_proxy_context = context.as_ptr();
        shared.plugin.o_ins = instance.as_ptr();
        shared.plugin.context = pointer;
        // SAFETY: the context is a block of its size; the function has its type; the table lives in its box.
        unsafe {
            (*pointer).proxy = self.definition.as_ptr();
            let init: Init = self.library.function("FLBPluginInit")?;
            if init(&raw mut shared.plugin) <= 0 {
                return Err(format!("[go proxy]: plugin '{}' failed to initialize", instance.plugin));
            }
        }
        Ok(Remote { context })
    }

    /// Tells the plugin that the engine is about to run.
    pub(crate) fn pre_run(&self) {
        if self.release.since(2, 2, 0) {
            // SAFETY: an export with its type.
            unsafe {
                if let Ok(pre_run) = self.library.function::<WithFlag>("FLBPluginOutputPreRun") {
                    pre_run(1);
                }
            }
        }
    }

    /// Delivers a chunk on a coroutine's stack.
    pub(crate) fn flush(&self, remote: &Remote, tag: &str, data: &[u8]) -> Verdict {
        let tag = CString::new(tag).unwrap_or_default();
        let answer = on_stack(self.release.flush_stack(), || {
            // SAFETY: the function was found at registration; chunk and tag are lent for the call.
            unsafe {
                let Ok(flush) = self.library.function::<Flush>("FLBPluginFlushCtx") else {
                    return sys::FLB_ERROR;
                };
                flush(remote.get(), data.as_ptr().cast(), data.len(), tag.as_ptr())
            }
        });
        match answer {
            sys::FLB_OK => Verdict::Done,
            sys::FLB_RETRY => Verdict::Retry,
            _ => Verdict::Failed,
        }
    }

    /// Ends an instance. Until 2.0.6 the plugin gets the context of whichever instance was started last.
    pub(crate) fn exit(&self, remote: &Remote, reloading: bool) {
        // SAFETY: exports with their types; no flush is under way.
        unsafe {
            if self.release.since(2, 2, 0)
                && let Ok(pre_exit) = self.library.function::<WithFlag>("FLBPluginOutputPreExit")
            {
                pre_exit(c_int::from(reloading));
            }
            let last =
                (*self.shared.lock().unwrap_or_else(PoisonError::into_inner).plugin.context).remote_context;
            let context = if self.release.since(2, 0, 7) { remote.get() } else { last };
            if let Ok(exit) = self.library.function::<ExitContext>("FLBPluginExitCtx") {
                exit(context);
            } else if let Ok(exit) = self.library.function::<Exit>("FLBPluginExit") {
                exit();
            }
        }
    }

    /// Ends an instance that was never started: the plugin gets no context.
    pub(crate) fn exit_unstarted(&self) {
        // SAFETY: an export with its type.
        unsafe {
            if let Ok(exit) = self.library.function::<ExitContext>("FLBPluginExitCtx") {
                exit(ptr::null_mut());
            }
        }
    }

    /// The last call that the plugin gets.
    pub(crate) fn unregister(&self) {
        // SAFETY: an export with its type, and the definition that was registered.
        unsafe {
            if let Ok(unregister) = self.library.function::<WithDefinition>("FLBPluginUnregister") {
                unregister(self.definition.as_ptr());
            }
        }
    }
}

impl Shared {
    fn new(name: &str, api_size: usize, log_print: usize) -> Result<Self, String> {
        let name = CString::new(name).map_err(|error| error.to_string())?;
        let api = Guarded::new(api_size, 0);
        // SAFETY: zeroes are valid for tables of pointers, and the block holds the functions that every release has;
        // the address is that of the shim's function, which has this type.
        let mut plugin = unsafe {
            let functions = &mut *api.as_ptr::<sys::flb_api>();
            functions.output_get_property = Some(output_get_property);
            functions.output_log_check = Some(output_log_check);
            functions.log_print = Some(std::mem::transmute::<usize, LogPrint>(log_print));
            std::mem::zeroed::<sys::flbgo_output_plugin>()
        };
        plugin.name = name.as_ptr();
        plugin.api = api.as_ptr();
        Ok(Self { plugin, _api: api, _name: name })
    }
}

type LogPrint = unsafe extern "C" fn(c_int, *const c_char, c_int, *const c_char, ...);

unsafe extern "C" fn output_get_property(
    key: *const c_char,
    output: *mut sys::flb_output_instance,
) -> *const c_char {
    // SAFETY: handed on as it came.
    unsafe { instance::get_property(key, output.cast()) }
}

unsafe extern "C" fn output_log_check(output: *mut sys::flb_output_instance, level: c_int) -> c_int {
    // SAFETY: handed on as it came.
    unsafe { instance::log_check(output.cast(), level) }
}

/// An instance's side of the plugin.
pub(crate) struct Remote {
    context: Guarded,
}

impl Remote {
    fn get(&self) -> *mut c_void {
        // SAFETY: the block is a context; the plugin writes it in its init only.
        unsafe { (*self.context.as_ptr::<sys::flb_plugin_proxy_context>()).remote_context }
    }
}
