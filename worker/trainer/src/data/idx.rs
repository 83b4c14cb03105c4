//! IDX files: two zero bytes, the element type (8 = u8, 11 = i16, 12 = i32), the rank, the dimensions
//! as big-endian u32, then the elements, big-endian. Images are u8; labels may be any of these.

use super::{DataError, MAX_CLASSES, Samples};

const RANK_MAX: u8 = 4;

/// One image and one label file that belong together; the dimensions are those of one image.
pub(super) fn samples(
    (images_name, images): (&'static str, &[u8]),
    (labels_name, labels): (&'static str, &[u8]),
) -> Result<(Vec<u32>, Samples), DataError> {
    let (image_dims, inputs, image_type) = parse(images_name, images)?;
    let (label_dims, labels, label_type) = parse(labels_name, labels)?;
    let at = |file, problem| Err(DataError::File { file, problem });
    let [n_images, dims @ ..] = &image_dims[..] else { unreachable!("a rank is at least 1") };
    if image_type != Type::U8 {
        return at(images_name, "expected images of bytes (00 00 08 and the rank)".into());
    }
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
    let labels = label_type.labels(labels).map_err(|(row, label)| DataError::File {
        file: labels_name,
        problem: format!("expected labels from 0 to {}, got {label} in row {row}", MAX_CLASSES - 1),
    })?;
    Ok((dims.to_vec(), Samples { inputs: inputs.to_vec(), labels }))
}

/// Of the elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    U8,
    I16,
    I32,
}

impl Type {
    fn of(code: u8) -> Option<Self> {
        Some(match code {
            8 => Self::U8,
            11 => Self::I16,
            12 => Self::I32,
            _ => return None,
        })
    }

    fn n_bytes(self) -> usize {
        match self {
            Self::U8 => 1,
            Self::I16 => 2,
            Self::I32 => 4,
        }
    }

    /// The elements as labels, or the first that is none, with its row.
    fn labels(self, bytes: &[u8]) -> Result<Vec<u16>, (usize, i64)> {
        let value = |b: &[u8]| match *b {
            [a] => i64::from(a),
            [a, b] => i16::from_be_bytes([a, b]).into(),
            [a, b, c, d] => i32::from_be_bytes([a, b, c, d]).into(),
            _ => unreachable!("elements have 1, 2 or 4 bytes"),
        };
        let values = bytes.chunks_exact(self.n_bytes()).map(value).enumerate();
        let label = |(row, value)| match u16::try_from(value) {
            Ok(label) if usize::from(label) < MAX_CLASSES => Ok(label),
            _ => Err((row, value)),
        };
        values.map(label).collect()
    }
}

fn parse<'a>(file: &'static str, bytes: &'a [u8]) -> Result<(Vec<u32>, &'a [u8], Type), DataError> {
    let at = |problem| DataError::File { file, problem };
    let (element_type, rank, rest) = match bytes {
        [0, 0, code, rank @ 1..=RANK_MAX, rest @ ..] => (Type::of(*code), rank, rest),
        _ => (None, &0, bytes),
    };
    let Some(element_type) = element_type else {
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
    let n_bytes = element_type.n_bytes();
    let expected = expected.and_then(|n| n.checked_mul(n_bytes as u64));
    if expected != Some(elements.len() as u64) {
        return Err(at(format!(
            "expected {dims:?} elements of {n_bytes} bytes after the header, got {} bytes",
            elements.len()
        )));
    }
    Ok((dims, elements, element_type))
}
