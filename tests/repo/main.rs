//! The repository itself: what its modules know of each other, and that what is written of options is so.

mod architecture;
mod options;
mod options_reference;
mod rooms;
