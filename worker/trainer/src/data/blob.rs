//! The canonical blob of a data set: magic, version, element type, rank, dimensions of one input,
//! samples in train and test (all u32, little-endian), then train inputs, train labels, test inputs,
//! test labels. One data set has one blob.

use super::{DataError, Samples, n_inputs};

const MAGIC: &[u8; 8] = b"SWEEPSET";
const VERSION: u32 = 1;
const TYPE_U8: u32 = 0;
const RANK_MAX: u32 = 3;

pub(super) fn header(dims: &[u32], n_train: usize, n_test: usize) -> Vec<u8> {
    let count = |n: usize| u32::try_from(n).expect("files count samples in 32 bits");
    let mut bytes = MAGIC.to_vec();
    let rank = count(dims.len());
    let fields = [VERSION, TYPE_U8, rank].into_iter().chain(dims.iter().copied());
    for field in fields.chain([count(n_train), count(n_test)]) {
        bytes.extend(field.to_le_bytes());
    }
    bytes
}

/// Lengths are compared with what is there before anything is copied.
pub(super) fn read(blob: &[u8]) -> Result<(Vec<u32>, Samples, Samples), DataError> {
    let error = |problem: &str| DataError::Blob(problem.into());
    let mut rest =
        blob.strip_prefix(MAGIC).ok_or_else(|| error("it does not start with its magic"))?;
    let mut field = || -> Result<u32, DataError> {
        let (first, others) =
            rest.split_first_chunk::<4>().ok_or_else(|| error("ends within its header"))?;
        rest = others;
        Ok(u32::from_le_bytes(*first))
    };
    if field()? != VERSION {
        return Err(error("made by another version of this program"));
    }
    if field()? != TYPE_U8 {
        return Err(error("unknown type of elements"));
    }
    let rank = field()?;
    if !(1..=RANK_MAX).contains(&rank) {
        return Err(error("expected inputs of rank 1 to 3"));
    }
    let dims = (0..rank).map(|_| field()).collect::<Result<Vec<u32>, _>>()?;
    let (n_train, n_test) = (field()? as usize, field()? as usize);
    let n_inputs = n_inputs(&dims).ok_or_else(|| error("its dimensions overflow"))?;
    let mut take = |n_samples: usize, size: usize| -> Result<Vec<u8>, DataError> {
        let length = n_samples.checked_mul(size).ok_or_else(|| error("its lengths overflow"))?;
        let (first, others) =
            rest.split_at_checked(length).ok_or_else(|| error("ends within its samples"))?;
        rest = others;
        Ok(first.to_vec())
    };
    let train = Samples { inputs: take(n_train, n_inputs)?, labels: take(n_train, 1)? };
    let test = Samples { inputs: take(n_test, n_inputs)?, labels: take(n_test, 1)? };
    if !rest.is_empty() {
        return Err(error("goes on after its samples"));
    }
    Ok((dims, train, test))
}
