//! The records of a spool file. Each is framed and checksummed by itself and can be found without
//! those before it, so damage costs what it hit and nothing else.
//!
//! A record: mark (8 bytes), payload length (u32, little endian), SHA-256 of the payload, and the
//! payload: state id (16 bytes), time of writing (u64, seconds by the clock of the cache folder),
//! and the outcome as a `Finished` message. Former builds wrote no mark; both kinds are read, and
//! may stand in one file.

use std::borrow::Borrow;
use std::ops::Range;

use prost::Message as _;
use proto::Finished;
use sha2::{Digest as _, Sha256};

use crate::agent::StateId;
use crate::link::fit::Fitted;

/// Begins with a byte that no text in UTF-8 holds.
pub const MARK: &[u8; 8] = b"\xf5record\n";

const LENGTH_BYTES: usize = 4;
const CHECKSUM_BYTES: usize = 32;
const PREFIX_BYTES: usize = LENGTH_BYTES + CHECKSUM_BYTES;
const STATE_AND_TIME_BYTES: usize = 16 + 8;

/// Where records without a mark are searched for, only these times are believed, in seconds since
/// 1970: the years 2001 to 5138.
const BELIEVED_TIMES_S: Range<u64> = 1_000_000_000..100_000_000_000;

/// A longer payload is not believed: no trainer gives as much, whatever former builds wrote.
const MAX_PAYLOAD_BYTES: usize = 64 << 20;

/// What looks like a record and is not one costs a checksum over all that it claims to be, and a file
/// can be full of it. This many bytes may be summed in vain, and as many times the bytes that were
/// passed.
const MAX_VAIN_BYTES: usize = 64 << 20;
const VAIN_SHARE: usize = 4;

/// What a file holds may be too large for any call: former builds wrote what came.
#[derive(Clone, Debug, PartialEq)]
pub struct Record<F = Fitted> {
    pub state_id: StateId,
    pub written_at_s: u64,
    pub finished: F,
}

/// What a spool file holds.
#[derive(Debug, Default, PartialEq)]
pub struct Contents {
    /// Each with its length in the file.
    pub records: Vec<(Record<Finished>, usize)>,
    /// What lies between them and is no record, or none any more.
    pub damaged: Vec<Range<usize>>,
    /// Bytes of what turned out to be no records.
    pub n_vain_bytes: usize,
    /// There were more of these than are looked at, so a record may be among the damaged bytes.
    pub is_cut_short: bool,
}

impl<F: Borrow<Finished>> Record<F> {
    pub fn encode(&self) -> Vec<u8> {
        [&MARK[..], &self.encode_unmarked()].concat()
    }

    /// As former builds wrote it.
    pub fn encode_unmarked(&self) -> Vec<u8> {
        let finished = self.finished.borrow();
        let mut payload = Vec::with_capacity(STATE_AND_TIME_BYTES + finished.encoded_len());
        payload.extend(self.state_id);
        payload.extend(self.written_at_s.to_le_bytes());
        finished.encode_raw(&mut payload);
        let length = u32::try_from(payload.len()).expect("an outcome is far below 4 GiB");
        [&length.to_le_bytes()[..], &Sha256::digest(&payload), &payload].concat()
    }
}

impl Record<Finished> {
    /// The record with this checksum and payload; `None` unless it is undamaged.
    fn decode(checksum: &[u8; CHECKSUM_BYTES], payload: &[u8]) -> Option<Self> {
        if Sha256::digest(payload).as_slice() != checksum {
            return None;
        }
        let (state_id, rest) = payload.split_first_chunk::<16>()?;
        let (written_at_s, message) = rest.split_first_chunk::<8>()?;
        Some(Self {
            state_id: *state_id,
            written_at_s: u64::from_le_bytes(*written_at_s),
            finished: Finished::decode(message).ok()?,
        })
    }
}

/// A frame's checksum and payload, if it is whole.
fn frame(bytes: &[u8]) -> Option<(&[u8; CHECKSUM_BYTES], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<LENGTH_BYTES>()?;
    let (checksum, rest) = rest.split_first_chunk::<CHECKSUM_BYTES>()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    let payload = rest.get(..length).filter(|payload| payload.len() <= MAX_PAYLOAD_BYTES)?;
    Some((checksum, payload))
}

impl Contents {
    /// The record that `bytes`, which begin at this place of the file, begin with, and its length.
    fn decode(&mut self, bytes: &[u8], at: usize) -> Option<(Record<Finished>, usize)> {
        let (n_mark, unmarked) = match bytes.strip_prefix(MARK) {
            Some(rest) => (MARK.len(), rest),
            None => (0, bytes),
        };
        let (checksum, payload) = frame(unmarked)?;
        let n_allowed = MAX_VAIN_BYTES + VAIN_SHARE.saturating_mul(at);
        if self.n_vain_bytes + payload.len() > n_allowed {
            self.is_cut_short = true;
            return None;
        }
        let record = Record::decode(checksum, payload);
        if record.is_none() {
            self.n_vain_bytes += payload.len();
        }
        Some((record?, n_mark + PREFIX_BYTES + payload.len()))
    }
}

/// All whole records, wherever they stand.
pub fn read(bytes: &[u8]) -> Contents {
    let mut contents = Contents::default();
    let (mut at, mut whole_until) = (0, 0);
    while at < bytes.len() {
        match contents.decode(&bytes[at..], at) {
            Some((record, n_bytes)) => {
                if whole_until < at {
                    contents.damaged.push(whole_until..at);
                }
                contents.records.push((record, n_bytes));
                at += n_bytes;
                whole_until = at;
            }
            None => at = next_candidate(bytes, at + 1),
        }
    }
    if whole_until < bytes.len() {
        contents.damaged.push(whole_until..bytes.len());
    }
    contents
}

/// The first place from `at` on that looks like the begin of a record, else the end.
fn next_candidate(bytes: &[u8], at: usize) -> usize {
    let is_candidate = |at: &usize| bytes[*at..].starts_with(MARK) || looks_unmarked(&bytes[*at..]);
    (at..bytes.len()).find(is_candidate).unwrap_or(bytes.len())
}

/// Whether it is worth the computation of a checksum.
fn looks_unmarked(bytes: &[u8]) -> bool {
    let time = bytes.get(PREFIX_BYTES + 16..).and_then(|rest| rest.first_chunk::<8>());
    let is_believed = |time: &[u8; 8]| BELIEVED_TIMES_S.contains(&u64::from_le_bytes(*time));
    time.is_some_and(is_believed) && frame(bytes).is_some()
}
