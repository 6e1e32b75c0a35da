//! Finding the host's symbols, and the size that the linker noted for one of its data symbols.

use std::{ffi::CStr, mem::MaybeUninit, ptr};

/// `dladdr1`'s request for the symbol table entry; `<dlfcn.h>`, glibc.
const RTLD_DL_SYMENT: libc::c_int = 1;

/// The address of a symbol of the host program, or of what it loaded for all.
pub(super) fn symbol(name: &CStr) -> Option<ptr::NonNull<libc::c_void>> {
    // SAFETY: dlsym reads the NUL-terminated name and nothing else of ours.
    let address = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    ptr::NonNull::new(address)
}

/// The size of a data symbol as its ELF entry says.
pub(super) fn symbol_size(name: &CStr) -> Option<usize> {
    let address = symbol(name)?;
    let mut info = MaybeUninit::<libc::Dl_info>::uninit();
    let mut entry: *const libc::Elf64_Sym = ptr::null();
    // SAFETY: dladdr1 writes a Dl_info and, for this request, a pointer to a symbol entry; both are ours to write.
    let found =
        unsafe { dladdr1(address.as_ptr(), info.as_mut_ptr(), (&raw mut entry).cast(), RTLD_DL_SYMENT) };
    if found == 0 || entry.is_null() {
        return None;
    }
    // SAFETY: dladdr1 succeeded: the entry lies in the symbol table of a loaded object.
    usize::try_from(unsafe { (*entry).st_size }).ok()
}

/// The beginning of the loaded object that an address lies in; none where it lies in none.
pub(super) fn object_of(address: usize) -> Option<usize> {
    let mut info = MaybeUninit::<libc::Dl_info>::uninit();
    let mut entry: *mut libc::c_void = ptr::null_mut();
    // SAFETY: dladdr1 compares the address with those of the loaded objects, and writes a Dl_info and a pointer of ours.
    let found = unsafe {
        dladdr1(ptr::without_provenance(address), info.as_mut_ptr(), &raw mut entry, RTLD_DL_SYMENT)
    };
    // SAFETY: dladdr1 succeeded: it wrote all of it.
    (found != 0).then(|| unsafe { info.assume_init() }.dli_fbase.addr())
}

// SAFETY: glibc's own declaration, <dlfcn.h>.
unsafe extern "C" {
    fn dladdr1(
        address: *const libc::c_void,
        info: *mut libc::Dl_info,
        extra: *mut *mut libc::c_void,
        flags: libc::c_int,
    ) -> libc::c_int;
}
