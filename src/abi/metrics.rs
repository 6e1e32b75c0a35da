//! A filter's own registry of metrics, which the host shows at its own endpoint.
//!
//! Serves `filter`. The host has no function that answers a filter's registry, so it is read off the instance where
//! the header knows the place. Invariants: a place is believed only if name, plugin and config stand where they belong
//! too; names and labels are made in `cb_init` alone, later calls only store numbers; none comes after `cb_exit`.

use std::{
    ffi::{CStr, CString, c_char, c_int},
    mem::offset_of,
    ptr::{self, NonNull},
    sync::{Arc, Mutex, PoisonError},
};

use super::{
    host::{Host, MetricFns},
    sys,
};
use crate::{
    clock::since_1970,
    metrics::{Gauges, Kind, Metric, PREFIX},
};

/// Where an instance keeps what we look at, in bytes.
struct Layout {
    name: usize,
    alias: usize,
    plugin: usize,
    cmt: usize,
    config: usize,
}

macro_rules! layouts {
    ($($layout:ident),*) => {
        [$(Layout {
            name: offset_of!(sys::$layout, name),
            alias: offset_of!(sys::$layout, alias),
            plugin: offset_of!(sys::$layout, p),
            cmt: offset_of!(sys::$layout, cmt),
            config: offset_of!(sys::$layout, config),
        }),*]
    };
}

const LAYOUTS: [Layout; 4] = layouts!(
    flb_filter_instance_184,
    flb_filter_instance_192,
    flb_filter_instance_200,
    flb_filter_instance_216
);

/// The layouts that this host can have.
fn layouts() -> &'static [Layout] {
    let host = Host::get();
    match host.filter_layout.known() {
        Some(72) if host.since_2_1_0 => &LAYOUTS[1..3],
        Some(72) => &LAYOUTS[..1],
        Some(80) => &LAYOUTS[2..3],
        Some(88) => &LAYOUTS[3..],
        _ => &[],
    }
}

impl Layout {
    /// The registry of `ins`, if all that is known of the instance stands where this layout has it.
    ///
    /// # Safety
    /// `ins` is the host's filter instance in its `cb_init`, whose config and name are these.
    unsafe fn find(
        &self,
        ins: *mut sys::flb_filter_instance,
        config: *mut sys::flb_config,
        name: *const c_char,
        plugin: &str,
    ) -> Option<NonNull<sys::cmt>> {
        // SAFETY: a live heap block of the process's malloc.
        let bytes = unsafe { libc::malloc_usable_size(ins.cast()) };
        if bytes < self.config + size_of::<usize>() {
            return None;
        }
        // SAFETY: within the block; a pointer is valid at any bit pattern.
        let word = |offset: usize| unsafe { ins.cast::<*mut c_char>().byte_add(offset).read() };
        let own_name = ins.cast::<c_char>().wrapping_byte_add(self.name).cast_const();
        if (name != own_name && name != word(self.alias)) || word(self.config) != config.cast() {
            return None;
        }
        let copy = NonNull::new(word(self.plugin))?.cast::<[*const c_char; 2]>();
        // SAFETY: with name and config in place, so is the host's copy of our own plugin struct.
        let [_, copied_name] = unsafe { copy.read() };
        // SAFETY: as above: our own name, or that of another copy of us; NUL-terminated.
        if copied_name.is_null() || unsafe { CStr::from_ptr(copied_name) }.to_bytes() != plugin.as_bytes() {
            return None;
        }
        NonNull::new(word(self.cmt).cast())
    }
}

/// Whether numbers may still be shown; closed before the host frees them.
#[derive(Clone)]
pub(super) struct Gate(Arc<Mutex<bool>>);

impl Gate {
    pub(super) fn open() -> Self {
        Self(Arc::new(Mutex::new(true)))
    }

    /// From its return on no number is stored any more.
    pub(super) fn close(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = false;
    }
}

