//! The host boundary: C tables, callbacks, memory, log. The only unsafe code of the crate.
//!
//! Serves `lib.rs`, which exports plugins through `export_plugins!`. Knows nothing of Kubernetes or VictoriaLogs.
//! Invariants: no panic leaves it; the host's layout is read off the host, never guessed; memory that the host frees
//! comes from the `malloc` that the host calls. See SAFETY.md.

mod callback;
mod config_map;
mod context;
mod delivery;
mod elf;
mod emitter;
mod filter;
mod host;
mod input;
mod instance;
mod line_queue;
mod log;
mod memory;
mod metrics;
mod output;
mod reload_mark;
mod running_filter;
mod starting;
#[allow(
    dead_code,
    missing_docs,
    non_camel_case_types,
    unreachable_pub,
    clippy::all,
    clippy::allow_attributes_without_reason,
    reason = "what bindgen makes of the header, whole"
)]
mod sys;
mod table;
mod workers;
mod written;

pub use callback::{Zero, callback};
pub use output::Registration;
pub use sys::flbgo_output_plugin;
pub use table::Table;

use crate::plugin::{Filter, Input};

/// Fills the tables of the native plugins, in the host's own layout.
///
/// # Safety
/// Called once, inside dlopen, before the host reads the tables. Starts no thread: the host may fork after it.
pub unsafe fn fill_tables<F: Filter, I: Input>(filter: &Table, input: &Table) {
    // SAFETY: as the caller promises.
    unsafe {
        filter::fill::<F>(filter);
        input::fill::<I>(input);
    }
}

/// Exports a filter, an input and an output under the names that the host looks for.
#[macro_export]
macro_rules! export_plugins {
    (filter $filter_table:ident: $filter:ty, input $input_table:ident: $input:ty, output: $output:ty) => {
        /// The host's entry points. Their names are the host's; see `include/fluent_bit.h`.
        #[allow(unsafe_code, reason = "exported names, called by the host alone")]
        mod exports {
            use std::ffi::{c_char, c_int, c_void};

            use super::*;
            use $crate::{
                abi::{Registration, Table, Zero, callback, fill_tables, flbgo_output_plugin},
                plugin::Output,
            };

            /// The filter's table.
            #[unsafe(no_mangle)]
            #[allow(non_upper_case_globals, reason = "the host's spelling")]
            static $filter_table: Table = Table::new();

            /// The input's table.
            #[unsafe(no_mangle)]
            #[allow(non_upper_case_globals, reason = "the host's spelling")]
            static $input_table: Table = Table::new();

            static OUTPUT: Registration<$output> = Registration::new();

            const NAME: &str = <$output as Output>::NAME;

            #[used]
            #[unsafe(link_section = ".init_array")]
            static FILL: extern "C" fn() = {
                extern "C" fn fill() {
                    callback("flb-kube", "load", || {
                        // SAFETY: the loader runs this once, inside dlopen.
                        unsafe { fill_tables::<$filter, $input>(&$filter_table, &$input_table) }
                    })
                }
                fill
            };

            #[unsafe(no_mangle)]
            unsafe extern "C" fn FLBPluginRegister(definition: *mut c_void) -> c_int {
                callback(NAME, "register", || {
                    // SAFETY: the host's own block.
                    unsafe { OUTPUT.register(definition) }
                })
            }

            #[unsafe(no_mangle)]
            unsafe extern "C" fn FLBPluginInit(plugin: *mut flbgo_output_plugin) -> c_int {
                callback(NAME, "init", || {
                    // SAFETY: the host's own instance.
                    unsafe { OUTPUT.init(plugin) }
                })
            }

            #[unsafe(no_mangle)]
            extern "C" fn FLBPluginOutputPreRun(_hot_reload: c_int) -> c_int {
                callback(NAME, "pre_run", || OUTPUT.pre_run())
            }

            #[unsafe(no_mangle)]
            unsafe extern "C" fn FLBPluginFlushCtx(
                context: *mut c_void,
                data: *const c_void,
                size: usize,
                tag: *const c_char,
            ) -> c_int {
                callback(NAME, "flush", || {
                    // SAFETY: the host's own bytes.
                    unsafe { OUTPUT.flush(context, data, size, tag) }
                })
            }

            #[unsafe(no_mangle)]
            extern "C" fn FLBPluginExitCtx(context: *mut c_void) -> c_int {
                callback(NAME, "exit", || OUTPUT.exit(context))
            }

            /// Releases up to 2.0.6 call it unasked.
            #[unsafe(no_mangle)]
            extern "C" fn FLBPluginExit() -> c_int {
                callback(NAME, "exit", || Zero)
            }
        }
    };
}
