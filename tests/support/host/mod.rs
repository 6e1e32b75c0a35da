//! Hosts that load the plugins: the stand-in as each epoch of releases, and every real Fluent Bit of this machine.
//!
//! Serves the lifecycle tests. Invariant: whatever a test starts runs in a folder of its own, and ends with its value.

mod running;

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Mutex,
        atomic::{AtomicU8, AtomicU32, Ordering},
    },
};

use running::as_user;
pub use running::{Holdings, Running, kill, processes_with};

pub use crate::servers::built::{ALL, FILTER, INPUT, OUTPUT};
use crate::servers::{
    built::{self, links},
    fluent_bit, roster,
};

/// The first release of each epoch: a run of releases with the same struct layouts.
const EPOCHS: [&str; 17] = [
    "2.0.0", "2.0.1", "2.0.7", "2.1.0", "2.2.0", "3.1.0", "3.1.7", "3.2.0", "3.2.2", "3.2.3", "4.0.0",
    "4.0.3", "4.1.0", "4.2.3", "5.0.3", "5.1.0", "5.1.1",
];

/// A program that loads plugins.
#[derive(Debug, Clone)]
pub struct Host {
    program: PathBuf,
    flags: Vec<String>,
    /// What it is, for a test's messages.
    pub name: String,
    pub version: (u32, u32, u32),
    pub is_real: bool,
}

impl Host {
    /// The stand-in as one release.
    pub fn stand_in(version: &str) -> Self {
        let program = built::stand_in_host();
        Self {
            program,
            flags: vec!["--epoch".into(), version.into()],
            name: format!("stand-in {version}"),
            version: numbers(version),
            is_real: false,
        }
    }

    /// The stand-in as each epoch.
    pub fn epochs() -> Vec<Self> {
        EPOCHS.iter().map(|version| Self::stand_in(version)).collect()
    }

    /// Every stock host that this machine has.
    pub fn real() -> Vec<Self> {
        let programs = fluent_bit::programs();
        if programs.is_empty() {
            roster::skipped(
                "lifecycle on Fluent Bit",
                "no fluent-bit in FLUENT_BIT, on PATH or in /opt/fluent-bit*",
            );
        }
        let host = |program: PathBuf| {
            let version = fluent_bit::version(&program);
            roster::real("Fluent Bit", &version);
            let name = format!("Fluent Bit {version}");
            Self { program, flags: Vec::new(), name, version: numbers(&version), is_real: true }
        };
        programs.into_iter().map(host).collect()
    }

    /// All of them.
    pub fn all() -> Vec<Self> {
        roster::stand_in("Fluent Bit", "the test host as all 17 epochs");
        Self::epochs().into_iter().chain(Self::real()).collect()
    }

    /// Those since a release.
    pub fn since(major: u32, minor: u32, patch: u32) -> Vec<Self> {
        Self::all().into_iter().filter(|host| host.version >= (major, minor, patch)).collect()
    }

    /// The oldest and the newest stand-in, and the real ones: for cases that layouts have no part in.
    pub fn few() -> Vec<Self> {
        [Self::stand_in(EPOCHS[0]), Self::stand_in(EPOCHS[16])].into_iter().chain(Self::real()).collect()
    }

    /// With flags of the stand-in's own.
    pub fn with(mut self, flags: &[&str]) -> Self {
        self.flags.extend(flags.iter().map(ToString::to_string));
        self
    }

    /// A start in a folder of its own.
    pub fn start(&self, config: &str) -> Start<'_> {
        Start {
            host: self,
            config: config.to_owned(),
            plugins: ALL.to_vec(),
            environment: Vec::new(),
            files: Vec::new(),
            ending: "conf",
            processes: None,
        }
    }

    /// What it prints about a plugin: `flag` is -i, -F or -o.
    pub fn help(&self, flag: &str, plugin: &str) -> String {
        let folder = tempfile::tempdir().expect("a folder");
        let mut command = Command::new(&self.program);
        command.args(&self.flags);
        for link in links(folder.path(), &ALL) {
            command.arg("-e").arg(link);
        }
        let done = command.args([flag, plugin, "-h"]).output().expect("the host runs");
        String::from_utf8_lossy(&done.stdout).into_owned()
    }
}

/// Users that no machine has, one for each host whose processes are limited.
const FIRST_USER: u32 = 1_000_000;
static NEXT_USER: AtomicU32 = AtomicU32::new(0);

