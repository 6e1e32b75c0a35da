//! The plugin structs that the host copies out of us.

use std::cell::UnsafeCell;

/// More than any release's plugin struct: the host copies its own size from here, whatever that is.
const BYTES: usize = 512;

/// An exported plugin struct: zeroed room, filled in the host's own layout when the object is loaded.
#[repr(C, align(64))]
pub struct Table(UnsafeCell<[u64; BYTES / 8]>);

// SAFETY: written only by the constructor that runs inside dlopen, before the host can read it.
unsafe impl Sync for Table {}

impl Table {
    /// An empty struct.
    #[allow(clippy::new_without_default, reason = "only a static's initialiser makes one")]
    pub const fn new() -> Self {
        Self(UnsafeCell::new([0; BYTES / 8]))
    }

    /// Writes `layout` at the beginning.
    ///
    /// # Safety
    /// Nobody reads the table yet: the caller runs inside dlopen.
    pub(super) unsafe fn write<L>(&self, layout: L) {
        const { assert!(size_of::<L>() <= BYTES && align_of::<L>() <= 64) };
        // SAFETY: large and aligned enough, as asserted; nobody else looks, as the caller promises.
        unsafe { self.0.get().cast::<L>().write(layout) };
    }
}
