//! Lines of a container's log file made into events: raw, parsed, and with the parts of long lines put together.

use std::sync::Arc;

use rmpv::Value;

use crate::{
    clock::Moment,
    config::Section,
    event::Event,
    parser::{Parser, text},
};

/// How the file's lines are read.
#[derive(Clone)]
pub(crate) struct Format {
    parsers: Arc<Vec<Parser>>,
    joins: bool,
    key: String,
    path_key: Option<String>,
}

impl Format {
    pub(crate) fn of(section: &Section, known: &[Parser]) -> Result<Self, String> {
        let mut parsers = Vec::new();
        let named = section.get("multiline.parser");
        for name in named.into_iter().flat_map(|list| list.split(',')) {
            parsers.push(match name.trim() {
                "cri" => Parser::cri(),
                "docker" => Parser::docker(),
                other => return Err(format!("multiline.parser: no '{other}' here: cri, docker")),
            });
        }
        if let Some(name) = section.get("parser") {
            let found = known.iter().find(|parser| parser.name == name);
            parsers.push(found.ok_or(format!("parser: no '{name}' in the parsers file"))?.clone());
        }
        Ok(Self {
            parsers: Arc::new(parsers),
            joins: named.is_some() || section.is_on("docker_mode"),
            key: section.get("key").unwrap_or("log").to_owned(),
            path_key: section.get("path_key").map(str::to_owned),
        })
    }
}

/// The lines of one file, with the parts that wait for their end.
pub(crate) struct Lines {
    format: Format,
    path: String,
    /// One per stream.
    waiting: Vec<Event>,
}

impl Lines {
    pub(crate) fn new(format: &Format, path: &str) -> Self {
        Self { format: format.clone(), path: path.to_owned(), waiting: Vec::new() }
    }

    /// Whether all that was read has become events.
    pub(crate) fn is_whole(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Reads a line; `None` where it is blank, or a part whose end is still to come.
    pub(crate) fn read(&mut self, line: &[u8]) -> Option<Event> {
        if line.is_empty() {
            return None;
        }
        let parsed = self.format.parsers.iter().find_map(|parser| parser.parse(line));
        let Some((time, record)) = parsed else {
            return Some(self.finish(Event::new(
                Moment::now(),
                Value::Map(vec![(self.format.key.as_str().into(), text(line))]),
            )));
        };
        let event = Event::new(time.unwrap_or_else(Moment::now), record);
        if !self.format.joins {
            return Some(self.finish(event));
        }
        let is_part = is_part(&event.record);
        let stream = field(&event.record, "stream").cloned();
        let begun = self.waiting.iter_mut().find(|begun| field(&begun.record, "stream") == stream.as_ref());
        match begun {
            Some(begun) => {
                append_log(&mut begun.record, &event.record);
                if is_part {
                    return None;
                }
                let at = self
                    .waiting
                    .iter()
                    .position(|begun| field(&begun.record, "stream") == stream.as_ref())?;
                let whole = self.waiting.remove(at);
                Some(self.finish(whole))
            }
            None if is_part => {
                self.waiting.push(event);
                None
            }
            None => Some(self.finish(event)),
        }
    }

    /// The parts whose end has not come, as they are: there will be no more lines.
    pub(crate) fn rest(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.waiting).into_iter().map(|event| self.finish(event)).collect()
    }

    fn finish(&self, mut event: Event) -> Event {
        if let (Some(key), Value::Map(entries)) = (&self.format.path_key, &mut event.record) {
            entries.push((key.as_str().into(), self.path.as_str().into()));
        }
        event
    }
}

fn field<'a>(record: &'a Value, key: &str) -> Option<&'a Value> {
    record.as_map()?.iter().find(|(k, _)| k.as_str() == Some(key)).map(|(_, value)| value)
}

/// A part of a long line: CRI says so, Docker leaves the line's end out.
fn is_part(record: &Value) -> bool {
    match field(record, "_p") {
        Some(mark) => mark.as_str() == Some("P"),
        None => field(record, "log").and_then(Value::as_str).is_some_and(|log| !log.ends_with('\n')),
    }
}

fn append_log(record: &mut Value, part: &Value) {
    let bytes = |value: &Value| match value {
        Value::String(text) => text.as_bytes().to_vec(),
        _ => Vec::new(),
    };
    let more = field(part, "log").map(bytes).unwrap_or_default();
    let Value::Map(entries) = record else { return };
    if let Some((_, log)) = entries.iter_mut().find(|(key, _)| key.as_str() == Some("log")) {
        *log = text(&[bytes(log), more].concat());
    }
}
