//! What the output is told: plain values, checked where they are read from the operator's options.
//!
//! Serves the plugin, which fills it, and the rest of this module. Invariant: nothing here knows how options are
//! written; secrets don't show in `Debug`.

use std::{fmt, path::PathBuf, time::Duration};

use super::endpoint::Address;

/// Everything about one output.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where to send, in order of preference; never empty.
    pub addresses: Vec<Address>,
    /// How records become rows.
    pub mapping: Mapping,
    /// How bodies are packed.
    pub compression: Compression,
    /// Account and project, if not the default tenant.
    pub tenant: Tenant,
    /// Who we are.
    pub auth: Auth,
    /// Further headers, as `(name, value)`.
    pub headers: Vec<(String, Hidden)>,
    /// Of `https` addresses.
    pub tls: Tls,
    /// Time limits.
    pub limits: TimeLimits,
    /// Warn of records older than this; none for never.
    pub max_age: Option<Duration>,
    /// Warn of records further ahead of the clock than this; none for never.
    pub max_future: Option<Duration>,
}

/// The way into the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Loki's protobuf push: strict about failures, labels once per stream.
    Loki,
    /// JSON lines.
    JsonLine,
}

impl Protocol {
    /// The path of the endpoint, below the address' own path.
    pub fn path(self) -> &'static str {
        match self {
            Protocol::Loki => "/insert/loki/api/v1/push",
            Protocol::JsonLine => "/insert/jsonline",
        }
    }

    /// What the bodies are.
    pub fn content_type(self) -> &'static str {
        match self {
            Protocol::Loki => "application/x-protobuf",
            Protocol::JsonLine => "application/stream+json",
        }
    }
}

/// How a record becomes a row.
#[derive(Debug, Clone)]
pub struct Mapping {
    /// The protocol.
    pub protocol: Protocol,
    /// Flattened names of the fields that make up the stream.
    pub stream_fields: Vec<String>,
    /// Flattened names that may hold the message: the first that is not empty does.
    pub message_fields: Vec<String>,
    /// Flattened names that may hold the time: the first that exists does; else the record's own time.
    pub time_fields: Vec<String>,
    /// Flattened names, or `prefix*`, that are left out.
    pub ignore_fields: Vec<String>,
    /// Fields that every row gains; they stand above the record's own.
    pub extra_fields: Vec<(String, String)>,
}

/// How bodies are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// zstd at a level from 1 to 22.
    Zstd(i32),
    /// gzip at a level from 1 to 9.
    Gzip(u32),
    /// As they are.
    None,
}

impl Compression {
    /// The `Content-Encoding`; "identity" is said out loud, since Loki's default is another.
    pub fn encoding(self) -> &'static str {
        match self {
            Compression::Zstd(_) => "zstd",
            Compression::Gzip(_) => "gzip",
            Compression::None => "identity",
        }
    }
}

/// A tenant of the server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tenant {
    /// `AccountID`.
    pub account: u32,
    /// `ProjectID`.
    pub project: u32,
}

/// Text that is for the wire alone.
#[derive(Clone, PartialEq, Eq)]
pub struct Hidden(pub String);

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Who we are to the server.
#[derive(Debug, Clone)]
pub enum Auth {
    /// Nobody in particular.
    None,
    /// A user with a password.
    Basic(String, Hidden),
    /// A token.
    Bearer(Hidden),
    /// A token in a file that others replace.
    BearerFile(PathBuf),
}

/// How `https` is spoken.
#[derive(Debug, Clone)]
pub struct Tls {
    /// Whether the server must prove who it is.
    pub verify: bool,
    /// Certificates to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// A folder of such files.
    pub ca_path: Option<PathBuf>,
    /// Our own certificate chain.
    pub crt_file: Option<PathBuf>,
    /// Its key.
    pub key_file: Option<PathBuf>,
    /// The name that the server's certificate must have, where it is not that of the address.
    pub vhost: Option<String>,
}

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub struct TimeLimits {
    /// To connect.
    pub connect: Duration,
    /// From the first byte out to the last byte of the answer.
    pub request: Duration,
    /// How long an idle connection is kept.
    pub idle: Duration,
}
