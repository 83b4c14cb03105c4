//! Reads an IDX file that may be gzip or plain: told apart by its first bytes, never by its name, and
//! never more of it than its header announces and the limit allows.

use std::io::{self, BufRead, Read};

use flate2::bufread::GzDecoder;
use trainer::{MAX_IDX_HEADER_BYTES, idx_header};

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Why a file could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UnpackError {
    #[error("cannot be read: {0}")]
    Read(io::Error),
    #[error("is a damaged gzip file: {0}")]
    Gzip(io::Error),
    #[error("has something after its gzip data that is neither gzip nor zeros")]
    Garbage,
    #[error("announces {announced} bytes in its header, the limit is {limit}")]
    TooLarge { announced: String, limit: u64 },
    #[error("goes on after the {announced} bytes that its header announces")]
    TooLong { announced: u64 },
    #[error("is {what}")]
    NotIdx { what: String },
}

/// All bytes of an IDX file, unpacked if they are gzip. What its header announces is compared with
/// `limit` before it is read.
pub(crate) fn unpack(mut source: impl BufRead, limit: u64) -> Result<Vec<u8>, UnpackError> {
    let head = source.fill_buf().map_err(UnpackError::Read)?;
    if head.starts_with(&GZIP_MAGIC) {
        read_idx(Members::new(source), limit)
    } else {
        read_idx(source, limit)
    }
}

fn read_idx(mut source: impl Read, limit: u64) -> Result<Vec<u8>, UnpackError> {
    let mut bytes = Vec::new();
    read_up_to(&mut source, MAX_IDX_HEADER_BYTES as u64, &mut bytes)?;
    let header = idx_header(&bytes)
        .map_err(|problem| UnpackError::NotIdx { what: what_it_is(&bytes, &problem) })?;
    let Some(announced) = header.n_bytes.filter(|n_bytes| *n_bytes <= limit) else {
        let announced = header.n_bytes.map_or("far more".into(), |n| n.to_string());
        return Err(UnpackError::TooLarge { announced, limit });
    };
    // One byte more tells a file that goes on.
    read_up_to(&mut source, announced + 1, &mut bytes)?;
    if bytes.len() as u64 > announced {
        return Err(UnpackError::TooLong { announced });
    }
    Ok(bytes)
}

/// Reads on until there are `n_bytes`, or to the end.
fn read_up_to(source: impl Read, n_bytes: u64, bytes: &mut Vec<u8>) -> Result<(), UnpackError> {
    let n_more = n_bytes.saturating_sub(bytes.len() as u64);
    source.take(n_more).read_to_end(bytes).map_err(|error| {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<GzipProblem>()) {
            Some(GzipProblem::Garbage) => UnpackError::Garbage,
            Some(GzipProblem::Damaged(text)) => {
                UnpackError::Gzip(io::Error::new(error.kind(), text.clone()))
            }
            None => UnpackError::Read(error),
        }
    })?;
    Ok(())
}

/// Why a gzip file ends before its end, inside an `io::Error`.
#[derive(Debug, thiserror::Error)]
enum GzipProblem {
    #[error("garbage")]
    Garbage,
    #[error("{0}")]
    Damaged(String),
}

/// The members of a gzip file, one after the other. Zeros after a member are padding, as tapes and
/// block devices leave them; gzip skips them too.
struct Members<R: BufRead> {
    member: Option<GzDecoder<R>>,
}

impl<R: BufRead> Members<R> {
    fn new(source: R) -> Self {
        Self { member: Some(GzDecoder::new(source)) }
    }
}

impl<R: BufRead> Read for Members<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while let Some(member) = &mut self.member {
            match member.read(out) {
                Ok(0) if !out.is_empty() => {}
                Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                    let problem = GzipProblem::Damaged(error.to_string());
                    return Err(io::Error::new(error.kind(), problem));
                }
                other => return other,
            }
            let source = self.member.take().map(GzDecoder::into_inner);
            self.member = source.map(next_member).transpose()?.flatten();
        }
        Ok(0)
    }
}

/// The next member, or `None` at the end of the file.
fn next_member<R: BufRead>(mut source: R) -> io::Result<Option<GzDecoder<R>>> {
    loop {
        let rest = source.fill_buf()?;
        let n_zeros = rest.iter().take_while(|byte| **byte == 0).count();
        match rest {
            [] => return Ok(None),
            [first, ..] if *first == GZIP_MAGIC[0] => return Ok(Some(GzDecoder::new(source))),
            _ if n_zeros > 0 => source.consume(n_zeros),
            _ => return Err(io::Error::new(io::ErrorKind::InvalidData, GzipProblem::Garbage)),
        }
    }
}

