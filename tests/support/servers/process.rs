//! A server as a child process: its output goes to a file, and it ends with its value.
//!
//! Serves every real part. Invariant: no child outlives this process, even one that is killed: a watcher shell
//! holds the read end of a pipe of ours, and ends the child when the pipe breaks.

use std::{
    fs::{self, File},
    io::Write as _,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

/// Waits for a line, which says that all is well; at the end of the pipe kills process $1 and removes folder $2.
const WATCH: &str = r#"read -r _ && exit
kill -9 "$1" 2>/dev/null
[ -z "$2" ] || until rm -rf "$2" 2>/dev/null; do sleep 0.1; done"#;

/// A running program.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    watcher: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command`, with its output in `log`.
    pub fn start(name: &str, command: &mut Command, log: &Path) -> Self {
        Self::start_in(name, command, log, None)
    }

    /// As `start`; where this process ends without stopping the program, its `folder` goes too.
    pub fn start_in(name: &str, command: &mut Command, log: &Path, folder: Option<&Path>) -> Self {
        let file = File::create(log).expect("a log file can be made");
        let both = file.try_clone().expect("a file can be shared");
        let child = command
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(both)
            // Ctrl-C is for us: the child ends when we say so, and the watcher must outlive us.
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("{name} can't be started: {error}"));
        let watcher = Command::new("sh")
            .args(["-c", WATCH, "sh", &child.id().to_string()])
            .arg(folder.unwrap_or(Path::new("")))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("sh runs");
        Self { name: name.to_owned(), child, watcher, log: log.to_owned() }
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Everything that the program has printed.
    pub fn output(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// How the program ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child can be asked for")
    }

    /// Panics with the end of the output if the program has ended.
    pub fn must_run(&mut self) {
        if let Some(status) = self.ended() {
            panic!("{} ended early ({status}):\n{}", self.name, self.last_lines(30));
        }
    }

    /// The end of the output.
    pub fn last_lines(&self, count: usize) -> String {
        let output = self.output();
        let lines: Vec<&str> = output.lines().collect();
        lines[lines.len().saturating_sub(count)..].join("\n")
    }

    /// Ends the program without warning, as a crash would.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Sends SIGTERM and waits; what does not end within `limit` is killed and gives `None`.
    pub fn stop(&mut self, limit: Duration) -> Option<ExitStatus> {
        if let Some(status) = self.ended() {
            return Some(status);
        }
        let _ = Command::new("sh").args(["-c", "kill \"$1\"", "sh", &self.id().to_string()]).status();
        let deadline = Instant::now() + limit;
        while Instant::now() < deadline {
            if let Some(status) = self.ended() {
                return Some(status);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        self.kill();
        None
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.stop(Duration::from_secs(5));
        if let Some(mut pipe) = self.watcher.stdin.take() {
            let _ = pipe.write_all(b"\n");
        }
        let _ = self.watcher.wait();
    }
}
