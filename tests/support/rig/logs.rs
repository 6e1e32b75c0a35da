//! What keeps the logs, real or the sink, and answers which rows it has.

use serde_json::Value;

use super::servers::{roster, victoria_logs::VictoriaLogs};

/// Where the output delivers to.
pub(crate) enum Logs {
    /// VictoriaLogs, asked with LogsQL.
    Real(VictoriaLogs),
}

impl Logs {
    /// The real one, where this machine has it.
    pub(crate) fn real() -> Option<Self> {
        let program = VictoriaLogs::program()?;
        roster::real("VictoriaLogs", VictoriaLogs::version(&program));
        Some(Self::Real(VictoriaLogs::start(&program, &[])))
    }

    /// Where the output sends to.
    pub(crate) fn url(&self) -> String {
        match self {
            Self::Real(server) => server.url(),
        }
    }

    /// The rows whose `field` is `value`, oldest first, as flat objects of text.
    pub(crate) fn rows(&self, field: &str, value: &str) -> Vec<Value> {
        match self {
            Self::Real(server) => server.query(&format!("{field:?}:={value:?} | sort by (_time)")),
        }
    }
}
