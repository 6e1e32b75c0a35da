//! Reads the host's memory where no function tells what stands there.
//!
//! Serves `filter`, `emitter`, `workers` and `written`. Invariant: what is read is a copy that the kernel made, through a
//! pipe: an address where nothing is gives an error and no crash; and a pointer is believed only where the host's own
//! structures agree.

use std::{
    ffi::c_void,
    io::{PipeReader, PipeWriter, Read as _},
    os::fd::AsRawFd,
    ptr,
};

use super::sys;

/// A heap block of the host's: where it is, and a copy of its words.
pub(super) struct Block {
    start: usize,
    pub(super) words: Vec<usize>,
}

impl Block {
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

    /// A copy of a heap block. Its room beyond what the host asked for may never have been written: so the kernel
    /// copies it, to whom any bytes will do.
    ///
    /// # Safety
    /// It is a live block of the process's malloc, from its first byte.
    pub(super) unsafe fn block<T>(&mut self, block: *mut T) -> Block {
        // SAFETY: as the caller promises.
        let bytes = unsafe { libc::malloc_usable_size(block.cast()) };
        let start = block.expose_provenance();
        let words = (0..bytes / WORD).map_while(|at| self.read::<1>(start + at * WORD).map(|[word]| word));
        Block { start, words: words.collect() }
    }

    /// The words at `address`.
    pub(super) fn read<const N: usize>(&mut self, address: usize) -> Option<[usize; N]> {
        if address == 0 || !address.is_multiple_of(WORD) {
            return None;
        }
        let bytes = N * WORD;
        // SAFETY: the kernel reads `bytes` at the address, and answers EFAULT where nothing is; it changes nothing.
        let written = unsafe {
            libc::write(self.1.as_raw_fd(), ptr::with_exposed_provenance::<c_void>(address), bytes)
        };
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
    pub(super) fn is_listed(&mut self, block: &Block, owner: &Block) -> bool {
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
    pub(super) fn storage(&mut self, config: &Block, input: &Block) -> Option<usize> {
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
            let other = unsafe { self.block(ptr::with_exposed_provenance_mut::<c_void>(other)) };
            if let Some(found) = self.storage_of(&other, config) {
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

        fn block(&self, memory: &mut Memory) -> Block {
            // SAFETY: of calloc, alive.
            unsafe { memory.block(self.0) }
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
        let is_listed = |memory: &mut Memory, made: &Made| {
            let (block, owner) = (made.block(memory), config.block(memory));
            memory.is_listed(&block, &owner)
        };
        ring(&[(&filter, 6)]); // a list of its own, empty
        ring(&[(&processor, 2), (&filter, 2)]);
        assert!(!is_listed(&mut memory, &filter));
        ring(&[(&config, 4), (&other, 2), (&filter, 2)]);
        assert!(is_listed(&mut memory, &filter));
        filter.set(2, 0);
        assert!(!is_listed(&mut memory, &other), "links that disagree");
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
        let mut found = || {
            let (config, new) = (config.block(&mut memory), new.block(&mut memory));
            memory.storage(&config, &new)
        };
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
}
