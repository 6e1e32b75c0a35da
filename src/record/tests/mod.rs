//! Tests of several rooms at once.

mod joining;
mod properties;
