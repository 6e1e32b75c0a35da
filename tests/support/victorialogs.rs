//! A real VictoriaLogs on the loopback with throw-away data, where a binary is found: `VICTORIA_LOGS`, or what
//! `make servers` builds.

use std::{
    collections::BTreeMap,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use crate::sink::Row;

/// A running server; it ends, and its data go, when dropped.
pub(crate) struct RealServer {
    child: Child,
    port: u16,
    _data: tempfile::TempDir,
}

/// Where the binary is, if it is anywhere.
pub(crate) fn binary() -> Option<PathBuf> {
    let built = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/servers/bin/victoria-logs");
    std::env::var_os("VICTORIA_LOGS")
        .map(PathBuf::from)
        .into_iter()
        .chain([built])
        .find(|path| path.is_file())
}

impl RealServer {
    /// Starts one with further flags; `None` where there is no binary.
    pub(crate) fn start(flags: &[&str]) -> Option<Self> {
        let binary = binary()?;
        for _ in 0..5 {
            let data = tempfile::tempdir().unwrap();
            // The port is free now; should another take it meanwhile, the next try has another.
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let child = Command::new(&binary)
                .arg(format!("-storageDataPath={}", data.path().display()))
                .arg(format!("-httpListenAddr=127.0.0.1:{port}"))
                .args(["-retentionPeriod=1y", "-loggerLevel=ERROR"])
                .args(flags)
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            let mut server = Self { child, port, _data: data };
            let deadline = Instant::now() + Duration::from_secs(20);
            while Instant::now() < deadline && server.child.try_wait().unwrap().is_none() {
                if server.get("/health", (0, 0)).is_some_and(|body| body.contains("OK")) {
                    return Some(server);
                }
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        panic!("{} does not start", binary.display());
    }

    /// Its address, for the option `url`.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn get(&self, path: &str, (account, project): (u32, u32)) -> Option<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(30))).ok()?;
        let request =
            format!("GET {path} HTTP/1.0\r\nHost: x\r\nAccountID: {account}\r\nProjectID: {project}\r\n\r\n");
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).ok()?;
        let answer = String::from_utf8(answer).ok()?;
        Some(answer.split_once("\r\n\r\n")?.1.to_owned())
    }

    /// All rows of a tenant, by time.
    pub(crate) fn rows(&self, tenant: (u32, u32)) -> Vec<Row> {
        self.get("/internal/force_flush", tenant).unwrap();
        let answer = self.get("/select/logsql/query?query=*&limit=1000000", tenant).unwrap();
        let mut rows: Vec<Row> = answer.lines().map(|line| row(line, tenant)).collect();
        rows.sort_by_key(|row| row.time);
        rows
    }
}

impl Drop for RealServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn row(line: &str, tenant: (u32, u32)) -> Row {
    let mut fields: BTreeMap<String, String> = serde_json::from_str(line).unwrap();
    fields.remove("_stream_id");
    let time = fields.remove("_time").unwrap();
    let stream = crate::sink::parse_labels(&fields.remove("_stream").unwrap()).unwrap();
    Row { time: nanos(&time), stream: stream.into_iter().collect(), fields, tenant }
}

/// Nanoseconds since 1970 of `2026-11-21T02:42:38.200805722Z`.
fn nanos(text: &str) -> i64 {
    let number = |from: usize, to: usize| text[from..to].parse::<i64>().unwrap();
    let (year, month) = (number(0, 4), number(5, 7));
    let is_leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let lengths = [31, if is_leap(year) { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let days: i64 = (1970..year).map(|year| if is_leap(year) { 366 } else { 365 }).sum::<i64>()
        + lengths[..month as usize - 1].iter().sum::<i64>()
        + number(8, 10)
        - 1;
    let seconds = days * 86_400 + number(11, 13) * 3_600 + number(14, 16) * 60 + number(17, 19);
    let fraction: String =
        text[19..].chars().filter(char::is_ascii_digit).chain("000000000".chars()).take(9).collect();
    seconds * 1_000_000_000 + fraction.parse::<i64>().unwrap()
}
