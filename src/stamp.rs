//! Files that others replace while we use them: certificates and tokens.
//!
//! Serves `tls` and `token`. Invariant: a file is told changed without being read.

use std::{fs, path::Path, time::SystemTime};

/// What tells one content of a file from the next; none for a file that is not there.
pub(crate) type Stamp = Option<(SystemTime, u64)>;

/// The stamp of a file as it is now.
pub(crate) fn stamp(file: &Path) -> Stamp {
    fs::metadata(file).and_then(|meta| Ok((meta.modified()?, meta.len()))).ok()
}
