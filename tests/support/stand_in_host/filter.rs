//! Filters: those of the pipeline, and those that run as processors of an input or an output.
//!
//! Invariant: since 2.1.4 a processor is called by one thread at a time, though not always by the same.

use std::{
    ffi::{c_int, c_void},
    ptr,
    sync::{Arc, Mutex, PoisonError},
};

use crate::{instance::Instance, log, memory, metrics::Registry, pattern::Pattern, plugin::FilterTable, sys};

pub(crate) struct Filter {
    pub(crate) instance: Arc<Instance>,
    table: FilterTable,
    pattern: Pattern,
    is_processor: bool,
    turn: Mutex<()>,
    pub(crate) metrics: Registry,
}

impl Filter {
    pub(crate) fn new(
        instance: Arc<Instance>,
        table: FilterTable,
        is_processor: bool,
    ) -> Result<Arc<Self>, String> {
        let pattern = if is_processor { Pattern::any() } else { Pattern::of(&instance.section)? };
        Ok(Arc::new(Self {
            instance,
            table,
            pattern,
            is_processor,
            turn: Mutex::default(),
            metrics: Registry::default(),
        }))
    }

    pub(crate) fn init(&self) -> Result<(), String> {
        let init = self.table.init.ok_or("no cb_init")?;
        self.instance.hold_metrics(self.metrics.create());
        // SAFETY: the plugin's callback with what it was promised.
        let answer = unsafe { init(self.instance.as_ptr(), self.instance.state.config(), ptr::null_mut()) };
        if answer != 0 {
            return Err(format!("failed initialize filter {}", self.instance.name()));
        }
        Ok(())
    }

    pub(crate) fn matches(&self, tag: &str) -> bool {
        self.pattern.matches(tag)
    }

    /// Runs a chunk through it. `from` is the input that the chunk comes from; a processor must not look at it.
    pub(crate) fn apply(&self, tag: &str, data: Vec<u8>, from: *mut sys::flb_input_instance) -> Vec<u8> {
        let Some(filter) = self.table.filter else { return data };
        let locked = self.is_processor && self.instance.state.release.since(2, 1, 4);
        let _turn = locked.then(|| self.turn.lock().unwrap_or_else(PoisonError::into_inner));
        let from = if self.is_processor { memory::untouchable().cast() } else { from };
        let mut out: *mut c_void = ptr::null_mut();
        let mut out_size = 0_usize;
        // SAFETY: the plugin's callback with what it was promised; a changed chunk is memory from malloc of its size.
        unsafe {
            let answer = filter(
                data.as_ptr().cast(),
                data.len(),
                tag.as_ptr().cast(),
                tag.len() as c_int,
                &mut out,
                &mut out_size,
                self.instance.as_ptr(),
                from,
                self.instance.context(),
                self.instance.state.config(),
            );
            match answer {
                sys::FLB_FILTER_MODIFIED if out_size > 0 => {
                    let changed = std::slice::from_raw_parts(out.cast::<u8>(), out_size).to_vec();
                    libc::free(out);
                    changed
                }
                sys::FLB_FILTER_MODIFIED => Vec::new(),
                sys::FLB_FILTER_NOTOUCH => data,
                other => {
                    log::error(format_args!("{}: cb_filter answered {other}", self.instance.name()));
                    data
                }
            }
        }
    }

    pub(crate) fn exit(&self) {
        let context = self.instance.context();
        if let Some(exit) = self.table.exit.filter(|_| !context.is_null()) {
            // SAFETY: the plugin's callback with its own context, which is not used again.
            unsafe { exit(context, self.instance.state.config()) };
        }
        self.metrics.destroy();
    }
}
