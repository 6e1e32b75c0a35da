//! Config maps: read in the release's stride until the name is NULL, checked against, and shown as help.

use std::{
    ffi::{CStr, c_char, c_void},
    fmt::Write,
};

use crate::sys;

/// A row.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) name: String,
    kind: i32,
    default: Option<String>,
    description: String,
    multiple: bool,
}

const MULTIPLE: i32 = 1;

/// Reads a map; `None` where the plugin gives none, and so takes any key.
///
/// # Safety
/// `map` is NULL or an array of rows of `stride` bytes that ends with one whose name is NULL.
pub(crate) unsafe fn read(map: *const c_void, stride: usize) -> Option<Vec<Row>> {
    if map.is_null() {
        return None;
    }
    let mut rows = Vec::new();
    loop {
        // SAFETY: as the caller promises; the fields in front of the host's own are the same in both strides.
        unsafe {
            let row = &*map.byte_add(stride * rows.len()).cast::<sys::flb_config_map_96>();
            let Some(name) = text(row.name) else { return Some(rows) };
            rows.push(Row {
                name,
                kind: row.type_,
                default: text(row.def_value),
                description: text(row.desc).unwrap_or_default(),
                multiple: row.flags & MULTIPLE != 0,
            });
        }
    }
}

/// # Safety
/// `text` is NULL or a C string.
pub(crate) unsafe fn text(text: *const c_char) -> Option<String> {
    // SAFETY: as the caller promises.
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned())
}

/// Refuses keys that no row has, and keys given twice that a row allows once.
pub(crate) fn check<'a>(
    plugin: &str,
    rows: &[Row],
    keys: impl Iterator<Item = &'a str>,
) -> Result<(), String> {
    let mut seen: Vec<&str> = Vec::new();
    for key in keys {
        let Some(row) = rows.iter().find(|row| row.name.eq_ignore_ascii_case(key)) else {
            return Err(format!("{plugin}: unknown configuration property '{key}'. {}", allowed(rows)));
        };
        if !row.multiple && seen.iter().any(|other| other.eq_ignore_ascii_case(key)) {
            return Err(format!("{plugin}: configuration property '{key}' is set more than once"));
        }
        seen.push(key);
    }
    Ok(())
}

fn allowed(rows: &[Row]) -> String {
    let names: Vec<&str> = rows.iter().map(|row| row.name.as_str()).collect();
    let names = match names.split_last() {
        Some((last, front)) if !front.is_empty() => format!("{}, and {last}", front.join(", ")),
        _ => names.join(""),
    };
    format!("The following properties are allowed: {names}.")
}

/// The text of `-h`.
pub(crate) fn help(name: &str, kind: &str, description: &str, rows: Option<&[Row]>) -> String {
    let mut text = format!("HELP\n{name} {kind} plugin\n\nDESCRIPTION\n{description}\n\nOPTIONS\n");
    for row in rows.unwrap_or_default() {
        let default = row.default.as_deref().filter(|default| !default.is_empty()).unwrap_or("none");
        // Writing into a String never fails.
        let _ = writeln!(text, "{:<24}{}", row.name, row.description);
        let _ = writeln!(text, "{:<24}> default: {default}, type: {}\n", "", word(row.kind));
    }
    text
}

fn word(kind: i32) -> &'static str {
    match kind {
        sys::FLB_CONFIG_MAP_STR => "string",
        sys::FLB_CONFIG_MAP_INT => "integer",
        sys::FLB_CONFIG_MAP_BOOL => "boolean",
        sys::FLB_CONFIG_MAP_SIZE => "size",
        sys::FLB_CONFIG_MAP_TIME => "time",
        _ => "other",
    }
}
