//! Memory that tells on whoever writes past its end, and the coroutine stacks that flushes run on.
//!
//! Invariant: what lies behind a guarded block, and below a stack, can't be touched.

use std::{
    cell::Cell,
    ffi::c_void,
    mem::MaybeUninit,
    ptr::{self, NonNull},
};

fn page() -> usize {
    // SAFETY: sysconf only reads.
    unsafe { libc::sysconf(libc::_SC_PAGESIZE) as usize }
}

/// Pages of our own, the first or the last of which can't be touched.
struct Pages {
    start: NonNull<u8>,
    length: usize,
}

impl Pages {
    fn new(length: usize, guard_offset: usize) -> Self {
        // SAFETY: a fresh anonymous mapping, and a guard inside of it.
        let start = unsafe {
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
            let start = libc::mmap(ptr::null_mut(), length, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0);
            assert!(start != libc::MAP_FAILED, "no memory for {length} bytes");
            let guarded = libc::mprotect(start.byte_add(guard_offset), page(), libc::PROT_NONE);
            assert!(guarded == 0, "no guard page");
            start
        };
        Self { start: NonNull::new(start.cast()).expect("mmap gave memory"), length }
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and nobody uses it any more.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.length) };
    }
}

/// A block of an exact size, whose next byte is a guard page. `malloc_usable_size` gives the exact size, as the real
/// host's allocator does.
pub(crate) struct Guarded {
    block: NonNull<u8>,
    _pages: Pages,
}

// SAFETY: plain memory; who shares the pointer orders the accesses.
unsafe impl Send for Guarded {}
// SAFETY: as above.
unsafe impl Sync for Guarded {}

impl Guarded {
    /// A block of `size` bytes, each of them `fill`.
    pub(crate) fn new(size: usize, fill: u8) -> Self {
        const HEADER: usize = 16;
        const IS_MAPPED: usize = 2; // glibc's mark on a chunk of its own mapping: its size is exact
        let pages = Pages::new(2 * page(), page());
        // SAFETY: header and block lie in the first page, the block up to its very end.
        let block = unsafe {
            let block = pages.start.add(page() - size);
            ptr::write_bytes(block.as_ptr(), fill, size);
            block.cast::<usize>().sub(1).write_unaligned((size + HEADER) | IS_MAPPED);
            block.cast::<usize>().sub(2).write_unaligned(0);
            block
        };
        Self { block, _pages: pages }
    }

    pub(crate) fn as_ptr<T>(&self) -> *mut T {
        self.block.as_ptr().cast()
    }
}

/// An address that nobody may read: for arguments that plugins must not look into.
pub(crate) fn untouchable() -> *mut c_void {
    static PAGE: std::sync::OnceLock<Guarded> = std::sync::OnceLock::new();
    PAGE.get_or_init(|| Guarded::new(16, 0)).as_ptr::<u8>().wrapping_add(16).cast()
}

thread_local! {
    /// What the next stack is to run: a `&mut &mut dyn FnMut()`.
    static JOB: Cell<*mut c_void> = const { Cell::new(ptr::null_mut()) };
}

extern "C" fn enter() {
    // SAFETY: `on_stack` stored the job, which outlives this call.
    unsafe { (*JOB.get().cast::<&mut dyn FnMut()>())() };
}

/// Runs `work` on a stack of `size` bytes with a guard page below, as a coroutine of the host's.
pub(crate) fn on_stack<R>(size: usize, work: impl FnOnce() -> R) -> R {
    let size = size.next_multiple_of(page());
    let stack = Pages::new(size + page(), 0);
    let mut work = Some(work);
    let mut result = None;
    let mut job = || result = work.take().map(|work| work());
    let mut job: &mut dyn FnMut() = &mut job;
    let outer = JOB.replace((&raw mut job).cast());
    let mut here = MaybeUninit::<libc::ucontext_t>::uninit();
    let mut there = MaybeUninit::<libc::ucontext_t>::uninit();
    // SAFETY: both contexts are filled before use; the stack and the job live until swapcontext comes back, which
    // uc_link makes it do when `enter` returns.
    unsafe {
        assert!(libc::getcontext(there.as_mut_ptr()) == 0, "getcontext failed");
        let context = &mut *there.as_mut_ptr();
        context.uc_stack.ss_sp = stack.start.add(page()).as_ptr().cast();
        context.uc_stack.ss_size = size;
        context.uc_link = here.as_mut_ptr();
        libc::makecontext(context, enter, 0);
        assert!(libc::swapcontext(here.as_mut_ptr(), context) == 0, "swapcontext failed");
    }
    JOB.set(outer);
    result.expect("the job ran")
}
