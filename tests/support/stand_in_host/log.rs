//! The host's log: one line per message on stderr or in `log_file`, in the form of the real one.

use std::{
    fmt,
    fs::{File, OpenOptions},
    io::{self, Write},
    path::Path,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU8, Ordering},
    },
};

use crate::clock;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Level {
    Off,
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

impl Level {
    pub(crate) fn from_number(number: i32) -> Self {
        match number {
            ..=0 => Level::Off,
            1 => Level::Error,
            2 => Level::Warn,
            3 => Level::Info,
            4 => Level::Debug,
            _ => Level::Trace,
        }
    }

    pub(crate) fn from_word(word: &str) -> Option<Self> {
        Some(match word.to_ascii_lowercase().as_str() {
            "off" => Level::Off,
            "error" => Level::Error,
            "warn" | "warning" => Level::Warn,
            "info" => Level::Info,
            "debug" => Level::Debug,
            "trace" => Level::Trace,
            _ => return None,
        })
    }

    fn label(self) -> &'static str {
        match self {
            Level::Off => "  off",
            Level::Error => "error",
            Level::Warn => " warn",
            Level::Info => " info",
            Level::Debug => "debug",
            Level::Trace => "trace",
        }
    }
}

static LEVEL: AtomicU8 = AtomicU8::new(Level::Info as u8);
static FILE: Mutex<Option<File>> = Mutex::new(None);

pub(crate) fn set_level(level: Level) {
    LEVEL.store(level as u8, Ordering::Relaxed);
}

pub(crate) fn level() -> Level {
    Level::from_number(i32::from(LEVEL.load(Ordering::Relaxed)))
}

/// Sends what follows to a file.
pub(crate) fn set_file(path: &Path) -> io::Result<()> {
    let file = OpenOptions::new().create(true).append(true).open(path)?;
    *FILE.lock().unwrap_or_else(PoisonError::into_inner) = Some(file);
    Ok(())
}

/// Prints without asking for the level: what a plugin prints has been checked by the plugin.
pub(crate) fn print(level: Level, message: impl fmt::Display) {
    let line = format!("[{}] [{}] {message}\n", clock::local_now(), level.label());
    let mut file = FILE.lock().unwrap_or_else(PoisonError::into_inner);
    // A log that can't be written has nowhere to complain.
    let _ = match &mut *file {
        Some(file) => file.write_all(line.as_bytes()),
        None => io::stderr().write_all(line.as_bytes()),
    };
}

/// As the real host prints for threads that are not its own.
pub(crate) fn print_to_stderr(level: Level, message: impl fmt::Display) {
    let line = format!("[{}] [{}] {message}\n", clock::local_now(), level.label());
    let _ = io::stderr().write_all(line.as_bytes());
}

/// Prints what the service's level lets through.
pub(crate) fn say(at: Level, message: impl fmt::Display) {
    if at <= level() {
        print(at, message);
    }
}

pub(crate) fn error(message: impl fmt::Display) {
    say(Level::Error, message);
}

pub(crate) fn warn(message: impl fmt::Display) {
    say(Level::Warn, message);
}

pub(crate) fn info(message: impl fmt::Display) {
    say(Level::Info, message);
}

pub(crate) fn debug(message: impl fmt::Display) {
    say(Level::Debug, message);
}
