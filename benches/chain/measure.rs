//! What processes use, as the system counts it under `/proc`.

use std::{fs, path::Path};

/// The ticks of a second in `/proc`, on every Linux that Fluent Bit ships for.
const TICKS: f64 = 100.0;

/// What one run used.
#[derive(Debug, Clone)]
pub(crate) struct Usage {
    /// CPU seconds of the agent, user and system.
    pub cpu: f64,
    /// Its peak resident memory, in bytes.
    pub peak: u64,
    /// Bytes that VictoriaLogs received.
    pub sent: u64,
    /// CPU seconds of VictoriaLogs.
    pub server_cpu: f64,
}

/// CPU seconds of all children that ended and were waited for.
pub(crate) fn ended_children_cpu() -> f64 {
    // The ticks of children follow those of the process itself.
    ticks("self", 13)
}

/// CPU seconds of a running process.
pub(crate) fn cpu(process: u32) -> f64 {
    ticks(&process.to_string(), 11)
}

/// User and system seconds, which stand at `at` after the name of the program.
fn ticks(process: &str, at: usize) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let number = |at: usize| fields[at].parse::<f64>().unwrap();
    (number(at) + number(at + 1)) / TICKS
}

/// The most memory that a process had resident so far, in bytes; none once it has ended.
pub(crate) fn peak(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let kib = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    kib.trim().trim_end_matches("kB").trim().parse::<u64>().ok().map(|kib| kib << 10)
}

/// How far a process has read the files in a folder, in bytes.
pub(crate) fn read_of(process: u32, folder: &Path) -> u64 {
    let files = fs::read_dir(format!("/proc/{process}/fd")).into_iter().flatten().flatten();
    let position = |file: fs::DirEntry| {
        let target = fs::read_link(file.path()).ok()?;
        let info = target
            .starts_with(folder)
            .then(|| fs::read_to_string(format!("/proc/{process}/fdinfo/{}", file.file_name().display())))?;
        info.ok()?.lines().next()?.strip_prefix("pos:")?.trim().parse::<u64>().ok()
    };
    files.filter_map(position).sum()
}
