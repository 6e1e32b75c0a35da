//! The parsers of a parsers file, and the two that container logs need without one: `docker` and `cri`.

use std::sync::OnceLock;

use regex::bytes::Regex;
use rmpv::Value;

use crate::{clock::Moment, config::Section, event};

/// How a line becomes a record.
#[derive(Debug, Clone)]
pub(crate) struct Parser {
    pub(crate) name: String,
    form: Form,
    time_key: String,
    time_keep: bool,
}

#[derive(Debug, Clone)]
enum Form {
    Json,
    Regex(Regex),
}

impl Parser {
    pub(crate) fn from_section(section: &Section) -> Result<Self, String> {
        let name = section.name().to_owned();
        let form = match section.get("format").unwrap_or_default().to_ascii_lowercase().as_str() {
            "json" => Form::Json,
            "regex" => {
                let pattern = section.get("regex").unwrap_or_default();
                Form::Regex(Regex::new(pattern).map_err(|error| format!("parser {name}: {error}"))?)
            }
            other => return Err(format!("parser {name}: no format '{other}' here")),
        };
        let time_key = section.get("time_key").unwrap_or("time").to_owned();
        Ok(Self { name, form, time_key, time_keep: section.is_on("time_keep") })
    }

    /// Docker's JSON lines; the time stays in the record.
    pub(crate) fn docker() -> Self {
        Self { name: "docker".into(), form: Form::Json, time_key: "time".into(), time_keep: true }
    }

    /// The lines of CRI runtimes; the time stays in the record, `_p` says whether the line is whole.
    pub(crate) fn cri() -> Self {
        static CRI: OnceLock<Regex> = OnceLock::new();
        let regex = CRI.get_or_init(|| {
            Regex::new(r"^(?<time>[^ ]+) (?<stream>stdout|stderr) (?<_p>[FP]) (?s-u:(?<log>.*))$")
                .expect("a pattern that compiles")
        });
        Self {
            name: "cri".into(),
            form: Form::Regex(regex.clone()),
            time_key: "time".into(),
            time_keep: true,
        }
    }

    /// Reads a line; `None` where it does not match.
    pub(crate) fn parse(&self, line: &[u8]) -> Option<(Option<Moment>, Value)> {
        let record = match &self.form {
            Form::Json => event::record_from_json(std::str::from_utf8(line).ok()?)?,
            Form::Regex(regex) => {
                let found = regex.captures(line)?;
                let names = regex.capture_names().flatten();
                Value::Map(
                    names
                        .filter_map(|name| Some((name.into(), text(found.name(name)?.as_bytes()))))
                        .collect(),
                )
            }
        };
        let Value::Map(mut entries) = record else { return None };
        let at = entries.iter().position(|(key, _)| key.as_str() == Some(&self.time_key));
        let time = at.and_then(|at| Moment::from_rfc3339(entries[at].1.as_str()?));
        if let Some(at) = at.filter(|_| !self.time_keep && time.is_some()) {
            entries.remove(at);
        }
        Some((time, Value::Map(entries)))
    }
}

/// A msgpack string, also of bytes that are no UTF-8, as the real host writes them.
pub(crate) fn text(bytes: &[u8]) -> Value {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return text.into();
    }
    let mut encoded = Vec::with_capacity(bytes.len() + 5);
    encoded.push(0xdb);
    encoded.extend((bytes.len() as u32).to_be_bytes());
    encoded.extend(bytes);
    rmpv::decode::read_value(&mut encoded.as_slice()).expect("a whole str32")
}
