//! The shim between plugins and this host: a shared object compiled for one release, since symbols, their sizes and a
//! variadic function are what Rust can't vary at run time. `shim.c` states the other half.
//!
//! Invariant: it is loaded and connected before any plugin, and stays until the process ends.

use std::{
    env,
    ffi::{CString, c_char, c_int, c_long, c_void},
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
    process::Command,
};

use crate::{instance, library::Library, metrics, release::Release, state, sys};

const SHIM: &str = include_str!("shim.c");
const HEADER: &str = include_str!("../../../include/fluent_bit.h");

/// `struct stand_in_calls`.
#[repr(C)]
struct Calls {
    version: *const c_char,
    get_property: unsafe extern "C" fn(*const c_char, *mut c_void) -> *const c_char,
    name: unsafe extern "C" fn(*mut c_void) -> *const c_char,
    set_context: unsafe extern "C" fn(*mut c_void, *mut c_void),
    set_property: unsafe extern "C" fn(*mut c_void, *const c_char, *const c_char) -> c_int,
    enable_threads: unsafe extern "C" fn(*mut c_void) -> c_int,
    log_check: unsafe extern "C" fn(*mut c_void, c_int) -> c_int,
    collect_by_time: unsafe extern "C" fn(*mut c_void, sys::flb_input_cb, c_long, c_long) -> c_int,
    collect_by_event: unsafe extern "C" fn(*mut c_void, sys::flb_input_cb, c_int) -> c_int,
    append: unsafe extern "C" fn(*mut c_void, usize, *const c_char, usize, *const c_void, usize) -> c_int,
    print: unsafe extern "C" fn(c_int, *const c_char, usize),
    worker: extern "C" fn() -> *mut c_void,
    worker_log_level: extern "C" fn() -> c_int,
    parser: unsafe extern "C" fn(*const c_char) -> *mut c_void,
    parse: unsafe extern "C" fn(
        *mut c_void,
        *const c_char,
        usize,
        *mut *mut c_void,
        *mut usize,
        *mut sys::flb_time,
    ) -> c_int,
}

/// What a test may have broken.
#[derive(Debug, Clone, Default, Hash)]
pub(crate) struct Faults {
    /// Symbols that the host lacks.
    pub(crate) without: Vec<String>,
    /// Sizes that no release has: `filter=96`.
    pub(crate) sizes: Vec<(String, usize)>,
    /// Structs of the known sizes whose fields changed places.
    pub(crate) swapped: bool,
}

/// Compiles (once), loads and connects the shim; answers with the address of its `flb_log_print`.
pub(crate) fn load(release: &Release, faults: &Faults) -> Result<usize, String> {
    let path = compile(release, faults)?;
    let library = Library::open_global(&path)?;
    // Never freed: plugins read it until the process ends.
    let version = CString::new(release.version.to_string()).map_err(|error| error.to_string())?.into_raw();
    let calls = Calls {
        version,
        get_property: instance::get_property,
        name: instance::name,
        set_context: instance::set_context,
        set_property: instance::set_property,
        enable_threads: instance::enable_threads,
        log_check: instance::log_check,
        collect_by_time: instance::collect_by_time,
        collect_by_event: instance::collect_by_event,
        append: instance::append,
        print: state::print,
        worker: state::worker,
        worker_log_level: state::worker_log_level,
        parser: state::parser,
        parse: state::parse,
    };
    // SAFETY: all functions are in the shim that was compiled from the text above, with these types.
    unsafe {
        metrics::connect(
            library.function("stand_in_metrics_create")?,
            library.function("stand_in_metrics_destroy")?,
            library.function("stand_in_metrics_text")?,
        );
        let connect: extern "C" fn(*const Calls) = library.function("stand_in_connect")?;
        connect(&calls);
        let log_print: extern "C" fn() -> usize = library.function("stand_in_log_print")?;
        Ok(log_print())
    }
}

/// The folder of compiled shims: beside this program, so that it goes with `target/`.
fn folder() -> Result<PathBuf, String> {
    let program = env::current_exe().map_err(|error| format!("where am I: {error}"))?;
    Ok(program.with_extension("shims"))
}

fn compile(release: &Release, faults: &Faults) -> Result<PathBuf, String> {
    let flags = flags(release, faults);
    let mut hasher = DefaultHasher::new();
    (SHIM, HEADER, &flags).hash(&mut hasher);
    let folder = folder()?;
    let made = folder.join(format!("{}-{:016x}.so", release.version, hasher.finish()));
    if made.exists() {
        return Ok(made);
    }
    let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
    fs::create_dir_all(&folder).map_err(failed)?;
    let work = tempfile::tempdir_in(&folder).map_err(failed)?;
    fs::write(work.path().join("shim.c"), SHIM).map_err(failed)?;
    fs::write(work.path().join("fluent_bit.h"), HEADER).map_err(failed)?;
    run_compiler(work.path(), &flags)?;
    // Renaming makes it whole for whoever compiles the same one at this moment.
    fs::rename(work.path().join("shim.so"), &made).map_err(failed)?;
    Ok(made)
}

fn flags(release: &Release, faults: &Faults) -> Vec<String> {
    let epoch = &release.epoch;
    let mut sizes = [
        ("filter", epoch.filter),
        ("input", epoch.input),
        ("output", epoch.output),
        ("custom", epoch.custom),
        ("processor", epoch.processor),
    ];
    for (kind, size) in &mut sizes {
        if let Some((_, wrong)) = faults.sizes.iter().find(|(name, _)| name == kind) {
            *size = *wrong;
        }
    }
    let mut flags = vec![
        format!("-DRELEASE={}", release.version.number()),
        format!("-DSTAND_IN_HOT_RELOAD={}", state::HOT_RELOAD),
    ];
    flags.extend(faults.swapped.then(|| "-DSWAPPED".to_owned()));
    flags.extend(sizes.map(|(kind, size)| format!("-D{}_SIZE={size}", kind.to_uppercase())));
    flags.extend(faults.without.iter().map(|symbol| format!("-D{symbol}=withheld_{symbol}")));
    flags
}

fn run_compiler(folder: &Path, flags: &[String]) -> Result<(), String> {
    let compiler = env::var("CC").unwrap_or_else(|_| "cc".into());
    let done = Command::new(&compiler)
        .args(["-std=c11", "-Wall", "-shared", "-fPIC", "-O1"])
        .args(flags)
        .args(["shim.c", "-o", "shim.so"])
        .current_dir(folder)
        .output()
        .map_err(|error| format!("the stand-in host needs a C compiler: {compiler}: {error}"))?;
    if done.status.success() {
        return Ok(());
    }
    Err(format!("{compiler} can't compile the shim: {}", String::from_utf8_lossy(&done.stderr)))
}
