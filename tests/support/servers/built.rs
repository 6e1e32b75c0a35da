//! What cargo made together with this program: the shared object and the stand-in host.

use std::{
    env,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

/// The names by which hosts load the one shared object.
pub const FILTER: &str = "flb-filter_kube.so";
pub const INPUT: &str = "flb-in_kube_events.so";
pub const OUTPUT: &str = "out_victorialogs.so";
pub const ALL: [&str; 3] = [FILTER, INPUT, OUTPUT];

/// The shared object under these names, in `folder`.
pub fn links(folder: &Path, names: &[&str]) -> Vec<PathBuf> {
    let object = shared_object();
    let link = |name: &&str| {
        let link = folder.join(name);
        symlink(&object, &link).expect("a link can be made");
        link
    };
    names.iter().map(link).collect()
}

/// The shared object.
pub fn shared_object() -> PathBuf {
    file("deps/libflb_kube.so", "cargo build --lib")
}

/// The stand-in host.
pub fn stand_in_host() -> PathBuf {
    file("examples/stand-in-host", "cargo build --example stand-in-host")
}

/// A file where cargo puts what belongs to this program, which itself lies in `deps` or `examples` there.
pub fn file(path: &str, command: &str) -> PathBuf {
    let program = env::current_exe().expect("this program has a path");
    let file = program.ancestors().nth(2).expect("a folder above").join(path);
    assert!(file.is_file(), "{} is not built: {command}", file.display());
    file
}
