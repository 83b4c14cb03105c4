//! Reads a file that may be gzip or plain: told apart by its first bytes, never by its name, and
//! never more of it than the limit.

use flate2::bufread::MultiGzDecoder;
use std::io::{self, BufRead, Read};

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Why a file could not be unpacked.
#[derive(Debug, thiserror::Error)]
pub(super) enum UnpackError {
    #[error("cannot be read: {0}")]
    Read(io::Error),
    #[error("is a damaged gzip file: {0}")]
    Gzip(io::Error),
    #[error("holds more than {limit} bytes unpacked, the limit")]
    TooLarge { limit: u64 },
}

/// All bytes of `source`, unpacked if they are gzip; at most `limit`.
pub(super) fn unpack(mut source: impl BufRead, limit: u64) -> Result<Vec<u8>, UnpackError> {
    let head = source.fill_buf().map_err(UnpackError::Read)?;
    if head.starts_with(&GZIP_MAGIC) {
        read_bounded(MultiGzDecoder::new(source), limit, UnpackError::Gzip)
    } else {
        read_bounded(source, limit, UnpackError::Read)
    }
}

fn read_bounded(
    source: impl Read,
    limit: u64,
    fail: impl Fn(io::Error) -> UnpackError,
) -> Result<Vec<u8>, UnpackError> {
    let mut bytes = Vec::new();
    source.take(limit + 1).read_to_end(&mut bytes).map_err(fail)?;
    if bytes.len() as u64 > limit {
        return Err(UnpackError::TooLarge { limit });
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use std::io::Write;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).expect("memory");
        encoder.finish().expect("memory")
    }

    #[test]
    fn plain_and_gzip_give_the_same_bytes() {
        let bytes = [0, 0, 8, 1, 0, 0, 0, 1, 7];
        assert_eq!(unpack(&bytes[..], 9).expect("plain"), bytes);
        assert_eq!(unpack(&gzip(&bytes)[..], 9).expect("gzip"), bytes);
        let two_members = [gzip(&bytes[..4]), gzip(&bytes[4..])].concat();
        assert_eq!(unpack(&two_members[..], 9).expect("gzip of two members"), bytes);
        assert!(unpack(&[][..], 9).expect("empty").is_empty());
    }

    #[test]
    fn never_unpacks_more_than_the_limit() {
        let bomb = gzip(&vec![0; 1 << 20]);
        assert!(bomb.len() < (1 << 20) / 50);
        for source in [&bomb[..], &[0; 1_001][..]] {
            let error = unpack(source, 1_000).expect_err("over the limit");
            assert!(matches!(error, UnpackError::TooLarge { limit: 1_000 }), "{error}");
        }
        let endless = io::BufReader::new(io::repeat(7));
        assert!(matches!(unpack(endless, 1_000), Err(UnpackError::TooLarge { .. })));
    }

    #[test]
    fn a_damaged_archive_is_an_error() {
        let whole = gzip(&[7; 5_000]);
        let cut = &whole[..whole.len() - 9];
        assert!(matches!(unpack(cut, 9_999), Err(UnpackError::Gzip(_))));
        let mut flipped = whole.clone();
        let last = flipped.len() - 6;
        flipped[last] ^= 1;
        assert!(matches!(unpack(&flipped[..], 9_999), Err(UnpackError::Gzip(_))));
    }
}
