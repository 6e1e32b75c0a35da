//! The real parts of the tests: Fluent Bit, VictoriaLogs, etcd and kube-apiserver as programs of this machine.
//!
//! Serves the end-to-end tests and the demo. A part is found where its variable says, where `make servers` puts it, or
//! on PATH; it runs on loopback with a throw-away folder, and ends with its value or with this
//! process, whichever is first. What took part and what was skipped goes to the roster.

pub mod api;
pub mod built;
pub mod fluent_bit;
pub mod kubernetes;
pub mod process;
pub mod roster;
pub mod victoria_logs;

use std::{
    env,
    net::{Ipv4Addr, TcpListener},
    os::{
        linux::net::SocketAddrExt as _,
        unix::net::{SocketAddr as UnixAddress, UnixListener},
    },
    path::{Path, PathBuf},
    process::Command,
    sync::Mutex,
    time::{Duration, Instant},
};

/// How long a server may take to start, on a machine that is busy with other tests.
pub const START_LIMIT: Duration = Duration::from_secs(120);

/// Finds `program`: where `variable` says, what `make servers` built, else on PATH.
pub fn find(variable: &str, program: &str) -> Option<PathBuf> {
    if let Some(path) = env::var_os(variable).filter(|path| !path.is_empty()) {
        let path = PathBuf::from(path);
        assert!(path.is_file(), "{variable} says {}, which is no file", path.display());
        return Some(path);
    }
    let built = crate::root().join("tests/servers/bin").join(program);
    if built.is_file() { Some(built) } else { on_path(program) }
}

fn on_path(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// A port of 127.0.0.1 for a program that can't be told to choose one and say which. It is of a range from which the
/// system gives none by itself, and a name in the system's memory keeps other test processes off it.
pub fn free_port() -> u16 {
    const RANGE: std::ops::Range<u32> = 20_000..30_000;
    static RESERVED: Mutex<Vec<UnixListener>> = Mutex::new(Vec::new());
    let count = RANGE.end - RANGE.start;
    let ports = (0..count).map(|n| RANGE.start + (std::process::id() + n) % count);
    for port in ports.filter_map(|port| u16::try_from(port).ok()) {
        let name = UnixAddress::from_abstract_name(format!("flb-kube-test-port-{port}"));
        let reserved = name.and_then(|name| UnixListener::bind_addr(&name));
        let Ok(reserved) = reserved else { continue };
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            RESERVED.lock().expect("no test panics in here").push(reserved);
            return port;
        }
    }
    panic!("loopback has no free port from {} to {}", RANGE.start, RANGE.end);
}

/// The first word of what `program --version` prints that looks like a version.
pub fn version(program: &Path, flag: &str) -> String {
    let output = Command::new(program).arg(flag).output();
    let text = output.map(|out| String::from_utf8_lossy(&out.stdout).into_owned()).unwrap_or_default();
    version_in(&text).unwrap_or("of unknown version").to_owned()
}

fn version_in(text: &str) -> Option<&str> {
    let words = text.split(|c: char| c.is_whitespace() || c == ',');
    words
        .map(|word| word.rsplit_once("-v").map_or(word, |(_, tail)| tail).trim_start_matches('v'))
        .find(|word| word.starts_with(|c: char| c.is_ascii_digit()) && word.contains('.'))
}

/// Waits until `ready` gives a value; says what was awaited where it never does.
pub fn wait_for<T>(what: &str, limit: Duration, mut ready: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(value) = ready() {
            return value;
        }
        assert!(Instant::now() < deadline, "{what}: not within {} s", limit.as_secs());
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn versions_are_read_from_what_each_program_prints() {
        let prints = [
            ("Fluent Bit v5.1.1\nGit commit: 1c5f", "5.1.1"),
            ("victoria-logs-20250718-143130-tags-v1.26.0-0-g7c0626e0b9", "1.26.0-0-g7c0626e0b9"),
            ("victoria-logs-v1.26.0", "1.26.0"),
            ("Kubernetes v1.36.3", "1.36.3"),
            ("etcd Version: 3.6.8\nGit SHA: Not provided", "3.6.8"),
        ];
        for (print, version) in prints {
            assert_eq!(super::version_in(print), Some(version));
        }
    }
}
