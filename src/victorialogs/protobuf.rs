//! The few pieces of protobuf that a Loki push is made of.
//!
//! Serves `labels` and `encode`. Invariant: lengths are written in their shortest form, before what they measure.

/// The tag of the first, second and third field of a message, each length-delimited.
pub(crate) const FIRST: u8 = 0x0a;
pub(crate) const SECOND: u8 = 0x12;
pub(crate) const THIRD: u8 = 0x1a;

/// Appends a number, seven bits a byte.
#[inline]
pub(crate) fn varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// How many bytes [`varint`] takes.
#[inline]
pub(crate) fn varint_len(number: u64) -> usize {
    (70 - (number | 1).leading_zeros() as usize) / 7
}

/// Appends a field of bytes.
#[inline]
pub(crate) fn bytes(out: &mut Vec<u8>, tag: u8, bytes: &[u8]) {
    out.push(tag);
    varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// How many bytes `bytes` takes for that many.
#[inline]
pub(crate) fn bytes_len(len: usize) -> usize {
    1 + varint_len(len as u64) + len
}

/// Appends a pair of structured metadata, as the entry's third field.
#[inline]
pub(crate) fn pair(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.push(THIRD);
    varint(out, (bytes_len(name.len()) + bytes_len(value.len())) as u64);
    bytes(out, FIRST, name);
    bytes(out, SECOND, value);
}

/// How many bytes [`pair`] takes.
#[inline]
pub(crate) fn pair_len(name: usize, value: usize) -> usize {
    bytes_len(bytes_len(name) + bytes_len(value))
}

/// Appends a time in nanoseconds as a message of seconds and nanoseconds, as the first field.
#[inline]
pub(crate) fn time(out: &mut Vec<u8>, nanos: i64) {
    let (seconds, nanos) = split(nanos);
    out.extend_from_slice(&[FIRST, time_len(seconds, nanos) as u8, 0x08]);
    varint(out, seconds as u64);
    out.push(0x10);
    varint(out, nanos);
}

/// How many bytes [`time`] takes.
#[inline]
pub(crate) fn whole_time_len(nanos: i64) -> usize {
    let (seconds, nanos) = split(nanos);
    2 + time_len(seconds, nanos)
}

fn split(nanos: i64) -> (i64, u64) {
    (nanos.div_euclid(1_000_000_000), nanos.rem_euclid(1_000_000_000) as u64)
}

fn time_len(seconds: i64, nanos: u64) -> usize {
    2 + varint_len(seconds as u64) + varint_len(nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lengths_foretold_are_the_lengths_written() {
        for shift in 0..64 {
            for number in [(1u64 << shift) - 1, 1 << shift] {
                let mut out = Vec::new();
                varint(&mut out, number);
                assert_eq!(out.len(), varint_len(number), "{number}");
            }
        }
        for nanos in [0, 1, -1, i64::MAX, i64::MIN, 1_795_228_958_200_805_722] {
            let mut out = Vec::new();
            time(&mut out, nanos);
            assert_eq!(out.len(), whole_time_len(nanos), "{nanos}");
        }
        for len in [0, 1, 127, 128, 16_383, 16_384] {
            let mut out = Vec::new();
            pair(&mut out, b"name", &vec![b'x'; len]);
            assert_eq!(out.len(), pair_len(4, len));
        }
    }
}
