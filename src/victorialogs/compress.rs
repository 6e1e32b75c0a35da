//! Bodies packed for the wire.
//!
//! Serves `deliver`. Invariant: one frame per body, with a window that every server can afford.

use std::io::{self, Write as _};

use zstd::{bulk, zstd_safe::CParameter};

use super::config::Compression;

/// 8 MiB, the most that readers of zstd must support.
const MAX_WINDOW_LOG: u32 = 23;
/// From this level on zstd would by itself use a larger one.
const WIDE_WINDOW_LEVEL: i32 = 20;

/// Packs one body after the other.
pub struct Compressor(Inner);

enum Inner {
    Zstd(bulk::Compressor<'static>),
    Gzip(flate2::Compression),
    None,
}

impl Compressor {
    /// A compressor, with memory of its own.
    pub fn new(compression: Compression) -> io::Result<Self> {
        Ok(Self(match compression {
            Compression::Zstd(level) => {
                let mut compressor = bulk::Compressor::new(level)?;
                if level >= WIDE_WINDOW_LEVEL {
                    compressor.set_parameter(CParameter::WindowLog(MAX_WINDOW_LOG))?;
                }
                Inner::Zstd(compressor)
            }
            Compression::Gzip(level) => Inner::Gzip(flate2::Compression::new(level)),
            Compression::None => Inner::None,
        }))
    }

    /// The body as it goes over the wire.
    pub fn pack(&mut self, body: &[u8]) -> io::Result<Vec<u8>> {
        match &mut self.0 {
            Inner::Zstd(compressor) => compressor.compress(body),
            Inner::Gzip(level) => {
                let mut packed = flate2::write::GzEncoder::new(Vec::with_capacity(body.len() / 4), *level);
                packed.write_all(body)?;
                packed.finish()
            }
            Inner::None => Ok(body.to_vec()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_compression_reads_back_as_the_same_body() {
        let body: Vec<u8> = (0..100_000u32).flat_map(|n| (n / 7).to_le_bytes()).collect();
        for level in [1, 3, 22] {
            let packed = Compressor::new(Compression::Zstd(level)).unwrap().pack(&body).unwrap();
            assert!(packed.len() < body.len());
            assert_eq!(zstd::bulk::decompress(&packed, body.len()).unwrap(), body);
        }
        let packed = Compressor::new(Compression::Gzip(6)).unwrap().pack(&body).unwrap();
        let mut plain = Vec::new();
        io::copy(&mut flate2::read::GzDecoder::new(packed.as_slice()), &mut plain).unwrap();
        assert_eq!(plain, body);
        assert_eq!(Compressor::new(Compression::None).unwrap().pack(&body).unwrap(), body);
    }
}