/// Whether the number of a host's processes can be limited here.
pub fn can_limit_processes() -> bool {
    let mut probe = as_user(FIRST_USER);
    let can =
        probe.args(["prlimit", "--nproc=100:4096"]).arg(built::stand_in_host()).arg("--version").output();
    let can = can.is_ok_and(|done| done.status.code().is_some_and(|code| code != 126 && code != 127));
    if !can {
        roster::skipped(
            "hosts without threads",
            "needs root, setpriv, prlimit, and a target folder that others may read",
        );
    }
    can
}

/// A host about to start.
pub struct Start<'a> {
    host: &'a Host,
    config: String,
    plugins: Vec<&'a str>,
    environment: Vec<(String, String)>,
    files: Vec<(&'a str, &'a str)>,
    ending: &'static str,
    /// Its user, and how many processes that may have.
    processes: Option<(u32, usize)>,
}

impl<'a> Start<'a> {
    /// Loads these plugins only.
    pub fn plugins(mut self, plugins: &[&'a str]) -> Self {
        self.plugins = plugins.to_vec();
        self
    }

    /// Sets a variable of its environment.
    pub fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Puts a file into the host's folder.
    pub fn file(mut self, name: &'a str, text: &'a str) -> Self {
        self.files.push((name, text));
        self
    }

    /// The configuration is YAML.
    pub fn yaml(mut self) -> Self {
        self.ending = "yaml";
        self
    }

    /// Runs it as a user of its own, who may have so many processes and threads: no such limit binds root, and the limit
    /// counts all that a user has.
    pub fn processes(mut self, limit: usize) -> Self {
        let user = FIRST_USER + std::process::id() % 5_000 * 100 + NEXT_USER.fetch_add(1, Ordering::Relaxed);
        self.processes = Some((user, limit));
        self
    }

    /// Starts it. `FOLDER` in the configuration stands for the host's own folder.
    pub fn run(self) -> Running {
        self.run_with(|_, config| config)
    }

    /// Starts it after `prepare` has furnished its folder and finished the configuration.
    pub fn run_with(self, prepare: impl FnOnce(&Path, String) -> String) -> Running {
        let folder = tempfile::tempdir().expect("a folder");
        let mut command = Command::new(&self.host.program);
        if let Some((user, limit)) = self.processes {
            fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).expect("it is ours");
            command = as_user(user);
            command.args(["prlimit", &format!("--nproc={limit}:4096")]).arg(&self.host.program);
        }
        for (name, text) in self.files {
            fs::write(folder.path().join(name), text).expect("a file can be written");
        }
        let config = folder.path().join(format!("fluent-bit.{}", self.ending));
        let text = self.config.replace("FOLDER", &folder.path().display().to_string());
        fs::write(&config, prepare(folder.path(), text)).expect("a file can be written");
        command.args(&self.host.flags);
        for link in links(folder.path(), &self.plugins) {
            command.arg("-e").arg(link);
        }
        if self.host.is_real && self.host.version >= (2, 1, 0) {
            command.arg("-Y");
        }
        command.arg("-c").arg(config).current_dir(folder.path()).envs(self.environment);
        let user = self.processes.map_or(0, |(user, _)| user);
        Running::start(&self.host.name, user, &mut command, folder)
    }
}

/// An address on this machine that no other test is given, also by another process at the same time.
pub fn address_of_ones_own() -> SocketAddr {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    let process = std::process::id();
    let [_, _, high, low] = process.to_be_bytes();
    let ip = Ipv4Addr::new(127, high.max(1), low, NEXT.fetch_add(1, Ordering::Relaxed).max(1));
    (ip, 20_021).into()
}

/// Runs `case` for each host, some at a time; names the host where it fails.
pub fn each(hosts: Vec<Host>, case: impl Fn(&Host) + Sync) {
    const AT_ONCE: usize = 4;
    let queue = Mutex::new(hosts.into_iter());
    std::thread::scope(|scope| {
        let work = || {
            loop {
                let next = queue.lock().expect("no host panics under this lock").next();
                match next {
                    Some(host) => case(&host),
                    None => return,
                }
            }
        };
        let threads: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(work)).collect();
        for thread in threads {
            if let Err(panic) = thread.join() {
                std::panic::resume_unwind(panic);
            }
        }
    });
}

fn numbers(version: &str) -> (u32, u32, u32) {
    let mut numbers = version.split(['.', '-']).map(|number| number.parse().unwrap_or(0));
    let mut next = || numbers.next().unwrap_or(0);
    (next(), next(), next())
}
