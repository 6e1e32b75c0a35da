//! A token that a command prints, such as a cloud's own tool.
//!
//! Serves the client of the API server. Invariants: one run at a time, bounded in time and output; what it started ends
//! with it; neither the command, which may hold a secret, nor what it prints is ever shown.

use std::{
    io,
    os::{fd::OwnedFd, unix::process::CommandExt as _},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use hyper::header::HeaderValue;
use tokio::{net::unix::pipe, sync::Semaphore};
use tracing::warn;

use crate::secret::Secret;

/// How long a run may take.
const LIMIT: Duration = Duration::from_secs(30);
/// How much it may print.
const MOST: usize = 1_000_000;
/// How long a failed run counts.
const PAUSE: Duration = Duration::from_secs(10);

/// What a command printed last, as an `authorization` header.
#[derive(Debug)]
pub(crate) struct CommandToken {
    command: Secret,
    ttl: Duration,
    limit: Duration,
    held: Mutex<Held>,
    /// Whoever has it may run the command.
    turn: Semaphore,
}

#[derive(Debug, Default)]
struct Held {
    header: Option<HeaderValue>,
    /// When the command was run last, and for how long that counts.
    run: Option<(Instant, Duration)>,
    /// The last complaint, so that each cause is logged once.
    complaint: Option<String>,
}

impl Held {
    fn is_fresh(&self) -> bool {
        self.run.is_some_and(|(at, counts)| at.elapsed() < counts)
    }
}

impl CommandToken {
    /// Runs nothing yet.
    pub(crate) fn new(command: Secret, ttl: Duration) -> Self {
        Self { command, ttl, limit: LIMIT, held: Mutex::default(), turn: Semaphore::new(1) }
    }

    /// The header to send now; `None` while there is no token.
    pub(crate) async fn header(&self) -> Option<HeaderValue> {
        self.header_unless(Held::is_fresh).await
    }

    /// A new header: the server refused `sent`.
    pub(crate) async fn renewed(&self, sent: Option<&HeaderValue>) -> Option<HeaderValue> {
        let failed_just_now = |held: &Held| held.header.is_none() && held.is_fresh();
        self.header_unless(|held| held.header.as_ref() != sent || failed_just_now(held)).await
    }

    /// What is held if that is good enough, else what the command prints.
    async fn header_unless(&self, is_good: impl Fn(&Held) -> bool) -> Option<HeaderValue> {
        let good = |held: MutexGuard<'_, Held>| is_good(&held).then(|| held.header.clone());
        if let Some(header) = good(self.held()) {
            return header;
        }
        let _turn = self.turn.acquire().await;
        // Another may have had its turn.
        if let Some(header) = good(self.held()) {
            return header;
        }
        let printed = match tokio::time::timeout(self.limit, output(self.command.clone())).await {
            Ok(output) => output.and_then(|output| super::header::header(&output)),
            Err(_) => Err(io::Error::other(format!("it did not end within {}s", self.limit.as_secs_f32()))),
        };
        self.hold(printed)
    }

    fn hold(&self, printed: io::Result<HeaderValue>) -> Option<HeaderValue> {
        let mut held = self.held();
        let now = Instant::now();
        let complaint = match printed {
            Ok(header) => {
                *held = Held { header: Some(header), run: Some((now, self.ttl)), complaint: None };
                return held.header.clone();
            }
            Err(why) => why.to_string(),
        };
        held.run = Some((now, PAUSE));
        let next = if held.header.is_some() { "keeping the last token" } else { "sending no token" };
        let header = held.header.clone();
        let is_news = held.complaint.as_ref() != Some(&complaint);
        held.complaint = Some(complaint.clone());
        drop(held);
        if is_news {
            warn!("kube_token_command: {complaint}; {next}");
        }
        header
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What `command` prints, if it ends well.
async fn output(command: Secret) -> io::Result<Vec<u8>> {
    let started = tokio::task::spawn_blocking(move || Running::start(command.reveal())).await;
    let mut running = started.map_err(io::Error::other)??;
    let mut output = Vec::new();
    if let Some(stdout) = running.0.stdout.take() {
        let stdout = pipe::Receiver::from_owned_fd(OwnedFd::from(stdout))?;
        let mut piece = vec![0; 64 << 10];
        loop {
            stdout.readable().await?;
            match stdout.try_read(&mut piece) {
                Ok(0) => break,
                Ok(count) => output.extend_from_slice(&piece[..count]),
                Err(why) if why.kind() == io::ErrorKind::WouldBlock => {}
                Err(why) => return Err(why),
            }
            if output.len() > MOST {
                return Err(io::Error::other("it printed more than 1 MB"));
            }
        }
    }
    let status = running.ended().await?;
    if !status.success() {
        return Err(io::Error::other(format!("it failed ({status})")));
    }
    Ok(output)
}

/// A command under way; what is left of it ends with this.
struct Running(Child);

impl Running {
    fn start(command: &str) -> io::Result<Self> {
        let shell = Command::new("/bin/sh")
            .args(["-c", command])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            // Tools print secrets there too, and a daemon's own may be any other file.
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        Ok(Self(shell))
    }

    /// Waits for its end without a thread of its own.
    async fn ended(&mut self) -> io::Result<ExitStatus> {
        loop {
            if let Some(status) = self.0.try_wait()? {
                return Ok(status);
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !matches!(self.0.try_wait(), Ok(None)) {
            return;
        }
        // What the shell started is of its group.
        let group = self.0.id().to_string();
        let kill = ["-c", "kill -s KILL -- \"-$0\" 2>/dev/null", &group];
        let _ = Command::new("/bin/sh").args(kill).status();
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn token(command: &str) -> CommandToken {
        CommandToken::new(Secret::new(command), Duration::MAX)
    }

    #[tokio::test]
    async fn what_the_command_prints_is_the_token_until_it_ages() {
        let folder = tempfile::tempdir().unwrap();
        let runs = folder.path().join("runs");
        let command = format!("echo x >> {0}; echo \" t$(wc -l < {0}) \"", runs.display());
        let lasting = token(&command);
        assert_eq!(lasting.header().await.unwrap(), "Bearer t1");
        assert_eq!(lasting.header().await.unwrap(), "Bearer t1");
        let short = CommandToken { ttl: Duration::ZERO, ..token(&command) };
        assert_eq!(short.header().await.unwrap(), "Bearer t2");
        assert_eq!(short.header().await.unwrap(), "Bearer t3");
        assert_eq!(fs::read_to_string(&runs).unwrap().lines().count(), 3);
    }

    #[tokio::test]
    async fn many_that_ask_at_once_have_it_run_once() {
        let folder = tempfile::tempdir().unwrap();
        let runs = folder.path().join("runs");
        let token = token(&format!("echo x >> {}; sleep 0.1; echo t", runs.display()));
        let all = futures::future::join_all((0..10).map(|_| token.header())).await;
        assert!(all.iter().all(|header| header.as_ref().is_some_and(|header| header == "Bearer t")));
        assert_eq!(fs::read_to_string(&runs).unwrap(), "x\n");
    }

    #[tokio::test]
    async fn a_refused_token_is_asked_for_anew_by_the_first_that_comes() {
        let folder = tempfile::tempdir().unwrap();
        let runs = folder.path().join("runs");
        let token = token(&format!("echo x >> {0}; echo t$(wc -l < {0})", runs.display()));
        let refused = token.header().await;
        let (one, other) = tokio::join!(token.renewed(refused.as_ref()), token.renewed(refused.as_ref()));
        assert_eq!(one.unwrap(), "Bearer t2");
        assert_eq!(other.unwrap(), "Bearer t2");
    }

    #[tokio::test]
    async fn a_command_that_fails_or_prints_too_much_or_nothing_gives_no_token() {
        for command in ["echo t; exit 3", "yes", "true", "printf 'a\\001b'", "/no/such/tool"] {
            assert_eq!(token(command).header().await, None, "{command}");
        }
    }

    #[tokio::test]
    async fn a_command_that_hangs_is_ended_with_all_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let pid = folder.path().join("pid");
        let command = format!("sleep 100 & echo $! > {}; wait", pid.display());
        let token = CommandToken { limit: Duration::from_secs(2), ..token(&command) };
        assert_eq!(token.header().await, None);
        let pid = fs::read_to_string(pid).unwrap();
        // A killed process takes a moment to end.
        let until = Instant::now() + Duration::from_secs(20);
        loop {
            let stat = fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
            if stat.is_empty() || [") Z ", ") X "].iter().any(|ended| stat.contains(ended)) {
                break;
            }
            assert!(Instant::now() < until, "{stat}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}
