//! The real hosts of this machine.
//!
//! Serves every test that runs on a stock Fluent Bit.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use super::on_path;

/// Every `fluent-bit` that is found: in the list FLUENT_BIT, on PATH, and where the vendor's packages install it,
/// the newest of those first.
pub fn programs() -> Vec<PathBuf> {
    let listed = env::var_os("FLUENT_BIT").filter(|list| !list.is_empty());
    let mut found: Vec<PathBuf> = listed.iter().flat_map(env::split_paths).collect();
    for path in &found {
        assert!(path.is_file(), "FLUENT_BIT names {}, which is no file", path.display());
    }
    found.extend(on_path("fluent-bit"));
    let opt = fs::read_dir("/opt").into_iter().flatten().flatten().map(|entry| entry.path());
    let mut installed: Vec<PathBuf> = opt
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("fluent-bit")))
        .map(|path| path.join("bin/fluent-bit"))
        .filter(|path| path.is_file())
        .collect();
    installed.sort();
    installed.reverse();
    found.extend(installed);
    let mut seen = Vec::new();
    found.retain(|path| {
        let real = fs::canonicalize(path).unwrap_or_else(|_| path.clone());
        let new = !seen.contains(&real);
        seen.push(real);
        new
    });
    found
}

/// Which version `program` is.
pub fn version(program: &Path) -> String {
    super::version(program, "--version")
}
