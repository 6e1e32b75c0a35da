//! A host that loads the plugins: a stock Fluent Bit, or the stand-in.

use std::{
    env, fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use super::servers::{fluent_bit, process::Process, roster};

/// The names by which hosts load the one shared object.
const PLUGINS: [&str; 3] = ["flb-filter_kube.so", "flb-in_kube_events.so", "out_victorialogs.so"];

/// A program that loads plugins.
#[derive(Debug, Clone)]
pub(crate) enum Host {
    /// `fluent-bit`.
    Real(PathBuf),
    /// The test host, made beside this program.
    StandIn(PathBuf),
}

impl Host {
    /// Every stock host that this machine has.
    pub(crate) fn real() -> Vec<Self> {
        fluent_bit::programs().into_iter().map(Self::Real).collect()
    }

    /// The stand-in.
    pub(crate) fn stand_in() -> Self {
        let program = built().join("examples/stand-in-host");
        assert!(program.is_file(), "not built: cargo build --example stand-in-host");
        Self::StandIn(program)
    }

    /// What it is, with its version.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Real(program) => format!("Fluent Bit {}", fluent_bit::version(program)),
            Self::StandIn(_) => "the stand-in host".to_owned(),
        }
    }

    /// Starts it in `folder` with the plugins and what `config` says beyond that.
    pub(crate) fn start(&self, folder: &Path, config: &str) -> Process {
        let program = match self {
            Self::Real(program) => {
                roster::real("Fluent Bit", fluent_bit::version(program));
                program
            }
            Self::StandIn(program) => {
                roster::stand_in("Fluent Bit", "the test host");
                program
            }
        };
        let main = folder.join("fluent-bit.conf");
        let list = folder.join("plugins.conf");
        let paths: String =
            links(folder).iter().map(|link| format!("    Path {}\n", link.display())).collect();
        fs::write(&list, format!("[PLUGINS]\n{paths}")).expect("a file can be written");
        fs::write(&main, config).expect("a file can be written");
        let mut command = Command::new(program);
        command.arg("-c").arg(&main).current_dir(folder);
        Process::start_in(&self.name(), &mut command, &folder.join("host.log"), Some(folder))
    }
}

/// The shared object under the three names, in `folder`.
fn links(folder: &Path) -> [PathBuf; 3] {
    let object = built().join("deps/libflb_kube.so");
    assert!(object.is_file(), "not built: cargo build --lib");
    PLUGINS.map(|name| {
        let link = folder.join(name);
        symlink(&object, &link).expect("a link can be made");
        link
    })
}

/// Where cargo puts what belongs to this program: it lies in `deps` or `examples` there.
fn built() -> PathBuf {
    let program = env::current_exe().expect("this program has a path");
    program.ancestors().nth(2).expect("a folder above").to_owned()
}