/// The numbers of one filter instance in the host's registry.
struct Shown {
    gate: Gate,
    families: Vec<Family>,
    instance: CString,
}

enum Handle {
    Counter(NonNull<sys::cmt_counter>),
    Gauge(NonNull<sys::cmt_gauge>),
}

/// A metric with the values of its label.
struct Family {
    functions: MetricFns,
    handle: Handle,
    /// None for a single number.
    labels: Vec<Option<CString>>,
}

// SAFETY: the handles are only used behind the gate, one thread at a time, while the registry lives; the host's own
// threads read and write the same numbers as atomics.
unsafe impl Send for Shown {}

/// Makes `metrics` in the registry of the filter instance `ins`; says why where it can't.
///
/// # Safety
/// `ins` is the host's filter instance in its `cb_init`, on the thread that called it; `config` and `name` are its own.
/// `gate` is closed before its `cb_exit` returns, or its `cb_init` does with an error.
pub(super) unsafe fn show(
    ins: *mut sys::flb_filter_instance,
    config: *mut sys::flb_config,
    plugin: &str,
    metrics: &[Metric],
    gate: &Gate,
) -> Result<Box<dyn Gauges>, String> {
    let host = Host::get();
    let functions = host.needs(&host.metrics).map_err(|refusal| refusal.to_string())?;
    let filter = host.needs(&host.filter).map_err(|refusal| refusal.to_string())?;
    // SAFETY: as the caller promises.
    let name = unsafe { (filter.flb_filter_name)(ins) };
    if name.is_null() {
        return Err("the filter has no name".into());
    }
    // SAFETY: as the caller promises.
    let found = layouts().iter().find_map(|layout| unsafe { layout.find(ins, config, name, plugin) });
    let Some(cmt) = found else {
        return Err(format!("Fluent Bit {} keeps its filters' metrics at an unknown place", host.version()));
    };
    // SAFETY: the instance's own name, NUL-terminated.
    let instance = unsafe { CStr::from_ptr(name) }.to_owned();
    let create = |metric| {
        // SAFETY: the registry of the instance, on the thread that may change it.
        unsafe { Family::create(functions, cmt, metric) }
            .ok_or_else(|| format!("no memory for the metric {}", metric.name))
    };
    let families = metrics.iter().map(create).collect::<Result<_, _>>()?;
    let shown = Shown { gate: gate.clone(), families, instance };
    // Links every label, so that later calls don't.
    shown.set(&vec![0.0; metrics.iter().map(|metric| metric.values.len()).sum()]);
    Ok(Box::new(shown))
}

impl Family {
    /// # Safety
    /// `cmt` is alive, and this thread may change it.
    unsafe fn create(functions: MetricFns, cmt: NonNull<sys::cmt>, metric: &Metric) -> Option<Self> {
        let text = |text: &str| CString::new(text).unwrap_or_default();
        let [space, subsystem, name, help] = [PREFIX, metric.subsystem, metric.name, metric.help].map(text);
        let label = text(metric.label);
        let keys = [c"name".as_ptr(), label.as_ptr()];
        let is_single = metric.label.is_empty();
        let count: c_int = if is_single { 1 } else { 2 };
        let [space, subsystem, name, help] = [&space, &subsystem, &name, &help].map(|text| text.as_ptr());
        // SAFETY: as the caller promises; texts and keys are NUL-terminated, and copied before the call returns.
        let handle = unsafe {
            match metric.kind {
                Kind::Counter => {
                    let create = functions.cmt_counter_create;
                    let made = create(cmt.as_ptr(), space, subsystem, name, help, count, keys.as_ptr());
                    Handle::Counter(NonNull::new(made)?)
                }
                Kind::Gauge => {
                    let create = functions.cmt_gauge_create;
                    let made = create(cmt.as_ptr(), space, subsystem, name, help, count, keys.as_ptr());
                    Handle::Gauge(NonNull::new(made)?)
                }
            }
        };
        let labels = metric.values.iter().map(|value| (!is_single).then(|| text(value))).collect();
        Some(Self { functions, handle, labels })
    }

