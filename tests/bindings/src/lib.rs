//! The checked-in bindings are what bindgen makes of our header today. Needs libclang; where there is none, the
//! test says so and passes. `BLESS=1 make bindings` writes the file anew.

#![cfg(test)]

use std::{env, fs, io::Write as _, path::Path};

const HEADER: &str = "include/fluent_bit.h";
const BINDINGS: &str = "src/abi/sys.rs";
const OPENING: &str = "//! The host's binary interface: what bindgen makes of `include/fluent_bit.h`. Never edited by hand; see\n\
                       //! `tests/bindings`.";

fn has_libclang() -> bool {
    let folders = [
        "/usr/lib",
        "/usr/lib64",
        "/usr/local/lib",
        "/usr/lib/x86_64-linux-gnu",
        "/usr/lib/aarch64-linux-gnu",
    ];
    let llvm = (10..30).map(|version| format!("/usr/lib/llvm-{version}/lib"));
    let named = env::var("LIBCLANG_PATH").ok();
    folders.iter().map(ToString::to_string).chain(llvm).chain(named).any(|folder| {
        fs::read_dir(folder).is_ok_and(|mut files| {
            files.any(|file| {
                file.is_ok_and(|file| {
                    let name = file.file_name().to_string_lossy().into_owned();
                    name.starts_with("libclang.so") || name.starts_with("libclang-") && !name.contains("cpp")
                })
            })
        })
    })
}

#[test]
fn the_bindings_are_what_bindgen_makes_of_the_header() {
    if !has_libclang() {
        let why = "no libclang here: apt-get install libclang-dev";
        println!("skipped: {why}");
        if let Some(roster) = env::var_os("FLB_KUBE_ROSTER") {
            let mut roster = fs::OpenOptions::new().create(true).append(true).open(roster).unwrap();
            roster.write_all(format!("skipped\tbindings\t{why}\n").as_bytes()).unwrap();
        }
        return;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let made = bindgen::Builder::default()
        .header(root.join(HEADER).to_str().unwrap())
        .allowlist_file(".*fluent_bit.h")
        .use_core()
        .generate_comments(false)
        .default_macro_constant_type(bindgen::MacroTypeVariation::Signed)
        .rust_target(bindgen::RustTarget::stable(85, 0).unwrap_or_else(|_| panic!("a known release")))
        .disable_header_comment()
        .raw_line(OPENING)
        .generate()
        .unwrap()
        .to_string();
    if env::var_os("BLESS").is_some() {
        fs::write(root.join(BINDINGS), &made).unwrap();
    }
    let kept = fs::read_to_string(root.join(BINDINGS)).unwrap();
    assert!(kept == made, "{BINDINGS} is stale: run BLESS=1 make bindings");
}
