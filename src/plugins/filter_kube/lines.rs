//! Lines as container runtimes write them: which field holds them, and the parts that wait for the rest of theirs.
//!
//! Serves the filter. Invariant: a part is joined, emitted as a piece, or, where the host takes nothing any more, counted
//! and told; no lock is held while the host is called.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tracing::{info, warn};

use super::{KubeOptions, options::LineOptions, stats::Stats};
use crate::{
    plugin::{Chunk, Emit, Host, Refusal},
    record::{
        runtime_line::partial::{Limits, Parts},
        splice::{
            Lines, Outcome,
            choose::{Always, Choose},
            splice_overdue, splice_raw,
            treatment::Treatment,
        },
    },
};

/// All parts together may take so many times what one line may, and no less than this.
const LINES: usize = 16;
const LEAST: usize = 32 << 20;

impl LineOptions {
    /// The field that holds raw lines.
    pub(super) fn raw_key(&self) -> Option<Box<[u8]>> {
        let key = self.log_keys.0.first().map_or("log", String::as_str);
        self.cri.then(|| key.as_bytes().into())
    }
}

impl KubeOptions {
    /// What keeps the parts, if lines are to be read as runtimes write them.
    pub(super) fn raw_lines(&self, host: &dyn Host) -> Result<Option<RawLines>, Refusal> {
        let option = &self.line;
        if !option.cri {
            return Ok(None);
        }
        if self.record.lookup()?.is_some() {
            return Err(Refusal::new(
                "option 'cri': 'on' reads lines of files, by their tag; it does not go with use_journal and the lookup keys",
            ));
        }
        let line = usize::try_from(option.cri_max_size.0).unwrap_or(usize::MAX);
        if line == 0 {
            return Err(Refusal::new(
                "option 'cri_max_size': '0' leaves no room for a line, say how long one may get",
            ));
        }
        if let Err(why) = host.emitter() {
            info!(
                "option 'cri': this host takes no records out of turn, since {why}; parts of a line whose rest does not \
                 come are emitted with the next lines of their container"
            );
        }
        let total = line.saturating_mul(LINES).max(LEAST);
        let parts = Parts::new(Limits { line, age: option.cri_max_age, total });
        Ok(Some(RawLines(Mutex::new(State { parts, refused: None }))))
    }
}

/// The parts that wait, of all containers.
pub(super) struct RawLines(Mutex<State>);

struct State {
    parts: Parts,
    /// What the engine did not take yet.
    refused: Option<Batch>,
}

/// Records to be emitted.
struct Batch {
    tag: Box<[u8]>,
    data: Vec<u8>,
    records: usize,
}

impl RawLines {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends a chunk to `out`, its lines read and their parts joined.
    pub(super) fn splice<C: Choose>(
        &self,
        chunk: Chunk<'_>,
        lines: &Lines,
        chooser: &mut C,
        out: &mut Vec<u8>,
    ) -> Outcome {
        let mut state = self.state();
        splice_raw(chunk.data, lines, chooser, &mut state.parts.of(chunk.tag), out)
    }

    /// Emits what waits for longer than it may, and everything if it is the last time.
    pub(super) fn emit(
        &self,
        lines: &Lines,
        is_last: bool,
        treatment: impl Fn(&[u8]) -> Option<Arc<Treatment>>,
        stats: &Stats,
        engine: &mut dyn Emit,
    ) {
        let (refused, overdue) = {
            let mut state = self.state();
            (state.refused.take(), state.parts.overdue(is_last))
        };
        let overdue = overdue.into_iter().map(|tag| self.batch(tag, lines, is_last, &treatment, stats));
        for batch in refused.into_iter().chain(overdue) {
            // Without the lock: the engine gives the records to the filters at once.
            if !batch.data.is_empty() && engine.emit(&batch.tag, &batch.data).is_err() {
                self.state().refused = Some(batch);
                return;
            }
        }
    }

    /// What is to be emitted of a tag; it may be that nothing is left of its lines.
    fn batch(
        &self,
        tag: Box<[u8]>,
        lines: &Lines,
        is_last: bool,
        treatment: impl Fn(&[u8]) -> Option<Arc<Treatment>>,
        stats: &Stats,
    ) -> Batch {
        let treatment = treatment(&tag).unwrap_or_else(super::unknown);
        let mut data = Vec::new();
        let outcome = {
            let mut state = self.state();
            splice_overdue(lines, &mut Always(&treatment), &mut state.parts.of(&tag), is_last, &mut data)
        };
        stats.spliced(&outcome);
        Batch { tag, data, records: outcome.unfinished }
    }
}

impl Drop for RawLines {
    fn drop(&mut self) {
        let state = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        let (mut count, mut bytes) = state.parts.waiting();
        if let Some(batch) = &state.refused {
            count += batch.records;
            bytes += batch.data.len();
        }
        if count > 0 {
            warn!(
                "option 'cri': {count} lines ({bytes} bytes) end unfinished with this host, which took no more records: \
                 their rest had not come yet"
            );
        }
    }
}
