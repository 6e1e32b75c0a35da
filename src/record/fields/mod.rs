//! Fields in the text of a line: JSON, logfmt, klog; and how grave they say it is.
//!
//! Serves `splice`. Invariant: a text that is not in the form is left as it is.

mod escape;
pub mod json;
pub(crate) mod klog;
pub(crate) mod logfmt;
pub mod object;
pub mod severity;
