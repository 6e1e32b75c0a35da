//! Option rows as the host's config map: so that the host checks keys and prints help.

use std::ffi::{CString, c_char, c_int};

use super::sys;
use crate::options::{Kind, OptionSpec};

/// A row in the host's layout; the two differ in the room that the host keeps for itself.
macro_rules! layout {
    ($layout:ident, $words:literal) => {
        |row: Row| sys::$layout {
            type_: row.kind,
            name: row.name,
            def_value: row.default,
            flags: row.flags,
            set_property: 0,
            offset: 0,
            desc: row.doc,
            host_owned: [0; $words],
        }
    };
}

/// Makes the map of `specs` in the host's stride. It is never freed: the host may read it as long as we are loaded.
pub(super) fn leak(specs: &[OptionSpec], wide: bool) -> *mut libc::c_void {
    if wide {
        leak_rows(specs, layout!(flb_config_map_104, 7))
    } else {
        leak_rows(specs, layout!(flb_config_map_96, 6))
    }
}

struct Row {
    kind: c_int,
    flags: c_int,
    name: *const c_char,
    default: *const c_char,
    doc: *const c_char,
}

fn leak_rows<R>(specs: &[OptionSpec], row: impl Fn(Row) -> R) -> *mut libc::c_void {
    let end = OptionSpec::NONE;
    let rows: Vec<R> = specs.iter().chain([&end]).map(|spec| row(Row::new(spec))).collect();
    Box::leak(rows.into_boxed_slice()).as_mut_ptr().cast()
}

impl Row {
    fn new(spec: &OptionSpec) -> Self {
        Self {
            kind: match spec.kind {
                Kind::Text | Kind::List | Kind::Lines => sys::FLB_CONFIG_MAP_STR,
                Kind::Integer => sys::FLB_CONFIG_MAP_INT,
                Kind::Bool => sys::FLB_CONFIG_MAP_BOOL,
                Kind::Time => sys::FLB_CONFIG_MAP_TIME,
                Kind::Size => sys::FLB_CONFIG_MAP_SIZE,
            },
            flags: if spec.kind.separator().is_some() { sys::FLB_CONFIG_MAP_MULT } else { 0 },
            name: leak_text(spec.key),
            default: leak_text(spec.default),
            doc: leak_text(spec.doc.trim()),
        }
    }
}

/// A C string that lives for ever; NULL for an empty one.
fn leak_text(text: &str) -> *const c_char {
    match CString::new(text) {
        Ok(text) if !text.is_empty() => text.into_raw(),
        _ => std::ptr::null(),
    }
}
