//! An input of a filter's own, for records that come out of turn: the host's `emitter`, as its own filters use it, with
//! a timer of ours on it.
//!
//! Serves `filter`. Invariant: the host's pointers that no function tells are read off the host and believed only where
//! its own structures agree with each other; where they don't, there is no emitter, and the caller is told why.

use std::{
    ffi::{CString, c_int, c_long, c_void},
    io::{PipeReader, PipeWriter, Read as _},
    os::fd::AsRawFd,
    ptr::{self, NonNull},
    slice,
    sync::{Mutex, PoisonError},
};

use super::{filter::Running, guard::guard, host::Host, sys};
use crate::plugin::{Emit, Filter, NotTaken};

/// So often overdue records are asked for. The host lets its timers begin at a full second, that of its end too: so this
/// one fires between the host's "pause" and its end, which is less than a second later.
const PERIOD_NANOSECONDS: c_long = 100_000_000;

/// Which of our instances an emitter belongs to, both as addresses: the host gives a collector no word of ours.
static OWNERS: Mutex<Vec<(usize, usize)>> = Mutex::new(Vec::new());

/// An emitter that the host knows. It lives as long as the host's configuration.
#[derive(Debug, Clone, Copy)]
pub(super) struct Emitter(NonNull<sys::flb_input_instance>);

impl Emitter {
    /// Makes one for the filter `ins`, during its `cb_init`; else says what this host lacks.
    ///
    /// # Safety
    /// Both are the host's own, alive, and this is the thread that starts the pipeline.
    pub(super) unsafe fn create<F: Filter>(
        config: *mut sys::flb_config,
        ins: *mut sys::flb_filter_instance,
        name: &str,
    ) -> Result<Self, &'static str> {
        let functions = &Host::get().functions;
        let (Some(new), Some(set), Some(init), Some(destroy), Some(storage), Some(by_time), Some(_)) = (
            functions.flb_input_new,
            functions.flb_input_set_property,
            functions.flb_input_instance_init,
            functions.flb_input_instance_destroy,
            functions.flb_storage_input_create,
            functions.flb_input_set_collector_time,
            functions.flb_input_log_append,
        ) else {
            return Err("it does not export what makes an input");
        };
        let mut memory = Memory::open().ok_or("no pipe can be made")?;
        let block = Block::of(config);
        if !memory.is_listed(Block::of(ins), block) {
            return Err("it runs as a processor");
        }
        // SAFETY: the config is alive; the name is a plugin of every release.
        let made = unsafe { new(config, c"emitter".as_ptr(), ptr::null_mut(), 0) };
        let made = NonNull::new(made).ok_or("it has no input 'emitter'")?;
        let input = made.as_ptr();
        let Some(context) = memory.storage(block, Block::of(input)) else {
            // SAFETY: the instance was made above and is not known to anybody yet.
            unsafe { destroy(input) };
            return Err("its storage is not where other releases have it");
        };
        let alias = CString::new(format!("emitter_for_{name}")).unwrap_or_default();
        // SAFETY: the instance is alive; the host copies both strings.
        unsafe { set(input, c"alias".as_ptr(), alias.as_ptr()) };
        // SAFETY: as above.
        unsafe { set(input, c"storage.type".as_ptr(), c"memory".as_ptr()) };
        // SAFETY: the order in which the host's own filters start theirs; the context is that of all inputs.
        let started =
            unsafe { init(input, config) == 0 && storage(context as *mut sys::cio_ctx, input) == 0 };
        // SAFETY: the instance is started.
        let timed =
            started && unsafe { by_time(input, Some(collect::<F>), 0, PERIOD_NANOSECONDS, config) } >= 0;
        if timed { Ok(Self(made)) } else { Err("its input 'emitter' does not start") }
    }

    /// From now on the timer asks this instance.
    pub(super) fn serves<F: Filter>(self, running: *const Running<F>) {
        owners().push((self.0.as_ptr() as usize, running as usize));
    }

    /// From now on the timer asks nobody.
    pub(super) fn rests(self) {
        owners().retain(|(emitter, _)| *emitter != self.0.as_ptr() as usize);
    }

    /// Whether records that this input brings are those that were emitted here.
    pub(super) fn is(self, input: *mut sys::flb_input_instance) -> bool {
        self.0.as_ptr() == input
    }
}

fn owners() -> std::sync::MutexGuard<'static, Vec<(usize, usize)>> {
    OWNERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The timer's callback, on the engine's thread.
unsafe extern "C" fn collect<F: Filter>(
    input: *mut sys::flb_input_instance,
    config: *mut sys::flb_config,
    _: *mut c_void,
) -> c_int {
    let owner = owners().iter().find(|(emitter, _)| *emitter == input as usize).map(|(_, owner)| *owner);
    let Some(owner) = owner else { return 0 };
    // SAFETY: an instance of F leaves the list before it ends, on this thread; shared only.
    let running = unsafe { &*(owner as *const Running<F>) };
    // SAFETY: the engine's own config; its first words are those of every release.
    let head = unsafe { config.cast::<sys::flb_config_head>().read_volatile() };
    let is_last = head.is_shutting_down != 0 || head.is_ingestion_active == 0;
    let instance = &running.instance;
    let mut engine = Engine { input, has_taken: false };
    instance.owner.scope(|| guard(F::NAME, "emit", (), || instance.plugin.overdue(is_last, &mut engine)));
    // Before 4.2 a host that ends waits for what was handed to outputs, not for what lies in chunks.
    if let Some(flush) = Host::get().functions.flb_engine_flush
        && is_last
        && engine.has_taken
    {
        // SAFETY: as the host's own timer calls it, on this thread.
        unsafe { flush(config, ptr::null_mut()) };
    }
    0
}

