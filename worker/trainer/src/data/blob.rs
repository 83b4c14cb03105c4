//! The canonical blob of a data set: magic, version, type of labels, rank, dimensions of one input,
//! samples in train and test (all u32, little-endian), then train inputs, train labels, test inputs,
//! test labels. Inputs are bytes, labels too unless one is above 255. One data set has one blob.

use crate::data::samples::{DataError, Samples, n_inputs};

const MAGIC: &[u8; 8] = b"SWEEPSET";
const VERSION: u32 = 1;
/// Types of labels: bytes, or little-endian u16.
const TYPE_U8: u32 = 0;
const TYPE_U16: u32 = 1;
const RANK_MAX: u32 = 3;

/// Whether labels of that many classes take two bytes.
fn are_wide(n_classes: usize) -> bool {
    n_classes > 1 << 8
}

pub(super) fn labels(labels: &[u16], n_classes: usize) -> Vec<u8> {
    if are_wide(n_classes) {
        return labels.iter().flat_map(|label| label.to_le_bytes()).collect();
    }
    labels.iter().map(|&label| label as u8).collect()
}

pub(super) fn header(dims: &[u32], n_classes: usize, n_train: usize, n_test: usize) -> Vec<u8> {
    let count = |n: usize| u32::try_from(n).expect("files count samples in 32 bits");
    let mut bytes = MAGIC.to_vec();
    let rank = count(dims.len());
    let label_type = if are_wide(n_classes) { TYPE_U16 } else { TYPE_U8 };
    let fields = [VERSION, label_type, rank].into_iter().chain(dims.iter().copied());
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
    let is_wide = match field()? {
        TYPE_U8 => false,
        TYPE_U16 => true,
        _ => return Err(error("unknown type of labels")),
    };
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
    let mut samples = |n_samples| -> Result<Samples, DataError> {
        let inputs = take(n_samples, n_inputs)?;
        let labels = take(n_samples, if is_wide { 2 } else { 1 })?;
        Ok(Samples { inputs, labels: read_labels(&labels, is_wide) })
    };
    let (train, test) = (samples(n_train)?, samples(n_test)?);
    if !rest.is_empty() {
        return Err(error("goes on after its samples"));
    }
    let mut all = train.labels.iter().chain(&test.labels);
    if is_wide && !all.any(|&label| label > 255) {
        return Err(error("has wide labels, of which none needs to be"));
    }
    Ok((dims, train, test))
}

fn read_labels(bytes: &[u8], is_wide: bool) -> Vec<u16> {
    if is_wide {
        return bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
    }
    bytes.iter().map(|&byte| byte.into()).collect()
}
