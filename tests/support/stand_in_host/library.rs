//! Shared objects, by `dlopen`.

use std::{
    ffi::{CStr, CString, c_void},
    os::unix::ffi::OsStrExt,
    path::Path,
    ptr::NonNull,
};

/// A handle of `dlopen`; it is closed when the host says so, not on drop.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Library(NonNull<c_void>);

// SAFETY: dlsym and dlclose may be called by any thread.
unsafe impl Send for Library {}
// SAFETY: as above.
unsafe impl Sync for Library {}

impl Library {
    /// As the host opens plugins.
    pub(crate) fn open(path: &Path) -> Result<Self, String> {
        Self::open_with(path, libc::RTLD_LAZY)
    }

    /// So that `dlsym(RTLD_DEFAULT)` finds its symbols.
    pub(crate) fn open_global(path: &Path) -> Result<Self, String> {
        Self::open_with(path, libc::RTLD_NOW | libc::RTLD_GLOBAL)
    }

    fn open_with(path: &Path, flags: i32) -> Result<Self, String> {
        let name = CString::new(path.as_os_str().as_bytes()).map_err(|error| error.to_string())?;
        // SAFETY: a C string; what the library's constructors do is what this host is there to run.
        unsafe {
            NonNull::new(libc::dlopen(name.as_ptr(), flags)).map(Self).ok_or_else(|| {
                let error = libc::dlerror();
                if error.is_null() {
                    "dlopen failed".into()
                } else {
                    CStr::from_ptr(error).to_string_lossy().into_owned()
                }
            })
        }
    }

    pub(crate) fn symbol(self, name: &str) -> Option<NonNull<c_void>> {
        let name = CString::new(name).ok()?;
        // SAFETY: an open handle and a C string.
        NonNull::new(unsafe { libc::dlsym(self.0.as_ptr(), name.as_ptr()) })
    }

    /// The function of that name.
    ///
    /// # Safety
    /// `F` is a function pointer of the function's type.
    pub(crate) unsafe fn function<F>(self, name: &str) -> Result<F, String> {
        let symbol = self.symbol(name).ok_or_else(|| format!("no function {name}"))?;
        assert!(size_of::<F>() == size_of::<usize>(), "F is a function pointer");
        // SAFETY: as the caller promises; the sizes are equal.
        Ok(unsafe { std::mem::transmute_copy(&symbol.as_ptr()) })
    }

    pub(crate) fn close(self) {
        // SAFETY: the host closes each handle once, after its last callback.
        unsafe { libc::dlclose(self.0.as_ptr()) };
    }
}
