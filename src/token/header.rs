//! A token as the header that carries it.
//!
//! Serves both kinds of tokens, files' and commands'. Invariant: the header is marked as sensitive.

use std::io;

use hyper::header::HeaderValue;

/// The header with the token that a file holds or a command printed.
pub(super) fn header(content: &[u8]) -> io::Result<HeaderValue> {
    let bad = |why: &str| io::Error::new(io::ErrorKind::InvalidData, why);
    let token = content.trim_ascii();
    if token.is_empty() {
        return Err(bad("there is no token in it"));
    }
    let mut header = HeaderValue::from_bytes(&[b"Bearer ", token].concat())
        .map_err(|_| bad("it holds characters no token has"))?;
    header.set_sensitive(true);
    Ok(header)
}
