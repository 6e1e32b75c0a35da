//! Delivery to VictoriaLogs: a chunk's records become rows grouped by stream, go out in compressed batches, and
//! every answer of the server has its consequence: delivered, again later, or the one bad record dropped.
//!
//! Serves `plugins::out_victorialogs`. A chunk's way: `row` flattens a record, [`encode`] groups rows into a body,
//! [`compress`] packs it, [`client`] posts it to one of the [`endpoint`]s, [`deliver`] judges the answer.
//! Invariant: no row leaves that the server would drop in silence, and no record is lost without being counted.

pub mod client;
pub mod compress;
pub mod config;
pub mod deliver;
pub mod encode;
pub mod endpoint;
pub mod tally;

mod fit;
mod json;
mod labels;
mod limits;
mod protobuf;
mod row;
mod rules;
mod text;
mod time;

pub use config::Config;
pub use deliver::{Delivery, Outcome};
