//! What the shared object shows to the loader: the names that a host looks for and no other, nothing of the C
//! libraries inside, no glibc newer than the oldest image's.

#![allow(clippy::unwrap_used, clippy::panic, reason = "that is how a test fails")]

use std::{env, fs};

use object::{
    Endianness, Object as _, ObjectSymbol as _,
    elf::{DF_1_NODELETE, DT_FLAGS_1, DT_NEEDED, FileHeader64},
    read::elf::{Dyn as _, ElfFile64, FileHeader as _},
};

/// What hosts look for.
const EXPORTED: [&str; 8] = [
    "FLBPluginExit",
    "FLBPluginExitCtx",
    "FLBPluginFlushCtx",
    "FLBPluginInit",
    "FLBPluginOutputPreRun",
    "FLBPluginRegister",
    "filter_kube_plugin",
    "in_kube_events_plugin",
];
/// glibc of Debian 11, on which the images of Fluent Bit until 3.0.6 stand.
const FLOOR: (u32, u32) = (2, 31);
/// What every image of Fluent Bit has.
const NEEDED: [&str; 6] =
    ["libc.so.6", "libm.so.6", "libgcc_s.so.1", "libpthread.so.0", "libdl.so.2", "ld-linux"];
/// The prefixes of C libraries that are linked in, and of the host's own functions.
const FOREIGN: [&str; 6] = ["sqlite3", "ZSTD_", "HUF_", "ring_core", "flb_", "cmt_"];

fn bytes() -> Vec<u8> {
    let program = env::current_exe().unwrap();
    let object = program.ancestors().nth(2).unwrap().join("deps/libflb_kube.so");
    fs::read(&object).unwrap_or_else(|error| panic!("{}: {error}", object.display()))
}

fn defined(elf: &ElfFile64<'_>) -> Vec<(String, u64)> {
    let symbols = elf.dynamic_symbols().filter(|symbol| symbol.is_definition() && symbol.is_global());
    let mut found: Vec<_> =
        symbols.map(|symbol| (symbol.name().unwrap().to_owned(), symbol.size())).collect();
    found.sort();
    found
}

#[test]
fn exactly_the_names_that_hosts_look_for_are_exported() {
    let bytes = bytes();
    let names: Vec<String> =
        defined(&ElfFile64::parse(&*bytes).unwrap()).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, EXPORTED);
}

#[test]
fn the_plugin_structs_are_larger_than_any_release_copies() {
    let bytes = bytes();
    for (name, size) in defined(&ElfFile64::parse(&*bytes).unwrap()) {
        assert!(!name.ends_with("_plugin") || size >= 512, "{name} has {size} bytes");
    }
}

#[test]
fn the_c_libraries_inside_neither_give_nor_take_symbols_outside() {
    let bytes = bytes();
    let elf: ElfFile64<'_> = ElfFile64::parse(&*bytes).unwrap();
    for symbol in elf.dynamic_symbols() {
        let name = symbol.name().unwrap();
        assert!(!FOREIGN.iter().any(|prefix| name.starts_with(prefix)), "{name} is a dynamic symbol");
    }
}

#[test]
fn no_function_of_a_newer_glibc_is_needed() {
    let bytes = bytes();
    let elf: ElfFile64<'_> = ElfFile64::parse(&*bytes).unwrap();
    let endian = elf.endian();
    let (mut needs, strings) = elf.elf_section_table().gnu_verneed(endian, &*bytes).unwrap().unwrap();
    let strings = elf.elf_section_table().strings(endian, &*bytes, strings).unwrap();
    let mut versions = Vec::new();
    while let Some((_, mut auxiliary)) = needs.next().unwrap() {
        while let Some(version) = auxiliary.next().unwrap() {
            versions.push(String::from_utf8_lossy(version.name(endian, strings).unwrap()).into_owned());
        }
    }
    let glibc: Vec<_> = versions.iter().filter_map(|version| version.strip_prefix("GLIBC_")).collect();
    assert!(!glibc.is_empty(), "{versions:?}");
    for version in glibc {
        let mut numbers = version.split('.').map(|number| number.parse::<u32>().unwrap());
        let number = (numbers.next().unwrap(), numbers.next().unwrap());
        assert!(number <= FLOOR, "GLIBC_{version} is needed");
    }
}

#[test]
fn the_object_stays_loaded_and_needs_only_what_every_image_has() {
    let bytes = bytes();
    let header = FileHeader64::<Endianness>::parse(&*bytes).unwrap();
    let endian = header.endian().unwrap();
    let sections = header.sections(endian, &*bytes).unwrap();
    let (entries, strings) = sections.dynamic(endian, &*bytes).unwrap().unwrap();
    let strings = sections.strings(endian, &*bytes, strings).unwrap();
    let mut stays = false;
    for entry in entries {
        if entry.tag32(endian).map(i64::from) == Some(DT_FLAGS_1) {
            stays = entry.val32(endian).unwrap() & DF_1_NODELETE != 0;
        }
        if entry.tag32(endian).map(i64::from) == Some(DT_NEEDED) {
            let name = String::from_utf8_lossy(entry.string(endian, strings).unwrap()).into_owned();
            assert!(NEEDED.iter().any(|known| name.starts_with(known)), "{name} is needed");
        }
    }
    assert!(stays, "without NODELETE a host unmaps code that threads still run");
}
