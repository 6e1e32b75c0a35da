//! What keeps the logs, real or the sink, and answers which rows it has.

use k8s_openapi::jiff::Timestamp;
use serde_json::{Map, Value};

use crate::{
    servers::{roster, victoria_logs::VictoriaLogs},
    sink::{Row, Sink},
};

/// Where the output delivers to.
pub enum Logs {
    /// VictoriaLogs, asked with LogsQL.
    Real(VictoriaLogs),
    /// The sink.
    StandIn(Sink),
}

impl Logs {
    /// The real one, where this machine has it.
    pub fn real() -> Option<Self> {
        let Some(program) = VictoriaLogs::program() else {
            roster::skipped(
                "VictoriaLogs",
                "no victoria-logs in VICTORIA_LOGS, in tests/servers/bin or on PATH",
            );
            return None;
        };
        roster::real("VictoriaLogs", VictoriaLogs::version(&program));
        Some(Self::Real(VictoriaLogs::start(&program, &[])))
    }

    /// The stand-in.
    pub fn stand_in() -> Self {
        roster::stand_in("VictoriaLogs", "the sink");
        Self::StandIn(Sink::start())
    }

    /// Where the output sends to.
    pub fn url(&self) -> String {
        match self {
            Self::Real(server) => server.url(),
            Self::StandIn(sink) => sink.url(),
        }
    }

    /// The rows whose `field` is `value`, oldest first, as flat objects of text.
    pub fn rows(&self, field: &str, value: &str) -> Vec<Value> {
        match self {
            Self::Real(server) => server.query(&format!("{field:?}:={value:?} | sort by (_time)")),
            Self::StandIn(sink) => {
                let mut rows = sink.rows();
                rows.retain(|row| row.field(field) == value);
                rows.sort_by_key(|row| row.time);
                rows.iter().map(answered).collect()
            }
        }
    }
}

/// A row of the sink as a query would answer it.
fn answered(row: &Row) -> Value {
    let mut fields: Map<String, Value> =
        row.fields.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
    let time = Timestamp::from_nanosecond(row.time.into()).expect("a time of this era");
    fields.insert("_time".to_owned(), time.to_string().into());
    let stream: Vec<_> = row.stream.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
    fields.insert("_stream".to_owned(), format!("{{{}}}", stream.join(",")).into());
    Value::Object(fields)
}
