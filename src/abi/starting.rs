//! The host as a filter sees it while it starts: its parsers, its registry of metrics, its emitter.
//!
//! Serves `filter`. Invariant: what is asked for goes through the pointers that the running `cb_init` got.

use std::{
    ffi::{CString, c_char, c_int},
    ptr,
    sync::Arc,
};

use super::{
    host::Host,
    metrics::{self, Gate},
    sys,
};
use crate::{
    metrics::{Gauges, Metric},
    plugin,
};

/// The host while a filter starts: answers through what its `cb_init` got.
pub(super) struct Starting<'a> {
    pub(super) plugin: &'static str,
    pub(super) ins: *mut sys::flb_filter_instance,
    pub(super) config: *mut sys::flb_config,
    pub(super) gate: Gate,
    /// Makes the filter's emitter.
    pub(super) emitter: &'a dyn Fn() -> Result<(), &'static str>,
}

impl plugin::Host for Starting<'_> {
    fn parsers(&self) -> Arc<dyn plugin::Parsers> {
        Arc::new(HostParsers(self.config))
    }

    fn metrics(&self, metrics: &'static [Metric]) -> Result<Box<dyn Gauges>, String> {
        // SAFETY: both are what cb_init got, which is under way; it, or cb_exit, closes the gate.
        unsafe { metrics::show(self.ins, self.config, self.plugin, metrics, &self.gate) }
    }

    fn emitter(&self) -> Result<(), &'static str> {
        (self.emitter)()
    }
}

/// The parsers that the config holds.
struct HostParsers(*mut sys::flb_config);

// SAFETY: the config outlives every instance, and its list of parsers is read-only once the configuration was read;
// the host's own filters look parsers up while records pass.
unsafe impl Send for HostParsers {}
// SAFETY: as above.
unsafe impl Sync for HostParsers {}

impl plugin::Parsers for HostParsers {
    fn get(&self, name: &str) -> Option<Arc<dyn plugin::Parser>> {
        let functions = Host::get().parsers?;
        let name = CString::new(name).ok()?;
        // SAFETY: the config is alive as said above; the name is NUL-terminated.
        let parser = ptr::NonNull::new(unsafe { (functions.flb_parser_get)(name.as_ptr(), self.0) })?;
        let parse = functions.flb_parser_do;
        Some(Arc::new(HostParser { parser, parse }))
    }
}

struct HostParser {
    parser: ptr::NonNull<sys::flb_parser>,
    parse: unsafe extern "C" fn(
        *mut sys::flb_parser,
        *const c_char,
        usize,
        *mut *mut libc::c_void,
        *mut usize,
        *mut sys::flb_time,
    ) -> c_int,
}

// SAFETY: a parser of the host is read-only after the configuration was read and lives as long as the config, which
// outlives every instance; the host's own filters share it between threads as well.
unsafe impl Send for HostParser {}
// SAFETY: as above.
unsafe impl Sync for HostParser {}

impl plugin::Parser for HostParser {
    fn parse(&self, text: &[u8]) -> Option<plugin::Parsed> {
        let mut bytes = ptr::null_mut();
        let mut size = 0;
        let mut time = sys::flb_time { seconds: 0, nanoseconds: 0 };
        // SAFETY: the text is read for its length; the three results are ours to write.
        let matched = unsafe {
            (self.parse)(
                self.parser.as_ptr(),
                text.as_ptr().cast(),
                text.len(),
                &mut bytes,
                &mut size,
                &mut time,
            )
        };
        if matched < 0 || bytes.is_null() {
            return None;
        }
        // SAFETY: the host made `size` bytes there, which are ours until freed.
        let fields = unsafe { std::slice::from_raw_parts(bytes.cast::<u8>(), size) }.to_vec();
        // SAFETY: the host's malloc is the process's; freed once.
        unsafe { libc::free(bytes) };
        let told = (u64::try_from(time.seconds), u32::try_from(time.nanoseconds));
        let time = match told {
            (Ok(0), Ok(0)) => None,
            (Ok(seconds), Ok(nanos)) => Some((seconds, nanos)),
            _ => None,
        };
        Some(plugin::Parsed { fields, time })
    }
}
