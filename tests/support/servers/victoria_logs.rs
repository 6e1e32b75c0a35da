//! VictoriaLogs: started on a free port, asked with LogsQL.
//!
//! Serves the end-to-end tests and the demo, which prove by its answers what arrived.

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use serde_json::Value;
use tempfile::TempDir;

use super::{START_LIMIT, find, free_port, process::Process, version, wait_for};

/// A VictoriaLogs of one test.
#[derive(Debug)]
pub struct VictoriaLogs {
    address: SocketAddr,
    process: Process,
    _data: TempDir,
}

impl VictoriaLogs {
    /// The program, where this machine has it.
    pub fn program() -> Option<PathBuf> {
        find("VICTORIA_LOGS", "victoria-logs").or_else(|| find("VICTORIA_LOGS", "victoria-logs-prod"))
    }

    /// Which version `program` is.
    pub fn version(program: &Path) -> String {
        version(program, "-version")
    }

    /// Starts `program` with `flags` beside those that make it local and throw-away.
    pub fn start(program: &Path, flags: &[&str]) -> Self {
        let data = tempfile::Builder::new().prefix("flb-kube-logs-").tempdir().expect("a folder can be made");
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let mut command = Command::new(program);
        command
            .arg(format!("-httpListenAddr={address}"))
            .arg(format!("-storageDataPath={}", data.path().join("data").display()))
            // Sample logs carry the time of their writing.
            .arg("-retentionPeriod=100y")
            .args(flags);
        let log = data.path().join("log");
        let mut process = Process::start_in("VictoriaLogs", &mut command, &log, Some(data.path()));
        wait_for("VictoriaLogs answers", START_LIMIT, || {
            process.must_run();
            get(address, "/health").ok().filter(|answer| answer.contains("OK"))
        });
        Self { address, process, _data: data }
    }

    /// Where it listens: `http://127.0.0.1:9428`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Its process.
    pub fn process_id(&self) -> u32 {
        self.process.id()
    }

    /// The sum of the counters of this name, over all their labels, as `/metrics` says it now.
    pub fn metric(&self, name: &str) -> u64 {
        let metrics = get(self.address, "/metrics").expect("VictoriaLogs answers");
        let value = |line: &str| {
            let (labels, value) = line.strip_prefix(name)?.rsplit_once(' ')?;
            (labels.is_empty() || labels.starts_with('{')).then(|| value.parse().unwrap_or(0))
        };
        metrics.lines().filter_map(value).sum()
    }

    /// The rows that LogsQL `query` finds, after all that was taken has become visible.
    pub fn query(&self, query: &str) -> Vec<Value> {
        self.query_of((0, 0), query)
    }

    /// The rows of a tenant, account and project, that LogsQL `query` finds.
    pub fn query_of(&self, tenant: (u32, u32), query: &str) -> Vec<Value> {
        get(self.address, "/internal/force_flush").expect("VictoriaLogs flushes");
        let path = format!("/select/logsql/query?query={}", percent_encoded(query));
        let answer =
            get_of(tenant, self.address, &path).unwrap_or_else(|error| panic!("LogsQL {query}: {error}"));
        answer.lines().map(|row| serde_json::from_str(row).expect("a row is JSON")).collect()
    }
}

/// Asks with HTTP/1.0, whose answers end with the connection; the error tells what went wrong.
pub fn get(address: SocketAddr, path: &str) -> Result<String, String> {
    get_of((0, 0), address, path)
}

fn get_of(tenant: (u32, u32), address: SocketAddr, path: &str) -> Result<String, String> {
    let answer = exchange(tenant, address, path).map_err(|error| error.to_string())?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or("an answer without an end of its head")?;
    match head.split(' ').nth(1) {
        Some("200") => Ok(body.to_owned()),
        _ => Err(format!("{}: {body}", head.lines().next().unwrap_or_default())),
    }
}

fn exchange((account, project): (u32, u32), address: SocketAddr, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(5))?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    write!(
        stream,
        "GET {path} HTTP/1.0\r\nHost: {address}\r\nAccountID: {account}\r\nProjectID: {project}\r\n\r\n"
    )?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn percent_encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |encoded, byte| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
            encoded + char::from(byte).encode_utf8(&mut [0; 4])
        }
        _ => encoded + &format!("%{byte:02X}"),
    })
}
