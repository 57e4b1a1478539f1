//! Message compression: gzip, zstd and deflate in, gzip out.

use std::io::{self, Read, Write};

use bytes::Bytes;
use flate2::Compression;

/// A zstd frame may ask for a window of this many bits: 8 MiB, what RFC 8878 asks every decoder to support.
const ZSTD_WINDOW_BITS: u32 = 23;

/// What `grpc-encoding` names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    Identity,
    Gzip,
    Zstd,
    Deflate,
}

impl Encoding {
    /// What `grpc-accept-encoding` says.
    pub const ACCEPTED: &str = "identity,gzip,zstd,deflate";

    pub fn from_name(name: &[u8]) -> Option<Encoding> {
        match name {
            b"identity" => Some(Encoding::Identity),
            b"gzip" => Some(Encoding::Gzip),
            b"zstd" => Some(Encoding::Zstd),
            b"deflate" => Some(Encoding::Deflate),
            _ => None,
        }
    }
}

/// What became of a compressed message.
#[derive(Debug, PartialEq, Eq)]
pub enum Decoded {
    Message(Bytes),
    /// It is larger than the limit once decompressed.
    TooLarge,
    /// It is not what its encoding says.
    Corrupt,
}

/// Decompresses a message, up to `limit` bytes of it.
pub fn decompress(encoding: Encoding, body: &Bytes, limit: usize) -> Decoded {
    let input = &body[..];
    let out = match encoding {
        Encoding::Identity => {
            return if body.len() > limit { Decoded::TooLarge } else { Decoded::Message(body.clone()) };
        }
        Encoding::Gzip => drain(flate2::bufread::MultiGzDecoder::new(input), gzip_size(input), limit),
        Encoding::Deflate => drain(flate2::bufread::ZlibDecoder::new(input), input.len() * 4, limit),
        Encoding::Zstd => unzstd(input, limit),
    };
    match out {
        Ok(Some(bytes)) => Decoded::Message(bytes.into()),
        Ok(None) => Decoded::TooLarge,
        Err(_) => Decoded::Corrupt,
    }
}

/// Compresses at a level from 0 to 9.
pub fn gzip(body: &[u8], level: u32) -> Bytes {
    let mut encoder = flate2::write::GzEncoder::new(Vec::with_capacity(body.len() / 4 + 64), Compression::new(level));
    encoder.write_all(body).and_then(|()| encoder.finish()).expect("writing to memory does not fail").into()
}

fn unzstd(input: &[u8], limit: usize) -> io::Result<Option<Vec<u8>>> {
    let mut decoder = zstd::stream::read::Decoder::with_buffer(input)?;
    decoder.window_log_max(ZSTD_WINDOW_BITS)?;
    drain(decoder, input.len() * 4, limit)
}

/// The size that a gzip stream says it has, so that one allocation does; a liar costs itself only time, because a stream
/// cannot grow more than about a thousandfold.
fn gzip_size(input: &[u8]) -> usize {
    let said = input.last_chunk::<4>().map_or(0, |size| u32::from_le_bytes(*size) as usize);
    said.min(input.len().saturating_mul(16))
}

/// Reads all of it; `None` if it is more than `limit`.
fn drain(decoder: impl Read, hint: usize, limit: usize) -> io::Result<Option<Vec<u8>>> {
    // One byte more than is awaited, so that the end is seen without growing.
    let mut out = Vec::with_capacity(hint.min(limit) + 1);
    decoder.take(limit as u64 + 1).read_to_end(&mut out)?;
    Ok((out.len() <= limit).then_some(out))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] = b"a text that repeats, a text that repeats, a text that repeats";

    fn compressed() -> [(Encoding, Bytes); 3] {
        let mut deflate = flate2::write::ZlibEncoder::new(Vec::new(), Compression::new(6));
        deflate.write_all(TEXT).unwrap();
        [
            (Encoding::Gzip, gzip(TEXT, 6)),
            (Encoding::Zstd, zstd::encode_all(TEXT, 3).unwrap().into()),
            (Encoding::Deflate, deflate.finish().unwrap().into()),
        ]
    }

    #[test]
    fn every_encoding_is_read_back_up_to_the_limit_and_no_further() {
        for (encoding, body) in compressed() {
            let message = Decoded::Message(Bytes::from_static(TEXT));
            assert_eq!(decompress(encoding, &body, TEXT.len()), message, "{encoding:?}");
            assert_eq!(decompress(encoding, &body, TEXT.len() - 1), Decoded::TooLarge, "{encoding:?}");
        }
    }

    #[test]
    fn a_stream_cut_short_or_of_another_encoding_is_corrupt() {
        for (encoding, body) in compressed() {
            let cut = body.slice(..body.len() - 5);
            assert_eq!(decompress(encoding, &cut, 1 << 20), Decoded::Corrupt, "{encoding:?}");
            assert_eq!(
                decompress(encoding, &Bytes::from_static(b"no such"), 1 << 20),
                Decoded::Corrupt,
                "{encoding:?}"
            );
        }
    }

    #[test]
    fn a_small_stream_that_becomes_huge_is_stopped_at_the_limit() {
        let bomb = gzip(&vec![0; 64 << 20], 6);
        assert!(bomb.len() < 100_000);
        assert_eq!(decompress(Encoding::Gzip, &bomb, 1 << 20), Decoded::TooLarge);
    }

    #[test]
    fn a_zstd_window_larger_than_agreed_is_refused() {
        let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 3).unwrap();
        encoder.window_log(27).unwrap();
        encoder.include_contentsize(false).unwrap();
        encoder.write_all(&vec![7; 1 << 20]).unwrap();
        let body = encoder.finish().unwrap().into();
        assert_eq!(decompress(Encoding::Zstd, &body, 64 << 20), Decoded::Corrupt);
    }
}
