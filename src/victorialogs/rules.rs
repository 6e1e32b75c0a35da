//! What the operator said about fields, ready to be asked for every name.
//!
//! Serves `row`. Invariant: names are compared whole and as they are after flattening.

use super::config::Mapping;

/// Names by what they are for.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    message: Vec<String>,
    time: Vec<String>,
    stream: Vec<String>,
    ignore: Vec<String>,
    extra: Vec<String>,
    /// A bit for each length of a name that is for something: most names are for nothing.
    lengths: u128,
}

/// The places of a name among those that may hold the message, may hold the time, or make up the stream.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Ranks {
    pub(crate) message: Option<u32>,
    pub(crate) time: Option<u32>,
    pub(crate) stream: Option<u32>,
}

impl Rules {
    /// Rules of one output.
    pub(crate) fn new(mapping: &Mapping) -> Self {
        let Mapping { message_fields, time_fields, stream_fields, ignore_fields, extra_fields, .. } = mapping;
        let named = [message_fields, time_fields, stream_fields].into_iter().flatten();
        Self {
            message: message_fields.clone(),
            time: time_fields.clone(),
            stream: stream_fields.clone(),
            ignore: ignore_fields.clone(),
            extra: extra_fields.iter().map(|(name, _)| name.clone()).collect(),
            lengths: named.fold(0, |lengths, name| lengths | bit(name.len())),
        }
    }

    /// What the name is for.
    #[inline]
    pub(crate) fn ranks(&self, name: &[u8]) -> Ranks {
        if self.lengths & bit(name.len()) == 0 {
            return Ranks::default();
        }
        let rank =
            |names: &[String]| names.iter().position(|known| known.as_bytes() == name).map(|at| at as u32);
        Ranks { message: rank(&self.message), time: rank(&self.time), stream: rank(&self.stream) }
    }

    /// Whether the record's own field of that name is not wanted.
    #[inline]
    pub(crate) fn leaves_out(&self, name: &[u8]) -> bool {
        self.extra.iter().any(|known| known.as_bytes() == name)
            || self.ignore.iter().any(|pattern| match pattern.strip_suffix('*') {
                Some(prefix) => name.starts_with(prefix.as_bytes()),
                None => pattern.as_bytes() == name,
            })
    }
}

/// Names longer than the server takes share the last bit.
fn bit(len: usize) -> u128 {
    1 << len.min(127)
}
