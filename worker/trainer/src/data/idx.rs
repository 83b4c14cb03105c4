//! IDX files: two zero bytes, the element type (8 = u8), the rank, the dimensions as big-endian u32,
//! then the elements.

use super::{DataError, Samples};

const RANK_MAX: u8 = 4;

/// One image and one label file that belong together; the dimensions are those of one image.
pub(super) fn samples(
    (images_name, images): (&'static str, &[u8]),
    (labels_name, labels): (&'static str, &[u8]),
) -> Result<(Vec<u32>, Samples), DataError> {
    let (image_dims, inputs) = parse(images_name, images)?;
    let (label_dims, labels) = parse(labels_name, labels)?;
    let at = |file, problem| Err(DataError::File { file, problem });
    let [n_images, dims @ ..] = &image_dims[..] else { unreachable!("a rank is at least 1") };
    if dims.is_empty() {
        return at(images_name, "expected rank 2 to 4, got 1 (a label file?)".into());
    }
    let [n_labels] = label_dims[..] else {
        return at(labels_name, format!("expected rank 1, got {} (images?)", label_dims.len()));
    };
    if *n_images != n_labels {
        let problem = format!("expected {n_images} labels as in {images_name}, got {n_labels}");
        return at(labels_name, problem);
    }
    Ok((dims.to_vec(), Samples { inputs: inputs.to_vec(), labels: labels.to_vec() }))
}

fn parse<'a>(file: &'static str, bytes: &'a [u8]) -> Result<(Vec<u32>, &'a [u8]), DataError> {
    let at = |problem| DataError::File { file, problem };
    let [0, 0, 8, rank @ 1..=RANK_MAX, rest @ ..] = bytes else {
        let start = &bytes[..bytes.len().min(4)];
        return Err(at(format!(
            "expected an unpacked IDX file of bytes (it starts with 00 00 08 and the rank), got {start:02x?}"
        )));
    };
    let n_dim_bytes = usize::from(*rank) * 4;
    let Some((dim_bytes, elements)) = rest.split_at_checked(n_dim_bytes) else {
        return Err(at(format!("ends within its header of {} bytes", 4 + n_dim_bytes)));
    };
    let dims: Vec<u32> =
        dim_bytes.chunks_exact(4).map(|b| u32::from_be_bytes([b[0], b[1], b[2], b[3]])).collect();
    let expected = dims.iter().try_fold(1_u64, |n, &dim| n.checked_mul(dim.into()));
    if expected != Some(elements.len() as u64) {
        return Err(at(format!(
            "expected {dims:?} bytes after the header, got {}",
            elements.len()
        )));
    }
    Ok((dims, elements))
}
