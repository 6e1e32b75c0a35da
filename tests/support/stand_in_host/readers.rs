//! The built-in inputs: `dummy`, `tail`, and `stand_in_lines`, which replays events from a file of JSON.

use std::{
    fs,
    time::{Duration, Instant},
};

use crate::{
    clock::Moment,
    config::Section,
    event::{self, Event},
    parser::Parser,
    release::EventForm,
    tail::Tail,
};

/// Takes a batch: tag, events, their number. False: not taken, offer it again.
pub(crate) type Put<'a> = &'a mut dyn FnMut(&str, &[u8], usize) -> bool;

/// A built-in input.
pub(crate) trait Reader: Send {
    /// How often it wants to be asked.
    fn every(&self) -> Duration;

    /// Hands over what is there. False: there will be no more.
    fn read(&mut self, put: Put<'_>) -> bool;
}

/// The built-in input of a section; `None` where its name is no built-in's.
pub(crate) fn built_in(
    section: &Section,
    form: EventForm,
    parsers: &[Parser],
) -> Result<Option<Box<dyn Reader>>, String> {
    Ok(Some(match section.name().to_ascii_lowercase().as_str() {
        "dummy" => Box::new(Dummy::new(section, form)?),
        "stand_in_lines" => Box::new(Lines::new(section, form)?),
        "tail" => Box::new(Tail::new(section, form, parsers)?),
        _ => return Ok(None),
    }))
}

/// `dummy`: the same record at a steady rate.
struct Dummy {
    tag: String,
    event: Event,
    form: EventForm,
    rate: f64,
    copies: usize,
    left: Option<u64>,
    since: Option<Instant>,
    made: u64,
}

impl Dummy {
    fn new(section: &Section, form: EventForm) -> Result<Self, String> {
        let text = section.get("dummy").unwrap_or(r#"{"message":"dummy"}"#);
        let record = event::record_from_json(text).ok_or(format!("dummy: '{text}' is no JSON object"))?;
        let mut event = Event::new(Moment::now(), record);
        if let Some(text) = section.get("metadata") {
            event.metadata =
                event::record_from_json(text).ok_or(format!("metadata: '{text}' is no JSON object"))?;
        }
        Ok(Self {
            tag: section.get("tag").unwrap_or("dummy.0").to_owned(),
            event,
            form,
            rate: section.number("rate", 1).max(1) as f64,
            copies: section.number("copies", 1) as usize,
            left: section.get("samples").and_then(|text| text.parse().ok()),
            since: None,
            made: 0,
        })
    }
}

impl Reader for Dummy {
    fn every(&self) -> Duration {
        Duration::from_secs_f64(1.0 / self.rate).clamp(Duration::from_millis(10), Duration::from_secs(1))
    }

    fn read(&mut self, put: Put<'_>) -> bool {
        let since = *self.since.get_or_insert_with(Instant::now);
        let due = (since.elapsed().as_secs_f64() * self.rate) as u64 + 1;
        let count = due.saturating_sub(self.made).min(self.left.unwrap_or(u64::MAX));
        if count == 0 {
            return true;
        }
        let mut data = Vec::new();
        for _ in 0..count as usize * self.copies {
            self.event.time = Moment::now();
            self.event.encode(self.form, &mut data);
        }
        if put(&self.tag, &data, count as usize * self.copies) {
            self.made += count;
            self.left = self.left.map(|left| left - count);
        }
        true
    }
}

/// `stand_in_lines`: the lines of a file, each a record or `[time, metadata, record]`; -1 and -2 mark a group.
struct Lines {
    tag: String,
    batch: Vec<u8>,
    records: usize,
    exit_on_eof: bool,
}

impl Lines {
    fn new(section: &Section, form: EventForm) -> Result<Self, String> {
        let path = section.get("path").unwrap_or_default();
        let text = fs::read_to_string(path).map_err(|error| format!("stand_in_lines: {path}: {error}"))?;
        let mut batch = Vec::new();
        let mut records = 0;
        for line in text.lines() {
            let event = Event::from_json(line).ok_or(format!("stand_in_lines: {path}: no event: {line}"))?;
            event.encode(form, &mut batch);
            records += 1;
        }
        let tag = section.get("tag").unwrap_or("lines").to_owned();
        Ok(Self { tag, batch, records, exit_on_eof: section.is_on("exit_on_eof") })
    }
}

impl Reader for Lines {
    fn every(&self) -> Duration {
        Duration::from_millis(20)
    }

    fn read(&mut self, put: Put<'_>) -> bool {
        if !self.batch.is_empty() && put(&self.tag, &self.batch, self.records) {
            self.batch.clear();
        }
        !(self.exit_on_eof && self.batch.is_empty())
    }
}
