//! Lines out of a byte stream that is cut anywhere.
//!
//! Serves watches, whose events are lines of JSON. Invariants: the same bytes give the same lines however they are
//! cut; a line without end takes a bounded amount of memory.

use memchr::memchr;

/// Longer lines are skipped: an object in etcd is limited to 1.5 MiB.
const LINE_LIMIT: usize = 8 << 20;

/// What a stream's next line is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line<'a> {
    /// A line, not empty, without its end.
    Whole(&'a [u8]),
    /// A line that was too long to keep.
    TooLong,
}

/// Collects bytes, gives lines.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    buffer: Vec<u8>,
    start: usize,
    searched: usize,
    skipping: bool,
}

impl Lines {
    /// Adds the next bytes of the stream.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.start);
        self.searched -= self.start;
        self.start = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// The next complete line, if it is there.
    pub(crate) fn next_line(&mut self) -> Option<Line<'_>> {
        while let Some(length) = memchr(b'\n', &self.buffer[self.searched..]) {
            let line = self.start..self.searched + length;
            self.start = line.end + 1;
            self.searched = self.start;
            if std::mem::take(&mut self.skipping) {
                return Some(Line::TooLong);
            }
            if !self.buffer[line.clone()].trim_ascii().is_empty() {
                return Some(Line::Whole(&self.buffer[line]));
            }
        }
        self.searched = self.buffer.len();
        if self.buffer.len() - self.start > LINE_LIMIT {
            self.buffer.clear();
            (self.start, self.searched, self.skipping) = (0, 0, true);
        }
        None
    }

    /// What the stream ended with, if it is no complete line.
    pub(crate) fn rest(&self) -> &[u8] {
        if self.skipping { &[] } else { self.buffer[self.start..].trim_ascii() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(pieces: &[&[u8]]) -> Vec<Vec<u8>> {
        let mut lines = Lines::default();
        let mut all = Vec::new();
        for piece in pieces {
            lines.push(piece);
            while let Some(Line::Whole(line)) = lines.next_line() {
                all.push(line.to_vec());
            }
        }
        all.push(lines.rest().to_vec());
        all
    }

    #[test]
    fn lines_are_the_same_wherever_the_stream_is_cut() {
        let stream = b"{\"a\":1}\n\n{\"b\":\"\xc3\xa9\"}\r\n{}\nrest";
        let whole = lines(&[stream]);
        assert_eq!(whole, [&b"{\"a\":1}"[..], b"{\"b\":\"\xc3\xa9\"}\r", b"{}", b"rest"]);
        for first in 0..=stream.len() {
            for second in first..=stream.len() {
                let pieces = [&stream[..first], &stream[first..second], &stream[second..]];
                assert_eq!(lines(&pieces), whole, "cut at {first} and {second}");
            }
        }
    }

    #[test]
    fn a_line_without_end_is_skipped_and_the_next_one_arrives() {
        let mut lines = Lines::default();
        for _ in 0..LINE_LIMIT / (1 << 20) + 2 {
            lines.push(&[b'x'; 1 << 20]);
            assert_eq!(lines.next_line(), None);
            assert!(lines.buffer.len() <= LINE_LIMIT + (1 << 20));
        }
        lines.push(b"x\nnext\n");
        assert_eq!(lines.next_line(), Some(Line::TooLong));
        assert_eq!(lines.next_line(), Some(Line::Whole(b"next")));
        assert_eq!(lines.next_line(), None);
    }
}
