//! A real VictoriaLogs as the output's cases see it: rows in the same shape as the sink's.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{
    servers::{roster, victoria_logs::VictoriaLogs},
    sink::Row,
};

/// A running server.
pub struct RealServer {
    server: VictoriaLogs,
    /// What stores the rows where the server only passes them on.
    _storage: Option<VictoriaLogs>,
}

impl RealServer {
    /// Starts one with further flags; `None`, and a word in the summary, where there is no program.
    pub fn start(flags: &[&str]) -> Option<Self> {
        Some(Self { server: Self::node(flags)?, _storage: None })
    }

    /// Starts an insert node with a storage node behind it.
    pub fn cluster() -> Option<Self> {
        let storage = Self::node(&[])?;
        let node = format!("-storageNode={}", storage.url().trim_start_matches("http://"));
        Some(Self { server: Self::node(&[&node])?, _storage: Some(storage) })
    }

    fn node(flags: &[&str]) -> Option<VictoriaLogs> {
        let Some(program) = VictoriaLogs::program() else {
            roster::skipped(
                "the output's cases on VictoriaLogs",
                "no victoria-logs in VICTORIA_LOGS, in tests/servers/bin or on PATH",
            );
            return None;
        };
        roster::real("VictoriaLogs", VictoriaLogs::version(&program));
        let flags: Vec<&str> = ["-retentionPeriod=1y"].iter().chain(flags).copied().collect();
        Some(VictoriaLogs::start(&program, &flags))
    }

    /// Its address, for the option `url`.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// All rows of a tenant, by time.
    pub fn rows(&self, tenant: (u32, u32)) -> Vec<Row> {
        let found = self.server.query_of(tenant, "* | limit 1000000");
        let mut rows: Vec<Row> = found.into_iter().map(|line| row(line, tenant)).collect();
        rows.sort_by_key(|row| row.time);
        rows
    }
}

fn row(line: Value, tenant: (u32, u32)) -> Row {
    let mut fields: BTreeMap<String, String> = serde_json::from_value(line).unwrap();
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
