//! The host that loaded us: its functions, its layouts, its version.
//!
//! Serves the callbacks. Invariant: a function or a layout that is not known is refused with a sentence that names
//! it; nothing is guessed.

use std::{
    ffi::{CStr, CString, c_char, c_int},
    mem, ptr,
    sync::OnceLock,
};

use super::{elf, sys};
use crate::plugin::Refusal;

/// What we support, for the sentence that refuses the rest.
const SUPPORTED: &str = "2.0.0 to 5.1.1";

/// A function type of the header, which bindgen makes nullable.
pub(super) trait Nullable {
    /// The function, found.
    type Fn: Copy;
}

impl<F: Copy> Nullable for Option<F> {
    type Fn = F;
}

/// The host lacks a function of that name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Missing(pub(super) &'static str);

macro_rules! groups {
    ($($(#[$doc:meta])* $group:ident { $($name:ident: $type:ident,)* })*) => {
        $($(#[$doc])*
        #[derive(Clone, Copy)]
        pub(super) struct $group {
            $(pub(super) $name: <sys::$type as Nullable>::Fn,)*
        }

        impl $group {
            /// All of them, as found in the host; else which is missing.
            fn resolve() -> Result<Self, Missing> {
                Ok(Self { $($name: {
                    const NAME: &CStr = match CStr::from_bytes_with_nul(concat!(stringify!($name), "\0").as_bytes()) {
                        Ok(name) => name,
                        Err(_) => unreachable!(),
                    };
                    let address = elf::symbol(NAME).ok_or(Missing(stringify!($name)))?;
                    // SAFETY: the host's symbol of that name has the type that the header states for every release.
                    unsafe { mem::transmute::<*mut libc::c_void, <sys::$type as Nullable>::Fn>(address.as_ptr()) }
                },)* })
            }
        })*
    };
}

groups! {
    /// What a filter needs.
    FilterFns {
        flb_filter_get_property: flb_filter_get_property_fn,
        flb_filter_name: flb_filter_name_fn,
        flb_filter_set_context: flb_filter_set_context_fn,
    }
    /// What an input needs.
    InputFns {
        flb_input_get_property: flb_input_get_property_fn,
        flb_input_name: flb_input_name_fn,
        flb_input_set_context: flb_input_set_context_fn,
        flb_input_log_check: flb_input_log_check_fn,
        flb_input_set_collector_time: flb_input_set_collector_time_fn,
        flb_input_set_collector_event: flb_input_set_collector_event_fn,
        flb_input_log_append_records: flb_input_log_append_records_fn,
    }
    /// What an output needs.
    OutputFns {
        flb_output_name: flb_output_name_fn,
        flb_output_set_property: flb_output_set_property_fn,
    }
    /// Makes an output's workers after the host could.
    WorkerFns {
        flb_output_enable_multi_threading: flb_output_enable_multi_threading_fn,
    }
    /// Makes an input `emitter`.
    EmitterFns {
        flb_input_new: flb_input_new_fn,
        flb_input_set_property: flb_input_set_property_fn,
        flb_input_instance_init: flb_input_instance_init_fn,
        flb_input_instance_destroy: flb_input_instance_destroy_fn,
        flb_storage_input_create: flb_storage_input_create_fn,
        flb_input_set_collector_time: flb_input_set_collector_time_fn,
        flb_input_log_append: flb_input_log_append_fn,
    }
    /// Hands chunks to outputs before their time.
    EngineFns {
        flb_engine_flush: flb_engine_flush_fn,
    }
    /// Writes to the log.
    LogFns {
        flb_log_print: flb_log_print_fn,
    }
    /// What a thread of the host's knows.
    ThreadFns {
        flb_worker_get: flb_worker_get_fn,
        flb_worker_log_level: flb_worker_log_level_fn,
    }
    /// Parses with the host's parsers.
    ParserFns {
        flb_parser_get: flb_parser_get_fn,
        flb_parser_do: flb_parser_do_fn,
    }
    /// Shows numbers in a registry of the host's.
    MetricFns {
        cmt_counter_create: cmt_counter_create_fn,
        cmt_counter_set: cmt_counter_set_fn,
        cmt_gauge_create: cmt_gauge_create_fn,
        cmt_gauge_set: cmt_gauge_set_fn,
    }
    /// Has the host print its own version.
    VersionFns {
        cmt_create: cmt_create_fn,
        cmt_destroy: cmt_destroy_fn,
        flb_metrics_fluentbit_add: flb_metrics_fluentbit_add_fn,
        cmt_encode_text_create: cmt_encode_text_create_fn,
        cmt_encode_text_destroy: cmt_encode_text_destroy_fn,
    }
}

/// The host of this process.
pub(super) struct Host {
    pub(super) filter: Result<FilterFns, Missing>,
    pub(super) input: Result<InputFns, Missing>,
    pub(super) output: Result<OutputFns, Missing>,
    pub(super) workers: Option<WorkerFns>,
    pub(super) emitter: Option<EmitterFns>,
    pub(super) engine: Option<EngineFns>,
    pub(super) thread: Option<ThreadFns>,
    pub(super) metrics: Result<MetricFns, Missing>,
    pub(super) parsers: Option<ParserFns>,
    log: Result<LogFns, Missing>,
    /// The size of the host's filter struct, if a built-in shows it.
    pub(super) filter_size: Option<usize>,
    /// The size of the host's input struct, if a built-in shows it.
    pub(super) input_size: Option<usize>,
    /// Whether a config map row takes 104 bytes (since 5.0.3) and not 96.
    pub(super) wide_config_maps: bool,
    /// Whether a proxied output is told which of its instances ends (since 2.0.7).
    pub(super) since_2_0_7: bool,
    /// Whether events carry metadata (since 2.1.0).
    pub(super) since_2_1_0: bool,
    /// Whether a proxied output's threads are made in its init already (since 2.2.0), and pre-run callbacks exist.
    pub(super) since_2_2_0: bool,
    version: OnceLock<String>,
}

impl Host {
    /// The host, looked at once.
    pub(super) fn get() -> &'static Self {
        static HOST: OnceLock<Host> = OnceLock::new();
        HOST.get_or_init(|| {
            let first = |names: &[&CStr]| names.iter().find_map(|name| elf::symbol_size(name));
            Self {
                filter: FilterFns::resolve(),
                input: InputFns::resolve(),
                output: OutputFns::resolve(),
                workers: WorkerFns::resolve().ok(),
                emitter: EmitterFns::resolve().ok(),
                engine: EngineFns::resolve().ok(),
                thread: ThreadFns::resolve().ok(),
                metrics: MetricFns::resolve(),
                parsers: ParserFns::resolve().ok(),
                log: LogFns::resolve(),
                filter_size: first(&[
                    c"filter_grep_plugin",
                    c"filter_modify_plugin",
                    c"filter_stdout_plugin",
                ]),
                input_size: first(&[c"in_dummy_plugin", c"in_emitter_plugin", c"in_lib_plugin"]),
                wide_config_maps: elf::symbol(c"flb_config_map_get_raw").is_some(),
                since_2_0_7: elf::symbol(c"proxy_go_input_unregister").is_some(),
                since_2_1_0: elf::symbol(c"flb_log_event_decoder_init").is_some(),
                since_2_2_0: elf::symbol(c"flb_proxy_output_cb_init").is_some(),
                version: OnceLock::new(),
            }
        })
    }

    /// The host's version, as it reports it in its own metrics; see [`Self::learn_version`].
    pub(super) fn version(&self) -> &str {
        self.version.get().map_or("of unknown version", String::as_str)
    }

    /// Asks the host for its version, once: no function tells it, but the label of a metric does.
    ///
    /// # Safety
    /// `config` is the host's own, alive during the call.
    pub(super) unsafe fn learn_version(&self, config: *mut sys::flb_config) {
        if self.version.get().is_none()
            && let Ok(functions) = VersionFns::resolve()
            // SAFETY: as the caller promises.
            && let Some(version) = unsafe { ask_version(&functions, config) }
        {
            let _ = self.version.set(version);
        }
    }

    /// Refuses a host whose struct for `kind` has a size that no supported release has.
    pub(super) fn unknown_layout(&self, kind: &str, size: Option<usize>) -> Refusal {
        let found = match size {
            Some(size) => format!("its {kind} interface of {size} bytes is unknown"),
            None => format!("it shows no built-in {kind} to read the interface from"),
        };
        Refusal::new(format_args!(
            "this is Fluent Bit {}, and {found}: flb-kube {} supports Fluent Bit {SUPPORTED}",
            self.version(),
            env!("CARGO_PKG_VERSION"),
        ))
    }

    /// The group of functions, unless this host lacks one of them or can't write a log.
    pub(super) fn needs<G: Copy>(&self, group: &Result<G, Missing>) -> Result<G, Refusal> {
        let found = group.as_ref().and_then(|group| self.log.as_ref().map(|_| *group));
        found.map_err(|Missing(name)| {
            Refusal::new(format_args!(
                "this Fluent Bit ({}) does not export the function {name}: use a stock build of {SUPPORTED}",
                self.version(),
            ))
        })
    }

    /// Whether the host made the calling thread: only such a thread's lines reach its `Log_File`.
    pub(super) fn made_this_thread(&self) -> bool {
        // SAFETY: takes nothing; answers the calling thread's worker or NULL.
        self.thread.is_none_or(|functions| !unsafe { (functions.flb_worker_get)() }.is_null())
    }

    /// The log level of the host's thread that calls us; info on threads that are not the host's.
    pub(super) fn thread_level(&self) -> u8 {
        let level = self.thread.and_then(|functions| {
            // SAFETY: takes nothing; answers the calling thread's worker or NULL.
            let worker = ptr::NonNull::new(unsafe { (functions.flb_worker_get)() })?;
            // SAFETY: the calling thread's own worker, alive.
            u8::try_from(unsafe { (functions.flb_worker_log_level)(worker.as_ptr()) }).ok()
        });
        level.unwrap_or(sys::FLB_LOG_INFO as u8)
    }

    /// Prints one line to the host's log, whatever its level.
    pub(super) fn print(&self, level: u8, line: &str) {
        let line = CString::new(line.replace('\0', "\u{fffd}")).unwrap_or_default();
        match self.log {
            // SAFETY: a printf-like function; the format takes one NUL-terminated string, which outlives the call.
            Ok(LogFns { flb_log_print: print }) => unsafe {
                print(c_int::from(level), ptr::null(), 0, c"%s".as_ptr(), line.as_ptr())
            },
            Err(_) => {
                use std::io::Write as _;
                let _ = writeln!(std::io::stderr(), "{}", line.to_string_lossy());
            }
        }
    }
}

/// # Safety
/// `config` is the host's own, alive during the call.
unsafe fn ask_version(functions: &VersionFns, config: *mut sys::flb_config) -> Option<String> {
    // SAFETY: takes nothing; answers a registry or NULL.
    let registry = ptr::NonNull::new(unsafe { (functions.cmt_create)() })?.as_ptr();
    // SAFETY: a config as the host itself gives it to this function, and a registry that is alive.
    unsafe { (functions.flb_metrics_fluentbit_add)(config, registry) };
    // SAFETY: the registry is alive.
    let text = unsafe { (functions.cmt_encode_text_create)(registry) };
    let version = (!text.is_null()).then(|| {
        // SAFETY: an sds string, NUL-terminated, alive until it is freed below.
        let printed = unsafe { CStr::from_ptr(text) }.to_string_lossy();
        let version = printed.split_once("version=\"").and_then(|(_, rest)| rest.split_once('"'));
        version.map(|(version, _)| version.to_owned())
    });
    if !text.is_null() {
        // SAFETY: it is what was printed, freed once.
        unsafe { (functions.cmt_encode_text_destroy)(text) };
    }
    // SAFETY: it is what was created, freed once.
    unsafe { (functions.cmt_destroy)(registry) };
    version.flatten()
}

/// The text of a host string; `None` for NULL.
///
/// # Safety
/// `text` is NULL or NUL-terminated and alive during the call.
pub(super) unsafe fn text(text: *const c_char) -> Option<String> {
    if text.is_null() {
        return None;
    }
    // SAFETY: as the caller promises.
    Some(unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned())
}