    /// # Safety
    /// The registry is alive; where the label is new, this thread may change it.
    unsafe fn set(&self, time: u64, instance: &CStr, label: Option<&CStr>, number: f64) {
        let functions = &self.functions;
        let values = [instance.as_ptr(), label.map_or(ptr::null(), CStr::as_ptr)];
        let count: c_int = if label.is_none() { 1 } else { 2 };
        // SAFETY: as the caller promises; the values are NUL-terminated and outlive the call.
        unsafe {
            match &self.handle {
                Handle::Counter(counter) => {
                    (functions.cmt_counter_set)(counter.as_ptr(), time, number, count, values.as_ptr());
                }
                Handle::Gauge(gauge) => {
                    (functions.cmt_gauge_set)(gauge.as_ptr(), time, number, count, values.as_ptr());
                }
            }
        }
    }
}

impl Gauges for Shown {
    fn set(&self, numbers: &[f64]) {
        let time = u64::try_from(since_1970().as_nanos()).unwrap_or_default();
        let mut numbers = numbers.iter();
        let is_open = self.gate.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !*is_open {
            return;
        }
        for family in &self.families {
            for (label, number) in family.labels.iter().zip(numbers.by_ref()) {
                // SAFETY: the gate is open, and stays so for this call: the registry lives. All labels were made in
                // cb_init, when this was called first.
                unsafe { family.set(time, &self.instance, label.as_deref(), *number) };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An instance as `layout` has it, in memory of malloc's.
    struct Instance(*mut u8);

    impl Instance {
        fn new(layout: &Layout, words: &[(usize, usize)]) -> Self {
            // SAFETY: takes no memory of ours; every word lies within the block.
            unsafe {
                let block = libc::calloc(1, layout.config + 8).cast::<u8>();
                words.iter().for_each(|(at, word)| block.byte_add(*at).cast::<usize>().write(*word));
                Self(block)
            }
        }
    }

    impl Drop for Instance {
        fn drop(&mut self) {
            // SAFETY: of calloc, freed once.
            unsafe { libc::free(self.0.cast()) };
        }
    }

    #[test]
    fn a_registry_is_believed_only_where_name_plugin_and_config_stand_in_place() {
        let (config, cmt) = (0x10_0000_usize, 0x20_0000_usize);
        let copy = [ptr::null(), c"kube".as_ptr()];
        for layout in &LAYOUTS {
            let whole = [(layout.plugin, copy.as_ptr() as usize), (layout.cmt, cmt), (layout.config, config)];
            let find = |words: &[(usize, usize)], alias: Option<&CStr>, plugin: &str| {
                let instance = Instance::new(layout, words);
                let own = instance.0.wrapping_add(layout.name).cast_const().cast();
                let name = alias.map_or(own, CStr::as_ptr);
                // SAFETY: a block as large as the layout; the plugin's copy is alive.
                unsafe { layout.find(instance.0.cast(), config as *mut _, name, plugin) }
                    .map(|at| at.as_ptr() as usize)
            };
            assert_eq!(find(&whole, None, "kube"), Some(cmt));
            let alias = c"my filter";
            let with_alias = [&whole[..], &[(layout.alias, alias.as_ptr() as usize)]].concat();
            assert_eq!(find(&with_alias, Some(alias), "kube"), Some(cmt));
            assert_eq!(find(&whole, Some(alias), "kube"), None, "another name");
            assert_eq!(find(&whole, None, "grep"), None, "another plugin");
            let shifted =
                [(layout.plugin, copy.as_ptr() as usize), (layout.cmt, cmt), (layout.config - 8, config)];
            assert_eq!(find(&shifted, None, "kube"), None, "a word less before the config");
            assert_eq!(find(&[(layout.config, config), (layout.cmt, cmt)], None, "kube"), None, "no plugin");
        }
    }
}
