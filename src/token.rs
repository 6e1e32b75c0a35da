//! The bearer token: read from its file, again when the file changes or ages, and at once when it is refused; or what
//! a command prints.
//!
//! Serves the clients of the API server and of VictoriaLogs. Invariant: the token is never shown, and no lock is held
//! while the file is read.

mod command;
mod header;

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use hyper::header::HeaderValue;
use tracing::warn;

use self::command::CommandToken;
use crate::{
    secret::Secret,
    stamp::{Stamp, stamp},
};

/// Where a token comes from.
#[derive(Debug)]
pub(crate) enum Bearer {
    /// From a file.
    File(Token),
    /// From a command.
    Command(CommandToken),
}

impl Bearer {
    /// A command's, if there is one, else a file's.
    pub(crate) fn new(command: Option<Secret>, file: Option<PathBuf>, ttl: Duration) -> Option<Self> {
        match command {
            Some(command) => Some(Self::Command(CommandToken::new(command, ttl))),
            None => file.map(|path| Self::File(Token::new(path, ttl))),
        }
    }

    /// The header to send now; `None` while there is no token.
    pub(crate) async fn header(&self) -> Option<HeaderValue> {
        match self {
            Self::File(token) => token.header(),
            Self::Command(token) => token.header().await,
        }
    }

    /// A new header: the server refused `sent`.
    pub(crate) async fn renewed(&self, sent: Option<&HeaderValue>) -> Option<HeaderValue> {
        match self {
            Self::File(token) => token.reread(),
            Self::Command(token) => token.renewed(sent).await,
        }
    }
}

/// The content of a token file as an `authorization` header.
#[derive(Debug)]
pub(crate) struct Token {
    path: PathBuf,
    ttl: Duration,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    header: Option<HeaderValue>,
    stamp: Stamp,
    read_at: Option<Instant>,
    /// The last complaint, so that each cause is logged once.
    complaint: Option<String>,
}

impl Token {
    /// Reads nothing yet: the file may come later.
    pub(crate) fn new(path: PathBuf, ttl: Duration) -> Self {
        Self { path, ttl, held: Mutex::default() }
    }

    /// A token that has to be there from the start.
    pub(crate) fn open(path: PathBuf, ttl: Duration) -> io::Result<Self> {
        let stamp = stamp(&path);
        let held = Held { header: Some(read(&path)?), stamp, read_at: Some(Instant::now()), complaint: None };
        Ok(Self { path, ttl, held: Mutex::new(held) })
    }

    /// The header to send now; `None` while there is no token.
    pub(crate) fn header(&self) -> Option<HeaderValue> {
        let stamp = stamp(&self.path);
        {
            let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
            let fresh = held.read_at.is_some_and(|at| at.elapsed() < self.ttl);
            if fresh && stamp.is_some() && held.stamp == stamp {
                return held.header.clone();
            }
        }
        self.reread()
    }

    /// Reads the file whatever its age: the server refused what was held.
    pub(crate) fn reread(&self) -> Option<HeaderValue> {
        let stamp = stamp(&self.path);
        let read = read(&self.path);
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.read_at = Some(Instant::now());
        match read {
            Ok(header) => {
                *held = Held { header: Some(header), stamp, read_at: held.read_at, complaint: None };
            }
            Err(why) => {
                let complaint = why.to_string();
                if held.complaint.as_ref() != Some(&complaint) {
                    let now =
                        if held.header.is_some() { "keeping the last token" } else { "sending no token" };
                    warn!("token file {}: {complaint}; {now}", self.path.display());
                    held.complaint = Some(complaint);
                }
                held.stamp = None;
            }
        }
        held.header.clone()
    }
}

fn read(path: &Path) -> io::Result<HeaderValue> {
    header::header(&fs::read(path)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trailing_newline_is_no_part_of_the_token() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        fs::write(&path, "abc\n").unwrap();
        assert_eq!(Token::new(path, Duration::MAX).header().unwrap(), "Bearer abc");
    }

    #[test]
    fn a_token_that_has_to_be_there_is_missed_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        assert!(Token::open(path.clone(), Duration::MAX).is_err());
        fs::write(&path, " \n").unwrap();
        assert!(Token::open(path.clone(), Duration::MAX).is_err());
        fs::write(&path, "abc").unwrap();
        assert_eq!(Token::open(path, Duration::MAX).unwrap().header().unwrap(), "Bearer abc");
    }

    #[test]
    fn line_19_a_changed_file_is_seen_before_its_ttl() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        fs::write(&path, "first").unwrap();
        let token = Token::new(path.clone(), Duration::MAX);
        assert_eq!(token.header().unwrap(), "Bearer first");
        fs::write(&path, "second-and-longer").unwrap();
        assert_eq!(token.header().unwrap(), "Bearer second-and-longer");
    }

    #[test]
    fn a_vanished_file_leaves_the_last_token_in_use() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        assert!(Token::new(path.clone(), Duration::MAX).header().is_none());
        fs::write(&path, "abc").unwrap();
        let token = Token::new(path.clone(), Duration::MAX);
        assert!(token.header().is_some());
        fs::remove_file(&path).unwrap();
        assert_eq!(token.header().unwrap(), "Bearer abc");
    }

    #[test]
    fn the_token_is_never_shown() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        fs::write(&path, "secret-value").unwrap();
        let token = Token::new(path, Duration::MAX);
        let _ = token.header();
        assert!(!format!("{token:?}").contains("secret-value"));
    }
}
