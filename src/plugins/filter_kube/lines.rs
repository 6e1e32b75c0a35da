//! Lines as container runtimes write them: which field holds them, and the parts that wait for the rest of theirs.
//!
//! Serves the filter. Invariant: a part is joined, emitted as a piece, or, where the host takes nothing any more, counted
//! and told; no lock is held while the host is called.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tracing::{info, warn};

use super::{
    options::{KubeOptions, LineOptions},
    stats::Stats,
};
use crate::{
    pace::{SharedPace, more},
    plugin::{Chunk, Emit, Host, Refusal},
    record::{
        runtime_line::partial::{GivenUp, Limits, Parts},
        splice::{
            Lines, Outcome, RawKeys,
            choose::{Always, Choose},
            splice_overdue, splice_raw,
            treatment::Treatment,
        },
    },
};

/// How many of the longest lines may wait together.
const LINES: usize = 16;
/// How many bytes may wait together at least.
const LEAST: usize = 32 << 20;

impl LineOptions {
    /// The fields that may hold raw lines.
    pub(super) fn raw_keys(&self) -> Option<RawKeys> {
        let mut keys = self.log_keys.0.iter().map(String::as_str);
        let first = keys.next().unwrap_or("log");
        self.cri.then(|| RawKeys::new(first, keys))
    }
}

impl KubeOptions {
    /// What keeps the parts, if lines are to be read as runtimes write them.
    pub(super) fn raw_lines(&self, host: &dyn Host) -> Result<Option<RawLines>, Refusal> {
        let option = &self.line;
        if !option.cri {
            return Ok(None);
        }
        if self.record.form()?.is_some() {
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
        let emitter = host.emitter();
        if let Err(why) = emitter {
            info!(
                "option 'cri': this host takes no records out of turn, since {why}; parts of a line whose rest does not \
                 come are emitted with the next lines of their container"
            );
        }
        let total = line.saturating_mul(LINES).max(LEAST);
        let mut parts = Parts::new(Limits { line, age: option.cri_max_age, total });
        if emitter.is_err() {
            parts = parts.giving_up();
        }
        let state = State { parts, refused: None, asked: Instant::now() };
        Ok(Some(RawLines { state: Mutex::new(state), given_up: SharedPace::default() }))
    }
}

/// The parts that wait, of all containers.
pub(super) struct RawLines {
    state: Mutex<State>,
    /// Of lines that were given up.
    given_up: SharedPace,
}

struct State {
    parts: Parts,
    /// What the engine did not take yet.
    refused: Option<Batch>,
    /// When the engine last asked for what is overdue.
    asked: Instant,
}

/// The engine asks ten times a second. After a longer pause, as of a machine that was frozen, the rest of a line may be
/// there but unread.
const PAUSE: Duration = Duration::from_secs(2);

/// Records to be emitted.
struct Batch {
    tag: Box<[u8]>,
    data: Vec<u8>,
    records: usize,
}

impl RawLines {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends a chunk to `out`, its lines read and their parts joined.
    pub(super) fn splice<C: Choose>(
        &self,
        chunk: Chunk<'_>,
        lines: &Lines,
        chooser: &mut C,
        out: &mut Vec<u8>,
    ) -> Outcome {
        // A filter's chunks come one at a time, so that nobody waits for this lock.
        let outcome = splice_raw(chunk.data, lines, chooser, &mut self.state().parts.of(chunk.tag), out);
        let GivenUp { lines, bytes } = outcome.given_up;
        if lines > 0
            && let Some(held_back) = self.given_up.admit()
        {
            warn!(
                "option 'cri': {lines} lines ({bytes} bytes) whose rest never came were given up to make room for others: \
                 their containers write no more, and this host takes no records out of turn{}",
                more(held_back, "such losses")
            );
        }
        outcome
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
            let pause = state.asked.elapsed();
            state.asked = Instant::now();
            if pause > PAUSE && !is_last {
                return;
            }
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
        let treatment = treatment(&tag).unwrap_or_else(|| Arc::new(crate::kube::metadata::unknown()));
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
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
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
