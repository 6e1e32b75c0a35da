//! A host that loads the plugins: a stock Fluent Bit, or the stand-in.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::servers::{built, fluent_bit, process::Process, roster};

/// A program that loads plugins.
#[derive(Debug, Clone)]
pub enum Host {
    /// `fluent-bit`.
    Real(PathBuf),
    /// The test host, made beside this program.
    StandIn(PathBuf),
}

impl Host {
    /// Every stock host that this machine has.
    pub fn real() -> Vec<Self> {
        fluent_bit::programs().into_iter().map(Self::Real).collect()
    }

    /// The stand-in.
    pub fn stand_in() -> Self {
        Self::StandIn(built::stand_in_host())
    }

    /// What it is, with its version.
    pub fn name(&self) -> String {
        match self {
            Self::Real(program) => format!("Fluent Bit {}", fluent_bit::version(program)),
            Self::StandIn(_) => "the stand-in host".to_owned(),
        }
    }

    /// Starts it in `folder` with the plugins and what `config` says beyond that.
    pub fn start(&self, folder: &Path, config: &str) -> Process {
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
        let paths: String = built::links(folder, &built::ALL)
            .iter()
            .map(|link| format!("    Path {}\n", link.display()))
            .collect();
        fs::write(&list, format!("[PLUGINS]\n{paths}")).expect("a file can be written");
        fs::write(&main, config).expect("a file can be written");
        let mut command = Command::new(program);
        command.arg("-c").arg(&main).current_dir(folder);
        Process::start_in(&self.name(), &mut command, &folder.join("host.log"), Some(folder))
    }
}
