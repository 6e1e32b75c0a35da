//! Links the shared object so that it stays loaded once loaded, keeps its C libraries to itself, and asks for no
//! glibc newer than 2.31. No code is generated at build time: `src/abi/sys.rs` is checked in.

use std::{env, fs};

const FLOOR: &str = "src/abi/glibc_floor.c";
const ZSTD_TRACE: &str = "src/abi/zstd_trace.c";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={FLOOR}");
    println!("cargo::rerun-if-changed={ZSTD_TRACE}");
    for option in ["-z,nodelete", "-Bsymbolic", "-z,relro", "-z,now"] {
        println!("cargo::rustc-cdylib-link-arg=-Wl,{option}");
    }
    // What a fuzzer's instruments call is in the program that links the library, not in the shared object beside it.
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    if !flags.contains("sanitizer-coverage") {
        println!("cargo::rustc-cdylib-link-arg=-Wl,-z,defs");
    }
    link(ZSTD_TRACE);
    let target = |key: &str| env::var(format!("CARGO_CFG_TARGET_{key}")).unwrap_or_default();
    if target("ENV") == "gnu" && matches!(target("ARCH").as_str(), "x86_64" | "aarch64") {
        hold_the_glibc_floor();
    }
}

/// Sends the calls of every function that the C file wraps through it.
fn hold_the_glibc_floor() {
    link(FLOOR);
    let source = fs::read_to_string(FLOOR).expect("the file is beside this one");
    let bound = source.lines().filter_map(|line| line.strip_prefix("BIND(")?.split(", ").nth(2));
    let defined = source
        .lines()
        .filter(|line| line.ends_with('}'))
        .filter_map(|line| line.strip_prefix("int __wrap_")?.split('(').next());
    for name in bound.chain(defined) {
        println!("cargo::rustc-cdylib-link-arg=-Wl,--wrap={name}");
    }
}

/// Compiles a C file into the shared object.
fn link(file: &str) {
    let objects = cc::Build::new().file(file).opt_level(2).cargo_metadata(false).compile_intermediates();
    for object in objects {
        println!("cargo::rustc-cdylib-link-arg={}", object.display());
    }
}
