//! Lines as container runtimes write them, and the parts of long ones.
//!
//! Serves `splice`. Invariant: a line in no known form is left as it is.

pub mod cri;
pub mod partial;
