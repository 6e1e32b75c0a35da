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
        if !memory.is_listed(&Block::of(ins), &Block::of(config)) {
            return Err("it runs as a processor");
        }
        // SAFETY: the config is alive; the name is a plugin of every release.
        let made = unsafe { new(config, c"emitter".as_ptr(), ptr::null_mut(), 0) };
        let made = NonNull::new(made).ok_or("it has no input 'emitter'")?;
        let input = made.as_ptr();
        let Some(context) = memory.storage(&Block::of(config), &Block::of(input)) else {
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
    pub(super) fn serves(self, running: *const c_void) {
        let mut owners = owners();
        // Some releases free inputs before filters end: the address may have been another's, who is still listed.
        owners.retain(|(emitter, _)| *emitter != self.0.as_ptr() as usize);
        owners.push((self.0.as_ptr() as usize, running as usize));
    }

    /// Whether records that this input brings are those that were emitted here.
    pub(super) fn is(self, input: *mut sys::flb_input_instance) -> bool {
        self.0.as_ptr() == input
    }
}

/// From now on no timer asks this instance.
pub(super) fn rests(running: *const c_void) {
    owners().retain(|(_, owner)| *owner != running as usize);
}

fn owner(input: *mut sys::flb_input_instance) -> Option<usize> {
    owners().iter().find(|(emitter, _)| *emitter == input as usize).map(|(_, owner)| *owner)
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
    let Some(owner) = owner(input) else { return 0 };
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

/// A heap block of the host's: where it is, and a copy of its words.
struct Block {
    start: usize,
    words: Vec<usize>,
}

impl Block {
    fn of<T>(block: *mut T) -> Self {
        // SAFETY: the host's structs are blocks of the process's malloc, alive during the start.
        let bytes = unsafe { libc::malloc_usable_size(block.cast()) };
        let word = |at| {
            // SAFETY: within the block; a word is valid at any bit pattern, also where another thread of the host's is
            // writing it, which none does to those that are believed.
            unsafe { block.cast::<usize>().add(at).read_volatile() }
        };
        Self { start: block as usize, words: (0..bytes / WORD).map(word).collect() }
    }

    fn holds(&self, address: usize) -> bool {
        (self.start..self.start + self.words.len() * WORD).contains(&address)
    }
}

const WORD: usize = size_of::<usize>();
/// A longer list is none.
const LONGEST: usize = 4096;

/// Reads memory that may not be there: the kernel copies it through a pipe, or says that it can't.
pub(super) struct Memory(PipeReader, PipeWriter);

impl Memory {
    pub(super) fn open() -> Option<Self> {
        let (reader, writer) = std::io::pipe().ok()?;
        Some(Self(reader, writer))
    }

    /// The words at `address`.
    pub(super) fn read<const N: usize>(&mut self, address: usize) -> Option<[usize; N]> {
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
    fn is_listed(&mut self, block: &Block, owner: &Block) -> bool {
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
    fn storage(&mut self, config: &Block, input: &Block) -> Option<usize> {
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
            if let Some(found) = self.storage_of(&Block::of(other as *mut c_void), config) {
                return Some(found);
            }
            [_, link] = self.read::<2>(link)?;
        }
        None
    }

    /// The context that an input's storage has; its stream and the config have it too.
    fn storage_of(&mut self, input: &Block, config: &Block) -> Option<usize> {
        const FIELDS: usize = size_of::<sys::flb_storage_input>() / WORD;
        const PARENT: usize = std::mem::offset_of!(sys::cio_stream, parent) / WORD;
        input.words.iter().find_map(|word| {
            let [_, stream, context] = self.read::<FIELDS>(*word)?;
            let parent = self.read::<{ PARENT + 1 }>(stream)?[PARENT];
            // A number that all three have by chance is no address.
            self.read::<1>(context)?;
            (parent == context && config.words.contains(&context)).then_some(context)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A block of malloc's with these words.
    struct Made(*mut usize);

    impl Made {
        fn of(words: &[usize]) -> Self {
            // SAFETY: takes no memory of ours; as many words as were asked for are written.
            unsafe {
                let block = libc::calloc(words.len(), WORD).cast::<usize>();
                block.copy_from_nonoverlapping(words.as_ptr(), words.len());
                Self(block)
            }
        }

        fn at(&self, word: usize) -> usize {
            self.0 as usize + word * WORD
        }

        fn set(&self, word: usize, value: usize) {
            // SAFETY: within the block.
            unsafe { self.0.add(word).write(value) };
        }

        fn block(&self) -> Block {
            Block::of(self.0)
        }
    }

    impl Drop for Made {
        fn drop(&mut self) {
            // SAFETY: of calloc, freed once.
            unsafe { libc::free(self.0.cast()) };
        }
    }

    /// Links the places, each `prev` and `next`, to a ring.
    fn ring(places: &[(&Made, usize)]) {
        for (index, (made, word)) in places.iter().enumerate() {
            let [before, after] = [places.len() - 1, 1]
                .map(|more| places[(index + more) % places.len()])
                .map(|(made, word)| made.at(word));
            made.set(*word, before);
            made.set(word + 1, after);
        }
    }

    #[test]
    fn memory_that_is_not_there_is_an_answer_each_time_and_no_crash() {
        let mut memory = Memory::open().unwrap();
        // SAFETY: takes no memory of ours.
        let pages = unsafe {
            libc::mmap(
                ptr::null_mut(),
                8192,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANON,
                -1,
                0,
            )
        };
        // SAFETY: the second page of those just made, which nobody uses; no page is larger here than both.
        unsafe { libc::mprotect(pages.byte_add(4096), 4096, libc::PROT_NONE) };
        let end = pages as usize + 4096;
        for _ in 0..100 {
            for nowhere in [0, 7, WORD, end, end - WORD, end - 2 * WORD, usize::MAX - 7] {
                assert_eq!(memory.read::<3>(nowhere), None, "{nowhere:#x}");
            }
            let there = [1, 2, 3];
            assert_eq!(memory.read::<3>(there.as_ptr() as usize), Some(there));
        }
        // SAFETY: made above, unmapped once.
        unsafe { libc::munmap(pages, 8192) };
    }

    #[test]
    fn a_filter_in_a_list_of_the_config_is_told_from_one_in_a_list_of_a_processor() {
        let mut memory = Memory::open().unwrap();
        let [config, processor, filter, other] = [(); 4].map(|()| Made::of(&[0; 12]));
        ring(&[(&filter, 6)]); // a list of its own, empty
        ring(&[(&processor, 2), (&filter, 2)]);
        assert!(!memory.is_listed(&filter.block(), &config.block()));
        ring(&[(&config, 4), (&other, 2), (&filter, 2)]);
        assert!(memory.is_listed(&filter.block(), &config.block()));
        filter.set(2, 0);
        assert!(!memory.is_listed(&other.block(), &config.block()), "links that disagree");
    }

    #[test]
    fn a_storage_is_believed_only_where_input_stream_and_config_have_the_same_context() {
        let mut memory = Memory::open().unwrap();
        let parent = std::mem::offset_of!(sys::cio_stream, parent) / WORD;
        let [config, first, new, context, stream] = [(); 5].map(|()| Made::of(&[0; 16]));
        let storage = Made::of(&[1, stream.at(0), context.at(0)]);
        ring(&[(&config, 2), (&first, 5), (&new, 5)]);
        first.set(9, storage.at(0));
        stream.set(parent, context.at(0));
        let mut found = || memory.storage(&config.block(), &new.block());
        assert_eq!(found(), None, "the config has none");
        config.set(8, context.at(0));
        assert_eq!(found(), Some(context.at(0)));
        stream.set(parent, config.at(0));
        assert_eq!(found(), None, "the stream has another");
        for number in [0, 1, WORD] {
            for (made, word) in [(&config, 8), (&stream, parent), (&storage, 2)] {
                made.set(word, number);
            }
            assert_eq!(found(), None, "the number {number}");
        }
    }

    #[test]
    fn an_emitter_where_an_ended_one_was_asks_its_own_instance() {
        let [emitter, before, now] = [(); 3].map(|()| Made::of(&[0]));
        let at = Emitter(NonNull::new(emitter.0.cast()).unwrap());
        at.serves(before.0.cast());
        at.serves(now.0.cast());
        assert_eq!(owner(emitter.0.cast()), Some(now.at(0)));
        rests(before.0.cast());
        assert_eq!(owner(emitter.0.cast()), Some(now.at(0)));
        rests(now.0.cast());
        assert_eq!(owner(emitter.0.cast()), None);
    }
}
