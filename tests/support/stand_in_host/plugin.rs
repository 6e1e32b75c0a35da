//! Plugins as files: which symbol a file name asks for, and the struct behind it, copied with the release's own size.
//!
//! Invariant: nothing of a plugin's struct is read but from the copy, as the real host does.

use std::{ffi::c_int, path::Path};

use crate::{
    config_map::{self, Row},
    instance::Kind,
    library::Library,
    proxy::Proxy,
    release::Release,
    sys,
};

/// A filter's table, whatever its layout.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FilterTable {
    pub(crate) init: sys::flb_filter_cb_init,
    pub(crate) filter: sys::flb_filter_cb_filter,
    pub(crate) exit: sys::flb_cb_exit,
}

/// An input's table, whatever its layout.
#[derive(Debug, Clone, Copy)]
pub(crate) struct InputTable {
    pub(crate) flags: c_int,
    pub(crate) init: sys::flb_input_cb,
    pub(crate) pre_run: sys::flb_input_cb,
    pub(crate) pause: sys::flb_input_cb_pause,
    pub(crate) resume: sys::flb_input_cb_pause,
    pub(crate) pre_exit: sys::flb_input_cb_pause,
    pub(crate) exit: sys::flb_cb_exit,
}

/// What a plugin is, beyond its name.
pub(crate) enum Body {
    Filter(FilterTable),
    Input(InputTable),
    Output(Proxy),
}

/// A loaded plugin.
pub(crate) struct Plugin {
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) rows: Option<Vec<Row>>,
    pub(crate) body: Body,
    library: Library,
}

impl Plugin {
    /// Loads a file. A name that starts with `flb-` says which symbol to take; any other is a proxied plugin.
    pub(crate) fn load(
        path: &Path,
        release: &Release,
        log_print: usize,
        reloading: bool,
    ) -> Result<Self, String> {
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let stem = file.strip_suffix(".so").ok_or(format!("{file}: a plugin's name ends with .so"))?;
        // dlopen looks for a name without a slash in the system's folders.
        let path = if path.components().count() > 1 { path.to_owned() } else { Path::new(".").join(path) };
        let library = Library::open(&path)?;
        let Some(name) = stem.strip_prefix("flb-") else {
            return Proxy::register(library, release, log_print, reloading)
                .map_err(|why| format!("{file}: {why}"));
        };
        let symbol = format!("{name}_plugin");
        let address = library.symbol(&symbol).ok_or(format!("{file}: no symbol '{symbol}'"))?;
        // SAFETY: the plugin says by its symbol's name what stands there: at least as many bytes as the layout has.
        unsafe {
            match name.split_once('_').map(|(kind, _)| kind) {
                Some("filter") => Ok(Self::filter(address.as_ptr().cast(), release, library)),
                Some("in") => Ok(Self::input(address.as_ptr().cast(), release, library)),
                _ => Err(format!("{file}: this host loads flb-filter_NAME.so and flb-in_NAME.so")),
            }
        }
    }

    /// # Safety
    /// `address` has a filter's struct in the release's layout.
    unsafe fn filter(address: *const u8, release: &Release, library: Library) -> Self {
        macro_rules! table {
            ($layout:ty) => {{
                // SAFETY: as the caller promises; the layout has the release's size.
                let copy = unsafe { address.cast::<$layout>().read_unaligned() };
                let table = FilterTable { init: copy.cb_init, filter: copy.cb_filter, exit: copy.cb_exit };
                (copy.name, copy.description, copy.config_map, Body::Filter(table))
            }};
        }
        let front = match release.epoch.filter {
            72 => table!(sys::flb_filter_plugin_72),
            80 => table!(sys::flb_filter_plugin_80),
            _ => table!(sys::flb_filter_plugin_88),
        };
        // SAFETY: as the caller promises.
        unsafe { Self::from_front(front, release, library) }
    }

    /// # Safety
    /// `address` has an input's struct in the release's layout.
    unsafe fn input(address: *const u8, release: &Release, library: Library) -> Self {
        macro_rules! table {
            ($layout:ty, $copy:ident => $pre_exit:expr) => {{
                // SAFETY: as the caller promises; the layout has the release's size.
                let $copy = unsafe { address.cast::<$layout>().read_unaligned() };
                let table = InputTable {
                    flags: $copy.flags,
                    init: $copy.cb_init,
                    pre_run: $copy.cb_pre_run,
                    pause: $copy.cb_pause,
                    resume: $copy.cb_resume,
                    pre_exit: $pre_exit,
                    exit: $copy.cb_exit,
                };
                ($copy.name, $copy.description, $copy.config_map, Body::Input(table))
            }};
        }
        let front = match release.epoch.input {
            144 => table!(sys::flb_input_plugin_144, copy => None),
            152 => table!(sys::flb_input_plugin_152, copy => None),
            160 => table!(sys::flb_input_plugin_160, copy => None),
            208 => table!(sys::flb_input_plugin_208, copy => None),
            _ => table!(sys::flb_input_plugin_232, copy => copy.cb_pre_exit),
        };
        // SAFETY: as the caller promises.
        unsafe { Self::from_front(front, release, library) }
    }

    /// # Safety
    /// Name, description and config map are what a plugin's struct may have there.
    unsafe fn from_front(front: Front, release: &Release, library: Library) -> Self {
        let (name, description, map, body) = front;
        // SAFETY: as the caller promises.
        unsafe {
            Self {
                name: config_map::text(name).unwrap_or_default(),
                description: config_map::text(description).unwrap_or_default(),
                rows: config_map::read(map, release.epoch.config_map),
                body,
                library,
            }
        }
    }

    pub(crate) fn proxied(
        proxy: Proxy,
        name: String,
        description: String,
        rows: Option<Vec<Row>>,
        library: Library,
    ) -> Self {
        Self { name, description, rows, body: Body::Output(proxy), library }
    }

    pub(crate) fn kind(&self) -> Kind {
        match self.body {
            Body::Filter(_) => Kind::Filter,
            Body::Input(_) => Kind::Input,
            Body::Output(_) => Kind::Output,
        }
    }

    /// Ends the plugin with its file, after its last instance.
    pub(crate) fn unload(self) {
        if let Body::Output(proxy) = &self.body {
            proxy.unregister();
        }
        self.library.close();
    }
}

type Front = (*const std::ffi::c_char, *const std::ffi::c_char, *mut std::ffi::c_void, Body);
