//! Docker's json-file: a JSON object a line.
//!
//! Serves `runtime_line`. Invariant: only what is wholly of the form is taken for it.

use crate::record::{
    fields::{json, object::Object},
    msgpack::reader::{Map, text},
    runtime_line::{
        clock::Clock,
        line::{Line, Stream},
    },
};

/// Docker's form: `{"log":"text\n","stream":"stdout","attrs":{…},"time":"…"}`, whose text ends the line itself.
#[derive(Debug, Default)]
pub(super) struct Docker {
    fields: Object,
    others: Vec<u8>,
}

impl Docker {
    pub(super) fn read<'a>(&'a mut self, raw: &[u8], clock: &mut Clock) -> Option<Line<'a>> {
        if !json::read(raw, false, &mut self.fields) {
            return None;
        }
        self.others.clear();
        let (mut log, mut stream, mut time, mut others) = (None, None, None, 0);
        for pair in self.fields.map().pairs() {
            match text(pair.key)? {
                b"log" => log = Some(text(pair.value)?),
                b"stream" => stream = Some(Stream::named(text(pair.value)?)?),
                b"time" => time = Some(text(pair.value)?),
                _ => {
                    others += 1;
                    self.others.extend_from_slice(pair.bytes);
                }
            }
        }
        let (time, rest) = clock.read(time?)?;
        let text = log.filter(|text| !text.is_empty() && rest.is_empty())?;
        let is_partial = !text.ends_with(b"\n");
        let others = Map { len: others, entries: &self.others };
        Some(Line { time, stream: stream?, text, is_partial, others })
    }
}