/// The engine during one call of the timer.
struct Engine {
    input: *mut sys::flb_input_instance,
    has_taken: bool,
}

impl Emit for Engine {
    fn emit(&mut self, tag: &[u8], data: &[u8]) -> Result<(), NotTaken> {
        let append = Host::get().functions.flb_input_log_append.ok_or(NotTaken)?;
        // SAFETY: the instance whose collector runs; the host copies tag and data before it returns.
        let taken =
            unsafe { append(self.input, tag.as_ptr().cast(), tag.len(), data.as_ptr().cast(), data.len()) };
        if taken < 0 {
            return Err(NotTaken);
        }
        self.has_taken = true;
        Ok(())
    }
}

/// A heap block of the host's: where it begins, and its words.
#[derive(Clone, Copy)]
struct Block<'a> {
    start: usize,
    words: &'a [usize],
}

impl Block<'_> {
    fn of<T>(block: *mut T) -> Self {
        // SAFETY: the host's structs are blocks of the process's malloc, alive during the start.
        let bytes = unsafe { libc::malloc_usable_size(block.cast()) };
        // SAFETY: as many bytes as the block has; a word is valid at any bit pattern, and the start has one thread.
        let words = unsafe { slice::from_raw_parts(block.cast::<usize>(), bytes / WORD) };
        Self { start: block as usize, words }
    }

    fn holds(self, address: usize) -> bool {
        (self.start..self.start + self.words.len() * WORD).contains(&address)
    }
}

const WORD: usize = size_of::<usize>();
/// A longer list is none.
const LONGEST: usize = 4096;

/// Reads memory that may not be there: the kernel copies it through a pipe, or says that it can't.
struct Memory(PipeReader, PipeWriter);

impl Memory {
    fn open() -> Option<Self> {
        let (reader, writer) = std::io::pipe().ok()?;
        Some(Self(reader, writer))
    }

    /// The words at `address`.
    fn read<const N: usize>(&mut self, address: usize) -> Option<[usize; N]> {
        if address == 0 || !address.is_multiple_of(WORD) {
            return None;
        }
        let bytes = N * WORD;
        // SAFETY: the kernel reads `bytes` at the address, and answers EFAULT where nothing is; it changes nothing.
        let written = unsafe { libc::write(self.1.as_raw_fd(), address as *const c_void, bytes) };
        let written = usize::try_from(written).ok().filter(|written| *written > 0)?;
        let mut copy = vec![0_u8; written];
        self.0.read_exact(&mut copy).ok()?;
        let mut words = [0; N];
        (written == bytes).then_some(())?;
        for (word, bytes) in words.iter_mut().zip(copy.chunks_exact(WORD)) {
            *word = usize::from_ne_bytes(bytes.try_into().ok()?);
        }
        Some(words)
    }

    /// Whether `block` is linked into a list that begins in `owner`: a filter of the pipeline is, one of a processor
    /// is not.
    fn is_listed(&mut self, block: Block<'_>, owner: Block<'_>) -> bool {
        (0..block.words.len().saturating_sub(1)).any(|at| {
            let link = block.start + at * WORD;
            let mut here = link;
            let mut next = block.words[at + 1];
            for _ in 0..LONGEST {
                // A list links both ways: `prev`, then `next`.
                let Some([back, on]) = self.read(next) else { return false };
                if back != here || next == link {
                    return false;
                }
                if owner.holds(next) {
                    return true;
                }
                (here, next) = (next, on);
            }
            false
        })
    }

    /// The storage context of all inputs, as the inputs that `config` had before `input` show it.
    fn storage(&mut self, config: Block<'_>, input: Block<'_>) -> Option<usize> {
        // The last link of the list of inputs is that of the newest.
        let list = (0..config.words.len()).find(|at| {
            let link = config.words[*at];
            let head = config.start + at * WORD;
            input.holds(link) && self.read::<2>(link).is_some_and(|[_, next]| next == head)
        })?;
        let head = config.start + list * WORD;
        let offset = config.words[list] - input.start;
        let mut link = *config.words.get(list + 1)?;
        for _ in 0..LONGEST {
            let other = link - offset;
            if link == head || other == input.start {
                return None;
            }
            // SAFETY: a link of the list of inputs lies in an input, all of which are blocks like this one.
            if let Some(found) = self.storage_of(Block::of(other as *mut c_void), config) {
                return Some(found);
            }
            [_, link] = self.read::<2>(link)?;
        }
        None
    }

    /// The context that an input's storage has; its stream and the config have it too.
    fn storage_of(&mut self, input: Block<'_>, config: Block<'_>) -> Option<usize> {
        const FIELDS: usize = size_of::<sys::flb_storage_input>() / WORD;
        const PARENT: usize = std::mem::offset_of!(sys::cio_stream, parent) / WORD;
        input.words.iter().find_map(|word| {
            let [_, stream, context] = self.read::<FIELDS>(*word)?;
            let parent = self.read::<{ PARENT + 1 }>(stream)?[PARENT];
            (parent == context && context != 0 && config.words.contains(&context)).then_some(context)
        })
    }
}
