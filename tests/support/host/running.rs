//! A running host: its log, its signals, what it holds of the machine, how it ended.

use std::{
    fs,
    path::Path,
    process::{Command, ExitStatus},
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::servers::{process::Process, wait_for};

/// How long anything may take on a machine that is busy with other tests.
pub(super) const LIMIT: Duration = Duration::from_secs(60);

/// A started host with its folder.
pub struct Running {
    // In this order: the process ends before its folder goes.
    process: Process,
    folder: TempDir,
    name: String,
    /// Whose process it is, where that is not this one's user.
    user: u32,
}

/// What a process holds.
#[derive(Debug, Clone, Copy)]
pub struct Holdings {
    pub threads: usize,
    /// Without pipes: 3.2.10 itself leaves six behind at each reload, and the plugins use none.
    pub descriptors: usize,
    /// Kilobytes of memory of its own.
    pub memory: usize,
}

impl Running {
    pub(super) fn start(name: &str, user: u32, command: &mut Command, folder: TempDir) -> Self {
        let log = folder.path().join("host.log");
        let process = Process::start_in(name, command, &log, Some(folder.path()));
        Self { process, folder, name: name.to_owned(), user }
    }

    /// The host's own folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// All that it has printed.
    pub fn log(&self) -> String {
        self.process.output()
    }

    /// How many lines of the log have `text`.
    pub fn count(&self, text: &str) -> usize {
        self.log().lines().filter(|line| line.contains(text)).count()
    }

    /// Waits until `is_so`; false where it never is.
    pub fn comes(&mut self, mut is_so: impl FnMut(&Self) -> bool) -> bool {
        let deadline = Instant::now() + LIMIT;
        while !is_so(self) {
            self.process.must_run();
            if Instant::now() >= deadline {
                return false;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        true
    }

    /// Waits until `is_so`, or until it ends; false where neither comes within ten seconds.
    pub fn comes_or_ends(&mut self, mut is_so: impl FnMut(&Self) -> bool) -> bool {
        let deadline = Instant::now() + Duration::from_secs(10);
        while self.process.ended().is_none() && !is_so(self) {
            if Instant::now() >= deadline {
                return false;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        true
    }

    /// Waits until `is_so`; shows the log where it never is.
    pub fn wait(&mut self, what: &str, is_so: impl FnMut(&Self) -> bool) {
        let came = self.comes(is_so);
        assert!(came, "{}: {what}: not within {LIMIT:?}\n{}", self.name, self.process.last_lines(40));
    }

    /// Waits until so many lines of the log have `text`.
    pub fn wait_for_lines(&mut self, text: &str, count: usize) {
        self.wait(&format!("{count} lines with '{text}'"), |host| host.count(text) >= count);
    }

    /// Waits for the end, whichever it is.
    pub fn wait_for_end(&mut self) -> ExitStatus {
        wait_for(&format!("{} ends", self.name), LIMIT, || self.process.ended())
    }

    pub fn signal(&self, name: &str) {
        kill(self.process.id(), name);
    }

    /// Limits how many processes and threads its user may have from now on.
    pub fn limit_processes(&self, limit: usize) {
        let mut set = as_user(self.user);
        set.args(["prlimit", &format!("--pid={}", self.process.id()), &format!("--nproc={limit}:")]);
        let set = set.status();
        assert!(set.is_ok_and(|status| status.success()), "prlimit --nproc={limit}");
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.process.ended()
    }

    /// Has it end, and shows the log where it does not end well.
    pub fn stop(&mut self) {
        self.stop_within(LIMIT);
    }

    /// As `stop`, with a limit that the plugins must not stretch.
    pub fn stop_within(&mut self, limit: Duration) {
        match self.process.stop(limit) {
            Some(status) if status.success() => {}
            ending => panic!("{}: ended with {ending:?}\n{}", self.name, self.process.last_lines(40)),
        }
    }

    /// The most memory that it ever held, in bytes.
    pub fn peak_memory(&self) -> usize {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap_or_default();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        peak.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0) * 1024
    }

    /// What it holds now.
    pub fn holdings(&self) -> Holdings {
        let folder = format!("/proc/{}", self.process.id());
        let entries = |name: &str| fs::read_dir(format!("{folder}/{name}")).into_iter().flatten().flatten();
        let is_pipe =
            |path: &Path| fs::read_link(path).is_ok_and(|to| to.to_string_lossy().starts_with("pipe:"));
        let status = fs::read_to_string(format!("{folder}/status")).unwrap_or_default();
        let memory = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
        let memory = memory.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0);
        let descriptors = entries("fd").filter(|entry| !is_pipe(&entry.path())).count();
        Holdings { threads: entries("task").count(), descriptors, memory }
    }
}

/// A command that runs the next one as this user, in no other group.
pub(super) fn as_user(user: u32) -> Command {
    let mut command = Command::new("setpriv");
    command.args([&format!("--reuid={user}"), &format!("--regid={user}"), "--clear-groups"]);
    command
}

/// Sends a signal to one process.
pub fn kill(process: u32, signal: &str) {
    let sent = Command::new("kill").args([&format!("-{signal}"), &process.to_string()]).status();
    assert!(sent.is_ok_and(|status| status.success()), "kill -{signal} {process}");
}

/// The processes whose command line has `text`.
pub fn processes_with(text: &str) -> Vec<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let has_it = |process: &u32| {
        let line = fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(text)
    };
    numbers.filter(has_it).collect()
}