/// What a file is that is not IDX, by its first bytes.
fn what_it_is(start: &[u8], problem: &str) -> String {
    let text = String::from_utf8_lossy(start).trim_start().to_ascii_lowercase();
    let kind = match start {
        [] => "empty",
        [b'P', b'K', ..] => "a zip archive, which is to be unpacked first",
        [0x93, b'N', b'U', b'M', b'P', b'Y', ..] => "a file of numpy, not an IDX file",
        [0x1f, 0x8b, ..] => "packed by gzip twice",
        _ if text.starts_with("<!doctype") || text.starts_with("<html") => {
            "an HTML page, not an IDX file: most likely what a server answered instead of the data"
        }
        _ => return format!("not an IDX file: {problem}"),
    };
    kind.to_owned()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).expect("memory");
        encoder.finish().expect("memory")
    }

    /// An IDX file of one dimension with this many bytes.
    fn idx(n: u32) -> Vec<u8> {
        let mut bytes = [&[0, 0, 8, 1][..], &n.to_be_bytes()].concat();
        bytes.resize(bytes.len() + n as usize, 7);
        bytes
    }

    #[test]
    fn plain_and_gzip_give_the_same_bytes() {
        let bytes = idx(900);
        assert_eq!(unpack(&bytes[..], 908).expect("plain"), bytes);
        assert_eq!(unpack(&gzip(&bytes)[..], 908).expect("gzip"), bytes);
        let two_members = [gzip(&bytes[..4]), gzip(&bytes[4..])].concat();
        assert_eq!(unpack(&two_members[..], 908).expect("gzip of two members"), bytes);
        let many: Vec<u8> = bytes.chunks(1).flat_map(gzip).collect();
        assert_eq!(unpack(&many[..], 908).expect("a member for each byte"), bytes);
    }

    #[test]
    fn zeros_after_a_member_are_skipped_and_garbage_is_refused() {
        let bytes = idx(50);
        let zeros = vec![0; 100_000];
        for padded in [
            [gzip(&bytes), zeros.clone()].concat(),
            [gzip(&bytes[..20]), zeros, gzip(&bytes[20..]), vec![0]].concat(),
        ] {
            let buffered = io::BufReader::with_capacity(7, &padded[..]);
            assert_eq!(unpack(buffered, 99).expect("padding"), bytes);
        }
        for garbage in [&b"\nnot gzip"[..], &[0, 0, 1], &[0x1f, 0x8b, 3, 3]] {
            let text = unpack(&[&gzip(&bytes), garbage].concat()[..], 99).unwrap_err().to_string();
            assert!(text.contains("after its gzip data") || text.contains("damaged"), "{text}");
        }
    }

    #[test]
    fn never_reads_more_than_the_header_announces_and_the_limit_allows() {
        let bomb = gzip(&[&idx(100)[..], &vec![0; 1 << 20]].concat());
        assert!(bomb.len() < (1 << 20) / 50);
        for source in [&bomb[..], &[&idx(100)[..], &[1]].concat()] {
            let error = unpack(source, 1_000).expect_err("more than announced");
            assert!(matches!(error, UnpackError::TooLong { announced: 108 }), "{error}");
        }
        for dims in [[1_000_u32; 3], [u32::MAX; 3]] {
            let dims: Vec<u8> = dims.iter().flat_map(|dim| dim.to_be_bytes()).collect();
            let endless = [&[0, 0, 8, 3][..], &dims].concat();
            let endless = io::BufReader::new(endless.chain(io::repeat(7)));
            assert!(matches!(unpack(endless, 1_000), Err(UnpackError::TooLarge { .. })));
        }
        let endless = io::BufReader::new(io::repeat(7));
        assert!(matches!(unpack(endless, 1_000), Err(UnpackError::NotIdx { .. })));
    }

    #[test]
    fn a_damaged_archive_is_an_error() {
        let whole = gzip(&idx(5_000));
        for length in 2..whole.len() {
            let error = unpack(&whole[..length], 9_999).expect_err("cut");
            assert!(matches!(error, UnpackError::Gzip(_)), "{length}: {error}");
        }
        let mut flipped = whole.clone();
        let last = flipped.len() - 6;
        flipped[last] ^= 1;
        assert!(matches!(unpack(&flipped[..], 9_999), Err(UnpackError::Gzip(_))));
    }

    /// Whatever bit of an archive is wrong, no more is unpacked than was announced, and nothing panics.
    #[test]
    fn any_flipped_bit_is_an_error_or_another_file() {
        let whole = [gzip(&idx(300)[..150]), vec![0; 3], gzip(&idx(300)[150..])].concat();
        for bit in 0..8 * whole.len() {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            if let Ok(bytes) = unpack(&flipped[..], 400) {
                assert!(bytes.len() <= 400, "bit {bit}");
            }
            let cut = bit % whole.len();
            let _ = unpack(&flipped[..cut], 400);
        }
    }

    #[test]
    fn other_files_are_called_what_they_are() {
        for (bytes, words) in [
            (&b""[..], "empty"),
            (b"<!DOCTYPE html><title>403</title>", "an HTML page"),
            (b"  <html>", "an HTML page"),
            (b"PK\x03\x04zip", "a zip archive"),
            (b"\x93NUMPY\x01", "numpy"),
            (b"hello", "not an IDX file"),
            (&[0, 0, 8, 3, 0, 0], "ends within its header"),
        ] {
            let text = unpack(bytes, 99).unwrap_err().to_string();
            assert!(text.contains(words), "{text}");
        }
        let twice = gzip(&gzip(&idx(3)));
        assert!(unpack(&twice[..], 99).unwrap_err().to_string().contains("twice"));
    }
}
